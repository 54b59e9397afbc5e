package tests

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apimeld/agent/agent/api"
	"github.com/apimeld/agent/agent/run"
	"github.com/apimeld/agent/runners"
	"github.com/apimeld/agent/tests/need"
)

// TestQuickstart runs the first thing that a newcomer runs.
func TestQuickstart(t *testing.T) {
	need.Program(t, "python3", "python3")
	need.Program(t, "bash", "bash")
	a := newInstance(t, "../examples/quickstart", nil, "--inbox").ready()
	for _, want := range []string{"loaded   4 tasks, 2 webhooks", "next\n", "open     " + a.URL, "inbox    " + a.URL + "/inbox"} {
		await(t, want, func() (string, bool) { return a.log(), strings.Contains(a.log(), want) })
	}
	for id, want := range map[string]run.State{"nightly-order-sync": run.Success, "certificate-check": run.Failure, "warehouse-export": run.Timeout, "weekly-report": run.Success} {
		// A run by hand that meets one of the schedule is skipped.
		r := await(t, "a run of "+id, func() (api.Run, bool) { r := a.run(id); return r, r.State != run.Skipped })
		if r.State != want {
			t.Errorf("%s: %s\n%s", id, r.State, a.logOf(r.Label))
		}
	}
	for _, want := range []string{"Task Succeeded", "Task Failed", "Task Timed Out", "this line was sent by the script itself", "View full log"} {
		await(t, want+" in the inbox", func() (string, bool) { page := get(t, a.URL+"/inbox"); return page, strings.Contains(page, want) })
	}
}

// TestEnvironments runs both environments, each with its own folder and secret.
func TestEnvironments(t *testing.T) {
	need.Program(t, "python3", "python3")
	for env, channel := range map[string]string{"dev": "apimeld-dev", "prod": "apimeld-prod"} {
		mattermost := newReceiver(t)
		secret := "AGENT_SECRET_APIMELD_" + strings.ToUpper(env) + "_URL=" + mattermost.URL + "/hooks/x"
		a := newInstance(t, "../examples/environments", []string{secret}, "--path", env).ready()
		for _, id := range []string{"nightly-order-sync", "price-check"} {
			if r := a.run(id); r.State != run.Success {
				t.Errorf("%s %s: %s", env, id, a.logOf(r.Label))
			}
		}
		if env == "dev" { // production is told of trouble only
			if p := mattermost.await(t, "Nightly Order Sync"); p.Channel != channel {
				t.Errorf("channel %q", p.Channel)
			}
		}
	}
}

// TestLanguagesExample runs the same job in six languages, twice each.
func TestLanguagesExample(t *testing.T) {
	names := map[string]string{"bash": "Bash", "python": "Python", "javascript": "JavaScript", "typescript": "TypeScript", "powershell": "PowerShell", "csharp": "C#"}
	a := newInstance(t, "../examples/languages", nil, "--inbox").ready()
	eachLanguage(t, func(t *testing.T, language string) {
		for range 2 {
			r := await(t, "a run of "+language, func() (api.Run, bool) {
				r := a.run("orders-in-" + language)
				return r, r.State != run.Skipped
			})
			if r.State != run.Success {
				t.Errorf("%s %s\n%s", r.State, r.Reason, a.logOf(r.Label))
			}
		}
		want := names[language] + " has seen 6 orders"
		await(t, want, func() (string, bool) { page := get(t, a.URL+"/inbox"); return page, strings.Contains(page, want) })
	})
	if r := a.run("nightly-order-sync"); r.State != run.Success {
		t.Error(a.logOf(r.Label))
	}
	stubs, err := runners.Stubs()
	if err != nil {
		t.Fatal(err)
	}
	const name = "apimeld.d.ts"
	if stub, err := os.ReadFile("../examples/languages/jobs/" + name); err != nil || !bytes.Equal(stub, stubs[name]) {
		t.Errorf("%s of the example is not what `agent sdk stubs` writes: %v", name, err)
	}
}

// TestExamplesAreValid holds every example to agent validate.
func TestExamplesAreValid(t *testing.T) {
	dirs := []string{"../examples/environments/dev", "../examples/environments/prod"}
	entries, err := os.ReadDir("../examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "environments" {
			dirs = append(dirs, filepath.Join("../examples", e.Name()))
		}
	}
	a := newInstance(t, ".", nil)
	for _, dir := range dirs {
		if out, code := a.agent("validate", dir); code != 0 {
			t.Errorf("%s: %d\n%s", dir, code, out)
		}
	}
}
