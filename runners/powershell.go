package runners

import (
	"path/filepath"
	"strings"
)

// powershell runs the script by its own name after the SDK has set its
// variables: so errors name the author's file and line. The exit code is the
// script's, as with -File: what a program in the middle of it returned does
// not count.
var powershell = Language{
	Name:         "powershell",
	extensions:   []string{".ps1"},
	interpreters: []string{"pwsh"},
	install:      "powershell",
	flag:         "pwsh",
	syntax:       powershellSyntax,
	syntaxNeeds:  true,
	command: func(s Script, interpreter string, k Kit) (Command, error) {
		line := []string{"&", quotePowerShell(s.Path)}
		for _, a := range s.Args {
			line = append(line, argPowerShell(a))
		}
		return Command{
			Path: interpreter,
			Args: []string{
				"-NoProfile", "-NonInteractive", "-Command",
				". " + quotePowerShell(filepath.Join(k.SDK, "powershell", "agent.ps1")) + "; " +
					strings.Join(line, " ") + "; if (!$?) { exit [Math]::Max(1, $global:LASTEXITCODE) }",
			},
			Env: []string{"POWERSHELL_TELEMETRY_OPTOUT=1", "POWERSHELL_UPDATECHECK=Off", "NO_COLOR=1"},
		}, nil
	},
}

// quotePowerShell makes a text one literal. PowerShell takes typographic quotes for quotes.
func quotePowerShell(text string) string {
	return "'" + strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(text) + "'"
}

// argPowerShell is an argument as -File would take it: -Name and -Name:value
// are parameters, all else is text.
func argPowerShell(a string) string {
	name, value, given := strings.Cut(a, ":")
	if len(name) > 1 && name[0] == '-' && strings.Trim(name[1:], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" && (name[1] < '0' || name[1] > '9') {
		switch {
		case !given:
			return name
		case strings.EqualFold(value, "$true") || strings.EqualFold(value, "$false"):
			return name + ":" + value
		}
		return name + ":" + quotePowerShell(value)
	}
	return quotePowerShell(a)
}
