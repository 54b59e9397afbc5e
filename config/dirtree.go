package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// DirTree is a folder's files. Folders named .git are left out, and nothing is
// followed that leads out of the folder.
func DirTree(dir string) (Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		if errors.Is(err, syscall.ENOTDIR) {
			return nil, fmt.Errorf("open folder %s: it is not a folder\nname the folder that holds the configuration", dir)
		}
		return nil, fmt.Errorf("open folder %s: %w\nname the folder that holds the configuration", dir, err)
	}
	return dirTree{root, dir}, nil
}

type dirTree struct {
	root *os.Root
	dir  string
}

func (t dirTree) Walk(yield func(Entry) error) error {
	return filepath.WalkDir(t.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) && path != t.dir {
				return nil // it went away while we looked
			}
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" && path != t.dir {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(t.dir, path)
		if err != nil {
			return err
		}
		e := Entry{Path: filepath.ToSlash(rel), Size: -1}
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			e.Kind = Link
			if e.Link, err = os.Readlink(path); err != nil {
				return nil
			}
		case !d.Type().IsRegular():
			return nil // a pipe or socket is no configuration
		default:
			info, err := d.Info()
			if err != nil {
				return nil // it went away while we looked
			}
			if e.Size = info.Size(); info.Mode()&0o111 != 0 {
				e.Kind = Executable
			}
		}
		return yield(e)
	})
}

func (t dirTree) Read(e Entry, limit int64) ([]byte, error) {
	// NONBLOCK: should a pipe have taken the file's place, nobody waits for it.
	f, err := t.root.OpenFile(filepath.FromSlash(e.Path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, ErrTooLarge
	}
	b := make([]byte, 0, info.Size()+1)
	for {
		n, err := f.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
		if int64(len(b)) > limit {
			return nil, ErrTooLarge
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}
