package mapping_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
)

func schema() idbridge.Schema {
	s := idbridge.CoreSchema()
	s["phone"] = idbridge.Spec{Match: idbridge.Telephone}
	s["photo"] = idbridge.Spec{Match: idbridge.Octets}
	s["vip"] = idbridge.Spec{Match: idbridge.Boolean, Single: true}
	return s
}

func made(t testing.TB, fields ...mapping.Field) *mapping.Map {
	t.Helper()
	m, err := mapping.New(schema(), fields)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func usual(t testing.TB) *mapping.Map {
	t.Helper()
	return made(t, mapping.Field{Attribute: idbridge.UserName, From: "uid"}, mapping.Field{Attribute: idbridge.Email, From: "mail"},
		mapping.Field{Attribute: "photo", From: "jpegPhoto"}, mapping.Field{Attribute: idbridge.Active, From: "pwdAccountLockedTime", Form: mapping.Lock},
		mapping.Field{Attribute: "vip", From: "isVIP"}, mapping.Field{Attribute: idbridge.DisplayName, From: "UID"})
}

func TestProfile(t *testing.T) {
	m := usual(t)
	if diff := cmp.Diff([]string{"uid", "mail", "jpegPhoto", "pwdAccountLockedTime", "isVIP"}, m.Sources()); diff != "" {
		t.Fatal(diff)
	}
	p, err := m.Profile([]idbridge.Values{{"b", "A"}, nil, {"\xff\x00"}, {"000001010000Z"}, {"TRUE"}}, make([]string, 5))
	if err != nil {
		t.Fatal(err)
	}
	want := idbridge.Profile{
		idbridge.UserName: {"A"}, idbridge.Email: nil, "photo": {"\xff\x00"}, idbridge.Active: {"false"}, "vip": {"true"},
		idbridge.DisplayName: {"b", "A"},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, there := p[idbridge.Email]; !there {
		t.Error("a mapped attribute without values is not in the profile")
	}
	p, err = m.Profile([]idbridge.Values{{"a", "B"}, nil, nil, {"20260101000000Z"}, nil}, []string{"b", "", "", "", ""})
	if err != nil || p[idbridge.UserName].First() != "B" {
		t.Errorf("the value in the entry's name is not taken: %v, %v", p, err)
	}
	if !p.IsActive() {
		t.Error("a lock that passes by itself counts")
	}
}

func TestFaults(t *testing.T) {
	m := usual(t)
	for name, c := range map[string]struct {
		values idbridge.Values
		words  string
	}{
		"not UTF-8": {idbridge.Values{"ok", "caf\xe9"}, "mail (email) is not valid UTF-8"},
		"too long":  {idbridge.Values{strings.Repeat("x", 1<<20+1)}, "1048577 bytes"},
		"zero":      {idbridge.Values{"a\x00b"}, "zero byte"},
	} {
		_, err := m.Profile([]idbridge.Values{{"a"}, c.values, nil, nil, nil}, make([]string, 5))
		var f *mapping.Fault
		if !errors.As(err, &f) || f.Attribute != idbridge.Email || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "caf") {
			t.Errorf("%s: the value is in the error", name)
		}
	}
}

func TestBack(t *testing.T) {
	m := usual(t)
	for _, c := range []struct {
		a      idbridge.Attribute
		v      idbridge.Values
		source string
		want   idbridge.Values
	}{
		{idbridge.Email, idbridge.Values{"a@b", "c@d"}, "mail", idbridge.Values{"a@b", "c@d"}},
		{idbridge.Email, nil, "mail", nil},
		{"vip", idbridge.Values{"yes"}, "isVIP", idbridge.Values{"TRUE"}},
		{"vip", nil, "isVIP", nil},
		{idbridge.Active, idbridge.Values{"false"}, "pwdAccountLockedTime", idbridge.Values{"000001010000Z"}},
		{idbridge.Active, idbridge.Values{"true"}, "pwdAccountLockedTime", nil},
	} {
		source, v, ok := m.Back(c.a, c.v)
		if !ok || source != c.source || !cmp.Equal(v, c.want) {
			t.Errorf("%s %q: %s %q %t", c.a, c.v, source, v, ok)
		}
	}
	if _, _, ok := m.Back("shoe", nil); ok {
		t.Error("what is not mapped goes back")
	}
}

func TestNewFindsAllFaults(t *testing.T) {
	_, err := mapping.New(schema(), []mapping.Field{
		{Attribute: "shoe", From: "x"}, {Attribute: idbridge.Email, From: "a b"}, {Attribute: idbridge.Email, From: "mail"},
		{Attribute: "vip", From: "x", Form: "odd"}, {Attribute: "photo", From: "p", Form: mapping.Lock}, {Attribute: "phone", From: ""},
	})
	if err == nil {
		t.Fatal("no fault")
	}
	for _, w := range []string{"map shoe: no such attribute", `"a b" cannot be`, "mapped twice", `no such form as "odd"`, "needs a boolean", `"" cannot be`} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in %v", w, err)
		}
	}
}

// FuzzProfile holds purity: the same values give the same profile in whatever order they come, nothing handed in is
// changed, text that comes out is text, and what goes back is equal under the attribute's rule.
func FuzzProfile(f *testing.F) {
	f.Add("a", "b", "a", "TRUE")
	f.Add("caf\xe9", "x\x00", "", "000001010000Z")
	f.Add("İ", "i\u0307", "İ", "")
	f.Fuzz(func(t *testing.T, x, y, named, flag string) {
		m, s := usual(t), schema()
		row := func(a, b string) []idbridge.Values {
			return []idbridge.Values{{a, b}, {a, b}, {a, b}, {flag}, {flag}}
		}
		names := []string{named, "", "", "", ""}
		in, kept := row(x, y), row(x, y)
		p, err := m.Profile(in, names)
		q, err2 := m.Profile(row(y, x), names)
		if !reflect.DeepEqual(in, kept) {
			t.Fatal("what was handed in is changed")
		}
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v, and in another order %v", err, err2)
		}
		if err != nil {
			return
		}
		for a, v := range p {
			if !s.Equal(a, v, q[a]) {
				t.Fatalf("%s: %q, and in another order %q", a, v, q[a])
			}
			if s[a].Match != idbridge.Octets && !utf8.ValidString(strings.Join(v, "")) {
				t.Fatalf("%s: %q is no text", a, v)
			}
			if s[a].Single && len(v) > 1 {
				t.Fatalf("%s: %q", a, v)
			}
			if _, back, ok := m.Back(a, v); !ok || a != idbridge.Active && !s.Equal(a, back, v) {
				t.Fatalf("%s: %q goes back as %q", a, v, back)
			}
		}
	})
}
