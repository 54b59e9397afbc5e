// Package need says what a test cannot do without. On a machine that lacks it
// the test says what is missing and skips; with AGENT_TEST_REQUIRE set, as the
// project's gate has it, it fails; but for programs that AGENT_TEST_OPTIONAL
// lists, which that machine has no way to install.
package need

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Program returns the path of the first of the programs that is there. install
// is the Debian package that brings it.
func Program(t testing.TB, install string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, names[0]+" is missing: install "+install, slices.Contains(strings.Fields(os.Getenv("AGENT_TEST_OPTIONAL")), names[0]))
	return ""
}

// Missing skips the test, or fails it where nothing may be missing.
func Missing(t testing.TB, what string) {
	t.Helper()
	missing(t, what, false)
}

func missing(t testing.TB, what string, optional bool) {
	t.Helper()
	if os.Getenv("AGENT_TEST_REQUIRE") != "" && !optional {
		t.Fatal(what)
	}
	t.Skip(what)
}
