package web

import (
	"net/http"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/store"
)

// apiRevisions lists revisions, newest first: ?limit=, ?cursor=.
func (h *Handler) apiRevisions(w http.ResponseWriter, r *http.Request) error {
	limit, err := limitOf(r)
	if err != nil {
		return err
	}
	revisions, next, err := h.Store.Revisions(r.Context(), store.Page{Cursor: r.URL.Query().Get("cursor"), Limit: limit})
	if err != nil {
		return err
	}
	page := api.Page[api.Revision]{Items: make([]api.Revision, len(revisions)), Next: next}
	for i, rev := range revisions {
		page.Items[i] = apiRevision(rev)
	}
	return writeJSON(w, http.StatusOK, page)
}

// apiWebhooks lists the webhooks of the live revision, all on one page.
func (h *Handler) apiWebhooks(w http.ResponseWriter, _ *http.Request) error {
	page := api.Page[api.Webhook]{Items: []api.Webhook{}}
	if snap := h.Agent.Snapshot(); snap != nil {
		users := h.catalog.get(snap).users
		for _, hook := range snap.Webhooks {
			page.Items = append(page.Items, apiWebhook(hook, users[hook.Name]))
		}
	}
	return writeJSON(w, http.StatusOK, page)
}

// apiTest sends a webhook's test message now.
func (h *Handler) apiTest(w http.ResponseWriter, r *http.Request) error {
	result, err := h.Agent.TestWebhook(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}

// apiStatus says how the agent is doing.
func (h *Handler) apiStatus(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, h.Agent.Status())
}

// apiSync looks at the source now and answers with what that came to.
func (h *Handler) apiSync(w http.ResponseWriter, r *http.Request) error {
	result, err := h.Agent.Sync(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}
