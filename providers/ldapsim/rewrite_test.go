package ldapsim_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge/providers/ldapsim"
)

// TestRewrites: what is stored is what the server makes of a value, and the answer to the write shows it.
func TestRewrites(t *testing.T) {
	s := start(t, ldapsim.Config{})
	err := s.SetRewrites(ldapsim.Rewrite{Attribute: "mail", How: ldapsim.Lower}, ldapsim.Rewrite{Attribute: "title", How: ldapsim.Trim},
		ldapsim.Rewrite{Attribute: "telephoneNumber", How: ldapsim.Compact}, ldapsim.Rewrite{Attribute: "cn", How: ldapsim.OneOnly})
	if err != nil {
		t.Fatal(err)
	}
	if before, _ := s.Entry(bo); before["title"][0] != "Chief  Engineer" {
		t.Errorf("what was loaded was changed: %q", before["title"])
	}
	put := func(attribute string, values ...string) {
		t.Helper()
		if err := s.Modify(anna, ldapsim.Mod{Verb: ldapsim.Replace, Attribute: attribute, Values: values}); err != nil {
			t.Error(err)
		}
	}
	put("mail", "A@X.org", "B@x.org")
	put("title", "  Chief   Engineer ")
	put("telephoneNumber", "+33 4-76")
	put("cn", "first", "Anna Ek")
	got, _ := s.Entry(anna)
	for attribute, want := range map[string][]string{
		"mail": {"a@x.org", "b@x.org"}, "title": {"Chief Engineer"}, "telephoneNumber": {"+33476"}, "cn": {"Anna Ek"}, "cn;lang-de": {"Anna Eiche"},
	} {
		if diff := cmp.Diff(want, got[attribute]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", attribute, diff)
		}
	}
	if s.SetRewrites(ldapsim.Rewrite{Attribute: "noSuch", How: ldapsim.Trim}) == nil {
		t.Error("an unknown attribute is taken")
	}
}
