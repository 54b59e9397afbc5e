package worker

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/runners"
)

// Recover deals with what an agent before this one left: it ends processes
// that outlived it, settles their runs as lost, and puts what had not started
// back in line. It comes before anything is started or claimed, so that what
// overlap says stays true.
func (w *Worker) Recover(ctx context.Context) error {
	left, err := w.Store.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("list unfinished runs: %w", err)
	}
	var leased []string
	unrecorded := map[string]bool{}
	for _, u := range left {
		if u.Leased {
			leased = append(leased, u.Run.ID)
			unrecorded[u.Run.ID] = true
		}
	}
	if err := w.Store.TakeOver(ctx, leased); err != nil {
		return fmt.Errorf("take over runs: %w", err)
	}
	// A process may have started an instant before its agent was killed, and
	// never been recorded. It is found by the run's id in its environment.
	orphans := runners.FindOrphans(unrecorded)
	var again []store.Unfinished
	for _, u := range left {
		switch {
		case !u.Leased && u.Run.State == run.Queued:
			again = append(again, u)
		case u.Run.State == run.Queued && len(orphans[u.Run.ID]) == 0 && u.Run.Due.After(w.Now()):
			// Its time has not come, so nothing of it can have started.
			again = append(again, u)
		default:
			w.settle(u, orphans[u.Run.ID])
		}
	}
	// Their processes are gone: what was private to them goes, too.
	if folders, err := os.ReadDir(w.runDir("")); err == nil {
		for _, f := range folders {
			removeAll(w.runDir(f.Name()))
		}
	}
	w.requeue(again)
	return nil
}

// settle ends what is left of a run's processes, and the run as lost.
func (w *Worker) settle(u store.Unfinished, pids []int) {
	ended := 0
	if u.Attempt.PID != 0 && u.Attempt.Ended.IsZero() {
		was, err := runners.EndOrphan(u.Attempt.PID, u.Attempt.PIDStart, u.Run.ID, w.Grace)
		if err != nil {
			w.Log.Error("end orphan", "run", u.Run.Label(), "pid", u.Attempt.PID, "error", err)
		}
		if was {
			ended++
		}
	}
	for _, pid := range pids {
		start, err := runners.StartTime(pid)
		if err != nil {
			continue // gone by now
		}
		if was, err := runners.EndOrphan(pid, start, u.Run.ID, w.Grace); err != nil {
			w.Log.Error("end orphan", "run", u.Run.Label(), "pid", pid, "error", err)
		} else if was {
			ended++
		}
	}
	reason := "the agent ended without warning while the run was going"
	switch {
	case ended > 0:
		reason += "; what was left of it has been ended"
	case u.Run.State == run.Queued:
		reason = "the agent ended without warning as the run was about to start"
	}
	j := w.orphaned(u.Run)
	f := store.Finish{State: run.Lost, Reason: reason}
	if u.Attempt.Number > 0 && u.Attempt.Ended.IsZero() {
		last := u.Attempt
		last.State, last.Ended = run.Lost, w.Now()
		f.Attempt = &last
	}
	w.end(j, f, nil)
}

// orphaned is a job for a run that this agent only has to end.
func (w *Worker) orphaned(r run.Run) *job {
	j := &job{run: r, leased: true, task: w.Snapshot().Task(r.TaskID)}
	j.ctx, j.cancel = context.WithCancelCause(w.base)
	return j
}

// requeue puts runs back in line that had not started, oldest first. Those of
// slots that passed meanwhile are missed slots, for catchUp to decide on;
// what somebody asked for, or was waiting its turn in a queue, still runs.
func (w *Worker) requeue(left []store.Unfinished) {
	newest := map[string]string{}
	late := func(u store.Unfinished) bool {
		return u.Run.Trigger == run.Schedule && w.Now().Sub(u.Run.Due) > 5*time.Second
	}
	for _, u := range left {
		if late(u) {
			newest[u.Run.TaskID] = u.Run.ID // the last one stays: oldest due come first
		}
	}
	for _, u := range left {
		t := w.Snapshot().Task(u.Run.TaskID)
		if t != nil && late(u) && t.Overlap != config.OverlapQueue {
			keep := t.CatchUp == config.CatchUpAll || t.CatchUp == config.CatchUpLatest && newest[t.ID] == u.Run.ID
			if !keep {
				w.end(w.orphaned(u.Run), store.Finish{
					State:  run.Skipped,
					Reason: fmt.Sprintf("its time passed while the agent was away (catchUp: %s)", t.CatchUp),
				}, nil)
				continue
			}
		}
		w.begin(&job{run: u.Run, leased: u.Leased, payload: u.Payload, request: u.Request})
	}
}
