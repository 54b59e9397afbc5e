// Package run is what a run is: its identity, its states and which may follow which.
//
// It is pure: no clock, no database, no process. Whoever moves a run from one
// state to another asks [State.CanBecome] first.
package run

import (
	"fmt"
	"time"
)

// State is where a run stands.
type State string

// The states. A run starts out queued or, when overlap forbids it from the
// beginning, skipped; running is the only other one that is not final.
const (
	Queued    State = "queued"
	Running   State = "running"
	Success   State = "success"
	Failure   State = "failure"
	Timeout   State = "timeout"
	Cancelled State = "cancelled"
	Skipped   State = "skipped"
	Lost      State = "lost"
)

// States lists all states in the order in which a run can pass through them.
func States() []State {
	return []State{Queued, Running, Success, Failure, Timeout, Cancelled, Skipped, Lost}
}

// Final reports whether nothing can follow s.
func (s State) Final() bool { return s != Queued && s != Running }

// Troubled reports whether s is an end after which the next success counts as recovered.
func (s State) Troubled() bool { return s == Failure || s == Timeout || s == Lost }

// Conclusive reports whether s says how the task itself is doing; a run that
// was cancelled or skipped does not.
func (s State) Conclusive() bool { return s == Success || s.Troubled() }

// CanBecome reports whether a run in state s may move to next.
func (s State) CanBecome(next State) bool {
	switch s {
	case Queued:
		// Straight to failure: the process could not be started at all.
		return next == Running || next == Failure || next == Cancelled || next == Skipped || next == Lost
	case Running:
		return next.Final() && next != Skipped
	}
	return false
}

// Trigger is what made a run.
type Trigger string

// The triggers: its schedule, a person or program through the API (pages,
// `agent trigger`), an HTTP call to its task hook, or `agent exec`.
const (
	Schedule Trigger = "schedule"
	Manual   Trigger = "manual"
	Hook     Trigger = "hook"
	Exec     Trigger = "exec"
)

// A Run is one execution of a task.
type Run struct {
	ID       string // UUIDv7
	TaskID   string
	TaskName string // as it was when the run was made
	Number   int64  // per task, from 1
	Revision string // the commit that its first process started from; empty until then
	Trigger  Trigger
	Slot     time.Time // nominal instant, before jitter; zero unless Trigger is Schedule
	Due      time.Time // when its process should start: slot plus jitter, or when it was triggered
	Created  time.Time
	Started  time.Time // first process start; zero before
	Ended    time.Time // zero before
	State    State
	Reason   string    // why it is skipped, cancelled, lost or could not start; for people
	ExitCode *int      // of the last attempt, when its process exited by itself
	Attempt  int       // the attempt at hand or last made; 0 before the first
	Attempts int       // how many there may be in all
	Progress *Progress // nil when the script has not said
}

// Label is what people call the run: the task's id and the run's number.
func (r Run) Label() string { return fmt.Sprintf("%s#%d", r.TaskID, r.Number) }

// Duration is from the first process start to the end, or to now while the run is going; 0 before its start.
func (r Run) Duration(now time.Time) time.Duration {
	switch {
	case r.Started.IsZero():
		return 0
	case r.Ended.IsZero():
		return max(0, now.Sub(r.Started))
	}
	return max(0, r.Ended.Sub(r.Started))
}

// An Attempt is one process start within a run.
type Attempt struct {
	Number   int // from 1
	Started  time.Time
	Ended    time.Time // zero while it is going
	State    State     // running, then success, failure, timeout, cancelled or lost
	ExitCode *int      // nil when a signal or nothing at all ended it
	Signal   string    // such as "killed"; empty otherwise
	PID      int       // the process group's leader
	PIDStart uint64    // tells this process from a later one of the same PID; see runners.StartTime
}
