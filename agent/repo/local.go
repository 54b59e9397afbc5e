package repo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"

	"github.com/apimeld/agent/config"
)

// A localRepo is a repository on this machine, read in place: what is committed
// counts, and nothing is written to it.
type localRepo struct {
	Config
	objects *objects
	files   *materials
	watch   *watcher
}

func openLocal(c Config) (*localRepo, error) {
	repo, err := openPlain(c.Source)
	if err != nil {
		return nil, fmt.Errorf("open repository %s: %w\nis it a Git repository? --folder reads it as a plain folder", c.Source, err)
	}
	l := &localRepo{Config: c, objects: &objects{name: c.Source, path: c.Path, repo: repo}, files: newMaterials(filepath.Join(c.Dir, "files"), c.Log)}
	// New commits move refs; without a watch the interval finds them.
	git := c.Source
	if dir := filepath.Join(c.Source, ".git"); isRepository(dir) {
		git = dir
	}
	if l.watch, err = newWatcher(c.Log, func(path string) bool { return false }, git, filepath.Join(git, "refs", "heads")); err != nil {
		c.Log.Warn("watch repository: commits are found by the interval only", "error", err)
	}
	return l, nil
}

func openPlain(dir string) (*git.Repository, error) {
	return git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
}

func (l *localRepo) Head(context.Context) (string, error) {
	// Opened anew: packs that came since are not seen otherwise.
	repo, err := openPlain(l.Source)
	if err != nil {
		return "", fmt.Errorf("open repository %s: %w", l.Source, err)
	}
	l.objects.mu.Lock()
	l.objects.repo = repo
	l.objects.mu.Unlock()
	ref := l.Ref
	if ref == "" {
		ref = "HEAD"
	}
	id, err := repo.ResolveRevision(plumbing.Revision(ref))
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		if l.Ref == "" {
			return "", fmt.Errorf("repository %s has no commit yet\ncommit something: the agent goes on looking", l.Source)
		}
		return "", fmt.Errorf("there is no branch, tag or commit %q in %s\nname another with --ref", l.Ref, l.Source)
	}
	if err != nil {
		return "", fmt.Errorf("find %s in %s: %w", ref, l.Source, err)
	}
	return id.String(), nil
}

func (l *localRepo) Fetch(_ context.Context, id string) (Revision, error) {
	return l.objects.revision(id)
}

func (l *localRepo) Tree(_ context.Context, id string) (config.Tree, error) {
	t, err := l.objects.tree(id)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (l *localRepo) Materialise(ctx context.Context, id string) (string, func(), error) {
	return l.files.get(ctx, id, func() (config.Tree, error) { return l.Tree(ctx, id) })
}

func (l *localRepo) Keep(ids []string) error {
	l.files.keep(ids)
	return nil
}

func (l *localRepo) Changes() <-chan struct{} { return l.watch.changes() }

func (l *localRepo) Close() error { return errors.Join(l.watch.close(), l.files.close()) }
