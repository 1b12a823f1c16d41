package configs

import (
	"encoding/json"
	"fmt"
)

// node is a JSON Schema, as much of it as the table needs. Its fields are in the order of the output.
type node struct {
	Schema      string           `json:"$schema,omitempty"`
	Title       string           `json:"title,omitempty"`
	Description string           `json:"description,omitempty"`
	Type        string           `json:"type,omitempty"`
	Default     any              `json:"default,omitempty"`
	Enum        []string         `json:"enum,omitempty"`
	Pattern     string           `json:"pattern,omitempty"`
	MinLength   int              `json:"minLength,omitempty"`
	Minimum     *int64           `json:"minimum,omitempty"`
	Maximum     *int64           `json:"maximum,omitempty"`
	WriteOnly   bool             `json:"writeOnly,omitempty"`
	Properties  map[string]*node `json:"properties,omitempty"`
	Names       *node            `json:"propertyNames,omitempty"`
	Additional  any              `json:"additionalProperties,omitempty"`
	Required    []string         `json:"required,omitempty"`
	Items       *node            `json:"items,omitempty"`
	MinItems    int              `json:"minItems,omitempty"`
	MaxItems    int              `json:"maxItems,omitempty"`
	AnyOf       []*node          `json:"anyOf,omitempty"`
}

// Schema returns the JSON Schema (2020-12) of the file, for editors. It says what the shape of each key says; what needs
// two keys to see, Load alone says.
func Schema() ([]byte, error) {
	root := table()
	n := root.schema()
	n.Schema = "https://json-schema.org/draft/2020-12/schema"
	n.Title = "idbridge configuration"
	out, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return append(out, '\n'), nil
}

const (
	percentPattern  = `^[0-9]+(\.[0-9]+)? *%$`
	momentPattern   = `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2}))?$`
	durationPattern = `^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$`
)

// schema returns the schema of one key.
func (k *key) schema() *node {
	n := &node{Description: k.doc}
	switch k.shape {
	case text, secret, cron:
		n.Type, n.Enum, n.MinLength, n.WriteOnly = "string", k.choices, 1, k.shape == secret
		if k.pattern != "" {
			n.Pattern = "^(" + k.pattern + ")$"
		}
	case number:
		n.Type, n.Minimum = "integer", &k.min
		if k.max > 0 {
			n.Maximum = &k.max
		}
	case flag:
		n.Type = "boolean"
	case moment:
		n.Type, n.MinLength, n.Pattern = "string", len("2026-12-01"), momentPattern
	case duration:
		n.Type, n.MinLength, n.Pattern = "string", 2, durationPattern
		if k.never {
			n.Pattern += "|^never$"
		}
	case limit:
		zero := int64(0)
		amount, share := &node{Type: "integer", Minimum: &zero}, &node{Type: "string", Pattern: percentPattern}
		both := &node{Type: "array", MinItems: 2, MaxItems: 2, Items: &node{AnyOf: []*node{amount, share}}}
		n.AnyOf = []*node{amount, share, both}
	case object:
		k.objectSchema(n)
	case list:
		n.Type, n.Items = "array", k.item.schema()
		if k.must != "" {
			n.MinItems = 1
		}
	case dict:
		n.Type, n.Additional = "object", k.item.schema()
		n.Names = &node{Pattern: "^(" + k.pattern + ")$"}
	}
	if k.def != "" {
		n.Default = k.defaultJSON()
	}
	return n
}

func (k *key) objectSchema(n *node) {
	fixed := n
	if k.short != "" {
		fixed = &node{}
		n.AnyOf = []*node{{Type: "string", MinLength: 1}, fixed}
	}
	fixed.Type, fixed.Additional, fixed.Properties = "object", false, map[string]*node{}
	for _, name := range k.either {
		fixed.AnyOf = append(fixed.AnyOf, &node{Required: []string{name}})
	}
	for i := range k.keys {
		c := &k.keys[i]
		fixed.Properties[c.name] = c.schema()
		if c.must != "" {
			fixed.Required = append(fixed.Required, c.name)
		}
	}
}

// defaultJSON returns the default as JSON has it.
func (k *key) defaultJSON() any {
	v := &value{key: k}
	(&faults{}).fillDefault(v, k.def)
	switch k.shape {
	case number:
		return v.num
	case flag:
		return v.on
	case limit:
		return []any{v.num, fmt.Sprintf("%g%%", v.share*100)}
	case text, secret, duration, moment, cron, object, list, dict:
	}
	return k.def
}
