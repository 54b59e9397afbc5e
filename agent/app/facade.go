package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/reconcile"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/worker"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/notify/mattermost"
	"github.com/apimeld/agent/schema"
)

// A facade is the agent as pages and API see it: what the rooms of floor 4
// can do, in the API's words.
type facade struct{ *App }

// Snapshot is the active one; nil before the first good revision.
func (a *App) Snapshot() *config.Snapshot { return a.reconciler.Snapshot() }

// URL is how people reach the pages.
func (a *App) URL() string { return a.publicURL }

func (f *facade) Next(taskID string) time.Time {
	t := f.Snapshot().Task(taskID)
	if t == nil {
		return time.Time{}
	}
	return t.NextDue(time.Now())
}

func (f *facade) Trigger(ctx context.Context, taskID string, o run.Order) (run.Run, error) {
	snap := f.Snapshot()
	if snap == nil || !f.isReady() {
		return run.Run{}, fmt.Errorf("%w\nno revision is live yet", api.ErrNotReady)
	}
	t := snap.Task(taskID)
	switch {
	case t == nil:
		return run.Run{}, unknownTask(snap, taskID)
	case !t.Enabled:
		return run.Run{}, fmt.Errorf("%s: %w\nset enabled: true at %s:%d", t.ID, api.ErrDisabled, t.File, t.Line)
	case strings.Contains(string(o.Payload), "\x00"):
		return run.Run{}, fmt.Errorf("payload: %w\nit holds a NUL, which no variable can hold", api.ErrInvalid)
	}
	return f.worker.Submit(ctx, t, o)
}

func unknownTask(snap *config.Snapshot, id string) error {
	ids := make([]string, len(snap.Tasks))
	for i, t := range snap.Tasks {
		ids[i] = t.ID
	}
	hint := "list them with: agent tasks"
	if near := schema.Nearest(id, ids); near != "" {
		hint = "did you mean " + near + "?"
	}
	return fmt.Errorf("%w %q\n%s", api.ErrUnknownTask, id, hint)
}

func (f *facade) Cancel(ctx context.Context, runID, by string) error {
	if f.worker.Cancel(runID, by) {
		return nil
	}
	r, err := f.store.Run(ctx, runID)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w: %s", r.Label(), api.ErrNotRunning, r.State)
}

// Sync looks at the source now. Whoever asked is told how it went; it is logged, too.
func (a *App) Sync(ctx context.Context) (reconcile.Outcome, error) { return a.reconciler.Sync(ctx) }

func (f *facade) Sync(ctx context.Context) (api.SyncResult, error) {
	outcome, err := f.App.Sync(ctx)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return api.SyncResult{}, err
		}
		return api.SyncResult{}, fmt.Errorf("%w: %w", api.ErrSource, err)
	}
	return api.SyncResult{State: string(outcome.State), Revision: outcome.Revision, Problems: outcome.Problems}, nil
}

func (f *facade) TestWebhook(ctx context.Context, name string) (api.DeliveryResult, error) {
	if f.Snapshot() == nil {
		return api.DeliveryResult{}, api.ErrNotReady
	}
	began := time.Now()
	result, err := f.deliverer.Test(ctx, name)
	if errors.Is(err, worker.ErrUnknownWebhook) {
		var names []string
		for _, w := range f.Snapshot().Webhooks {
			names = append(names, w.Name)
		}
		return api.DeliveryResult{}, fmt.Errorf("%w %q\nknown: %s", api.ErrUnknownWebhook, name, strings.Join(names, ", "))
	}
	if err != nil {
		return api.DeliveryResult{}, err
	}
	return api.DeliveryResult{
		Webhook:         name,
		Delivered:       result.Verdict == mattermost.Delivered,
		Status:          result.Status,
		Detail:          result.Detail,
		DurationSeconds: api.Seconds(time.Since(began)),
	}, nil
}

func (a *App) isReady() bool {
	select {
	case <-a.ready:
		return true
	default:
		return false
	}
}

func (f *facade) Status() api.Status {
	sync := f.reconciler.Status()
	running, queued := f.worker.Load()
	s := api.Status{
		Version:      f.options.Version,
		Started:      api.Time{Time: f.started},
		Ready:        f.isReady(),
		Source:       f.options.redacted(),
		Ref:          f.options.Ref,
		Path:         f.options.Path,
		RevisionLive: api.Time{Time: f.reconciler.Live()},
		Head:         sync.Head,
		Problems:     len(sync.Bad),
		Synced:       api.Time{Time: sync.Looked},
		Running:      running,
		Queued:       queued,
		MaxRuns:      f.options.MaxRuns,
	}
	if sync.Err != nil {
		s.SyncError = sync.Err.Error()
	}
	if snap := f.Snapshot(); snap != nil {
		s.Revision, s.Tasks, s.Webhooks = snap.Revision, len(snap.Tasks), len(snap.Webhooks)
	}
	return s
}
