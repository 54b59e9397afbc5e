// Package web is the agent's face: its pages, its API and its hooks, behind
// one http.Handler.
//
// It owns who may ask (password, Host, Origin), what is shown and how errors
// are answered. It decides nothing: what a button does is the [Agent]'s, and
// what happened is read from the store. No page, document or log line ever
// holds a webhook's URL or the password, and no page needs a script to work:
// the scripts only keep open pages up to date.
//
// A page is a handler in a file of its own and a template in page/, with its
// style and script of the same name beside it; [Handler.routes] lists them all.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
)

// A Config configures a [Handler].
type Config struct {
	Store *store.Store
	Agent Agent
	// PublicURL begins every link that leaves the pages, without a slash at its end.
	PublicURL string
	// Password returns the shared secret at each use; nil or empty: none,
	// which only a loopback listener may have.
	Password func() string
	// Loopback says that only this machine reaches the listener. Then the
	// Host of each request is checked, so that no name that some web page
	// points at this machine leads here.
	Loopback bool
	Inbox    *Inbox // nil: there is no inbox
	Version  string
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// An Agent is what the pages show and steer.
type Agent interface {
	Configuration
	Runner
	Operator
}

// A Configuration is what the agent is to do.
type Configuration interface {
	Snapshot() *config.Snapshot   // nil before the first good revision
	Next(taskID string) time.Time // next start, jitter included; zero if none
}

// A Runner starts and ends runs.
type Runner interface {
	// Trigger makes a run. It fails with api.ErrUnknownTask, api.ErrDisabled
	// or api.ErrNotReady.
	Trigger(ctx context.Context, taskID string, o run.Order) (run.Run, error)
	// Cancel ends a run that is queued or running; by says who asked. It
	// fails with api.ErrNotRunning.
	Cancel(ctx context.Context, runID, by string) error
}

// An Operator looks after the agent itself.
type Operator interface {
	// Sync looks at the source now and waits for what that comes to. A source
	// that is out of reach is an api.ErrSource.
	Sync(ctx context.Context) (api.SyncResult, error)
	// TestWebhook sends the test message now. It fails with
	// api.ErrUnknownWebhook or api.ErrNotReady; a message that does not
	// arrive is no error.
	TestWebhook(ctx context.Context, name string) (api.DeliveryResult, error)
	Status() api.Status
}

// A Handler answers all requests. It implements http.Handler.
type Handler struct {
	Config
	public  *url.URL
	handler http.Handler
	pages   pages
	assets  assets
	limit   limiter
	catalog catalogs

	ctx   context.Context // ends with Close, and with it what stays open: live logs and pages
	end   context.CancelFunc
	syncs sync.WaitGroup
	nudge chan struct{} // asks for a sync in the background
}

// New returns a handler. Close it when the server stops.
func New(c Config) (*Handler, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Password == nil {
		c.Password = func() string { return "" }
	}
	if !c.Loopback && c.Password() == "" {
		return nil, errors.New("serve pages: beyond this machine a password is needed\nname a file that holds one")
	}
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	public, err := url.Parse(c.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("read public URL: %w", err)
	}
	h := &Handler{Config: c, public: public, nudge: make(chan struct{}, 1)}
	if h.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if h.pages, err = h.loadPages(); err != nil {
		return nil, err
	}
	if h.handler, err = h.guard(h.routes()); err != nil {
		return nil, err
	}
	h.ctx, h.end = context.WithCancel(context.Background())
	h.syncs.Go(h.syncInBackground)
	return h, nil
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.handler.ServeHTTP(w, r) }

// Close ends the responses that stay open, which a server's Shutdown would
// otherwise wait for.
func (h *Handler) Close() {
	h.end()
	h.syncs.Wait()
}

// An action answers a request, or returns why not.
type action func(w http.ResponseWriter, r *http.Request) error

// routes lists everything that there is to ask for.
func (h *Handler) routes() *http.ServeMux {
	mux := http.NewServeMux()
	allow := map[string][]string{}
	on := func(method, path string, a action) {
		mux.Handle(method+" "+path, h.answer(a))
		allow[path] = append(allow[path], method)
	}

	on("GET", "/{$}", h.tasksPage)
	on("GET", "/tasks/{id}", h.taskPage)
	on("POST", "/tasks/{id}/run", h.runTask)
	on("GET", "/runs", h.runsPage)
	on("GET", "/runs/{ref}", h.runPage)
	on("GET", "/runs/{ref}/log", h.runLog)
	on("GET", "/runs/{ref}/events", h.runEvents)
	on("POST", "/runs/{ref}/cancel", h.cancelRun)
	on("GET", "/revisions", h.revisionsPage)
	on("POST", "/revisions/sync", h.syncNow)
	on("GET", "/webhooks", h.webhooksPage)
	on("POST", "/webhooks/{name}/test", h.testWebhook)
	on("GET", "/events", h.events)
	on("GET", "/assets/{name}", h.asset)
	if h.Inbox != nil {
		on("GET", "/inbox", h.inboxPage)
		on("POST", "/inbox/clear", h.clearInbox)
		on("POST", inboxPath+"{token}/{name}", h.receive)
	}

	on("GET", api.Prefix+"/tasks", h.apiTasks)
	on("GET", api.Prefix+"/tasks/{id}", h.apiTask)
	on("POST", api.Prefix+"/tasks/{id}/runs", h.apiTrigger)
	on("GET", api.Prefix+"/runs", h.apiRuns)
	on("GET", api.Prefix+"/runs/{ref}", h.apiRun)
	on("POST", api.Prefix+"/runs/{ref}/cancel", h.apiCancel)
	on("GET", api.Prefix+"/runs/{ref}/log", h.apiLog)
	on("GET", api.Prefix+"/runs/{ref}/notices", h.apiNotices)
	on("GET", api.Prefix+"/revisions", h.apiRevisions)
	on("GET", api.Prefix+"/webhooks", h.apiWebhooks)
	on("POST", api.Prefix+"/webhooks/{name}/test", h.apiTest)
	on("GET", api.Prefix+"/status", h.apiStatus)
	on("POST", api.Prefix+"/sync", h.apiSync)

	on("POST", "/hooks/git", h.hookGit)
	on("POST", "/hooks/tasks/{id}", h.hookTask)
	on("GET", "/healthz", h.healthz)
	on("GET", "/readyz", h.readyz)
	on("GET", "/metrics", h.metrics)

	// The mux's own answers are plain text; these are like all others.
	for path, methods := range allow {
		mux.Handle(path, h.answer(func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			return fmt.Errorf("%s is not for %s: %w\nuse %s", r.Method, r.URL.Path, api.ErrMethod, strings.Join(methods, " or "))
		}))
	}
	mux.Handle("/", h.answer(func(_ http.ResponseWriter, r *http.Request) error {
		return fmt.Errorf("%s: %w", r.URL.Path, api.ErrNoPage)
	}))
	return mux
}
