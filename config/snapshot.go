// Package config is the configuration: what authors wrote, checked as a
// whole, and the immutable snapshot that the rest of the agent works with.
//
// It owns loading, the rules across files and the differences between two
// snapshots. It reads files through a [Tree] and nothing else: no Git, no
// network, no database, and it runs nothing.
package config

import (
	"strings"
	"time"

	"github.com/apimeld/agent/agent/schedule"
	"github.com/apimeld/agent/notify"
)

// A Snapshot is the immutable, fully checked configuration of one revision.
// What it returns must not be modified: running tasks, pages and the
// scheduler all share it.
type Snapshot struct {
	Revision string // the commit, or a folder's state
	Tasks    []*Task
	Webhooks []*Webhook
	Defaults Defaults

	tasks    map[string]*Task
	webhooks map[string]*Webhook
}

// Task returns the task with the id, or nil.
func (s *Snapshot) Task(id string) *Task {
	if s == nil {
		return nil
	}
	return s.tasks[id]
}

// Webhook returns the webhook with the name, or nil.
func (s *Snapshot) Webhook(name string) *Webhook {
	if s == nil {
		return nil
	}
	return s.webhooks[name]
}

// A Task is one task with everything inherited filled in.
type Task struct {
	ID          string
	Name        string
	Description string
	Labels      Labels
	Enabled     bool
	File        string // the YAML file that it stands in
	Line        int

	Schedule    schedule.Set
	Specs       []schedule.Spec // as authored, with the time zone filled in
	Fingerprint string          // of Specs; empty when there is no schedule
	Location    *time.Location  // in which times are shown: the first schedule's, else the default
	CatchUp     CatchUp
	Overlap     Overlap

	Timeout time.Duration // per attempt, from process start
	Retry   Retry

	Language string
	// Interpreter is a program's name, or a path below the source's; empty: the language's own.
	Interpreter string
	Script      string // inline script; empty when ScriptFile is set
	// ScriptFile is relative to the source's path; ScriptHash names its content.
	ScriptFile string
	ScriptHash string
	Args       []string
	Env        []EnvVar // sorted by name; values may hold secret references

	Notify    []Notify
	Retention Retention
}

// Labels are a task's labels, sorted by key: with 100,000 tasks a map for each
// would take more memory than all else that the task says.
type Labels []Label

// A Label is one word to find and group tasks by.
type Label struct {
	Key, Value string
}

// Get returns a label's value, and whether the task has the label.
func (l Labels) Get(key string) (value string, ok bool) {
	for _, one := range l {
		if one.Key == key {
			return one.Value, true
		}
	}
	return "", false
}

// Map returns the labels as a map, which is nil when there are none.
func (l Labels) Map() map[string]string {
	if len(l) == 0 {
		return nil
	}
	m := make(map[string]string, len(l))
	for _, one := range l {
		m[one.Key] = one.Value
	}
	return m
}

// An EnvVar is one variable of a task's environment.
type EnvVar struct {
	Name  string
	Value string // may hold ${secret:NAME}; see [Expand]
}

// CatchUp says what happens to slots that were missed while the agent was down.
type CatchUp string

// The ways to catch up. The default is CatchUpLatest.
const (
	CatchUpNone   CatchUp = "none"
	CatchUpLatest CatchUp = "latest"
	CatchUpAll    CatchUp = "all"
)

// Overlap says what happens when a run is still going as the next is due.
type Overlap string

// The overlaps. The default is OverlapSkip.
const (
	OverlapSkip  Overlap = "skip"
	OverlapQueue Overlap = "queue" // in order, at most MaxQueued waiting
	OverlapAllow Overlap = "allow"
	// OverlapReplace cancels what is going; the new one starts when it has ended.
	OverlapReplace Overlap = "replace"
)

// MaxQueued is how many runs of one task may wait for the one that is going.
const MaxQueued = 100

// Retry says how often a run is attempted.
type Retry struct {
	Attempts int           // in all; 1 by default
	Delay    time.Duration // before the second; doubles, capped at MaxRetryDelay
}

// MaxRetryDelay caps the wait between two attempts.
const MaxRetryDelay = time.Hour

// Wait is the wait before the given attempt, which is at least 2.
func (r Retry) Wait(attempt int) time.Duration {
	wait := r.Delay
	for range attempt - 2 {
		if wait >= MaxRetryDelay/2 {
			return MaxRetryDelay
		}
		wait *= 2
	}
	return min(wait, MaxRetryDelay)
}

// Notify says which events of a task a webhook is told.
type Notify struct {
	Webhook string
	Events  []notify.Event
	Mention []string // what alone ever pings anybody, such as "@oncall"
	// Repeat is the least time between two tellings of trouble; 0: each is
	// told, RepeatChanges: only the first of a row.
	Repeat time.Duration
}

// RepeatChanges tells the first trouble of a row, and its end.
const RepeatChanges time.Duration = -1

// A Webhook is a named Mattermost-compatible incoming webhook.
type Webhook struct {
	Name     string
	URL      string // usually a secret reference; see [Expand]
	Channel  string
	Username string
	Icon     string   // a URL, or an emoji such as ":robot:"
	Allow    []string // files whose tasks may use it, as .gitignore has them; empty: all
	File     string
	Line     int

	allows func(file string) bool // as Allow says; nil: all
}

// Allows reports whether tasks of a file may use the webhook.
func (w *Webhook) Allows(file string) bool { return w.allows == nil || w.allows(file) }

// Retention says which runs of a task are kept: those that both limits allow.
type Retention struct {
	Runs int
	Age  time.Duration
}

// Defaults are what tasks inherit, and what concerns the source as a whole.
type Defaults struct {
	Location  *time.Location
	Timezone  string
	Timeout   time.Duration
	CatchUp   CatchUp
	Overlap   Overlap
	Retry     Retry
	Env       []EnvVar
	Notify    []Notify
	Retention Retention
	// SyncNotify names the webhooks that are told when a commit is rejected
	// and when the next good one is live.
	SyncNotify []string
}

// Built-in defaults; see also the ones of each type.
const (
	DefaultTimeout       = time.Hour
	DefaultRetainRuns    = 200
	DefaultRetainAge     = 90 * 24 * time.Hour
	DefaultRetryDelay    = 30 * time.Second
	DefaultLanguage      = "bash"
	secretOpen           = "${secret:"
	secretNameCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-"
)

// SecretNames lists the secrets that a value refers to, in order, with repeats.
func SecretNames(value string) []string {
	var names []string
	for {
		_, rest, ok := strings.Cut(value, secretOpen)
		if !ok {
			return names
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return names
		}
		names, value = append(names, name), after
	}
}
