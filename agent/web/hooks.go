package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/run"
)

const (
	// maxPush bounds what a Git server tells about a push; none of it is used.
	maxPush = 4 << 20
	// maxPayload bounds what a run can be given. It gets it in one variable of
	// its environment, which the kernel bounds at 128 KiB (MAX_ARG_STRLEN).
	maxPayload = 100 << 10
	// maxRequest bounds what of a request goes into variables beside its body.
	maxRequest = 32 << 10
	// syncPatience is how long one sync in the background may take.
	syncPatience = 10 * time.Minute
)

// hookGit is what a Git server calls after a push. Nothing in the call is
// believed but that it happened, so it needs no signature as long as only
// this machine can make it.
func (h *Handler) hookGit(w http.ResponseWriter, r *http.Request) error {
	if !h.Loopback || h.Password() != "" || !fromHere(r) {
		return fmt.Errorf("this agent is reached from elsewhere, and unsigned pushes count on loopback only: %w\ncall POST %s/sync with the password instead, or let the interval do it", api.ErrForbidden, api.Prefix)
	}
	// Reading it lets the connection live on.
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxPush)); err != nil {
		return err
	}
	select {
	case h.nudge <- struct{}{}:
	default: // one is asked for already, and has not begun
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// syncInBackground syncs when it is asked to, one after the other, however
// many pushes come at once.
func (h *Handler) syncInBackground() {
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-h.nudge:
		}
		limited, done := context.WithTimeout(h.ctx, syncPatience)
		if _, err := h.Agent.Sync(limited); err != nil && h.ctx.Err() == nil {
			h.Log.Warn("sync after a push", "error", err)
		}
		done()
	}
}

// hookTask is the task trigger for other systems: its body is the run's payload.
func (h *Handler) hookTask(w http.ResponseWriter, r *http.Request) error {
	request := &run.Request{Params: map[string]string{}, Headers: map[string]string{}, At: h.Now()}
	for name, values := range r.URL.Query() {
		request.Params[name] = strings.Join(values, ",")
	}
	for name, values := range r.Header {
		if name = strings.ToLower(name); !credentials[name] {
			request.Headers[name] = strings.Join(values, ", ")
		}
	}
	size := 0
	for _, all := range []map[string]string{request.Params, request.Headers} {
		for name, value := range all {
			size += len(name) + len(value)
		}
	}
	if size > maxRequest {
		return fmt.Errorf("query and headers: %w\nthey may have %d KiB together; send more in the body", api.ErrInvalid, maxRequest>>10)
	}
	return h.trigger(w, r, run.Order{Trigger: run.Hook, Request: request})
}

// credentials are headers that are this agent's business, or a proxy's before it.
var credentials = map[string]bool{"authorization": true, "cookie": true, "proxy-authorization": true}

// trigger makes a run from a request and answers with it.
func (h *Handler) trigger(w http.ResponseWriter, r *http.Request, o run.Order) error {
	var err error
	if o.Payload, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload)); err != nil {
		return fmt.Errorf("read payload: %w", err)
	}
	made, err := h.Agent.Trigger(r.Context(), r.PathValue("id"), o)
	if err != nil {
		return err
	}
	w.Header().Set("Location", api.Prefix+"/runs/"+made.ID)
	return writeJSON(w, http.StatusCreated, api.FromRun(made, h.PublicURL, h.Now()))
}
