package web

import (
	"fmt"
	"net/http"

	"github.com/apimeld/agent/agent/api"
)

// healthz says that the agent answers and that its database does.
func (h *Handler) healthz(w http.ResponseWriter, r *http.Request) error {
	if err := h.Store.Ping(r.Context()); err != nil {
		h.Log.Error("ask database", "error", err)
		return fmt.Errorf("the database does not answer: %w", api.ErrNotReady)
	}
	return probe(w)
}

// readyz says that a revision is live and its schedules are at work.
func (h *Handler) readyz(w http.ResponseWriter, _ *http.Request) error {
	if !h.Agent.Status().Ready {
		return fmt.Errorf("no revision is live: %w", api.ErrNotReady)
	}
	return probe(w)
}

func probe(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte("ok\n"))
	return nil
}
