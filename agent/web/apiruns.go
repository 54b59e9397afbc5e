package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/store"
)

// apiRuns lists runs, newest first: ?task=, ?state= (several, by commas or by
// repeating), ?include=attempts,notices, ?limit=, ?cursor=.
func (h *Handler) apiRuns(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err := limitOf(r)
	if err != nil {
		return err
	}
	filter := store.RunFilter{TaskID: q.Get("task"), Page: store.Page{Cursor: q.Get("cursor"), Limit: limit}}
	for _, s := range split(q["state"]) {
		state := run.State(s)
		if !slices.Contains(run.States(), state) {
			return fmt.Errorf("state %q: %w\nuse queued, running, success, failure, timeout, cancelled, skipped or lost", s, api.ErrInvalid)
		}
		filter.States = append(filter.States, state)
	}
	var attempts, notices bool
	for _, s := range split(q["include"]) {
		switch s {
		case "attempts":
			attempts = true
		case "notices":
			notices = true
		default:
			return fmt.Errorf("include %q: %w\nuse attempts or notices", s, api.ErrInvalid)
		}
	}
	runs, next, err := h.Store.Runs(r.Context(), filter)
	if err != nil {
		return err
	}
	page := api.Page[api.Run]{Items: make([]api.Run, len(runs)), Next: next}
	for i, one := range runs {
		if page.Items[i], err = h.apiRunOf(r.Context(), one, attempts, notices); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, page)
}

// apiRun is one run with its attempts and notices. What names it is an id, a
// unique beginning of one, or TASK#NUMBER.
func (h *Handler) apiRun(w http.ResponseWriter, r *http.Request) error {
	found, err := h.Store.FindRun(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	d, err := h.apiRunOf(r.Context(), found, true, true)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, d)
}

func (h *Handler) apiRunOf(ctx context.Context, r run.Run, attempts, notices bool) (api.Run, error) {
	d := api.FromRun(r, h.PublicURL, h.Now())
	if attempts {
		all, err := h.Store.Attempts(ctx, r.ID)
		if err != nil {
			return d, err
		}
		for _, a := range all {
			d.Attempts = append(d.Attempts, api.FromAttempt(a, h.Now()))
		}
	}
	if notices {
		all, err := h.Store.RunNotices(ctx, r.ID)
		if err != nil {
			return d, err
		}
		for _, n := range all {
			d.Notices = append(d.Notices, apiNotice(n))
		}
	}
	return d, nil
}

// apiCancel ends a run. It answers with the run as it stands: the end itself
// takes as long as its processes take to go.
func (h *Handler) apiCancel(w http.ResponseWriter, r *http.Request) error {
	found, err := h.Store.FindRun(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	if err := h.Agent.Cancel(r.Context(), found.ID, who(r, "API")); err != nil {
		return err
	}
	if found, err = h.Store.Run(r.Context(), found.ID); err != nil {
		return err
	}
	return writeJSON(w, http.StatusAccepted, api.FromRun(found, h.PublicURL, h.Now()))
}

// apiNotices lists a run's notices with their delivery attempts.
func (h *Handler) apiNotices(w http.ResponseWriter, r *http.Request) error {
	found, err := h.Store.FindRun(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	notices, err := h.Store.RunNotices(r.Context(), found.ID)
	if err != nil {
		return err
	}
	page := api.Page[api.Notice]{Items: make([]api.Notice, len(notices))}
	for i, n := range notices {
		page.Items[i] = apiNotice(n)
	}
	return writeJSON(w, http.StatusOK, page)
}

// split reads a list that is given by commas, by repeating, or both.
func split(values []string) []string {
	return strings.FieldsFunc(strings.Join(values, ","), func(c rune) bool { return c == ',' || c == ' ' })
}
