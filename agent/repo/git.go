package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/apimeld/agent/config"
)

// An objects is a repository's object store, whoever put the objects there.
type objects struct {
	name string
	path string

	// go-git's storage is not safe for concurrent use: its indexes and
	// caches are filled while reading.
	mu      sync.Mutex
	repo    *git.Repository
	damaged bool
}

// revision reads a commit.
func (o *objects) revision(id string) (Revision, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c, err := o.repo.CommitObject(plumbing.NewHash(id))
	if err != nil {
		return Revision{}, o.bad(fmt.Errorf("read commit %.12s: %w", id, err))
	}
	title, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
	return Revision{ID: c.Hash.String(), Title: strings.TrimSpace(title), Author: c.Author.Name, Committed: c.Committer.When}, nil
}

// bad notes that the store lacks what it should have. The caller holds the lock.
func (o *objects) bad(err error) error {
	if !errors.Is(err, context.Canceled) && !errors.Is(err, config.ErrTooLarge) {
		o.damaged = true
	}
	return err
}

// tree is the files of a commit below the source's path.
func (o *objects) tree(id string) (*gitTree, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c, err := o.repo.CommitObject(plumbing.NewHash(id))
	if err != nil {
		return nil, o.bad(fmt.Errorf("read commit %.12s: %w", id, err))
	}
	root, err := c.Tree()
	if err != nil {
		return nil, o.bad(fmt.Errorf("read files of commit %.12s: %w", id, err))
	}
	if o.path != "" {
		if root, err = root.Tree(o.path); errors.Is(err, object.ErrDirectoryNotFound) || errors.Is(err, object.ErrEntryNotFound) {
			return nil, fmt.Errorf("there is no folder %q in commit %.12s\nname one that is there with --path", o.path, id)
		} else if err != nil {
			return nil, o.bad(fmt.Errorf("read folder %s of commit %.12s: %w", o.path, id, err))
		}
	}
	return &gitTree{o, root.Hash}, nil
}

// A gitTree reads a commit's files from the object store. It implements [config.Tree].
type gitTree struct {
	*objects
	root plumbing.Hash
}

func (t *gitTree) Walk(yield func(config.Entry) error) error { return t.walk(t.root, "", yield) }

func (t *gitTree) walk(hash plumbing.Hash, at string, yield func(config.Entry) error) error {
	t.mu.Lock()
	tree, err := object.GetTree(t.repo.Storer, hash)
	if err != nil {
		err = t.bad(fmt.Errorf("read folder %s: %w", at, err))
	}
	t.mu.Unlock()
	if err != nil {
		return err
	}
	for _, one := range tree.Entries {
		e := config.Entry{Path: path.Join(at, one.Name), Hash: one.Hash.String(), Size: -1}
		switch one.Mode {
		case filemode.Dir:
			if err := t.walk(one.Hash, e.Path, yield); err != nil {
				return err
			}
			continue
		case filemode.Symlink:
			e.Kind = config.Link
			target, err := t.Read(e, 4096)
			if err != nil {
				return err
			}
			e.Link = string(target)
		case filemode.Submodule:
			e.Kind = config.Submodule
		case filemode.Executable:
			e.Kind = config.Executable
		}
		if err := yield(e); err != nil {
			return err
		}
	}
	return nil
}

func (t *gitTree) Read(e config.Entry, limit int64) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	hash := plumbing.NewHash(e.Hash)
	if e.Hash == "" {
		return nil, fmt.Errorf("read %s: it has no hash", e.Path)
	}
	blob, err := t.repo.BlobObject(hash)
	if err != nil {
		return nil, t.bad(fmt.Errorf("read %s: %w", e.Path, err))
	}
	if blob.Size > limit {
		return nil, config.ErrTooLarge
	}
	r, err := blob.Reader()
	if err != nil {
		return nil, t.bad(fmt.Errorf("read %s: %w", e.Path, err))
	}
	defer r.Close()
	b := make([]byte, blob.Size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, t.bad(fmt.Errorf("read %s: %w", e.Path, err))
	}
	return b, nil
}
