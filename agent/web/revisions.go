package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/store"
	"github.com/apimeld/agent/agent/web/words"
	"github.com/apimeld/agent/schema"
)

// shownProblems is how many problems of a revision its page shows.
const shownProblems = 100

type revisionsData struct {
	Zone      *time.Location
	Revisions []revisionRow
	Newest    bool
	Older     string
}

type revisionRow struct {
	store.Revision
	Shown []problemRow
	More  int
}

// A problemRow is a problem with its source line drawn as an editor would.
type problemRow struct {
	schema.Problem
	Gutter string // the line's number, or blanks of that width
	Caret  string // blanks up to the column, and a caret
}

// revisionsPage lists what commits became.
func (h *Handler) revisionsPage(w http.ResponseWriter, r *http.Request) error {
	return h.showRevisions(w, r, nil)
}

func (h *Handler) showRevisions(w http.ResponseWriter, r *http.Request, a *alert) error {
	cursor := r.URL.Query().Get("cursor")
	revisions, next, err := h.Store.Revisions(r.Context(), store.Page{Cursor: cursor, Limit: perPage})
	if err != nil {
		return err
	}
	d := revisionsData{Zone: defaultZone(h.Agent.Snapshot()), Newest: cursor == "", Older: moreAddress("/revisions", next, nil)}
	for _, rev := range revisions {
		row := revisionRow{Revision: rev}
		for _, p := range rev.Problems[:min(len(rev.Problems), shownProblems)] {
			row.Shown = append(row.Shown, drawProblem(p))
		}
		row.More = len(rev.Problems) - len(row.Shown)
		d.Revisions = append(d.Revisions, row)
	}
	h.render(w, r, http.StatusOK, view{Page: "revisions", Title: "Revisions", Nav: "revisions", Live: "revision", Alert: a, Address: address(r, "/revisions"), Data: d})
	return nil
}

func drawProblem(p schema.Problem) problemRow {
	row := problemRow{Problem: p}
	if p.Source == "" || p.Line == 0 {
		row.Source = ""
		return row
	}
	row.Gutter = fmt.Sprint(p.Line)
	var blanks strings.Builder
	column := 1
	for _, c := range p.Source {
		if column >= p.Column {
			break
		}
		// A tab stays one, so that the caret stands below its character however wide tabs are.
		if c != '\t' {
			c = ' '
		}
		blanks.WriteRune(c)
		column++
	}
	if p.Column > 0 {
		row.Caret = blanks.String() + "^"
	}
	return row
}

// syncNow is the button that looks at the source.
func (h *Handler) syncNow(w http.ResponseWriter, r *http.Request) error {
	result, err := h.Agent.Sync(r.Context())
	if err != nil {
		d := api.Problem(err)
		return h.showRevisions(w, r, &alert{Text: sentence(d.Title) + ".", Detail: d.Detail})
	}
	a := &alert{Good: true}
	switch result.State {
	case api.SyncLive:
		a.Text = fmt.Sprintf("Revision %s is live.", short(result.Revision))
	case api.SyncRejected:
		a.Good = false
		a.Text = fmt.Sprintf("Revision %s is rejected: it has %s.", short(result.Revision), words.Count(int64(len(result.Problems)), "problem"))
		a.Detail = "The last good revision goes on."
	default:
		a.Text = fmt.Sprintf("Nothing new: revision %s is live already.", short(result.Revision))
	}
	return h.showRevisions(w, r, a)
}
