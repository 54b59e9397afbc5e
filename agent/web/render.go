package web

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/agent/web/markup"
	"github.com/apimeld/agent/agent/web/words"
	"github.com/apimeld/agent/config"
)

// pages are the templates by name: each is the layout with one page's blocks.
type pages map[string]*template.Template

// A view is what a page is drawn from.
type view struct {
	Page  string // name of its template, style and script
	Title string
	Nav   string // which entry of the navigation is current
	Live  string // which changes the open page follows: run, revision, notice, inbox
	Alert *alert
	Data  any

	// Address is where the page is to be had again; it says so itself when it
	// answers to a button.
	Address string

	// The rest is filled in by render.
	Status api.Status
	Inbox  bool
	Style  string
	Script string
}

// An alert says at the top of a page what came of a button.
type alert struct {
	Good   bool
	Text   string
	Detail string
}

// loadPages parses the layout, the parts and every page over them.
func (h *Handler) loadPages() (pages, error) {
	base, err := template.New("").Funcs(h.functions()).ParseFS(files, "page/layout.html", "page/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse layout: %w", err)
	}
	names, err := fs.Glob(files, "page/*.html")
	if err != nil {
		return nil, fmt.Errorf("list pages: %w", err)
	}
	p := pages{}
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		t, err := base.Clone()
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		if p[name], err = t.ParseFS(files, file); err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
	}
	return p, nil
}

// render answers with a page. An error while it is drawn is answered as one,
// since nothing has been written yet.
func (h *Handler) render(w http.ResponseWriter, r *http.Request, status int, v view) {
	v.Status = h.Agent.Status()
	v.Inbox = h.Inbox != nil
	if v.Address == "" {
		v.Address = r.URL.RequestURI()
	}
	if h.assets.has(v.Page + ".css") {
		v.Style = v.Page + ".css"
	}
	if h.assets.has(v.Page + ".js") {
		v.Script = v.Page + ".js"
	}
	var b bytes.Buffer
	if err := h.pages[v.Page].ExecuteTemplate(&b, "layout", v); err != nil {
		h.Log.Error("draw page", "page", v.Page, "path", r.URL.Path, "error", err)
		http.Error(w, "This page could not be drawn; the agent's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // nobody is left to tell
}

// functions are what templates may call.
func (h *Handler) functions() template.FuncMap {
	return template.FuncMap{
		"asset":    h.assets.address,
		"ago":      func(t time.Time, zone *time.Location) template.HTML { return relative(t, zone, h.Now()) },
		"stamp":    stamp,
		"clock":    clock,
		"lasted":   func(r run.Run) template.HTML { return lasted(r, h.Now()) },
		"duration": words.Duration,
		"seconds":  func(s float64) string { return words.Duration(time.Duration(s * float64(time.Second))) },
		"number":   func(n any) string { return words.Number(toInt(n)) },
		"count":    func(n any, noun string) string { return words.Count(toInt(n), noun) },
		"bytes":    words.Bytes,
		"cron":     words.Cron,
		"markdown": markup.Markdown,
		"terminal": markup.Terminal,
		"short":    short,
		"stateName": func(s run.State) string {
			return stateNames[s]
		},
		"sentence": sentence,
		"list":     func(items ...any) []any { return items },
		"repeats":  repeats,
		"UTC":      func() *time.Location { return time.UTC },
	}
}

// repeats says how often a webhook is told of trouble, when that is not always.
func repeats(d time.Duration) string {
	switch {
	case d == config.RepeatChanges:
		return "changes only"
	case d > 0:
		return "at most one in " + words.Duration(d)
	}
	return ""
}

// stateNames are the states as people read them.
var stateNames = map[run.State]string{
	run.Queued:    "Queued",
	run.Running:   "Running",
	run.Success:   "Success",
	run.Failure:   "Failed",
	run.Timeout:   "Timed out",
	run.Cancelled: "Cancelled",
	run.Skipped:   "Skipped",
	run.Lost:      "Lost",
}

func toInt(n any) int64 {
	switch n := n.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

// short is a revision as people quote it.
func short(revision string) string { return revision[:min(len(revision), 10)] }

// absolute is an instant in full, in its zone.
func absolute(t time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone).Format("2006-01-02 15:04:05 MST")
}

// relative is an instant as seen from now; the script keeps it true.
func relative(t time.Time, zone *time.Location, now time.Time) template.HTML {
	if t.IsZero() {
		return `<span class="none">–</span>`
	}
	return element(t, absolute(t, zone), words.Relative(t, now), " data-ago")
}

// stamp is an instant in full.
func stamp(t time.Time, zone *time.Location) template.HTML {
	if t.IsZero() {
		return `<span class="none">–</span>`
	}
	return element(t, t.UTC().Format(time.RFC3339Nano), absolute(t, zone), "")
}

// clock is an instant's time of day; all of it is in its title.
func clock(t time.Time, zone *time.Location) template.HTML {
	if zone == nil {
		zone = time.UTC
	}
	return element(t, absolute(t, zone), t.In(zone).Format("15:04:05"), "")
}

func element(t time.Time, title, text, attribute string) template.HTML {
	return template.HTML(`<time datetime="` + t.UTC().Format("2006-01-02T15:04:05.000Z") + `" title="` +
		template.HTMLEscapeString(title) + `"` + attribute + `>` + template.HTMLEscapeString(text) + `</time>`)
}

// lasted is how long a run took; the script counts on while it is going.
func lasted(r run.Run, now time.Time) template.HTML {
	switch {
	case r.Started.IsZero():
		return `<span class="none">–</span>`
	case r.Ended.IsZero():
		return template.HTML(`<span data-since="` + strconv.FormatInt(r.Started.UnixMilli(), 10) + `">` + words.Duration(r.Duration(now).Truncate(time.Second)) + `</span>`)
	}
	return template.HTML(words.Duration(r.Duration(now)))
}

// address is where a page is to be had that may answer to a button.
func address(r *http.Request, path string) string {
	if r.Method == http.MethodGet {
		return r.URL.RequestURI()
	}
	return path
}
