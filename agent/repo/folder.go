package repo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/apimeld/agent/config"
)

// A folder is a plain folder. Each state of it that is looked at is copied, so
// that a revision stays what it was while people edit.
type folder struct {
	Config
	dir   string
	files *materials
	watch *watcher

	mu   sync.Mutex
	last func() // lets the revision that was fetched last go
}

func openFolder(c Config) (*folder, error) {
	f := &folder{Config: c, dir: filepath.Join(c.Source, filepath.FromSlash(c.Path)), files: newMaterials(filepath.Join(c.Dir, "files"), c.Log)}
	if info, err := os.Stat(f.dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("open source %s: there is no folder %q in it\nname one that is there with --path", c.Source, c.Path)
	}
	var err error
	if f.watch, err = newWatcher(c.Log, func(path string) bool { return !strings.HasPrefix(filepath.Base(path), ".") }, f.dir); err != nil {
		c.Log.Warn("watch folder: changes are found by the interval only", "error", err)
	}
	return f, nil
}

// Head names the folder's state: which files there are, how large they are,
// and when they were last written.
func (f *folder) Head(ctx context.Context) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) && path != f.dir {
				return nil
			}
			return err
		}
		if d.IsDir() {
			if path != f.dir && d.Name() == ".git" {
				return filepath.SkipDir
			}
			return ctx.Err()
		}
		info, err := d.Info()
		if err != nil {
			return nil // it went away while we looked
		}
		rel, err := filepath.Rel(f.dir, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s\x00%d\x00%d\x00%o\n", rel, info.Size(), info.ModTime().UnixNano(), info.Mode())
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("look through folder %s: %w", f.dir, err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:20]), nil
}

// Fetch copies the folder's state. The copy stays until the next Fetch or
// Keep says what is needed from there on.
func (f *folder) Fetch(ctx context.Context, id string) (Revision, error) {
	_, release, err := f.files.get(ctx, id, func() (config.Tree, error) { return config.DirTree(f.dir) })
	if err != nil {
		return Revision{}, fmt.Errorf("copy folder %s: %w", f.dir, err)
	}
	now, err := f.Head(ctx)
	if err == nil && now != id {
		f.files.forget(id) // what was copied may be neither the one nor the other
		release()
		return Revision{}, fmt.Errorf("folder %s is changing: it is looked at again", f.dir)
	}
	f.fetched(release)
	return Revision{ID: id, Title: "folder " + filepath.Base(f.dir), Committed: time.Now()}, nil
}

// fetched lets the revision fetched before go, and holds another.
func (f *folder) fetched(release func()) {
	f.mu.Lock()
	last := f.last
	f.last = release
	f.mu.Unlock()
	if last != nil {
		last()
	}
}

func (f *folder) Tree(_ context.Context, id string) (config.Tree, error) {
	dir := filepath.Join(f.files.dir, id)
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("read revision %s: its copy is gone", id)
	}
	return config.DirTree(dir)
}

func (f *folder) Materialise(ctx context.Context, id string) (string, func(), error) {
	return f.files.get(ctx, id, func() (config.Tree, error) { return nil, fmt.Errorf("the copy of %s is gone", id) })
}

func (f *folder) Keep(ids []string) error {
	f.files.keep(ids)
	f.fetched(nil)
	return nil
}

func (f *folder) Changes() <-chan struct{} { return f.watch.changes() }

func (f *folder) Close() error { return errors.Join(f.watch.close(), f.files.close()) }
