package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/idbridge/idbridge"
)

// Map is a compiled list of fields. It is not changed once made and may be used by many goroutines.
type Map struct {
	fields  []field
	sources []string
	single  []bool // by source: some attribute that reads it takes one value
}

type field struct {
	Field

	source int         // -1 for none
	expr   *expression // nil for none
	spec   idbridge.Spec
}

// New compiles fields. The error joins all faults: an attribute that the schema does not know or that comes twice, an
// empty or impossible name, a form that does not fit, and, as an *ExpressionFault, an expression that cannot be used.
func New(schema idbridge.Schema, fields []Field) (*Map, error) {
	m := &Map{}
	var faults []error
	seen := map[idbridge.Attribute]bool{}
	for _, f := range fields {
		spec, known := schema[f.Attribute]
		switch {
		case !known:
			faults = append(faults, fmt.Errorf("map %s: no such attribute; declare it under attributes", f.Attribute))
		case seen[f.Attribute]:
			faults = append(faults, fmt.Errorf("map %s: mapped twice", f.Attribute))
		case f.Expr != "" && (f.From != "" || f.Form != Plain || f.Else != ""):
			faults = append(faults, fmt.Errorf("map %s: an expression stands alone, without from, else or form", f.Attribute))
		case f.Else != "" && f.Form != Plain:
			faults = append(faults, fmt.Errorf("map %s: form and else exclude each other", f.Attribute))
		case f.text() != "" && f.Attribute == idbridge.UserName:
			faults = append(faults, fmt.Errorf("map %s: the login must be an attribute of the entry, by which it can be found", f.Attribute))
		case f.Expr == "" && !validName(f.From):
			faults = append(faults, fmt.Errorf("map %s: %q cannot be the name of a directory's attribute", f.Attribute, f.From))
		case f.Form != Plain && f.Form != Lock:
			faults = append(faults, fmt.Errorf("map %s: no such form as %q", f.Attribute, f.Form))
		case f.Form == Lock && spec.Match != idbridge.Boolean:
			faults = append(faults, fmt.Errorf("map %s: the form %q needs a boolean attribute", f.Attribute, f.Form))
		}
		seen[f.Attribute] = true
		one := field{Field: f, source: -1, spec: spec}
		if f.Expr == "" {
			one.source = m.source(f.From, spec.Single && f.Form == Plain)
		}
		m.fields = append(m.fields, one)
	}
	for i := range m.fields {
		if fault := m.compute(&m.fields[i], fields); fault != nil {
			faults = append(faults, fault)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return m, nil
}

// compute compiles the expression of a field, if it has one. Its names are attributes of the entry. A name that is
// mapped to something else is refused, since it means one thing in the entry and another in the profile.
func (m *Map) compute(f *field, all []Field) error {
	if f.text() == "" {
		return nil
	}
	e, fault := compile(f.text(), f.spec.Match, func(name string) (why, hint string) {
		for _, other := range all {
			if string(other.Attribute) != name || strings.EqualFold(other.From, name) {
				continue
			}
			hint = fmt.Sprintf("expressions read the entry: write %s, or first(%q) for the entry's own %s", other.From, name, name)
			if other.From == "" {
				hint = fmt.Sprintf("write its expression out, or first(%q) for the entry's own %s", name, name)
			}
			return name + " is an attribute of the user, not of the entry", hint
		}
		return "", ""
	})
	if fault != nil {
		fault.Attribute, fault.Else = f.Attribute, f.Expr == ""
		return fault
	}
	e.sources = make([]int, len(e.reads))
	for i, name := range e.reads {
		e.sources[i] = m.source(name, true)
	}
	f.expr = e
	return nil
}

// source returns the index of a source, adding it when it is new.
func (m *Map) source(name string, single bool) int {
	for i, s := range m.sources {
		if strings.EqualFold(s, name) {
			m.single[i] = m.single[i] || single
			return i
		}
	}
	m.sources = append(m.sources, name)
	m.single = append(m.single, single)
	return len(m.sources) - 1
}

// Sources returns the directory's attributes that the map reads, each once, in the order of the fields.
func (m *Map) Sources() []string { return slices.Clone(m.sources) }

// Attributes returns the profile's attributes that the map fills, in the order of the fields.
func (m *Map) Attributes() []idbridge.Attribute {
	out := make([]idbridge.Attribute, len(m.fields))
	for i, f := range m.fields {
		out[i] = f.Attribute
	}
	return out
}

// From returns the source of an attribute; false for one that is not mapped, or only computed.
func (m *Map) From(a idbridge.Attribute) (string, bool) {
	for _, f := range m.fields {
		if f.Attribute == a && f.source >= 0 {
			return f.From, true
		}
	}
	return "", false
}

// Profile makes a profile of one entry: values[i] are the values of Sources()[i] as they stand. Every mapped attribute
// is in the profile, without values when the entry shows none; whether that means empty or unreadable is decided over
// the whole listing, not here. named is a value that the entry's own name gives a source, "" for none: where an
// attribute takes one value and there are several, that one is taken, else the smallest. The error is a *Fault.
func (m *Map) Profile(values []idbridge.Values, named []string) (idbridge.Profile, error) {
	p := make(idbridge.Profile, len(m.fields))
	for i := range m.fields {
		f := &m.fields[i]
		v, name, err := f.shown(values, named)
		if err != nil {
			return nil, err
		}
		if f.Form == Lock {
			p[f.Attribute] = unlocked(v)
			continue
		}
		if why := unfit(v, f.spec.Match); why != "" {
			return nil, &Fault{Attribute: f.Attribute, From: f.From, Why: why}
		}
		if f.spec.Single && len(v) > 1 {
			v = idbridge.Values{pick(v, name, f.spec.Match)}
		}
		if f.spec.Match == idbridge.Boolean && len(v) > 0 {
			v = idbridge.Values{idbridge.Boolean.Normal(v[0])}
		}
		p[f.Attribute] = v
	}
	return p, nil
}

// shown is what the entry shows of a field, or what its expression makes of the entry, and the value in the entry's name.
func (f *field) shown(values []idbridge.Values, named []string) (v idbridge.Values, name string, err error) {
	if f.source >= 0 {
		if v, name = values[f.source], named[f.source]; f.expr == nil || !blank(v) {
			return v, name, nil
		}
	}
	if v, err = f.expr.value(values, named); err != nil {
		return nil, "", &Fault{Attribute: f.Attribute, From: "expression", Why: err.Error()}
	}
	return v, "", nil
}

func blank(v idbridge.Values) bool {
	return !slices.ContainsFunc(v, func(s string) bool { return strings.TrimSpace(s) != "" })
}

// Takes tells whether the attributes that come from a source as it stands would take some values. The error is a *Fault.
func (m *Map) Takes(source string, values idbridge.Values) error {
	for i := range m.fields {
		f := &m.fields[i]
		if f.source < 0 || !strings.EqualFold(f.From, source) || f.Form == Lock {
			continue
		}
		if why := unfit(values, f.spec.Match); why != "" {
			return &Fault{Attribute: f.Attribute, From: f.From, Why: why}
		}
	}
	return nil
}

// Back returns what an attribute of the profile is on the directory's side: the source's name and its values. ok is
// false for an attribute that is not mapped, or only computed.
func (m *Map) Back(a idbridge.Attribute, v idbridge.Values) (source string, values idbridge.Values, ok bool) {
	for i := range m.fields {
		f := &m.fields[i]
		if f.Attribute != a || f.source < 0 {
			continue
		}
		switch {
		case f.Form == Lock && idbridge.Boolean.Normal(v.First()) == "false":
			return f.From, idbridge.Values{lockedForGood}, true
		case f.Form == Lock:
			return f.From, nil, true
		case f.spec.Match == idbridge.Boolean && len(v) > 0:
			return f.From, idbridge.Values{strings.ToUpper(idbridge.Boolean.Normal(v[0]))}, true
		}
		return f.From, v, true
	}
	return "", nil, false
}

// Single tells whether some attribute that reads Sources()[i] takes one value, so that a reader who meets several has to
// know what the entry's own name says.
func (m *Map) Single(i int) bool { return m.single[i] }

// unfit says why values cannot be text, or "".
func unfit(v idbridge.Values, match idbridge.Match) string {
	if match == idbridge.Octets {
		return ""
	}
	for _, s := range v {
		switch {
		case len(s) > maxText:
			return fmt.Sprintf("has a value of %d bytes; a text may have %d", len(s), maxText)
		case !utf8.ValidString(s):
			return "is not valid UTF-8; correct the value in the directory, or map the attribute with match: octets"
		case strings.IndexByte(s, 0) >= 0:
			return "contains a zero byte"
		}
	}
	return ""
}

// pick chooses one of several values, the same one whatever their order: the one in the entry's name, else the smallest.
func pick(v idbridge.Values, named string, match idbridge.Match) string {
	want := match.Normal(named)
	best, bestNorm := "", ""
	for i, s := range v {
		n := match.Normal(s)
		if named != "" && n == want {
			return s
		}
		if i == 0 || n < bestNorm || n == bestNorm && s < best {
			best, bestNorm = s, n
		}
	}
	return best
}

// unlocked is the form Lock as a boolean: a lock that passes by itself does not count.
func unlocked(v idbridge.Values) idbridge.Values {
	if slices.Contains(v, lockedForGood) {
		return idbridge.Values{"false"}
	}
	return idbridge.Values{"true"}
}
