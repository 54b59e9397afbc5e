package web

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/run"
)

// How many items a list has when ?limit= is left out, and at most.
const (
	defaultLimit = 50
	maxLimit     = 500
)

// limitOf reads ?limit=.
func limitOf(r *http.Request) (int, error) {
	s := r.URL.Query().Get("limit")
	if s == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxLimit {
		return 0, fmt.Errorf("limit %q: %w\nuse a number from 1 to %d", s, api.ErrInvalid, maxLimit)
	}
	return n, nil
}

// apiTasks lists tasks by name: ?q= words, ?label=KEY=VALUE as often as
// wanted, ?limit=, ?cursor=.
func (h *Handler) apiTasks(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err := limitOf(r)
	if err != nil {
		return err
	}
	found := h.catalog.get(h.Agent.Snapshot()).find(q.Get("q"), parseLabels(q["label"]))
	rest, err := after(found, q.Get("cursor"))
	if err != nil {
		return err
	}
	shown := rest[:min(limit, len(rest))]
	page := api.Page[api.Task]{Items: make([]api.Task, len(shown))}
	ids := make([]string, len(shown))
	for i, e := range shown {
		ids[i] = e.task.ID
	}
	last, err := h.Store.LastRuns(r.Context(), ids)
	if err != nil {
		return err
	}
	for i, e := range shown {
		page.Items[i] = h.apiTaskOf(e.task)
		if run, ok := last[e.task.ID]; ok {
			page.Items[i].LastRun = new(api.FromRun(run, h.PublicURL, h.Now()))
		}
	}
	if len(rest) > limit {
		page.Next = shown[limit-1].cursor()
	}
	return writeJSON(w, http.StatusOK, page)
}

// apiTask is one task, with its next starts.
func (h *Handler) apiTask(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	task := h.Agent.Snapshot().Task(id)
	if task == nil {
		return h.unknownTask(id)
	}
	d := h.apiTaskOf(task)
	d.Nexts = apiTimes(h.nexts(task, nextStarts))
	last, err := h.Store.LastRuns(r.Context(), []string{id})
	if err != nil {
		return err
	}
	if run, ok := last[id]; ok {
		d.LastRun = new(api.FromRun(run, h.PublicURL, h.Now()))
	}
	return writeJSON(w, http.StatusOK, d)
}

// apiTrigger makes a run now; the request's body is its payload.
func (h *Handler) apiTrigger(w http.ResponseWriter, r *http.Request) error {
	return h.trigger(w, r, run.Order{Trigger: run.Manual})
}
