package cli

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/apimeld/agent/runners"
)

// interpreterFlags adds an option for each interpreter, and returns what was
// said of them, by language.
func interpreterFlags(f *pflag.FlagSet) func() map[string]string {
	said := map[string]*string{}
	for _, name := range runners.Languages() {
		l, _ := runners.Lookup(name)
		if said[l.Flag()] == nil {
			said[l.Flag()] = f.String(l.Flag(), "", "program that runs "+name+" scripts (default: "+strings.Join(l.Interpreters(), " or ")+" on PATH)")
		}
	}
	return func() map[string]string {
		of := map[string]string{}
		for _, name := range runners.Languages() {
			l, _ := runners.Lookup(name)
			of[name] = *said[l.Flag()]
		}
		return of
	}
}

// findInterpreter says what is missing on this machine for a language, when a
// task names an interpreter or leaves it to the operator.
func findInterpreter(operators map[string]string) func(language, named string) error {
	return func(language, named string) error {
		l, ok := runners.Lookup(language)
		if !ok {
			return nil // reported already
		}
		if named == "" {
			named = operators[language]
		}
		_, err := l.Find(named)
		return err
	}
}
