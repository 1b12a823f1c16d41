package ldapsim

import (
	"slices"
	"strings"
	"unicode"
)

// Rewriting is a way in which a server keeps something else than it was given.
type Rewriting string

// The ways that directories have.
const (
	Trim    Rewriting = "trim"    // outer blanks go, inner ones become one
	Lower   Rewriting = "lower"   // upper case becomes lower case
	Compact Rewriting = "compact" // blanks and hyphens go, as in a telephone number
	OneOnly Rewriting = "oneOnly" // of several values the last one stays
)

// Rewrite is what happens to the values of one attribute whenever somebody writes them over the wire or from Go. What was
// loaded at the start stays as it is. Several for one attribute happen one after the other.
type Rewrite struct {
	Attribute string
	How       Rewriting
}

// SetRewrites replaces the list of rewrites; none: values are kept as they came. The error names an unknown attribute.
func (s *Server) SetRewrites(list ...Rewrite) error {
	for _, r := range list {
		if _, ok := s.db.schema.describe(r.Attribute); !ok {
			return refuse(UndefinedType, "%s: attribute type undefined", r.Attribute)
		}
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.rewrites = slices.Clone(list)
	return nil
}

// rewrite changes the values of the attributes that an update names.
func (d *database) rewrite(e *entry, mods []Mod) {
	for _, r := range d.rewrites {
		desc, _ := d.schema.describe(r.Attribute)
		named := func(m Mod) bool {
			have, ok := d.schema.describe(m.Attribute)
			return ok && have == desc
		}
		i := e.find(desc)
		if i < 0 || !slices.ContainsFunc(mods, named) {
			continue
		}
		var kept []value
		for _, v := range d.schema.values(desc.kind, r.How.all(texts(e.attrs[i].values))) {
			if v.raw != "" && index(kept, v.norm) < 0 {
				kept = append(kept, v)
			}
		}
		e.put(desc, kept)
	}
}

func (r Rewriting) all(values []string) []string {
	if r == OneOnly && len(values) > 1 {
		return values[len(values)-1:]
	}
	out := make([]string, len(values))
	for i, v := range values {
		switch r {
		case Trim:
			v = strings.Join(strings.Fields(v), " ")
		case Lower:
			v = strings.ToLower(v)
		case Compact:
			v = strings.Map(func(c rune) rune {
				if c == '-' || unicode.IsSpace(c) {
					return -1
				}
				return c
			}, v)
		case OneOnly:
		}
		out[i] = v
	}
	return out
}
