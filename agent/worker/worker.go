// Package worker executes runs and delivers notices.
//
// It owns what happens between a run being made and its end being stored:
// admission (overlap, places), preparation, the exact instant, attempts, the
// log, the end. It decides neither which slots become runs nor what the
// configuration says, and it keeps nothing that matters only in memory: what
// is not in the store did not happen.
package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/apimeld/agent/agent/control"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/secret"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/notify"
	"github.com/apimeld/agent/runners"
)

// Files hands out the files of a revision.
type Files interface {
	// Materialise returns a folder with the files of the source's path at
	// the revision; it stays until release is called.
	Materialise(ctx context.Context, revision string) (dir string, release func(), err error)
}

// A Config configures a [Worker].
type Config struct {
	Store    *store.Store
	Snapshot func() *config.Snapshot // the active one; nil before the first
	Files    Files
	Secrets  *secret.Sources
	Control  *control.Server // set by [Worker.SetControl] when it needs the worker first
	// Interpreter is the operator's choice for a language; empty: search PATH. May be nil.
	Interpreter func(language string) string
	// Dir holds inline scripts, the SDK and the private folders of runs.
	Dir string
	// CacheDir holds compiled scripts; empty: a folder in Dir.
	CacheDir string
	// Environ is what every script's environment begins with: PATH, HOME, LANG.
	Environ []string
	// MaxRuns is how many processes run at once; the rest waits in line.
	MaxRuns int
	// Grace is the time between TERM and KILL; 0 means [DefaultGrace].
	Grace time.Duration
	// LogLimit is how many bytes of output are kept of an attempt; 0 means runlog.DefaultLimit.
	LogLimit int64
	// RunURL is the address of a run's page; empty when there is none.
	RunURL func(runID string) string
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// DefaultGrace is how long a process group has between TERM and KILL.
const DefaultGrace = 10 * time.Second

// DefaultMaxRuns is how many processes run at once when the operator does not say.
const DefaultMaxRuns = 64

// A Worker executes runs.
type Worker struct {
	Config
	kit     runners.Kit
	binary  string
	flusher *flusher

	base    context.Context // ends when the store must no longer be waited for
	endBase context.CancelFunc
	jobs    sync.WaitGroup

	mu       sync.Mutex
	stopping bool
	line     line
	byID     map[string]*job // every run from being made known to its stored end
}

// New prepares the folders that runs need.
func New(c Config) (*Worker, error) {
	if c.Grace <= 0 {
		c.Grace = DefaultGrace
	}
	if c.MaxRuns <= 0 {
		c.MaxRuns = DefaultMaxRuns
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	w := &Worker{Config: c, byID: map[string]*job{}, line: newLine(c.MaxRuns)}
	w.base, w.endBase = context.WithCancel(context.Background())
	if err := w.prepareFolders(); err != nil {
		return nil, err
	}
	w.flusher = newFlusher(w.base, c.Store, c.Log)
	return w, nil
}

// Enqueue takes queued runs that are leased to this agent and starts each at
// its time, if it may.
func (w *Worker) Enqueue(runs []run.Run) {
	for _, r := range runs {
		w.begin(&job{run: r, leased: true})
	}
}

// Submit makes a run of a task that somebody asks for now.
func (w *Worker) Submit(ctx context.Context, t *config.Task, o run.Order) (run.Run, error) {
	j := &job{task: t, revision: w.Snapshot().Revision, payload: o.Payload, request: o.Request, reserved: true}
	n := store.NewRun{
		TaskID:   t.ID,
		TaskName: t.Name,
		Trigger:  o.Trigger,
		Due:      w.Now(),
		Attempts: t.Retry.Attempts,
		State:    run.Queued,
		Payload:  o.Payload,
		Request:  o.Request,
	}
	// From its admission on, a newer one may replace it.
	j.ctx, j.cancel = context.WithCancelCause(w.base)
	// The place is taken before the run is made, so that the run can be made
	// and leased in one transaction, the only one before its process starts.
	verdict := w.admit(j)
	switch verdict.kind {
	case start:
		n.Lease = true
	case skip:
		n.State, n.Reason = run.Skipped, verdict.reason
		n.Notices = func(r run.Run) []store.Notice { return w.notices(t, r, notify.Skipped) }
	}
	runs, err := w.Store.AddRuns(ctx, []store.NewRun{n})
	if err == nil && len(runs) != 1 {
		err = fmt.Errorf("the store made %d runs", len(runs))
	}
	if err != nil {
		if verdict.kind != skip {
			w.leave(j)
		}
		return run.Run{}, fmt.Errorf("make run of %s: %w", t.ID, err)
	}
	j.run, j.leased = runs[0], n.Lease
	if verdict.kind != skip {
		w.begin(j)
	}
	return runs[0], nil
}

// begin makes a job known and executes it.
func (w *Worker) begin(j *job) {
	if j.ctx == nil {
		j.ctx, j.cancel = context.WithCancelCause(w.base)
	}
	w.mu.Lock()
	w.byID[j.run.ID] = j
	if w.stopping {
		j.cancel(errStopping)
	}
	w.mu.Unlock()
	w.jobs.Go(func() {
		defer func() {
			w.mu.Lock()
			delete(w.byID, j.run.ID)
			w.mu.Unlock()
			j.cancel(nil)
		}()
		w.execute(j)
	})
}

// Cancel ends a run, whatever it is doing; by says who asked. It reports
// whether this agent has the run.
func (w *Worker) Cancel(runID, by string) bool {
	w.mu.Lock()
	j := w.byID[runID]
	w.mu.Unlock()
	if j == nil {
		return false
	}
	j.cancel(&cancelled{reason: "cancelled by " + by})
	return true
}

// Load is how many processes run and how many runs wait in line.
func (w *Worker) Load() (running, waiting int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.line.max - w.line.free, w.line.waiting()
}

// Stop lets no further run begin, waits for those that are going until ctx
// ends, and then cancels them. What waits in line stays queued in the store.
func (w *Worker) Stop(ctx context.Context) {
	w.mu.Lock()
	w.stopping = true
	for _, j := range w.byID {
		if !j.going {
			j.cancel(errStopping)
		}
	}
	w.mu.Unlock()
	done := make(chan struct{})
	go func() {
		w.jobs.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		w.mu.Lock()
		for _, j := range w.byID {
			j.cancel(&cancelled{reason: "the agent was stopped"})
		}
		w.mu.Unlock()
		<-done
	}
	w.flusher.stop()
	w.endBase()
}

// A cancelled is the cause of a job's context's end.
type cancelled struct{ reason string }

func (c *cancelled) Error() string { return c.reason }

// errReplaced ends a run that a newer one takes the place of.
var errReplaced = &cancelled{reason: "a newer run replaced it"}

// errStopping ends what has not started: it stays queued.
var errStopping = fmt.Errorf("the agent is stopping")
