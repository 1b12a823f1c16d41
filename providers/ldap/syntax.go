package ldap

import (
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
)

// syntaxes is the arc of RFC 4517's syntaxes.
const syntaxes = "1.3.6.1.4.1.1466.115.121.1."

// oidOf drops the length that a definition may suggest: SYNTAX 1.3…15{256}. It is the least that a server must take
// (RFC 4512 section 4.1.2), not the most, and OpenLDAP takes more; so it refuses nothing.
func oidOf(syntax string) string {
	oid, _, _ := strings.Cut(syntax, "{")
	return strings.Trim(oid, "'")
}

// syntax returns the oid of an attribute's syntax, its own or that of its kin above; "" when it is not known.
func (s schema) syntax(name string) string {
	for range 16 { // a chain of SUP is short; a circle is the server's fault
		t := s.types[strings.ToLower(name)]
		if t == nil {
			return ""
		}
		if t.syntax != "" || t.sup == "" {
			return t.syntax
		}
		name = t.sup
	}
	return ""
}

// misfit says what the attribute's syntax wants when v is not of it, "" when it is or when that cannot be said here.
func (s schema) misfit(name, v string) string {
	arc, known := strings.CutPrefix(s.syntax(name), syntaxes)
	if !known {
		return ""
	}
	for _, rule := range []struct {
		syntax, wants string
		fits          func(string) bool
	}{
		{"7", "TRUE or FALSE", func(v string) bool { return v == "TRUE" || v == "FALSE" }},
		{"11", "two printable letters", func(v string) bool { return len(v) == 2 && printable(v) }},
		{"12", "a distinguished name", func(v string) bool { _, err := ldap.ParseDN(v); return err == nil }},
		{"15", "text in UTF-8", utf8.ValidString},
		{"24", "a time as 20060102150405Z", generalizedTime},
		{"26", "ASCII text", ascii},
		{"27", "a whole number", func(v string) bool { _, ok := new(big.Int).SetString(v, 10); return ok && v[0] != '+' }},
		{"36", "digits and blanks", func(v string) bool { return strings.Trim(v, "0123456789 ") == "" }},
		{"44", printableWords, printable},
		{"50", printableWords, printable},
	} {
		if rule.syntax == arc && !rule.fits(v) {
			return rule.wants
		}
	}
	return ""
}

const printableWords = "letters, digits, blanks and ' ( ) + , - . / : = ?"

// printable tells a PrintableString of RFC 4517.
func printable(v string) bool {
	for i := range len(v) {
		c := v[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte("'()+,-./:? =", c) < 0 {
			return false
		}
	}
	return v != ""
}

func ascii(v string) bool {
	for i := range len(v) {
		if v[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func generalizedTime(v string) bool {
	for _, layout := range []string{"20060102150405Z0700", "200601021504Z0700", "2006010215Z0700"} {
		if _, err := time.Parse(layout, strings.Replace(v, ",", ".", 1)); err == nil {
			return true
		}
	}
	return false
}
