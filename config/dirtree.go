package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// DirTree is a folder's files. Folders named .git are left out, and nothing is
// followed that leads out of the folder.
func DirTree(dir string) (Tree, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder %s: %w\nname the folder that holds the configuration", dir, err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open folder %s: it is not a folder\nname the folder that holds the configuration", dir)
	}
	return dirTree{dir}, nil
}

type dirTree struct{ dir string }

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
		case !isYAML(e.Path): // of YAML nobody asks
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

// Read reads with the system's own calls: it is called for each of thousands
// of small files, and package os would ask of each whether it can be waited for.
func (t dirTree) Read(e Entry, limit int64) ([]byte, error) {
	path := filepath.Join(t.dir, filepath.FromSlash(e.Path))
	// NONBLOCK: should a pipe have taken the file's place, nobody waits for it.
	// NOFOLLOW: what Walk calls a file is none any more if it leads elsewhere.
	fd, err := ignoringInterrupts(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: e.Path, Err: err}
	}
	defer syscall.Close(fd)
	var info syscall.Stat_t
	if err := syscall.Fstat(fd, &info); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: e.Path, Err: err}
	}
	if info.Size > limit {
		return nil, ErrTooLarge
	}
	b := make([]byte, 0, info.Size+1)
	for {
		n, err := ignoringInterrupts(func() (int, error) { return syscall.Read(fd, b[len(b):cap(b)]) })
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: e.Path, Err: err}
		}
		if b = b[:len(b)+n]; n == 0 || len(b) < cap(b) && int64(len(b)) == info.Size {
			return b, nil
		}
		if int64(len(b)) > limit {
			return nil, ErrTooLarge
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

func ignoringInterrupts(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != syscall.EINTR {
			return n, err
		}
	}
}
