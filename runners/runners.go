// Package runners is what to start for a script and how: one file a language,
// the SDK files that are there when a script starts, and process control.
//
// It knows neither tasks nor runs: it gets a script, an environment and a
// folder, and gives a process whose whole group ends when it should. It reads
// no configuration and stores nothing.
package runners

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// A Script is what is to be started.
type Script struct {
	Language string
	Path     string // of the script's file
	Args     []string
	// Interpreter is a program's name or path; empty: the language's own, from PATH.
	Interpreter string
}

// A Command is how a script is started.
type Command struct {
	Path string   // of the program
	Args []string // without the program's name
	// Env is added to the script's environment; it wins.
	Env []string
	// Prepend is put before what the environment has under the same name, with a colon between.
	Prepend []string
}

// A Language is one that scripts can be written in.
type Language struct {
	Name         string
	extension    string
	interpreters []string // in the order in which they are looked for
	install      string   // the package that brings one
	command      func(s Script, interpreter, sdk string) Command
}

// languages is built once and never changed.
var languages = []Language{bash, python}

// Lookup returns the language of a name.
func Lookup(name string) (Language, bool) {
	for _, l := range languages {
		if l.Name == name {
			return l, true
		}
	}
	return Language{}, false
}

// Languages lists the names of all languages.
func Languages() []string {
	names := make([]string, len(languages))
	for i, l := range languages {
		names[i] = l.Name
	}
	return names
}

// Extension is that of the language's files, such as ".py".
func (l Language) Extension() string { return l.extension }

// Find returns the path of the language's interpreter: the named one, or the
// first on PATH.
func (l Language) Find(named string) (string, error) {
	candidates := l.interpreters
	if named != "" {
		candidates = []string{named}
	}
	for _, c := range candidates {
		if path, err := exec.LookPath(c); err == nil {
			return path, nil
		} else if !errors.Is(err, exec.ErrNotFound) && named != "" {
			return "", fmt.Errorf("find interpreter of %s: %w", l.Name, err)
		}
	}
	return "", fmt.Errorf("find interpreter of %s: %s is not on PATH\ninstall %s, or name an interpreter with --%s",
		l.Name, strings.Join(candidates, " or "), l.install, l.Name)
}

// Prepare works out how a script is started. sdk is what [InstallSDK] returned.
func Prepare(s Script, sdk string) (Command, error) {
	l, ok := Lookup(s.Language)
	if !ok {
		return Command{}, fmt.Errorf("language %q is not known to this agent\nit knows %s", s.Language, strings.Join(Languages(), ", "))
	}
	interpreter, err := l.Find(s.Interpreter)
	if err != nil {
		return Command{}, err
	}
	return l.command(s, interpreter, sdk), nil
}
