package schema

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"gopkg.in/yaml.v3"
)

// check adds what the kind's schema has to say about a document.
func (f *File) check(root *yaml.Node, kind string) {
	s := schemas()[kind]
	if s.quick.accepts(root) {
		return
	}
	err := s.Validate(value(root))
	if err == nil {
		return
	}
	v, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		f.addNode(root, "schema", err.Error(), "")
		return
	}
	f.explain(s, root, v)
}

// value is a node as JSON Schema sees it.
func value(n *yaml.Node) any {
	switch n = Resolve(n); n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = value(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		s := make([]any, len(n.Content))
		for i, c := range n.Content {
			s[i] = value(c)
		}
		return s
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		_ = n.Decode(&b)
		return b
	case "!!int":
		var i int64
		if n.Decode(&i) == nil {
			return i
		}
		var x float64
		_ = n.Decode(&x)
		return x
	case "!!float":
		var x float64
		_ = n.Decode(&x)
		return x
	}
	return n.Value
}

// explain turns the leaves of a validation error into problems.
func (f *File) explain(s compiled, root *yaml.Node, v *jsonschema.ValidationError) {
	if len(v.Causes) > 0 {
		for _, c := range v.Causes {
			f.explain(s, root, c)
		}
		return
	}
	path := strings.TrimPrefix(v.InstanceLocation, "/")
	at := At(root, path)
	name := path[strings.LastIndexByte(path, '/')+1:]
	_, pointer, _ := strings.Cut(v.AbsoluteKeywordLocation, "#")
	cut := strings.LastIndexByte(pointer, '/')
	if cut < 0 {
		f.addNode(at, "schema", v.Message, "")
		return
	}
	keyword, rule := pointer[cut+1:], s.at(pointer[:cut])
	shown := "this"
	if name != "" {
		shown = name
	}
	if _, err := strconv.Atoi(name); err == nil {
		parent := path[:max(0, strings.LastIndexByte(path, '/'))]
		shown = "item " + name + " of " + parent[strings.LastIndexByte(parent, '/')+1:]
	}
	switch keyword {
	case "additionalProperties":
		f.unknownKeys(Resolve(at), rule, path)
	case "required":
		f.missing(Resolve(at), rule, shown, name == "")
	case "type":
		f.wrongType(at, rule, shown, v.Message)
	case "enum", "const":
		f.notOneOf(at, rule, shown)
	case "pattern":
		if strings.HasSuffix(pointer[:cut], "/propertyNames") {
			// The location is that of the key's value.
			path = path[:max(0, strings.LastIndexByte(path, '/'))]
			f.badKey(Resolve(At(root, path)), rule, path[strings.LastIndexByte(path, '/')+1:])
			return
		}
		f.badForm(at, rule, shown)
	case "minLength":
		f.addNode(at, "empty", shown+" is empty", "write something, or leave it out")
	case "uniqueItems":
		f.addNode(at, "repeated", shown+" has an item twice", "remove one of them")
	default:
		f.addNode(at, "schema", shown+": "+v.Message, example(rule))
	}
}

// at looks a JSON pointer up in the schema.
func (c compiled) at(pointer string) map[string]any {
	var here any = c.raw
	if pointer == "" {
		return c.raw
	}
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		switch v := here.(type) {
		case map[string]any:
			here = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			here = v[i]
		}
	}
	m, _ := here.(map[string]any)
	return m
}

func (f *File) unknownKeys(n *yaml.Node, rule map[string]any, path string) {
	properties, _ := rule["properties"].(map[string]any)
	var allowed []string
	for name := range properties {
		allowed = append(allowed, name)
	}
	slices.Sort(allowed)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if slices.Contains(allowed, key.Value) {
			continue
		}
		hint := "known here: " + strings.Join(allowed, ", ")
		if near := Nearest(key.Value, allowed); near != "" {
			hint = "did you mean " + near + "?"
		}
		where := ""
		if path != "" {
			where = " in " + strings.ReplaceAll(path, "/", ".")
		}
		f.addNode(key, "unknown-key", fmt.Sprintf("unknown key %s%s", quote(key.Value), where), hint)
	}
}

func (f *File) missing(n *yaml.Node, rule map[string]any, shown string, document bool) {
	required, _ := rule["required"].([]any)
	properties, _ := rule["properties"].(map[string]any)
	for _, r := range required {
		name, _ := r.(string)
		if child(n, name) != nil {
			continue
		}
		hint := "add " + name + ": …"
		if p, ok := properties[name].(map[string]any); ok {
			if e := firstExample(p); e != "" {
				hint = "add " + name + ": " + e
			}
		}
		message := name + " is missing"
		if !document {
			message += " in " + shown
		}
		f.addNode(n, "missing-key", message, hint)
	}
}

func (f *File) wrongType(n *yaml.Node, rule map[string]any, shown, message string) {
	wants := fmt.Sprint(rule["type"])
	if list, ok := rule["type"].([]any); ok {
		var names []string
		for _, one := range list {
			names = append(names, typeName(fmt.Sprint(one)))
		}
		wants = strings.Join(names, " or ")
	} else {
		wants = typeName(wants)
	}
	at := Resolve(n)
	hint := ""
	switch {
	case at.ShortTag() == "!!null":
		f.addNode(n, "empty", shown+" has no value", "write one, or remove the key")
		return
	case strings.Contains(fmt.Sprint(rule["pattern"]), "(ns|us"):
		hint = fmt.Sprintf("write a duration with its unit, such as %ss or 30m", at.Value)
		if _, err := strconv.Atoi(at.Value); err != nil {
			hint = "write a duration, such as 30m"
		}
	case at.Kind == yaml.ScalarNode && strings.Contains(wants, "text"):
		hint = "put it in quotes: " + strconv.Quote(at.Value)
	case rule["type"] == "array":
		hint = "begin each item with a dash, or write [a, b]"
	case rule["type"] == "boolean":
		hint = "write true or false"
	default:
		hint = example(rule)
	}
	f.addNode(n, "type", fmt.Sprintf("%s must be %s, not %s", shown, article(wants), article(nodeType(at))), hint)
}

func (f *File) notOneOf(n *yaml.Node, rule map[string]any, shown string) {
	options, _ := rule["enum"].([]any)
	if c, ok := rule["const"]; ok {
		options = []any{c}
	}
	var names []string
	for _, o := range options {
		names = append(names, fmt.Sprint(o))
	}
	at := Resolve(n)
	hint := "use " + orList(names)
	if near := Nearest(at.Value, names); near != "" && len(names) > 1 {
		hint = "did you mean " + near + "? " + strings.ToUpper(hint[:1]) + hint[1:]
	}
	if at.Kind != yaml.ScalarNode {
		f.addNode(n, "type", fmt.Sprintf("%s must be a text, not %s", shown, article(nodeType(at))), hint)
		return
	}
	f.addNode(n, "unknown-value", fmt.Sprintf("%s cannot be %s", shown, quote(at.Value)), hint)
}

func (f *File) badForm(n *yaml.Node, rule map[string]any, shown string) {
	hint := example(rule)
	switch pattern := fmt.Sprint(rule["pattern"]); {
	case strings.HasPrefix(pattern, "^(every"):
		hint = "write every, changes, or a duration such as 1h"
	case strings.Contains(pattern, "(ns|us"):
		hint = "write a duration such as 90s, 30m, 1h30m or 7d"
	case strings.HasPrefix(pattern, "^@"):
		hint = "write @ and a name, such as @oncall or @channel"
	case shown == "id":
		hint = "use a-z, 0-9 and dashes between them, 100 at most"
	case shown == "icon":
		hint = "write an emoji such as :robot_face:, or an http(s) URL"
	}
	f.addNode(n, "form", fmt.Sprintf("%s cannot be %s", shown, quote(Resolve(n).Value)), hint)
}

func (f *File) badKey(n *yaml.Node, rule map[string]any, shown string) {
	pattern, err := regexp.Compile(fmt.Sprint(rule["pattern"]))
	if err != nil {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; !pattern.MatchString(key.Value) {
			hint := "use letters, digits and _, not beginning with a digit"
			if shown == "labels" {
				hint = "use a-z, 0-9 and . _ / - between them, 63 at most"
			}
			f.addNode(key, "form", fmt.Sprintf("%s cannot have a key %s", shown, quote(key.Value)), hint)
		}
	}
}

func example(rule map[string]any) string {
	if e := firstExample(rule); e != "" {
		return "such as " + e
	}
	return ""
}

func firstExample(rule map[string]any) string {
	examples, _ := rule["examples"].([]any)
	if len(examples) == 0 {
		return ""
	}
	switch e := examples[0].(type) {
	case map[string]any, []any:
		return ""
	default:
		return strings.TrimSpace(fmt.Sprint(e))
	}
}

func nodeType(n *yaml.Node) string {
	switch n = Resolve(n); n.Kind {
	case yaml.MappingNode:
		return "mapping"
	case yaml.SequenceNode:
		return "list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	}
	return "text"
}

func typeName(t string) string {
	switch t {
	case "string":
		return "text"
	case "integer":
		return "whole number"
	case "boolean":
		return "true or false"
	case "array":
		return "list"
	case "object":
		return "mapping"
	}
	return t
}

func article(noun string) string {
	if strings.HasPrefix(noun, "true") || strings.HasPrefix(noun, "nothing") {
		return noun
	}
	return "a " + noun
}

func orList(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// quote shows a value, cut when it is long.
func quote(value string) string {
	if r := []rune(value); len(r) > 60 {
		value = string(r[:59]) + "…"
	}
	return strconv.Quote(value)
}
