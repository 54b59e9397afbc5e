package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/apimeld/agent/schema"
)

// TestDocumented holds every property to a title, a description and an
// example that its own schema takes: the schemas are the authors' reference.
func TestDocumented(t *testing.T) {
	for _, kind := range append(schema.Kinds(), "") {
		text, err := schema.JSON(kind)
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		c.Draft = jsonschema.Draft7
		if err := c.AddResource("https://x/s.json", bytes.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Compile("https://x/s.json"); err != nil {
			t.Fatalf("%q: %v", kind, err)
		}
		var raw map[string]any
		if err := json.Unmarshal(text, &raw); err != nil {
			t.Fatal(err)
		}
		documented(t, c, raw, "")
	}
}

func documented(t *testing.T, c *jsonschema.Compiler, s map[string]any, at string) {
	properties, _ := s["properties"].(map[string]any)
	for name, p := range properties {
		p, ok := p.(map[string]any)
		if !ok || strings.Contains(at, "/if/") || strings.HasSuffix(at, "/if") {
			continue
		}
		where := at + "/properties/" + name
		for _, key := range []string{"title", "description"} {
			if text, _ := p[key].(string); text == "" {
				t.Errorf("%s has no %s", where, key)
			}
		}
		examples, _ := p["examples"].([]any)
		if len(examples) == 0 {
			t.Errorf("%s has no example", where)
			continue
		}
		compiled, err := c.Compile("https://x/s.json#" + where)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range examples {
			if err := compiled.Validate(e); err != nil {
				t.Errorf("%s does not take its example: %v", where, err)
			}
		}
	}
	for key, child := range s {
		switch child := child.(type) {
		case map[string]any:
			if key == "examples" || key == "properties" {
				for name, p := range child {
					if p, ok := p.(map[string]any); ok && key == "properties" {
						documented(t, c, p, at+"/properties/"+name)
					}
				}
				continue
			}
			documented(t, c, child, at+"/"+key)
		case []any:
			for i, one := range child {
				if one, ok := one.(map[string]any); ok && key != "examples" {
					documented(t, c, one, fmt.Sprintf("%s/%s/%d", at, key, i))
				}
			}
		}
	}
}

func TestUnknownKind(t *testing.T) {
	if _, err := schema.JSON("Taks"); err == nil || !strings.Contains(err.Error(), "there are Task") {
		t.Errorf("err = %v", err)
	}
}

func TestNearest(t *testing.T) {
	candidates := []string{"schedule", "script", "timeout", "catchUp"}
	for word, want := range map[string]string{
		"shedule": "schedule", "scheduel": "schedule", "scirpt": "script", "Timeout": "timeout", "catchup": "catchUp", "xyz": "", "": "", strings.Repeat("s", 500): "",
	} {
		if got := schema.Nearest(word, candidates); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
