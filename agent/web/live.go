package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	// heartbeat keeps proxies from closing a stream in which nothing happens.
	heartbeat = 15 * time.Second
	// patience is how long one event may take to be written before the
	// reader counts as gone. A server's WriteTimeout would count from the
	// request on, and cut every stream.
	patience = 30 * time.Second
	// pace is the least time between two notes that something changed.
	pace = time.Second
)

// A stream is a response of server-sent events.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// openStream begins a response of server-sent events.
func openStream(w http.ResponseWriter) (*stream, error) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	s := &stream{w: w, control: http.NewResponseController(w)}
	w.WriteHeader(http.StatusOK)
	return s, s.write(": ready\n\n")
}

// send sends an event. Line ends in data are line ends for the reader.
func (s *stream) send(event, id, data string) error {
	var b strings.Builder
	if id != "" {
		b.WriteString("id: " + id + "\n")
	}
	b.WriteString("event: " + event + "\n")
	for line := range strings.SplitSeq(data, "\n") {
		b.WriteString("data: " + line + "\n")
	}
	b.WriteByte('\n')
	return s.write(b.String())
}

// beat shows that the stream lives.
func (s *stream) beat() error { return s.write(": \n\n") }

func (s *stream) write(text string) error {
	// A writer without deadlines (a test's recorder) has no timeout to lift either.
	_ = s.control.SetWriteDeadline(time.Now().Add(patience))
	if _, err := s.w.Write([]byte(text)); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}

// events tells an open page what kind of thing has changed, so that it can
// fetch itself anew: run, revision, notice or inbox.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) error {
	changes, stop := h.Store.Watch()
	defer stop()
	var arrived <-chan struct{}
	if h.Inbox != nil {
		var leave func()
		arrived, leave = h.Inbox.watch()
		defer leave()
	}
	s, err := openStream(w)
	if err != nil {
		return nil // the reader is gone
	}
	pending := map[string]bool{}
	var due <-chan time.Time
	var last time.Time
	note := func(kind string) {
		pending[kind] = true
		if due == nil {
			due = time.After(max(0, pace-time.Since(last)))
		}
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return nil
		case <-h.ctx.Done():
			return nil
		case c := <-changes:
			if c.RunID != "" {
				note("run")
			}
			if c.Revision {
				note("revision")
			}
			if c.Notices {
				note("notice")
			}
		case <-arrived:
			note("inbox")
		case <-due:
			for kind := range pending {
				if err := s.send("change", "", kind); err != nil {
					return nil
				}
			}
			clear(pending)
			due, last = nil, time.Now()
		case <-beat.C:
			if err := s.beat(); err != nil {
				return nil
			}
		}
	}
}
