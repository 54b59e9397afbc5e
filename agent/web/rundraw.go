package web

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apimeld/agent/agent/runlog"
	"github.com/apimeld/agent/agent/web/markup"
)

// A logDrawer turns lines into the rows of a log, the same on the page and in
// its events.
type logDrawer struct {
	zone     *time.Location
	attempts int // how many the run may have
	attempt  int // of the line before
}

// marks are what a row says beside its text, so that no line is told by colour alone.
var marks = map[runlog.Level]string{runlog.Debug: "debug", runlog.Info: "info", runlog.Warning: "warn", runlog.Error: "error"}

// partLines is how many lines a browser lays out together.
const partLines = 500

// parts draws lines for a page, in parts of which a browser lays out those
// that are looked at.
func (d *logDrawer) parts(lines []logLine) template.HTML {
	var b strings.Builder
	for part := range slices.Chunk(lines, partLines) {
		class := "part"
		if len(part) == partLines {
			class = "part many"
		}
		b.WriteString(`<div class="` + class + `">`)
		b.WriteString(string(d.draw(part)))
		b.WriteString("</div>\n")
	}
	return template.HTML(b.String())
}

// draw writes by hand what a template would take ten times as long for.
func (d *logDrawer) draw(lines []logLine) template.HTML {
	var b strings.Builder
	for _, l := range lines {
		if l.Attempt != d.attempt {
			if d.attempts > 1 || l.Attempt > 1 {
				fmt.Fprintf(&b, `<div class="turn">Attempt %d</div>`, l.Attempt)
			}
			d.attempt = l.Attempt
		}
		class, mark := "ln", ""
		switch l.Stream {
		case runlog.Stderr:
			class, mark = "ln stderr", "err"
		case runlog.Logger:
			mark = marks[l.Level]
			class = "ln logger " + mark
		case runlog.Agent:
			class, mark = "ln agent", "agent"
		}
		n := strconv.FormatInt(l.Number, 10)
		id := "L" + strconv.Itoa(l.Attempt) + "-" + n
		b.WriteString(`<div class="` + class + `" id="` + id + `"><a href="#` + id + `">` + n + `</a><time>`)
		b.WriteString(l.Time.In(d.zone).Format("15:04:05.000"))
		b.WriteString(`</time><i>` + mark + `</i><span>`)
		b.WriteString(string(markup.Terminal(l.Text)))
		b.WriteString("</span></div>\n")
	}
	return template.HTML(b.String())
}
