package ldapsim

import "slices"

// selection is which attributes of an entry are wanted, RFC 4511 §4.5.1.8 and RFC 3673.
type selection struct {
	user, operational bool
	some              []description
	from              map[*attributeType]int // where a range begins that is asked for
}

func (d *database) choose(names []string) selection {
	var out selection
	if len(names) == 0 {
		out.user = true
	}
	for _, n := range names {
		switch n {
		case "*":
			out.user = true
		case "+":
			out.operational = true
		default: // 1.1 is no attribute; nor is what the schema does not know
			plain, from := rangeOf(n)
			desc, ok := d.schema.describe(plain)
			if !ok {
				continue
			}
			out.some = append(out.some, desc)
			if from >= 0 {
				if out.from == nil {
					out.from = map[*attributeType]int{}
				}
				out.from[desc.kind] = from
			}
		}
	}
	return out
}

func (s selection) wants(a attribute) bool {
	if a.kind.operational && s.operational || !a.kind.operational && s.user {
		return true
	}
	return slices.ContainsFunc(s.some, func(d description) bool { return d.covers(a.description) })
}

// encodeEntry writes a SearchResultEntry as who may see it.
func (d *database) encodeEntry(t *tree, who string, e *entry, s selection, typesOnly bool) []byte {
	w := &builder{b: make([]byte, 0, 512)}
	w.begin(tagEntry)
	w.text(tagOctets, e.name.String())
	w.begin(tagSequence)
	one := func(name string, values []value) {
		w.begin(tagSequence)
		w.text(tagOctets, name)
		w.begin(tagSet)
		for i := range values {
			if !typesOnly {
				w.text(tagOctets, values[i].raw)
			}
		}
		w.end()
		w.end()
	}
	write := func(a attribute) {
		name, values, more := d.chunk(a, s)
		if more {
			one(a.String(), nil)
		}
		one(name, values)
	}
	for _, a := range e.attrs {
		if s.wants(a) && d.level(who, e, a.kind) >= Read {
			write(a)
		}
	}
	if s.operational || slices.ContainsFunc(s.some, func(d description) bool { return d.kind.operational }) {
		for _, a := range d.computed(t, e) {
			if s.wants(a) {
				write(a)
			}
		}
	}
	w.end()
	w.end()
	return w.b
}
