package ldapsim

import (
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold makes names comparable.
func fold(s string) string { return strings.ToLower(s) }

// prepare is string preparation as in RFC 4518, as far as OpenLDAP does it: compatibility form, outer blanks away, inner
// ones to one.
func prepare(v string, keepCase bool) string {
	v = norm.NFKC.String(v)
	if !keepCase {
		v = norm.NFKC.String(strings.ToLower(v))
	}
	return strings.Join(strings.FieldsFunc(v, func(r rune) bool { return r == ' ' }), " ")
}

// normal returns the form of v that two equal values share under rule, false when v is none of the rule's values.
func (s *schema) normal(rule, v string) (string, bool) {
	switch rule {
	case "caseIgnoreMatch", "caseIgnoreIA5Match":
		return prepare(v, false), true
	case "caseIgnoreListMatch": // lines of an address, parted by dollars
		lines := strings.Split(v, "$")
		for i := range lines {
			lines[i] = prepare(lines[i], false)
		}
		return strings.Join(lines, "$"), true
	case "caseExactMatch", "caseExactIA5Match":
		return prepare(v, true), true
	case "objectIdentifierMatch":
		if c := s.classes[fold(v)]; c != nil {
			return fold(c.names[0]), true
		}
		if a := s.types[fold(v)]; a != nil {
			return fold(a.names[0]), true
		}
		return fold(v), true
	case "telephoneNumberMatch":
		return strings.NewReplacer(" ", "", "-", "").Replace(fold(v)), true
	case "numericStringMatch":
		return strings.ReplaceAll(v, " ", ""), true
	case "integerMatch":
		n, ok := new(big.Int).SetString(v, 10)
		if !ok || len(v) > 100 {
			return "", false
		}
		return n.String(), true
	case "booleanMatch":
		return v, v == "TRUE" || v == "FALSE"
	case "distinguishedNameMatch", "uniqueMemberMatch":
		d, err := parseDN(v)
		if err != nil {
			return "", false
		}
		return s.key(d)
	case "generalizedTimeMatch":
		t, ok := parseTime(v)
		return t.UTC().Format("20060102150405.000000Z"), ok
	case "UUIDMatch":
		return fold(v), uuidShape(v)
	default:
		return v, true
	}
}

// key returns the form of a name that equal names share; false when a type is unknown or a value is against its syntax.
func (s *schema) key(d dn) (string, bool) {
	rdns := make([]string, len(d))
	for i, one := range d {
		avas := make([]string, len(one))
		for j, a := range one {
			t := s.types[fold(a.kind)]
			if t == nil || !s.valid(t, a.value) {
				return "", false
			}
			n, ok := s.normal(t.equality, a.value)
			if !ok {
				return "", false
			}
			avas[j] = fold(t.name()) + "=" + escapeValue(n)
		}
		slices.Sort(avas)
		rdns[i] = strings.Join(avas, "+")
	}
	return strings.Join(rdns, ","), true
}

// pretty gives the types of a name the schema's spelling, and an RDN of several values slapd's order.
func (s *schema) pretty(d dn) dn {
	out := make(dn, len(d))
	for i, one := range d {
		out[i] = slices.Clone(one)
		for j, a := range one {
			out[i][j].kind = s.types[fold(a.kind)].name()
		}
		slices.SortFunc(out[i], func(a, b ava) int { return strings.Compare(a.kind, b.kind) })
	}
	return out
}

const syntaxes = "1.3.6.1.4.1.1466.115.121.1."

// valid checks a value against the attribute's syntax.
func (s *schema) valid(a *attributeType, v string) bool {
	if a.syntax == "1.3.6.1.1.16.1" {
		return uuidShape(v)
	}
	switch strings.TrimPrefix(a.syntax, syntaxes) {
	case "15", "41": // directory string, postal address
		return v != "" && utf8.ValidString(v)
	case "26":
		return ascii(v)
	case "12", "34":
		d, err := parseDN(v)
		if err != nil {
			return false
		}
		_, ok := s.key(d)
		return ok
	case "27":
		n, ok := s.normal("integerMatch", v)
		return ok && n == v
	case "7":
		return v == "TRUE" || v == "FALSE"
	case "24":
		_, ok := parseTime(v)
		return ok
	case "50", "44", "11", "22": // telephone, printable, country, fax
		return v != "" && strings.IndexFunc(v, notPrintable) < 0
	case "36":
		return v != "" && strings.Trim(v, "0123456789 ") == ""
	case "38":
		if fold(a.name()) == "objectclass" {
			return s.classes[fold(v)] != nil
		}
		return attributeKind(v)
	}
	return true
}

func ascii(v string) bool {
	return strings.IndexFunc(v, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 && utf8.ValidString(v)
}

func notPrintable(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(`'()+,-./:? =`, r)
}

func uuidShape(v string) bool {
	if len(v) != 36 {
		return false
	}
	for i := range len(v) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (v[i] == '-') || !dash && strings.IndexByte("0123456789abcdefABCDEF", v[i]) < 0 {
			return false
		}
	}
	return true
}

// parseTime reads the forms of GeneralizedTime that directories write.
func parseTime(v string) (time.Time, bool) {
	for _, layout := range []string{"20060102150405.999999999Z0700", "200601021504Z0700", "2006010215Z0700"} {
		if t, err := time.Parse(layout, strings.Replace(v, ",", ".", 1)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
