package web

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/store"
)

type runsData struct {
	Zone   func(taskID string) *time.Location
	State  run.State
	States []run.State
	Runs   []run.Run
	Newest bool
	Older  string
}

// runsPage lists the runs of all tasks.
func (h *Handler) runsPage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	d := runsData{Zone: h.zone, States: run.States(), Newest: q.Get("cursor") == ""}
	filter := store.RunFilter{Page: store.Page{Cursor: q.Get("cursor"), Limit: perPage}}
	keep := url.Values{}
	if s := run.State(q.Get("state")); slices.Contains(d.States, s) {
		d.State = s
		filter.States = []run.State{s}
		keep.Set("state", string(s))
	}
	runs, next, err := h.Store.Runs(r.Context(), filter)
	if err != nil {
		return err
	}
	d.Runs, d.Older = runs, moreAddress("/runs", next, keep)
	h.render(w, r, http.StatusOK, view{Page: "runs", Title: "Runs", Nav: "runs", Live: "run", Data: d})
	return nil
}

// moreAddress is where a list goes on; empty when it does not.
func moreAddress(path, cursor string, keep url.Values) string {
	if cursor == "" {
		return ""
	}
	q := url.Values{"cursor": {cursor}}
	for k, v := range keep {
		q[k] = v
	}
	return path + "?" + q.Encode()
}
