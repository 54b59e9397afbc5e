// Package tests holds what crosses packages: the real binary, real Git
// servers, real browsers and faults.
package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/apimeld/agent/agent/cli"
)

// binary is the agent, built as users build it.
var binary string

func TestMain(m *testing.M) {
	// Go takes a test's result for good as long as the test's own binary is the
	// same. With the agent in it, a change of the agent is one of the tests.
	if os.Getenv("AGENT_TEST_IS_AGENT") != "" {
		os.Exit(cli.Main())
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "agent-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "agent")
		args := []string{"build", "-o", binary}
		if raceEnabled {
			args = append(args, "-race")
		}
		build := exec.Command("go", append(args, "../agent")...)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build agent: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}
