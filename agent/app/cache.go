package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

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

const (
	// settleAfter is how long after a change the memory that loading took goes
	// back to the system.
	settleAfter = 2 * time.Second
	// saveAfter is how much later the cache is written: what it costs shall not
	// stand in the way of the next change.
	saveAfter = 30 * time.Second
)

// saveSoon writes the cache after a while, or when the agent stops.
func (a *App) saveSoon() {
	if a.saving.Swap(true) {
		return
	}
	a.tasks.Go(func() {
		a.rest(settleAfter)
		debug.FreeOSMemory()
		a.rest(saveAfter)
		a.saving.Store(false)
		if a.cache.Dirty() {
			a.saveCache()
			debug.FreeOSMemory()
		}
	})
}

// rest waits for a while, or until the agent stops.
func (a *App) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.stopping:
	}
}

// saveCache writes the cache aside and renames it, so that a kill leaves the old one.
func (a *App) saveCache() {
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
