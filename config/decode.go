package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/apimeld/agent/agent/schedule"
	"github.com/apimeld/agent/notify"
	"github.com/apimeld/agent/schema"
)

// A decoder turns a document's nodes into what they mean, and finds what the
// schema cannot: values of a right form that mean nothing. What the schema
// has refused already it passes over, so that all problems come in one go.
type decoder struct {
	file     *schema.File
	schedule *schedule.Parser
	refused  map[int]bool // line<<20|column that the schema has a problem with
}

func newDecoder(f *schema.File, p *schedule.Parser) *decoder {
	d := &decoder{file: f, schedule: p}
	if len(f.Problems) > 0 {
		d.refused = map[int]bool{}
		for _, p := range f.Problems {
			d.refused[p.Line<<20|p.Column] = true
		}
	}
	return d
}

// problem adds a problem, unless the schema has one with the same value.
func (d *decoder) problem(n *yaml.Node, rule, message, hint string) {
	if !d.refused[n.Line<<20|n.Column] {
		d.file.Add(n, rule, message, hint)
	}
}

// fields calls f for each key of a mapping.
func fields(n *yaml.Node, f func(key string, value *yaml.Node)) {
	if n = schema.Resolve(n); n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		f(n.Content[i].Value, n.Content[i+1])
	}
}

func items(n *yaml.Node) []*yaml.Node {
	if n = schema.Resolve(n); n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// scalar is a value's text as written; for numbers and booleans, too.
func scalar(n *yaml.Node) string {
	if n = schema.Resolve(n); n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return n.Value
}

// text is a value that must not hold a secret.
func (d *decoder) text(n *yaml.Node, key string) string {
	s := scalar(n)
	if strings.Contains(s, secretOpen) {
		d.problem(n, "secret-place", "a secret cannot stand in "+key, "secrets stand in env of a task and url of a webhook only")
	}
	return s
}

// line is a text that people read on one line.
func (d *decoder) line(n *yaml.Node, key string) string {
	s := d.text(n, key)
	switch {
	case s != "" && strings.TrimSpace(s) == "":
		d.problem(n, "empty", key+" is empty", "write something, or leave it out")
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		d.problem(n, "form", key+" holds a line end or control character", "write it on one line")
	}
	return strings.TrimSpace(s)
}

// ParseDuration reads a duration as the configuration has it: Go's, plus d
// for days of 24 hours.
func ParseDuration(text string) (time.Duration, error) {
	rest, total := text, time.Duration(0)
	for rest != "" {
		end := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if end <= 0 {
			return 0, fmt.Errorf("not a duration: %q", text)
		}
		number := rest[:end]
		unit := strings.IndexAny(rest[end:], "0123456789.")
		if unit < 0 {
			unit = len(rest) - end
		}
		name := rest[end : end+unit]
		rest = rest[end+unit:]
		days := name == "d"
		if days {
			name = "h"
		}
		part, err := time.ParseDuration(number + name)
		if err != nil {
			return 0, fmt.Errorf("not a duration: %q", text)
		}
		if days {
			if part > (1<<63-1)/24 {
				return 0, fmt.Errorf("too long: %q", text)
			}
			part *= 24
		}
		if total > (1<<63-1)-part {
			return 0, fmt.Errorf("too long: %q", text)
		}
		total += part
	}
	if text == "" {
		return 0, fmt.Errorf("not a duration: %q", text)
	}
	return total, nil
}

// duration reads a duration within bounds; 0 when it has a problem.
func (d *decoder) duration(n *yaml.Node, key string, least, most time.Duration) time.Duration {
	s := scalar(n)
	v, err := ParseDuration(s)
	switch {
	case err != nil:
		d.problem(n, "duration", fmt.Sprintf("%s cannot be %q", key, s), "write a duration such as 90s, 30m, 1h30m or 7d")
	case v < least:
		d.problem(n, "duration", fmt.Sprintf("%s cannot be %s: that is too short", key, s), fmt.Sprintf("write %s or more", notify.Duration(least)))
	case v > most:
		d.problem(n, "duration", fmt.Sprintf("%s cannot be %s: that is too long", key, s), fmt.Sprintf("write %s or less", notify.Duration(most)))
	default:
		return v
	}
	return 0
}

const (
	day     = 24 * time.Hour
	longest = 3650 * day
)

func (d *decoder) document(doc schema.Document) document {
	out := document{Line: doc.Root.Line}
	switch doc.Kind {
	case schema.Task:
		out.Task = d.task(doc.Root)
	case schema.Webhook:
		out.Webhook = d.webhook(doc.Root)
	case schema.Defaults:
		out.Defaults = d.defaults(doc.Root)
	}
	return out
}

func (d *decoder) task(root *yaml.Node) *taskDocument {
	t := &taskDocument{}
	var script, file, name *yaml.Node
	fields(root, func(key string, n *yaml.Node) {
		switch key {
		case "name":
			t.Name, name = d.line(n, key), n
		case "id":
			t.ID = scalar(n)
		case "description":
			t.Description = d.text(n, key)
		case "labels":
			fields(n, func(k string, v *yaml.Node) { t.Labels = append(t.Labels, Label{k, d.line(v, "labels."+k)}) })
			slices.SortFunc(t.Labels, func(a, b Label) int { return strings.Compare(a.Key, b.Key) })
		case "interpreter":
			t.Interpreter = d.line(n, key)
		case "enabled":
			if b, err := strconv.ParseBool(scalar(n)); err == nil {
				t.Enabled = &b
			}
		case "schedule":
			t.Schedule = d.schedules(n)
		case "catchUp":
			t.CatchUp = CatchUp(scalar(n))
		case "overlap":
			t.Overlap = Overlap(scalar(n))
		case "timeout":
			t.Timeout = d.duration(n, key, time.Millisecond, longest)
		case "retry":
			t.Retry = d.retry(n)
		case "language":
			t.Language = scalar(n)
		case "file":
			t.File, file = d.path(n), n
		case "script":
			t.Script, script = scalar(n), n
			if strings.Contains(t.Script, "\x00") {
				d.problem(n, "form", "script holds a NUL character", "remove it")
			}
		case "args":
			for _, one := range items(n) {
				a := d.text(one, "args")
				if strings.Contains(a, "\x00") {
					d.problem(one, "form", "args holds a NUL character", "remove it")
				}
				t.Args = append(t.Args, a)
			}
		case "env":
			t.Env = d.env(n)
		case "notify":
			t.Notify = d.notify(n)
		case "retention":
			t.Retention = d.retention(n)
		}
	})
	switch {
	case script == nil && file == nil:
		d.problem(root, "script", "the task has neither script nor file", "add script: | with the script below it, or file: with its path")
	case script != nil && file != nil:
		d.problem(file, "script", "the task has both script and file", "remove one of them")
	}
	if t.ID == "" && name != nil {
		if t.ID = Slug(t.Name); t.ID == "" && t.Name != "" {
			d.problem(name, "id", fmt.Sprintf("no id can be made of the name %q", t.Name), "add id: with a-z, 0-9 and dashes")
		}
	}
	return t
}

// path is a script's: relative, inside the source.
func (d *decoder) path(n *yaml.Node) string {
	p := d.text(n, "file")
	hint := "write it relative to the source's path, such as scripts/sync.py"
	switch {
	case p == "":
	case strings.HasPrefix(p, "/"):
		d.problem(n, "path", fmt.Sprintf("file %q is absolute", p), hint)
	case strings.Contains(p, `\`):
		d.problem(n, "path", fmt.Sprintf("file %q has a backslash", p), "write / between folders")
	case slices.Contains(strings.Split(p, "/"), ".."):
		d.problem(n, "path", fmt.Sprintf("file %q may leave the source", p), "write it without ..")
	default:
		return cleanPath(p)
	}
	return ""
}

func cleanPath(p string) string {
	var steps []string
	for step := range strings.SplitSeq(p, "/") {
		if step != "" && step != "." {
			steps = append(steps, step)
		}
	}
	return strings.Join(steps, "/")
}

func (d *decoder) schedules(n *yaml.Node) []scheduleDocument {
	n = schema.Resolve(n)
	if n.Kind == yaml.SequenceNode {
		var all []scheduleDocument
		for _, one := range n.Content {
			all = append(all, d.oneSchedule(one))
		}
		return all
	}
	return []scheduleDocument{d.oneSchedule(n)}
}

func (d *decoder) oneSchedule(n *yaml.Node) scheduleDocument {
	var s scheduleDocument
	cron := n
	if schema.Resolve(n).Kind == yaml.ScalarNode {
		s.Cron = scalar(n)
	}
	fields(n, func(key string, v *yaml.Node) {
		switch key {
		case "cron":
			s.Cron, cron = scalar(v), v
		case "timezone":
			s.Timezone = d.timezone(v)
		case "jitter":
			s.Jitter = d.duration(v, key, 0, day)
		}
	})
	if s.Cron != "" {
		if _, err := d.schedule.Parse(s.Cron, ""); err != nil {
			d.scheduleProblem(cron, err)
			s.Cron = ""
		}
	}
	return s
}

func (d *decoder) timezone(n *yaml.Node) string {
	name := scalar(n)
	if name == "" {
		return ""
	}
	if _, err := d.schedule.Zone(name); err != nil {
		d.scheduleProblem(n, err)
		return ""
	}
	return name
}

func (d *decoder) scheduleProblem(n *yaml.Node, err error) {
	if e, ok := err.(*schedule.Error); ok {
		d.problem(n, e.Field, e.Message, e.Hint)
		return
	}
	d.problem(n, "schedule", err.Error(), "")
}

func (d *decoder) retry(n *yaml.Node) *retryDocument {
	r := &retryDocument{}
	fields(n, func(key string, v *yaml.Node) {
		switch key {
		case "attempts":
			r.Attempts, _ = strconv.Atoi(scalar(v))
		case "delay":
			r.Delay = d.duration(v, "delay", time.Millisecond, MaxRetryDelay)
		}
	})
	return r
}

func (d *decoder) env(n *yaml.Node) []EnvVar {
	var env []EnvVar
	fields(n, func(name string, v *yaml.Node) {
		value := scalar(v)
		if strings.HasPrefix(name, "AGENT_RUN_") || strings.HasPrefix(name, "AGENT_SECRET_") {
			d.problem(v, "env", fmt.Sprintf("variable %s belongs to the agent", name), "give it another name")
		}
		if strings.Contains(value, "\x00") {
			d.problem(v, "form", fmt.Sprintf("variable %s holds a NUL character", name), "remove it")
		}
		d.secrets(v, value)
		env = append(env, EnvVar{name, value})
	})
	slices.SortFunc(env, func(a, b EnvVar) int { return strings.Compare(a.Name, b.Name) })
	return env
}

// secrets checks the form of the secret references in a value.
func (d *decoder) secrets(n *yaml.Node, value string) {
	rest := value
	for {
		_, after, ok := strings.Cut(rest, secretOpen)
		if !ok {
			return
		}
		name, next, closed := strings.Cut(after, "}")
		if !closed || name == "" || strings.Trim(name, secretNameCharacters) != "" {
			d.problem(n, "secret", fmt.Sprintf("no secret can have the name %q", cutAt(name, 60)), "write ${secret:NAME} with a-z, 0-9 and dashes")
			return
		}
		rest = next
	}
}

func cutAt(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

func (d *decoder) notify(n *yaml.Node) *notifyDocument {
	list := &notifyDocument{}
	seen := map[string]bool{}
	for _, one := range items(n) {
		entry := Notify{Events: notify.DefaultEvents()}
		fields(one, func(key string, v *yaml.Node) {
			switch key {
			case "webhook":
				entry.Webhook = d.text(v, key)
			case "events":
				entry.Events = nil
				for _, e := range items(v) {
					if event, err := notify.ParseEvent(scalar(e)); err == nil {
						entry.Events = append(entry.Events, event)
					}
				}
			case "repeat":
				entry.Repeat = d.repeat(v)
			case "mention":
				for _, m := range items(v) {
					entry.Mention = append(entry.Mention, scalar(m))
				}
			}
		})
		for _, e := range entry.Events {
			key := entry.Webhook + "\x00" + string(e)
			if seen[key] {
				d.problem(one, "repeated", fmt.Sprintf("webhook %q is told of %s twice", entry.Webhook, e), "remove one of them")
			}
			seen[key] = true
		}
		list.List = append(list.List, entry)
	}
	return list
}

// repeat reads every, changes or a duration.
func (d *decoder) repeat(n *yaml.Node) time.Duration {
	switch scalar(n) {
	case "every":
		return 0
	case "changes":
		return RepeatChanges
	}
	return d.duration(n, "repeat", time.Second, longest)
}

func (d *decoder) retention(n *yaml.Node) *retentionDocument {
	r := &retentionDocument{}
	fields(n, func(key string, v *yaml.Node) {
		switch key {
		case "runs":
			r.Runs, _ = strconv.Atoi(scalar(v))
		case "age":
			r.Age = d.duration(v, "age", time.Minute, longest)
		}
	})
	return r
}

func (d *decoder) webhook(root *yaml.Node) *webhookDocument {
	w := &webhookDocument{}
	fields(root, func(key string, n *yaml.Node) {
		switch key {
		case "name":
			w.Name = d.line(n, key)
		case "url":
			w.URL = strings.TrimSpace(scalar(n))
			d.secrets(n, w.URL)
			if !strings.Contains(w.URL, secretOpen) && !validURL(w.URL) {
				// The value is not repeated: it may be one all the same, with a slip.
				d.problem(n, "url", "url is not an http or https URL", "write ${secret:NAME}, and give the URL to the agent as that secret")
			}
		case "channel":
			w.Channel = d.line(n, key)
		case "username":
			w.Username = d.line(n, key)
		case "icon":
			w.Icon = d.line(n, key)
		case "allow":
			for _, one := range items(n) {
				w.Allow = append(w.Allow, scalar(one))
			}
		}
	})
	return w
}

func (d *decoder) defaults(root *yaml.Node) *defaultsDocument {
	out := &defaultsDocument{}
	fields(root, func(key string, n *yaml.Node) {
		switch key {
		case "timezone":
			out.Timezone = d.timezone(n)
		case "timeout":
			out.Timeout = d.duration(n, key, time.Millisecond, longest)
		case "catchUp":
			out.CatchUp = CatchUp(scalar(n))
		case "overlap":
			out.Overlap = Overlap(scalar(n))
		case "retry":
			out.Retry = d.retry(n)
		case "env":
			out.Env = d.env(n)
		case "notify":
			out.Notify = d.notify(n)
		case "retention":
			out.Retention = d.retention(n)
		case "sync":
			fields(n, func(key string, v *yaml.Node) {
				for _, one := range items(v) {
					out.Sync.Notify = append(out.Sync.Notify, scalar(one))
				}
			})
		}
	})
	return out
}
