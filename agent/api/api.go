// Package api is the vocabulary of /api/v1: the documents that the agent's
// server writes and its client reads.
//
// It owns their shape and nothing else: it reads no store and answers no
// request. Keys are camelCase. Times are RFC 3339 in UTC with milliseconds.
// Durations are numbers of seconds, and their keys end in Seconds. What is
// unknown or not there yet is left out. Lists come in pages; errors are RFC
// 9457 problem details, see [ProblemDetails].
package api

import (
	"time"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
	"github.com/apimeld/agent/schema"
)

// Prefix is the path below which the API lives.
const Prefix = "/api/v1"

// A Page is a part of a list.
type Page[T any] struct {
	Items []T `json:"items"`
	// Next is the cursor of the next page; empty on the last one.
	Next string `json:"next,omitempty"`
}

// A Task is one task of the live revision, with what it inherits filled in.
type Task struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Enabled     bool              `json:"enabled"`
	URL         string            `json:"url"`  // of its page
	File        string            `json:"file"` // the YAML file that it stands in
	Line        int               `json:"line"`

	Schedules []Schedule `json:"schedules,omitempty"`
	Timezone  string     `json:"timezone"` // in which pages and notices show its times
	CatchUp   string     `json:"catchUp"`
	Overlap   string     `json:"overlap"`

	TimeoutSeconds float64   `json:"timeoutSeconds"` // per attempt
	Retry          Retry     `json:"retry"`
	Retention      Retention `json:"retention"`

	Language    string   `json:"language"`
	Interpreter string   `json:"interpreter,omitempty"` // that the task names
	ScriptFile  string   `json:"scriptFile,omitempty"`  // empty for an inline script
	Args        []string `json:"args,omitempty"`
	Notify      []Notify `json:"notify,omitempty"`

	Next    Time   `json:"next,omitzero"` // next start, jitter included
	Nexts   []Time `json:"nexts,omitempty"`
	LastRun *Run   `json:"lastRun,omitempty"`
}

// A Schedule is one line of a task's schedule.
type Schedule struct {
	Cron          string  `json:"cron"`
	Timezone      string  `json:"timezone"`
	JitterSeconds float64 `json:"jitterSeconds,omitempty"`
	Words         string  `json:"words,omitempty"` // the expression in English, where that is short
}

// Retry says how often a run is attempted.
type Retry struct {
	Attempts     int     `json:"attempts"`
	DelaySeconds float64 `json:"delaySeconds"` // before the second; it doubles
}

// Retention says which runs are kept.
type Retention struct {
	Runs       int     `json:"runs"`
	AgeSeconds float64 `json:"ageSeconds"`
}

// Notify says which events of a task a webhook is told.
type Notify struct {
	Webhook string   `json:"webhook"`
	Events  []string `json:"events"`
	Mention []string `json:"mention,omitempty"`
	// Repeat is every, changes, or at most one telling of trouble in a duration such as 1h0m0s.
	Repeat string `json:"repeat"`
}

// A Run is one execution of a task.
type Run struct {
	ID       string      `json:"id"`
	Label    string      `json:"label"` // TASK#NUMBER
	TaskID   string      `json:"taskId"`
	TaskName string      `json:"taskName"` // as it was when the run was made
	Number   int64       `json:"number"`
	URL      string      `json:"url"` // of its page
	State    run.State   `json:"state"`
	Reason   string      `json:"reason,omitempty"`
	Trigger  run.Trigger `json:"trigger"`
	Revision string      `json:"revision,omitempty"`

	ScheduledFor Time `json:"scheduledFor,omitzero"` // the nominal instant, before jitter
	Due          Time `json:"due,omitzero"`
	Created      Time `json:"created,omitzero"`
	Started      Time `json:"started,omitzero"`
	Ended        Time `json:"ended,omitzero"`
	// DurationSeconds is from the first process start to the end, or to now while the run is going.
	DurationSeconds float64 `json:"durationSeconds,omitzero"`

	ExitCode    *int          `json:"exitCode,omitempty"`
	Attempt     int           `json:"attempt"`            // the one at hand or last made; 0 before the first
	MaxAttempts int           `json:"maxAttempts"`        // how many there may be in all
	Progress    *run.Progress `json:"progress,omitempty"` // as the script says

	// Attempts and Notices are there for one run, and for a list when asked for.
	Attempts []Attempt `json:"attempts,omitempty"`
	Notices  []Notice  `json:"notices,omitempty"`
}

// An Attempt is one process start within a run.
type Attempt struct {
	Number          int       `json:"number"`
	State           run.State `json:"state"`
	Started         Time      `json:"started,omitzero"`
	Ended           Time      `json:"ended,omitzero"`
	DurationSeconds float64   `json:"durationSeconds,omitzero"`
	ExitCode        *int      `json:"exitCode,omitempty"`
	Signal          string    `json:"signal,omitempty"`
}

// A Line is one line of a run's log, as ?format=ndjson writes it.
type Line struct {
	Attempt int           `json:"attempt"`
	Number  int64         `json:"number"` // within the attempt, from 1; see [Position]
	Time    Time          `json:"time"`
	Stream  runlog.Stream `json:"stream"`
	Level   runlog.Level  `json:"level,omitempty"`
	Text    string        `json:"text"`
}

// A Notice is one message to one webhook.
type Notice struct {
	ID         string     `json:"id"`
	Webhook    string     `json:"webhook"`
	Event      string     `json:"event"`
	State      string     `json:"state"` // pending, delivered or failed
	Channel    string     `json:"channel,omitempty"`
	Text       string     `json:"text"`
	Created    Time       `json:"created,omitzero"`
	Next       Time       `json:"next,omitzero"` // when it is tried next, while pending
	Ended      Time       `json:"ended,omitzero"`
	Deliveries []Delivery `json:"deliveries,omitempty"`
}

// A Delivery is one attempt to deliver a notice.
type Delivery struct {
	Number          int     `json:"number"`
	At              Time    `json:"at,omitzero"`
	DurationSeconds float64 `json:"durationSeconds"`
	Status          int     `json:"status,omitempty"` // HTTP status; left out when there was no answer
	Detail          string  `json:"detail,omitempty"`
}

// A Revision is one commit of the source and what became of it.
type Revision struct {
	Commit    string           `json:"commit"`
	State     string           `json:"state"` // active, rejected or superseded
	Title     string           `json:"title,omitempty"`
	Author    string           `json:"author,omitempty"`
	Committed Time             `json:"committed,omitzero"`
	Seen      Time             `json:"seen,omitzero"`
	Live      Time             `json:"live,omitzero"`
	Tasks     int              `json:"tasks"`
	Problems  []schema.Problem `json:"problems,omitempty"`
}

// A Webhook is a named webhook. Its URL is a secret and never leaves the agent.
type Webhook struct {
	Name     string   `json:"name"`
	Channel  string   `json:"channel,omitempty"`
	Username string   `json:"username,omitempty"`
	Icon     string   `json:"icon,omitempty"`
	Allow    []string `json:"allow,omitempty"` // files whose tasks may use it; none: all
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Tasks    int      `json:"tasks"` // how many tasks tell it something
}

// Status is how the agent is doing.
type Status struct {
	Version string `json:"version"`
	Started Time   `json:"started"`
	Ready   bool   `json:"ready"` // a revision is live and its schedules are at work

	Source       string `json:"source"` // as it may be shown: without credentials
	Ref          string `json:"ref,omitempty"`
	Path         string `json:"path,omitempty"`
	Revision     string `json:"revision,omitempty"` // the live one
	RevisionLive Time   `json:"revisionLive,omitzero"`

	Head      string `json:"head,omitempty"` // the newest revision seen
	Problems  int    `json:"problems"`       // of the newest revision, when it is rejected
	Synced    Time   `json:"synced,omitzero"`
	SyncError string `json:"syncError,omitempty"` // of the last look at the source

	Tasks    int `json:"tasks"`
	Webhooks int `json:"webhooks"`
	Running  int `json:"running"`
	Queued   int `json:"queued"`
	MaxRuns  int `json:"maxRuns"`
}

// The states of a [SyncResult].
const (
	SyncLive      = "live"      // the revision went live
	SyncUnchanged = "unchanged" // it was live already
	SyncRejected  = "rejected"  // it has problems, and the last good one goes on
)

// A SyncResult is what looking at the source now came to.
type SyncResult struct {
	State    string           `json:"state"`
	Revision string           `json:"revision"`
	Problems []schema.Problem `json:"problems,omitempty"`
}

// A DeliveryResult is how a test message went.
type DeliveryResult struct {
	Webhook         string  `json:"webhook"`
	Delivered       bool    `json:"delivered"`
	Status          int     `json:"status,omitempty"` // HTTP status; left out when there was no answer
	Detail          string  `json:"detail,omitempty"` // what went wrong, without the URL
	DurationSeconds float64 `json:"durationSeconds"`
}

// FromRun is a run as the API shows it. base is the public URL without a
// slash at its end.
func FromRun(r run.Run, base string, now time.Time) Run {
	return Run{
		ID:              r.ID,
		Label:           r.Label(),
		TaskID:          r.TaskID,
		TaskName:        r.TaskName,
		Number:          r.Number,
		URL:             base + "/runs/" + r.ID,
		State:           r.State,
		Reason:          r.Reason,
		Trigger:         r.Trigger,
		Revision:        r.Revision,
		ScheduledFor:    Time{r.Slot},
		Due:             Time{r.Due},
		Created:         Time{r.Created},
		Started:         Time{r.Started},
		Ended:           Time{r.Ended},
		DurationSeconds: Seconds(r.Duration(now)),
		ExitCode:        r.ExitCode,
		Attempt:         r.Attempt,
		MaxAttempts:     r.Attempts,
		Progress:        r.Progress,
	}
}

// FromAttempt is an attempt as the API shows it.
func FromAttempt(a run.Attempt, now time.Time) Attempt {
	end := a.Ended
	if end.IsZero() {
		end = now
	}
	d := Attempt{
		Number:   a.Number,
		State:    a.State,
		Started:  Time{a.Started},
		Ended:    Time{a.Ended},
		ExitCode: a.ExitCode,
		Signal:   a.Signal,
	}
	if !a.Started.IsZero() {
		d.DurationSeconds = Seconds(max(0, end.Sub(a.Started)))
	}
	return d
}

// FromLine is a line of an attempt's log as the API shows it.
func FromLine(attempt int, l runlog.Line) Line {
	return Line{Attempt: attempt, Number: l.Number, Time: Time{l.Time}, Stream: l.Stream, Level: l.Level, Text: l.Text}
}
