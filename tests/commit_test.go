package tests

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/tests/gitserver"
)

// TestFromCommitToMessage is the main job: from a commit in a private
// repository to a message, by way of bad commits, restarts and an outage.
func TestFromCommitToMessage(t *testing.T) {
	ctx := context.Background()
	mattermost := newReceiver(t)
	git := gitserver.New(t)
	git.Password = "git-t0ken"
	hello := task("Hello", "script: |\n  echo \"hello from $AGENT_RUN_REVISION\"")
	first := git.Commit("First", map[string]string{
		"prod/hello.yaml": hello,
		"prod/hooks.yaml": webhook + "---\nkind: Defaults\nsync: {notify: [Ops Channel]}\n",
		"dev/bad.yaml":    "kind: Nonsense\n",
	})
	a := newInstance(t, git.URL, []string{"AGENT_GIT_TOKEN=git-t0ken", opsURL(mattermost)}, "--path", "prod").ready()
	made, err := a.Client.Trigger(ctx, "hello", nil)
	if err != nil {
		t.Fatal(err)
	}
	mattermost.await(t, "✅ **ApiMeld — Task Succeeded**", "**Task:** Hello", "hello from "+first, "[View full log →]("+a.URL+"/runs/"+made.ID+")")

	// A bad commit changes nothing, and is told once.
	bad := git.Commit("A typo", map[string]string{"prod/hello.yaml": strings.Replace(hello, "script", "scirpt", 1)})
	for range 2 {
		result, err := a.Client.Sync(ctx)
		if err != nil || result.State != api.SyncRejected || result.Revision != bad || len(result.Problems) == 0 {
			t.Fatalf("%+v, %v", result, err)
		}
	}
	mattermost.await(t, "❌ **ApiMeld — Configuration Rejected**", "A typo", "did you mean script?")
	if out, code := a.agent("sync"); code != 1 || !strings.Contains(out, "did you mean script?") {
		t.Errorf("sync: %d\n%s", code, out)
	}
	if out, code := a.agent("status"); code != 1 || !strings.Contains(out, "rejected") {
		t.Errorf("status: %d\n%s", code, out)
	}
	trigger := func(want string) {
		t.Helper()
		made, err := a.Client.Trigger(ctx, "hello", nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := a.awaitRun(made.ID); r.State != run.Success || r.Revision != want {
			t.Errorf("run %+v, want revision %s", r, want)
		}
	}
	trigger(first)

	// Also over a restart, and while Git is out of reach.
	a.stop()
	a.ready()
	trigger(first)
	a.stop()
	git.Password = "another"
	a.ready()
	trigger(first)
	if s, err := a.Client.Status(ctx); err != nil || s.SyncError == "" || strings.Contains(s.SyncError, "t0ken") {
		t.Errorf("status %+v, %v", s, err)
	}
	git.Password = "git-t0ken"

	// The next good one goes live, and that is told.
	good := git.Commit("Mended", map[string]string{"prod/hello.yaml": hello, "prod/more.yaml": task("More", "script: echo more")})
	if result, err := a.Client.Sync(ctx); err != nil || result.State != api.SyncLive || result.Revision != good {
		t.Fatalf("%+v, %v", result, err)
	}
	mattermost.await(t, "✅ **ApiMeld — Configuration Live Again**", "Mended")
	trigger(good)
	if n := mattermost.count("Configuration Rejected"); n != 1 {
		t.Errorf("told %d times of one bad commit", n)
	}

	// A force-push back in time.
	git.Git("reset", "-q", "--hard", first)
	git.Git("push", "-q", "-f", "origin", "main")
	if result, err := a.Client.Sync(ctx); err != nil || result.State != api.SyncLive || result.Revision != first {
		t.Fatalf("%+v, %v", result, err)
	}
	if _, err := a.Client.Trigger(ctx, "more", nil); err == nil {
		t.Error("a task that is gone runs")
	}
	trigger(first)
	noSecrets(t, a, "git-t0ken", hookID)
}

// noSecrets looks for secrets in everything that an agent has written or shows.
func noSecrets(t *testing.T, a *instance, secrets ...string) {
	t.Helper()
	look := func(where, text string) {
		t.Helper()
		for _, s := range secrets {
			if i := strings.Index(text, s); i >= 0 {
				t.Errorf("%s holds %q: …%s…", where, s, text[max(0, i-80):min(len(text), i+80)])
			}
		}
	}
	look("the agent's output", a.log())
	for _, page := range []string{"/", "/runs", "/revisions", "/webhooks", "/api/v1/tasks", "/api/v1/runs?include=notices", "/api/v1/webhooks", "/api/v1/status", "/metrics"} {
		look(page, get(t, a.URL+page))
	}
	if b, err := os.ReadFile("/proc/" + itoa(a.cmd.Process.Pid) + "/cmdline"); err == nil {
		look("the process list", string(b))
	}
	a.stop()
	err := filepath.WalkDir(a.State, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			look(path, string(b))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
