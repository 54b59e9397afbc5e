package tests

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apimeld/agent/agent/run"
)

// bare is a task that tells nobody unless more says so.
func bare(name, more string) string { return "kind: Task\nname: " + name + "\n" + more + "\n" }

// TestReplace lets a newer run take the place of the one that is going.
func TestReplace(t *testing.T) {
	mattermost := newReceiver(t)
	a := newInstance(t, folder(t, map[string]string{"hooks.yaml": webhook, "tasks.yaml": bare("Long",
		"overlap: replace\nnotify: [{webhook: Ops Channel, events: [cancelled, success]}]\nscript: |\n  echo begins\n  [ \"$AGENT_RUN_NUMBER\" = 3 ] || sleep 1000\n")}),
		[]string{opsURL(mattermost)}).ready()
	first := a.trigger("long")
	await(t, "the first to be at work", func() (string, bool) { log := a.logOf(first); return log, strings.Contains(log, "begins") })
	second, third := a.trigger("long"), a.trigger("long")
	for _, label := range []string{first, second} {
		if r := a.awaitRun(label); r.State != run.Cancelled || r.Reason != "a newer run replaced it" {
			t.Errorf("%s: %s %s", label, r.State, r.Reason)
		}
	}
	if r := a.awaitRun(third); r.State != run.Success {
		t.Errorf("%s: %s %s", third, r.State, r.Reason)
	}
	mattermost.await(t, "Task Cancelled", "a newer run replaced it")
	mattermost.await(t, "Task Succeeded")
}

// TestRepeat tells less often of a row of failures.
func TestRepeat(t *testing.T) {
	for _, tt := range []struct {
		repeat string
		codes  string // exit codes, one run each
		want   []string
	}{
		{"every", "11010", []string{"Failed", "Failed", "Recovered", "Failed"}},
		{"changes", "1110011", []string{"Failed", "Recovered", "Failed", "end"}},
		{"1h", "111011", []string{"Failed", "end"}},
	} {
		t.Run(tt.repeat, func(t *testing.T) {
			mattermost := newReceiver(t)
			events := "[failure]"
			if tt.repeat == "every" {
				events = "[failure, recovered]"
			}
			a := newInstance(t, folder(t, map[string]string{"hooks.yaml": webhook, "tasks.yaml": bare("Some",
				"notify: [{webhook: Ops Channel, events: "+events+", repeat: "+tt.repeat+"}]\nscript: |\n  exit \"$TASK_PAYLOAD\"\n") +
				"---\n" + bare("End", "script: |\n  notify_mattermost 'Ops Channel' end\n")}), []string{opsURL(mattermost)}).ready()
			for _, code := range tt.codes {
				r, err := a.Client.Trigger(context.Background(), "some", []byte(string(code)))
				if err != nil {
					t.Fatal(err)
				}
				a.awaitRun(r.Label)
			}
			a.run("end") // one webhook's messages come in order
			mattermost.await(t, "end")
			var got []string
			for _, p := range mattermost.all() {
				for _, word := range []string{"Failed", "Recovered", "end"} {
					if strings.Contains(strings.SplitN(p.Text, "\n", 2)[0], word) {
						got = append(got, word)
					}
				}
			}
			want := tt.want
			if tt.repeat == "every" {
				want = append(want, "Recovered", "end")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestAllow keeps a script from a webhook that its task's file may not use.
func TestAllow(t *testing.T) {
	a := newInstance(t, folder(t, map[string]string{
		"hooks.yaml":         webhook + "allow: [\"tasks/orders/**\"]\n",
		"tasks/orders/a.yml": bare("Mine", "script: |\n  notify_mattermost 'Ops Channel' x\n"),
		"tasks/other/b.yml":  bare("Other", "script: |\n  notify_mattermost 'Ops Channel' x\n"),
	}), []string{opsURL(newReceiver(t))}).ready()
	if r := a.run("mine"); r.State != run.Success {
		t.Error(a.logOf(r.Label))
	}
	r := a.run("other")
	if r.State != run.Failure {
		t.Error(r.State)
	}
	wantLog(t, a, r.Label, `webhook "Ops Channel" is not for tasks of tasks/other/b.yml; see allow at hooks.yaml:1`)
}

// TestInterpreter runs what a task names, from PATH or the source, and tells what is missing.
func TestInterpreter(t *testing.T) {
	mattermost := newReceiver(t)
	dir := folder(t, map[string]string{
		"hooks.yaml": webhook,
		"tools/sh":   "#!/bin/sh\nshift\necho \"mine runs $(basename \"$1\")\"\n",
		"tasks.yaml": strings.Join([]string{
			bare("Inside", "interpreter: tools/sh\nscript: echo no"),
			bare("Named", "interpreter: sh\nscript: echo yes"),
			bare("Missing", "interpreter: no-such-shell\nnotify: [{webhook: Ops Channel}]\nscript: echo no"),
		}, "---\n"),
	})
	if err := os.Chmod(filepath.Join(dir, "tools/sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	a := newInstance(t, dir, []string{opsURL(mattermost)}).ready()
	wantLog(t, a, a.run("inside").Label, "mine runs inside.sh")
	wantLog(t, a, a.run("named").Label, "yes")
	if r := a.run("missing"); r.State != run.Failure || !strings.Contains(r.Reason, "no-such-shell is not on PATH") {
		t.Errorf("%s %s", r.State, r.Reason)
	}
	mattermost.await(t, "Task Failed", "no-such-shell is not on PATH")
	out, code := a.agent("validate", a.args[1])
	if code != 0 || !strings.Contains(out, "warning: find interpreter of bash: no-such-shell is not on PATH [missing-interpreter]") {
		t.Errorf("%d\n%s", code, out)
	}
}
