package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/apimeld/agent/agent/api"
)

const (
	// maxPause caps the wait between two reconnects.
	maxPause = 5 * time.Second
	// patience is how often in a row a reconnect may fail: about a minute and
	// a half, in which an agent is restarted.
	patience = 20
)

// Log calls line for each line of a run's log that is there behind a
// position, whose zero value is the beginning. An error of line ends it.
func (c *Client) Log(ctx context.Context, ref string, from api.Position, line func(api.Line) error) error {
	_, err := c.lines(ctx, ref, from, false, line)
	return err
}

// FollowLog is [Client.Log] that goes on until the run has ended, and returns
// the run as it ended. It reconnects when the connection is lost, also over a
// restart of the agent, and neither repeats a line nor leaves one out.
func (c *Client) FollowLog(ctx context.Context, ref string, from api.Position, line func(api.Line) error) (api.Run, error) {
	// A label or a beginning of an id may come to mean another run.
	r, err := c.Run(ctx, ref)
	if err != nil {
		return r, err
	}
	pause, failed := c.pause, 0
	for {
		var at api.Position
		at, err = c.lines(ctx, r.ID, from, true, line)
		if at != from {
			from, pause, failed = at, c.pause, 0
		}
		if stop, ok := errors.AsType[*lineError](err); ok {
			return r, stop.err
		}
		if err == nil {
			var now api.Run
			if now, err = c.Run(ctx, r.ID); err == nil {
				if r = now; r.State.Final() {
					return r, nil
				}
				failed = 0 // the agent is there, and only the stream has ended
			}
		}
		if answer, ok := errors.AsType[*Error](err); ok && answer.Status < http.StatusInternalServerError {
			return r, err
		}
		if failed++; failed > patience {
			return r, err
		}
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(pause):
			pause = min(2*pause, maxPause)
		}
	}
}

// A lineError is the caller's own error, which ends everything.
type lineError struct{ err error }

func (e *lineError) Error() string { return e.err.Error() }
func (e *lineError) Unwrap() error { return e.err }

// lines reads lines until the stream ends, and returns where it stands then.
func (c *Client) lines(ctx context.Context, ref string, from api.Position, follow bool, line func(api.Line) error) (api.Position, error) {
	query := url.Values{"format": {"ndjson"}}
	if from != (api.Position{}) {
		query.Set("after", from.String())
	}
	if follow {
		query.Set("follow", "true")
	}
	answer, err := c.do(ctx, http.MethodGet, runPath(ref)+"/log", query, nil)
	if err != nil {
		return from, err
	}
	defer answer.Body.Close()
	decoder := json.NewDecoder(bufio.NewReaderSize(answer.Body, 64<<10))
	for {
		var l api.Line
		if err := decoder.Decode(&l); err != nil {
			if errors.Is(err, io.EOF) {
				return from, nil
			}
			if ctx.Err() != nil {
				return from, ctx.Err()
			}
			return from, fmt.Errorf("read log from %s: %w", c.server, err)
		}
		if err := line(l); err != nil {
			return from, &lineError{err}
		}
		from = api.Position{Attempt: l.Attempt, Line: l.Number}
	}
}
