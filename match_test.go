package idbridge_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/idbridge/idbridge"
)

var matches = []idbridge.Match{
	idbridge.CaseIgnore, idbridge.CaseExact, idbridge.Telephone, idbridge.Boolean, idbridge.Octets,
}

func TestMatchNormal(t *testing.T) {
	for _, c := range []struct {
		rule idbridge.Match
		x, y string
		same bool
	}{
		{idbridge.CaseIgnore, "John@X", "john@x", true},
		{idbridge.CaseIgnore, " Ada   Lovelace ", "ada lovelace", true},
		{idbridge.CaseIgnore, "Ada\u00a0Lovelace", "Ada Lovelace", true},
		{idbridge.CaseIgnore, "AdaLovelace", "Ada Lovelace", false},
		{idbridge.CaseIgnore, "e\u0301", "é", true}, // composed and not
		{idbridge.CaseIgnore, "É", "e\u0301", true},
		{idbridge.CaseIgnore, "ß", "ss", false}, // two people
		{idbridge.CaseIgnore, "İ", "i", false},
		{idbridge.CaseIgnore, "I\u0307", "İ", true},
		{idbridge.CaseIgnore, "ı", "i", false},
		{idbridge.CaseIgnore, "ẞ", "ß", true},
		{idbridge.Telephone, "+44\u201120", "+4420", true},
		{idbridge.CaseIgnore, "ς", "σ", true},
		{idbridge.CaseIgnore, "Ω", "ω", true}, // the ohm sign
		{idbridge.CaseIgnore, "\xff", "\xfe", false},
		{idbridge.CaseExact, "John", "john", false},
		{idbridge.CaseExact, " John  D", "John D", true},
		{idbridge.CaseExact, "e\u0301", "é", true},
		{idbridge.Telephone, "+44 20-7946 0018", "+442079460018", true},
		{idbridge.Telephone, "+44 20 7946 0018", "+44 20 7946 0019", false},
		{idbridge.Telephone, "\t12\u00a03 ", "123", true},
		{idbridge.Boolean, "TRUE", "yes", true},
		{idbridge.Boolean, "FALSE", "no", true},
		{idbridge.Boolean, "TRUE", "FALSE", false},
		{idbridge.Boolean, "", "FALSE", false}, // empty is not false
		{idbridge.Octets, "a ", "a", false},
	} {
		if got := c.rule.Normal(c.x) == c.rule.Normal(c.y); got != c.same {
			t.Errorf("%s: %q and %q: same %v, want %v (%q, %q)", c.rule, c.x, c.y, got, c.same, c.rule.Normal(c.x), c.rule.Normal(c.y))
		}
	}
}

func TestParseMatch(t *testing.T) {
	for _, m := range matches {
		if got, ok := idbridge.ParseMatch(m.String()); !ok || got != m {
			t.Errorf("%s comes back as %s, %v", m, got, ok)
		}
	}
	if _, ok := idbridge.ParseMatch("sounds like"); ok {
		t.Error("a rule that nobody made")
	}
	if m, ok := idbridge.ParseMatch(""); !ok || m != idbridge.CaseIgnore {
		t.Error("the rule of nearly all attributes needs no name")
	}
}

// FuzzMatchNormal: a normal form is its own, and blanks and case around a text do not count.
func FuzzMatchNormal(f *testing.F) {
	for _, s := range []string{
		"", " ", "Ada", "İ", "ß", "ẞ", "e\u0301", "\u0345", "Å", "\u212b", "ǅ", "Ω", "\xff\xfe", "a\u0300\u0345", "ﬁ", "- -", "\u1e9b\u0323",
		"ὈΔΥΣΣΕΎΣ", "\u0130\u0307", "a\u2028b", "\u0130", "Σ", "+44 (0) 20", "tRuE", "\u03f4", "\u1c80", "\u0390",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, m := range matches {
			n := m.Normal(s)
			if again := m.Normal(n); again != n {
				t.Errorf("%s: %q becomes %q and then %q", m, s, n, again)
			}
			if utf8.ValidString(s) && !utf8.ValidString(n) {
				t.Errorf("%s: text %q becomes octets %q", m, s, n)
			}
			if m == idbridge.Octets || !utf8.ValidString(s) {
				continue
			}
			if spaced := m.Normal("  " + s + "\t"); spaced != n {
				t.Errorf("%s: blanks around %q count: %q, %q", m, s, n, spaced)
			}
		}
		if strings.ContainsAny(norm.NFC.String(s), "İ") {
			return // Go lowers it to i, which is another letter
		}
		if lower := idbridge.CaseIgnore.Normal(strings.ToLower(s)); utf8.ValidString(s) && lower != idbridge.CaseIgnore.Normal(s) {
			t.Errorf("case of %q counts: %q, %q", s, idbridge.CaseIgnore.Normal(s), lower)
		}
	})
}

// TestSchemaNormal: sets have one normal form, whatever their order and repetition, and it is its own.
func TestSchemaNormal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema := idbridge.Schema{"a": {Match: rapid.SampledFrom(matches).Draw(t, "rule")}}
		v := idbridge.Values(rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"a", "A", " ", "true"})), 0, 6).Draw(t, "values"))
		before := slices.Clone(v)
		n := schema.Normal("a", v)
		if !slices.Equal(v, before) {
			t.Fatal("the argument was changed")
		}
		if again := schema.Normal("a", n); !slices.Equal(again, n) {
			t.Fatalf("%q becomes %q and then %q", v, n, again)
		}
		shuffled := rapid.Permutation(v).Draw(t, "order")
		if len(v) > 0 {
			shuffled = append(shuffled, v[0])
		}
		if !schema.Equal("a", v, shuffled) || !schema.Equal("a", n, v) {
			t.Fatalf("%q is not equal to %q", v, shuffled)
		}
		if slices.Contains(n, "") {
			t.Fatal("an empty value")
		}
	})
}

// TestMatchEveryRune: each letter, mark, blank and dash, alone and with accents, has a normal form that is its own.
func TestMatchEveryRune(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !unicode.In(r, unicode.Letter, unicode.Mark, unicode.Space, unicode.Dash) || unicode.In(r, unicode.Han, unicode.Hangul) {
			continue
		}
		for _, s := range []string{string(r), "a" + string(r), string(r) + "\u0301", string(r) + "\u0345"} {
			if n := idbridge.CaseIgnore.Normal(s); idbridge.CaseIgnore.Normal(n) != n {
				t.Fatalf("%q becomes %q and then %q", s, n, idbridge.CaseIgnore.Normal(n))
			}
			if n := idbridge.Telephone.Normal(s); idbridge.Telephone.Normal(n) != n {
				t.Fatalf("telephone: %q becomes %q and then %q", s, n, idbridge.Telephone.Normal(n))
			}
		}
	}
}
