package ldapsim

import (
	"math/big"
	"strings"
	"unicode/utf8"
)

// pattern is a substring filter: the parts in normal form.
type pattern struct {
	desc           description
	initial, final string
	inner          []string
}

func (s *schema) substrings(r *reader) (filter, error) {
	desc, ok := s.describe(r.text(tagOctets))
	list := r.open(tagSequence)
	f := pattern{desc: desc}
	parts := 0
	for ; list.more(); parts++ {
		n := list.next()
		text := s.part(desc, string(n.body))
		switch {
		case n.tag == 0x80 && parts == 0:
			f.initial = text
		case n.tag == 0x81 && f.final == "":
			f.inner = append(f.inner, text)
		case n.tag == 0x82 && f.final == "":
			f.final = text
		default:
			return nil, errFilter
		}
	}
	if r.err != nil || list.err != nil || parts == 0 {
		return nil, errFilter
	}
	if !ok || desc.kind.substr == "" {
		return nothing{}, nil
	}
	return f, nil
}

// part prepares a piece of a value: like the value, but its outer blanks are meant.
func (s *schema) part(desc description, text string) string {
	if desc.kind == nil {
		return text
	}
	n, ok := s.normal(desc.kind.equality, text)
	if !ok {
		return text
	}
	switch desc.kind.equality {
	case "caseIgnoreMatch", "caseIgnoreIA5Match", "caseExactMatch", "caseExactIA5Match", "caseIgnoreListMatch":
		if strings.HasPrefix(text, " ") {
			n = " " + n
		}
		if strings.HasSuffix(text, " ") && n != " " {
			n += " "
		}
	}
	return n
}

func (f pattern) eval(v *view) truth {
	return truthOf(v.any(f.desc, func(have value) bool { return f.fits(have.norm) }))
}

func (f pattern) fits(text string) bool {
	text, ok := strings.CutPrefix(text, f.initial)
	if !ok {
		return false
	}
	if text, ok = strings.CutSuffix(text, f.final); !ok {
		return false
	}
	for _, part := range f.inner {
		_, rest, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = rest
	}
	return true
}

// extensible is a filter with a rule of its own, or about the parts of the name too.
type extensible struct {
	desc    *description // nil: whatever attribute the rule fits
	rule    string       // "" or equality rule, folded name or number
	text    string
	nameToo bool
	schema  *schema
}

func (s *schema) extensible(r *reader) (filter, error) {
	f := extensible{schema: s}
	if r.peek() == 0x81 {
		f.rule = fold(r.text(0x81))
	}
	known := true
	if r.peek() == 0x82 {
		desc, ok := s.describe(r.text(0x82))
		f.desc, known = &desc, ok
	}
	f.text = r.text(0x83)
	if r.peek() == 0x84 {
		f.nameToo = r.bool(0x84)
	}
	if r.err != nil || f.rule == "" && f.desc == nil {
		return nil, errFilter
	}
	if f.rule != "" && f.equality() == "" && !f.bits() {
		known = false
	}
	if f.bits() && (f.desc == nil || f.desc.kind == nil || f.desc.kind.equality != "integerMatch") {
		known = false
	}
	if !known {
		return nothing{}, nil
	}
	return f, nil
}

func (f extensible) bits() bool {
	return f.rule == "1.2.840.113556.1.4.803" || f.rule == "1.2.840.113556.1.4.804" ||
		f.rule == "integerbitandmatch" || f.rule == "integerbitormatch"
}

// equality returns the name of the equality rule that the filter names, "" for none known.
func (f extensible) equality() string {
	for _, known := range [][2]string{
		{"caseIgnoreMatch", "2.5.13.2"}, {"caseExactMatch", "2.5.13.5"}, {"distinguishedNameMatch", "2.5.13.1"},
		{"caseIgnoreIA5Match", "1.3.6.1.4.1.1466.109.114.2"}, {"caseExactIA5Match", "1.3.6.1.4.1.1466.109.114.1"},
		{"integerMatch", "2.5.13.14"}, {"booleanMatch", "2.5.13.13"}, {"octetStringMatch", "2.5.13.17"},
		{"telephoneNumberMatch", "2.5.13.20"}, {"objectIdentifierMatch", "2.5.13.0"}, {"UUIDMatch", "1.3.6.1.1.16.2"},
	} {
		if f.rule == fold(known[0]) || f.rule == known[1] {
			return known[0]
		}
	}
	return ""
}

func (f extensible) eval(v *view) truth {
	if f.bits() {
		return truthOf(v.any(*f.desc, func(have value) bool { return f.masked(have.raw) }))
	}
	found := false
	test := func(kind *attributeType, raw string) bool {
		rule := f.equality()
		if rule == "" {
			rule = kind.equality
		} else if f.desc == nil && kind.equality != rule {
			return false
		}
		want, ok := f.schema.normal(rule, f.text)
		have, fine := f.schema.normal(rule, raw)
		return ok && fine && want == have
	}
	for _, a := range v.e.attrs {
		if (f.desc == nil || f.desc.covers(a.description)) && v.d.level(v.who, v.e, a.kind) >= Read {
			for _, have := range a.values {
				found = found || test(a.kind, have.raw)
			}
		}
	}
	if f.nameToo {
		for _, one := range v.e.name {
			for _, a := range one {
				kind := f.schema.types[fold(a.kind)]
				found = found || (f.desc == nil || kind.is(f.desc.kind)) && test(kind, a.value)
			}
		}
	}
	return truthOf(found)
}

// masked tests bits, MS-ADTS 3.1.1.3.4.4.
func (f extensible) masked(raw string) bool {
	have, ok := new(big.Int).SetString(raw, 10)
	want, fine := new(big.Int).SetString(f.text, 10)
	if !ok || !fine {
		return false
	}
	both := new(big.Int).And(have, want)
	if strings.HasSuffix(f.rule, "804") || strings.HasSuffix(f.rule, "ormatch") {
		return both.Sign() != 0
	}
	return both.Cmp(want) == 0
}

// filterText writes a filter as RFC 4515 does, for faults and for people; what it cannot read it leaves out.
func filterText(n node, depth int) string {
	if depth > maxDepth {
		return ""
	}
	r := &reader{b: n.body}
	switch n.tag {
	case filterAnd, filterOr, filterNot:
		var b strings.Builder
		b.WriteString("(" + map[byte]string{filterAnd: "&", filterOr: "|", filterNot: "!"}[n.tag])
		for r.more() {
			b.WriteString(filterText(r.next(), depth+1))
		}
		return b.String() + ")"
	case filterPresent:
		return "(" + string(n.body) + "=*)"
	case filterEqual, filterApprox, filterAtLeast, filterAtMost:
		sign := map[byte]string{filterEqual: "=", filterApprox: "~=", filterAtLeast: ">=", filterAtMost: "<="}[n.tag]
		return "(" + r.text(tagOctets) + sign + escapeFilter(r.text(tagOctets)) + ")"
	case filterSubstrings:
		text := "(" + r.text(tagOctets) + "="
		for list := r.open(tagSequence); list.more(); {
			part := list.next()
			if part.tag != 0x80 {
				text += "*"
			}
			text += escapeFilter(string(part.body))
			if !list.more() && part.tag != 0x82 {
				text += "*"
			}
		}
		return text + ")"
	}
	return ""
}

func escapeFilter(v string) string {
	if !utf8.ValidString(v) {
		return "?"
	}
	return strings.NewReplacer(`\`, `\5c`, "*", `\2a`, "(", `\28`, ")", `\29`, "\x00", `\00`).Replace(v)
}
