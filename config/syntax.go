package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/apimeld/agent/runners"
	"github.com/apimeld/agent/schema"
)

// A scriptPlace is where a script stands: in a document, or in a file of its own.
type scriptPlace struct {
	file     *parsed
	document int
	path     string // of the script's file; empty: it stands in the document
}

// A reader is what knows a script's syntax.
type reader struct {
	language, interpreter string
}

// syntax looks for syntax errors in all scripts, each file and each text once.
func (l *loader) syntax() error {
	if l.Syntax == nil {
		return nil
	}
	texts := map[reader][]runners.Text{}
	places := map[reader][]scriptPlace{}
	seen := map[string]bool{}
	for _, f := range l.files {
		for i := range f.documents {
			d := f.documents[i].Task
			if d == nil || d.Script == "" && d.File == "" {
				continue
			}
			language := cmp.Or(d.Language, languageOf(d.File))
			text := runners.Text{Name: inlineName(language), Text: d.Script}
			if d.File != "" {
				e, ok := l.entries[d.File]
				if !ok || e.Kind != File && e.Kind != Executable || seen[language+" "+d.File] {
					continue // reported already, or looked at
				}
				seen[language+" "+d.File] = true
				content, err := l.tree.Read(e, maxFile)
				if err != nil {
					continue // too large to be written by hand
				}
				text = runners.Text{Name: d.File, Text: string(content)}
			}
			by := reader{language: language}
			if !strings.Contains(d.Interpreter, "/") { // one of the source may not run here
				by.interpreter = d.Interpreter
			}
			texts[by] = append(texts[by], text)
			places[by] = append(places[by], scriptPlace{f, i, d.File})
		}
	}
	// Each starts at most one process: they run side by side.
	readers := slices.Collect(maps.Keys(texts))
	faults, errs := make([][]runners.Fault, len(readers)), make([]error, len(readers))
	var wg sync.WaitGroup
	for i, by := range readers {
		wg.Go(func() { faults[i], errs[i] = l.Syntax(l.ctx, by.language, by.interpreter, texts[by]) })
	}
	wg.Wait()
	for i, by := range readers {
		for _, f := range faults[i] {
			l.fault(by.language, places[by][f.Text], texts[by][f.Text].Text, f)
		}
	}
	return errors.Join(errs...)
}

func (l *loader) fault(language string, at scriptPlace, text string, f runners.Fault) {
	// What is missing at the end is missed behind the last line.
	lines := strings.Split(strings.TrimRight(text, "\r\n"), "\n")
	if f.Line > len(lines) {
		f.Line, f.Column = len(lines), 1+utf8.RuneCountInString(lines[len(lines)-1])
	}
	message := fmt.Sprintf("%s: %s", language, f.Message)
	const rule, hint = "script-syntax", "mend the script: it would not start"
	if at.path == "" {
		l.pend(at.file, at.document, "script", rule, message, hint)
		p := &l.pending[len(l.pending)-1]
		p.line, p.column = f.Line, f.Column
		return
	}
	l.problems = append(l.problems, schema.Problem{
		File: at.path, Line: f.Line, Column: f.Column, Message: message, Hint: hint, Rule: rule, Severity: schema.Error,
		Source: strings.TrimSuffix(lines[f.Line-1], "\r"),
	})
}

func inlineName(language string) string {
	if l, ok := runners.Lookup(language); ok {
		return "script" + l.Extensions()[0]
	}
	return "script"
}
