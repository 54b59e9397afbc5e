package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"

	"gopkg.in/yaml.v3"

	"github.com/apimeld/agent/agent/schedule"
	"github.com/apimeld/agent/runners"
	"github.com/apimeld/agent/schema"
)

// maxFile is how large a YAML file may be, in bytes.
const maxFile = 4 << 20

// IgnoreFile names what is not configuration, in the syntax of .gitignore.
const IgnoreFile = ".agentignore"

// Options say what a configuration is checked against.
type Options struct {
	Revision string
	// Secrets reports whether a secret is known; nil: secrets are not looked at.
	Secrets func(name string) bool
	// SecretSeverity is that of a secret which is not known.
	SecretSeverity schema.Severity
	// IgnoreURLs leaves the secrets of webhooks' URLs out: their notices go elsewhere.
	IgnoreURLs bool
	// Interpreter fails when this machine has none for a language, or not the
	// one that a task names; nil: nobody looks.
	Interpreter func(language, named string) error
	// Syntax finds the syntax errors of scripts of one language, whose tasks name
	// that interpreter, or none; nil: nobody looks.
	Syntax func(ctx context.Context, language, interpreter string, texts []runners.Text) ([]runners.Fault, error)
	Cache  *Cache // nil: everything is parsed
	// Parallel is how many files are parsed at once; 0: as many as there are processors.
	Parallel int
}

// Load reads a whole configuration and checks it. It returns all problems that
// it finds, sorted; the snapshot is nil when one of them is an error. The
// error is about the tree, not about what is in it.
func Load(ctx context.Context, tree Tree, o Options) (*Snapshot, []schema.Problem, error) {
	l := &loader{Options: o, tree: tree, ctx: ctx, missing: map[[2]string]error{}}
	if l.Cache == nil {
		l.Cache = NewCache()
	}
	if l.Parallel <= 0 {
		l.Parallel = runtime.GOMAXPROCS(0)
	}
	if err := l.walk(); err != nil {
		return nil, nil, err
	}
	if err := l.parse(); err != nil {
		return nil, nil, err
	}
	snapshot := l.assemble()
	if err := l.syntax(); err != nil {
		return nil, nil, err
	}
	if err := l.locate(); err != nil {
		return nil, nil, err
	}
	problems := schema.Sort(l.problems)
	if schema.HasErrors(problems) {
		return nil, problems, nil
	}
	l.Cache.keep(l.files, l.inherited, l.built)
	return snapshot, problems, nil
}

type loader struct {
	Options
	ctx      context.Context
	tree     Tree
	entries  map[string]Entry // all files and links, by path
	sources  []Entry          // the YAML files, in order
	files    []*parsed        // of sources
	problems []schema.Problem
	pending  []pending
	parser   schedule.Parser

	missing   map[[2]string]error     // interpreters looked for
	inherited *defaultsDocument       // nil: there is none
	before    map[*taskDocument]*Task // of the load before, with the same defaults
	built     map[*taskDocument]*Task
}

// A parsed is what a file holds.
type parsed struct {
	path      string
	hash      string
	documents []document
}

// walk lists the files, and picks those that are configuration.
func (l *loader) walk() error {
	var all []Entry
	err := l.tree.Walk(func(e Entry) error {
		all = append(all, e)
		return l.ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("list files: %w", err)
	}
	ignored := func(string) bool { return false }
	l.entries = make(map[string]Entry, len(all))
	for _, e := range all {
		l.entries[e.Path] = e
	}
	if e, ok := l.entries[IgnoreFile]; ok && (e.Kind == File || e.Kind == Executable) {
		text, err := l.tree.Read(e, maxFile)
		if err != nil {
			return fmt.Errorf("read %s: %w", IgnoreFile, err)
		}
		ignored = ignore(string(text))
	}
	for _, e := range all {
		if hidden(e.Path) || ignored(e.Path) {
			continue
		}
		if _, inside := resolveLink(e); e.Kind == Link && !inside {
			l.file(e.Path, "link", "the link leads out of the source", "put what it leads to into the source, or name it in "+IgnoreFile)
			continue
		}
		if !isYAML(e.Path) {
			continue
		}
		switch e.Kind {
		case Link:
			l.file(e.Path, "link", "the file is a link", "put the file itself here: a link may lead out of the source")
		case Submodule:
		default:
			l.sources = append(l.sources, e)
		}
	}
	return nil
}

func isYAML(p string) bool {
	switch path.Ext(p) {
	case ".yaml", ".yml":
		return true
	}
	return false
}

// hidden reports whether a file or one of its folders begins with a dot.
func hidden(p string) bool { return strings.HasPrefix(p, ".") || strings.Contains(p, "/.") }

// ignore reads a file in the syntax of .gitignore.
func ignore(text string) func(string) bool {
	var patterns []gitignore.Pattern
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			patterns = append(patterns, gitignore.ParsePattern(line, nil))
		}
	}
	m := gitignore.NewMatcher(patterns)
	return func(p string) bool { return m.Match(strings.Split(p, "/"), false) }
}

// parse reads the files that the cache does not know, several at once.
func (l *loader) parse() error {
	l.files = make([]*parsed, len(l.sources))
	var (
		wg       sync.WaitGroup
		mu       sync.Mutex
		firstErr error
		next     atomic.Int64
	)
	for range max(1, min(l.Parallel, len(l.sources))) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(l.sources) || l.ctx.Err() != nil {
					return
				}
				p, problems, err := l.file1(l.sources[i])
				l.files[i] = p
				if len(problems) > 0 || err != nil {
					mu.Lock()
					l.problems = append(l.problems, problems...)
					if firstErr == nil {
						firstErr = err
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(firstErr, l.ctx.Err())
}

func (l *loader) file1(e Entry) (*parsed, []schema.Problem, error) {
	p := &parsed{path: e.Path, hash: e.Hash}
	if documents, ok := l.Cache.get(p.hash); ok {
		p.documents = documents
		return p, nil, nil
	}
	text, err := l.tree.Read(e, maxFile)
	if errors.Is(err, ErrTooLarge) {
		return p, []schema.Problem{{
			File: e.Path, Line: 1, Column: 1, Severity: schema.Error, Rule: "size",
			Message: fmt.Sprintf("the file is larger than %d MiB", maxFile>>20),
			Hint:    "split it, or name it in " + IgnoreFile,
		}}, nil
	}
	if err != nil {
		return p, nil, fmt.Errorf("read %s: %w", e.Path, err)
	}
	if p.hash == "" {
		sum := sha256.Sum256(text)
		p.hash = hex.EncodeToString(sum[:16])
		if documents, ok := l.Cache.get(p.hash); ok {
			p.documents = documents
			return p, nil, nil
		}
	}
	f := schema.Parse(e.Path, text)
	d := newDecoder(f, &l.parser)
	for _, doc := range f.Documents {
		one := d.document(doc)
		one.intern()
		p.documents = append(p.documents, one)
	}
	if len(f.Problems) > 0 {
		p.hash = "" // not to be kept: the next look finds the same problems anew
	}
	return p, f.Problems, nil
}

// A pending is a problem across files whose place is not known yet. Problems
// are rare: their files are read once more, rather than all places kept.
type pending struct {
	file     *parsed
	document int    // which of the file's
	at       string // path of the value, such as notify/0/webhook
	problem  schema.Problem
	line     int // in the text that the value is; 0: the value as a whole
	column   int
}

func (l *loader) pend(f *parsed, document int, at, rule, message, hint string) {
	l.pendAs(schema.Error, f, document, at, rule, message, hint)
}

func (l *loader) pendAs(s schema.Severity, f *parsed, document int, at, rule, message, hint string) {
	l.pending = append(l.pending, pending{file: f, document: document, at: at, problem: schema.Problem{
		File: f.path, Message: message, Hint: hint, Rule: rule, Severity: s,
	}})
}

// file adds a problem with a file as a whole.
func (l *loader) file(p, rule, message, hint string) {
	l.problems = append(l.problems, schema.Problem{File: p, Line: 1, Column: 1, Message: message, Hint: hint, Rule: rule, Severity: schema.Error})
}

// locate finds the places of pending problems.
func (l *loader) locate() error {
	slices.SortStableFunc(l.pending, func(a, b pending) int { return strings.Compare(a.file.path, b.file.path) })
	var f *schema.File
	for _, p := range l.pending {
		if f == nil || f.Path != p.file.path {
			text, err := l.tree.Read(l.entries[p.file.path], maxFile)
			if err != nil {
				return fmt.Errorf("read %s: %w", p.file.path, err)
			}
			f = schema.Parse(p.file.path, text)
		}
		before := len(f.Problems)
		var node *yaml.Node
		if p.document < len(f.Documents) {
			node = schema.At(f.Documents[p.document].Root, p.at)
			f.Add(node, p.problem.Rule, p.problem.Message, p.problem.Hint)
		}
		if len(f.Problems) == before { // the file changed under our hands
			p.problem.Line, p.problem.Column = p.file.documents[p.document].Line, 1
			l.problems = append(l.problems, p.problem)
			continue
		}
		found := f.Problems[before]
		found.Severity = p.problem.Severity
		if p.line > 0 {
			found.Line, found.Column, found.Source = f.Inside(node, p.line, p.column)
		}
		f.Problems = f.Problems[:before]
		l.problems = append(l.problems, found)
	}
	return nil
}
