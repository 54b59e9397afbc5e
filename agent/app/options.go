package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/apimeld/agent/agent/repo"
)

// Options are the operator's choices.
type Options struct {
	Source   string        // a Git URL, a Git repository or a plain folder
	Ref      string        // a branch, tag or commit; empty: the repository's own default branch
	Path     string        // the folder in the source that counts; empty: all of it
	Folder   bool          // read a Git repository's work tree as a plain folder
	Interval time.Duration // between two looks at the source; 0: 30 s
	Auth     repo.Auth
	CAFile   string // PEM certificates trusted beside the system's, for Git and webhooks

	StateDir   string // the clone, the caches, the control socket
	Database   string // the database's file; empty: agent.db in StateDir
	SecretsDir string // one file a secret; may be empty

	Listen       string // address of pages and API; 127.0.0.1:8080 by default
	PublicURL    string // how people reach Listen; empty: from Listen
	PasswordFile string // needed to listen beyond loopback
	TLSCert      string
	TLSKey       string
	Inbox        bool // receive all notices on a page of its own

	MaxRuns      int               // processes at once; 0: 64
	Grace        time.Duration     // between TERM and KILL; 0: 10 s
	StopTimeout  time.Duration     // how long runs may take to end when the agent stops
	Interpreters map[string]string // a language's interpreter, where PATH is not to be asked

	Version string
	Environ []string // the agent's environment, as of os.Environ
	Log     *slog.Logger
}

// check finds what is wrong with the options before anything is touched.
func (o *Options) check() error {
	if o.Source == "" {
		return errors.New("no source\nname a Git URL, a Git repository or a folder: agent run SOURCE")
	}
	if o.StateDir == "" {
		return errors.New("no state folder\nname one with --state")
	}
	if strings.HasPrefix(o.Database, "postgres://") || strings.HasPrefix(o.Database, "postgresql://") {
		return errors.New("open database: PostgreSQL is not supported yet\nleave --database out to use a file in the state folder, or name a file")
	}
	if o.PublicURL != "" {
		if u, err := url.Parse(o.PublicURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("read public URL %q: it must be an http or https URL\nsuch as --public-url https://agent.example.com", o.PublicURL)
		}
	}
	if (o.TLSCert == "") != (o.TLSKey == "") {
		return errors.New("set up TLS: a certificate and a key belong together\ngive both --tls-cert and --tls-key, or neither")
	}
	if o.MaxRuns < 0 {
		return fmt.Errorf("read --max-runs %d: it must be at least 1\nleave it out for 64", o.MaxRuns)
	}
	loopback, err := isLoopback(o.Listen)
	if err != nil {
		return err
	}
	if !loopback && o.PasswordFile == "" {
		return fmt.Errorf("listen on %s: that is beyond this machine, and nobody would be asked who they are\nadd --password-file FILE, or listen on 127.0.0.1", o.Listen)
	}
	return nil
}

// isLoopback reports whether an address to listen on is reached from this machine only.
func isLoopback(listen string) (bool, error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false, fmt.Errorf("read address to listen on %q: %w\nsuch as --listen 127.0.0.1:8080", listen, err)
	}
	if host == "localhost" {
		return true, nil
	}
	ip, err := netip.ParseAddr(host)
	// A name, or nothing for all addresses, may lead anywhere.
	return err == nil && ip.IsLoopback(), nil
}

// redacted is the URL or folder of the source as it may be shown.
func (o *Options) redacted() string { return repo.Name(o.Source) }
