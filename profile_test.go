package idbridge_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/idbridge/idbridge"
)

// TestProfileJSON: octets survive, text or not, and empty stays another thing than absent.
func TestProfileJSON(t *testing.T) {
	octets := rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })
	rapid.Check(t, func(t *rapid.T) {
		p := idbridge.Profile{}
		for a, v := range rapid.MapOf(rapid.StringMatching(`[a-z]{1,5}`), rapid.SliceOfN(rapid.OneOf(octets, rapid.String()), 0, 3)).Draw(t, "profile") {
			p[idbridge.Attribute(a)] = append(idbridge.Values{}, v...)
		}
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var got idbridge.Profile
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if diff := cmp.Diff(p, got); diff != "" {
			t.Fatalf("%s:\n%s", b, diff)
		}
	})
}

func TestValuesJSON(t *testing.T) {
	b, err := json.Marshal(idbridge.Profile{"email": {"a<b>@x", "é"}, "photo": {"\xff\xd8"}, "phone": {}, "title": nil})
	want := `{"email":["a\u003cb\u003e@x","é"],"phone":[],"photo":[{"base64":"/9g="}],"title":[]}`
	if err != nil || string(b) != want {
		t.Errorf("%s, %v\nwant %s", b, err, want)
	}
	for _, bad := range []string{`"a"`, `[1]`, `[{"base64":"?"}]`, `[null,[]]`, `{`} {
		var v idbridge.Values
		if err := json.Unmarshal([]byte(bad), &v); err == nil {
			t.Errorf("%s is read as %q", bad, v)
		}
	}
	if got := (idbridge.Values{"a", "\xff\xfe"}).String(); got != "a, (2 octets)" {
		t.Errorf("shown as %q", got)
	}
}

func TestProfileClone(t *testing.T) {
	p := idbridge.Profile{"email": {"a"}, "phone": {}}
	c := p.Clone()
	c["email"][0] = "b"
	c["title"] = idbridge.Values{"x"}
	if p["email"][0] != "a" || len(p) != 2 {
		t.Error("the copy shares with the original")
	}
	if v, ok := c["phone"]; !ok || v == nil || len(v) != 0 {
		t.Errorf("empty became %v, %v", v, ok)
	}
	if idbridge.Profile(nil).Clone() != nil {
		t.Error("nothing became something")
	}
}

func TestIsActive(t *testing.T) {
	for _, c := range []struct {
		p    idbridge.Profile
		want bool
	}{
		{nil, true},
		{idbridge.Profile{"active": {}}, true},
		{idbridge.Profile{"active": {"TRUE"}}, true},
		{idbridge.Profile{"active": {"FALSE"}}, false},
		{idbridge.Profile{"active": {"nonsense"}}, false}, // what is not understood lets nobody in
	} {
		if got := c.p.IsActive(); got != c.want {
			t.Errorf("%v: %v", c.p, got)
		}
	}
}

// TestDigestRecord: order and repetition of nothing counts but what is shown; everything shown counts.
func TestDigestRecord(t *testing.T) {
	r := func() *idbridge.Record {
		return &idbridge.Record{
			ID: idbridge.ExternalID{Directory: "corp", ID: "1"}, Locator: "uid=a", Version: "7", Order: 3,
			Profile: idbridge.Profile{"email": {"a", "b"}, "phone": {}}, Unknown: []idbridge.Attribute{"x", "y"},
		}
	}
	d := idbridge.NewDigester("scope")
	base := d.Record(r())
	for name, c := range map[string]struct {
		change func(*idbridge.Record)
		same   bool
	}{
		"order of values":     {func(r *idbridge.Record) { r.Profile["email"] = idbridge.Values{"b", "a"} }, true},
		"version":             {func(r *idbridge.Record) { r.Version, r.Order = "8", 4 }, true},
		"order of unknown":    {func(r *idbridge.Record) { r.Unknown = []idbridge.Attribute{"y", "x"} }, true},
		"value":               {func(r *idbridge.Record) { r.Profile["email"] = idbridge.Values{"a", "c"} }, false},
		"fewer values":        {func(r *idbridge.Record) { r.Profile["email"] = idbridge.Values{"a"} }, false},
		"values run together": {func(r *idbridge.Record) { r.Profile["email"] = idbridge.Values{"ab"} }, false},
		"case":                {func(r *idbridge.Record) { r.Profile["email"] = idbridge.Values{"A", "b"} }, false},
		"empty, not absent":   {func(r *idbridge.Record) { delete(r.Profile, "phone") }, false},
		"locator":             {func(r *idbridge.Record) { r.Locator = "uid=b" }, false},
		"id":                  {func(r *idbridge.Record) { r.ID.ID = "2" }, false},
		"known now":           {func(r *idbridge.Record) { r.Unknown = r.Unknown[:1] }, false},
	} {
		other := r()
		c.change(other)
		if got := d.Record(other) == base; got != c.same {
			t.Errorf("%s: same %v", name, got)
		}
	}
	if d.Record(r()) != base || base.IsZero() {
		t.Error("the same record, another digest")
	}
	if idbridge.NewDigester("other").Record(r()) == base {
		t.Error("another mapping, the same digest")
	}
	if len(base.String()) != 32 || strings.Trim(base.String(), "0123456789abcdef") != "" {
		t.Errorf("printed as %s", base)
	}
}

func TestDigestMembers(t *testing.T) {
	m := func(ids ...string) *idbridge.Members {
		out := &idbridge.Members{Group: idbridge.ExternalID{Directory: "corp", ID: "g"}, Name: "cn=g"}
		for _, id := range ids {
			out.Members = append(out.Members, idbridge.ExternalID{Directory: "corp", ID: id})
		}
		return out
	}
	d := idbridge.NewDigester("scope")
	base := d.Members(m("1", "2"), "ADMIN")
	renamed := m("1", "2")
	renamed.Name = "cn=h"
	for name, c := range map[string]struct {
		got  idbridge.Digest
		same bool
	}{
		"order":      {d.Members(m("2", "1"), "ADMIN"), true},
		"repetition": {d.Members(m("2", "1", "2"), "ADMIN"), true},
		"member":     {d.Members(m("1", "3"), "ADMIN"), false},
		"nobody":     {d.Members(m(), "ADMIN"), false},
		"rules":      {d.Members(m("1", "2"), "OTHER"), false},
		"name":       {d.Members(renamed, "ADMIN"), false},
	} {
		if (c.got == base) != c.same {
			t.Errorf("%s: same %v", name, c.got == base)
		}
	}
}

// TestDigestOrder: the digest of a record does not depend on the order in which its values come.
func TestDigestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.String(), 0, 6).Draw(t, "values")
		w := rapid.Permutation(v).Draw(t, "order")
		d := idbridge.NewDigester("s")
		one := d.Record(&idbridge.Record{Profile: idbridge.Profile{"a": v, "b": {"1"}}})
		two := d.Record(&idbridge.Record{Profile: idbridge.Profile{"b": {"1"}, "a": w}})
		if one != two {
			t.Fatalf("%q and %q differ", v, w)
		}
	})
}
