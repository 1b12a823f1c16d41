package assets

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzFmt holds that a query is either refused or understood as its text says, and that only four words are formats.
func FuzzFmt(f *testing.F) {
	for _, s := range []string{
		"fmt=json", "fmt=xml;pretty", "fmt=json%3Bpretty", "fmt=JSON", "fmt=yaml", "fmt=json|xml", "fmt=../", "fmt", "fmt=", "fmt=xml&fmt=json", "create=true&fmt=xml", "%66mt=xml", "fmt=%zz",
		"fmt=x+ml", "&&&", "fmt=json;pretty&enable=true", "a;b=c&fmt=xml",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw)
		if err != nil {
			return
		}
		if len(q) > maxPairs {
			t.Fatalf("%q gives %d variables", raw, len(q))
		}
		if !strings.Contains(raw, ";") { // where net/url reads it, it reads the same
			want, err := url.ParseQuery(raw)
			if err != nil {
				t.Fatalf("%q passed: %v", raw, err)
			}
			n := 0
			for key, values := range want {
				n += len(values)
				if got, there, err := q.one(key); !there || err == nil && got != values[0] || (err != nil) != (len(values) > 1) {
					t.Fatalf("%q: %s is %q, %v, want %q", raw, key, got, err, values)
				}
			}
			if n != len(q) {
				t.Fatalf("%q: %d variables, want %d", raw, len(q), n)
			}
		}
		form, err := formatOf(q, http.Header{})
		value, there, twice := q.one("fmt")
		known := value == "json" || value == "xml" || value == "json;pretty" || value == "xml;pretty"
		if (err == nil) != (twice == nil && (!there || known)) {
			t.Fatalf("%q: %v", raw, err)
		}
		if err == nil && there && (form.xml != strings.HasPrefix(value, "xml") || form.pretty != strings.HasSuffix(value, ";pretty")) || err == nil && !there && form != (format{}) {
			t.Fatalf("%q: %+v", raw, form)
		}
	})
}
