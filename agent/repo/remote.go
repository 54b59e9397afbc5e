package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5"
	gitconfig "github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/go-git/go-billy/v5/osfs"

	"github.com/apimeld/agent/config"
)

const (
	listTimeout  = time.Minute
	fetchTimeout = 15 * time.Minute
	// maxPacks is how many packs may pile up: each fetch leaves one, and
	// go-git never repacks.
	maxPacks = 100
	// keepRefs holds revisions that are live or in use.
	keepRefs = "refs/apimeld/keep/"
)

// A remote is a repository that is reached over a network. It has a bare
// clone with the full history of what it follows, and no work tree: measured
// on 10,000 files a new commit costs a seventh of what a shallow clone does.
type remote struct {
	Config
	objects *objects
	files   *materials
	url     string // without credentials
	name    string

	fetching sync.Mutex
	known    map[string]plumbing.ReferenceName // where Head found a revision
	mu       sync.Mutex
	held     []string
}

func openRemote(c Config) (*remote, error) {
	r := &remote{Config: c, name: Name(c.Source), known: map[string]plumbing.ReferenceName{}}
	r.url = r.Auth.take(c.Source)
	if _, err := transport.NewEndpoint(r.url); err != nil {
		return nil, fmt.Errorf("read source URL %s: it is no Git URL\nsuch as https://git.example.com/ops/tasks.git", r.name)
	}
	if c.CAFile != "" {
		if _, err := os.Stat(c.CAFile); err != nil {
			return nil, fmt.Errorf("read certificates: %w\nname a PEM file with --ca-file", err)
		}
	}
	r.objects = &objects{name: r.name, path: c.Path}
	r.files = newMaterials(filepath.Join(c.Dir, "files"), c.Log)
	// What a clone that was cut off left behind.
	if left, err := filepath.Glob(filepath.Join(c.Dir, "clone-*")); err == nil {
		for _, dir := range left {
			_ = os.RemoveAll(dir)
		}
	}
	repo, err := openBare(r.gitDir())
	switch {
	case errors.Is(err, git.ErrRepositoryNotExists):
		repo, err = r.initBare(r.gitDir())
	case err == nil && !r.follows(repo):
		// Another URL than last time: its objects are of no use.
		r.Log.Info("the source is another one now: cloning anew", "source", r.name)
		if err = os.RemoveAll(r.gitDir()); err == nil {
			repo, err = r.initBare(r.gitDir())
		}
	case err != nil:
		c.Log.Warn("the clone cannot be opened: cloning anew", "error", err)
		if err = os.RemoveAll(r.gitDir()); err == nil {
			repo, err = r.initBare(r.gitDir())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open clone %s: %w", r.gitDir(), err)
	}
	r.objects.repo = repo
	return r, nil
}

func (r *remote) gitDir() string { return filepath.Join(r.Dir, "clone.git") }

// openBare opens a bare repository. Descriptors of packs are kept open: each
// read would open them anew otherwise.
func openBare(dir string) (*git.Repository, error) {
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err != nil {
		return nil, git.ErrRepositoryNotExists
	}
	s := filesystem.NewStorageWithOptions(osfs.New(dir, osfs.WithBoundOS()), cache.NewObjectLRU(16<<20), filesystem.Options{KeepDescriptors: true})
	return git.Open(s, nil)
}

func (r *remote) initBare(dir string) (*git.Repository, error) {
	if _, err := git.PlainInit(dir, true); err != nil {
		return nil, err
	}
	repo, err := openBare(dir)
	if err != nil {
		return nil, err
	}
	_, err = repo.CreateRemote(&gitconfig.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{r.url}})
	return repo, err
}

func (r *remote) follows(repo *git.Repository) bool {
	origin, err := repo.Remote(git.DefaultRemoteName)
	return err == nil && slices.Equal(origin.Config().URLs, []string{r.url})
}

// access is the credentials and certificates at this moment.
func (r *remote) access() (transport.AuthMethod, []byte, error) {
	e, err := transport.NewEndpoint(r.url)
	if err != nil {
		return nil, nil, fmt.Errorf("read source URL %s: it is no Git URL", r.name)
	}
	auth, err := r.Auth.method(e)
	if err != nil {
		return nil, nil, err
	}
	var ca []byte
	if r.CAFile != "" {
		if ca, err = os.ReadFile(r.CAFile); err != nil {
			return nil, nil, fmt.Errorf("read certificates: %w\nname a PEM file with --ca-file", err)
		}
	}
	return auth, ca, nil
}

var commitID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// Head asks the server for what the ref points at, as git ls-remote does.
func (r *remote) Head(ctx context.Context) (string, error) {
	if commitID.MatchString(r.Ref) {
		r.mu.Lock()
		r.known[r.Ref] = ""
		r.mu.Unlock()
		return r.Ref, nil
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	auth, ca, err := r.access()
	if err != nil {
		return "", err
	}
	// A remote of its own: listing needs no clone, and must not wait for a fetch.
	lister := git.NewRemote(memory.NewStorage(), &gitconfig.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{r.url}})
	refs, err := lister.ListContext(ctx, &git.ListOptions{Auth: auth, CABundle: ca, PeelingOption: git.AppendPeeled})
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("no answer within %s", listTimeout)
		}
		return "", explain(r.name, err)
	}
	name, id, err := pick(refs, r.Ref)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	r.known = map[string]plumbing.ReferenceName{id: name}
	r.mu.Unlock()
	return id, nil
}

// pick finds what a ref names among a server's.
func pick(refs []*plumbing.Reference, ref string) (plumbing.ReferenceName, string, error) {
	byName := map[plumbing.ReferenceName]*plumbing.Reference{}
	var branches []string
	for _, one := range refs {
		byName[one.Name()] = one
		if one.Name().IsBranch() {
			branches = append(branches, one.Name().Short())
		}
	}
	slices.Sort(branches)
	known := "there are no branches"
	if len(branches) > 0 {
		known = "branches: " + strings.Join(branches[:min(len(branches), 20)], ", ")
	}
	if ref == "" {
		head := byName[plumbing.HEAD]
		switch {
		case head == nil:
			return "", "", fmt.Errorf("the repository has no default branch\nname one with --ref; %s", known)
		case head.Type() == plumbing.SymbolicReference:
			if target := byName[head.Target()]; target != nil {
				return target.Name(), target.Hash().String(), nil
			}
			return "", "", fmt.Errorf("the repository's default branch %s has no commit\npush to it, or name another with --ref; %s", head.Target().Short(), known)
		}
		return plumbing.HEAD, head.Hash().String(), nil
	}
	for _, name := range []plumbing.ReferenceName{plumbing.NewBranchReferenceName(ref), plumbing.NewTagReferenceName(ref), plumbing.ReferenceName(ref)} {
		if found := byName[name]; found != nil && found.Type() == plumbing.HashReference {
			if peeled := byName[name+"^{}"]; peeled != nil {
				found = plumbing.NewHashReference(name, peeled.Hash())
			}
			return name, found.Hash().String(), nil
		}
	}
	return "", "", fmt.Errorf("there is no branch or tag %q in the repository\nname another with --ref, or push it; %s", ref, known)
}

// Fetch makes a revision available: from what is there, with what is new, or
// with a fresh clone when what is there is of no use any more.
func (r *remote) Fetch(ctx context.Context, id string) (Revision, error) {
	r.fetching.Lock()
	defer r.fetching.Unlock()
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	r.mu.Lock()
	ref, ok := r.known[id]
	r.mu.Unlock()
	if !ok {
		return Revision{}, fmt.Errorf("fetch %.12s: nobody asked for the newest revision before", id)
	}
	if !r.worn() {
		if rev, err := r.objects.revision(id); err == nil && !r.isDamaged() {
			return rev, nil
		}
		r.mend() // a commit that is not there yet is no damage
		if err := r.fetchInto(ctx, r.objects, ref); err != nil {
			if ctx.Err() != nil {
				return Revision{}, ctx.Err()
			}
			if !local(err) {
				return Revision{}, explain(r.name, err)
			}
			r.Log.Warn("the clone is damaged: cloning anew", "source", r.name, "error", err)
		} else if rev, err := r.objects.revision(id); err == nil {
			return rev, nil
		}
	}
	if err := r.clone(ctx, ref); err != nil {
		return Revision{}, explain(r.name, err)
	}
	rev, err := r.objects.revision(id)
	if err != nil {
		r.mend()
		return Revision{}, fmt.Errorf("fetch %.12s: the server does not have it (any more)\nit is looked for again; a commit must be on a branch or tag", id)
	}
	return rev, nil
}

// local reports whether an error of a fetch is about what is on this disk.
func local(err error) bool {
	return errors.Is(err, plumbing.ErrObjectNotFound) || errors.Is(err, os.ErrNotExist) ||
		strings.Contains(err.Error(), "zlib") || strings.Contains(err.Error(), "packfile") || strings.Contains(err.Error(), "idxfile") || strings.Contains(err.Error(), "malformed")
}

func (r *remote) isDamaged() bool {
	r.objects.mu.Lock()
	defer r.objects.mu.Unlock()
	return r.objects.damaged
}

func (r *remote) mend() {
	r.objects.mu.Lock()
	defer r.objects.mu.Unlock()
	r.objects.damaged = false
}

// worn reports whether the clone is to be replaced: objects went missing, or
// too many packs have piled up.
func (r *remote) worn() bool {
	if r.isDamaged() {
		return true
	}
	packs, err := filepath.Glob(filepath.Join(r.gitDir(), "objects", "pack", "*.pack"))
	return err == nil && len(packs) > maxPacks
}

// fetchInto fetches one branch or tag, or for a commit all of them.
func (r *remote) fetchInto(ctx context.Context, o *objects, ref plumbing.ReferenceName) error {
	auth, ca, err := r.access()
	if err != nil {
		return err
	}
	specs := []gitconfig.RefSpec{"+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"}
	if ref != "" {
		target := ref
		if ref == plumbing.HEAD {
			target = "refs/apimeld/head"
		}
		specs = []gitconfig.RefSpec{gitconfig.RefSpec(fmt.Sprintf("+%s:%s", ref, target))}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	err = o.repo.FetchContext(ctx, &git.FetchOptions{RemoteName: git.DefaultRemoteName, RefSpecs: specs, Auth: auth, CABundle: ca, Tags: git.NoTags, Force: true})
	if errors.Is(err, git.NoErrAlreadyUpToDate) {
		return nil
	}
	return err
}

// clone clones into a sibling and swaps it in: a clone that is cut off leaves
// the old one as it was.
func (r *remote) clone(ctx context.Context, ref plumbing.ReferenceName) error {
	dir, err := os.MkdirTemp(r.Dir, "clone-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	repo, err := r.initBare(dir)
	if err != nil {
		return err
	}
	fresh := &objects{repo: repo}
	if err := r.fetchInto(ctx, fresh, ref); err != nil {
		return err
	}
	r.mu.Lock()
	held := slices.Clone(r.held)
	r.mu.Unlock()
	r.objects.mu.Lock()
	defer r.objects.mu.Unlock()
	for _, id := range held {
		if err := carry(r.objects.repo, repo, plumbing.NewHash(id)); err != nil {
			r.Log.Warn("a revision that is in use could not be taken along", "revision", id, "error", err)
		}
	}
	old := r.gitDir() + ".old"
	if err := errors.Join(os.RemoveAll(old), os.Rename(r.gitDir(), old), os.Rename(dir, r.gitDir())); err != nil {
		_ = os.Rename(old, r.gitDir())
		return fmt.Errorf("put clone in place: %w", err)
	}
	defer os.RemoveAll(old)
	if repo, err = openBare(r.gitDir()); err != nil {
		return err
	}
	r.objects.repo, r.objects.damaged = repo, false
	return nil
}

// carry copies a commit's files, without its history, and holds it.
func carry(from, to *git.Repository, id plumbing.Hash) error {
	copyObject := func(kind plumbing.ObjectType, hash plumbing.Hash) error {
		if to.Storer.HasEncodedObject(hash) == nil {
			return nil
		}
		o, err := from.Storer.EncodedObject(kind, hash)
		if err != nil {
			return err
		}
		_, err = to.Storer.SetEncodedObject(o)
		return err
	}
	c, err := from.CommitObject(id)
	if err != nil {
		return err
	}
	var copyTree func(plumbing.Hash) error
	copyTree = func(hash plumbing.Hash) error {
		tree, err := object.GetTree(from.Storer, hash)
		if err != nil {
			return err
		}
		for _, e := range tree.Entries {
			switch {
			case e.Mode.IsFile():
				err = copyObject(plumbing.BlobObject, e.Hash)
			case e.Mode&0o170000 == 0o040000:
				err = copyTree(e.Hash)
			}
			if err != nil {
				return err
			}
		}
		return copyObject(plumbing.TreeObject, hash)
	}
	if err := copyTree(c.TreeHash); err != nil {
		return err
	}
	if err := copyObject(plumbing.CommitObject, id); err != nil {
		return err
	}
	return to.Storer.SetReference(plumbing.NewHashReference(plumbing.ReferenceName(keepRefs+id.String()), id))
}

func (r *remote) Tree(_ context.Context, id string) (config.Tree, error) {
	t, err := r.objects.tree(id)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (r *remote) Materialise(ctx context.Context, id string) (string, func(), error) {
	return r.files.get(ctx, id, func() (config.Tree, error) { return r.Tree(ctx, id) })
}

// Keep holds revisions by private refs, so that neither a force-push nor a
// fresh clone loses them.
func (r *remote) Keep(ids []string) error {
	r.mu.Lock()
	r.held = slices.Clone(ids)
	r.mu.Unlock()
	r.files.keep(ids)
	r.objects.mu.Lock()
	defer r.objects.mu.Unlock()
	s := r.objects.repo.Storer
	for _, id := range ids {
		if err := s.SetReference(plumbing.NewHashReference(plumbing.ReferenceName(keepRefs+id), plumbing.NewHash(id))); err != nil {
			return fmt.Errorf("hold revision %.12s: %w", id, err)
		}
	}
	refs, err := s.IterReferences()
	if err != nil {
		return fmt.Errorf("list refs: %w", err)
	}
	defer refs.Close()
	return refs.ForEach(func(ref *plumbing.Reference) error {
		id, ok := strings.CutPrefix(ref.Name().String(), keepRefs)
		if !ok || slices.Contains(ids, id) {
			return nil
		}
		return s.RemoveReference(ref.Name())
	})
}

// Changes never gets a note: the interval and the hooks see to it.
func (r *remote) Changes() <-chan struct{} { return nil }

func (r *remote) Close() error { return r.files.close() }
