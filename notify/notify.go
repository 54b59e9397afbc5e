// Package notify is what a channel reads: the events that there are to tell,
// the text of each message, and what keeps a message from pinging anybody by accident.
//
// It is pure: it sends nothing, stores nothing and knows no webhook's URL.
package notify

import (
	"fmt"
	"slices"
	"time"
)

// An Event is something about a task that a webhook can be told.
type Event string

// The events. Their names are those of the configuration.
const (
	Success   Event = "success"
	Failure   Event = "failure"
	Timeout   Event = "timeout"
	Start     Event = "start"
	Recovered Event = "recovered" // the first success after a failure, timeout or lost run
	Cancelled Event = "cancelled"
	Skipped   Event = "skipped"
	Lost      Event = "lost"
)

// Events lists all events.
func Events() []Event {
	return []Event{Success, Failure, Timeout, Start, Recovered, Cancelled, Skipped, Lost}
}

// DefaultEvents are those that a webhook is told when nothing else is said.
func DefaultEvents() []Event { return []Event{Failure, Timeout} }

// ParseEvent reads an event's name.
func ParseEvent(name string) (Event, error) {
	if !slices.Contains(Events(), Event(name)) {
		return "", fmt.Errorf("unknown event %q", name)
	}
	return Event(name), nil
}

// A Report is what there is to say about one event of a run.
type Report struct {
	Event    Event
	TaskName string
	RunLabel string // such as nightly-order-sync#1042
	Started  time.Time
	Duration time.Duration
	ExitCode *int
	Signal   string // that ended the last attempt; empty otherwise
	Timeout  time.Duration
	Attempt  int // the last one made
	Attempts int // how many there may be; the line is left out when there may be only one
	Troubles int // for Recovered: troubled runs in a row before this one
	LeftOut  int // earlier ones like this that were not told
	Reason   string
	// Output are the last lines that the script wrote; OutputBefore how many came before them.
	Output       []string
	OutputBefore int64
	URL          string   // of the run's page; empty leaves the link out
	Mentions     []string // what alone pings anybody; see [ValidMention]
}
