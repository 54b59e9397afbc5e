package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/apimeld/agent/agent/control"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/notify"
)

// asking is the job whose script asks for something.
func (w *Worker) asking(runID string) (*job, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if j := w.byID[runID]; j != nil {
		return j, nil
	}
	return nil, &control.RefusedError{Title: "unknown run", Detail: "the run that this script belongs to is over"}
}

// State returns what the run's task remembers. It is part of [control.Agent].
func (w *Worker) State(ctx context.Context, runID, key string) ([]byte, error) {
	j, err := w.asking(runID)
	if err != nil {
		return nil, err
	}
	return w.Store.State(ctx, j.run.TaskID, key)
}

// SetState makes the run's task remember a value. It is part of [control.Agent].
func (w *Worker) SetState(ctx context.Context, runID, key string, value []byte) error {
	j, err := w.asking(runID)
	if err != nil {
		return err
	}
	err = w.Store.SetState(ctx, j.run.TaskID, key, value)
	if errors.Is(err, store.ErrStateFull) {
		return &control.RefusedError{Title: "state full", Detail: fmt.Sprintf("with %q the task would remember more than %d KiB; delete what is not needed", key, store.MaxState>>10)}
	}
	return err
}

// Speak stores what a script of a run says. It is part of [control.Agent].
func (w *Worker) Speak(ctx context.Context, runID string, n control.Notice) (string, error) {
	j, err := w.asking(runID)
	if err != nil {
		return "", err
	}
	snap := w.Snapshot()
	webhook := snap.Webhook(n.Webhook)
	if webhook == nil {
		return "", UnknownWebhook(snap, n.Webhook)
	}
	if !webhook.Allows(j.task.File) {
		return "", &control.RefusedError{
			Title:  "webhook not allowed",
			Detail: fmt.Sprintf("webhook %q is not for tasks of %s; see allow at %s:%d", n.Webhook, j.task.File, webhook.File, webhook.Line),
		}
	}
	ids, err := w.Store.AddNotices(ctx, []store.Notice{{
		Webhook: n.Webhook,
		RunID:   runID,
		Event:   "script",
		Text:    notify.Script(j.mask.Mask(n.Text)),
		Channel: n.Channel,
		Created: w.Now(),
	}})
	if err != nil {
		return "", fmt.Errorf("store notice: %w", err)
	}
	return ids[0], nil
}

// UnknownWebhook is the error that names the webhooks that are known.
func UnknownWebhook(snap *config.Snapshot, name string) error {
	known := "there are none"
	if len(snap.Webhooks) > 0 {
		names := make([]string, len(snap.Webhooks))
		for i, h := range snap.Webhooks {
			names[i] = h.Name
		}
		known = "known: " + strings.Join(names, ", ")
	}
	return &control.RefusedError{
		Title:  "unknown webhook",
		Detail: fmt.Sprintf("unknown webhook %q; %s", name, known),
	}
}
