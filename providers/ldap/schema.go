package ldap

import (
	"slices"
	"strings"
)

// schema is what a server publishes about its attributes and object classes (RFC 4512 section 4). The zero schema knows
// nothing and forbids nothing: then the server says no itself, only later and less clearly.
type schema struct {
	types   map[string]*attributeType // by each name and oid, in lower case
	classes map[string]*objectClass
}

type attributeType struct {
	names              []string
	sup                string
	equality           string
	syntax             string // oid, without the length that a definition may suggest
	single, unwritable bool
}

type objectClass struct {
	sup, must, may []string
	extensible     bool
}

// parseSchema reads the definitions of attributeTypes and objectClasses. What cannot be read is left out.
func parseSchema(types, classes []string) schema {
	s := schema{types: map[string]*attributeType{}, classes: map[string]*objectClass{}}
	for _, text := range types {
		d := parseDefinition(text)
		t := &attributeType{
			names: d.names(), sup: d.word("sup"), equality: d.word("equality"), syntax: oidOf(d.word("syntax")), single: d.has("single-value"),
			unwritable: d.has("no-user-modification"),
		}
		for _, n := range append([]string{d.oid}, t.names...) {
			s.types[strings.ToLower(n)] = t
		}
	}
	for _, text := range classes {
		d := parseDefinition(text)
		c := &objectClass{sup: d.list("sup"), must: d.list("must"), may: d.list("may")}
		for _, n := range append([]string{d.oid}, d.names()...) {
			c.extensible = c.extensible || strings.EqualFold(n, "extensibleObject")
			s.classes[strings.ToLower(n)] = c
		}
	}
	return s
}

// definition is one parsed definition: its oid, and what follows each keyword.
type definition struct {
	oid   string
	words map[string][]string // by keyword in lower case
}

func (d *definition) has(keyword string) bool      { _, ok := d.words[keyword]; return ok }
func (d *definition) list(keyword string) []string { return d.words[keyword] }
func (d *definition) names() []string              { return d.words["name"] }

func (d *definition) word(keyword string) string {
	if l := d.words[keyword]; len(l) > 0 {
		return l[0]
	}
	return ""
}

// parseDefinition reads ( oid NAME ( 'a' 'b' ) SUP x EQUALITY y SINGLE-VALUE MUST ( a $ b ) … ). It never fails: odd
// input gives odd words, which nobody asks for.
func parseDefinition(text string) definition {
	d := definition{words: map[string][]string{}}
	tokens := tokenize(text)
	keyword, depth := "", 0
	for i, t := range tokens {
		switch {
		case t.text == "(" && !t.quoted:
			depth++
		case t.text == ")" && !t.quoted:
			depth--
		case i == 1 && !t.quoted:
			d.oid = t.text
		case t.quoted || depth > 1 || keyword != "" && len(d.words[keyword]) == 0 && !isFlag(keyword):
			d.words[keyword] = append(d.words[keyword], t.text)
		default:
			keyword = strings.ToLower(t.text)
			d.words[keyword] = nil
		}
	}
	return d
}

// isFlag tells whether a keyword stands alone. All others have an argument, which may look like a keyword: SUP name.
func isFlag(keyword string) bool {
	switch keyword {
	case "obsolete", "single-value", "collective", "no-user-modification", "abstract", "structural", "auxiliary":
		return true
	}
	return false
}

type token struct {
	text   string
	quoted bool
}

func tokenize(text string) []token {
	var out []token
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case ' ', '\t', '\n', '\r', '$':
			i++
		case '(', ')':
			out = append(out, token{text: string(c)})
			i++
		case '\'':
			end := strings.IndexByte(text[i+1:], '\'')
			if end < 0 {
				return out
			}
			out = append(out, token{text[i+1 : i+1+end], true})
			i += end + 2
		default:
			end := strings.IndexAny(text[i:], " \t\n\r$()'")
			if end < 0 {
				end = len(text) - i
			}
			out = append(out, token{text: text[i : i+end]})
			i += end
		}
	}
	return out
}

// known tells whether the server has such an attribute; true as well when it publishes no schema.
func (s schema) known(name string) bool {
	return len(s.types) == 0 || s.types[strings.ToLower(name)] != nil
}

// single tells whether the server takes at most one value.
func (s schema) single(name string) bool {
	t := s.types[strings.ToLower(name)]
	return t != nil && t.single
}

// unwritable tells whether only the server itself writes the attribute.
func (s schema) unwritable(name string) bool {
	t := s.types[strings.ToLower(name)]
	return t != nil && t.unwritable
}

// equality returns the attribute's equality rule in lower case, its own or that of its kin above; "" for none or unknown.
func (s schema) equality(name string) string {
	for range 16 { // a chain of SUP is short; a circle is the server's fault
		t := s.types[strings.ToLower(name)]
		if t == nil || t.equality != "" || t.sup == "" {
			if t == nil {
				return ""
			}
			return strings.ToLower(t.equality)
		}
		name = t.sup
	}
	return ""
}

// same tells whether two names mean one attribute: cn and commonName.
func (s schema) same(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	t := s.types[strings.ToLower(a)]
	return t != nil && t == s.types[strings.ToLower(b)]
}

// needs tells whether an entry of these classes must have the attribute.
func (s schema) needs(classes []string, name string) bool {
	must, _ := s.rules(classes)
	return slices.ContainsFunc(must, func(m string) bool { return s.same(m, name) })
}

// allows tells whether an entry of these classes may have the attribute; true as well when that is not known.
func (s schema) allows(classes []string, name string) bool {
	if len(s.classes) == 0 || len(classes) == 0 {
		return true
	}
	for _, c := range classes {
		known := s.classes[strings.ToLower(c)]
		if known == nil || known.extensible {
			return true
		}
	}
	must, may := s.rules(classes)
	return slices.ContainsFunc(append(must, may...), func(m string) bool { return s.same(m, name) })
}

// rules collects what the classes and their kin above require and allow.
func (s schema) rules(classes []string) (must, may []string) {
	seen := map[*objectClass]bool{}
	for todo := slices.Clone(classes); len(todo) > 0; todo = todo[1:] {
		c := s.classes[strings.ToLower(todo[0])]
		if c == nil || seen[c] {
			continue
		}
		seen[c] = true
		must, may = append(must, c.must...), append(may, c.may...)
		todo = append(todo, c.sup...)
	}
	return must, may
}
