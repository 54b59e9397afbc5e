// Package repo is where configuration comes from: a Git repository, fetched
// over HTTP(S) or SSH or read in place, or a plain folder.
//
// It owns the clone, the credentials, and one materialised folder for each
// revision that scripts run from. It reads no configuration and decides
// nothing about revisions: it hands out what is there, by name, for as long
// as somebody needs it.
package repo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/apimeld/agent/config"
)

// A Config configures a [Source].
type Config struct {
	Source string // a Git URL, a Git repository or a plain folder
	Ref    string // a branch, tag or full commit; empty: the repository's own default branch
	Path   string // the folder in it that counts; empty: all of it
	Folder bool   // read a Git repository's work tree as a plain folder
	Dir    string // for the clone and materialised revisions
	Auth   Auth
	CAFile string // PEM certificates trusted beside the system's; may be empty
	Log    *slog.Logger
}

// A Revision is one commit, or one state of a folder.
type Revision struct {
	ID        string
	Title     string // the commit message's first line
	Author    string
	Committed time.Time
}

// A Source hands out revisions. It is safe for concurrent use.
type Source interface {
	// Head is the newest revision's id. It costs little.
	Head(ctx context.Context) (string, error)
	// Fetch makes a revision that Head named available here.
	Fetch(ctx context.Context, id string) (Revision, error)
	// Tree is the files of a revision that has been fetched, below the source's path.
	Tree(ctx context.Context, id string) (config.Tree, error)
	// Materialise returns a folder with those files, shared and read-only; it
	// stays until release is called.
	Materialise(ctx context.Context, id string) (dir string, release func(), err error)
	// Keep holds these revisions, whatever becomes of the branch, and lets others go.
	Keep(ids []string) error
	// Changes gets a note when there may be a newer revision.
	Changes() <-chan struct{}
	Close() error
}

// Open opens a source. It reaches no network yet.
func Open(ctx context.Context, c Config) (Source, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	clean, err := cleanPath(c.Path)
	if err != nil {
		return nil, err
	}
	c.Path = clean
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create folder for the source: %w", err)
	}
	if IsRemote(c.Source) {
		if c.Folder {
			return nil, errors.New("open source: --folder is for folders on this machine\nleave it out for a Git URL")
		}
		return openRemote(c)
	}
	c.Source = strings.TrimPrefix(c.Source, "file://")
	info, err := os.Stat(c.Source)
	if err != nil {
		return nil, fmt.Errorf("open source %s: %w\nname a Git URL, a Git repository or a folder", c.Source, cause(err))
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open source %s: it is a file\nname the folder that holds it", c.Source)
	}
	if c.Source, err = filepath.Abs(c.Source); err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	if !c.Folder && isRepository(c.Source) {
		return openLocal(c)
	}
	if c.Ref != "" {
		return nil, fmt.Errorf("open source %s: a plain folder has no ref\nleave --ref out, or name a Git repository", c.Source)
	}
	return openFolder(c)
}

// cause is an error without what a path error repeats.
func cause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// isRepository reports whether a folder is a Git repository: one with a work
// tree (whose .git is a folder, or a file that leads to one), or a bare one.
func isRepository(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
		return true
	}
	for _, name := range []string{"HEAD", "objects", "refs"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// scpLike is Git's short form of an SSH address, user@host:path.
var scpLike = regexp.MustCompile(`^(?:[^/@:\s]+@)?[^/@:\s]+:[^/\s].*|^[^/@:\s]+@[^/@:\s]+:.+$`)

// IsRemote reports whether a source is reached over a network.
func IsRemote(source string) bool {
	if scheme, _, ok := strings.Cut(source, "://"); ok {
		return scheme != "file"
	}
	if len(source) > 1 && source[1] == ':' {
		return false // a drive letter
	}
	if _, err := os.Stat(source); err == nil {
		return false
	}
	return scpLike.MatchString(source)
}

// Name is a source as it may be shown: without credentials.
func Name(source string) string {
	if !strings.Contains(source, "://") {
		return source
	}
	u, err := url.Parse(source)
	if err != nil {
		return "(a URL that cannot be read)"
	}
	if _, ok := u.User.Password(); ok || u.Scheme != "ssh" {
		u.User = nil
	}
	u.RawQuery, u.Fragment = "", ""
	return u.String()
}

func cleanPath(p string) (string, error) {
	clean := strings.Trim(filepath.ToSlash(filepath.Clean("/"+p)), "/")
	if strings.HasPrefix(p, "/") || strings.Contains("/"+p+"/", "/../") {
		return "", fmt.Errorf("read --path %q: it must stay inside the source\nname a folder relative to the source's root", p)
	}
	return clean, nil
}

// inside reports whether a link of the tree stays in it.
func inside(at, target string) bool {
	if strings.HasPrefix(target, "/") {
		return false
	}
	to := filepath.ToSlash(filepath.Join(filepath.Dir("/x/"+at), target))
	return strings.HasPrefix(to, "/x/") || to == "/x"
}
