package strict_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/idbridge/idbridge/httpapi/strict"
)

func TestCheck(t *testing.T) {
	good := []string{
		`{}`, `[]`, `null`, `true`, `false`, `0`, `-0.5e+10`, `""`, ` { "a" : [ 1 , 2 ] , "b" : { "a" : null } } `, `"\u00e9\ud83d\ude00\n\\\""`, `"é😀"`,
		strings.Repeat("[", 32) + strings.Repeat("]", 32), `{"a":{"A":1},"b":{"a":2}}`,
	}
	for _, s := range good {
		if err := strict.Check([]byte(s)); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	bad := map[string]string{
		``: "ends too early", ` `: "ends too early", `{`: "name was expected", `{"a"`: "colon", `{"a":`: "ends too early", `{"a":1`: "comma or the end",
		`{"a":1,}`: "name was expected", `[1,]`: "no JSON value", `{a:1}`: "name was expected", `{'a':1}`: "name was expected", `{"a":1}x`: "data after", `{} {}`: "data after",
		`1 2`: "data after", `01`: "data after", `+1`: "no JSON value", `.5`: "no JSON value", `1.`: "digit", `1e`: "digit", `-`: "digit", `NaN`: "no JSON value", `tru`: "no JSON value",
		`{"a":1,"a":2}`: "twice", `{"a":1,"A":2}`: "twice", `{"key":1,"\u212aey":2}`: "twice", `{"a":1,"\u0061":2}`: "twice", `{"\u0041":1,"a":2}`: "twice",
		`{"s":1,"ſ":2}`: "twice", `{"x":{"a":1,"a":1}}`: "twice", `[{"a":1,"a":1}]`: "twice",
		"\"\xff\"": "UTF-8", "{\"\xc3\":1}": "UTF-8", `"\ud800"`: "surrogate", `"\ude00"`: "surrogate", `"\ud83dx"`: "surrogate", `"\ud83d\u0041"`: "surrogate",
		`"\x"`: "escape", `"\u12g4"`: "escape", `"\u12`: "escape", `"\`: "ends too early", "\"\x01\"": "control", "\"a\nb\"": "control", `"abc`: "ends too early",
		strings.Repeat("[", 33) + strings.Repeat("]", 33): "too deep", strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33): "too deep",
		strings.Repeat("[", 100000): "too deep", "\ufeff{}": "no JSON value", "{}\x00": "data after", "// x\n{}": "no JSON value",
		`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"C":0}`: "twice",
	}
	for s, why := range bad {
		err := strict.Check([]byte(s))
		var f *strict.Fault
		if !errors.As(err, &f) || !strings.Contains(f.Why, why) {
			t.Errorf("%.60q: %v, want %s", s, err, why)
		}
	}
}

func TestUnmarshalHidesTheInput(t *testing.T) {
	var v struct{ A int }
	err := strict.Unmarshal([]byte(`{"A":"hunter2"}`), &v)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	err = strict.Unmarshal([]byte(`{"A":99999999999999999999}`), &v)
	if err == nil || strings.Contains(err.Error(), "9999") {
		t.Errorf("%v", err)
	}
}

func TestMembers(t *testing.T) {
	got := map[string]string{}
	err := strict.Members([]byte(` {"a":1, "\u0062" : "x\n" , "c":[1,{"a":2}],"d":null}`), func(name string, value []byte) error {
		got[name] = string(value)
		return nil
	})
	if err != nil || len(got) != 4 || got["a"] != "1" || got["b"] != `"x\n"` || got["c"] != `[1,{"a":2}]` || got["d"] != "null" {
		t.Errorf("%v %q", err, got)
	}
	if s, ok := strict.Text([]byte(got["b"])); !ok || s != "x\n" {
		t.Errorf("%q", s)
	}
	if _, ok := strict.Text([]byte("1")); ok {
		t.Error("1 is no text")
	}
	stop := errors.New("stop")
	if err := strict.Members([]byte(`{"a":1}`), func(string, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
	for _, s := range []string{`[]`, `1`, ``, `{"a":1}}`, `null`} {
		if err := strict.Members([]byte(s), func(string, []byte) error { return nil }); err == nil {
			t.Errorf("%q passed", s)
		}
	}
}

// FuzzCheck holds that whatever Check accepts, encoding/json accepts and understands in the same way.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u00e9\ud83d\ude00",null,true]}`, `{"a":1,"A":2}`, `"\ud800"`, `[[[]]]`, "\"\xff\"", `{"ſ":1,"S":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := strict.Check(b); err != nil {
			return
		}
		if !json.Valid(b) {
			t.Fatalf("%q passed and is no JSON", b)
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			if !strings.Contains(err.Error(), "cannot unmarshal number") { // 1e999 is JSON and no float64
				t.Fatalf("%q: %v", b, err)
			}
			return
		}
		seen := 0
		if err := strict.Members(b, func(string, []byte) error { seen++; return nil }); err == nil {
			if m, ok := v.(map[string]any); !ok || len(m) != seen {
				t.Fatalf("%q: %d members seen, %v", b, seen, v)
			}
		}
	})
}
