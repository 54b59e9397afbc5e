package repo_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apimeld/agent/agent/repo"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/tests/gitserver"
)

var ctx = context.Background()

func open(t *testing.T, c repo.Config) repo.Source {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	s, err := repo.Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// newest fetches what Head names.
func newest(t *testing.T, s repo.Source) repo.Revision {
	t.Helper()
	id, err := s.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Fetch(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if r.ID != id {
		t.Fatalf("fetched %s, asked for %s", r.ID, id)
	}
	return r
}

func contents(t *testing.T, s repo.Source, id string) map[string]string {
	t.Helper()
	tree, err := s.Tree(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	err = tree.Walk(func(e config.Entry) error {
		text, err := tree.Read(e, 1<<20)
		if e.Kind == config.Link {
			text = []byte("-> " + e.Link)
		}
		files[e.Path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func wantContents(t *testing.T, s repo.Source, id string, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, contents(t, s, id)); diff != "" {
		t.Errorf("files of %.12s (-want +got):\n%s", id, diff)
	}
}

func TestHTTP(t *testing.T) {
	server := gitserver.New(t)
	first := server.Commit("First commit\n\nwith a body", map[string]string{"a.yaml": "one", "prod/b.yaml": "two", "x": "3"})
	s := open(t, repo.Config{Source: server.URL})
	r := newest(t, s)
	if r.ID != first || r.Title != "First commit" || r.Author != "Ann Author" || time.Since(r.Committed) > time.Hour {
		t.Errorf("revision %+v", r)
	}
	wantContents(t, s, first, map[string]string{"a.yaml": "one", "prod/b.yaml": "two", "x": "3"})
	second := server.Commit("Second", map[string]string{"a.yaml": "changed", "x": ""})
	newest(t, s)
	wantContents(t, s, second, map[string]string{"a.yaml": "changed", "prod/b.yaml": "two"})
	wantContents(t, s, first, map[string]string{"a.yaml": "one", "prod/b.yaml": "two", "x": "3"})

	fetches := server.Fetches.Load()
	newest(t, s)
	if n := server.Fetches.Load() - fetches; n != 0 {
		t.Errorf("%d fetches with nothing new", n)
	}
	prod := open(t, repo.Config{Source: server.URL, Path: "prod/"})
	newest(t, prod)
	wantContents(t, prod, second, map[string]string{"b.yaml": "two"})
	none := open(t, repo.Config{Source: server.URL, Path: "none"})
	newest(t, none)
	if _, err := none.Tree(ctx, second); err == nil || !strings.Contains(err.Error(), "--path") {
		t.Errorf("a path that is not there: %v", err)
	}
}

func TestRefs(t *testing.T) {
	server := gitserver.New(t)
	first := server.Commit("First", map[string]string{"a": "1"})
	server.Git("tag", "-a", "-m", "annotated", "v1")
	server.Git("push", "-q", "origin", "v1")
	second := server.Commit("Second", map[string]string{"a": "2"})
	server.Git("checkout", "-q", "-b", "team/dev", first)
	dev := server.Commit("Dev", map[string]string{"a": "dev"})
	for ref, want := range map[string]string{"": second, "main": second, "v1": first, "team/dev": dev, first: first} {
		s := open(t, repo.Config{Source: server.URL, Ref: ref})
		if r := newest(t, s); r.ID != want {
			t.Errorf("ref %q is %s, want %s", ref, r.ID, want)
		}
	}
	for _, ref := range []string{"none", strings.Repeat("0", 40)} {
		s := open(t, repo.Config{Source: server.URL, Ref: ref})
		id, err := s.Head(ctx)
		if err == nil {
			_, err = s.Fetch(ctx, id)
		}
		if err == nil {
			t.Errorf("no error for ref %q", ref)
		} else if ref == "none" && !strings.Contains(err.Error(), "branches: main, team/dev") {
			t.Errorf("err = %v", err)
		}
	}
}

func TestPrivateHTTP(t *testing.T) {
	server := gitserver.New(t)
	server.Commit("First", map[string]string{"a": "1"})
	server.User, server.Password = "bot", "s3cret-token"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(server.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inURL := strings.Replace(server.URL, "http://", "http://bot:s3cret-token@", 1)
	for name, c := range map[string]repo.Config{
		"variable": {Source: server.URL, Auth: repo.Auth{User: "bot", Token: server.Password}},
		"file":     {Source: server.URL, Auth: repo.Auth{User: "bot", TokenFile: file}},
		"URL":      {Source: inURL},
	} {
		t.Run(name, func(t *testing.T) {
			c.Dir = t.TempDir()
			newest(t, open(t, c))
			err := filepath.WalkDir(c.Dir, func(path string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					if b, _ := os.ReadFile(path); strings.Contains(string(b), "s3cret") {
						t.Errorf("the token is in %s", path)
					}
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for name, c := range map[string]repo.Config{
		"none":         {Source: server.URL},
		"wrong":        {Source: server.URL, Auth: repo.Auth{User: "bot", Token: "wrong-s3cret"}},
		"wrong in URL": {Source: strings.Replace(inURL, "token", "tok", 1)},
		"no file":      {Source: server.URL, Auth: repo.Auth{TokenFile: file + ".none"}},
	} {
		_, err := open(t, c).Head(ctx)
		if err == nil || !strings.Contains(err.Error(), "--git-token-file") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: err = %v", name, err)
		}
	}
	if name := repo.Name(inURL); strings.Contains(name, "s3cret") || strings.Contains(name, "bot") {
		t.Errorf("the name shows %s", name)
	}
}

func TestTLS(t *testing.T) {
	server := gitserver.NewTLS(t)
	server.Commit("First", map[string]string{"a": "1"})
	if _, err := open(t, repo.Config{Source: server.URL}).Head(ctx); err == nil || !strings.Contains(err.Error(), "--ca-file") {
		t.Errorf("err = %v", err)
	}
	newest(t, open(t, repo.Config{Source: server.URL, CAFile: server.CA}))
}

func TestSSH(t *testing.T) {
	server := gitserver.New(t)
	first := server.Commit("First", map[string]string{"a": "1"})
	ssh := server.SSH()
	auth := repo.Auth{SSHKeyFile: ssh.Key, KnownHostsFile: ssh.KnownHosts}
	s := open(t, repo.Config{Source: ssh.URL, Auth: auth})
	if r := newest(t, s); r.ID != first {
		t.Errorf("revision %+v", r)
	}
	second := server.Commit("Second", map[string]string{"a": "2"})
	if r := newest(t, s); r.ID != second {
		t.Errorf("revision %+v", r)
	}

	// An unknown host is refused with the very line that makes it known.
	empty := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	auth.KnownHostsFile = empty
	_, err := open(t, repo.Config{Source: ssh.URL, Auth: auth}).Head(ctx)
	if err == nil || !strings.Contains(err.Error(), "is not known\n") {
		t.Fatalf("err = %v", err)
	}
	lines := strings.Split(err.Error(), "\n")
	if err := os.WriteFile(empty, []byte(lines[len(lines)-1]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	newest(t, open(t, repo.Config{Source: ssh.URL, Auth: auth}))

	// A host with another key than the known one is refused.
	other, err := os.ReadFile(ssh.Key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ := strings.Cut(lines[len(lines)-1], " ")
	if err := os.WriteFile(empty, []byte(host+" "+string(other)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, repo.Config{Source: ssh.URL, Auth: auth}).Head(ctx); err == nil || !strings.Contains(err.Error(), "another than the one") {
		t.Errorf("err = %v", err)
	}
	// A key that may not log in.
	auth = repo.Auth{SSHKeyFile: ssh.HostKey, KnownHostsFile: ssh.KnownHosts}
	if _, err := open(t, repo.Config{Source: ssh.URL, Auth: auth}).Head(ctx); err == nil || !strings.Contains(err.Error(), "--ssh-key-file") {
		t.Errorf("err = %v", err)
	}
}

// TestForcePush rewrites the branch: the new head counts, and what is held stays.
func TestForcePush(t *testing.T) {
	server := gitserver.New(t)
	server.Commit("Base", map[string]string{"a": "0"})
	old := server.Commit("Old", map[string]string{"a": "1", "dir/b": "2"})
	dir := t.TempDir()
	s := open(t, repo.Config{Source: server.URL, Dir: dir})
	newest(t, s)
	if err := s.Keep([]string{old}); err != nil {
		t.Fatal(err)
	}
	server.Git("reset", "-q", "--hard", "HEAD~1")
	rewritten := server.Commit("Rewritten", map[string]string{"a": "new"})
	if r := newest(t, s); r.ID != rewritten {
		t.Errorf("head is %s", r.ID)
	}
	wantContents(t, s, old, map[string]string{"a": "1", "dir/b": "2"})

	// Damage the clone: a fresh one takes what is held along.
	newer := server.Commit("Newer", map[string]string{"a": "newer"})
	damage(t, dir, rewritten)
	if r := newest(t, s); r.ID != newer {
		t.Errorf("head is %s", r.ID)
	}
	wantContents(t, s, newer, map[string]string{"a": "newer"})
	wantContents(t, s, old, map[string]string{"a": "1", "dir/b": "2"})

	// And over a restart.
	s.Close()
	s = open(t, repo.Config{Source: server.URL, Dir: dir})
	wantContents(t, s, old, map[string]string{"a": "1", "dir/b": "2"})
}

// damage removes a commit's object or pack from the clone.
func damage(t *testing.T, dir, commit string) {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(dir, "clone.git", "objects", "pack", "*.pack"))
	if err != nil || len(packs) == 0 {
		t.Fatal("no packs", err)
	}
	slices.SortFunc(packs, func(a, b string) int {
		x, _ := os.Stat(a)
		y, _ := os.Stat(b)
		return y.ModTime().Compare(x.ModTime())
	})
	// The newest one: what is held is in an older one.
	for _, name := range []string{packs[0], strings.TrimSuffix(packs[0], ".pack") + ".idx"} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCorruptClone(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, pack string){
		"cut off": func(t *testing.T, pack string) {
			if err := os.Chmod(pack, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(pack, 40); err != nil {
				t.Fatal(err)
			}
		},
		"gone": func(t *testing.T, pack string) {
			if err := os.Remove(pack); err != nil {
				t.Fatal(err)
			}
		},
		"no HEAD": func(t *testing.T, pack string) {
			if err := os.WriteFile(filepath.Join(filepath.Dir(pack), "..", "..", "HEAD"), []byte("nonsense"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := gitserver.New(t)
			files := map[string]string{}
			for i := range 50 {
				files["f"+strings.Repeat("x", i)] = strings.Repeat("text ", i+1)
			}
			head := server.Commit("First", files)
			dir := t.TempDir()
			s := open(t, repo.Config{Source: server.URL, Dir: dir})
			newest(t, s)
			s.Close()
			packs, _ := filepath.Glob(filepath.Join(dir, "clone.git", "objects", "pack", "*.pack"))
			if len(packs) != 1 {
				t.Fatalf("%d packs", len(packs))
			}
			spoil(t, packs[0])
			s = open(t, repo.Config{Source: server.URL, Dir: dir})
			for try := 0; ; try++ { // the first look finds the damage, the next mends it
				id, err := s.Head(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if _, err = s.Fetch(ctx, id); err == nil {
					var tree config.Tree
					if tree, err = s.Tree(ctx, id); err == nil {
						err = tree.Walk(func(e config.Entry) error { _, err := tree.Read(e, 1<<20); return err })
					}
				}
				if err == nil {
					break
				}
				if try == 2 {
					t.Fatal(err)
				}
			}
			if got := contents(t, s, head); !maps.Equal(files, got) {
				t.Errorf("%d files", len(got))
			}
		})
	}
}

func TestCutOffClone(t *testing.T) {
	server := gitserver.New(t)
	random := make([]byte, 200_000)
	for i := range random {
		random[i] = byte(i*i*31>>7) | 1
	}
	head := server.Commit("First", map[string]string{"big": string(random), "a": "1"})
	dir := t.TempDir()
	s := open(t, repo.Config{Source: server.URL, Dir: dir})
	server.CutAfter.Store(2000)
	if _, err := s.Head(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fetch(ctx, head); err == nil {
		t.Fatal("no error for half a clone")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "clone-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	server.CutAfter.Store(0)
	newest(t, s)
	if got := contents(t, s, head); got["a"] != "1" {
		t.Errorf("files %v", got)
	}
}

func TestEmptyAndDeleted(t *testing.T) {
	server := gitserver.New(t)
	s := open(t, repo.Config{Source: server.URL})
	if _, err := s.Head(ctx); err == nil || !strings.Contains(err.Error(), "push a first commit") {
		t.Errorf("an empty repository: %v", err)
	}
	head := server.Commit("First", map[string]string{"a": "1"})
	newest(t, s)
	s = open(t, repo.Config{Source: server.URL, Ref: "release"})
	server.Git("push", "-q", "origin", "main:release")
	newest(t, s)
	server.Git("push", "-q", "origin", ":release")
	if _, err := s.Head(ctx); err == nil || !strings.Contains(err.Error(), `no branch or tag "release"`) {
		t.Errorf("a deleted branch: %v", err)
	}
	wantContents(t, s, head, map[string]string{"a": "1"})
}

func TestLocal(t *testing.T) {
	server := gitserver.New(t) // for its repositories
	first := server.Commit("First", map[string]string{"a": "1", "prod/b": "2"})
	for _, dir := range []string{server.Work, server.Bare, "file://" + server.Work} {
		s := open(t, repo.Config{Source: dir})
		if r := newest(t, s); r.ID != first || r.Title != "First" {
			t.Errorf("%s: %+v", dir, r)
		}
	}
	s := open(t, repo.Config{Source: server.Work, Path: "prod"})
	newest(t, s)
	if err := os.WriteFile(filepath.Join(server.Work, "prod/b"), []byte("an edit"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantContents(t, s, newest(t, s).ID, map[string]string{"b": "2"})
	second := server.Commit("Second", nil)
	select {
	case <-s.Changes():
	case <-time.After(20 * time.Second):
		t.Error("a commit is not noticed")
	}
	if r := newest(t, s); r.ID != second {
		t.Errorf("head is %s", r.ID)
	}
	wantContents(t, s, second, map[string]string{"b": "an edit"})
	server.Git("gc", "-q")
	wantContents(t, s, newest(t, s).ID, map[string]string{"b": "an edit"})
	folder := open(t, repo.Config{Source: server.Work, Path: "prod", Folder: true})
	wantContents(t, folder, newest(t, folder).ID, map[string]string{"b": "an edit"})
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		// As editors save: aside, and renamed.
		if err := os.WriteFile(path+"~", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+"~", path); err != nil {
			t.Fatal(err)
		}
	}
	write("a.yaml", "1")
	s := open(t, repo.Config{Source: dir})
	first := newest(t, s)
	if again := newest(t, s); again.ID != first.ID {
		t.Errorf("a state has two names: %s, %s", first.ID, again.ID)
	}
	if err := s.Keep([]string{first.ID}); err != nil {
		t.Fatal(err)
	}
	changed := func(what string) repo.Revision {
		t.Helper()
		select {
		case <-s.Changes():
		case <-time.After(20 * time.Second):
			t.Fatalf("%s is not noticed", what)
		}
		for range 50 { // a late event of the same burst may follow
			if id, err := s.Head(ctx); err == nil {
				if r, err := s.Fetch(ctx, id); err == nil {
					return r
				}
			}
		}
		t.Fatal("the folder never rests")
		return repo.Revision{}
	}
	write("a.yaml", "2")
	wantContents(t, s, changed("a saved file").ID, map[string]string{"a.yaml": "2"})
	write("new/folder/b.yaml", "3")
	wantContents(t, s, changed("a new folder").ID, map[string]string{"a.yaml": "2", "new/folder/b.yaml": "3"})
	write("new/folder/b.yaml", "4")
	last := changed("a file in a new folder")
	wantContents(t, s, last.ID, map[string]string{"a.yaml": "2", "new/folder/b.yaml": "4"})
	// What is held is what it was, also over a restart.
	wantContents(t, s, first.ID, map[string]string{"a.yaml": "1"})
}

func TestMaterialise(t *testing.T) {
	server := gitserver.New(t)
	first := server.Commit("First", map[string]string{"bin/x.sh": "echo", "a": "1"})
	if err := os.Chmod(filepath.Join(server.Work, "bin/x.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("bin/x.sh", filepath.Join(server.Work, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(server.Work, "out")); err != nil {
		t.Fatal(err)
	}
	second := server.Commit("Second", nil)
	s := open(t, repo.Config{Source: server.URL})
	newest(t, s)
	dir, release, err := s.Materialise(ctx, second)
	if err != nil {
		t.Fatal(err)
	}
	same, releaseSame, err := s.Materialise(ctx, second)
	if err != nil || same != dir {
		t.Errorf("laid out twice: %s, %s, %v", dir, same, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "bin/x.sh")); err != nil || info.Mode().Perm() != 0o555 {
		t.Errorf("%v, %v", info, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "link")); err != nil || string(text) != "echo" {
		t.Errorf("link: %q, %v", text, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "out")); err == nil {
		t.Error("a link leads out")
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o555 {
		t.Errorf("the folder can be written: %v, %v", info, err)
	}
	old, releaseOld, err := s.Materialise(ctx, first)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Keep([]string{second}); err != nil {
		t.Fatal(err)
	}
	release()
	releaseSame()
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("what is live went with its last user: %v", err)
	}
	if _, err := os.Stat(old); err != nil {
		t.Errorf("what is in use went: %v", err)
	}
	releaseOld()
	if _, err := os.Stat(old); err == nil {
		t.Error("what nobody uses stays")
	}
}

func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]string{
		filepath.Join(t.TempDir(), "none"): "name a Git URL",
		file:                               "it is a file",
	} {
		if _, err := repo.Open(ctx, repo.Config{Source: source, Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", source, err)
		}
	}
	for _, path := range []string{"/etc", "../x", "a/../../b"} {
		if _, err := repo.Open(ctx, repo.Config{Source: t.TempDir(), Path: path, Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "--path") {
			t.Errorf("path %q: %v", path, err)
		}
	}
}

func TestIsRemote(t *testing.T) {
	for source, want := range map[string]bool{
		"https://git.example.com/x.git": true, "ssh://git@h/x": true, "git@github.com:o/r.git": true, "host:path/x.git": true,
		"file:///srv/x.git": false, "/srv/x": false, "./x": false, "examples/quickstart": false, "x": false, "C:\\x": false,
	} {
		if got := repo.IsRemote(source); got != want {
			t.Errorf("IsRemote(%q) = %v", source, got)
		}
	}
}
