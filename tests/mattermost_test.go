package tests

import (
	"os/exec"
	"testing"
)

// TestMattermost runs the module that holds messages to Mattermost's own
// code, so that `go test ./...` is everything.
func TestMattermost(t *testing.T) {
	cmd := exec.Command("go", "test", "./...")
	cmd.Dir = "mattermost"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
