package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/notify"
	"github.com/apimeld/agent/runners"
)

// An attempt is one process start of a run, prepared up to the start itself.
type attempt struct {
	number   int
	process  *runners.Process
	recorder *runlog.Recorder
	now      func() time.Time
	cleanup  []func()
	recorded bool // its start is in the store
}

// recordAfter is how long a process runs before its start is stored by itself.
// What ends sooner is stored with its end, in one transaction instead of two.
// Should the agent be killed before, the run's lease tells that its process
// may exist, and the process is found by the run's id.
const recordAfter = 250 * time.Millisecond

// discard undoes what prepare made. It may be called after the end, too.
func (a *attempt) discard() {
	for i := len(a.cleanup) - 1; i >= 0; i-- {
		a.cleanup[i]()
	}
	a.cleanup = nil
}

// remark adds a line of the agent's own to the log.
func (a *attempt) remark(format string, args ...any) {
	a.recorder.Add(runlog.Line{Time: a.now(), Stream: runlog.Agent, Level: runlog.Warning, Text: fmt.Sprintf(format, args...)})
}

// attempt starts the prepared process and waits for its end. What it returns
// is how the run ends, if this was its last attempt.
func (w *Worker) attempt(j *job, a *attempt) store.Finish {
	defer a.discard()
	w.flusher.watch(j, a.recorder)
	defer w.flusher.forget(j)
	record := run.Attempt{Number: a.number, State: run.Running}
	err := a.process.Start()
	record.Started = w.Now()
	if err != nil {
		record.Started = time.Time{}
		return store.Finish{State: run.Failure, Reason: fmt.Sprintf("start process: %v", err)}
	}
	record.PID = a.process.PID()
	j.run.Attempt = a.number
	if a.number == 1 {
		j.run.Started, j.run.State = record.Started, run.Running
	}

	stored := make(chan error, 1)
	go func(record run.Attempt) {
		timer := time.NewTimer(recordAfter)
		defer timer.Stop()
		select {
		case <-a.process.Done():
			stored <- nil
		case <-timer.C:
			a.recorded = true
			record.PIDStart = a.process.StartTime()
			stored <- w.started(j, record)
		}
	}(record)

	timeout := time.NewTimer(j.task.Timeout)
	defer timeout.Stop()
	end := store.Finish{}
	select {
	case <-a.process.Done():
	case <-timeout.C:
		end.State = run.Timeout
		a.remark("timed out after %s: ending the script and all that it started", notify.Duration(j.task.Timeout))
		a.process.Stop(w.Grace)
	case <-j.ctx.Done():
		cause := context.Cause(j.ctx)
		end.State, end.Reason = run.Cancelled, cause.Error()
		a.remark("%s: ending the script and all that it started", cause)
		a.process.Stop(w.Grace)
	}
	exit := a.process.Wait()
	if exit.Leftover && end.State == "" {
		a.remark("the script left processes behind; they have been ended (setsid lets one go on)")
	}
	record.Ended = w.Now()
	record.ExitCode, record.Signal = exit.Code, exit.Signal
	switch {
	case end.State != "":
	case exit.Code != nil && *exit.Code == 0:
		end.State = run.Success
	default:
		end.State = run.Failure
	}
	record.State = end.State
	end.Attempt = &record
	err = <-stored
	if errors.Is(err, store.ErrNotLeased) {
		w.Log.Error("this run belongs to another agent", "run", j.run.Label())
	}
	return end
}

// started records that the process exists, and tells who wants to know of starts.
func (w *Worker) started(j *job, record run.Attempt) error {
	err := w.persist("record start of "+j.run.Label(), func(ctx context.Context) error {
		return w.Store.Started(ctx, store.Start{RunID: j.run.ID, Revision: j.revision, Attempt: record})
	})
	if err != nil {
		return err
	}
	if notices := w.startNotices(j, record); len(notices) > 0 {
		return w.persist("store notices of "+j.run.Label(), func(ctx context.Context) error {
			_, err := w.Store.AddNotices(ctx, notices)
			return err
		})
	}
	return nil
}

// startNotices tell of a run's start, with its first attempt.
func (w *Worker) startNotices(j *job, record run.Attempt) []store.Notice {
	if record.Number != 1 {
		return nil
	}
	r := j.run
	r.Revision = j.revision
	return w.notices(j.task, r, notify.Start)
}

// endAttempt stores the end of an attempt that another follows.
func (w *Worker) endAttempt(j *job, a *attempt, end store.Finish) {
	if end.Attempt == nil {
		return
	}
	j.logging.Lock()
	defer j.logging.Unlock()
	chunks, drop := a.recorder.Take()
	if !a.recorded {
		a.recorded = true
		going := *end.Attempt
		going.State, going.Ended, going.ExitCode, going.Signal = run.Running, time.Time{}, nil, ""
		_ = w.started(j, going) // logged by persist
	}
	_ = w.persist("record attempt of "+j.run.Label(), func(ctx context.Context) error {
		if len(drop) > 0 {
			if err := w.Store.AppendLog(ctx, j.run.ID, nil, drop); err != nil {
				return err
			}
		}
		return w.Store.AttemptEnded(ctx, store.End{RunID: j.run.ID, Attempt: *end.Attempt, Chunks: chunks})
	})
}

// end stores a run's end: final state, last log lines and notices in one transaction.
func (w *Worker) end(j *job, f store.Finish, a *attempt) {
	var recorder *runlog.Recorder
	var first []store.Notice
	if a != nil {
		recorder = a.recorder
		if !a.recorded && f.Attempt != nil {
			first = w.startNotices(j, *f.Attempt)
		}
	}
	j.logging.Lock()
	defer j.logging.Unlock()
	f.RunID = j.run.ID
	if f.Attempt != nil {
		f.Revision = j.revision
	}
	f.Ended, f.Progress = w.Now(), j.progress.Load()
	f.Reason = j.mask.Mask(f.Reason)
	if recorder != nil {
		f.Chunks, f.Drop = recorder.Take()
	}
	if t := j.task; t != nil {
		f.Notices = func(r run.Run, before store.Before) ([]store.Notice, error) {
			after := aftermath{recorder: recorder}
			if f.Attempt != nil {
				after.signal = f.Attempt.Signal
			}
			notices, err := w.ended(t, r, before, after)
			return slices.Concat(first, notices), err
		}
	}
	var ended run.Run
	err := w.persist("record end of "+j.run.Label(), func(ctx context.Context) (err error) {
		ended, err = w.Store.Finish(ctx, f)
		return err
	})
	if err != nil {
		w.Log.Error("record end of run", "run", j.run.Label(), "state", f.State, "error", err)
		return
	}
	w.Log.Info("run ended", "run", ended.Label(), "state", ended.State, "duration", ended.Duration(f.Ended).Round(time.Millisecond), "reason", ended.Reason)
}

// persist repeats a write until it succeeds, cannot succeed, or the agent
// gives up: a disk that is full for a minute must not lose how a run ended.
func (w *Worker) persist(what string, write func(context.Context) error) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := write(w.base)
		if err == nil || errors.Is(err, store.ErrNotLeased) || errors.Is(err, store.ErrFinal) || errors.Is(err, store.ErrNotFound) {
			return err
		}
		w.Log.Error(what, "error", err, "again", wait)
		select {
		case <-w.base.Done():
			return err
		case <-time.After(wait):
		}
	}
}
