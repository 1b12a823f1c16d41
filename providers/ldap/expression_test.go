package ldap_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
	"github.com/idbridge/idbridge/internal/testserver"
)

// TestN24Expression: an entry over which a mapping expression fails is set aside and known to be there, all others are right,
// and what the expression reads is still written.
func TestN24Expression(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{
		LDIF: people(t, 40, 1) + person("uid=anna", "anna", "givenName", "Anna", "mail", "b@x.org", "mail", "a@x.org") +
			person("uid=both", "both", "displayName", "Shown", "mail", "c@x.org") + person("uid=nomail", "nomail"),
	})
	cfg := settings(srv)
	cfg.Schema = idbridge.CoreSchema()
	cfg.Schema["domain"] = idbridge.Spec{}
	cfg.Map[3].Else = `givenName + " " + sn`
	cfg.Map = append(cfg.Map, mapping.Field{Attribute: "domain", Expr: `upper(split(mail, "@")[1])`})
	s := session(t, directory(t, cfg))
	l := complete(t, s)
	anna := l.records["anna"]
	for a, want := range map[idbridge.Attribute]string{idbridge.DisplayName: "Anna Æther", "domain": "X.ORG"} {
		if diff := cmp.Diff(idbridge.Values{want}, anna.Profile[a]); diff != "" {
			t.Errorf("%s: -want +got:\n%s", a, diff)
		}
	}
	if got := l.records["both"].Profile[idbridge.DisplayName].First(); got != "Shown" {
		t.Errorf("else stands before what the entry shows: %q", got)
	}
	if len(l.records) != 42 || len(l.unusable) != 1 || !strings.HasPrefix(l.unusable[0].Locator, "uid=nomail,") ||
		!strings.Contains(l.unusable[0].Why.Error(), "expression (domain) fails: index out of range") {
		t.Errorf("%d people, unusable: %v", len(l.records), l.unusable)
	}
	if l.unusable[0].ID.ID == "" {
		t.Error("the unusable record has no id, so it counts as absent")
	}
	after, err := s.Apply(t.Context(), update(anna, idbridge.GivenName, "Ann"))
	if err != nil {
		t.Fatal(err)
	}
	if got := after.Profile[idbridge.DisplayName].First(); got != "Ann Æther" {
		t.Errorf("after the write: %q", got)
	}
	if _, err := s.Apply(t.Context(), update(anna, "domain", "y.org")); idbridge.KindOf(err) != idbridge.Refused {
		t.Errorf("a computed attribute is written: %v", err)
	}
}
