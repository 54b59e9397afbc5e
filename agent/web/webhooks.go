package web

import (
	"fmt"
	"net/http"
	"time"

	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/agent/web/words"
	"github.com/apimeld/agent/config"
)

type webhooksData struct {
	Zone     *time.Location
	Webhooks []webhookRow
	Notices  []store.Notice
	Newest   bool
	Older    string
}

type webhookRow struct {
	*config.Webhook
	Tasks   int
	Waiting bool
	Next    time.Time // when its oldest waiting notice is tried next
}

// webhooksPage lists the webhooks, and the newest notices with how they went.
func (h *Handler) webhooksPage(w http.ResponseWriter, r *http.Request) error {
	return h.showWebhooks(w, r, nil)
}

func (h *Handler) showWebhooks(w http.ResponseWriter, r *http.Request, a *alert) error {
	snap := h.Agent.Snapshot()
	cursor := r.URL.Query().Get("cursor")
	notices, next, err := h.Store.Notices(r.Context(), store.Page{Cursor: cursor, Limit: perPage})
	if err != nil {
		return err
	}
	pending, err := h.Store.PendingWebhooks(r.Context())
	if err != nil {
		return err
	}
	d := webhooksData{Zone: defaultZone(snap), Notices: notices, Newest: cursor == "", Older: moreAddress("/webhooks", next, nil)}
	if snap != nil {
		users := h.catalog.get(snap).users
		for _, hook := range snap.Webhooks {
			row := webhookRow{Webhook: hook, Tasks: users[hook.Name]}
			row.Next, row.Waiting = pending[hook.Name]
			d.Webhooks = append(d.Webhooks, row)
		}
	}
	h.render(w, r, http.StatusOK, view{Page: "webhooks", Title: "Webhooks", Nav: "webhooks", Live: "notice revision", Alert: a, Address: address(r, "/webhooks"), Data: d})
	return nil
}

// testWebhook is the button that sends the test message.
func (h *Handler) testWebhook(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	result, err := h.Agent.TestWebhook(r.Context(), name)
	if err != nil {
		return err
	}
	took := words.Duration(time.Duration(result.DurationSeconds * float64(time.Second)))
	a := &alert{Good: result.Delivered, Text: fmt.Sprintf("The test message for %s was delivered in %s.", name, took)}
	if !result.Delivered {
		a.Text = fmt.Sprintf("The test message for %s was not delivered.", name)
		a.Detail = result.Detail
	}
	return h.showWebhooks(w, r, a)
}
