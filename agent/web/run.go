package web

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/config"
)

// logBudget is what the log on a page may cost; see [cost]. Longer logs come
// in parts.
const logBudget = 2 << 20

type runData struct {
	Run      run.Run
	Task     *config.Task // nil when it is no longer configured
	Zone     *time.Location
	Attempts []run.Attempt
	Notices  []store.Notice
	Log      template.HTML
	At       string // where the log on the page ends
	FromEnd  bool   // the page does not begin with the log's first line
	Next     string // address of the log's next part; empty when this is the last
}

// Told says in a few words how the run's notices stand.
func (d runData) Told() string {
	count := map[store.NoticeState]int{}
	for _, n := range d.Notices {
		count[n.State]++
	}
	var parts []string
	for _, s := range []struct {
		state store.NoticeState
		word  string
	}{{store.Delivered, "delivered"}, {store.Pending, "waiting"}, {store.Failed, "not delivered"}} {
		if n := count[s.state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.word))
		}
	}
	return strings.Join(parts, ", ")
}

// runPage shows a run: what became of it, its notices and its log.
func (h *Handler) runPage(w http.ResponseWriter, r *http.Request) error {
	ctx, ref := r.Context(), r.PathValue("ref")
	found, err := h.Store.FindRun(ctx, ref)
	if err != nil {
		return err
	}
	if found.ID != ref {
		http.Redirect(w, r, "/runs/"+found.ID, http.StatusFound)
		return nil
	}
	d := runData{Run: found, Task: h.Agent.Snapshot().Task(found.TaskID), Zone: h.zone(found.TaskID)}
	if d.Attempts, err = h.Store.Attempts(ctx, found.ID); err != nil {
		return err
	}
	if d.Notices, err = h.Store.RunNotices(ctx, found.ID); err != nil {
		return err
	}
	if err := h.logPart(r, &d); err != nil {
		return err
	}
	h.render(w, r, http.StatusOK, view{Page: "run", Title: fmt.Sprintf("%s #%d", found.TaskName, found.Number), Nav: "runs", Live: "notice", Data: d})
	return nil
}

// logPart draws the part of the log that ?log= names: start, end, or a place
// to go on from. Unless told, a run that is going shows the end.
func (h *Handler) logPart(r *http.Request, d *runData) error {
	ctx, want := r.Context(), r.URL.Query().Get("log")
	reader := newLogReader(h.Store, d.Run.ID, parsePlace(want))
	if want == "end" || want == "" && !d.Run.State.Final() {
		if err := reader.toEnd(ctx, logBudget); err != nil {
			return err
		}
	}
	d.FromEnd = reader.at.Attempt > 0
	drawer := logDrawer{zone: d.Zone, attempts: d.Run.Attempts, attempt: reader.at.Attempt}
	lines, more, err := reader.read(ctx, logBudget)
	if err != nil {
		return err
	}
	d.Log = drawer.parts(lines)
	d.At = reader.at.String()
	if more {
		d.Next = "/runs/" + d.Run.ID + "?" + url.Values{"log": {d.At}}.Encode()
	}
	return nil
}

// cancelRun is the button that ends a run.
func (h *Handler) cancelRun(w http.ResponseWriter, r *http.Request) error {
	found, err := h.Store.FindRun(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	// One that has just ended by itself is shown as it is.
	if err := h.Agent.Cancel(r.Context(), found.ID, who(r, "page")); err != nil && !errors.Is(err, api.ErrNotRunning) {
		return err
	}
	http.Redirect(w, r, "/runs/"+found.ID, http.StatusSeeOther)
	return nil
}
