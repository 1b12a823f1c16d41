package strict_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/idbridge/idbridge/httpapi/strict"
)

func TestXML(t *testing.T) {
	const deep = 15
	good := map[string]strict.Element{
		`<r/>`:       {Name: "r"},
		"<r> </r>\n": {Name: "r", Text: " "},
		`<?xml version="1.0" encoding="utf-8"?><!-- x --><r><a>1</a> <!-- y --> <a>&lt;&#233;</a></r>`: {
			Name: "r", Children: []strict.Element{{Name: "a", Text: "1"}, {Name: "a", Text: "<é"}},
		},
		"\ufeff<?xml version='1.0'?>\n<r><a x='1'><![CDATA[<b>]]></a></r>": {Name: "r", Children: []strict.Element{{Name: "a", Text: "<b>"}}},
		"<r><a><!-- only a comment --></a></r>":                            {Name: "r", Children: []strict.Element{{Name: "a"}}},
	}
	for s, want := range good {
		got, err := strict.XML([]byte(s), "r")
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
	}
	if _, err := strict.XML([]byte("<r>"+strings.Repeat("<a>", deep)+strings.Repeat("</a>", deep)+"</r>"), "r"); err != nil {
		t.Errorf("16 deep: %v", err)
	}
	bad := map[string]string{
		``: "too early", ` `: "too early", `x`: "outside", `x<r/>`: "outside", `<q/>`: "root", `<R/>`: "root", `<r>`: "broken", `<r></q>`: "broken",
		`<r/>x`: "after", `<r/><r/>`: "after", `<r/><!-- x -->`: "after", `<r/><?php x?>`: "processing", `<?php x?><r/>`: "processing",
		`<r><?xml version="1.0"?></r>`: "processing", `<!-- --><?xml version="1.0"?><r/>`: "processing", `<?xml version="1.1"?><r/>`: "broken",
		`<!DOCTYPE r><r/>`: "DOCTYPE", `<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>`: "DOCTYPE", `<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>`: "DOCTYPE",
		`<r><!ENTITY a "b"></r>`: "directive", `<r>&a;</r>`: "broken", `<r>&#0;</r>`: "broken", "<r>\x01</r>": "broken", "<r>\xff</r>": "UTF-8",
		`<r xmlns="x"/>`: "namespace", `<r xmlns:a="x"/>`: "namespace", `<a:r/>`: "namespace", `<r><a:b/></r>`: "namespace", `<r a:b="x"/>`: "namespace",
		`<r>a<!-- x -->b</r>`: "comment", `<r>a<!-- x --></r>`: "comment", `<r>a<b/></r>`: "between", `<r><b/>a</r>`: "between",
		`<?xml version="1.0" encoding="UTF-16"?><r/>`: "broken", `<?xml version="1.0" encoding="UTF-7"?><r>+ADw-</r>`: "broken",
		`<?xml version="1.0" encoding="ISO-8859-1"?><r/>`: "broken", "\xff\xfe<\x00r\x00/\x00>\x00": "UTF-8", "<\x00r\x00/\x00>\x00": "broken",
		"<r>" + strings.Repeat("<a>", 16) + strings.Repeat("</a>", 16) + "</r>": "deep", strings.Repeat("<r>", 20000): "deep",
		"<r>" + strings.Repeat("<a/>", 6000) + "</r>": "many", strings.Repeat("<r>", 100000): "long", "<r>" + strings.Repeat("a", 1<<20) + "</r>": "long",
	}
	for s, why := range bad {
		e, err := strict.XML([]byte(s), "r")
		var f *strict.Fault
		if !errors.As(err, &f) || !strings.Contains(f.Why, why) {
			t.Errorf("%.70q: %v %v, want %s", s, e, err, why)
		}
	}
}

func TestChild(t *testing.T) {
	e, err := strict.XML([]byte(`<r><a>1</a><b>2</b><a>3</a></r>`), "r")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Child("a"); err == nil {
		t.Error("two a passed for one")
	}
	if b, err := e.Child("b"); err != nil || b == nil || b.Text != "2" {
		t.Errorf("%v %v", b, err)
	}
	if c, err := e.Child("c"); err != nil || c != nil {
		t.Errorf("%v %v", c, err)
	}
}

// write is the text of a tree.
func write(t *testing.T, enc *xml.Encoder, e *strict.Element) {
	t.Helper()
	start := xml.StartElement{Name: xml.Name{Local: e.Name}}
	if err := enc.EncodeToken(start); err != nil {
		t.Fatal(err)
	}
	if len(e.Children) == 0 {
		if err := enc.EncodeToken(xml.CharData(e.Text)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range e.Children {
		write(t, enc, &e.Children[i])
	}
	if err := enc.EncodeToken(start.End()); err != nil {
		t.Fatal(err)
	}
}

func depth(e *strict.Element) int {
	d := 0
	for i := range e.Children {
		d = max(d, depth(&e.Children[i]))
	}
	return d + 1
}

// FuzzXML holds that what XML accepts is small, and means the same when it is written again.
func FuzzXML(f *testing.F) {
	for _, s := range []string{
		`<r/>`, `<?xml version="1.0" encoding="UTF-8"?><r><user><name>bob</name><roles><role><name>A</name></role></roles></user></r>`,
		`<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>`, `<r><![CDATA[x]]></r>`, `<r a="1" b='&quot;'>&#xe9;</r>`, `<r>a<!-- x --></r>`, "\ufeff<r>\r\n</r>", `<a:r/>`,
		strings.Repeat("<r>", 17), `<r/><r/>`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := strict.XML(b, "r")
		if err != nil {
			var fault *strict.Fault
			if !errors.As(err, &fault) {
				t.Fatalf("%T", err)
			}
			return
		}
		if e.Name != "r" || depth(e) > 16 || len(b) > 64<<10 {
			t.Fatalf("%q passed", b)
		}
		var out bytes.Buffer
		enc := xml.NewEncoder(&out)
		write(t, enc, e)
		if err := enc.Flush(); err != nil {
			t.Fatal(err)
		}
		if out.Len() > 64<<10 {
			return
		}
		again, err := strict.XML(out.Bytes(), "r")
		if err != nil || !reflect.DeepEqual(e, again) {
			t.Fatalf("%q reads as %+v, written again %q as %+v (%v)", b, e, out.Bytes(), again, err)
		}
	})
}
