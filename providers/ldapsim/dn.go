package ldapsim

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

// ava is one attribute and value of an RDN; dn is a name, the entry's own RDN first.
type (
	ava struct{ kind, value string }
	rdn []ava
	dn  []rdn
)

var errDN = errors.New("invalid DN")

// parseDN reads a name as RFC 4514 writes it; blanks around separators are allowed, as all servers do.
func parseDN(s string) (dn, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var name dn
	var one rdn
	for {
		kind, rest, ok := strings.Cut(s, "=")
		kind = strings.TrimSpace(kind)
		if !ok || !attributeKind(kind) {
			return nil, errDN
		}
		value, rest, err := parseDNValue(strings.TrimLeft(rest, " "))
		if err != nil {
			return nil, err
		}
		one = append(one, ava{kind, value})
		if rest == "" {
			return append(name, one), nil
		}
		if rest[0] == ',' {
			name, one = append(name, one), nil
		}
		s = rest[1:]
	}
}

// attributeKind tells a short name or a dotted number.
func attributeKind(s string) bool {
	if s == "" {
		return false
	}
	digits := s[0] >= '0' && s[0] <= '9'
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		switch {
		case c >= '0' && c <= '9':
		case digits && c == '.':
		case !digits && (letter || i > 0 && c == '-'):
		default:
			return false
		}
	}
	return true
}

// parseDNValue takes one value and returns what follows, which is empty or begins with a separator.
func parseDNValue(s string) (value, rest string, err error) {
	if strings.HasPrefix(s, "#") {
		return parseDNHex(s[1:])
	}
	var out []byte
	keep := 0 // length up to which blanks are meant
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ',', '+':
			return string(trimBlanks(out, keep)), s[i:], nil
		case '"', ';', '<', '>', 0:
			return "", "", errDN
		case '\\':
			b, n := unescape(s[i+1:])
			if n == 0 {
				return "", "", errDN
			}
			out = append(out, b)
			keep = len(out)
			i += n
		default:
			out = append(out, c)
		}
	}
	return string(trimBlanks(out, keep)), "", nil
}

func trimBlanks(b []byte, keep int) []byte {
	for len(b) > keep && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// unescape reads what follows a backslash: two hex digits or one special character.
func unescape(s string) (b byte, n int) {
	if len(s) >= 2 {
		if v, err := hex.DecodeString(s[:2]); err == nil {
			return v[0], 2
		}
	}
	if s != "" && strings.IndexByte(` "#+,;<=>\`, s[0]) >= 0 {
		return s[0], 1
	}
	return 0, 0
}

// parseDNHex reads #04…: a BER element in hex, of which the content is the value.
func parseDNHex(s string) (value, rest string, err error) {
	end := strings.IndexAny(s, ",+")
	if end < 0 {
		end = len(s)
	}
	b, err := hex.DecodeString(strings.TrimSpace(s[:end]))
	if err != nil {
		return "", "", errDN
	}
	r := &reader{b: b}
	n := r.next()
	if r.err != nil || r.more() {
		return "", "", errDN
	}
	return string(n.body), s[end:], nil
}

// String writes the name as RFC 4514 wants it, special characters as hex, the way OpenLDAP does.
func (d dn) String() string {
	rdns := make([]string, len(d))
	for i, one := range d {
		rdns[i] = one.String()
	}
	return strings.Join(rdns, ",")
}

// String writes the RDN.
func (r rdn) String() string {
	avas := make([]string, len(r))
	for i, a := range r {
		avas[i] = a.kind + "=" + escapeValue(a.value)
	}
	return strings.Join(avas, "+")
}

func escapeValue(v string) string {
	var b strings.Builder
	for i := range len(v) {
		c := v[i]
		edge := c == ' ' && (i == 0 || i == len(v)-1) || c == '#' && i == 0
		if edge || c < ' ' || c == 0x7f || strings.IndexByte(`"+,;<>\=`, c) >= 0 {
			b.WriteByte('\\')
			b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{c})))
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

func (d dn) parent() dn {
	if len(d) == 0 {
		return nil
	}
	return d[1:]
}

// under gives the name that d has when it is moved below parent with the RDN one.
func (d dn) under(one rdn, parent dn) dn { return append(dn{one}, slices.Clone(parent)...) }
