package configs_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/idbridge/idbridge/configs"
)

// TestSchema validates files against the JSON Schema with a validator of the words it uses: what Load takes the schema
// takes, and the commonest mistakes it refuses.
func TestSchema(t *testing.T) {
	raw, err := configs.Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/schema.json", string(raw))
	var schema map[string]any
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	if schema["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("$schema is %v", schema["$schema"])
	}
	for name, text := range map[string]string{"example": configs.Example(), "small": small, "shown": configs.Show(mustLoad(t, small))} {
		if faults := check(schema, document(t, text), ""); len(faults) > 0 {
			t.Errorf("%s: %v", name, faults)
		}
	}
	for want, text := range map[string]string{
		"/colour":                             "colour: blue\n" + small,
		"/directories/0/base_dn":              strings.Replace(small, "  base_dn: dc=a\n", "", 1),
		"/directories/0/mode":                 small + "  mode: aply\n",
		"/directories/0/page_size":            small + "  page_size: 0\n",
		"/directories/0/absent/confirm_after": small + "  absent: {confirm_after: 10}\n",
		"/directories/0/guards/removals":      small + "  guards: {removals: [1, 2, 3]}\n",
		"/directories/0/map/userName":         small[:len(small)-len("{userName: uid}\n")] + "{userName: {form: lock}}\n",
		"/attributes":                         "attributes: {\"e mail\": {}}\n" + small,
		"/directories":                        "directories: []\n",
	} {
		if faults := check(schema, document(t, text), ""); !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, want) }) {
			t.Errorf("want a fault at %s in\n%s\ngot %v", want, text, faults)
		}
	}
}

// document reads YAML as JSON would have it.
func document(t *testing.T, text string) any {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// check returns where v breaks the schema. A word it does not know is a fault of the test.
func check(schema map[string]any, v any, path string) []string {
	var out []string
	fault := func(at, format string, args ...any) { out = append(out, at+": "+fmt.Sprintf(format, args...)) }
	for word, rule := range schema {
		switch word {
		case "$schema", "title", "description", "default", "writeOnly":
		case "type":
			if kind(v) != rule && (rule != "number" || kind(v) != "integer") {
				fault(path, "is %s, not %s", kind(v), rule)
			}
		case "enum":
			if !slices.ContainsFunc(rule.([]any), func(x any) bool { return reflect.DeepEqual(x, v) }) {
				fault(path, "%v is none of %v", v, rule)
			}
		case "pattern":
			if s, ok := v.(string); ok && !regexp.MustCompile(rule.(string)).MatchString(s) {
				fault(path, "%q does not match %v", s, rule)
			}
		case "minLength":
			if s, ok := v.(string); ok && float64(len(s)) < rule.(float64) {
				fault(path, "is too short")
			}
		case "minimum", "maximum":
			if n, ok := v.(float64); ok && (word == "minimum" && n < rule.(float64) || word == "maximum" && n > rule.(float64)) {
				fault(path, "is out of range")
			}
		case "minItems", "maxItems":
			if l, ok := v.([]any); ok && (word == "minItems" && float64(len(l)) < rule.(float64) || word == "maxItems" && float64(len(l)) > rule.(float64)) {
				fault(path, "has %d items", len(l))
			}
		case "items":
			if l, ok := v.([]any); ok {
				for i, x := range l {
					out = append(out, check(rule.(map[string]any), x, fmt.Sprintf("%s/%d", path, i))...)
				}
			}
		case "anyOf":
			ok := slices.ContainsFunc(rule.([]any), func(s any) bool { return len(check(s.(map[string]any), v, path)) == 0 })
			if !ok {
				fault(path, "fits none")
			}
		case "required", "properties", "additionalProperties", "propertyNames":
			out = append(out, checkObject(schema, word, v, path)...)
		default:
			panic("no such word in this test: " + word)
		}
	}
	return out
}

func checkObject(schema map[string]any, word string, v any, path string) []string {
	object, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	var out []string
	known, _ := schema["properties"].(map[string]any)
	switch word {
	case "required":
		for _, name := range schema[word].([]any) {
			if _, ok := object[name.(string)]; !ok {
				out = append(out, fmt.Sprintf("%s/%s: is missing", path, name))
			}
		}
	case "properties":
		for name, s := range known {
			if x, ok := object[name]; ok {
				out = append(out, check(s.(map[string]any), x, path+"/"+name)...)
			}
		}
	case "additionalProperties":
		for name, x := range object {
			if _, ok := known[name]; ok {
				continue
			}
			if s, ok := schema[word].(map[string]any); ok {
				out = append(out, check(s, x, path+"/"+name)...)
			} else if schema[word] == false {
				out = append(out, path+"/"+name+": is not known")
			}
		}
	case "propertyNames":
		for name := range object {
			out = append(out, check(schema[word].(map[string]any), name, path)...)
		}
	}
	return out
}

func kind(v any) string {
	switch x := v.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		if x == float64(int64(x)) {
			return "integer"
		}
		return "number"
	}
	return "null"
}
