package ldapsim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge/providers/ldapsim"
)

// TestRanges reads a group's members as one has to in Active Directory: range by range, until one ends in a star.
func TestRanges(t *testing.T) {
	s := start(t, ldapsim.Config{})
	group, want := "cn=many,"+people, map[string]bool{}
	var members []string
	for i := range 25 {
		members = append(members, fmt.Sprintf("uid=m%03d,%s", i, people))
		want[members[i]] = true
	}
	if err := s.Add(group, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {"many"}, "member": members}); err != nil {
		t.Fatal(err)
	}
	s.SetRanges(10)
	c := signedIn(t, s.URL())
	asked := []string{"member"}
	for _, shown := range []string{"member;range=0-9", "member;range=10-19", "member;range=20-*"} {
		r, err := c.Search(ldap.NewSearchRequest(group, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", asked, nil))
		if err != nil || len(r.Entries) != 1 {
			t.Fatal(err)
		}
		e := r.Entries[0]
		for _, v := range e.GetAttributeValues(shown) {
			delete(want, v)
		}
		if len(e.GetAttributeValues(shown)) == 0 || len(e.GetAttributeValues("member")) != 0 {
			t.Errorf("%s: %v", shown, e.Attributes)
		}
		from, _, _ := strings.Cut(strings.TrimPrefix(shown, "member;range="), "-")
		asked = []string{"member;range=" + map[string]string{"0": "10", "10": "20", "20": "25"}[from] + "-*"}
	}
	if len(want) > 0 {
		t.Errorf("%d members were not shown", len(want))
	}
}
