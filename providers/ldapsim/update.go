package ldapsim

import "strings"

// Verb is what a Mod does with the values of an attribute; the numbers are the protocol's.
type Verb int

// The verbs, RFC 4511 §4.6 and RFC 4525.
const (
	Put     Verb = 0 // add the values
	Drop    Verb = 1 // delete the values, or all when none are named
	Replace Verb = 2
	Raise   Verb = 3 // add a number to each value
)

// Mod is one change of one attribute.
type Mod struct {
	Verb      Verb
	Attribute string
	Values    []string
}

// build makes an entry of a name and its attributes; load lets operational attributes be given, as slapadd does.
func (d *database) build(name string, attrs []Mod, load bool) (*entry, *Result) {
	parsed, err := parseDN(name)
	if err != nil || len(parsed) == 0 {
		return nil, refuse(InvalidDN, "invalid DN")
	}
	key, ok := d.schema.key(parsed)
	if !ok {
		return nil, refuse(InvalidDN, "invalid DN")
	}
	parent, _ := d.schema.key(parsed.parent())
	e := &entry{name: d.schema.pretty(parsed), key: key, parent: parent}
	for _, m := range attrs {
		a, refused := d.read(m, load)
		if refused != nil {
			return nil, refused
		}
		if len(a.values) == 0 {
			return nil, refuse(ProtocolError, "no values for attribute type")
		}
		if i := e.find(a.description); i >= 0 && !load {
			return nil, refuse(ValueExists, "attribute '%s' provided more than once", a)
		} else if i >= 0 {
			a.values = append(e.attrs[i].values, a.values...)
		}
		e.put(a.description, a.values)
	}
	return e, nil
}

// read checks description, syntax and repetition of what a request names.
func (d *database) read(m Mod, load bool) (attribute, *Result) {
	desc, ok := d.schema.describe(m.Attribute)
	if !ok {
		return attribute{}, refuse(UndefinedType, "%s: attribute type undefined", m.Attribute)
	}
	a := attribute{description: desc}
	if desc.kind.fixed && !load {
		return a, refuse(ConstraintViolation, "%s: no user modification allowed", desc)
	}
	if m.Verb != Raise {
		for i, v := range m.Values {
			if !d.schema.valid(desc.kind, v) {
				return a, refuse(InvalidSyntax, "%s: value #%d invalid per syntax", desc, i)
			}
		}
	}
	a.values = d.schema.values(desc.kind, m.Values)
	if desc.kind.single && len(a.values) > 1 && m.Verb != Drop {
		return a, refuse(ConstraintViolation, "%s: multiple values provided", desc)
	}
	if m.Verb == Drop { // slapd deletes a value named twice without a word
		return a, nil
	}
	for i, v := range a.values {
		if index(a.values[:i], v.norm) >= 0 {
			return a, refuse(ValueExists, "%s: value #%d provided more than once", desc, i)
		}
	}
	return a, nil
}

// apply changes e, which is a copy of its own, one Mod after the other.
func (d *database) apply(e *entry, mods []Mod) *Result {
	for _, m := range mods {
		a, refused := d.read(m, false)
		if refused != nil {
			return refused
		}
		var have []value
		i := e.find(a.description)
		if i >= 0 {
			have = e.attrs[i].values
		}
		switch m.Verb {
		case Put:
			refused = d.put(e, a, have)
		case Drop:
			refused = d.drop(e, a, have)
		case Replace:
			e.put(a.description, a.values)
		case Raise:
			refused = d.raise(e, a, have)
		default:
			refused = refuse(ProtocolError, "unknown modify operation %d", m.Verb)
		}
		if refused != nil {
			return refused
		}
	}
	return nil
}

func (d *database) put(e *entry, a attribute, have []value) *Result {
	if len(a.values) == 0 {
		return refuse(ProtocolError, "modify/add: %s: no values given", a)
	}
	if a.kind.equality == "" && len(have) > 0 {
		return refuse(InappropriateMatch, "modify/add: %s: no equality matching rule", a)
	}
	for i, v := range a.values {
		if index(have, v.norm) >= 0 {
			return refuse(ValueExists, "modify/add: %s: value #%d already exists", a, i)
		}
	}
	e.put(a.description, append(have[:len(have):len(have)], a.values...))
	return nil
}

func (d *database) drop(e *entry, a attribute, have []value) *Result {
	if len(have) == 0 {
		return refuse(NoSuchAttribute, "modify/delete: %s: no such attribute", a)
	}
	if len(a.values) == 0 {
		e.put(a.description, nil)
		return nil
	}
	if a.kind.equality == "" {
		return refuse(InappropriateMatch, "modify/delete: %s: no equality matching rule", a)
	}
	left := append([]value{}, have...)
	for _, v := range a.values {
		i := index(left, v.norm)
		if i < 0 && index(have, v.norm) >= 0 {
			continue
		}
		if i < 0 {
			return refuse(NoSuchAttribute, "modify/delete: %s: no such value", a)
		}
		left = append(left[:i], left[i+1:]...)
	}
	e.put(a.description, left)
	return nil
}

func (d *database) raise(e *entry, a attribute, have []value) *Result {
	if !strings.HasPrefix(a.kind.equality, "integer") {
		return refuse(ConstraintViolation, "modify/increment: %s: not an integer", a)
	}
	if len(a.values) != 1 {
		return refuse(ProtocolError, "modify/increment: %s: one value wanted", a)
	}
	if len(have) == 0 {
		return refuse(NoSuchAttribute, "modify/increment: %s: no such attribute", a)
	}
	sums := make([]string, len(have))
	for i, v := range have {
		sum, ok := addIntegers(v.raw, a.values[0].raw)
		if !ok {
			return refuse(InvalidSyntax, "modify/increment: %s: not a number", a)
		}
		sums[i] = sum
	}
	e.put(a.description, d.schema.values(a.kind, sums))
	return nil
}
