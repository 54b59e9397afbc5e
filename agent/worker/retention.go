package worker

import (
	"context"
	"time"

	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
)

// pruneEvery is how often old runs are looked for.
const pruneEvery = 10 * time.Minute

// Prune removes, now and then, runs that retention does not keep, with their
// logs, and inline scripts that no task has any more, until ctx ends.
func (w *Worker) Prune(ctx context.Context) {
	// Not at once: a start has better things to do.
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if snap := w.Snapshot(); snap != nil {
			w.prune(ctx, snap)
		}
		timer.Reset(pruneEvery)
	}
}

func (w *Worker) prune(ctx context.Context, snap *config.Snapshot) {
	policy := func(taskID string) store.Retention {
		r := snap.Defaults.Retention
		if t := snap.Task(taskID); t != nil {
			r = t.Retention
		}
		return store.Retention{Runs: r.Runs, Age: r.Age}
	}
	n, err := w.Store.Prune(ctx, policy, w.Now())
	if err != nil && ctx.Err() == nil {
		w.Log.Error("prune old runs", "error", err)
	}
	if n > 0 {
		w.Log.Info("pruned old runs", "runs", n)
	}
	if err := w.sweepScripts(snap); err != nil {
		w.Log.Error("sweep inline scripts", "error", err)
	}
}
