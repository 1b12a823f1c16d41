package ldap

import (
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// A canonical DN is a text that two spellings of one DN share: types in lower case, values folded and trimmed with inner
// blanks to one, the parts of a multi-valued RDN sorted, a backslash before each of , + and \ that belongs to a value.
// All values are compared without case: that is the rule of every attribute that names people in practice, and a server
// that holds both cn=a and cn=A below one parent is not known.

// canonicalDN returns the canonical form; what is no DN stays as it is, behind a zero byte, and equals only itself.
func canonicalDN(dn string) string { return string(appendDN(nil, dn)) }

// appendDN appends the canonical form to b. The plain case, which is nearly every DN, allocates nothing.
func appendDN(b []byte, dn string) []byte {
	start := len(b)
	for rest, more := dn, true; more; {
		var rdn string
		rdn, rest, more = strings.Cut(rest, ",")
		eq := strings.IndexByte(rdn, '=')
		if eq <= 0 || !plainRDN(rdn, eq) {
			if dn == "" {
				return b
			}
			return appendParsed(b[:start], dn)
		}
		if len(b) > start {
			b = append(b, ',')
		}
		b = appendLower(b, strings.Trim(rdn[:eq], " "))
		b = append(b, '=')
		b = appendValue(b, rdn[eq+1:])
	}
	return b
}

// plainRDN tells whether an RDN has one part, no escapes and no control characters.
func plainRDN(rdn string, eq int) bool {
	for i := range len(rdn) {
		switch c := rdn[i]; {
		case c == '\\', c == '"', c == '+', c == ';', c == '<', c == '>', c < ' ', c == 0x7f:
			return false
		case i < eq && (c >= 0x80 || c == ' ' && strings.IndexByte(strings.Trim(rdn[:eq], " "), ' ') >= 0):
			return false
		}
	}
	value := strings.TrimLeft(rdn[eq+1:], " ")
	return value != "" && value[0] != '#'
}

func appendLower(b []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		b = append(b, c)
	}
	return b
}

// appendValue folds a value without escapes.
func appendValue(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return append(b, idbridge.CaseIgnore.Normal(s)...)
		}
	}
	start, blank := len(b), false
	for i := range len(s) {
		c := s[i]
		if c == ' ' {
			blank = len(b) > start
			continue
		}
		if blank {
			b, blank = append(b, ' '), false
		}
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		b = append(b, c)
	}
	return b
}

// appendParsed is the way for escapes, hex strings and several parts: go-ldap reads them.
func appendParsed(b []byte, dn string) []byte {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return append(append(b, 0), dn...)
	}
	for i, rdn := range parsed.RDNs {
		if i > 0 {
			b = append(b, ',')
		}
		parts := make([]string, len(rdn.Attributes))
		for k, a := range rdn.Attributes {
			value := valueEscaper().Replace(idbridge.CaseIgnore.Normal(a.Value))
			parts[k] = strings.ToLower(strings.TrimSpace(a.Type)) + "=" + value
		}
		slices.Sort(parts)
		b = append(b, strings.Join(parts, "+")...)
	}
	return b
}

func valueEscaper() *strings.Replacer { return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `+`, `\+`) }

// below tells whether a canonical DN is the base or lies under it.
func below(dn, base string) bool {
	return base == "" || dn == base || len(dn) > len(base) && strings.HasSuffix(dn, base) && dn[len(dn)-len(base)-1] == ',' &&
		!escapedAt(dn, len(dn)-len(base)-1)
}

// escapedAt tells whether the byte at i is escaped: an odd number of backslashes stands before it.
func escapedAt(s string, i int) bool {
	n := 0
	for i--; i >= 0 && s[i] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}

// part is one attribute of an entry's own name.
type part struct{ attribute, value string }

// nameParts returns the attributes and values of a DN's first RDN; nil when it is no DN.
func nameParts(dn string) []part {
	parsed, err := ldap.ParseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 {
		return nil
	}
	var out []part
	for _, a := range parsed.RDNs[0].Attributes {
		out = append(out, part{a.Type, a.Value})
	}
	return out
}
