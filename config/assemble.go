package config

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/apimeld/agent/agent/schedule"
	"github.com/apimeld/agent/runners"
	"github.com/apimeld/agent/schema"
)

// assemble puts the documents together: what refers to what, who inherits
// what, and the rules that hold across files.
func (l *loader) assemble() *Snapshot {
	s := &Snapshot{Revision: l.Revision, tasks: map[string]*Task{}, webhooks: map[string]*Webhook{}}
	defaults := l.defaults(s)
	l.webhooks(s)
	l.checkNotify(s, defaults)
	names := map[string]place{}
	ids := map[string]place{}
	for _, f := range l.files {
		for i := range f.documents {
			if d := f.documents[i].Task; d != nil {
				l.task(s, f, i, d, names, ids)
			}
		}
	}
	return s
}

// A place is where something stands, for the problem of another.
type place struct {
	file string
	line int
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

// A found is a document with where it stands.
type found struct {
	file     *parsed
	document int
}

// defaults finds the one document of its kind, and fills in the built-in values.
func (l *loader) defaults(s *Snapshot) *found {
	d := &defaultsDocument{}
	var at *found
	var first place
	for _, f := range l.files {
		for i := range f.documents {
			one := f.documents[i].Defaults
			if one == nil {
				continue
			}
			if at != nil {
				l.pend(f, i, "kind", "second-defaults", "there are two documents of kind Defaults", "keep one: the other is "+first.String())
				continue
			}
			d, at, first = one, &found{f, i}, place{f.path, f.documents[i].Line}
		}
	}
	out := &s.Defaults
	out.Timezone = d.Timezone
	if out.Timezone == "" {
		out.Timezone = "UTC"
	}
	out.Location, _ = l.parser.Zone(out.Timezone) // it has been checked
	out.Timeout = orElse(d.Timeout, DefaultTimeout)
	out.CatchUp = orElse(d.CatchUp, CatchUpLatest)
	out.Overlap = orElse(d.Overlap, OverlapSkip)
	out.Retry = Retry{Attempts: 1, Delay: DefaultRetryDelay}.with(d.Retry)
	out.Env = d.Env
	out.Retention = Retention{Runs: DefaultRetainRuns, Age: DefaultRetainAge}.with(d.Retention)
	out.SyncNotify = d.Sync.Notify
	if d.Notify != nil {
		out.Notify = d.Notify.List
	}
	if at != nil {
		l.checkSecrets(at.file, at.document, d.Env)
	}
	return at
}

func orElse[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func (r Retry) with(d *retryDocument) Retry {
	if d != nil {
		r.Attempts, r.Delay = orElse(d.Attempts, r.Attempts), orElse(d.Delay, r.Delay)
	}
	return r
}

func (r Retention) with(d *retentionDocument) Retention {
	if d != nil {
		r.Runs, r.Age = orElse(d.Runs, r.Runs), orElse(d.Age, r.Age)
	}
	return r
}

func (l *loader) webhooks(s *Snapshot) {
	for _, f := range l.files {
		for i := range f.documents {
			d := f.documents[i].Webhook
			if d == nil || d.Name == "" {
				continue
			}
			if other := s.webhooks[d.Name]; other != nil {
				l.pend(f, i, "name", "duplicate-name", fmt.Sprintf("there are two webhooks %q", d.Name), fmt.Sprintf("rename one: the other is %s:%d", other.File, other.Line))
				continue
			}
			w := &Webhook{Name: d.Name, URL: d.URL, Channel: d.Channel, Username: d.Username, Icon: d.Icon, File: f.path, Line: f.documents[i].Line}
			s.webhooks[w.Name] = w
			s.Webhooks = append(s.Webhooks, w)
			if !l.IgnoreURLs {
				l.checkSecret(f, i, "url", d.URL)
			}
		}
	}
}

// checkNotify checks what Defaults says about webhooks.
func (l *loader) checkNotify(s *Snapshot, at *found) {
	if at == nil {
		return
	}
	l.checkWebhooks(s, at.file, at.document, s.Defaults.Notify)
	for i, name := range s.Defaults.SyncNotify {
		l.checkWebhook(s, at.file, at.document, fmt.Sprintf("sync/notify/%d", i), name)
	}
}

func (l *loader) checkWebhooks(s *Snapshot, f *parsed, document int, list []Notify) {
	for i, n := range list {
		l.checkWebhook(s, f, document, fmt.Sprintf("notify/%d/webhook", i), n.Webhook)
	}
}

func (l *loader) checkWebhook(s *Snapshot, f *parsed, document int, at, name string) {
	if name == "" || s.webhooks[name] != nil {
		return
	}
	var names []string
	for _, w := range s.Webhooks {
		names = append(names, w.Name)
	}
	hint := "add a document of kind: Webhook with this name"
	if near := schema.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "?"
	} else if len(names) > 0 {
		hint = "known: " + strings.Join(names, ", ") + "; or " + hint
	}
	l.pend(f, document, at, "unknown-webhook", fmt.Sprintf("no webhook has the name %q", name), hint)
}

func (l *loader) checkSecrets(f *parsed, document int, env []EnvVar) {
	for _, v := range env {
		l.checkSecret(f, document, "env/"+v.Name, v.Value)
	}
}

func (l *loader) checkSecret(f *parsed, document int, at, value string) {
	if l.Secrets == nil {
		return
	}
	for _, name := range SecretNames(value) {
		if name == "" || strings.Trim(name, secretNameCharacters) != "" || l.Secrets(name) {
			continue
		}
		l.pendAs(l.SecretSeverity, f, document, at, missingSecret, fmt.Sprintf(missingSecretFormat, name), secretHint(name))
	}
}

// task adds a task, with everything that it inherits.
func (l *loader) task(s *Snapshot, f *parsed, document int, d *taskDocument, names, ids map[string]place) {
	here := place{f.path, f.documents[document].Line}
	if d.Name == "" || d.ID == "" {
		return // reported already
	}
	if other, ok := names[d.Name]; ok {
		l.pend(f, document, "name", "duplicate-name", fmt.Sprintf("there are two tasks %q", d.Name), "rename one: the other is "+other.String())
		return
	}
	names[d.Name] = here
	if other, ok := ids[d.ID]; ok {
		l.pend(f, document, "id", "duplicate-id", fmt.Sprintf("there are two tasks with the id %q", d.ID), "give one another id: the other is "+other.String())
		return
	}
	ids[d.ID] = here
	t := &Task{
		ID:          d.ID,
		Name:        d.Name,
		Description: d.Description,
		Labels:      d.Labels,
		Enabled:     d.Enabled == nil || *d.Enabled,
		File:        here.file,
		Line:        here.line,
		Location:    s.Defaults.Location,
		CatchUp:     orElse(d.CatchUp, s.Defaults.CatchUp),
		Overlap:     orElse(d.Overlap, s.Defaults.Overlap),
		Timeout:     orElse(d.Timeout, s.Defaults.Timeout),
		Retry:       s.Defaults.Retry.with(d.Retry),
		Language:    d.Language,
		Script:      d.Script,
		ScriptFile:  d.File,
		Args:        d.Args,
		Env:         merge(s.Defaults.Env, d.Env),
		Notify:      s.Defaults.Notify,
		Retention:   s.Defaults.Retention.with(d.Retention),
	}
	if d.Notify != nil {
		t.Notify = d.Notify.List
		l.checkWebhooks(s, f, document, t.Notify)
	}
	if t.Language == "" {
		t.Language = languageOf(t.ScriptFile)
	}
	l.schedule(t, d, s.Defaults.Timezone, f, document)
	l.script(t, f, document)
	l.checkSecrets(f, document, d.Env)
	s.tasks[t.ID] = t
	s.Tasks = append(s.Tasks, t)
}

// languageOf is what a script file's extension says, else the default.
func languageOf(file string) string {
	if ext := path.Ext(file); ext != "" {
		for _, name := range runners.Languages() {
			if l, _ := runners.Lookup(name); l.Extension() == ext {
				return name
			}
		}
	}
	return DefaultLanguage
}

// merge puts a task's variables over those that it inherits; both are sorted.
func merge(inherited, own []EnvVar) []EnvVar {
	if len(inherited) == 0 {
		return own
	}
	out := make([]EnvVar, 0, len(inherited)+len(own))
	for len(inherited) > 0 && len(own) > 0 {
		switch c := strings.Compare(inherited[0].Name, own[0].Name); {
		case c < 0:
			out, inherited = append(out, inherited[0]), inherited[1:]
		case c == 0:
			inherited = inherited[1:]
		default:
			out, own = append(out, own[0]), own[1:]
		}
	}
	return append(append(out, inherited...), own...)
}

func (l *loader) schedule(t *Task, d *taskDocument, zone string, f *parsed, document int) {
	for i, one := range d.Schedule {
		if one.Cron == "" {
			continue // reported already
		}
		spec := schedule.Spec{Cron: one.Cron, Timezone: orElse(one.Timezone, zone), Jitter: one.Jitter}
		parsed, err := l.parser.Parse(spec.Cron, spec.Timezone)
		if err != nil {
			l.pend(f, document, fmt.Sprintf("schedule/%d", i), "schedule", err.Error(), "")
			continue
		}
		if len(t.Schedule) == 0 {
			t.Location = parsed.Location()
		}
		if parsed.Next(time.Unix(0, 0)).IsZero() {
			l.pendAs(schema.Warning, f, document, scheduleAt(d, i), "never", fmt.Sprintf("cron %q names a day that never comes", spec.Cron), "look at its day and month")
		}
		t.Schedule = append(t.Schedule, schedule.Entry{Schedule: parsed, Jitter: spec.Jitter})
		t.Specs = append(t.Specs, spec)
	}
	t.Fingerprint = schedule.Fingerprint(t.Specs)
}

// scheduleAt is where one of the schedules stands; where there is one only,
// it may stand without a list.
func scheduleAt(d *taskDocument, i int) string {
	if len(d.Schedule) == 1 {
		return "schedule"
	}
	return fmt.Sprintf("schedule/%d", i)
}

// script checks that a script's file is there, is one, and stays inside.
func (l *loader) script(t *Task, f *parsed, document int) {
	if t.ScriptFile == "" {
		return
	}
	e, ok := l.entries[t.ScriptFile]
	for hops := 0; ok && e.Kind == Link; hops++ {
		target, inside := resolveLink(e)
		if !inside || hops == 10 {
			l.pend(f, document, "file", "link", fmt.Sprintf("file %q is a link that leaves the source", t.ScriptFile), "put the file itself into the source")
			return
		}
		e, ok = l.entries[target]
	}
	if ok && e.Kind != Submodule {
		t.ScriptHash = e.Hash
		if e.Size >= 0 && e.Size < 1024 || e.Size < 0 {
			if text, err := l.tree.Read(e, 1024); err == nil && strings.HasPrefix(string(text), "version https://git-lfs.github.com/spec/") {
				l.pend(f, document, "file", "lfs", fmt.Sprintf("file %q is a Git LFS pointer: its content is not in the repository", t.ScriptFile), "commit the script itself, without LFS")
			}
		}
		return
	}
	message, hint := fmt.Sprintf("there is no file %q", t.ScriptFile), "write its path relative to the source's path"
	folder := false
	var near []string
	for p, e := range l.entries {
		if strings.HasPrefix(p, t.ScriptFile+"/") {
			folder = true
		}
		if e.Kind == Submodule && strings.HasPrefix(t.ScriptFile+"/", p+"/") {
			message, hint = fmt.Sprintf("file %q is in a submodule, whose files are not read", t.ScriptFile), "put the script into the source itself"
			l.pend(f, document, "file", "submodule", message, hint)
			return
		}
		if path.Base(p) == path.Base(t.ScriptFile) {
			near = append(near, p)
		}
	}
	switch {
	case folder:
		message = fmt.Sprintf("%q is a folder", t.ScriptFile)
	case len(near) == 1:
		hint = "did you mean " + near[0] + "?"
	}
	l.pend(f, document, "file", "unknown-file", message, hint)
}

// resolveLink is where a link leads, from the source's path on, and whether it stays inside.
func resolveLink(e Entry) (string, bool) {
	if strings.HasPrefix(e.Link, "/") {
		return "", false
	}
	target := path.Join(path.Dir(e.Path), e.Link)
	return target, target != ".." && !strings.HasPrefix(target, "../")
}
