package ldap_test

import (
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
)

// TestLeavesTheFilter (R7): somebody who leaves the group that users.filter asks for is not changed himself. The next
// listing does not show him, and Scope says that he is there and that it is the filter.
func TestLeavesTheFilter(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{
		LDIF: person("uid=anna", "anna") + person("uid=bert", "bert"), Database: []string{"moduleload memberof", "overlay memberof"},
	})
	const staff = "cn=staff,ou=groups,dc=example,dc=org"
	at := func(uid string) string { return "uid=" + uid + ",ou=people,dc=example,dc=org" }
	if err := srv.Modify(strings.Replace(group("staff", "groupOfNames", "member", at("anna"), "member", at("bert")), "\n", "\nchangetype: add\n", 1)); err != nil {
		t.Fatal(err)
	}
	cfg := settings(srv)
	cfg.Users.Filter = "(memberOf=" + staff + ")"
	s := session(t, directory(t, cfg))
	before := complete(t, s).records
	if len(before) != 2 {
		t.Fatalf("%d people", len(before))
	}
	if err := srv.Modify(testserver.Change(staff, "member", at("bert"))); err != nil {
		t.Fatal(err)
	}
	if l := complete(t, s); len(l.records) != 1 || l.records["bert"].ID != before["bert"].ID {
		t.Errorf("%d people", len(l.records))
	}
	anna := before["anna"].ID
	if got, err := s.Fetch(t.Context(), []idbridge.ExternalID{anna}); err != nil || len(got) != 0 {
		t.Errorf("fetched: %v, %v", got, err)
	}
	sc, err := s.Scope(t.Context(), anna)
	if err != nil || !sc.Found || !sc.InBase.OK || sc.InFilter.OK || !strings.Contains(sc.InFilter.Reason, "users.filter (memberOf=") {
		t.Errorf("%+v, %v", sc, err)
	}
}
