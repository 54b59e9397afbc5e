package runners

import "path/filepath"

// bash reads the SDK by way of BASH_ENV, which every Bash that runs a script
// reads first: so its functions are there in child scripts, too.
var bash = Language{
	Name:         "bash",
	extensions:   []string{".sh", ".bash"},
	interpreters: []string{"bash"},
	install:      "bash",
	flag:         "bash",
	syntax:       bashSyntax,
	command: func(s Script, interpreter string, k Kit) (Command, error) {
		return Command{
			Path: interpreter,
			// "--" ends Bash's own options, should the file's name begin with a dash.
			Args: append([]string{"--", s.Path}, s.Args...),
			Env:  []string{"BASH_ENV=" + filepath.Join(k.SDK, "bash", "sdk.sh")},
		}, nil
	},
}
