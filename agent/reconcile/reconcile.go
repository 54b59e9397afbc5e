// Package reconcile makes the agent become what the newest good commit says:
// fetch, load, activate.
//
// It owns which snapshot is active, and swaps it by one pointer. It runs no
// task and parses no file itself, and a commit that has problems, a
// repository that is out of reach or a database that is full leave the last
// good snapshot in place.
package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apimeld/agent/agent/repo"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/schema"
)

// A Config configures a [Reconciler].
type Config struct {
	Source   repo.Source
	Store    *store.Store
	Options  config.Options // what every load is checked against; Revision is set by each
	Interval time.Duration  // between two looks at the source; 0 means [DefaultInterval]
	// Activated is called after each swap, before the next look, with the
	// instant from which new schedules count.
	Activated func(ctx context.Context, snap *config.Snapshot, live time.Time)
	// Rejected and Restored make the notices about a revision that did not go
	// live, and about the next one that did.
	Rejected func(defaults config.Defaults, r store.Revision) []store.Notice
	Restored func(defaults config.Defaults, r store.Revision, rejected store.Revision) []store.Notice
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// DefaultInterval is how often the source is looked at when nothing says it changed.
const DefaultInterval = 30 * time.Second

// Outcome is what one look at the source came to.
type Outcome struct {
	Revision string
	State    OutcomeState
	Problems []schema.Problem // errors and warnings of Revision
}

// OutcomeState says whether a look changed anything.
type OutcomeState string

// The outcomes of a look.
const (
	Live      OutcomeState = "live"      // the revision went live
	Unchanged OutcomeState = "unchanged" // it was live, or rejected, already
	Rejected  OutcomeState = "rejected"  // it has problems, and the last good one goes on
)

// Status is where reconciliation stands.
type Status struct {
	Looked time.Time // the last look that reached the source
	Err    error     // of the last look; nil when it worked
	Head   string    // the newest revision seen
	Bad    []schema.Problem
}

// A Reconciler holds the active snapshot.
type Reconciler struct {
	Config
	active  atomic.Pointer[config.Snapshot]
	wake    chan chan result
	looking sync.Mutex // one look at a time

	mu      sync.Mutex
	status  Status
	settled string          // the revision that needs no further look
	wanting map[string]bool // secrets that the rejected head misses
	live    time.Time       // when the active revision went live
}

type result struct {
	outcome Outcome
	err     error
}

// New returns a reconciler without a snapshot.
func New(c Config) *Reconciler {
	if c.Interval <= 0 {
		c.Interval = DefaultInterval
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Reconciler{Config: c, wake: make(chan chan result)}
}

// Snapshot is the active one; nil before the first good revision.
func (r *Reconciler) Snapshot() *config.Snapshot { return r.active.Load() }

// Live is when the active revision went live; zero before the first.
func (r *Reconciler) Live() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live
}

// Status is where reconciliation stands.
func (r *Reconciler) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Resume makes the revision active that was so when the agent last ended. It
// needs no network. It reports whether there was one. Activated is not called.
func (r *Reconciler) Resume(ctx context.Context) (bool, error) {
	last, ok, err := r.Store.ActiveRevision(ctx)
	if err != nil || !ok {
		return false, err
	}
	snap, problems, err := r.load(ctx, last.Commit)
	if err != nil {
		return false, fmt.Errorf("load revision %.12s, which was active: %w", last.Commit, err)
	}
	if snap == nil {
		return false, fmt.Errorf("load revision %.12s, which was active: %s", last.Commit, problems[0])
	}
	r.active.Store(snap)
	r.mu.Lock()
	r.settled, r.live = last.Commit, last.Live
	r.mu.Unlock()
	if err := r.Source.Keep([]string{last.Commit}); err != nil {
		r.Log.Error("hold revision against garbage collection", "revision", short(last.Commit), "error", err)
	}
	return true, nil
}

// Run looks at the source when it says that it changed, when somebody asks
// and else at each interval, until ctx ends.
func (r *Reconciler) Run(ctx context.Context) {
	timer := time.NewTimer(r.Interval)
	defer timer.Stop()
	for {
		var asked chan result
		select {
		case <-ctx.Done():
			return
		case asked = <-r.wake:
		case <-r.Source.Changes():
		case <-timer.C:
		}
		outcome, err := r.Look(ctx)
		if asked != nil {
			asked <- result{outcome, err}
		}
		timer.Reset(r.Interval)
	}
}

// Sync looks at the source now and returns what that came to. It needs Run.
func (r *Reconciler) Sync(ctx context.Context) (Outcome, error) {
	answer := make(chan result, 1)
	select {
	case r.wake <- answer:
	case <-ctx.Done():
		return Outcome{}, ctx.Err()
	}
	select {
	case a := <-answer:
		return a.outcome, a.err
	case <-ctx.Done():
		return Outcome{}, ctx.Err()
	}
}

// Look looks at the source once and makes its newest revision active, if it
// is new and good.
func (r *Reconciler) Look(ctx context.Context) (Outcome, error) {
	r.looking.Lock()
	defer r.looking.Unlock()
	outcome, err := r.look(ctx)
	if ctx.Err() != nil {
		return outcome, err
	}
	r.mu.Lock()
	repeated := err != nil && r.status.Err != nil && err.Error() == r.status.Err.Error()
	recovered := err == nil && r.status.Err != nil
	r.status.Err = err
	if err == nil {
		r.status.Looked, r.status.Head = r.Now(), outcome.Revision
		r.status.Bad = nil
		if outcome.State == Rejected {
			r.status.Bad = outcome.Problems
		}
	}
	r.mu.Unlock()
	switch {
	case repeated:
		r.Log.Debug("sync with source", "error", err)
	case err != nil:
		r.Log.Error("sync with source", "error", err)
	case recovered:
		r.Log.Info("the source is in reach again")
	}
	return outcome, err
}

func (r *Reconciler) look(ctx context.Context) (Outcome, error) {
	head, err := r.Source.Head(ctx)
	if err != nil {
		return Outcome{}, fmt.Errorf("ask source for its newest revision: %w", err)
	}
	if done, outcome := r.known(head); done {
		return outcome, nil
	}
	began := r.Now()
	rev, err := r.Source.Fetch(ctx, head)
	if err != nil {
		return Outcome{}, fmt.Errorf("fetch revision %.12s: %w", head, err)
	}
	snap, problems, err := r.load(ctx, rev.ID)
	if err != nil {
		return Outcome{}, fmt.Errorf("load revision %.12s: %w", rev.ID, err)
	}
	record := store.Revision{
		Commit:    rev.ID,
		Title:     rev.Title,
		Author:    rev.Author,
		Committed: rev.Committed,
		Seen:      began,
		Problems:  problems,
	}
	if snap == nil {
		return r.reject(ctx, record)
	}
	return r.activate(ctx, record, snap)
}

// known reports whether the head needs no further look, and what it came to.
func (r *Reconciler) known(head string) (bool, Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if head != r.settled {
		return false, Outcome{}
	}
	for name := range r.wanting {
		if r.Options.Secrets != nil && r.Options.Secrets(name) {
			return false, Outcome{} // what it was rejected for may be mended
		}
	}
	if len(r.status.Bad) > 0 {
		return true, Outcome{Revision: head, State: Rejected, Problems: r.status.Bad}
	}
	return true, Outcome{Revision: head, State: Unchanged}
}

func (r *Reconciler) settle(head string, wanting map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled, r.wanting = head, wanting
}

func (r *Reconciler) load(ctx context.Context, revision string) (*config.Snapshot, []schema.Problem, error) {
	tree, err := r.Source.Tree(ctx, revision)
	if err != nil {
		return nil, nil, err
	}
	options := r.Options
	options.Revision = revision
	snap, problems, err := config.Load(ctx, tree, options)
	if err != nil {
		return nil, nil, err
	}
	if schema.HasErrors(problems) {
		return nil, problems, nil
	}
	return snap, problems, nil
}

func (r *Reconciler) reject(ctx context.Context, record store.Revision) (Outcome, error) {
	record.State = store.Rejected
	var notices []store.Notice
	if snap := r.Snapshot(); snap != nil && r.Rejected != nil {
		notices = r.Rejected(snap.Defaults, record)
	}
	first, err := r.Store.RecordRevision(ctx, record, notices)
	if err != nil {
		return Outcome{}, fmt.Errorf("record rejected revision: %w", err)
	}
	if first {
		r.Log.Error("revision is rejected, the last good one goes on", "revision", short(record.Commit), "title", record.Title, "problems", len(record.Problems))
		for _, p := range record.Problems {
			r.Log.Error("problem", "place", p.String(), "hint", p.Hint)
		}
	}
	r.settle(record.Commit, config.MissingSecrets(record.Problems))
	return Outcome{Revision: record.Commit, State: Rejected, Problems: record.Problems}, nil
}

func (r *Reconciler) activate(ctx context.Context, record store.Revision, snap *config.Snapshot) (Outcome, error) {
	record.State, record.Live, record.Tasks = store.Active, r.Now(), len(snap.Tasks)
	activation := store.Activation{Revision: record}
	before := r.Snapshot()
	schedules(&activation, before, snap)
	rejected, was, err := r.Store.LastRejected(ctx)
	if err != nil {
		return Outcome{}, fmt.Errorf("read last rejected revision: %w", err)
	}
	if was && r.Restored != nil {
		activation.Notices = r.Restored(snap.Defaults, record, rejected)
	}
	if err := r.Store.Activate(ctx, activation); err != nil {
		return Outcome{}, fmt.Errorf("activate revision: %w", err)
	}
	r.active.Store(snap)
	r.settle(record.Commit, nil)
	r.mu.Lock()
	r.live = record.Live
	r.mu.Unlock()
	changes := config.Diff(before, snap)
	r.Log.Info("revision is live", "revision", short(record.Commit), "title", record.Title, "tasks", len(snap.Tasks),
		"added", len(changes.Added), "changed", len(changes.Changed), "removed", len(changes.Removed),
		"took", r.Now().Sub(record.Seen).Round(time.Millisecond))
	for _, p := range record.Problems {
		r.Log.Warn("problem", "place", p.String(), "hint", p.Hint)
	}
	if err := r.Source.Keep([]string{record.Commit}); err != nil {
		r.Log.Error("hold revision against garbage collection", "revision", short(record.Commit), "error", err)
	}
	if r.Activated != nil {
		r.Activated(ctx, snap, record.Live)
	}
	return Outcome{Revision: record.Commit, State: Live, Problems: record.Problems}, nil
}

// schedules fills in what an activation says of schedules.
func schedules(a *store.Activation, before, after *config.Snapshot) {
	scheduled := func(t *config.Task) bool { return t != nil && t.Enabled && t.Fingerprint != "" }
	if before != nil {
		a.Since = before.Revision
		for _, t := range before.Tasks {
			if scheduled(t) && !scheduled(after.Task(t.ID)) {
				a.Removed = append(a.Removed, t.ID)
			}
		}
	}
	for _, t := range after.Tasks {
		if !scheduled(t) {
			continue
		}
		one := store.TaskSchedule{TaskID: t.ID, Fingerprint: t.Fingerprint}
		a.Tasks = append(a.Tasks, one)
		if old := before.Task(t.ID); old != t && (!scheduled(old) || old.Fingerprint != t.Fingerprint) {
			a.Changed = append(a.Changed, one)
		}
	}
}

func short(revision string) string { return revision[:min(len(revision), 12)] }
