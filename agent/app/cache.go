package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/apimeld/agent/config"
)

// loadCache reads what earlier loads parsed. Without it, or with one that
// cannot be read, the next load merely takes longer.
func (a *App) loadCache() {
	a.cache = config.NewCache()
	a.cacheFile = filepath.Join(a.options.StateDir, "parsed.cache")
	f, err := os.Open(a.cacheFile)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			a.log.Warn("read cache of parsed files", "error", err)
		}
		return
	}
	defer f.Close()
	if err := a.cache.Load(f); err != nil {
		a.log.Warn("read cache of parsed files", "error", err)
	}
}

// saveCache writes the cache aside and renames it, so that a kill leaves the old one.
func (a *App) saveCache(*config.Snapshot) {
	err := func() error {
		f, err := os.CreateTemp(a.options.StateDir, ".parsed.*")
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		if err := errors.Join(a.cache.Save(f), f.Close()); err != nil {
			return err
		}
		return os.Rename(f.Name(), a.cacheFile)
	}()
	if err != nil {
		a.log.Warn("write cache of parsed files", "error", err)
	}
}
