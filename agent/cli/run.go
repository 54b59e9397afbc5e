package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/apimeld/agent/agent/app"
	"github.com/apimeld/agent/agent/repo"
	"github.com/apimeld/agent/config"
)

func (c Command) runCommand() *cobra.Command {
	o := app.Options{Version: version(), Environ: c.Environ}
	var logFormat, logLevel string
	var interpreters func() map[string]string
	cmd := &cobra.Command{
		Use:   "run SOURCE",
		Short: "Run the agent: SOURCE is a Git URL, a Git repository or a plain folder",
		Example: `  agent run --inbox examples/quickstart
  AGENT_GIT_TOKEN_FILE=/run/secrets/git agent run https://git.example.com/ops/tasks.git --path prod
  agent run git@git.example.com:ops/tasks.git --ssh-key-file ~/.ssh/deploy --listen :8080 --password-file /run/secrets/agent`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.Source = args[0]
			} else {
				o.Source = c.getenv("AGENT_SOURCE")
			}
			log, err := c.logger(logFormat, logLevel)
			if err != nil {
				return usage(err)
			}
			o.Log = log
			o.Auth.Token = c.getenv("AGENT_GIT_TOKEN")
			o.Interpreters = interpreters()
			if o.StateDir == "" {
				if o.StateDir, err = c.stateDir(o.Source, o.Path); err != nil {
					return err
				}
			}
			return c.run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Ref, "ref", "", "branch, tag or commit (default: the repository's own default branch)")
	f.StringVar(&o.Path, "path", "", "folder in the source that counts (default: all of it)")
	f.BoolVar(&o.Folder, "folder", false, "read a Git repository's work tree as a plain folder: edits count, commits do not")
	f.DurationVar(&o.Interval, "interval", 30*time.Second, "how often the source is looked at when nothing says that it changed")
	f.StringVar(&o.StateDir, "state", "", "folder for the database, the clone and caches (default: one for each source below ~/.local/state/apimeld-agent)")
	f.StringVar(&o.Database, "database", "", "database file (default: agent.db in the state folder)")
	f.StringVar(&o.SecretsDir, "secrets-dir", "", "folder with one file a secret, beside AGENT_SECRET_… variables")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "address of pages and API")
	f.StringVar(&o.PublicURL, "public-url", "", "how people reach the pages; notices link there (default: from --listen)")
	f.StringVar(&o.PasswordFile, "password-file", "", "file with the password for pages and API; needed to listen beyond loopback")
	f.StringVar(&o.TLSCert, "tls-cert", "", "PEM file with the certificate for pages and API")
	f.StringVar(&o.TLSKey, "tls-key", "", "PEM file with its key")
	f.BoolVar(&o.Inbox, "inbox", false, "receive all notices on a page instead of sending them: for trying, demos and staging")
	f.IntVar(&o.MaxRuns, "max-runs", 64, "how many scripts run at once; the rest waits in line")
	f.DurationVar(&o.Grace, "grace", 10*time.Second, "time between TERM and KILL when a script is ended")
	f.DurationVar(&o.StopTimeout, "stop-timeout", 30*time.Second, "how long running scripts may take to end when the agent stops")
	f.StringVar(&o.Auth.User, "git-user", "", "user name for Git over HTTP (most servers take any with a token)")
	f.StringVar(&o.Auth.TokenFile, "git-token-file", "", "file with the token or password for Git over HTTP (or set AGENT_GIT_TOKEN)")
	f.StringVar(&o.Auth.SSHKeyFile, "ssh-key-file", "", "private key for Git over SSH (default: the SSH agent's)")
	f.StringVar(&o.Auth.SSHKeyPassphraseFile, "ssh-key-passphrase-file", "", "file with the passphrase of that key")
	f.StringVar(&o.Auth.KnownHostsFile, "known-hosts-file", "", "host keys for Git over SSH (default: ~/.ssh/known_hosts)")
	f.StringVar(&o.CAFile, "ca-file", "", "PEM certificates to trust beside the system's, for Git and webhooks")
	interpreters = interpreterFlags(f)
	f.StringVar(&logFormat, "log-format", "text", "the agent's own log on standard error: text or json")
	f.StringVar(&logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

// run runs the agent until it is told to stop.
func (c Command) run(ctx context.Context, o app.Options) error {
	// Most of the memory is the snapshot, which stays: half of it again, rather
	// than as much, for what comes and goes keeps 100,000 tasks small.
	if c.getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	a, err := app.New(ctx, o)
	if err != nil {
		return err
	}
	a.Start()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	ready := a.Ready()
	for {
		select {
		case <-ready:
			c.greet(a, o)
			ready = nil
		case <-hangup:
			go func() { _, _ = a.Sync(ctx) }() // it logs how it went
		case <-ctx.Done():
			o.Log.Info("stopping", "waits for runs up to", o.StopTimeout)
			if err := a.Stop(); err != nil {
				return fmt.Errorf("stop: %w", err)
			}
			o.Log.Info("stopped")
			return nil
		}
	}
}

// greet says what was loaded, what runs next, and which page to open.
func (c Command) greet(a *app.App, o app.Options) {
	snap := a.Snapshot()
	fmt.Fprintf(c.Stdout, "ApiMeld Agent %s\n\n", o.Version)
	fmt.Fprintf(c.Stdout, "  source   %s at %s\n", repo.Name(o.Source), shortRevision(snap.Revision))
	fmt.Fprintf(c.Stdout, "  loaded   %s, %s\n", count(len(snap.Tasks), "task"), count(len(snap.Webhooks), "webhook"))
	fmt.Fprintf(c.Stdout, "  state    %s\n", o.StateDir)
	if next := upcoming(snap, time.Now(), 3); len(next) > 0 {
		fmt.Fprintf(c.Stdout, "\n  next\n")
		for _, n := range next {
			fmt.Fprintf(c.Stdout, "    %s  %s\n", n.at.Format("15:04:05 MST"), n.task.Name)
		}
	}
	fmt.Fprintf(c.Stdout, "\n  open     %s\n", a.URL())
	if o.Inbox {
		fmt.Fprintf(c.Stdout, "  inbox    %s/inbox\n", a.URL())
	}
	fmt.Fprintln(c.Stdout)
}

type start struct {
	task *config.Task
	at   time.Time
}

// upcoming lists the next starts of a snapshot, soonest first.
func upcoming(snap *config.Snapshot, now time.Time, n int) []start {
	var next []start
	for _, t := range snap.Tasks {
		at := t.NextDue(now)
		if at.IsZero() {
			continue
		}
		// n is small: keep the list sorted by insertion.
		i := len(next)
		for i > 0 && next[i-1].at.After(at) {
			i--
		}
		if i < n {
			next = append(next[:i], append([]start{{t, at.In(t.Location)}}, next[i:]...)...)
			next = next[:min(n, len(next))]
		}
	}
	return next
}

func (c Command) getenv(name string) string {
	for _, kv := range c.Environ {
		if len(kv) > len(name) && kv[len(name)] == '=' && kv[:len(name)] == name {
			return kv[len(name)+1:]
		}
	}
	return ""
}

func (c Command) logger(format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("read --log-level %q: it must be debug, info, warn or error", level)
	}
	options := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(c.Stderr, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(c.Stderr, options)), nil
	}
	return nil, fmt.Errorf("read --log-format %q: it must be text or json", format)
}

// stateDir is where the state of an agent for this source lives by default:
// two agents with different sources do not meet there.
func (c Command) stateDir(source, path string) (string, error) {
	if source == "" {
		return "", usage(errors.New("no source\nname a Git URL, a Git repository or a folder: agent run SOURCE"))
	}
	if info, err := os.Stat(source); err == nil && info.IsDir() {
		if abs, err := filepath.Abs(source); err == nil {
			source = abs
		}
	}
	base := c.getenv("XDG_STATE_HOME")
	if base == "" {
		home := c.getenv("HOME")
		if home == "" {
			return "", errors.New("find a state folder: HOME is not set\nname a folder with --state")
		}
		base = filepath.Join(home, ".local", "state")
	}
	shown := repo.Name(source)
	sum := sha256.Sum256([]byte(shown + "\x00" + path))
	name := config.Slug(filepath.Base(shown))
	if name == "" {
		name = "source"
	}
	return filepath.Join(base, "apimeld-agent", name+"-"+hex.EncodeToString(sum[:4])), nil
}

func shortRevision(revision string) string { return revision[:min(len(revision), 12)] }

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
