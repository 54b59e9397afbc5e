package tests

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// floors is the house, lowest first. A package imports lower floors only,
// never a sibling; what is below a room belongs to it.
var floors = [][]string{
	{"schema", "runners", "notify", "agent/schedule", "agent/secret", "agent/run", "agent/runlog"},
	{"config", "notify/mattermost", "agent/api"},
	{"agent/repo", "agent/store", "agent/control"},
	{"agent/reconcile", "agent/scheduler", "agent/worker", "agent/web", "agent/client"},
	{"agent/app"},
	{"agent/cli"},
	{"agent"},
}

const module = "github.com/apimeld/agent/"

// TestHouse holds imports to the floors, and each package to a doc comment.
func TestHouse(t *testing.T) {
	room, floor := map[string]string{}, map[string]int{}
	rooms := func(path string) string {
		best := ""
		for i, f := range floors {
			for _, r := range f {
				floor[r] = i
				if (path == r || strings.HasPrefix(path, r+"/")) && len(r) > len(best) {
					best = r
				}
			}
		}
		return best
	}
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Doc,Name", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	type pkg struct {
		ImportPath, Doc, Name string
		Imports               []string
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(p.ImportPath, "tests") {
			continue
		}
		if room[p.ImportPath] = rooms(p.ImportPath); room[p.ImportPath] == "" || room[p.ImportPath] == "agent" && p.ImportPath != "agent" {
			t.Errorf("%s is not on the map: give it a floor here and in docs/house.md", p.ImportPath)
			continue
		}
		if p.Doc == "" {
			t.Errorf("%s has no doc comment that says what it owns", p.ImportPath)
		}
		all = append(all, p)
	}
	if len(all) < 20 {
		t.Fatalf("only %d packages", len(all))
	}
	for _, p := range all {
		for _, i := range p.Imports {
			path, ok := strings.CutPrefix(i, module)
			if !ok {
				continue
			}
			from, to := room[p.ImportPath], rooms(path)
			if from != to && floor[to] >= floor[from] {
				t.Errorf("%s (floor %d) imports %s (floor %d)", p.ImportPath, floor[from]+1, path, floor[to]+1)
			}
		}
	}
}
