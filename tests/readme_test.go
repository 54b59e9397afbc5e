package tests

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/apimeld/agent/agent/run"
)

// TestReadme runs the README's task in each language, and checks all that the
// README shows of configuration.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) != 2 {
		t.Fatalf("%d blocks of YAML", len(blocks))
	}
	a := newInstance(t, folder(t, map[string]string{"first.yaml": blocks[0], "languages.yaml": blocks[1], "scripts/sync.py": "print('ok')\n"}),
		[]string{"AGENT_SECRET_SHOP_TOKEN=x"}, "--inbox").ready()
	eachLanguage(t, func(t *testing.T, language string) {
		r := a.run("in-" + language)
		if r.State != run.Success || len(r.Notices) != 1 || !strings.Contains(r.Notices[0].Text, "/1000 records processed") {
			t.Errorf("%s %s\n%s", r.State, r.Reason, a.logOf(r.Label))
		}
	})
}
