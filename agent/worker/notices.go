package worker

import (
	"slices"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/notify"
)

// outputLines is how many of the last lines a notice shows at most.
const outputLines = 10

// An aftermath is what the last attempt left beside the run itself.
type aftermath struct {
	recorder *runlog.Recorder // nil: there is no output
	signal   string           // that ended it; empty otherwise
}

// ended makes the notices about a run's end.
func (w *Worker) ended(t *config.Task, r run.Run, before store.Before, after aftermath) ([]store.Notice, error) {
	event := notify.Event(r.State)
	recovered := r.State == run.Success && before.State.Troubled()
	var notices []store.Notice
	for _, n := range t.Notify {
		told := event
		// Whoever asked for recovered gets that; the others get success. Whoever
		// hears of changes only hears of this one, too.
		if recovered && (slices.Contains(n.Events, notify.Recovered) || n.Repeat == config.RepeatChanges) {
			told = notify.Recovered
		} else if !slices.Contains(n.Events, event) {
			continue
		}
		report := w.report(t, r, told, before, after, n.Mention)
		if r.State.Troubled() && n.Repeat != 0 {
			if n.Repeat == config.RepeatChanges {
				if before.State.Troubled() {
					continue
				}
			} else {
				tell, leftOut, err := before.Tell(n.Webhook, n.Repeat)
				if err != nil {
					return nil, err
				}
				if !tell {
					continue
				}
				report.LeftOut = leftOut
			}
		}
		notices = append(notices, w.notice(n, r, told, report))
	}
	return notices, nil
}

// Missed makes the notices about a run that stands for missed slots.
func (w *Worker) Missed(t *config.Task, r run.Run) []store.Notice {
	return w.notices(t, r, notify.Skipped)
}

// notices makes the notices of one event for those that asked for it.
func (w *Worker) notices(t *config.Task, r run.Run, event notify.Event) []store.Notice {
	var notices []store.Notice
	for _, n := range t.Notify {
		if slices.Contains(n.Events, event) {
			notices = append(notices, w.notice(n, r, event, w.report(t, r, event, store.Before{}, aftermath{}, n.Mention)))
		}
	}
	return notices
}

func (w *Worker) notice(n config.Notify, r run.Run, event notify.Event, report notify.Report) store.Notice {
	return store.Notice{
		Webhook: n.Webhook,
		RunID:   r.ID,
		Event:   string(event),
		Text:    notify.Render(report),
		Created: w.Now(),
	}
}

// report is what a notice says of a run.
func (w *Worker) report(t *config.Task, r run.Run, event notify.Event, before store.Before, after aftermath, mentions []string) notify.Report {
	report := notify.Report{
		Event:    event,
		TaskName: t.Name,
		RunLabel: r.Label(),
		Duration: r.Duration(w.Now()),
		ExitCode: r.ExitCode,
		Signal:   after.signal,
		Timeout:  t.Timeout,
		Attempt:  r.Attempt,
		Attempts: r.Attempts,
		Reason:   r.Reason,
		Mentions: mentions,
	}
	if !r.Started.IsZero() {
		report.Started = r.Started.In(t.Location)
	}
	if event == notify.Recovered {
		report.Troubles = before.Troubles
	}
	if w.RunURL != nil {
		report.URL = w.RunURL(r.ID)
	}
	if after.recorder != nil {
		report.Output, report.OutputBefore = after.recorder.Tail(outputLines)
	}
	return report
}
