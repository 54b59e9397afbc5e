package config

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apimeld/agent/notify"
	"github.com/apimeld/agent/runners"
	"github.com/apimeld/agent/schema"
)

// TestDrift holds the schemas' property names to the tags of what is read, both ways.
func TestDrift(t *testing.T) {
	for kind, document := range map[string]any{schema.Task: taskDocument{}, schema.Webhook: webhookDocument{}, schema.Defaults: defaultsDocument{}} {
		text, err := schema.JSON(kind)
		if err != nil {
			t.Fatal(err)
		}
		var s map[string]any
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(err)
		}
		definitions := s["definitions"].(map[string]any)
		want := schemaNames(s, definitions, "")
		want = slices.DeleteFunc(want, func(n string) bool { return n == "apiVersion" || n == "kind" })
		got := tagNames(reflect.TypeOf(document), "")
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-schema +code):\n%s", kind, diff)
		}
	}
}

func schemaNames(s, definitions map[string]any, at string) (names []string) {
	if ref, ok := s["$ref"].(string); ok {
		return schemaNames(definitions[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any), definitions, at)
	}
	for _, key := range []string{"items", "then", "else"} {
		if inner, ok := s[key].(map[string]any); ok {
			names = append(names, schemaNames(inner, definitions, at)...)
		}
	}
	properties, _ := s["properties"].(map[string]any)
	for name, p := range properties {
		names = append(names, at+name)
		names = append(names, schemaNames(p.(map[string]any), definitions, at+name+".")...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func tagNames(t reflect.Type, at string) (names []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[notifyDocument]():
		return []string{at + "webhook", at + "events", at + "mention", at + "repeat"}
	case reflect.TypeFor[EnvVar](), reflect.TypeFor[Label](), reflect.TypeFor[time.Duration]():
		return nil
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		name := f.Tag.Get("yaml")
		names = append(names, at+name)
		names = append(names, tagNames(f.Type, at+name+".")...)
	}
	return names
}

// TestEnums holds the schema's lists of words to those of the code.
func TestEnums(t *testing.T) {
	text, err := schema.JSON(schema.Task)
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Properties struct {
			Language struct{ Enum []string }
		}
		Definitions struct {
			CatchUp struct{ Enum []CatchUp }
			Overlap struct{ Enum []Overlap }
			Notify  struct {
				Items struct {
					Properties struct {
						Events struct {
							Items struct{ Enum []notify.Event }
						}
					}
				}
			}
		}
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(runners.Languages(), s.Properties.Language.Enum); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]CatchUp{CatchUpNone, CatchUpLatest, CatchUpAll}, s.Definitions.CatchUp.Enum); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Overlap{OverlapSkip, OverlapQueue, OverlapAllow, OverlapReplace}, s.Definitions.Overlap.Enum); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(notify.Events(), s.Definitions.Notify.Items.Properties.Events.Items.Enum); diff != "" {
		t.Error(diff)
	}
}
