package tests

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/tests/need"
)

// trigger makes a run and returns its label.
func (i *instance) trigger(task string) string {
	i.t.Helper()
	r, err := i.Client.Trigger(context.Background(), task, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	return r.Label
}

// run makes a run and waits for its end.
func (i *instance) run(task string) api.Run {
	i.t.Helper()
	return i.awaitRun(i.trigger(task))
}

func wantLog(t *testing.T, a *instance, label string, want ...string) {
	t.Helper()
	log := a.logOf(label)
	for _, w := range want {
		if !strings.Contains(log, w) {
			t.Errorf("%s: no %q in its log:\n%s", label, w, log)
		}
	}
}

func alive(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func TestRuns(t *testing.T) {
	mattermost := newReceiver(t)
	dir := folder(t, map[string]string{
		"hooks.yaml": webhook,
		"tasks.yaml": strings.Join([]string{
			task("Environment", "env: {SHOP: eu, TOKEN: '${secret:shop-token}'}\nargs: [--full, a b]\nscript: |\n  env | sort; pwd; ls -A; echo \"args $# $2\"; cat; echo \"end of input\""),
			task("File", "file: scripts/where.sh"),
			task("Fails", "script: exit 3"),
			task("Fails in parts", "script: |\n  set -e\n  false"),
			task("Retries", "retry: {attempts: 3, delay: 10ms}\nscript: |\n  echo \"attempt $AGENT_RUN_ATTEMPT\"; [ \"$AGENT_RUN_ATTEMPT\" = 3 ]"),
			task("Retries in vain", "retry: {attempts: 2, delay: 10ms}\nscript: exit 4"),
			task("Too long", "timeout: 300ms\nscript: |\n  trap '' TERM\n  sleep 1000 & echo \"child $!\"\n  while :; do sleep 1000; done"),
			task("Waits", "script: |\n  sleep 1000 & echo \"child $!\"; wait"),
			task("Secret", "env: {TOKEN: '${secret:shop-token}'}\nscript: |\n  echo \"token $TOKEN\"; echo \"$TOKEN\" | base64; exit 1"),
			task("Large", "script: |\n  head -c 30000000 /dev/zero | tr '\\0' x | fold -w 100; echo the end"),
			task("Binary", "script: |\n  printf 'caf\\xe9 \\x00 \\x1b[31mred\\x1b[0m\\n'"),
			task("Recovers", "script: test -e \"$FLAG\"\nenv: {FLAG: '"+filepath.Join(t.TempDir(), "flag")+"'}"),
			task("Skip", "script: sleep 1000"),
			task("Queue", "overlap: queue\nscript: sleep 0.2; echo done"),
			task("Allow", "overlap: allow\nscript: sleep 0.5"),
			task("Payload", "script: echo \"got $TASK_PAYLOAD\""),
			task("Off", "enabled: false\nscript: echo"),
		}, "---\n"),
		"scripts/where.sh": "pwd; ls; touch here || echo read-only; cat scripts/data.txt\n",
		"scripts/data.txt": "data of the revision\n",
	})
	const token = "t0ken-of-the-shop"
	a := newInstance(t, dir, []string{opsURL(mattermost), "AGENT_SECRET_SHOP_TOKEN=" + token, "OF_THE_AGENT=1"}, "--grace", "300ms").ready()

	t.Run("environment", func(t *testing.T) {
		r := a.run("environment")
		wantLog(t, a, r.Label, "SHOP=eu", "TOKEN=***", "args 2 a b", "end of input", "AGENT_RUN_ID="+r.ID, "AGENT_RUN_NUMBER=1", "AGENT_RUN_TASK=environment", "AGENT_RUN_TRIGGER=manual", "AGENT_RUN_ATTEMPT=1", "AGENT_RUN_URL="+r.URL, "AGENT_RUN_SCHEDULED_FOR=20")
		if log := a.logOf(r.Label); strings.Contains(log, "OF_THE_AGENT") || strings.Contains(log, "AGENT_SECRET") || strings.Contains(log, hookID) {
			t.Errorf("the agent's own environment leaks:\n%s", log)
		}
		mattermost.await(t, "▶️ **ApiMeld — Task Started**", "Environment")
	})
	t.Run("file", func(t *testing.T) {
		r := a.run("file")
		wantLog(t, a, r.Label, "tasks.yaml", "data of the revision")
		if os.Getuid() != 0 {
			wantLog(t, a, r.Label, "read-only")
		}
	})
	t.Run("failure", func(t *testing.T) {
		if r := a.run("fails"); r.State != run.Failure || r.ExitCode == nil || *r.ExitCode != 3 {
			t.Errorf("run %+v", r)
		}
		mattermost.await(t, "❌ **ApiMeld — Task Failed**", "Failed (exit code 3)")
		if r := a.run("fails-in-parts"); r.State != run.Failure {
			t.Errorf("run %+v", r)
		}
	})
	t.Run("retries", func(t *testing.T) {
		if r := a.run("retries"); r.State != run.Success || r.Attempt != 3 || len(r.Attempts) != 3 {
			t.Errorf("run %+v", r)
		}
		wantLog(t, a, "retries#1", "attempt 1\n", "attempt 3", "attempt 1 of 3: failed with exit code 1")
		mattermost.await(t, "Task Succeeded", "Retries", "Attempts:** 3 of 3")
		if r := a.run("retries-in-vain"); r.State != run.Failure || r.Attempt != 2 {
			t.Errorf("run %+v", r)
		}
		mattermost.await(t, "Task Failed", "Retries in vain", "Attempts:** 2 of 2")
		if n := mattermost.count("Task Failed", "Retries in vain"); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
	t.Run("timeout", func(t *testing.T) {
		r := a.run("too-long")
		if r.State != run.Timeout {
			t.Errorf("run %+v", r)
		}
		mattermost.await(t, "⏱ **ApiMeld — Task Timed Out**", "Timed Out (after 0.3s)")
		wantEnded(t, a, r.Label)
	})
	t.Run("cancel", func(t *testing.T) {
		label := a.trigger("waits")
		await(t, "a child", func() (string, bool) { l := a.logOf(label); return l, strings.Contains(l, "child") })
		if out, code := a.agent("cancel", label); code != 0 {
			t.Errorf("%d: %s", code, out)
		}
		if r := a.awaitRun(label); r.State != run.Cancelled || r.Reason == "" {
			t.Errorf("run %+v", r)
		}
		wantEnded(t, a, label)
		mattermost.await(t, "🚫 **ApiMeld — Task Cancelled**", "Waits")
		if out, code := a.agent("cancel", label); code != 1 || !strings.Contains(out, "ended already") {
			t.Errorf("cancelled twice: %d, %s", code, out)
		}
	})
	t.Run("secret", func(t *testing.T) {
		r := a.run("secret")
		wantLog(t, a, r.Label, "token ***")
		if p := mattermost.await(t, "Secret", "Task Failed"); strings.Contains(p.Text, token) {
			t.Error(p.Text)
		}
	})
	t.Run("large", func(t *testing.T) {
		r := a.run("large")
		log := a.logOf(r.Label)
		if len(log) < 9<<20 || len(log) > 11<<20 || !strings.HasSuffix(log, "the end") || !strings.Contains(log, "lines (") || !strings.Contains(log, "are cut out here") {
			t.Errorf("%d bytes of log, …%s", len(log), log[max(0, len(log)-40):])
		}
	})
	t.Run("binary", func(t *testing.T) {
		r := a.run("binary")
		if r.State != run.Success {
			t.Errorf("run %+v", r)
		}
		wantLog(t, a, r.Label, "caf\ufffd")
	})
	t.Run("recovers", func(t *testing.T) {
		a.run("recovers")
		a.run("recovers")
		flag := strings.TrimSuffix(strings.SplitN(readFile(t, filepath.Join(dir, "tasks.yaml")), "FLAG: '", 2)[1], "")
		flag, _, _ = strings.Cut(flag, "'")
		if err := os.WriteFile(flag, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		a.run("recovers")
		mattermost.await(t, "✅ **ApiMeld — Task Recovered**", "after 2 troubled runs")
		if n := mattermost.count("Task Succeeded", "Recovers"); n != 0 {
			t.Errorf("%d messages of the same success", n)
		}
	})
	t.Run("overlap", func(t *testing.T) {
		first, second := a.trigger("skip"), a.trigger("skip")
		if r := a.awaitRun(second); r.State != run.Skipped || !strings.Contains(r.Reason, first+" was still going") {
			t.Errorf("run %+v", r)
		}
		mattermost.await(t, "⏭ **ApiMeld — Task Skipped**", `skip\#1 was still going`)
		a.agent("cancel", first)
		var labels []string
		for range 4 {
			labels = append(labels, a.trigger("queue"))
		}
		var last time.Time
		for _, label := range labels {
			r := a.awaitRun(label)
			if r.State != run.Success || r.Started.Before(last) {
				t.Errorf("%s started %v, the one before ended %v", label, r.Started, last)
			}
			last = r.Ended.Time
		}
		x, y := a.trigger("allow"), a.trigger("allow")
		if p, q := a.awaitRun(x), a.awaitRun(y); !q.Started.Before(p.Ended.Time) {
			t.Errorf("%v and %v do not overlap", p, q)
		}
	})
	t.Run("payload", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "payload")
		if err := os.WriteFile(file, []byte("a 'quoted' $payload"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, code := a.agent("trigger", "payload", "--payload", file, "--wait")
		if code != 0 || !strings.Contains(out, "got a 'quoted' $payload") {
			t.Errorf("%d: %s", code, out)
		}
	})
	t.Run("refused", func(t *testing.T) {
		for task, want := range map[string]string{"off": "set enabled: true", "paylod": "did you mean payload?"} {
			if out, code := a.agent("trigger", task); code != 1 || !strings.Contains(out, want) {
				t.Errorf("%s: %d, %s", task, code, out)
			}
		}
	})
	noSecrets(t, a, token, hookID)
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantEnded looks for the child that a script named in its log.
func wantEnded(t *testing.T, a *instance, label string) {
	t.Helper()
	_, rest, ok := strings.Cut(a.logOf(label), "child ")
	if !ok {
		t.Fatalf("%s names no child", label)
	}
	pid, _, _ := strings.Cut(rest, "\n")
	await(t, "process "+pid+" to end", func() (bool, bool) { return true, !alive(pid) })
}

// TestRestart stops and kills an agent with runs going and waiting.
func TestRestart(t *testing.T) {
	mattermost := newReceiver(t)
	dir := folder(t, map[string]string{
		"hooks.yaml": webhook,
		"tasks.yaml": task("Long", "overlap: queue\nscript: |\n  sleep 1000 & echo \"child $!\"; wait") + "---\n" + task("Short", "script: sleep 1"),
	})
	a := newInstance(t, dir, []string{opsURL(mattermost)}, "--stop-timeout", "300ms", "--grace", "300ms").ready()
	going, waiting := a.trigger("long"), a.trigger("long")
	await(t, "a child", func() (string, bool) { l := a.logOf(going); return l, strings.Contains(l, "child") })
	_, rest, _ := strings.Cut(a.logOf(going), "child ")
	orphan, _, _ := strings.Cut(rest, "\n")

	a.kill()
	if !alive(orphan) {
		t.Fatal("the script ended with its agent: there is nothing to test")
	}
	a.ready()
	if r := a.awaitRun(going); r.State != run.Lost || !strings.Contains(r.Reason, "has been ended") {
		t.Errorf("run %+v", r)
	}
	if alive(orphan) {
		t.Error("an orphan goes on")
	}
	mattermost.await(t, "❓ **ApiMeld — Task Lost**", "Long")
	await(t, "what waited to run", func() (api.Run, bool) {
		r, err := a.Client.Run(context.Background(), waiting)
		return r, err == nil && r.State == run.Running
	})

	// Stopped in order: what is going is told, what waits runs after the start.
	queued := a.trigger("long")
	a.stop()
	a.ready()
	if r := a.awaitRun(waiting); r.State != run.Cancelled || !strings.Contains(r.Reason, "the agent was stopped") {
		t.Errorf("run %+v", r)
	}
	await(t, "what was queued to run", func() (api.Run, bool) {
		r, err := a.Client.Run(context.Background(), queued)
		return r, err == nil && r.State == run.Running
	})
}

// TestMaxRuns lets more come due than there are places: all of it runs.
func TestMaxRuns(t *testing.T) {
	var tasks []string
	for i := range 12 {
		tasks = append(tasks, fmt.Sprintf("kind: Task\nname: T%d\nscript: sleep 0.3\n", i))
	}
	a := newInstance(t, folder(t, map[string]string{"t.yaml": strings.Join(tasks, "---\n")}), nil, "--max-runs", "4").ready()
	var labels []string
	for i := range 12 {
		labels = append(labels, a.trigger(fmt.Sprintf("t%d", i)))
	}
	a.awaitStatus("a line", func(s api.Status) bool { return s.Queued > 0 && s.Running <= 4 })
	for _, label := range labels {
		if r := a.awaitRun(label); r.State != run.Success {
			t.Errorf("run %+v", r)
		}
	}
}

// TestLiveChanges changes the configuration while runs are going.
func TestLiveChanges(t *testing.T) {
	ctx := context.Background()
	dir := folder(t, map[string]string{
		"going.yaml": "kind: Task\nname: Going\nscript: sleep 1.5\n",
		"tick.yaml":  "kind: Task\nname: Tick\nschedule: '@every 1s'\noverlap: allow\nscript: 'true'\n",
	})
	a := newInstance(t, dir, nil).ready()
	label := a.trigger("going")
	// A new schedule takes effect at once, another task is not disturbed, and
	// what is going ends by itself although its task is gone.
	writeFiles(t, dir, map[string]string{"new.yaml": "kind: Task\nname: New\nschedule: '@every 1s'\nscript: 'true'\n"})
	if err := os.Remove(filepath.Join(dir, "going.yaml")); err != nil {
		t.Fatal(err)
	}
	a.awaitRun("new#1")
	if r := a.awaitRun(label); r.State != run.Success {
		t.Errorf("run %+v", r)
	}
	a.awaitRun("tick#4")
	var slots []int64
	for _, r := range allRuns(t, a, "tick") {
		slots = append(slots, r.ScheduledFor.Unix())
	}
	for i := 1; i < len(slots); i++ {
		if slots[i-1]-slots[i] != 1 {
			t.Errorf("slots %v", slots)
			break
		}
	}
	if _, err := a.Client.Trigger(ctx, "going", nil); err == nil {
		t.Error("a removed task runs")
	}
}

// TestSpeak lets scripts of both languages speak in awkward ways.
func TestSpeak(t *testing.T) {
	need.Program(t, "python3", "python3")
	mattermost := newReceiver(t)
	inBash := func(name, script string) string {
		return "kind: Task\nname: " + name + "\nnotify: []\nscript: |\n  " + strings.ReplaceAll(script, "\n", "\n  ") + "\n"
	}
	inPython := func(name, script string) string {
		return strings.Replace(inBash(name, script), "notify:", "language: python\nnotify:", 1)
	}
	a := newInstance(t, folder(t, map[string]string{"tasks.yaml": strings.Join([]string{
		strings.TrimSuffix(webhook, "\n") + "\n---\nkind: Webhook\nname: Dev Alerts\nurl: ${secret:ops-url}\n",
		inBash("Bash", `notify_mattermost "Ops Channel" "Sync in progress: 500/1000 records processed"
echo "from a pipe" | notify_mattermost "Ops Channel"
bash -c 'notify_mattermost "Ops Channel" "from a child"'
notify_mattermost "Ops Channel" 'quotes "double" and $dollar @channel'
notify_mattermost Nobody text || echo "status $?"`),
		inPython("Python", `notifications.send_mattermost('Ops Channel', 'Sync in progress: 500/1000 records processed in Python')
try:
    notifications.send_mattermost('Nobody', 'text')
except Exception as e:
    print("caught", e)`),
		inPython("Many", "for i in range(1000):\n    notifications.send_mattermost('Ops Channel', f'number {i:04}')"),
		inBash("Last words", `notify_mattermost "Ops Channel" "the last words"; kill -9 $$`),
		inBash("Long text", `head -c 1000000 /dev/zero | tr '\0' y | notify_mattermost "Ops Channel"`),
		inPython("Long text in Python", "notifications.send_mattermost('Ops Channel', 'z' * 1000000)"),
	}, "---\n")}), []string{opsURL(mattermost)}).ready()

	if r := a.run("bash"); r.State != run.Success || len(r.Notices) != 4 {
		t.Errorf("%s\n%s", toJSON(r), a.logOf("bash#1"))
	}
	mattermost.await(t, "Sync in progress: 500/1000 records processed")
	mattermost.await(t, "from a pipe")
	mattermost.await(t, "from a child")
	mattermost.await(t, `quotes "double" and $dollar @`+"\u200b"+`channel`)
	wantLog(t, a, "bash#1", `unknown webhook "Nobody"; known: Ops Channel, Dev Alerts`, "status 1")

	if r := a.run("python"); r.State != run.Success {
		t.Error(a.logOf("python#1"))
	}
	mattermost.await(t, "records processed in Python")
	wantLog(t, a, "python#1", `caught unknown webhook "Nobody"; known: Ops Channel, Dev Alerts`)

	if r := a.run("many"); r.State != run.Success {
		t.Error(a.logOf("many#1"))
	}
	mattermost.await(t, "number 0999")
	var numbers []string
	for _, p := range mattermost.all() {
		if strings.HasPrefix(p.Text, "number") {
			numbers = append(numbers, p.Text)
		}
	}
	for i, text := range numbers {
		if text != fmt.Sprintf("number %04d", i) || len(numbers) != 1000 {
			t.Fatalf("%d messages, number %d is %q", len(numbers), i, text)
		}
	}
	a.run("last-words")
	mattermost.await(t, "the last words")
	a.run("long-text")
	a.run("long-text-in-python")
	for _, letter := range []string{"yyyy", "zzzz"} {
		if p := mattermost.await(t, letter, "… cut here: the text had 1000000 characters"); len(p.Text) > 20_000 {
			t.Errorf("%d bytes", len(p.Text))
		}
	}
}

// TestOutage lets one webhook's receiver be down: its notices wait, those of
// the other do not, and after the outage they come in order.
func TestOutage(t *testing.T) {
	down, up := newReceiver(t), newReceiver(t)
	down.Answer = func(string) (int, bool) { return 503, false }
	dir := folder(t, map[string]string{"t.yaml": "kind: Webhook\nname: Down\nurl: ${secret:down}\n---\nkind: Webhook\nname: Up\nurl: ${secret:up}\n---\n" +
		"kind: Task\nname: T\nscript: echo \"number $AGENT_RUN_NUMBER.\"\nnotify: [{webhook: Down, events: [success]}, {webhook: Up, events: [success]}]\n"})
	a := newInstance(t, dir, []string{"AGENT_SECRET_DOWN=" + down.URL + "/hooks/" + hookID, "AGENT_SECRET_UP=" + up.URL}).ready()
	for i := range 5 {
		a.run("t")
		up.await(t, fmt.Sprintf("number %d.", i+1))
	}
	r := await(t, "a try that is told", func() (api.Run, bool) {
		r, err := a.Client.Run(context.Background(), "t#1")
		return r, err == nil && len(r.Notices) == 2 && len(r.Notices[0].Deliveries) > 1
	})
	if n := r.Notices[0]; n.State != "pending" || n.Deliveries[0].Status != 503 || n.Deliveries[0].Detail == "" {
		t.Errorf("notice %s", toJSON(n))
	}
	down.mu.Lock()
	down.Answer = nil
	down.mu.Unlock()
	down.await(t, "number 5.")
	for i, p := range down.all() {
		if !strings.Contains(p.Text, fmt.Sprintf("number %d.", i+1)) {
			t.Errorf("message %d is %q", i, p.Text)
		}
	}
	if out, code := a.agent("runs", "t", "--json", "--limit", "1"); code != 0 || !strings.Contains(out, `"deliveries"`) {
		t.Errorf("%d: %s", code, out)
	}
	noSecrets(t, a, hookID)
}
