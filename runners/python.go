package runners

import "path/filepath"

// python reads the SDK by way of a sitecustomize module, which Python imports
// before a script. PYTHONPATH leads to it, before the author's own.
var python = Language{
	Name:         "python",
	extensions:   []string{".py"},
	interpreters: []string{"python3", "python"},
	install:      "python3",
	flag:         "python",
	syntax:       pythonSyntax,
	syntaxNeeds:  true,
	command: func(s Script, interpreter string, k Kit) (Command, error) {
		return Command{
			Path:    interpreter,
			Args:    append([]string{s.Path}, s.Args...),
			Prepend: []Prepend{{"PYTHONPATH", filepath.Join(k.SDK, "python"), ":"}},
			Env: []string{
				// A log that is read while the script runs must not wait for a full buffer.
				"PYTHONUNBUFFERED=1",
				// The source's files are shared by runs, and read-only.
				"PYTHONDONTWRITEBYTECODE=1",
			},
		}, nil
	},
}
