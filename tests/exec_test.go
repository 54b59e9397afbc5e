package tests

import (
	"strings"
	"testing"

	"github.com/apimeld/agent/tests/need"
)

// TestExec tries a task before its commit, as its author does.
func TestExec(t *testing.T) {
	need.Program(t, "nodejs", "node")
	mattermost := newReceiver(t)
	dir := folder(t, map[string]string{"tasks.yaml": webhook + "---\n" + bare("Try", `language: typescript
env: {SHOP: eu, LEVEL: "1"}
notify: [{webhook: Ops Channel, events: [success, failure]}]
script: |
  logger.info(process.env.SHOP, process.env.LEVEL, payload.orders as number, state.get("x"))
  notifications.sendMattermost("Ops Channel", "by hand")
  if (payload.orders === 0) process.exit(4)`)})
	a := newInstance(t, dir, []string{opsURL(mattermost), "XDG_CACHE_HOME=" + t.TempDir()})
	payload := dir + "/payload"
	writeFiles(t, dir, map[string]string{"payload": `{"orders": 7}`})

	out, code := a.agent("exec", "try", "--path", dir, "--payload", payload, "--env", "SHOP=us", "--env", "MORE=x")
	for _, want := range []string{"us 1 7 undefined", "to Ops Channel:\nby hand", "to Ops Channel:\n✅ **ApiMeld — Task Succeeded**", "try success"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%d, no %q in\n%s", code, want, out)
		}
	}
	if posts := mattermost.all(); len(posts) > 0 {
		t.Errorf("it was sent: %v", posts)
	}
	writeFiles(t, dir, map[string]string{"payload": `{"orders": 0}`})
	out, code = a.agent("exec", "try", "--path", dir, "--payload", payload, "--send")
	for _, want := range []string{"sent to Ops Channel:\nby hand", "sent to Ops Channel:\n❌ **ApiMeld — Task Failed**", "exit code 4"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("%d, no %q in\n%s", code, want, out)
		}
	}
	mattermost.await(t, "by hand")
	mattermost.await(t, "Task Failed")
	if out, code = a.agent("exec", "try", "--path", dir, "--env", "SHOP"); code != 2 || !strings.Contains(out, "NAME=VALUE") {
		t.Errorf("%d %s", code, out)
	}
}
