// Package schema is the authors' contract: the JSON Schemas of the
// configuration, hand-written, with what they say about a YAML document.
//
// It reads YAML, finds what is wrong with one document by itself, and says so
// with file, line, column and a hint. It knows nothing of other documents, of
// files that scripts are in, or of what values mean beyond their form.
package schema

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

//go:embed *.json
var files embed.FS

// The kinds of document.
const (
	Task     = "Task"
	Webhook  = "Webhook"
	Defaults = "Defaults"
)

// APIVersion is the only one there is. A document with another one is not ours.
const APIVersion = "apimeld/v1"

// Kinds lists the kinds of document.
func Kinds() []string { return []string{Task, Webhook, Defaults} }

const (
	draft  = "http://json-schema.org/draft-07/schema#"
	baseID = "https://apimeld.dev/schema/v1/"
)

// JSON returns the JSON Schema (draft-07) of one kind, or with an empty kind
// the one of a whole file, which picks by each document's kind. Editors bind
// the latter to a file.
func JSON(kind string) ([]byte, error) {
	definitions := strings.TrimSpace(read("definitions"))
	var b bytes.Buffer
	if kind != "" {
		if !known(kind) {
			return nil, fmt.Errorf("unknown kind %q\nthere are %s", kind, strings.Join(Kinds(), ", "))
		}
		fmt.Fprintf(&b, `{"$schema": %q, "$id": %q, %s, "definitions": %s}`, draft, baseID+strings.ToLower(kind)+".json", inner(read(strings.ToLower(kind))), definitions)
		return indent(b.Bytes())
	}
	fmt.Fprintf(&b, `{"$schema": %q, "$id": %q, "title": "ApiMeld Agent configuration",
		"description": "One document: its kind says what it is.", "type": "object", "required": ["kind"],
		"properties": {"kind": {"title": "Kind", "description": "What this document is.", "enum": ["Task", "Webhook", "Defaults"], "examples": ["Task"]}}, "allOf": [`, draft, baseID+"file.json")
	for i, k := range Kinds() {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, `{"if": {"properties": {"kind": {"const": %q}}}, "then": {"$ref": "#/definitions/%s"}}`, k, k)
	}
	b.WriteString(`], "definitions": {`)
	for _, k := range Kinds() {
		fmt.Fprintf(&b, "%q: %s, ", k, read(strings.ToLower(k)))
	}
	b.WriteString(inner(definitions) + "}}")
	return indent(b.Bytes())
}

func known(kind string) bool { return kind == Task || kind == Webhook || kind == Defaults }

func read(name string) string {
	b, err := files.ReadFile(name + ".json")
	if err != nil {
		panic(err) // the files are part of the program
	}
	return string(b)
}

// inner is an object's text without its braces.
func inner(object string) string {
	object = strings.TrimSpace(object)
	return strings.TrimSuffix(strings.TrimPrefix(object, "{"), "}")
}

func indent(text []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, fmt.Errorf("format schema: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// A compiled schema, itself as JSON to look up what a keyword says, and the
// quick way to find that a document is fine.
type compiled struct {
	*jsonschema.Schema
	raw   map[string]any
	quick *rule
}

// schemas compiles each kind's schema once. It is a pure function of what the
// program holds, and costs too much to be done for each load.
var schemas = sync.OnceValue(func() map[string]compiled {
	all := map[string]compiled{}
	for _, kind := range Kinds() {
		text, err := JSON(kind)
		if err != nil {
			panic(err) // the schemas are part of the program
		}
		c := jsonschema.NewCompiler()
		c.Draft = jsonschema.Draft7
		id := baseID + strings.ToLower(kind) + ".json"
		if err := c.AddResource(id, bytes.NewReader(text)); err != nil {
			panic(err)
		}
		var raw map[string]any
		if err := json.Unmarshal(text, &raw); err != nil {
			panic(err)
		}
		all[kind] = compiled{c.MustCompile(id), raw, mustRule(text)}
	}
	return all
})
