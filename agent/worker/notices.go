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
func (w *Worker) ended(t *config.Task, r run.Run, before store.Before, after aftermath) []store.Notice {
	event := notify.Event(r.State)
	if r.State == run.Success && before.State.Troubled() {
		// Whoever asked for recovered gets that; the others get success.
		recovered := w.noticesFor(t, r, notify.Recovered, before, after, func(n config.Notify) bool {
			return slices.Contains(n.Events, notify.Recovered)
		})
		return append(recovered, w.noticesFor(t, r, event, before, after, func(n config.Notify) bool {
			return slices.Contains(n.Events, event) && !slices.Contains(n.Events, notify.Recovered)
		})...)
	}
	return w.noticesFor(t, r, event, before, after, func(n config.Notify) bool {
		return slices.Contains(n.Events, event)
	})
}

// Missed makes the notices about a run that stands for missed slots.
func (w *Worker) Missed(t *config.Task, r run.Run) []store.Notice {
	return w.ended(t, r, store.Before{}, aftermath{})
}

// notices makes the notices of one event for those that asked for it.
func (w *Worker) notices(t *config.Task, r run.Run, event notify.Event) []store.Notice {
	return w.noticesFor(t, r, event, store.Before{}, aftermath{}, func(n config.Notify) bool {
		return slices.Contains(n.Events, event)
	})
}

func (w *Worker) noticesFor(t *config.Task, r run.Run, event notify.Event, before store.Before, after aftermath, wants func(config.Notify) bool) []store.Notice {
	var notices []store.Notice
	for _, n := range t.Notify {
		if !wants(n) {
			continue
		}
		notices = append(notices, store.Notice{
			Webhook: n.Webhook,
			RunID:   r.ID,
			Event:   string(event),
			Text:    notify.Render(w.report(t, r, event, before, after, n.Mention)),
			Created: w.Now(),
		})
	}
	return notices
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
