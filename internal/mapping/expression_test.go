package mapping_test

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
)

// entry is what a test's directory shows of one person.
type entry map[string]idbridge.Values

// computed maps x by an expression, and returns what comes of an entry.
func computed(t testing.TB, x idbridge.Attribute, text string, e entry) (idbridge.Values, error) {
	t.Helper()
	m := made(t, mapping.Field{Attribute: idbridge.UserName, From: "uid"}, mapping.Field{Attribute: x, Expr: text})
	return shown(m, x, e)
}

func shown(m *mapping.Map, x idbridge.Attribute, e entry) (idbridge.Values, error) {
	values := make([]idbridge.Values, len(m.Sources()))
	for i, name := range m.Sources() {
		for n, v := range e {
			if strings.EqualFold(n, name) {
				values[i] = v
			}
		}
	}
	p, err := m.Profile(values, make([]string, len(values)))
	return p[x], err
}

func ada() entry {
	return entry{
		"uid": {"ada"}, "givenName": {"Ada"}, "sn": {"Lovelace"}, "mail": {"b@example.org", "A@example.org", "c@other.org"}, "employeeType": {"staff"},
		"employee-type": {" x "}, "blank": {" "},
	}
}

func TestExpressions(t *testing.T) {
	for text, want := range map[string]idbridge.Values{
		`givenName + " " + sn`:      {"Ada Lovelace"},
		`givenName + " " + nothing`: {"Ada"},
		`nothing`:                   nil,
		`nil`:                       nil,
		`""`:                        nil,
		`blank`:                     nil,
		`mail`:                      {"A@example.org"}, // the smallest, in whatever order they come
		`MAIL`:                      {"A@example.org"},
		`all("mail")`:               {"A@example.org", "b@example.org", "c@other.org"},
		`filter(all("mail"), # endsWith "@example.org")`:                                  {"A@example.org", "b@example.org"},
		`map(all("mail"), split(#, "@")[0])`:                                              {"A", "b", "c"},
		`map(all("mail"), upper(split(#, "@")[-1]))`:                                      {"EXAMPLE.ORG", "OTHER.ORG"}, // each once
		`first("employee-type")`:                                                          {"x"},
		`employeeType == "staff" ? nil : "guest"`:                                         nil,
		`employeeType != "staff" ? nil : "yes"`:                                           {"yes"},
		`let n = lower(sn); n + "." + lower(givenName)`:                                   {"lovelace.ada"},
		`join(["a", nothing, sn], "-")`:                                                   {"a--Lovelace"},
		`join(all("mail"), " ")`:                                                          {"A@example.org b@example.org c@other.org"},
		`[givenName, "", sn]`:                                                             {"Ada", "Lovelace"},
		`replace(sn, "Love", "Hate")`:                                                     {"Hatelace"},
		`find(all("mail"), # contains "other")`:                                           {"c@other.org"},
		`find(all("mail"), # contains "nobody")`:                                          nil,
		`mail matches "^[a-zA-Z]+@example" ? "ours" : nil`:                                {"ours"},
		`any(all("mail"), # == "c@other.org") && none(all("mail"), # == "x") ? "y" : "n"`: {"y"},
		`count(all("mail"), # contains "example") > 1 ? "many" : "few"`:                   {"many"},
		`len(all("mail")) == 3 ? "three" : "?"`:                                           {"three"},
		`sn | lower() | trim()`:                                                           {"lovelace"},
		`"staff" in [employeeType] ? "in" : "out"`:                                        {"in"},
		`(nothing == "" ? nil : nothing) ?? sn`:                                           {"Lovelace"},
	} {
		got, err := computed(t, "phone", text, ada())
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", text, diff)
		}
	}
	if got, err := computed(t, "vip", `employeeType == "staff"`, ada()); err != nil || got.First() != "true" {
		t.Errorf("a boolean attribute: %v, %v", got, err)
	}
	if got, err := computed(t, "vip", `["TRUE", "false"]`, ada()); err != nil || len(got) != 1 {
		t.Errorf("an attribute of one value: %v, %v", got, err)
	}
}

// TestElse: the expression counts only where the entry shows nothing else.
func TestElse(t *testing.T) {
	m := made(t, mapping.Field{Attribute: idbridge.UserName, From: "uid"},
		mapping.Field{Attribute: idbridge.DisplayName, From: "displayName", Else: `givenName + " " + sn`})
	if diff := cmp.Diff([]string{"uid", "displayName", "givenName", "sn"}, m.Sources()); diff != "" {
		t.Fatal(diff)
	}
	e := ada()
	for _, row := range []struct{ shows, want idbridge.Values }{
		{nil, idbridge.Values{"Ada Lovelace"}}, {idbridge.Values{" "}, idbridge.Values{"Ada Lovelace"}}, {idbridge.Values{"A. L."}, idbridge.Values{"A. L."}},
	} {
		e["displayName"] = row.shows
		if got, err := shown(m, idbridge.DisplayName, e); err != nil || !cmp.Equal(got, row.want) {
			t.Errorf("%q: %q, %v", row.shows, got, err)
		}
	}
	if from, ok := m.From(idbridge.DisplayName); !ok || from != "displayName" {
		t.Errorf("from %q %v", from, ok)
	}
}

// TestComputedIsNotMappedBack: what is computed has no source, so nothing of it is ever written.
func TestComputedIsNotMappedBack(t *testing.T) {
	m := made(t, mapping.Field{Attribute: idbridge.UserName, From: "uid"}, mapping.Field{Attribute: idbridge.DisplayName, Expr: "sn"})
	_, from := m.From(idbridge.DisplayName)
	_, _, back := m.Back(idbridge.DisplayName, idbridge.Values{"x"})
	if from || back || len(m.Attributes()) != 2 {
		t.Errorf("from %v, back %v, %v", from, back, m.Attributes())
	}
	if !m.Single(1) {
		t.Error("nobody asks for the value in the entry's name")
	}
	if err := m.Takes("sn", idbridge.Values{"\xff"}); err != nil {
		t.Errorf("sn is not mapped as it stands: %v", err)
	}
	if err := m.Takes("UID", idbridge.Values{"\xff"}); err == nil {
		t.Error("uid takes what is no text")
	}
}

// TestExpressionFaults: what cannot be used is found when the config is read, with its place.
func TestExpressionFaults(t *testing.T) {
	for text, want := range map[string]string{
		`givenName +`:                         "ends too early",
		`givenName + + sn`:                    "",
		`sn.foo`:                              "4: is not used here",
		`sn[0]`:                               "",
		`1 + 2`:                               "+ joins texts",
		`1`:                                   "1: gives a number, not a text",
		`sn == "x"`:                           "gives true or false",
		`len(sn)`:                             "gives a number",
		`["a", 1]`:                            "7: a list may hold texts only, not a number",
		`sn == "" ? 1 : sn`:                   "gives a number",
		`{"a": sn}`:                           "is not used here",
		`1..1000000000`:                       "ranges are not used here",
		`map(1..1000000000, "x")`:             "ranges are not used here",
		`reduce(all("mail"), #acc + #, "")`:   `called "reduce"`,
		`reduce(all("mail"), #)`:              `no function is called`,
		`sort(all("mail"))`:                   `no function is called "sort"`,
		`sn * 2`:                              `"*" is not used here`,
		`repeat("x", 1000000000)`:             `no function is called "repeat"`,
		`lowr(sn)`:                            `no function is called "lowr"`,
		`now()`:                               `no function is called "now"`,
		`fromJSON(sn)`:                        `no function is called "fromJSON"`,
		`turn(3)`:                             `no function is called "turn"`,
		`$env`:                                "cannot be the name",
		`$env.values`:                         "",
		`first(sn)`:                           "takes a name in quotes",
		`first("a b")`:                        "cannot be the name",
		`all("mail", "sn")`:                   "takes the name of one attribute",
		`lower(sn, sn)`:                       "too many arguments",
		`lower(all("mail"))`:                  "cannot use",
		`sn matches givenName`:                "must be a text",
		`sn matches "("`:                      "no regular expression",
		`sn matches "(a{1000}){1000}"`:        "no regular expression",
		`map(all("mail"), #index)`:            "#index is not used here",
		`#`:                                   "",
		`phone`:                               "phone is an attribute of the user",
		`shoe`:                                "shoe is an attribute of the user",
		`"` + strings.Repeat("x", 3000) + `"`: "2000 are allowed",
		strings.Repeat("(", 1900):             "",
		strings.Repeat("-", 1900) + "1":       "",
		strings.Repeat("sn+", 400) + "sn":     "more than 300 parts",
		"sn\x00":                              "must be text on one line",
		"sn\nsn":                              "must be text on one line",
		`let sn = 1; sn`:                      "gives a number",
		`sn; sn`:                              "is not used here",
		`all("mail")[givenName]`:              "is not used here",
		`"x" in sn`:                           "",
	} {
		_, err := mapping.New(withShoe(), []mapping.Field{
			{Attribute: idbridge.UserName, From: "uid"}, {Attribute: "phone", From: "telephoneNumber"},
			{Attribute: "shoe", Expr: `"x"`}, {Attribute: idbridge.DisplayName, Expr: text},
		})
		var f *mapping.ExpressionFault
		if !errors.As(err, &f) {
			t.Errorf("%.60s: %v", text, err)
			continue
		}
		if said := fmt.Sprintf("%d: %s", f.Column, f.Why); !strings.Contains(said, want) || f.Column < 1 || f.Column > len(text)+1 || f.Attribute != idbridge.DisplayName {
			t.Errorf("%.60s: %s, want %q", text, said, want)
		}
		if len(err.Error()) > 400 {
			t.Errorf("%.60s: an error of %d bytes", text, len(err.Error()))
		}
	}
}

func withShoe() idbridge.Schema {
	s := schema()
	s["shoe"] = idbridge.Spec{}
	return s
}

func TestFieldsWithExpressions(t *testing.T) {
	for want, f := range map[string]mapping.Field{
		"stands alone":                {Attribute: idbridge.DisplayName, From: "cn", Expr: "sn"},
		"exclude each other":          {Attribute: idbridge.Active, From: "cn", Form: mapping.Lock, Else: "sn"},
		"the login must be":           {Attribute: idbridge.UserName, Expr: "sn"},
		"the login must be an attrib": {Attribute: idbridge.UserName, From: "uid", Else: "sn"},
		`"" cannot be the name`:       {Attribute: idbridge.DisplayName, Else: "sn"},
	} {
		if _, err := mapping.New(schema(), []mapping.Field{f}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestF24Expression: an expression that fails, loops or makes too much is that entry's trouble alone, within bounds, and
// no value of the entry is in what is said.
func TestF24Expression(t *testing.T) {
	many, long := make(idbridge.Values, 5000), strings.Repeat("secret", 5000)
	for i := range many {
		many[i] = fmt.Sprintf("secret-%d", i)
	}
	huge := idbridge.Values{strings.Repeat("secret", 1<<18)}
	doubled := "let a = x + x; "
	for c := 'b'; c <= 'z'; c++ {
		doubled += fmt.Sprintf("let %c = %c + %c; ", c, c-1, c-1)
	}
	for text, want := range map[string]string{
		`split(x, "@")[7]`:                                         "index out of range",
		`split(x, "@")[-7]`:                                        "index out of range",
		`find(all("x"), # == "nobody") + "!"`:                      "what is no text",
		`lower(find(all("x"), # == ""))`:                           "what is no text",
		`map(all("x"), map(all("x"), #))`:                          "a list that holds a list",
		doubled + "z":                                              "makes too much text",
		`replace(x, "s", x)`:                                       "makes too much text",
		`map(all("many"), # + x)`:                                  "makes too much text",
		`map(all("many"), map(all("many"), #)[0])`:                 "makes lists that are too long",
		`let l = all("many"); any(l, any(l, # == "")) ? "a" : "b"`: "takes too much work",
		`first("wide") + first("others")`:                          "reads too much text",
		`huge`:                                                     "2^20 bytes",
		`bad`:                                                      "is not valid UTF-8",
		`zero`:                                                     "zero byte",
		`join([x, 1], "")`:                                         "joins what is no list of texts",
	} {
		want = strings.ReplaceAll(want, "2^20 bytes", "bytes")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := computed(t, "phone", text, entry{"uid": {"a"}, "x": {long[:3000]}, "many": many, "others": many, "wide": {strings.Repeat("secret", 40_000)}, "huge": huge, "bad": {"\xff"}, "zero": {"\x00"}})
		runtime.ReadMemStats(&after)
		var f *mapping.Fault
		if !errors.As(err, &f) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
		if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 32 {
			t.Errorf("%.80s: %d MiB allocated", text, mib)
		}
	}
}

// TestManyGroups: a person in two thousand groups is no trouble.
func TestManyGroups(t *testing.T) {
	groups := make(idbridge.Values, 2000)
	for i := range groups {
		groups[i] = fmt.Sprintf("cn=group-%04d,ou=departments,ou=groups,dc=example,dc=org", i)
	}
	got, err := computed(t, "phone", `any(all("memberOf"), # startsWith "cn=group-1999,") ? "yes" : "no"`, entry{"memberOf": groups})
	if err != nil || got.First() != "yes" {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzExpression holds that no text makes the compiler panic, and that what compiles is pure: the same entry gives the
// same value in whatever order its values come, what was handed in is not changed, and what comes out is text.
func FuzzExpression(f *testing.F) {
	for _, text := range []string{
		`givenName + " " + sn`, `filter(all("mail"), # endsWith "x")`, `map(all("mail"), split(#, "@")[0])`, `1..1e9`, `sn ?? nil`,
		`let a = sn; a + a`, `any(all("mail"), any(all("sn"), # == ""))`, `join(["a"], sn)`, `mail matches "a+"`, `replace(mail, "", sn)`,
	} {
		f.Add(text, "a@b", "c")
	}
	f.Fuzz(func(t *testing.T, text, x, y string) {
		m, err := mapping.New(schema(), []mapping.Field{{Attribute: idbridge.UserName, From: "uid"}, {Attribute: "phone", Expr: text}})
		if err != nil {
			return
		}
		row := func(a, b string) []idbridge.Values {
			out := make([]idbridge.Values, len(m.Sources()))
			for i := range out {
				out[i] = idbridge.Values{a, b}
			}
			return out
		}
		in, kept, names := row(x, y), row(x, y), make([]string, len(m.Sources()))
		p, err := m.Profile(in, names)
		q, again := m.Profile(row(y, x), names)
		if !reflect.DeepEqual(in, kept) {
			t.Fatal("what was handed in is changed")
		}
		if (err == nil) != (again == nil) || err == nil && !cmp.Equal(p["phone"], q["phone"]) {
			t.Fatalf("%q %v, and in another order %q %v", p["phone"], err, q["phone"], again)
		}
		for _, v := range p["phone"] {
			if strings.TrimSpace(v) == "" || len(v) > 1<<18 {
				t.Fatalf("%q", v)
			}
		}
	})
}

// BenchmarkProfile compares a mapping by plain names with one that computes a name of ten attributes.
func BenchmarkProfile(b *testing.B) {
	fields := []mapping.Field{
		{Attribute: idbridge.UserName, From: "uid"}, {Attribute: idbridge.GivenName, From: "givenName"}, {Attribute: idbridge.FamilyName, From: "sn"},
		{Attribute: idbridge.Email, From: "mail"}, {Attribute: "phone", From: "telephoneNumber"}, {Attribute: idbridge.DisplayName, From: "cn"},
	}
	for name, last := range map[string]mapping.Field{
		"plain": fields[5], "else": {Attribute: idbridge.DisplayName, From: "cn", Else: `givenName + " " + sn`},
		"expression": {Attribute: idbridge.DisplayName, Expr: `givenName + " " + sn`},
	} {
		b.Run(name, func(b *testing.B) {
			m := made(b, append(fields[:5:5], last)...)
			values := make([]idbridge.Values, len(m.Sources()))
			for i, s := range m.Sources() {
				values[i] = idbridge.Values{s}
			}
			names := make([]string, len(values))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Profile(values, names); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
