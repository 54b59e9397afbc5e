package worker

import (
	"context"
	"fmt"
	"strings"

	"github.com/apimeld/agent/agent/control"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/notify"
)

// Speak stores what a script of a run says. It implements [control.Speaker].
func (w *Worker) Speak(ctx context.Context, runID string, n control.Notice) (string, error) {
	w.mu.Lock()
	j := w.byID[runID]
	w.mu.Unlock()
	if j == nil {
		return "", &control.RefusedError{Title: "unknown run", Detail: "the run that this script belongs to is over"}
	}
	snap := w.Snapshot()
	if snap.Webhook(n.Webhook) == nil {
		return "", UnknownWebhook(snap, n.Webhook)
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
