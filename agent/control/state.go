package control

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"
)

// MaxKey and MaxValue bound what a task remembers, in bytes: one key, and the
// JSON of one value.
const (
	MaxKey   = 256
	MaxValue = 64 << 10
)

func (s *Server) getState(w http.ResponseWriter, r *http.Request) {
	runID, ok := s.whose(w, r)
	if !ok {
		return
	}
	value, err := s.agent.State(r.Context(), runID, r.URL.Query().Get("key"))
	switch {
	case err != nil:
		s.refused(w, runID, "read a task's state", err)
	case value == nil:
		refuse(w, http.StatusNotFound, "not set", fmt.Sprintf("the state has no %q", r.URL.Query().Get("key")))
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(value)
	}
}

// setState stores the value in the request's body, or takes the key away.
func (s *Server) setState(w http.ResponseWriter, r *http.Request) {
	runID, ok := s.whose(w, r)
	if !ok {
		return
	}
	key := r.URL.Query().Get("key")
	if key == "" || len(key) > MaxKey || !utf8.ValidString(key) {
		refuse(w, http.StatusUnprocessableEntity, "bad key", fmt.Sprintf("a key of the state is text of 1 to %d bytes", MaxKey))
		return
	}
	var value []byte
	if r.Method == http.MethodPut {
		var err error
		value, err = io.ReadAll(http.MaxBytesReader(w, r.Body, MaxValue))
		switch {
		case err != nil:
			refuse(w, http.StatusRequestEntityTooLarge, "value too large", fmt.Sprintf("the value of %q is larger than %d KiB as JSON", key, MaxValue>>10))
			return
		case !json.Valid(value):
			refuse(w, http.StatusUnprocessableEntity, "bad value", fmt.Sprintf("the value of %q is not JSON", key))
			return
		}
	}
	if err := s.agent.SetState(r.Context(), runID, key, value); err != nil {
		s.refused(w, runID, "store a task's state", err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
