package api

import (
	"errors"
	"net/http"
	"strings"
)

// The errors that the API tells apart. Whoever answers a request wraps one of
// them; the client's errors match them too.
var (
	ErrInvalid        = errors.New("invalid request")
	ErrUnauthorized   = errors.New("password needed")
	ErrForbidden      = errors.New("forbidden")
	ErrNoPage         = errors.New("no such address")
	ErrUnknownTask    = errors.New("unknown task")
	ErrUnknownRun     = errors.New("unknown run")
	ErrUnknownWebhook = errors.New("unknown webhook")
	ErrMethod         = errors.New("method not allowed")
	ErrDisabled       = errors.New("task is disabled")
	ErrNotRunning     = errors.New("run has ended already")
	ErrAmbiguous      = errors.New("ambiguous run")
	ErrPruned         = errors.New("run is no longer kept")
	ErrTooLarge       = errors.New("request too large")
	ErrTooMany        = errors.New("too many wrong passwords")
	ErrInternal       = errors.New("internal error")
	ErrSource         = errors.New("source is out of reach")
	ErrNotReady       = errors.New("agent is not ready yet")
)

// problems is the one place that gives an error its status. The first entry
// whose error matches counts.
var problems = []struct {
	err    error
	kind   string // what stands at the end of [ProblemDetails.Type]
	status int
}{
	{ErrInvalid, "invalid-request", http.StatusBadRequest},
	{ErrUnauthorized, "unauthorized", http.StatusUnauthorized},
	{ErrForbidden, "forbidden", http.StatusForbidden},
	{ErrNoPage, "no-such-address", http.StatusNotFound},
	{ErrUnknownTask, "unknown-task", http.StatusNotFound},
	{ErrUnknownRun, "unknown-run", http.StatusNotFound},
	{ErrUnknownWebhook, "unknown-webhook", http.StatusNotFound},
	{ErrMethod, "method-not-allowed", http.StatusMethodNotAllowed},
	{ErrDisabled, "task-disabled", http.StatusConflict},
	{ErrNotRunning, "run-ended", http.StatusConflict},
	{ErrAmbiguous, "ambiguous-run", http.StatusConflict},
	{ErrPruned, "run-pruned", http.StatusGone},
	{ErrTooLarge, "too-large", http.StatusRequestEntityTooLarge},
	{ErrTooMany, "too-many-tries", http.StatusTooManyRequests},
	{ErrSource, "source-unreachable", http.StatusBadGateway},
	{ErrNotReady, "not-ready", http.StatusServiceUnavailable},
	{ErrInternal, "internal-error", http.StatusInternalServerError},
}

// typePrefix begins each problem's type. A name, not an address: nothing needs to be looked up.
const typePrefix = "urn:apimeld:problem:"

// ProblemType is the media type of [ProblemDetails].
const ProblemType = "application/problem+json"

// ProblemDetails are an error as RFC 9457 has it.
type ProblemDetails struct {
	Type     string `json:"type"`  // urn:apimeld:problem:…, stable
	Title    string `json:"title"` // the same for all of a type
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`   // about this one, for people
	Hint     string `json:"hint,omitempty"`     // what to do about it
	Instance string `json:"instance,omitempty"` // the request's path
}

// Problem turns an error into problem details. What wraps none of the errors
// above is an internal error, whose text is not for the outside.
func Problem(err error) ProblemDetails {
	for _, p := range problems {
		if !errors.Is(err, p.err) {
			continue
		}
		d := ProblemDetails{Type: typePrefix + p.kind, Title: p.err.Error(), Status: p.status}
		// By the house's custom an error's first line says what happened, the next the way out.
		d.Detail, d.Hint, _ = strings.Cut(err.Error(), "\n")
		if p.err == ErrInternal || d.Detail == d.Title {
			d.Detail = ""
		}
		return d
	}
	return Problem(ErrInternal)
}

// Err is the error that the details came from, or nil for a type unknown here.
func (d ProblemDetails) Err() error {
	for _, p := range problems {
		if d.Type == typePrefix+p.kind {
			return p.err
		}
	}
	return nil
}
