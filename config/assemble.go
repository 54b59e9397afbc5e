package config

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/apimeld/agent/agent/schedule"
	"github.com/apimeld/agent/runners"
	"github.com/apimeld/agent/schema"
)

// assemble puts the documents together: what refers to what, who inherits
// what, and the rules that hold across files.
func (l *loader) assemble() *Snapshot {
	n := 0
	for _, f := range l.files {
		n += len(f.documents)
	}
	s := &Snapshot{Revision: l.Revision, tasks: make(map[string]*Task, n), webhooks: map[string]*Webhook{}}
	s.Tasks = make([]*Task, 0, n)
	defaults := l.defaults(s)
	l.before, l.built = l.Cache.built(l.inherited), make(map[*taskDocument]*Task, n)
	l.webhooks(s)
	l.checkNotify(s, defaults)
	names := make(map[string]*Task, n)
	for _, f := range l.files {
		for i := range f.documents {
			if d := f.documents[i].Task; d != nil {
				l.task(s, f, i, d, names)
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
		l.inherited = d
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
			w := &Webhook{Name: d.Name, URL: d.URL, Channel: d.Channel, Username: d.Username, Icon: d.Icon, Allow: d.Allow, File: f.path, Line: f.documents[i].Line}
			if len(d.Allow) > 0 {
				w.allows = ignore(strings.Join(d.Allow, "\n"))
			}
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

// checkAllowed checks that a task's webhooks may be used from its file.
func (l *loader) checkAllowed(s *Snapshot, f *parsed, document int, own *notifyDocument) {
	list, at, inherited := s.Defaults.Notify, "name", true
	if own != nil {
		list, inherited = own.List, false
	}
	for i, n := range list {
		w := s.webhooks[n.Webhook]
		if w == nil || w.Allows(f.path) {
			continue
		}
		hint := fmt.Sprintf("add the file to allow at %s:%d", w.File, w.Line)
		if inherited {
			hint += ", or give the task a notify of its own: it has that of Defaults"
		} else {
			at = fmt.Sprintf("notify/%d/webhook", i)
		}
		l.pend(f, document, at, "not-allowed", fmt.Sprintf("webhook %q is not for tasks of this file", n.Webhook), hint)
	}
}

// checkInterpreter checks that what runs the script is there: in the source,
// or, where somebody looks for it, on this machine.
func (l *loader) checkInterpreter(f *parsed, document int, d *taskDocument) {
	if strings.Contains(d.Interpreter, "/") {
		clean := path.Clean(d.Interpreter)
		if clean == ".." || strings.HasPrefix(clean, "../") {
			l.pend(f, document, "interpreter", "path", fmt.Sprintf("interpreter %q leaves the source", d.Interpreter), "write a path inside the source, or a program's name")
		} else if _, ok := l.entries[clean]; !ok {
			l.pend(f, document, "interpreter", "unknown-file", fmt.Sprintf("there is no file %q", d.Interpreter), "write its path relative to the source's path, or a program's name")
		}
		return
	}
	if l.Interpreter == nil {
		return
	}
	language, at := cmp.Or(d.Language, languageOf(d.File)), "script"
	switch {
	case d.Interpreter != "":
		at = "interpreter"
	case d.Language != "":
		at = "language"
	case d.File != "":
		at = "file"
	}
	key := [2]string{language, d.Interpreter}
	if _, ok := l.missing[key]; !ok {
		l.missing[key] = l.Interpreter(language, d.Interpreter)
	}
	if err := l.missing[key]; err != nil {
		message, hint, _ := strings.Cut(err.Error(), "\n")
		l.pendAs(schema.Warning, f, document, at, "missing-interpreter", message, hint)
	}
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
func (l *loader) task(s *Snapshot, f *parsed, document int, d *taskDocument, names map[string]*Task) {
	if d.Name == "" || d.ID == "" {
		return // reported already
	}
	if other := names[d.Name]; other != nil {
		l.pend(f, document, "name", "duplicate-name", fmt.Sprintf("there are two tasks %q", d.Name), fmt.Sprintf("rename one: the other is %s:%d", other.File, other.Line))
		return
	}
	if other := s.tasks[d.ID]; other != nil {
		l.pend(f, document, "id", "duplicate-id", fmt.Sprintf("there are two tasks with the id %q", d.ID), fmt.Sprintf("give one another id: the other is %s:%d", other.File, other.Line))
		return
	}
	if d.Notify != nil {
		l.checkWebhooks(s, f, document, d.Notify.List)
	}
	l.checkAllowed(s, f, document, d.Notify)
	l.checkSecrets(f, document, d.Env)
	l.checkInterpreter(f, document, d)
	hash := l.script(d.File, f, document)
	t := l.before[d]
	if t == nil || t.File != f.path || t.Line != f.documents[document].Line || t.ScriptHash != hash {
		t = l.newTask(s, f, document, d)
		t.ScriptHash = hash
	}
	l.built[d], names[t.Name] = t, t
	s.tasks[t.ID] = t
	s.Tasks = append(s.Tasks, t)
}

// newTask makes a task of its document and what it inherits.
func (l *loader) newTask(s *Snapshot, f *parsed, document int, d *taskDocument) *Task {
	t := &Task{
		ID:          d.ID,
		Name:        d.Name,
		Description: d.Description,
		Labels:      d.Labels,
		Enabled:     d.Enabled == nil || *d.Enabled,
		File:        f.path,
		Line:        f.documents[document].Line,
		Location:    s.Defaults.Location,
		CatchUp:     orElse(d.CatchUp, s.Defaults.CatchUp),
		Overlap:     orElse(d.Overlap, s.Defaults.Overlap),
		Timeout:     orElse(d.Timeout, s.Defaults.Timeout),
		Retry:       s.Defaults.Retry.with(d.Retry),
		Language:    d.Language,
		Interpreter: d.Interpreter,
		Script:      d.Script,
		ScriptFile:  d.File,
		Args:        d.Args,
		Env:         merge(s.Defaults.Env, d.Env),
		Notify:      s.Defaults.Notify,
		Retention:   s.Defaults.Retention.with(d.Retention),
	}
	if d.Notify != nil {
		t.Notify = d.Notify.List
	}
	if t.Language == "" {
		t.Language = languageOf(t.ScriptFile)
	}
	l.schedule(t, d, s.Defaults.Timezone, f, document)
	return t
}

// languageOf is what a script file's extension says, else the default.
func languageOf(file string) string {
	if ext := path.Ext(file); ext != "" {
		for _, name := range runners.Languages() {
			if l, _ := runners.Lookup(name); slices.Contains(l.Extensions(), ext) {
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

// script checks that a script's file is there, is one, and stays inside. It
// returns what names its content.
func (l *loader) script(file string, f *parsed, document int) (hash string) {
	if file == "" {
		return ""
	}
	e, ok := l.entries[file]
	for hops := 0; ok && e.Kind == Link; hops++ {
		target, inside := resolveLink(e)
		if !inside || hops == 10 {
			l.pend(f, document, "file", "link", fmt.Sprintf("file %q is a link that leaves the source", file), "put the file itself into the source")
			return ""
		}
		e, ok = l.entries[target]
	}
	if ok && e.Kind != Submodule {
		if e.Size >= 0 && e.Size < 1024 || e.Size < 0 {
			if text, err := l.tree.Read(e, 1024); err == nil && strings.HasPrefix(string(text), "version https://git-lfs.github.com/spec/") {
				l.pend(f, document, "file", "lfs", fmt.Sprintf("file %q is a Git LFS pointer: its content is not in the repository", file), "commit the script itself, without LFS")
			}
		}
		return e.Hash
	}
	message, hint := fmt.Sprintf("there is no file %q", file), "write its path relative to the source's path"
	folder := false
	var near []string
	for p, e := range l.entries {
		if strings.HasPrefix(p, file+"/") {
			folder = true
		}
		if e.Kind == Submodule && strings.HasPrefix(file+"/", p+"/") {
			message, hint = fmt.Sprintf("file %q is in a submodule, whose files are not read", file), "put the script into the source itself"
			l.pend(f, document, "file", "submodule", message, hint)
			return ""
		}
		if path.Base(p) == path.Base(file) {
			near = append(near, p)
		}
	}
	switch {
	case folder:
		message = fmt.Sprintf("%q is a folder", file)
	case len(near) == 1:
		hint = "did you mean " + near[0] + "?"
	}
	l.pend(f, document, "file", "unknown-file", message, hint)
	return ""
}

// resolveLink is where a link leads, from the source's path on, and whether it stays inside.
func resolveLink(e Entry) (string, bool) {
	if strings.HasPrefix(e.Link, "/") {
		return "", false
	}
	target := path.Join(path.Dir(e.Path), e.Link)
	return target, target != ".." && !strings.HasPrefix(target, "../")
}
