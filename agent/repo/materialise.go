package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/apimeld/agent/config"
)

// maxMaterial is how large one file may be that scripts find beside them, in bytes.
const maxMaterial = 1 << 30

// Materials are the folders that revisions have been laid out in: one each,
// shared by all runs of the revision.
type materials struct {
	dir string
	log *slog.Logger

	mu   sync.Mutex
	all  map[string]*material
	kept []string
}

type material struct {
	users int
	ready chan struct{} // closed when it has been laid out, or failed
	err   error
}

// newMaterials begins with what an agent before this one laid out: a folder
// has its name only when it is complete.
func newMaterials(dir string, log *slog.Logger) *materials {
	m := &materials{dir: dir, log: log, all: map[string]*material{}}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			m.remove(e.Name())
			continue
		}
		done := &material{ready: make(chan struct{})}
		close(done.ready)
		m.all[e.Name()] = done
	}
	return m
}

// get returns the folder of a revision, and lays it out first if needed.
func (m *materials) get(ctx context.Context, id string, open func() (config.Tree, error)) (string, func(), error) {
	m.mu.Lock()
	one, ok := m.all[id]
	if !ok {
		one = &material{ready: make(chan struct{})}
		m.all[id] = one
	}
	one.users++
	m.mu.Unlock()
	release := sync.OnceFunc(func() { m.release(id, one) })
	if !ok {
		one.err = m.layOut(ctx, id, open)
		if one.err != nil {
			m.mu.Lock()
			delete(m.all, id) // the next one tries again
			m.mu.Unlock()
		}
		close(one.ready)
	}
	select {
	case <-one.ready:
	case <-ctx.Done():
		release()
		return "", nil, ctx.Err()
	}
	if one.err != nil {
		release()
		return "", nil, one.err
	}
	return filepath.Join(m.dir, id), release, nil
}

func (m *materials) release(id string, one *material) {
	m.mu.Lock()
	defer m.mu.Unlock()
	one.users--
	if m.all[id] == one && one.users == 0 && !slices.Contains(m.kept, id) {
		delete(m.all, id)
		m.remove(id)
	}
}

// forget makes a folder go as soon as nobody uses it, even if it was to be kept.
func (m *materials) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = slices.DeleteFunc(slices.Clone(m.kept), func(k string) bool { return k == id })
}

// keep makes only these revisions stay while nobody uses them.
func (m *materials) keep(ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = slices.Clone(ids)
	for id, one := range m.all {
		if one.users == 0 && !slices.Contains(ids, id) {
			delete(m.all, id)
			m.remove(id)
		}
	}
}

func (m *materials) close() error { return nil }

// layOut writes a tree aside and gives it its name when it is complete.
func (m *materials) layOut(ctx context.Context, id string, open func() (config.Tree, error)) error {
	tree, err := open()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(m.dir, ".new-*")
	if err != nil {
		return err
	}
	defer m.remove(filepath.Base(tmp))
	if err := writeTree(ctx, tree, tmp); err != nil {
		return err
	}
	target := filepath.Join(m.dir, id)
	if err := os.Rename(tmp, target); err != nil {
		return err
	}
	return os.Chmod(target, 0o555)
}

func writeTree(ctx context.Context, tree config.Tree, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	made := map[string]bool{".": true}
	err = tree.Walk(func(e config.Entry) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		name := filepath.FromSlash(e.Path)
		if parent := filepath.Dir(name); !made[parent] {
			if err := root.MkdirAll(parent, 0o755); err != nil {
				return err
			}
			made[parent] = true
		}
		switch e.Kind {
		case config.Submodule:
			return nil
		case config.Link:
			if !inside(e.Path, e.Link) {
				return nil // refused when loading, unless it is ignored
			}
			return root.Symlink(e.Link, name)
		}
		text, err := tree.Read(e, maxMaterial)
		if err != nil {
			return fmt.Errorf("read %s: %w", e.Path, err)
		}
		mode := os.FileMode(0o444)
		if e.Kind == config.Executable {
			mode = 0o555
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		_, err = f.Write(text)
		return errors.Join(err, f.Close())
	})
	if err != nil {
		return err
	}
	// Shared by runs: what one writes another must not read.
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != dir {
			err = os.Chmod(path, 0o555)
		}
		return err
	})
}

// remove removes a folder that has been made read-only.
func (m *materials) remove(name string) {
	dir := filepath.Join(m.dir, name)
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return nil
	})
	if err := os.RemoveAll(dir); err != nil {
		m.log.Warn("remove files of a revision", "folder", dir, "error", err)
	}
}
