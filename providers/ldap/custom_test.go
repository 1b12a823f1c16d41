package ldap_test

import (
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

const simAnna = "dn: uid=anna,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: anna\ncn: anna\nsn: x\nmail: one@x.org\ntitle: old\n"

// TestServerWithItsOwnSpelling (N18): a server that keeps something else than it was given is written to once: the record
// that comes back shows what it keeps, and from there nothing is left to do.
func TestServerWithItsOwnSpelling(t *testing.T) {
	srv, cfg := simulated(t, simAnna)
	err := srv.SetRewrites(ldapsim.Rewrite{Attribute: "mail", How: ldapsim.Lower}, ldapsim.Rewrite{Attribute: "title", How: ldapsim.Trim},
		ldapsim.Rewrite{Attribute: "telephoneNumber", How: ldapsim.Compact}, ldapsim.Rewrite{Attribute: "displayName", How: ldapsim.Lower})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Schema = idbridge.CoreSchema()
	cfg.Schema["title"], cfg.Schema["phone"] = idbridge.Spec{}, idbridge.Spec{Match: idbridge.Telephone}
	cfg.Schema[idbridge.DisplayName] = idbridge.Spec{Match: idbridge.CaseExact} // it rewrites beyond the equality rule
	cfg.Map = append(cfg.Map, mapping.Field{Attribute: "title", From: "title"}, mapping.Field{Attribute: "phone", From: "telephoneNumber"})
	s := session(t, directory(t, cfg))
	rec := complete(t, s).records["anna"]
	want := idbridge.Profile{
		idbridge.Email: {"One@X.org", "Two@X.org"}, "title": {"Chief  Engineer "}, "phone": {"+33 4-76 00"}, idbridge.DisplayName: {"Anna"},
	}
	kept := idbridge.Profile{
		idbridge.Email: {"one@x.org", "two@x.org"}, "title": {"Chief Engineer"}, "phone": {"+3347600"}, idbridge.DisplayName: {"anna"},
	}
	for range 10 {
		for a, after := range want {
			step := update(rec, a, after...)
			if !cfg.Schema.Equal(a, rec.Profile[a], after) && !cfg.Schema.Equal(a, rec.Profile[a], kept[a]) {
				got, err := s.Apply(t.Context(), step)
				if err != nil {
					t.Fatal(err)
				}
				rec = got
			} else if cfg.Schema[a].Match != idbridge.CaseExact {
				if _, err := s.Apply(t.Context(), step); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if n := len(srv.Writes()); n != len(want) {
		t.Errorf("%d writes of %d changes:\n%s", n, len(want), srv.Log())
	}
	for a, v := range kept {
		if rec.Profile[a].String() != v.String() {
			t.Errorf("%s comes back as %q, kept is %q", a, rec.Profile[a], v)
		}
	}
	if now := complete(t, s).records["anna"]; now.Version != rec.Version {
		t.Errorf("version %s after the last write, %s in the listing", rec.Version, now.Version)
	}
}

// TestLaggingReplica (N19): reads that come from a server behind the one that is written to: what was written is known
// from the write's own answer, an older state is seen to be one, and nothing is written twice or taken back.
func TestLaggingReplica(t *testing.T) {
	srv, cfg := simulated(t, simAnna)
	s := session(t, directory(t, cfg))
	old := complete(t, s).records["anna"]
	srv.Lag(true)
	written, err := s.Apply(t.Context(), update(old, idbridge.DisplayName, "New"))
	if err != nil || written.Profile[idbridge.DisplayName].First() != "New" || !idbridge.Earlier(old.Version, written.Version) {
		t.Fatalf("%+v, %v", written, err)
	}
	got, err := s.Fetch(t.Context(), []idbridge.ExternalID{old.ID})
	if err != nil || got[old.ID].Version != old.Version || !idbridge.Earlier(got[old.ID].Version, written.Version) {
		t.Errorf("the replica: %+v, %v", got, err)
	}
	// Whoever takes the replica for the truth does not get far: the write is refused, since the entry has moved.
	_, err = s.Apply(t.Context(), update(got[old.ID], idbridge.DisplayName, "Older"))
	wantFault(t, err, idbridge.Conflicting)
	srv.Lag(false)
	if now := complete(t, s).records["anna"]; now.Version != written.Version || now.Profile[idbridge.DisplayName].First() != "New" {
		t.Errorf("in the end: %+v", now)
	}
	if n := len(srv.Writes()); n != 1 {
		t.Errorf("%d writes", n)
	}
	t.Run("without an answer that shows the entry", func(t *testing.T) {
		srv.Lag(true)
		armed := srv.Fault(ldapsim.Fault{Op: ldapsim.OpModify, Do: ldapsim.Bare})
		defer armed.Disarm()
		before := len(srv.Writes())
		got, err := s.Apply(t.Context(), update(written, idbridge.DisplayName, "Newer"))
		srv.Lag(false)
		if err != nil || len(srv.Writes()) != before+1 || got.ID != written.ID { // the engine takes what was sent for the base then
			t.Errorf("%+v, %v", got, err)
		}
	})
}
