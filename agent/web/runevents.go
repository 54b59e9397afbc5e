package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/apimeld/agent/agent/run"
)

// glance is how often a live log is looked at when nothing says that it grew:
// the store may drop a note for a reader that is slow.
const glance = 5 * time.Second

// runEvents follows a run: event log brings rows for the page, state says
// that the rest of the page is out of date, and end that nothing follows. It
// goes on after Last-Event-ID, or ?after=.
func (h *Handler) runEvents(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	found, err := h.Store.FindRun(ctx, r.PathValue("ref"))
	if err != nil {
		return err
	}
	from := r.Header.Get("Last-Event-ID")
	if from == "" {
		from = r.URL.Query().Get("after")
	}
	// Watch before the first look, so that nothing falls in between.
	changes, stop := h.Store.Watch()
	defer stop()
	reader := newLogReader(h.Store, found.ID, parsePlace(from))
	drawer := logDrawer{zone: h.zone(found.TaskID), attempts: found.Attempts, attempt: reader.at.Attempt}
	s, err := openStream(w)
	if err != nil {
		return nil // the reader is gone
	}
	shown := progress(found)
	beat, look := time.NewTicker(heartbeat), time.NewTicker(glance)
	defer beat.Stop()
	defer look.Stop()
	for {
		// The run before its log: the log of one that is over is complete.
		current, err := h.Store.Run(ctx, found.ID)
		if err != nil {
			return nil // ended, pruned, or the store is in trouble: the reader asks anew
		}
		if err := h.sendLog(r, s, reader, &drawer); err != nil {
			return nil
		}
		if current.State.Final() {
			_ = s.send("end", "", string(current.State)) // the last word, to whoever listens
			return nil
		}
		if p := progress(current); p != shown {
			if err := s.send("state", "", string(current.State)); err != nil {
				return nil
			}
			shown = p
		}
		for again := true; again; {
			select {
			case <-ctx.Done():
				return nil
			case <-h.ctx.Done():
				return nil
			case c := <-changes:
				again = c.RunID != found.ID
			case <-look.C:
				again = false
			case <-beat.C:
				if err := s.beat(); err != nil {
					return nil
				}
			}
		}
	}
}

// progress is what tells two looks at a run apart.
func progress(r run.Run) string { return string(r.State) + strconv.Itoa(r.Attempt) }

// sendLog sends what the log has got since.
func (h *Handler) sendLog(r *http.Request, s *stream, reader *logReader, drawer *logDrawer) error {
	for {
		chunks, err := reader.chunks(r.Context())
		if err != nil || len(chunks) == 0 {
			return err
		}
		for _, c := range chunks {
			lines, err := reader.lines(c)
			if err != nil {
				return err
			}
			if err := s.send("log", reader.at.String(), strings.TrimSuffix(string(drawer.draw(lines)), "\n")); err != nil {
				return err
			}
		}
	}
}
