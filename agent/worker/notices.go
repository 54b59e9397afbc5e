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

// ended makes the notices about a run's end.
func (w *Worker) ended(t *config.Task, r run.Run, before store.Before, recorder *runlog.Recorder) []store.Notice {
	event := notify.Event(r.State)
	if r.State == run.Success && before.State.Troubled() {
		// Whoever asked for recovered gets that; the others get success.
		recovered := w.noticesFor(t, r, notify.Recovered, before, recorder, func(n config.Notify) bool {
			return slices.Contains(n.Events, notify.Recovered)
		})
		return append(recovered, w.noticesFor(t, r, event, before, recorder, func(n config.Notify) bool {
			return slices.Contains(n.Events, event) && !slices.Contains(n.Events, notify.Recovered)
		})...)
	}
	return w.noticesFor(t, r, event, before, recorder, func(n config.Notify) bool {
		return slices.Contains(n.Events, event)
	})
}

// Missed makes the notices about a run that stands for missed slots.
func (w *Worker) Missed(t *config.Task, r run.Run) []store.Notice {
	return w.ended(t, r, store.Before{}, nil)
}

// notices makes the notices of one event for those that asked for it.
func (w *Worker) notices(t *config.Task, r run.Run, event notify.Event, recorder *runlog.Recorder) []store.Notice {
	return w.noticesFor(t, r, event, store.Before{}, recorder, func(n config.Notify) bool {
		return slices.Contains(n.Events, event)
	})
}

func (w *Worker) noticesFor(t *config.Task, r run.Run, event notify.Event, before store.Before, recorder *runlog.Recorder, wants func(config.Notify) bool) []store.Notice {
	var notices []store.Notice
	for _, n := range t.Notify {
		if !wants(n) {
			continue
		}
		notices = append(notices, store.Notice{
			Webhook: n.Webhook,
			RunID:   r.ID,
			Event:   string(event),
			Text:    notify.Render(w.report(t, r, event, before, recorder, n.Mention)),
			Created: w.Now(),
		})
	}
	return notices
}

// report is what a notice says of a run.
func (w *Worker) report(t *config.Task, r run.Run, event notify.Event, before store.Before, recorder *runlog.Recorder, mentions []string) notify.Report {
	report := notify.Report{
		Event:    event,
		TaskName: t.Name,
		RunLabel: r.Label(),
		Duration: r.Duration(w.Now()),
		ExitCode: r.ExitCode,
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
	if recorder != nil {
		report.Output, report.OutputBefore = recorder.Tail(outputLines)
	}
	return report
}
