package notify

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// headings begin the message of each event.
var headings = map[Event]string{
	Success:   "✅ **ApiMeld — Task Succeeded**",
	Failure:   "❌ **ApiMeld — Task Failed**",
	Timeout:   "⏱ **ApiMeld — Task Timed Out**",
	Start:     "▶️ **ApiMeld — Task Started**",
	Recovered: "✅ **ApiMeld — Task Recovered**",
	Cancelled: "🚫 **ApiMeld — Task Cancelled**",
	Skipped:   "⏭ **ApiMeld — Task Skipped**",
	Lost:      "❓ **ApiMeld — Task Lost**",
}

// logLink begins the last line of a message about a run.
const logLink = "[View full log →"

// Render is a report as Mattermost's Markdown. A line of its own for each
// fact reads well on a phone; Mattermost keeps single line ends.
func Render(r Report) string {
	var b strings.Builder
	b.WriteString(headings[r.Event])
	if mentions := mentions(r.Mentions); mentions != "" {
		b.WriteString(" " + mentions)
	}
	b.WriteByte('\n')
	field := func(name, value string) {
		if value != "" {
			b.WriteString("**" + name + ":** " + value + "\n")
		}
	}
	field("Task", Inline(cutRunes(r.TaskName, maxInline)))
	field("Status", status(r))
	if r.Attempts > 1 && r.Attempt > 0 {
		field("Attempts", fmt.Sprintf("%d of %d", r.Attempt, r.Attempts))
	}
	if r.LeftOut > 0 {
		field("Not told before", fmt.Sprintf("%d more like this", r.LeftOut))
	}
	field("Reason", Inline(cutRunes(r.Reason, maxInline)))
	if !r.Started.IsZero() {
		field("Started", r.Started.Format("2006-01-02 15:04:05 MST"))
		if r.Event != Start {
			field("Duration", Duration(r.Duration))
		}
	}
	if output := fenced(r.Output, r.OutputBefore); output != "" {
		b.WriteString("**Output:**\n" + output)
	}
	if r.URL != "" {
		b.WriteString(logLink + "](" + r.URL + ")")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// status is the word for the event, with what there is to know about it.
func status(r Report) string {
	switch r.Event {
	case Success:
		return "Success"
	case Recovered:
		if r.Troubles > 1 {
			return fmt.Sprintf("Success (after %d troubled runs)", r.Troubles)
		}
		return "Success (the run before was not)"
	case Failure:
		switch {
		case r.ExitCode != nil:
			return "Failed (exit code " + strconv.Itoa(*r.ExitCode) + ")"
		case r.Signal != "":
			return "Failed (signal: " + Inline(r.Signal) + ")"
		}
		return "Failed"
	case Timeout:
		return "Timed Out (after " + Duration(r.Timeout) + ")"
	case Start:
		return "Running"
	}
	return strings.ToUpper(string(r.Event[:1])) + string(r.Event[1:])
}

// Duration is a time span as people read it: 12.4s, 30m, 1h 5m.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return trimTenth(d)
	case d < time.Hour:
		d = d.Round(time.Second)
		return join(d/time.Minute, "m", d%time.Minute/time.Second, "s")
	case d < 48*time.Hour:
		d = d.Round(time.Minute)
		return join(d/time.Hour, "h", d%time.Hour/time.Minute, "m")
	}
	d = d.Round(time.Hour)
	return join(d/(24*time.Hour), "d", d%(24*time.Hour)/time.Hour, "h")
}

// trimTenth writes seconds with one decimal, unless that is 0.
func trimTenth(d time.Duration) string {
	tenths := d.Round(100*time.Millisecond) / (100 * time.Millisecond)
	if tenths == 0 && d > 0 {
		tenths = 1 // it did take some time
	}
	if tenths == 600 {
		return "1m"
	}
	if tenths%10 == 0 {
		return fmt.Sprintf("%ds", tenths/10)
	}
	return fmt.Sprintf("%d.%ds", tenths/10, tenths%10)
}

func join(n time.Duration, unit string, rest time.Duration, restUnit string) string {
	if rest == 0 {
		return fmt.Sprintf("%d%s", n, unit)
	}
	return fmt.Sprintf("%d%s %d%s", n, unit, rest, restUnit)
}

// Script is what a script sends, as it may be sent: its own Markdown, of a
// length that Mattermost takes, and without the power to ping anybody.
func Script(text string) string {
	return cut(Quiet(clean(text)))
}

// Test is the message of a webhook's test button.
func Test(webhook string) string {
	return "🔔 **ApiMeld — Test Message**\n**Webhook:** " + Inline(webhook) + "\nThis webhook works: tasks can notify this channel."
}

// A Sync is what there is to say about a revision of the configuration.
type Sync struct {
	Revision string
	Title    string
	Author   string
	URL      string
	Problems []SyncProblem
}

// A SyncProblem is one finding: its place with what is wrong, and the way out.
type SyncProblem struct {
	Place string
	Hint  string
}

// shownProblems is how many problems a message shows at most.
const shownProblems = 5

// RenderRejected tells that a revision did not go live.
func RenderRejected(s Sync) string {
	var b strings.Builder
	b.WriteString("❌ **ApiMeld — Configuration Rejected**\n")
	b.WriteString(commit(s))
	b.WriteString("**Status:** The last good revision goes on\n")
	var lines []string
	for i, p := range s.Problems {
		if i == shownProblems {
			lines = append(lines, fmt.Sprintf("… and %d more", len(s.Problems)-i))
			break
		}
		lines = append(lines, p.Place)
		if p.Hint != "" {
			lines = append(lines, "  "+p.Hint)
		}
	}
	b.WriteString("**Problems:** " + strconv.Itoa(len(s.Problems)) + "\n" + fenced(lines, 0))
	if s.URL != "" {
		b.WriteString("[View all problems →](" + s.URL + ")")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// RenderRestored tells that a good revision is live after a rejected one.
func RenderRestored(s Sync) string {
	text := "✅ **ApiMeld — Configuration Live Again**\n" + commit(s) + "**Status:** Live"
	if s.URL != "" {
		text += "\n[View revisions →](" + s.URL + ")"
	}
	return text
}

func commit(s Sync) string {
	text := "**Commit:** " + Inline(s.Revision[:min(len(s.Revision), 12)])
	if s.Title != "" {
		text += " " + Inline(cutRunes(s.Title, maxInline))
	}
	if s.Author != "" {
		text += " (" + Inline(cutRunes(s.Author, maxInline)) + ")"
	}
	return text + "\n"
}
