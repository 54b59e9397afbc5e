package runners

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// csharp builds the script and runs what came of it. The build runs where the
// script does, since it may run code of the author's; what is built is kept
// under a name that says what it was built of.
var csharp = Language{
	Name:         "csharp",
	extensions:   []string{".cs"},
	interpreters: []string{"dotnet"},
	install:      "dotnet-sdk-10.0",
	flag:         "dotnet",
	syntax:       csharpSyntax,
	syntaxNeeds:  true,
	command: func(s Script, interpreter string, k Kit) (Command, error) {
		text, err := os.ReadFile(s.Path)
		if err != nil {
			return Command{}, err
		}
		sum := sha256.New()
		fmt.Fprintf(sum, "%s\x00%s\x00%s\x00%s\x00", interpreter, filepath.Base(k.SDK), filepath.Base(s.Path), text)
		if builtOfMore(s.Path, string(text)) {
			fmt.Fprintf(sum, "%s\x00", s.Path)
		}
		out := filepath.Join(k.Cache, "csharp", hex.EncodeToString(sum.Sum(nil)[:12]))
		sdk := filepath.Join(k.SDK, "csharp")
		return Command{
			Path: "/bin/sh",
			Args: append([]string{filepath.Join(sdk, "run.sh"), interpreter, s.Path, out}, s.Args...),
			Env: []string{
				"DOTNET_NOLOGO=1", "DOTNET_CLI_TELEMETRY_OPTOUT=1", "DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1",
				"DOTNET_SYSTEM_CONSOLE_ALLOW_ANSI_COLOR_REDIRECTION=0", "NO_COLOR=1",
			},
		}, nil
	},
}

// builtOfMore reports whether a build reads more than the script: then it is
// kept for the script's folder only, which belongs to one revision.
func builtOfMore(path, text string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#:project") || strings.HasPrefix(line, "#:include") || strings.HasPrefix(line, "#:import") {
			return true
		}
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		for _, name := range []string{"Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props", "global.json", "nuget.config", "NuGet.config"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return true
			}
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}
