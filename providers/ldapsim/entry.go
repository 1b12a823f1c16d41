package ldapsim

import (
	"slices"
	"strings"
)

// value is one value as it was written, and in the form by which it is compared.
type value struct{ raw, norm string }

// attribute is one description with its values, in the order they came.
type attribute struct {
	description
	values []value
}

// entry is one object of the tree. An entry in the tree is never changed, only replaced by a changed copy: whoever holds
// one may read it without a lock.
type entry struct {
	public      bool   // outside the tree, for everybody to read
	serial      uint64 // place in the order of creation, by which pages go on
	name        dn
	key, parent string
	attrs       []attribute
}

func (e *entry) clone() *entry {
	c := *e
	c.attrs = slices.Clone(e.attrs)
	for i := range c.attrs {
		c.attrs[i].values = slices.Clone(c.attrs[i].values)
	}
	return &c
}

// find returns the place of exactly this description, -1 for none.
func (e *entry) find(d description) int {
	return slices.IndexFunc(e.attrs, func(a attribute) bool { return a.kind == d.kind && a.options == d.options })
}

// raw returns the values of a type without options, as written.
func (e *entry) raw(name string) []string {
	for _, a := range e.attrs {
		if a.options == "" && strings.EqualFold(a.kind.name(), name) {
			return texts(a.values)
		}
	}
	return nil
}

func texts(values []value) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.raw
	}
	return out
}

// put replaces the values of a description; none removes it.
func (e *entry) put(d description, values []value) {
	i := e.find(d)
	switch {
	case len(values) == 0 && i >= 0:
		e.attrs = slices.Delete(e.attrs, i, i+1)
	case len(values) == 0:
	case i >= 0:
		e.attrs[i].values = values
	default:
		e.attrs = append(e.attrs, attribute{d, values})
	}
}

// set is put for the attributes the server writes itself.
func (e *entry) set(s *schema, name string, texts ...string) {
	d := description{kind: s.types[fold(name)]}
	e.put(d, s.values(d.kind, texts))
}

// values compares nothing and refuses nothing: the caller has checked the syntax.
func (s *schema) values(a *attributeType, texts []string) []value {
	out := make([]value, len(texts))
	for i, t := range texts {
		n, ok := s.normal(a.equality, t)
		if !ok {
			n = t
		}
		out[i] = value{s.spelling(a, t), n}
	}
	return out
}

// spelling is how slapd keeps a value that has a better form than the one given: classes and names.
func (s *schema) spelling(a *attributeType, text string) string {
	switch a.equality {
	case "objectIdentifierMatch":
		if c := s.classes[fold(text)]; c != nil {
			return c.names[0]
		}
	case "distinguishedNameMatch":
		if d, err := parseDN(text); err == nil {
			if _, ok := s.key(d); ok {
				return s.pretty(d).String()
			}
		}
	}
	return text
}

func index(values []value, norm string) int {
	return slices.IndexFunc(values, func(v value) bool { return v.norm == norm })
}

// within tells whether key is the name base or lies below it.
func within(key, base string) bool {
	return base == "" || key == base || strings.HasSuffix(key, ","+base)
}
