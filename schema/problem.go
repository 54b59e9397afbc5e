package schema

import (
	"cmp"
	"fmt"
	"slices"
)

// A Problem is one finding about the configuration. It names the place and the way out.
type Problem struct {
	File     string   `json:"file"`             // slash-separated, relative to the source's path
	Line     int      `json:"line"`             // from 1; 0 when the whole file or source is meant
	Column   int      `json:"column"`           // from 1, in runes; 0 as for Line
	Message  string   `json:"message"`          // names the value, lowercase, no full stop
	Hint     string   `json:"hint,omitempty"`   // what to do about it
	Rule     string   `json:"rule"`             // a stable, kebab-case name such as "unknown-key"
	Severity Severity `json:"severity"`         // error or warning
	Source   string   `json:"source,omitempty"` // the offending line itself, without its line end; may be cut
}

// Severity tells whether a problem keeps a revision from going live.
type Severity string

// The severities: an error keeps a revision from going live, a warning does not.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// String is the problem on one line: file:line:col: message.
func (p Problem) String() string {
	switch {
	case p.File == "":
		return p.Message
	case p.Line == 0:
		return fmt.Sprintf("%s: %s", p.File, p.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Sort orders problems by file, line, column and message, and drops exact repeats.
func Sort(problems []Problem) []Problem {
	slices.SortFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Message, b.Message),
			cmp.Compare(a.Hint, b.Hint),
		)
	})
	return slices.Compact(problems)
}

// HasErrors reports whether any of the problems is an error.
func HasErrors(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity != Warning })
}
