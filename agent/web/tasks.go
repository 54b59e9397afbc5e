package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/config"
)

// perPage is how many rows a page's list has.
const perPage = 50

// A taskRow is one line of the list of tasks.
type taskRow struct {
	Task *config.Task
	Zone *time.Location
	Last *run.Run
	Next time.Time
}

type tasksData struct {
	Query  string
	Labels []chosenLabel
	Rows   []taskRow
	Found  int
	Total  int
	First  int // of Found, from 1
	Last   int
	Newer  string // address of the page before; empty on the first
	Older  string
	Ready  bool
}

// A chosenLabel is a label that the list is filtered by, and the address without it.
type chosenLabel struct {
	label
	Without string
}

// tasksPage lists the tasks of the live revision.
func (h *Handler) tasksPage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	snap := h.Agent.Snapshot()
	c := h.catalog.get(snap)
	labels := parseLabels(q["label"])
	found := c.find(q.Get("q"), labels)

	pageNumber, _ := strconv.Atoi(q.Get("page")) // anything else is the first page
	pageNumber = max(1, min(pageNumber, (len(found)+perPage-1)/perPage))
	from := (pageNumber - 1) * perPage
	shown := found[from:min(len(found), from+perPage)]

	d := tasksData{Query: q.Get("q"), Found: len(found), Total: len(c.tasks), First: from + 1, Last: from + len(shown), Ready: snap != nil}
	for i, l := range labels {
		d.Labels = append(d.Labels, chosenLabel{l, tasksAddress(d.Query, slices.Delete(slices.Clone(labels), i, i+1), 1)})
	}
	if pageNumber > 1 {
		d.Newer = tasksAddress(d.Query, labels, pageNumber-1)
	}
	if d.Last < d.Found {
		d.Older = tasksAddress(d.Query, labels, pageNumber+1)
	}
	ids := make([]string, len(shown))
	for i, e := range shown {
		ids[i] = e.task.ID
	}
	last, err := h.Store.LastRuns(r.Context(), ids)
	if err != nil {
		return err
	}
	for _, e := range shown {
		row := taskRow{Task: e.task, Zone: h.zone(e.task.ID), Next: h.Agent.Next(e.task.ID)}
		if run, ok := last[e.task.ID]; ok {
			row.Last = &run
		}
		d.Rows = append(d.Rows, row)
	}
	h.render(w, r, http.StatusOK, view{Page: "tasks", Title: "Tasks", Nav: "tasks", Live: "run revision", Data: d})
	return nil
}

// tasksAddress is the address of a list of tasks.
func tasksAddress(query string, labels []label, page int) string {
	q := url.Values{}
	if query != "" {
		q.Set("q", query)
	}
	for _, l := range labels {
		q.Add("label", l.String())
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	if len(q) == 0 {
		return "/"
	}
	return "/?" + q.Encode()
}
