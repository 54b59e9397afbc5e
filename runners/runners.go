// Package runners is what to start for a script and how: one file a language,
// the SDK files that are there when a script starts, and process control.
//
// It knows neither tasks nor runs: it gets a script, an environment and a
// folder, and gives a process whose whole group ends when it should. It reads
// no configuration and stores nothing.
package runners

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// A Script is what is to be started.
type Script struct {
	Language string
	Path     string // of the script's file
	// Root is the folder that a compiler may read: the source's. Empty: the script's own.
	Root string
	Args []string
	// Interpreter is a program's name or path; empty: the language's own, from PATH.
	Interpreter string
}

// A Command is how a script is started.
type Command struct {
	Path string   // of the program
	Args []string // without the program's name
	// Env is added to the script's environment; it wins.
	Env     []string
	Prepend []Prepend
}

// A Prepend is a variable's value that is put before what the environment has
// under the same name.
type Prepend struct {
	Name, Value, Separator string
}

// A Kit is what languages bring along.
type Kit struct {
	SDK   string // what [InstallSDK] returned
	Cache string // the folder that compiled scripts are kept in
}

// A Language is one that scripts can be written in.
type Language struct {
	Name         string
	extensions   []string // of its files; the first is that of inline scripts
	interpreters []string // in the order in which they are looked for
	install      string   // the package that brings one
	flag         string   // with which an operator names one
	// inline is the extension of an inline script whose text decides it; may be nil.
	inline func(text string) string
	// syntax finds syntax errors, with an interpreter where syntaxNeeds says so.
	syntax      func(ctx context.Context, interpreter string, texts []Text) ([]Fault, error)
	syntaxNeeds bool
	// command fails when the script cannot be compiled.
	command func(s Script, interpreter string, k Kit) (Command, error)
}

// languages is built once and never changed.
var languages = []Language{bash, python, javascript, typescript, powershell, csharp}

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

// Extensions are those of the language's files, such as ".py".
func (l Language) Extensions() []string { return l.extensions }

// Inline is the extension that the file of an inline script gets.
func (l Language) Inline(text string) string {
	if l.inline != nil {
		return l.inline(text)
	}
	return l.extensions[0]
}

// Interpreters are the programs that run it, in the order in which they are looked for.
func (l Language) Interpreters() []string { return l.interpreters }

// Flag is the name of the option with which an operator names an interpreter.
func (l Language) Flag() string { return l.flag }

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
		l.Name, strings.Join(candidates, " or "), l.install, l.flag)
}

// Prepare works out how a script is started, and compiles it where its language
// needs that. An error about the script names the file, the line and the column.
func Prepare(s Script, k Kit) (Command, error) {
	l, ok := Lookup(s.Language)
	if !ok {
		return Command{}, fmt.Errorf("language %q is not known to this agent\nit knows %s", s.Language, strings.Join(Languages(), ", "))
	}
	interpreter, err := l.Find(s.Interpreter)
	if err != nil {
		return Command{}, err
	}
	return l.command(s, interpreter, k)
}
