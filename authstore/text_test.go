package authstore

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/idbridge/idbridge"
)

// anyProfile draws profiles with values of any octets.
func anyProfile() *rapid.Generator[idbridge.Profile] {
	value := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z@.,:\[\]{}"\\ ]{0,6}`),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 5), func(b []byte) string { return string(b) }))
	return rapid.Custom(func(t *rapid.T) idbridge.Profile {
		p := idbridge.Profile{}
		for range rapid.IntRange(0, 4).Draw(t, "attributes") {
			p[idbridge.Attribute(rapid.StringMatching(`[a-zA-Z"\\-]{1,5}`).Draw(t, "attribute"))] = rapid.SliceOfN(value, 0, 3).Draw(t, "values")
		}
		return p
	})
}

func TestProfileText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyProfile().Draw(t, "profile")
		text := profileText(p)
		if !utf8.ValidString(text) {
			t.Fatalf("%q is not UTF-8", text)
		}
		back, err := parseProfile(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var plain idbridge.Profile
		if err := json.Unmarshal([]byte(text), &plain); err != nil {
			t.Fatalf("%s is not JSON: %v", text, err)
		}
		for name, got := range map[string]idbridge.Profile{"own": back, "encoding/json": plain} {
			if len(got) != len(p) {
				t.Fatalf("%s: %v became %v", name, p, got)
			}
			for a, v := range p {
				if diff := cmp.Diff([]string(v), []string(got[a]), cmp.Transformer("nil", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
					t.Fatalf("%s, %s: %s", name, a, diff)
				}
				if _, ok := got[a]; !ok {
					t.Fatalf("%s: %s is absent, not empty", name, a)
				}
			}
		}
		if again := profileText(back); again != text {
			t.Fatalf("%s was written again as %s", text, again)
		}
	})
}

// TestParseProfileOfOthers reads JSON that somebody else wrote: spaces, escapes, broken texts.
func TestParseProfileOfOthers(t *testing.T) {
	for text, want := range map[string]idbridge.Profile{
		`{}`:                                 {},
		`{ "a" : [ "b" , "c" ] }`:            {"a": {"b", "c"}},
		`{"a":["\u00e9\n"],"b":[]}`:          {"a": {"é\n"}, "b": {}},
		`{"a":[{"base64":"/w=="}]}`:          {"a": {"\xff"}},
		`{"a":["b"` + ",\n" + `"c"]}`:        {"a": {"b", "c"}},
		`{"a":[""],"b":["]"],"c":["}","{"]}`: {"a": {""}, "b": {"]"}, "c": {"}", "{"}},
	} {
		got, err := parseProfile(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
	for _, text := range []string{``, `{`, `{"a"`, `{"a":`, `{"a":[`, `{"a":["b`, `{"a":["b"`, `{"a":["b"]`, `{"a":["b"],`, `{"a":"b"}`, `[]`, `{"a":["b"]}x`, `{"a":["b""c"]}`, `{"a":["b",]}`, `{"a":[}`} {
		if p, err := parseProfile(text); err == nil {
			t.Errorf("%s was read as %v", text, p)
		}
	}
}

func TestPack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
			rapid.Map(rapid.String(), func(s string) string { return packMark + s })).Draw(t, "s")
		p := pack(s)
		if unpack(p) != s {
			t.Fatalf("%q became %q", s, unpack(p))
		}
		if !utf8.ValidString(p) {
			t.Fatalf("%q is not a text", p)
		}
		for i := range len(p) {
			if p[i] == 0 {
				t.Fatalf("%q has a zero byte", p)
			}
		}
	})
}
