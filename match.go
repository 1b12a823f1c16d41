package idbridge

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Match is an equality rule of RFC 4517, reduced to what the merge needs: values with the same normal form are the same
// value. CaseIgnore is the zero Match because it is the rule of nearly all attributes of persons.
type Match uint8

// The equality rules.
const (
	CaseIgnore Match = iota // fold case, trim, inner blanks to one (caseIgnoreMatch, caseIgnoreIA5Match)
	CaseExact               // trim, inner blanks to one (caseExactMatch)
	Telephone               // as CaseIgnore, without blanks and hyphens (telephoneNumberMatch)
	Boolean                 // TRUE, true, 1, yes; everything else is false
	Octets                  // exact bytes
)

// Normal returns the canonical form of one value. Normal(Normal(x)) = Normal(x) for every x.
func (m Match) Normal(v string) string {
	switch m {
	case Octets:
		return v
	case Boolean:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "":
			return ""
		case "true", "1", "yes", "on":
			return "true"
		}
		return "false"
	case CaseIgnore, CaseExact, Telephone:
	}
	if !utf8.ValidString(v) {
		return v // not text; compared as octets
	}
	if m == Telephone { // before folding: what stood apart may compose
		return fold(strings.Map(dial, v))
	}
	if m != CaseExact {
		v = fold(v)
	} else if !ascii(v) {
		v = norm.NFC.String(v)
	}
	if strings.IndexByte(v, ' ') < 0 && ascii(v) && strings.TrimSpace(v) == v && !strings.ContainsAny(v, "\t\n\r\v\f") {
		return v
	}
	return strings.Join(strings.Fields(v), " ")
}

// dial drops what telephoneNumberMatch does not see: blanks and hyphens (RFC 4518 section 2.6.3).
func dial(r rune) rune {
	switch r {
	case '-', '\u058a', '\u2010', '\u2011', '\u2212', '\ufe63', '\uff0d':
		return -1
	}
	if unicode.IsSpace(r) {
		return -1
	}
	return r
}

// fold is a case fold that is stable under itself: simple folding rune by rune between two NFC, so that İ, ı and ß keep
// their identity and no value folds into two different forms on two platforms.
func fold(v string) string {
	if ascii(v) {
		return strings.ToLower(v)
	}
	v = norm.NFC.String(v)
	for range 4 { // composing may give a rune that folds again; it settles after one more round
		next := norm.NFC.String(strings.Map(foldRune, v))
		if next == v {
			break
		}
		v = next
	}
	return v
}

// foldRune is the simple case folding of Unicode: through the upper case, so that ς is σ and the ohm sign is ω.
func foldRune(r rune) rune {
	if r == 'İ' || r == 'ı' { // folded in Turkish only
		return r
	}
	return unicode.ToLower(unicode.ToUpper(r))
}

func ascii(v string) bool {
	for i := range len(v) {
		if v[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// ParseMatch reads the name a config uses for a rule: text, exact, telephone, boolean, octets.
func ParseMatch(name string) (Match, bool) {
	switch name {
	case "text", "":
		return CaseIgnore, true
	case "exact":
		return CaseExact, true
	case "telephone":
		return Telephone, true
	case "boolean":
		return Boolean, true
	case "octets":
		return Octets, true
	}
	return CaseIgnore, false
}

// String returns the name a config uses for the rule.
func (m Match) String() string {
	switch m {
	case CaseIgnore:
		return "text"
	case CaseExact:
		return "exact"
	case Telephone:
		return "telephone"
	case Boolean:
		return "boolean"
	case Octets:
		return "octets"
	}
	return "text"
}
