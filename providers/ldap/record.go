package ldap

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/idbridge/idbridge"
)

// reader makes records of entries. It is filled again and again by one goroutine; what a record keeps is its own.
type reader struct {
	d      *Directory
	wanted []string // the mapped sources, then the id, then the version
	mapped int      // how many of them are sources
	id     int
	ids    idName
	vers   int
	next   int               // where the next attribute is looked for first: a server keeps to its order
	values []idbridge.Values // by wanted
	named  []string          // by wanted: what the entry's own name says
	part   string            // an attribute of which the server shows a part only, "" for none
	slab   []string          // value sets are cut from it
}

// slabValues is how many values are allocated at once. Small, so that one record that is kept keeps little else alive.
const slabValues = 256

func (d *Directory) reader(version string) *reader {
	r := &reader{d: d, wanted: d.m.Sources(), ids: d.cfg.idName()}
	r.mapped = len(r.wanted)
	find := func(name string) int {
		for i, w := range r.wanted {
			if strings.EqualFold(w, name) {
				return i
			}
		}
		r.wanted = append(r.wanted, name)
		return len(r.wanted) - 1
	}
	r.id = find(d.cfg.IDAttribute)
	r.vers = find(version)
	r.values = make([]idbridge.Values, len(r.wanted))
	r.named = make([]string, len(r.wanted))
	return r
}

// asked returns the attributes to ask a server for.
func (r *reader) asked(more ...string) []string { return append(slices.Clone(r.wanted), more...) }

// place returns which wanted attribute a name is, -1 for none. An attribute with an option (cn;lang-de) is another
// attribute, except that ;binary is only a way of sending.
func (r *reader) place(name string) int {
	n := len(r.wanted)
	for k := range n {
		i := r.next + k
		if i >= n {
			i -= n
		}
		if r.wanted[i] == name {
			r.next = i + 1
			return i
		}
	}
	name = strings.TrimSuffix(name, ";binary")
	for i, w := range r.wanted {
		if strings.EqualFold(w, name) {
			r.wanted[i] = strings.Clone(name) // as this server spells it
			return i
		}
	}
	return -1
}

// take copies values into the slab.
func (r *reader) take(values []string) idbridge.Values {
	if len(values) == 0 {
		return nil
	}
	if len(r.slab) < len(values) {
		if len(values) > slabValues/4 {
			return slices.Clone(values)
		}
		r.slab = make([]string, slabValues)
	}
	out := r.slab[:len(values):len(values)]
	r.slab = r.slab[len(values):]
	copy(out, values)
	return out
}

// load takes an entry's attributes.
func (r *reader) load(e *entry) {
	clear(r.values)
	r.part = ""
	several := false
	for _, a := range e.attributes {
		i := r.place(a.name)
		if i < 0 {
			if base, options, _ := strings.Cut(a.name, ";"); options != "" && r.place(base) >= 0 {
				if _, next, is := parseRange(options); is && next > 0 {
					r.part = strings.Clone(base)
				}
			}
			continue
		}
		if r.values[i] != nil {
			r.values[i] = append(slices.Clip(r.values[i]), e.of(a)...)
		} else {
			r.values[i] = r.take(e.of(a))
		}
		several = several || len(r.values[i]) > 1
	}
	if several {
		r.name(e.dn)
	}
}

// name finds what the entry's own name says about sources that take one value and have several.
func (r *reader) name(dn string) {
	clear(r.named)
	var parts []part
	for i, v := range r.values[:r.mapped] {
		if len(v) < 2 || !r.d.m.Single(i) {
			continue
		}
		if parts == nil {
			parts = nameParts(dn)
		}
		for _, p := range parts {
			if strings.EqualFold(p.attribute, r.wanted[i]) {
				r.named[i] = p.value
			}
		}
	}
}

// record makes a record of an entry. The error says why the entry cannot be used; its id, where it has one, is in the
// record all the same, so that its person is known to be there.
func (r *reader) record(e *entry) (idbridge.Record, error) {
	r.load(e)
	rec := idbridge.Record{ID: idbridge.ExternalID{Directory: r.d.cfg.Name}, Locator: e.dn, Version: r.values[r.vers].First()}
	var err error
	if rec.ID.ID, err = r.ids.text(r.values[r.id]); err != nil {
		return rec, err
	}
	if !utf8.ValidString(e.dn) || strings.IndexByte(e.dn, 0) >= 0 {
		rec.Locator = strings.ToValidUTF8(strings.ReplaceAll(e.dn, "\x00", "\uFFFD"), "\uFFFD")
		return rec, errors.New("the entry's name is not valid UTF-8")
	}
	if r.part != "" {
		return rec, fmt.Errorf("the entry has more values of %s than the server shows at once; no detail of a person has that many", r.part)
	}
	p, err := r.d.m.Profile(r.values, r.named)
	if err != nil {
		return rec, err //nolint:wrapcheck // it names attribute and source
	}
	if p[idbridge.UserName].First() == "" {
		from, _ := r.d.m.From(idbridge.UserName)
		return rec, fmt.Errorf("the entry has no %s, which is the login (userName)", from)
	}
	rec.Profile = p
	return rec, nil
}
