// Package app wires the agent: it is the only place where the concrete rooms
// of the house meet.
//
// It owns the order in which things open, start, stop and close, and holds no
// logic of its own beyond that.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apimeld/agent/agent/control"
	"github.com/apimeld/agent/agent/reconcile"
	"github.com/apimeld/agent/agent/repo"
	"github.com/apimeld/agent/agent/scheduler"
	"github.com/apimeld/agent/agent/secret"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/agent/web"
	"github.com/apimeld/agent/agent/worker"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/notify/mattermost"
	"github.com/apimeld/agent/schema"
)

// An App is one agent.
type App struct {
	options   Options
	log       *slog.Logger
	publicURL string
	started   time.Time

	store      *store.Store
	secrets    *secret.Sources
	source     repo.Source
	cache      *config.Cache
	cacheFile  string
	control    *control.Server
	worker     *worker.Worker
	deliverer  *worker.Deliverer
	scheduler  *scheduler.Scheduler
	reconciler *reconcile.Reconciler
	listener   net.Listener
	server     *http.Server
	inbox      *web.Inbox

	recovered sync.Once
	saving    atomic.Bool   // a save of the cache is on its way
	ready     chan struct{} // closed when the first snapshot is at work
	stopping  chan struct{} // closed when everything is to end
	cancel    context.CancelFunc
	tasks     sync.WaitGroup
}

// New opens everything that can fail: the state, the database, the source,
// the address. Nothing runs yet. Close what New returned also without Start.
func New(ctx context.Context, o Options) (_ *App, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	a := &App{options: o, log: o.Log, started: time.Now(), ready: make(chan struct{}), stopping: make(chan struct{})}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	if err := os.MkdirAll(o.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("create state folder: %w\nname a folder that this user can write with --state", err)
	}
	if a.secrets, err = secret.New(o.Environ, o.SecretsDir); err != nil {
		return nil, err
	}
	client, err := httpClient(o.CAFile)
	if err != nil {
		return nil, err
	}
	if err := a.listen(); err != nil {
		return nil, err
	}
	database := o.Database
	if database == "" {
		database = filepath.Join(o.StateDir, "agent.db")
	}
	a.store, err = store.Open(ctx, store.Config{Path: database, Source: "default", Log: o.Log})
	if err != nil {
		return nil, err
	}
	a.source, err = repo.Open(ctx, repo.Config{
		Source: o.Source,
		Ref:    o.Ref,
		Path:   o.Path,
		Folder: o.Folder,
		Dir:    filepath.Join(o.StateDir, "source"),
		Auth:   o.Auth,
		CAFile: o.CAFile,
		Log:    o.Log,
	})
	if err != nil {
		return nil, err
	}
	a.loadCache()
	if err := a.wire(client); err != nil {
		return nil, err
	}
	return a, nil
}

// wire makes the rooms of floor 4 and introduces them to one another.
func (a *App) wire(client *http.Client) (err error) {
	o := a.options
	snapshot := func() *config.Snapshot { return a.reconciler.Snapshot() }
	a.reconciler = reconcile.New(reconcile.Config{
		Source: a.source,
		Store:  a.store,
		Options: config.Options{
			Secrets:        a.secrets.Has,
			SecretSeverity: schema.Error,
			Cache:          a.cache,
			IgnoreURLs:     o.Inbox,
		},
		Interval:  o.Interval,
		Activated: a.activated,
		Rejected:  a.rejected,
		Restored:  a.restored,
		Log:       o.Log,
	})
	a.worker, err = worker.New(worker.Config{
		Store:       a.store,
		Snapshot:    snapshot,
		Files:       a.source,
		Secrets:     a.secrets,
		Interpreter: func(language string) string { return o.Interpreters[language] },
		Dir:         filepath.Join(o.StateDir, "work"),
		Environ:     scriptEnviron(o.Environ),
		MaxRuns:     o.MaxRuns,
		Grace:       o.Grace,
		RunURL:      func(id string) string { return a.publicURL + "/runs/" + id },
		Log:         o.Log,
	})
	if err != nil {
		return err
	}
	if a.control, err = control.Listen(o.StateDir, a.worker, o.Log); err != nil {
		return err
	}
	a.worker.Control = a.control
	a.scheduler = scheduler.New(scheduler.Config{
		Store:   a.store,
		Enqueue: a.worker.Enqueue,
		Skipped: a.worker.Missed,
		Log:     o.Log,
	})
	deliverer := worker.DelivererConfig{
		Store:    a.store,
		Sender:   mattermost.New(mattermost.Config{Client: client, UserAgent: "apimeld-agent/" + o.Version}),
		Snapshot: snapshot,
		Secrets:  a.secrets,
		Log:      o.Log,
	}
	if a.options.MaxRuns == 0 {
		a.options.MaxRuns = worker.DefaultMaxRuns
	}
	if o.Inbox {
		a.inbox = web.NewInbox()
		deliverer.URL = func(webhook string) string { return a.inbox.URL(a.localURL(), webhook) }
	}
	a.deliverer = worker.NewDeliverer(deliverer)
	return a.serve()
}

// Start begins to work; it returns at once. What goes wrong from here on is
// logged, and tried again.
func (a *App) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	a.tasks.Go(func() {
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("pages and API ended", "error", err)
		}
	})
	a.tasks.Go(func() {
		// The last good revision first: it needs no network, and what is due must not wait for any.
		resumed, err := a.reconciler.Resume(ctx)
		if err != nil {
			a.log.Error("resume last revision", "error", err)
		}
		if resumed {
			a.activated(ctx, a.reconciler.Snapshot(), time.Now())
		}
		_, _ = a.reconciler.Look(ctx) // it logs its errors, and Run repeats
		a.reconciler.Run(ctx)
	})
	a.tasks.Go(func() { a.deliverer.Run(ctx) })
	a.tasks.Go(func() { a.worker.Prune(ctx) })
	a.tasks.Go(func() { a.renew(ctx) })
}

// activated puts a snapshot to work.
func (a *App) activated(ctx context.Context, snap *config.Snapshot, live time.Time) {
	var considered map[string]time.Time
	first := false
	a.recovered.Do(func() {
		first = true
		// Before anything new starts, so that overlap counts what a killed agent left.
		if err := a.worker.Recover(ctx); err != nil {
			a.log.Error("deal with what was left", "error", err)
		}
		var err error
		if considered, err = a.store.Considered(ctx); err != nil {
			a.log.Error("read what the schedules have considered", "error", err)
		}
	})
	a.scheduler.Update(snap, live, considered)
	a.deliverer.Refresh()
	if first {
		a.tasks.Go(func() { a.scheduler.Run(ctx) })
		close(a.ready)
	}
	a.saveSoon()
}

// renew keeps the leases of this agent's runs from running out.
func (a *App) renew(ctx context.Context) {
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := a.store.Renew(ctx); err != nil && ctx.Err() == nil {
				a.log.Error("renew leases", "error", err)
			}
		}
	}
}

// Ready is closed when the first snapshot is at work.
func (a *App) Ready() <-chan struct{} { return a.ready }

// Stop lets running scripts end, for as long as the options say, and then
// stops everything, in the order in which things need one another.
func (a *App) Stop() error {
	runs, cancelRuns := context.WithTimeout(context.Background(), a.options.StopTimeout)
	defer cancelRuns()
	a.scheduler.Pause()
	a.worker.Stop(runs)
	if a.cancel != nil {
		a.cancel()
	}
	close(a.stopping)
	short, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := a.server.Shutdown(short); err != nil {
		_ = a.server.Close() // live logs stay open for as long as somebody watches
	}
	a.tasks.Wait()
	return a.close()
}

// close closes what New opened, the other way round.
func (a *App) close() error {
	var errs []error
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if a.control != nil {
		errs = append(errs, a.control.Close(ctx))
	}
	if a.source != nil {
		errs = append(errs, a.source.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	if a.listener != nil {
		if err := a.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// scriptEnviron is what every script's environment begins with.
func scriptEnviron(environ []string) []string {
	env := map[string]string{"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8"}
	for _, kv := range environ {
		if name, value, _ := strings.Cut(kv, "="); value != "" {
			if _, ok := env[name]; ok {
				env[name] = value
			}
		}
	}
	return []string{"PATH=" + env["PATH"], "HOME=" + env["HOME"], "LANG=" + env["LANG"]}
}
