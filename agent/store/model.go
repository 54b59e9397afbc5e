package store

import (
	"time"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
	"github.com/apimeld/agent/schema"
)

// A Revision is one commit of the source (for a folder: one state of it) and what became of it.
type Revision struct {
	Commit    string
	State     RevisionState
	Title     string // the commit message's first line
	Author    string
	Committed time.Time
	Seen      time.Time // when this agent first loaded it
	Live      time.Time // when it went live the last time; zero if never
	Tasks     int       // how many tasks it has; 0 when rejected
	Problems  []schema.Problem
}

// RevisionState is what became of a revision.
type RevisionState string

// The states of a revision. One at most is active.
const (
	Active     RevisionState = "active"
	Rejected   RevisionState = "rejected"
	Superseded RevisionState = "superseded"
)

// An Activation makes a revision the active one, in one transaction with what
// its schedules count from and with who is told.
type Activation struct {
	Revision Revision
	Tasks    []TaskSchedule // every task of the revision that has a schedule and is enabled
	// Since names a revision, or is empty; Changed and Removed are how Tasks
	// differ from its. When that one is active, only they are written.
	Since   string
	Changed []TaskSchedule
	Removed []string
	Notices []Notice
}

// A TaskSchedule identifies a task's schedule. When Fingerprint differs from
// the stored one, or none is stored, the schedule counts from the activation's Live.
type TaskSchedule struct {
	TaskID      string
	Fingerprint string
}

// A NewRun is a run to be made.
type NewRun struct {
	TaskID   string
	TaskName string
	Trigger  run.Trigger
	Slot     time.Time // zero unless Trigger is run.Schedule
	Due      time.Time
	Attempts int
	Lease    bool      // lease it to this agent at once: from then on its process may exist
	State    run.State // run.Queued, or run.Skipped for one that is over already
	Reason   string
	Payload  []byte       // what the trigger gives to the script; may be nil
	Request  *run.Request // that triggered it; may be nil
	// Notices are made in the same transaction, from the run with its number; may be nil.
	Notices func(run.Run) []Notice
}

// A Start is one attempt's process having started.
type Start struct {
	RunID    string
	Revision string // recorded with the first attempt
	Attempt  run.Attempt
}

// An End is one attempt's end after which another follows.
type End struct {
	RunID   string
	Attempt run.Attempt
	Chunks  []runlog.Chunk
}

// A Finish is a run's end: its final state, last log lines and notices in one transaction.
type Finish struct {
	RunID  string
	State  run.State // final
	Reason string
	// Revision is recorded unless an attempt's start has recorded one.
	Revision string
	Ended    time.Time
	Attempt  *run.Attempt // the last attempt as it ended; nil when no process was started
	Chunks   []runlog.Chunk
	Progress *run.Progress  // the last; nil: as it is
	Drop     []runlog.Chunk // chunks cut out of the middle; only Attempt and Seq count
	// Notices are made in the same transaction, from the run as it ended and
	// how the task did before; may be nil.
	Notices func(run.Run, Before) ([]Notice, error)
}

// Before is how a task did up to a run.
type Before struct {
	State    run.State // of the last conclusive run; empty when there was none
	Troubles int       // troubled runs in a row up to then
	// Tell reports whether a webhook is to be told of trouble now, which it is
	// once in a span, and if so of how many it was not told since. It counts
	// in the transaction that the notices are made in.
	Tell func(webhook string, span time.Duration) (tell bool, leftOut int, err error)
}

// An Unfinished is a queued or running run as a starting agent finds it.
type Unfinished struct {
	Run     run.Run
	Leased  bool        // its process may exist
	Attempt run.Attempt // the last one recorded; zero Number when none
	Payload []byte
	Request *run.Request
}

// A Notice is one message to one webhook.
type Notice struct {
	ID       string // UUIDv7; made by the store when empty
	Webhook  string // its name: the URL is looked up at each delivery attempt
	RunID    string // empty when it is not about a run
	Event    string // a notify.Event, or "script", "sync", "test"
	Text     string
	Channel  string // overrides the webhook's; empty: none
	Created  time.Time
	State    NoticeState
	Next     time.Time // when it is tried next, while pending
	Ended    time.Time // when it was delivered or given up
	Delivery []Delivery
	Expires  time.Time // when it is given up; the store sets a day after Created when zero
}

// NoticeState is where a notice stands.
type NoticeState string

// The states of a notice.
const (
	Pending   NoticeState = "pending"
	Delivered NoticeState = "delivered"
	Failed    NoticeState = "failed"
)

// A Delivery is one attempt to deliver a notice.
type Delivery struct {
	Number   int // from 1
	At       time.Time
	Duration time.Duration
	Status   int    // HTTP status; 0 when there was no answer
	Detail   string // redacted, for people; empty when delivered
}

// A Page asks for a part of a list.
type Page struct {
	Cursor string // what the page before named as next; empty: the first page
	Limit  int    // 0 means 50
}

// A RunFilter narrows a list of runs, newest first.
type RunFilter struct {
	TaskID string      // empty: all tasks
	States []run.State // empty: all states
	Page
}

// A LogPosition is a chunk of a run's log; the zero value is before the first.
type LogPosition struct {
	Attempt int
	Seq     int
}

// Retention says which runs of a task are kept: those that both limits allow,
// and the newest success and failure always.
type Retention struct {
	Runs int
	Age  time.Duration
}
