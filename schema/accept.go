package schema

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// A rule is a schema made ready to say quickly, and of a node itself, that it
// is fine. Nearly all documents are; what a rule does not accept the library
// judges and explains, so that a rule never decides that something is wrong.
// It takes a tenth of the library's time.
type rule struct {
	types      kinds // 0: all
	properties map[string]*rule
	additional *rule // of keys that properties does not have; nil: none are allowed if closed
	closed     bool
	required   []string
	names      *regexp.Regexp
	items      *rule
	unique     bool
	minItems   int
	maxItems   int // -1: any number
	words      []string
	hasWords   bool
	pattern    *regexp.Regexp
	minLength  int
	maxLength  int // -1: any
	minimum    *float64
	maximum    *float64
	list, one  *rule // for a list, and for what is none
}

type kinds uint8

const (
	isString kinds = 1 << iota
	isInteger
	isNumber
	isBoolean
	isNull
	isObject
	isArray
)

var kindOf = map[string]kinds{
	"string": isString, "integer": isInteger, "number": isInteger | isNumber, "boolean": isBoolean,
	"null": isNull, "object": isObject, "array": isArray,
}

// newRule makes a schema of ours ready. It knows the keywords that ours have,
// and refuses any other.
func newRule(s, definitions map[string]any) (*rule, error) {
	if ref, ok := s["$ref"].(string); ok {
		const prefix = "#/definitions/"
		inner, ok := definitions[ref[min(len(ref), len(prefix)):]].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("no definition %s", ref)
		}
		return newRule(inner, definitions) // draft-07: what stands beside $ref does not count
	}
	r := &rule{maxItems: -1, maxLength: -1}
	if condition, ok := s["if"].(map[string]any); ok {
		if len(condition) != 1 || condition["type"] != "array" {
			return nil, fmt.Errorf("a condition other than that of a list")
		}
		var err error
		if r.list, err = sub(s, "then", definitions); err != nil {
			return nil, err
		}
		if r.one, err = sub(s, "else", definitions); err != nil {
			return nil, err
		}
	}
	for key, value := range s {
		var err error
		switch key {
		case "title", "description", "examples", "$schema", "$id", "definitions", "if", "then", "else":
		case "type":
			list, ok := value.([]any)
			if !ok {
				list = []any{value}
			}
			for _, t := range list {
				name, _ := t.(string)
				r.types |= kindOf[name]
			}
		case "properties":
			r.properties = map[string]*rule{}
			for name, p := range value.(map[string]any) {
				if r.properties[name], err = newRule(p.(map[string]any), definitions); err != nil {
					return nil, err
				}
			}
		case "additionalProperties":
			if r.closed = value == false; !r.closed {
				r.additional, err = sub(s, key, definitions)
			}
		case "required":
			for _, name := range value.([]any) {
				r.required = append(r.required, name.(string))
			}
		case "propertyNames":
			names, ok := value.(map[string]any)
			if !ok || len(names) != 1 {
				return nil, fmt.Errorf("propertyNames other than a pattern")
			}
			r.names, err = regexp.Compile(names["pattern"].(string))
		case "items":
			r.items, err = sub(s, key, definitions)
		case "uniqueItems":
			r.unique = value == true
		case "minItems":
			r.minItems = integer(value)
		case "maxItems":
			r.maxItems = integer(value)
		case "enum":
			r.hasWords = true
			for _, w := range value.([]any) {
				r.words = append(r.words, w.(string))
			}
		case "const":
			r.hasWords, r.words = true, []string{value.(string)}
		case "pattern":
			r.pattern, err = regexp.Compile(value.(string))
		case "minLength":
			r.minLength = integer(value)
		case "maxLength":
			r.maxLength = integer(value)
		case "minimum":
			n := value.(float64)
			r.minimum = &n
		case "maximum":
			n := value.(float64)
			r.maximum = &n
		default:
			err = fmt.Errorf("unknown keyword %s", key)
		}
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

func sub(s map[string]any, key string, definitions map[string]any) (*rule, error) {
	inner, ok := s[key].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is no schema", key)
	}
	return newRule(inner, definitions)
}

func integer(value any) int {
	n, _ := value.(float64)
	return int(n)
}

// accepts reports whether a node is certainly fine.
func (r *rule) accepts(n *yaml.Node) bool {
	n = Resolve(n)
	if r.list != nil {
		which := r.one
		if n.Kind == yaml.SequenceNode {
			which = r.list
		}
		if !which.accepts(n) {
			return false
		}
	}
	switch n.Kind {
	case yaml.MappingNode:
		return (r.types == 0 || r.types&isObject != 0) && !r.hasWords && r.acceptsObject(n)
	case yaml.SequenceNode:
		return (r.types == 0 || r.types&isArray != 0) && !r.hasWords && r.acceptsArray(n)
	}
	return r.acceptsScalar(n)
}

func (r *rule) acceptsObject(n *yaml.Node) bool {
	for _, name := range r.required {
		if child(n, name) == nil {
			return false
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, n.Content[i+1]
		if r.names != nil && !r.names.MatchString(key) {
			return false
		}
		p, ok := r.properties[key]
		if !ok {
			if r.closed {
				return false
			}
			p = r.additional
		}
		if p != nil && !p.accepts(value) {
			return false
		}
	}
	return true
}

func (r *rule) acceptsArray(n *yaml.Node) bool {
	if len(n.Content) < r.minItems || r.maxItems >= 0 && len(n.Content) > r.maxItems {
		return false
	}
	for i, item := range n.Content {
		if r.items != nil && !r.items.accepts(item) {
			return false
		}
		if !r.unique {
			continue
		}
		// Of scalars only; whether others are equal is for the library.
		a := Resolve(item)
		if a.Kind != yaml.ScalarNode || slices.ContainsFunc(n.Content[:i], func(b *yaml.Node) bool { return Resolve(b).Value == a.Value }) {
			return false
		}
	}
	return true
}

func (r *rule) acceptsScalar(n *yaml.Node) bool {
	var kind kinds
	switch n.ShortTag() {
	case "!!str":
		kind = isString
	case "!!bool":
		kind = isBoolean
	case "!!int":
		kind = isInteger
		if r.minimum != nil || r.maximum != nil {
			x, err := strconv.ParseInt(n.Value, 10, 64)
			if err != nil || r.minimum != nil && float64(x) < *r.minimum || r.maximum != nil && float64(x) > *r.maximum {
				return false
			}
		}
	case "!!float":
		if r.minimum != nil || r.maximum != nil {
			return false
		}
		kind = isNumber
	default:
		return false
	}
	if r.types != 0 && r.types&kind == 0 {
		return false
	}
	if kind != isString {
		return !r.hasWords
	}
	if r.hasWords && !slices.Contains(r.words, n.Value) {
		return false
	}
	if r.minLength > 0 || r.maxLength >= 0 {
		if length := utf8.RuneCountInString(n.Value); length < r.minLength || r.maxLength >= 0 && length > r.maxLength {
			return false
		}
	}
	return r.pattern == nil || r.pattern.MatchString(n.Value)
}

// mustRule makes a whole schema of ours ready; a test holds that it can be.
func mustRule(text []byte) *rule {
	var s map[string]any
	if err := json.Unmarshal(text, &s); err != nil {
		panic(err) // the schemas are part of the program
	}
	definitions, _ := s["definitions"].(map[string]any)
	r, err := newRule(s, definitions)
	if err != nil {
		panic(err)
	}
	return r
}
