package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/secret"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
)

// A job is a run in the hands of this agent.
type job struct {
	run      run.Run
	task     *config.Task // as of revision
	revision string
	payload  []byte
	request  *run.Request
	progress atomic.Pointer[run.Progress] // as the script said last
	shown    *run.Progress                // as the flusher stored it last
	leased   bool                         // the store knows that this agent's process may exist
	reserved bool                         // it has been admitted before it was made

	ctx    context.Context // ends with a cause: errStopping or *cancelled
	cancel context.CancelCauseFunc

	// Under the worker's lock.
	turn   chan struct{} // closed when a place is given to it
	placed bool          // it holds one of the places
	going  bool          // it will not be given back to the queue any more

	dir     string // of the revision's files, when the script is one of them
	release func() // of dir
	mask    *secret.Masker

	// logging is held while lines go from the recorder to the store, so that
	// the end of a run is never stored before what was written ahead of it.
	logging sync.Mutex
}

// caughtUp reports whether the run's slot had been missed when the run was made.
func (j *job) caughtUp() bool {
	return j.run.Trigger == run.Schedule && !j.run.Created.IsZero() && j.run.Created.Sub(j.run.Due) > 5*time.Second
}

// execute brings a run from queued to its end, or back into the queue.
func (w *Worker) execute(j *job) {
	var first *attempt
	defer func() {
		if first != nil {
			first.discard()
		}
		if j.release != nil {
			j.release()
		}
	}()
	if !j.reserved {
		var admitted bool
		if first, admitted = w.arrive(j); !admitted {
			return
		}
	}
	defer w.leave(j)
	if !w.takeTurn(j) {
		return
	}
	a := first
	first = nil // from here on it is the attempts' to end
	w.attempts(j, a)
}

// arrive waits for the run's instant, with everything prepared, looks whether
// the active snapshot still wants the run, and asks for a place.
func (w *Worker) arrive(j *job) (first *attempt, admitted bool) {
	if !w.refresh(j) {
		return nil, false
	}
	if wait := j.run.Due.Sub(w.Now()); wait > 0 {
		a, err := w.prepare(j, 1)
		if err == nil {
			first = a
		} // else the same error is met again, and told, when its turn comes
		if w.sleep(j) && j.task.CatchUp == config.CatchUpNone {
			w.end(j, store.Finish{State: run.Skipped, Reason: "its time passed while the machine slept or its clock was set (catchUp: none)"}, nil)
			return first, false
		}
	}
	if j.ctx.Err() != nil {
		w.withdraw(j)
		return first, false
	}
	if w.Snapshot().Task(j.run.TaskID) != j.task {
		// Another revision went live while this run waited: it starts from that one.
		if first != nil {
			first.discard()
			first = nil
		}
		if !w.refresh(j) {
			return nil, false
		}
	}
	switch v := w.admit(j); v.kind {
	case skip:
		w.end(j, store.Finish{State: run.Skipped, Reason: v.reason}, nil)
		return first, false
	case wait:
		// A place in line must not hold pipes and folders.
		if first != nil {
			first.discard()
			first = nil
		}
	}
	return first, true
}

// sleep waits for the run's instant on the clock on the wall, which a suspend
// or a correction moves otherwise than the one that timers run on. It reports
// whether such a jump made it miss the instant.
func (w *Worker) sleep(j *job) (missed bool) {
	const (
		step = 10 * time.Second // how late a run with a long jitter is after a suspend
		late = 5 * time.Second  // as the scheduler has it
	)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		before, began := w.Now(), time.Now()
		wait := j.run.Due.Sub(before)
		if wait <= 0 {
			return false
		}
		timer.Reset(min(wait, step))
		select {
		case <-timer.C:
		case <-j.ctx.Done():
			return false
		}
		now := w.Now()
		slept := now.Round(0).Sub(before.Round(0)) - time.Since(began)
		if slept > late && now.Sub(j.run.Due) > late {
			return true
		}
	}
}

// refresh takes the task from the active snapshot, and ends the run when that
// does not want it any more.
func (w *Worker) refresh(j *job) bool {
	snap := w.Snapshot()
	t := snap.Task(j.run.TaskID)
	reason := ""
	switch {
	case t == nil:
		reason = "the task was removed before the run started"
	case j.run.Trigger != run.Schedule:
	case !t.Enabled:
		reason = "the task was disabled before the run started"
	case !t.Wants(j.run.Slot) && !j.caughtUp():
		reason = "the task's schedule changed before the run started"
	}
	if reason != "" {
		if j.task == nil {
			j.task = t
		}
		w.end(j, store.Finish{State: run.Skipped, Reason: reason}, nil)
		return false
	}
	if j.release != nil {
		j.release()
		j.release, j.dir = nil, ""
	}
	j.task, j.revision = t, snap.Revision
	return true
}

// takeTurn waits for a place where none was free at once, and leases the run.
func (w *Worker) takeTurn(j *job) bool {
	w.mu.Lock()
	placed := j.placed
	w.mu.Unlock()
	if !placed {
		if j.leased {
			// Nothing of it runs while it waits: a restart may begin it anew.
			if err := w.Store.Release(j.ctx, []string{j.run.ID}); err == nil {
				j.leased = false
			}
		}
		select {
		case <-j.turn:
		case <-j.ctx.Done():
			w.withdraw(j)
			return false
		}
		w.mu.Lock()
		j.going = !w.stopping
		w.mu.Unlock()
	}
	if j.ctx.Err() != nil {
		w.withdraw(j)
		return false
	}
	if !j.leased {
		leased, err := w.Store.Lease(j.ctx, []string{j.run.ID})
		if err != nil || len(leased) != 1 {
			w.Log.Error("lease run", "run", j.run.Label(), "error", err)
			return false
		}
		j.leased = true
	}
	if !placed && w.Snapshot().Task(j.run.TaskID) != j.task && !w.refresh(j) {
		return false
	}
	return true
}

// withdraw ends a run that never started: cancelled when somebody asked for
// that, back into the queue when the agent stops.
func (w *Worker) withdraw(j *job) {
	if c, ok := errors.AsType[*cancelled](context.Cause(j.ctx)); ok {
		w.end(j, store.Finish{State: run.Cancelled, Reason: c.reason}, nil)
		return
	}
	if !j.leased {
		return
	}
	if err := w.Store.Release(w.base, []string{j.run.ID}); err != nil {
		w.Log.Error("put run back in line", "run", j.run.Label(), "error", err)
	}
}

// attempts makes the run's attempts and stores its end. The first may have
// been prepared already.
func (w *Worker) attempts(j *job, a *attempt) {
	for n := 1; ; n++ {
		var err error
		if a == nil {
			if a, err = w.prepare(j, n); err != nil {
				w.end(j, store.Finish{State: run.Failure, Reason: err.Error()}, nil)
				return
			}
		}
		end := w.attempt(j, a)
		retry := n < j.task.Retry.Attempts && (end.State == run.Failure || end.State == run.Timeout)
		if !retry {
			w.end(j, end, a)
			return
		}
		delay := j.task.Retry.Wait(n + 1)
		a.remark("attempt %d of %d: %s; the next one starts in %s", n, j.task.Retry.Attempts, describe(end), delay)
		w.endAttempt(j, a, end)
		w.mu.Lock()
		w.line.rest(j)
		w.mu.Unlock()
		if !w.pause(j, delay) {
			cause := context.Cause(j.ctx)
			w.end(j, store.Finish{State: run.Cancelled, Reason: cause.Error()}, a)
			return
		}
		a = nil
	}
}

// pause waits between two attempts, and then for a place.
func (w *Worker) pause(j *job, delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-j.ctx.Done():
		return false
	}
	w.mu.Lock()
	w.line.resume(j)
	turn := j.turn
	w.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-j.ctx.Done():
		return false
	}
}

// describe says how an attempt ended.
func describe(end store.Finish) string {
	switch {
	case end.State == run.Timeout:
		return "timed out"
	case end.Attempt == nil:
		return end.Reason
	case end.Attempt.Signal != "":
		return "ended by signal: " + end.Attempt.Signal
	case end.Attempt.ExitCode != nil:
		return fmt.Sprintf("failed with exit code %d", *end.Attempt.ExitCode)
	}
	return string(end.State)
}
