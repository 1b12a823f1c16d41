package ldap

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// modification is what one modify does to one attribute: values as stored go, new ones come. The others stay, so an edit
// of a value that is not ours survives.
type modification struct {
	source         string
	removed, added []string
	whole          []string // what is there afterwards
	replace        bool     // the attribute has no equality rule, so single values cannot be named
}

// put writes the modification into a request: delete old and add new in one request are a compare-and-set, since the
// server refuses the whole when an old value is gone.
func (m *modification) put(r *ldap.ModifyRequest) {
	if m.replace {
		r.Replace(m.source, m.whole)
		return
	}
	if len(m.removed) > 0 {
		r.Delete(m.source, m.removed)
	}
	if len(m.added) > 0 {
		r.Add(m.source, m.added)
	}
}

// modifications turns wanted values into the smallest change of the entry, and refuses in plain words what the server
// would refuse in its own.
func (d *Directory) modifications(sc schema, h *held, todo idbridge.Profile) ([]modification, error) {
	var out []modification
	for _, a := range todo.Attributes() {
		source, want, _ := d.m.Back(a, todo[a])
		if slices.ContainsFunc(out, func(m modification) bool { return strings.EqualFold(m.source, source) }) {
			return nil, refuse("two attributes are mapped to %s, and both change", source)
		}
		m := d.difference(sc, h, a, source, want)
		if err := d.permit(sc, h, a, m); err != nil {
			return nil, err
		}
		if len(m.removed)+len(m.added) > 0 {
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		return nil, refuse("nothing can be changed: the value is there beside others")
	}
	return out, nil
}

// difference compares value by value under the attribute's rule.
func (d *Directory) difference(sc schema, h *held, a idbridge.Attribute, source string, want idbridge.Values) modification {
	spec := d.cfg.Schema[a]
	stored := storedAs(h.values, source)
	m := modification{source: source}
	shown := h.record.Profile[a].First()
	for _, v := range stored {
		beside := spec.Single && len(stored) > 1 && v != shown // not ours: another value of an attribute we take one of
		switch {
		case beside || has(spec.Match, want, v):
			m.whole = append(m.whole, v)
		default:
			m.removed = append(m.removed, v)
		}
	}
	for _, v := range want {
		if !has(spec.Match, stored, v) && !has(spec.Match, m.added, v) {
			m.added = append(m.added, v)
		}
	}
	m.whole = append(m.whole, m.added...)
	m.replace = len(m.removed) > 0 && len(sc.types) > 0 && sc.equality(source) == ""
	return m
}

func storedAs(values map[string]idbridge.Values, source string) idbridge.Values {
	for name, v := range values {
		if strings.EqualFold(name, source) {
			return v
		}
	}
	return nil
}

func has(match idbridge.Match, values []string, v string) bool {
	n := match.Normal(v)
	return slices.ContainsFunc(values, func(x string) bool { return x == v || match.Normal(x) == n })
}

// permit refuses before sending what this entry cannot take.
func (d *Directory) permit(sc schema, h *held, a idbridge.Attribute, m modification) error {
	for _, v := range m.added {
		switch {
		case strings.TrimSpace(v) == "":
			return refuse("%s cannot be an empty value; remove the value instead", a)
		case d.cfg.Schema[a].Match != idbridge.Octets && (!utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0):
			return refuse("%s is not valid text", a)
		}
	}
	if err := d.readable(m); err != nil {
		return err
	}
	switch {
	case !sc.known(m.source):
		return refuse("the directory knows no attribute %s", m.source)
	case sc.unwritable(m.source):
		return refuse("only the directory itself writes %s", m.source)
	case len(m.whole) > 1 && sc.single(m.source):
		return refuse("%s takes one value in the directory (%s)", a, m.source)
	case len(m.whole) == 0 && sc.needs(h.classes, m.source):
		return refuse("%s cannot be emptied: every such entry of the directory must have %s", a, m.source)
	case len(m.added) > 0 && !h.partly && !sc.allows(h.classes, m.source):
		return refuse("this entry of the directory cannot have %s: none of its classes allows it", m.source)
	}
	for _, v := range m.added {
		if why := sc.misfit(m.source, v); why != "" {
			return refuse("%s: the directory takes %s for %s", a, why, m.source)
		}
	}
	for _, p := range nameParts(h.record.Locator) {
		if sc.same(p.attribute, m.source) && has(idbridge.CaseIgnore, m.removed, p.value) {
			return &idbridge.Error{
				Kind: idbridge.Refused, Msg: string(a) + " is part of the entry's own name in the directory, and idbridge does not rename entries yet",
				Hint: "rename the entry in the directory, or map the attribute with flow: in",
			}
		}
	}
	return nil
}

// readable refuses a value that we write and would then not take back: the record would be unusable for its own sake.
func (d *Directory) readable(m modification) error {
	if err := d.m.Takes(m.source, m.added); err != nil {
		return &idbridge.Error{Kind: idbridge.Refused, Msg: "the value could not be read back", Err: err}
	}
	return nil
}
