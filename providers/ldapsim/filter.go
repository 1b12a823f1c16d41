package ldapsim

import (
	"errors"
	"slices"
	"strings"
)

// truth is the three-valued logic of RFC 4511 §4.5.1.7. The order makes and a minimum, or a maximum.
type truth int8

const (
	isFalse truth = iota - 1
	isUndefined
	isTrue
)

func truthOf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

// view is an entry as one identity may see it.
type view struct {
	d    *database
	tree *tree
	e    *entry
	who  string
}

// each yields the attributes that a description covers and the identity may read.
func (v *view) each(desc description, yield func(attribute) bool) {
	for _, a := range v.e.attrs {
		if desc.covers(a.description) && v.d.level(v.who, v.e, a.kind) >= Read && !yield(a) {
			return
		}
	}
	if desc.kind.operational {
		for _, a := range v.d.computed(v.tree, v.e) {
			shown := a.kind.name() == "subschemaSubentry" // slapd shows it and does not find by it
			if !shown && desc.covers(a.description) && !yield(a) {
				return
			}
		}
	}
}

func (v *view) any(desc description, test func(value) bool) bool {
	found := false
	v.each(desc, func(a attribute) bool {
		found = slices.ContainsFunc(a.values, test)
		return !found
	})
	return found
}

type filter interface{ eval(v *view) truth }

type (
	and     []filter
	or      []filter
	not     struct{ one filter }
	nothing struct{} // an item nobody can decide: unknown attribute, value against its syntax
	present struct{ desc description }
	equal   struct {
		desc description
		want string
	}
	class struct { // objectClass=want holds for derived classes too
		desc   description
		want   string
		schema *schema
	}
	ordering struct {
		desc description
		want string
		sign int // 1: at least, -1: at most
	}
)

func (f and) eval(v *view) truth {
	out := isTrue
	for _, one := range f {
		if out = min(out, one.eval(v)); out == isFalse {
			break
		}
	}
	return out
}

func (f or) eval(v *view) truth {
	out := isFalse
	for _, one := range f {
		if out = max(out, one.eval(v)); out == isTrue {
			break
		}
	}
	return out
}

func (f not) eval(v *view) truth     { return -f.one.eval(v) }
func (nothing) eval(*view) truth     { return isUndefined }
func (f present) eval(v *view) truth { return truthOf(v.any(f.desc, func(value) bool { return true })) }

func (f equal) eval(v *view) truth {
	return truthOf(v.any(f.desc, func(have value) bool { return have.norm == f.want }))
}

func (f class) eval(v *view) truth {
	return truthOf(v.any(f.desc, func(have value) bool { return f.schema.isClass(have.norm, f.want) }))
}

func (f ordering) eval(v *view) truth {
	return truthOf(v.any(f.desc, func(have value) bool {
		return compareBy(f.desc.kind.ordering, have.norm, f.want)*f.sign >= 0
	}))
}

var errFilter = errors.New("malformed filter")

// maxDepth bounds how deep filters may nest.
const maxDepth = 64

// Choices of a filter, RFC 4511 §4.5.1.
const (
	filterAnd        = 0xa0
	filterOr         = 0xa1
	filterNot        = 0xa2
	filterEqual      = 0xa3
	filterSubstrings = 0xa4
	filterAtLeast    = 0xa5
	filterAtMost     = 0xa6
	filterPresent    = 0x87
	filterApprox     = 0xa8
	filterExtensible = 0xa9
)

// filter decodes a filter as it came.
func (s *schema) filter(n node, depth int) (filter, error) {
	if depth > maxDepth {
		return nil, errFilter
	}
	r := &reader{b: n.body}
	switch n.tag {
	case filterAnd, filterOr:
		var list []filter
		for r.more() {
			one, err := s.filter(r.next(), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, one)
		}
		if n.tag == filterAnd {
			return and(list), r.err
		}
		return or(list), r.err
	case filterNot:
		one, err := s.filter(r.next(), depth+1)
		return not{one}, errors.Join(err, r.err)
	case filterPresent:
		if desc, ok := s.describe(string(n.body)); ok {
			return present{desc}, nil
		}
		return nothing{}, nil
	case filterEqual, filterApprox, filterAtLeast, filterAtMost:
		kind, text := r.text(tagOctets), r.text(tagOctets)
		return s.comparison(n.tag, kind, text), r.err
	case filterSubstrings:
		return s.substrings(r)
	case filterExtensible:
		return s.extensible(r)
	}
	return nil, errFilter
}

func (s *schema) comparison(tag byte, kind, text string) filter {
	desc, ok := s.describe(kind)
	if !ok || desc.kind.equality == "" {
		return nothing{}
	}
	want, ok := s.normal(desc.kind.equality, text)
	if !ok {
		return nothing{}
	}
	if tag == filterAtLeast || tag == filterAtMost {
		if desc.kind.ordering == "" {
			return nothing{}
		}
		if tag == filterAtMost {
			return ordering{desc, want, -1}
		}
		return ordering{desc, want, 1}
	}
	return s.equals(desc, want)
}

// equals is the filter for one value in its normal form.
func (s *schema) equals(desc description, want string) filter {
	if s.classes[want] != nil && fold(desc.kind.name()) == "objectclass" {
		return class{desc, want, s}
	}
	return equal{desc, want}
}

// compareBy orders two normal forms.
func compareBy(rule, a, b string) int {
	if rule != "integerOrderingMatch" {
		return strings.Compare(a, b)
	}
	negative := strings.HasPrefix(a, "-")
	switch {
	case negative != strings.HasPrefix(b, "-"):
		return map[bool]int{true: -1, false: 1}[negative]
	case negative:
		return compareBy(rule, b[1:], a[1:])
	case len(a) != len(b):
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
