package web

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/runlog"
)

// runLog is a run's whole log as plain text, as a page.
func (h *Handler) runLog(w http.ResponseWriter, r *http.Request) error {
	found, err := h.Store.FindRun(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", fmt.Sprintf(`inline; filename="%s-%d.log"`, found.TaskID, found.Number))
	return h.writeLog(w, r, found)
}

// apiLog is the same for programs.
func (h *Handler) apiLog(w http.ResponseWriter, r *http.Request) error {
	found, err := h.Store.FindRun(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	return h.writeLog(w, r, found)
}

// writeLog writes a log as text, or with ?format=ndjson as one api.Line a
// line; ?timestamps=true puts the time before each line of text,
// ?after=ATTEMPT.LINE begins behind a line, and ?follow=true goes on until
// the run has ended.
func (h *Handler) writeLog(w http.ResponseWriter, r *http.Request, found run.Run) error {
	q := r.URL.Query()
	after, err := api.ParsePosition(q.Get("after"))
	if err != nil {
		return err
	}
	follow, err := flag(q.Get("follow"), "follow")
	if err != nil {
		return err
	}
	timestamps, err := flag(q.Get("timestamps"), "timestamps")
	if err != nil {
		return err
	}
	out := &logWriter{Writer: bufio.NewWriterSize(w, 64<<10), control: http.NewResponseController(w), after: after}
	switch format := q.Get("format"); format {
	case "", "text":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		zone := h.zone(found.TaskID)
		out.line = func(l api.Line) { out.text(l, timestamps, zone) }
	case "ndjson":
		w.Header().Set("Content-Type", "application/x-ndjson")
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		out.line = func(l api.Line) { _ = encoder.Encode(l) } // the writer keeps its error
	default:
		return fmt.Errorf("log format %q: %w\nuse text or ndjson", format, api.ErrInvalid)
	}
	w.Header().Set("Cache-Control", "no-store")
	// Watch before the first look, so that nothing falls in between.
	changes, stop := h.Store.Watch()
	defer stop()
	reader := newLogReader(h.Store, found.ID, place{})
	current := found
	look := time.NewTicker(glance)
	defer look.Stop()
	for {
		if err := out.copy(r, reader); err != nil {
			h.Log.Debug("write log", "run", found.ID, "error", err)
			return nil // too late for another answer
		}
		if !follow || current.State.Final() {
			return nil
		}
		for again := true; again; {
			select {
			case <-r.Context().Done():
				return nil
			case <-h.ctx.Done():
				return nil
			case c := <-changes:
				again = c.RunID != found.ID
			case <-look.C:
				again = false
			}
		}
		// The run before its log: the log of one that is over is complete.
		if current, err = h.Store.Run(r.Context(), found.ID); err != nil {
			return nil // a follower sees the end of the stream, and asks anew
		}
	}
}

// A logWriter writes lines, a part at a time, however long that takes.
type logWriter struct {
	*bufio.Writer
	control *http.ResponseController
	after   api.Position
	line    func(api.Line)
}

// copy writes all lines that are there, and flushes.
func (w *logWriter) copy(r *http.Request, reader *logReader) error {
	for {
		chunks, err := reader.chunks(r.Context())
		if err != nil {
			return err
		}
		for _, c := range chunks {
			lines, err := reader.lines(c)
			if err != nil {
				return err
			}
			for _, l := range lines {
				if line := api.FromLine(l.Attempt, l.Line); w.after.Before(line) {
					w.line(line)
				}
			}
			_ = w.control.SetWriteDeadline(time.Now().Add(patience)) // a test's recorder has none
			if err := w.Flush(); err != nil {
				return err
			}
		}
		if len(chunks) == 0 {
			return w.control.Flush() // the headers at least
		}
	}
}

// text writes a line as a terminal would have shown it, its level before it.
func (w *logWriter) text(l api.Line, timestamps bool, zone *time.Location) {
	if timestamps {
		_, _ = w.WriteString(l.Time.In(zone).Format("2006-01-02T15:04:05.000Z07:00 "))
	}
	switch {
	case l.Stream == runlog.Agent:
		_, _ = w.WriteString("[agent] ")
	case l.Level != "":
		_, _ = w.WriteString(string(l.Level) + ": ")
	}
	_, _ = w.WriteString(l.Text)
	_ = w.WriteByte('\n') // the writer keeps its error
}

// flag reads a yes or no of an address.
func flag(value, name string) (bool, error) {
	if value == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(value)
	if err != nil {
		return false, fmt.Errorf("%s=%q: %w\nuse true or false", name, value, api.ErrInvalid)
	}
	return b, nil
}
