package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/store"
)

// answer turns an action into a handler: what it returns becomes a page or
// problem details, whichever the request is for.
func (h *Handler) answer(a action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a(w, r); err != nil {
			h.fail(w, r, err)
		}
	})
}

// fail answers with an error. It must be called before anything was written.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // nobody listens any more
	}
	pruned, _ := errors.AsType[*store.PrunedError](err)
	err = translate(err)
	d := api.Problem(err)
	d.Instance = r.URL.Path
	if d.Status == http.StatusInternalServerError {
		h.Log.Error("answer request", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	w.Header().Set("Cache-Control", "no-store")
	if !forPeople(r) {
		writeProblem(w, d)
		return
	}
	v := failure{ProblemDetails: d}
	if pruned != nil {
		v.Pruned = pruned
	}
	h.render(w, r, d.Status, view{Page: "problem", Title: sentence(d.Title), Data: v})
}

// A failure is what the error page shows.
type failure struct {
	api.ProblemDetails
	Pruned *store.PrunedError
}

// translate gives the store's errors the API's words.
func translate(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w\nlook at the list of runs", api.ErrUnknownRun)
	case errors.Is(err, store.ErrAmbiguous):
		return fmt.Errorf("%w: %w", api.ErrAmbiguous, err)
	}
	if p, ok := errors.AsType[*store.PrunedError](err); ok {
		return fmt.Errorf("%s#%d ended with %s and is past what its retention keeps: %w", p.TaskID, p.Number, p.State, api.ErrPruned)
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fmt.Errorf("%w: at most %d bytes are taken", api.ErrTooLarge, tooLarge.Limit)
	}
	return err
}

// forPeople tells the pages from what programs ask for.
func forPeople(r *http.Request) bool {
	for _, prefix := range []string{"/api/", "/hooks/", inboxPath, "/healthz", "/readyz", "/metrics", "/events"} {
		if strings.HasPrefix(r.URL.Path, prefix) {
			return false
		}
	}
	return !strings.HasSuffix(r.URL.Path, "/events")
}

func writeProblem(w http.ResponseWriter, d api.ProblemDetails) {
	w.Header().Set("Content-Type", api.ProblemType)
	w.WriteHeader(d.Status)
	_, _ = w.Write(encode(d)) // nobody is left to tell
}

// writeJSON answers with a document.
func writeJSON(w http.ResponseWriter, status int, document any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(encode(document))
	return nil
}

// encode writes a document for people and programs alike.
func encode(document any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		panic(err) // the API's documents hold nothing that JSON cannot
	}
	return b.Bytes()
}

// sentence begins with a capital letter.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
