package ldap_test

import (
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

// idAt returns the id of the entry with a DN, as an administrator reads it.
func idAt(t *testing.T, srv *testserver.SlapdServer, base, filter string) idbridge.ExternalID {
	t.Helper()
	out, err := srv.Search(base, filter, "entryUUID")
	if err != nil {
		t.Fatal(err)
	}
	_, id, _ := strings.Cut(out, "entryUUID: ")
	id, _, _ = strings.Cut(id, "\n")
	return idbridge.ExternalID{Directory: "corp", ID: id}
}

// TestWhereARecordIs: an entry is found wherever it is, with the rule of the config by which it counts or not.
func TestWhereARecordIs(t *testing.T) {
	srv, p, cfg := saboteur(t, person("uid=anna", "anna")+person(`cn=Ek\2C Bo+uid=bo`, "bo", "cn", "Ek, Bo")+
		testserver.Entry("uid=robot,ou=people,dc=example,dc=org", "objectClass", "account", "uid", "robot")+
		testserver.Entry("uid=carl,ou=more,dc=example,dc=org", "objectClass", "inetOrgPerson", "uid", "carl", "cn", "x", "sn", "x")+
		testserver.Entry("uid=tool,ou=more,dc=example,dc=org", "objectClass", "account", "uid", "tool"))
	cfg.Users.Base = "OU=People, dc=example,dc=org"
	s := session(t, directory(t, cfg))
	for uid, want := range map[string][2]bool{ // in base, in filter
		"anna": {true, true}, "bo": {true, true}, "robot": {true, false}, "carl": {false, true}, "tool": {false, false},
	} {
		sc, err := s.Scope(t.Context(), idAt(t, srv, srv.BaseDN, "(uid="+uid+")"))
		if err != nil || !sc.Found || !strings.Contains(sc.Locator, "uid="+uid) || !strings.Contains(sc.Version, "#") {
			t.Errorf("%s: %+v, %v", uid, sc, err)
		}
		if sc.InBase.OK != want[0] || sc.InFilter.OK != want[1] {
			t.Errorf("%s: %+v", uid, sc)
		}
		if !strings.Contains(sc.InBase.Reason, `users.base "OU=People, dc=example,dc=org"`) ||
			!strings.Contains(sc.InFilter.Reason, "users.filter (objectClass=inetOrgPerson)") {
			t.Errorf("%s: the rules are not named: %+v", uid, sc)
		}
	}
	for _, id := range []string{"00000000-0000-0000-0000-000000000001", "x*)(uid=*", ""} {
		sc, err := s.Scope(t.Context(), idbridge.ExternalID{Directory: "corp", ID: id})
		if err != nil || sc.Found || sc.InBase.OK || sc.InFilter.OK {
			t.Errorf("%q: %+v, %v", id, sc, err)
		}
	}
	for name, f := range map[string]ldapsim.Fault{
		"busy":      {Do: ldapsim.Refuse, Code: 51},
		"no right":  {Do: ldapsim.Refuse, Code: 50},
		"gone base": {Do: ldapsim.Refuse, Code: 32},
		"other":     {Do: ldapsim.Refer, URIs: []string{"ldap://other/"}},
		"in part":   {Do: ldapsim.Continue, URIs: []string{"ldap://other/"}},
		"cut off":   {Do: ldapsim.Refuse, Code: 4, N: 1},
		"silence":   {Do: ldapsim.Ignore, Times: -1},
	} {
		t.Run(name, func(t *testing.T) {
			id := idAt(t, srv, srv.BaseDN, "(uid=anna)")
			if name == "in part" {
				id.ID = "00000000-0000-0000-0000-000000000001"
			}
			f.Op, f.Filter = ldapsim.OpSearch, "entryUUID"
			armed := p.Fault(f)
			defer armed.Disarm()
			sc, err := s.Scope(t.Context(), id)
			struck(t, armed)
			if name == "cut off" { // the one entry came all the same
				t.Skipf("%+v, %v", sc, err)
			}
			if err == nil || sc.Found {
				t.Errorf("an error is taken for absence: %+v", sc)
			}
		})
	}
}
