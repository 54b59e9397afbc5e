// Package gitserver serves Git repositories to tests as real servers do: over
// HTTP by git's own http-backend, and over SSH by OpenSSH.
package gitserver

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apimeld/agent/tests/need"
)

// A Server serves one repository, which tests push to.
type Server struct {
	t    testing.TB
	git  string
	root string // of what is served
	Bare string // the repository
	Work string // a clone of it to commit in
	URL  string // over HTTP
	CA   string // PEM file with the certificate of an HTTPS server

	// User and Password are asked for when Password is set.
	User, Password string
	// CutAfter ends each answer to a fetch after so many bytes; 0: never.
	CutAfter atomic.Int64
	// Fetches counts requests for packs, Lists those for refs.
	Fetches, Lists atomic.Int64
}

// New serves an empty repository over HTTP.
func New(t testing.TB) *Server { return start(t, false) }

// NewTLS serves an empty repository over HTTPS, with a certificate that
// nobody knows.
func NewTLS(t testing.TB) *Server { return start(t, true) }

func start(t testing.TB, tls bool) *Server {
	t.Helper()
	s := &Server{t: t, git: need.Program(t, "git", "git"), root: t.TempDir()}
	s.Bare, s.Work = filepath.Join(s.root, "ops.git"), filepath.Join(t.TempDir(), "work")
	s.run("", "init", "-q", "--bare", "-b", "main", s.Bare)
	s.run(s.Bare, "config", "uploadpack.allowAnySHA1InWant", "false")
	s.run("", "clone", "-q", s.Bare, s.Work)
	s.run(s.Work, "checkout", "-q", "-B", "main")
	handler := http.HandlerFunc(s.serve)
	server := httptest.NewUnstartedServer(handler)
	if tls {
		server.StartTLS()
		s.CA = filepath.Join(s.root, "ca.pem")
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		if err := os.WriteFile(s.CA, text, 0o644); err != nil {
			t.Fatal(err)
		}
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	s.URL = server.URL + "/ops.git"
	return s
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.Password != "" {
		if user, password, ok := r.BasicAuth(); !ok || password != s.Password || s.User != "" && user != s.User {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/git-upload-pack"):
		s.Fetches.Add(1)
		if n := s.CutAfter.Load(); n > 0 {
			w = &cutter{ResponseWriter: w, left: n}
		}
	case strings.HasSuffix(r.URL.Path, "/info/refs"):
		s.Lists.Add(1)
	}
	backend := &cgi.Handler{
		Path: s.git,
		Args: []string{"http-backend"},
		Env:  []string{"GIT_PROJECT_ROOT=" + s.root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=test", "GIT_CONFIG_NOSYSTEM=1"},
	}
	backend.ServeHTTP(w, r)
}

// A cutter ends an answer in the middle, as a lost connection does.
type cutter struct {
	http.ResponseWriter
	left int64
}

func (c *cutter) Write(b []byte) (int, error) {
	if c.left -= int64(len(b)); c.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return c.ResponseWriter.Write(b)
}

func (s *Server) run(dir string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(s.git, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Ann Author", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann Author", "GIT_COMMITTER_EMAIL=ann@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Git runs git in the clone and returns what it prints.
func (s *Server) Git(args ...string) string {
	s.t.Helper()
	return s.run(s.Work, args...)
}

// Commit writes files into the clone, commits and pushes them, and returns
// the commit. A file without content is removed.
func (s *Server) Commit(message string, files map[string]string) string {
	s.t.Helper()
	for name, text := range files {
		path := filepath.Join(s.Work, filepath.FromSlash(name))
		if text == "" {
			if err := os.Remove(path); err != nil {
				s.t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	s.Git("add", "-A")
	s.Git("commit", "-q", "--allow-empty", "-m", message)
	s.Git("push", "-q", "-f", "origin", "HEAD:"+s.Git("rev-parse", "--abbrev-ref", "HEAD"))
	return s.Git("rev-parse", "HEAD")
}

// SSH serves the repository over SSH too, by OpenSSH's server.
type SSH struct {
	URL        string
	Key        string // private key file that may log in
	KnownHosts string // file with the server's right keys
	HostKey    string // the server's own key file
}

// SSH starts a server of OpenSSH for the repository.
func (s *Server) SSH() SSH {
	s.t.Helper()
	sshd := need.Program(s.t, "openssh-server", "sshd", "/usr/sbin/sshd")
	keygen := need.Program(s.t, "openssh-client", "ssh-keygen")
	dir := s.t.TempDir()
	out := SSH{Key: filepath.Join(dir, "key"), KnownHosts: filepath.Join(dir, "known_hosts"), HostKey: filepath.Join(dir, "host")}
	for _, file := range []string{out.Key, out.HostKey} {
		if b, err := exec.Command(keygen, "-q", "-t", "ed25519", "-N", "", "-f", file).CombinedOutput(); err != nil {
			s.t.Fatalf("ssh-keygen: %v\n%s", err, b)
		}
	}
	public, err := os.ReadFile(out.Key + ".pub")
	if err != nil {
		s.t.Fatal(err)
	}
	authorized := filepath.Join(dir, "authorized_keys")
	if err := os.WriteFile(authorized, public, 0o600); err != nil {
		s.t.Fatal(err)
	}
	port := freePort(s.t)
	settings := filepath.Join(dir, "sshd_config")
	text := fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nLogLevel ERROR\n", port, out.HostKey, authorized)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	// Where sshd puts a session apart while it logs in; only root needs it.
	if os.Getuid() == 0 {
		_ = os.MkdirAll("/run/sshd", 0o755)
	}
	cmd := exec.Command(sshd, "-D", "-e", "-f", settings)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	awaitPort(s.t, port)
	host, err := os.ReadFile(out.HostKey + ".pub")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(out.KnownHosts, fmt.Appendf(nil, "[127.0.0.1]:%d %s", port, host), 0o600); err != nil {
		s.t.Fatal(err)
	}
	out.URL = fmt.Sprintf("ssh://%s@127.0.0.1:%d%s", userName(s.t), port, s.Bare)
	return out
}
