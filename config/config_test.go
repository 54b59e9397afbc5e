package config_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/apimeld/agent/config"
	"github.com/apimeld/agent/notify"
	"github.com/apimeld/agent/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A memTree is a tree of files in memory. A name such as "a -> b" is a link.
type memTree map[string]string

func (t memTree) Walk(yield func(config.Entry) error) error {
	var names []string
	for name := range t {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		e := config.Entry{Path: name, Size: int64(len(t[name]))}
		if from, to, ok := strings.Cut(name, " -> "); ok {
			e.Path, e.Kind, e.Link = from, config.Link, to
		}
		if t[name] == "submodule\n" {
			e.Kind = config.Submodule
		}
		if err := yield(e); err != nil {
			return err
		}
	}
	return nil
}

func (t memTree) Read(e config.Entry, limit int64) ([]byte, error) {
	text, ok := t[e.Path]
	if !ok {
		return nil, os.ErrNotExist
	}
	if int64(len(text)) > limit {
		return nil, config.ErrTooLarge
	}
	return []byte(text), nil
}

func load(t testing.TB, tree config.Tree) (*config.Snapshot, []schema.Problem) {
	t.Helper()
	s, problems, err := config.Load(context.Background(), tree, config.Options{Revision: "r1", Secrets: func(name string) bool { return name == "known" }, SecretSeverity: schema.Warning})
	if err != nil {
		t.Fatal(err)
	}
	return s, problems
}

// TestProblems holds each file of testdata/problems, an archive of a whole
// repository, to the problems that stand at its end.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/problems/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tree := memTree{}
			want := ""
			for _, f := range archive.Files {
				if f.Name == "problems" {
					want = string(f.Data)
					continue
				}
				tree[f.Name] = strings.NewReplacer("\\t", "\t", "\\xff", "\xff").Replace(string(f.Data))
			}
			_, problems := load(t, tree)
			var got strings.Builder
			for _, p := range problems {
				fmt.Fprintf(&got, "%s [%s]\n", p, p.Rule)
				if p.Severity == schema.Warning {
					got.WriteString("  warning\n")
				}
				if p.Hint != "" {
					got.WriteString("  " + p.Hint + "\n")
				}
				if p.Source == "" && p.Rule != "size" && p.Rule != "link" {
					t.Errorf("no source line: %s", p)
				}
			}
			if *update {
				archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "problems" })
				archive.Files = append(archive.Files, txtar.File{Name: "problems", Data: []byte(got.String())})
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLoad reads the design's example.
func TestLoad(t *testing.T) {
	s, problems := load(t, memTree{
		"tasks.yaml": `
kind: Task
name: Nightly Order Sync
description: Pulls yesterday's orders into the warehouse.
labels: {team: orders}
schedule:
  - cron: "0 2 * * *"
    timezone: Europe/Berlin
    jitter: 30s
catchUp: all
overlap: queue
timeout: 30m
retry: {attempts: 3, delay: 30s}
language: python
file: ./scripts//sync.py
args: [--full, 7]
env: {SHOP: eu, TOKEN: "${secret:known}", ZED: 0x10}
notify:
  - webhook: Ops Channel
    events: [success, failure, timeout]
    mention: ["@oncall"]
---
kind: Task
name: Inherits
enabled: false
script: "true"
`,
		"hooks/ops.yml": "kind: Webhook\nname: Ops Channel\nurl: ${secret:known}\nchannel: ops-prod\n---\napiVersion: other/v1\nkind: Deployment\n---\n# nothing\n",
		"defaults.yaml": `
apiVersion: apimeld/v1
kind: Defaults
timezone: Europe/Paris
timeout: 10m
env: {SHOP: de, LEVEL: "1"}
retention: {runs: 5}
notify: [{webhook: Ops Channel}]
sync: {notify: [Ops Channel]}
`,
		"scripts/sync.py":    "print()",
		".hidden/bad.yaml":   "kind: Nonsense",
		"charts/values.yaml": "no: kind",
		".agentignore":       "# other people's\n/charts/\n",
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	zone, _ := time.LoadLocation("Europe/Berlin")
	got := s.Task("nightly-order-sync")
	if got == nil {
		t.Fatal("no task")
	}
	if len(got.Schedule) != 1 || got.Fingerprint == "" || got.Location.String() != zone.String() {
		t.Errorf("schedule %v, zone %v", got.Schedule, got.Location)
	}
	if next := got.Schedule; len(next) == 1 {
		slot, _ := next.Next(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
		if want := time.Date(2026, 11, 24, 2, 0, 0, 0, zone); !slot.Equal(want) {
			t.Errorf("next slot %v, want %v", slot, want)
		}
		if due := got.NextDue(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)); due.Before(slot) || due.Sub(slot) >= 30*time.Second {
			t.Errorf("due %v for slot %v", due, slot)
		}
	}
	if got.Overlap != config.OverlapQueue || got.CatchUp != config.CatchUpAll || got.Timeout != 30*time.Minute || got.Retry != (config.Retry{Attempts: 3, Delay: 30 * time.Second}) {
		t.Errorf("task %+v", got)
	}
	if got.ScriptFile != "scripts/sync.py" || got.Language != "python" || got.Line != 2 {
		t.Errorf("script %q in %q, line %d", got.ScriptFile, got.Language, got.Line)
	}
	if diff := cmp.Diff([]config.EnvVar{{Name: "LEVEL", Value: "1"}, {Name: "SHOP", Value: "eu"}, {Name: "TOKEN", Value: "${secret:known}"}, {Name: "ZED", Value: "0x10"}}, got.Env); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]config.Notify{{Webhook: "Ops Channel", Events: []notify.Event{"success", "failure", "timeout"}, Mention: []string{"@oncall"}}}, got.Notify); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"--full", "7"}, got.Args); diff != "" {
		t.Error(diff)
	}
	in := s.Task("inherits")
	if in.Enabled || in.Timeout != 10*time.Minute || in.Retention != (config.Retention{Runs: 5, Age: 90 * 24 * time.Hour}) || in.Location.String() != "Europe/Paris" || in.Language != "bash" {
		t.Errorf("inherits %+v", in)
	}
	if diff := cmp.Diff([]config.Notify{{Webhook: "Ops Channel", Events: notify.DefaultEvents()}}, in.Notify); diff != "" {
		t.Error(diff)
	}
	if !in.NextDue(time.Now()).IsZero() {
		t.Error("a disabled task is due")
	}
	if w := s.Webhook("Ops Channel"); w == nil || w.Channel != "ops-prod" {
		t.Errorf("webhook %+v", w)
	}
}

func TestSecretSeverity(t *testing.T) {
	tree := memTree{"a.yaml": "kind: Webhook\nname: A\nurl: ${secret:unknown-one}\n"}
	_, problems := load(t, tree)
	if len(problems) != 1 || problems[0].Severity != schema.Warning {
		t.Errorf("problems %v", problems)
	}
	if names := config.MissingSecrets(problems); !names["unknown-one"] || len(names) != 1 {
		t.Errorf("missing %v", names)
	}
	none := func(string) bool { return false }
	s, problems, err := config.Load(context.Background(), tree, config.Options{Secrets: none, SecretSeverity: schema.Error})
	if s != nil || err != nil || !schema.HasErrors(problems) {
		t.Errorf("%v, %v, %v", s, problems, err)
	}
	s, problems, err = config.Load(context.Background(), tree, config.Options{Secrets: none, SecretSeverity: schema.Error, IgnoreURLs: true})
	if s == nil || err != nil || len(problems) != 0 {
		t.Errorf("%v, %v, %v", s, problems, err)
	}
}

// TestCache loads through a cache that has been saved and read again.
func TestCache(t *testing.T) {
	dir := t.TempDir()
	for i := range 20 {
		text := fmt.Sprintf("kind: Task\nname: Task %d\nschedule: '@daily'\nenv: {A: b}\nscript: echo\nretry: {attempts: 2}\nnotify: []\n", i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := config.DirTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	cache := config.NewCache()
	options := config.Options{Cache: cache}
	first, problems, err := config.Load(context.Background(), tree, options)
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	var saved bytes.Buffer
	if err := cache.Save(&saved); err != nil {
		t.Fatal(err)
	}
	options.Cache = config.NewCache()
	if err := options.Cache.Load(bytes.NewReader(saved.Bytes())); err != nil {
		t.Fatal(err)
	}
	second, _, err := config.Load(context.Background(), tree, options)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Changes{}, config.Diff(first, second)); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(filepath.Join(dir, "3.yaml"), []byte("kind: Task\nname: Task 3\nscript: 'true'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "4.yaml"), filepath.Join(dir, "4.yaml.off")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "new.yml"), []byte("kind: Task\nname: New\nscript: 'true'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	third, _, err := config.Load(context.Background(), tree, options)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Changes{Added: []string{"new"}, Changed: []string{"task-3"}, Removed: []string{"task-4"}}
	if diff := cmp.Diff(want, config.Diff(second, third)); diff != "" {
		t.Error(diff)
	}
	for _, damaged := range [][]byte{nil, saved.Bytes()[:saved.Len()/2], []byte("nonsense")} {
		c := config.NewCache()
		if err := c.Load(bytes.NewReader(damaged)); err == nil {
			t.Errorf("no error for %d bytes", len(damaged))
		}
	}
}

func TestDirTree(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret.yaml"), []byte("kind: Task"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret.yaml"), filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	tree, err := config.DirTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := tree.Walk(func(e config.Entry) error { got = append(got, e.Path); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.yaml", "link"}, got); diff != "" {
		t.Error(diff)
	}
	if b, err := tree.Read(config.Entry{Path: "a.yaml"}, 100); err == nil {
		t.Errorf("read %q through a link that leaves", b)
	}
	if _, err := config.DirTree(filepath.Join(dir, "none")); err == nil {
		t.Error("no error for a missing folder")
	}
}

func TestBigFile(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "big.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(100 << 20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	tree, err := config.DirTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, problems := load(t, tree)
	if len(problems) != 1 || problems[0].Rule != "size" {
		t.Errorf("problems %v", problems)
	}
}

func TestTraps(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	for name, tt := range map[string]struct{ text, rule string }{
		"anchors that explode": {"kind: Task\n" + bomb, "size"},
		"deep nesting":         {"kind: Task\nname: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "depth"},
		"too deep to parse":    {"kind: Task\nname: " + strings.Repeat("[", 50_000), "syntax"},
		"alias of itself":      {"kind: Task\nenv: &a\n  A: *a\n", "alias"},
		"not UTF-8":            {"kind: Task\nname: M\xfcller\n", "encoding"},
		"NUL":                  {"kind: Task\nname: \x00\n", "syntax"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := load(t, memTree{"x.yaml": tt.text})
			if len(problems) == 0 || problems[0].Rule != tt.rule {
				t.Errorf("problems %v", problems)
			}
		})
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "1.5d": 36 * time.Hour, "1d12h": 36 * time.Hour, "0s": 0,
		"": -1, "30": -1, "s": -1, "-5s": -1, "1y": -1, "5 s": -1, "99999999999d": -1, "1d99999999999999h": -1, ".": -1, "..s": -1,
	} {
		got, err := config.ParseDuration(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("ParseDuration(%q) = %v, %v", text, got, err)
		}
	}
}

func TestSlug(t *testing.T) {
	for name, want := range map[string]string{
		"Nightly Order Sync": "nightly-order-sync", "  A--b_c! ": "a-b-c", "Größe prüfen": "groesse-pruefen", "日本": "", "": "", "-": "",
		strings.Repeat("ab ", 60): strings.Trim(strings.Repeat("ab-", 60)[:100], "-"),
	} {
		if got := config.Slug(name); got != want {
			t.Errorf("Slug(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	lookup := func(name string) (string, bool) { return "v-" + name, name != "none" }
	for value, want := range map[string]string{
		"plain": "plain", "${secret:a}": "v-a", "x${secret:a}y${secret:b}z": "xv-ayv-bz", "${HOME} $x ${secret:open": "${HOME} $x ${secret:open",
	} {
		if got, err := config.Expand(value, lookup); got != want || err != nil {
			t.Errorf("Expand(%q) = %q, %v", value, got, err)
		}
	}
	if _, err := config.Expand("${secret:a}${secret:none}", lookup); err == nil || strings.Contains(err.Error(), "v-a") {
		t.Errorf("err = %v", err)
	}
}

// FuzzLoad looks for input that makes loading fail, hang or point nowhere.
func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/problems/*.txtar")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, one := range archive.Files {
			f.Add(string(one.Data))
		}
	}
	f.Add("kind: Task\nname: x\nschedule: '*/5 * * * *'\nscript: |\n  true\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, problems := load(t, memTree{"x.yaml": text, "s.sh": "true"})
		if (s == nil) != schema.HasErrors(problems) {
			t.Errorf("snapshot %v with problems %v", s, problems)
		}
		lines := strings.Count(text, "\n") + 1
		for _, p := range problems {
			if p.File != "x.yaml" || p.Line < 1 || p.Column < 1 || p.Message == "" || p.Line > lines+1 {
				t.Errorf("a problem that points nowhere: %+v", p)
			}
		}
	})
}
