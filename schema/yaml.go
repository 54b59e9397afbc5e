package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// What a document may be at most. People write far smaller ones; beyond these
// somebody tries to make the agent work.
const (
	maxDepth = 50
	maxNodes = 100_000 // aliases expanded
)

// A Document is one of the documents of a file.
type Document struct {
	Kind string
	Root *yaml.Node // a mapping
}

// A File is what a YAML file holds.
type File struct {
	Path      string
	Documents []Document
	Problems  []Problem
	content   []byte
}

// Parse reads a YAML file and checks each of its documents against the schema
// of its kind. Documents of another apiVersion are left out.
func Parse(path string, content []byte) *File {
	f := &File{Path: path, content: content}
	if i := invalidUTF8(content); i >= 0 {
		line := 1 + bytes.Count(content[:i], []byte("\n"))
		column := 1 + utf8.RuneCount(content[bytes.LastIndexByte(content[:i], '\n')+1:i])
		f.add(line, column, "encoding", "not UTF-8: unexpected byte 0x"+strconv.FormatUint(uint64(content[i]), 16), "save the file as UTF-8")
		return f
	}
	for _, root := range f.parse() {
		if root.Kind != yaml.MappingNode {
			f.addNode(root, "document", "a document must be a mapping, this is "+article(nodeType(root)), "begin it with kind: Task, Webhook or Defaults")
			continue
		}
		if version := child(root, "apiVersion"); version != nil && version.Value != APIVersion {
			continue
		}
		if !f.sound(root) {
			continue
		}
		if kind, ok := f.kind(root); ok {
			f.check(root, kind)
			f.Documents = append(f.Documents, Document{kind, root})
		}
	}
	return f
}

// invalidUTF8 is where text stops being UTF-8, or -1.
func invalidUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// parse returns the roots of all documents; a syntax error ends it.
func (f *File) parse() (roots []*yaml.Node) {
	defer func() {
		if r := recover(); r != nil { // a parser that stumbles must not take the agent with it
			f.add(1, 1, "syntax", "the file cannot be read as YAML", "simplify it, or look for what is unusual in it")
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(f.content))
	for {
		var n yaml.Node
		err := d.Decode(&n)
		if errors.Is(err, io.EOF) {
			return roots
		}
		if err != nil {
			f.syntax(err)
			return roots
		}
		if len(n.Content) == 0 || n.Content[0].Kind == yaml.ScalarNode && n.Content[0].Tag == "!!null" {
			continue // empty, or nothing but comments
		}
		roots = append(roots, n.Content[0])
	}
}

// syntax turns the parser's error into a problem. It gives no column.
func (f *File) syntax(err error) {
	m := syntaxError.FindStringSubmatch(err.Error())
	line, message := 1, err.Error()
	if m != nil {
		message = m[2]
		if m[1] != "" {
			line, _ = strconv.Atoi(m[1])
		}
	}
	hint := "look at indentation, quotes and colons there and on the line before"
	// The parser names the line before a tab or a bad character for some errors.
	for l := max(1, line-1); l <= line+1; l++ {
		text := f.line(l)
		if trimmed := strings.TrimLeft(text, " "); strings.HasPrefix(trimmed, "\t") {
			line, hint = l, "indent with spaces: YAML takes no tabs there"
			break
		}
	}
	if strings.Contains(message, "exceeded max depth") {
		hint = "nest less deeply"
	}
	f.add(line, 1, "syntax", message, hint)
}

// sound finds what makes a document mean something else than it seems to. It
// reports whether the document can be looked at any further.
func (f *File) sound(root *yaml.Node) bool {
	nodes := 0
	var walk func(n *yaml.Node, depth int, within map[*yaml.Node]bool) bool
	walk = func(n *yaml.Node, depth int, within map[*yaml.Node]bool) bool {
		nodes++
		switch {
		case depth > maxDepth:
			f.addNode(n, "depth", fmt.Sprintf("nested more than %d deep", maxDepth), "nest less deeply")
			return false
		case nodes > maxNodes:
			f.addNode(root, "size", fmt.Sprintf("the document has more than %d values when its aliases are expanded", maxNodes), "use fewer aliases, or split the document")
			return false
		}
		switch n.Kind {
		case yaml.AliasNode:
			if within[n.Alias] {
				f.addNode(n, "alias", fmt.Sprintf("alias %q contains itself", n.Value), "write out what is meant")
				return false
			}
			inner := map[*yaml.Node]bool{n.Alias: true}
			for k := range within {
				inner[k] = true
			}
			return walk(n.Alias, depth+1, inner)
		case yaml.MappingNode:
			var seen map[string]*yaml.Node
			for i := 0; i+1 < len(n.Content); i += 2 {
				key := n.Content[i]
				if key.Kind != yaml.ScalarNode {
					f.addNode(key, "key", "a key must be a plain word", "write key: value")
					return false
				}
				if key.Tag == "!!merge" {
					f.addNode(key, "merge", "merge keys (<<) are not taken", "put what tasks share into a document of kind: Defaults")
					return false
				}
				if seen == nil && len(n.Content) > 2*fewKeys {
					seen = make(map[string]*yaml.Node, len(n.Content)/2)
				}
				if first := firstKey(n, i, seen); first != nil {
					f.addNode(key, "duplicate-key", fmt.Sprintf("duplicate key %q", key.Value), fmt.Sprintf("it stands on line %d already: remove one of them", first.Line))
				}
				if !walk(n.Content[i+1], depth+1, within) {
					return false
				}
			}
		case yaml.SequenceNode:
			for _, c := range n.Content {
				if !walk(c, depth+1, within) {
					return false
				}
			}
		case yaml.ScalarNode:
			if tag := n.ShortTag(); strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") {
				f.addNode(n, "tag", fmt.Sprintf("unknown tag %s", tag), "remove it")
				return false
			}
		}
		return true
	}
	return walk(root, 0, nil)
}

// fewKeys is up to how many keys looking through them is quicker than a map.
const fewKeys = 24

// firstKey is the key that the one at i repeats, or nil. seen is used when it is not nil.
func firstKey(n *yaml.Node, i int, seen map[string]*yaml.Node) *yaml.Node {
	key := n.Content[i]
	if seen != nil {
		first := seen[key.Value]
		seen[key.Value] = key
		return first
	}
	for j := 0; j < i; j += 2 {
		if n.Content[j].Value == key.Value {
			return n.Content[j]
		}
	}
	return nil
}

func (f *File) kind(root *yaml.Node) (string, bool) {
	n := child(root, "kind")
	if n == nil {
		f.addNode(root, "kind", "kind is missing", "add kind: Task, Webhook or Defaults, or name the file in .agentignore")
		return "", false
	}
	if n = Resolve(n); n.Kind != yaml.ScalarNode || !known(n.Value) {
		hint := "use Task, Webhook or Defaults, or name the file in .agentignore"
		if near := Nearest(n.Value, Kinds()); near != "" {
			hint = "did you mean " + near + "?"
		}
		f.addNode(n, "kind", fmt.Sprintf("unknown kind %s", quote(n.Value)), hint)
		return "", false
	}
	return n.Value, true
}

// Resolve follows aliases.
func Resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// child is the value of a mapping's key, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// At finds the value below a node that a path leads to, such as
// "notify/0/webhook", or what is nearest above it.
func At(n *yaml.Node, path string) *yaml.Node {
	if path == "" {
		return n
	}
	for step := range strings.SplitSeq(path, "/") {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		var next *yaml.Node
		switch at := Resolve(n); at.Kind {
		case yaml.MappingNode:
			next = child(at, step)
		case yaml.SequenceNode:
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(at.Content) {
				next = at.Content[i]
			}
		}
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// Add adds a problem about a value of the file.
func (f *File) Add(n *yaml.Node, rule, message, hint string) { f.addNode(n, rule, message, hint) }

// Inside is the place in the file of a place in a text: exact in a block that
// stands as it is (|), else where the text begins. Both count from 1.
func (f *File) Inside(n *yaml.Node, line, column int) (int, int, string) {
	n = Resolve(n)
	if n.Style&yaml.LiteralStyle == 0 {
		return n.Line, n.Column, f.line(n.Line)
	}
	indent := -1
	for at := n.Line + 1; indent < 0; at++ {
		text := f.line(at)
		if strings.TrimSpace(text) != "" || at > n.Line+1000 {
			indent = len(text) - len(strings.TrimLeft(text, " "))
		}
	}
	return n.Line + line, indent + column, f.line(n.Line + line)
}

func (f *File) addNode(n *yaml.Node, rule, message, hint string) {
	f.add(n.Line, n.Column, rule, message, hint)
}

func (f *File) add(line, column int, rule, message, hint string) {
	f.Problems = append(f.Problems, Problem{
		File: f.Path, Line: max(1, line), Column: max(1, column),
		Message: message, Hint: hint, Rule: rule, Severity: Error, Source: f.line(line),
	})
}

// maxSource is how much of a line a problem shows, in bytes.
const maxSource = 400

// line is a line of the file, from 1, without its end.
func (f *File) line(n int) string {
	rest := f.content
	for ; n > 1; n-- {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return ""
		}
		rest = rest[i+1:]
	}
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	text := strings.ToValidUTF8(strings.TrimRight(string(rest[:min(len(rest), maxSource)]), "\r"), "")
	return text
}
