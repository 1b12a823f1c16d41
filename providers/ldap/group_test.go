package ldap_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldap"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

const groupsDN = "ou=groups,dc=example,dc=org"

func group(cn, class string, pairs ...string) string {
	return testserver.Entry("cn="+cn+","+groupsDN, append([]string{"objectClass", class, "cn", cn}, pairs...)...)
}

// logins tells a group's members by login.
func logins(l listing, name string) []string {
	out := []string{}
	for login, rec := range l.records {
		for _, m := range l.members["cn="+name+","+groupsDN].Members {
			if m == rec.ID {
				out = append(out, login)
			}
		}
	}
	return out
}

func TestGroupsOfAllKinds(t *testing.T) {
	at := func(uid string) string { return "uid=" + uid + ",ou=people,dc=example,dc=org" }
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: person("uid=a", "a") + person("uid=b", "b") +
		testserver.Entry("uid=robot,ou=people,dc=example,dc=org", "objectClass", "account", "uid", "robot") +
		group("names", "groupOfNames", "member", at("a"), "member", at("gone"), "member", at("robot"), "member", "cn=admin,dc=example,dc=com",
			"member", "cn=unique,"+groupsDN) +
		group("unique", "groupOfUniqueNames", "uniqueMember", at("b")+"#'0101'B", "uniqueMember", at("a")) +
		group("posix", "posixGroup", "gidNumber", "7", "memberUid", "b", "memberUid", "nobody") +
		group("empty", "posixGroup", "gidNumber", "8")})
	cfg := settings(srv)
	cfg.Groups.Filter = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))"
	l := complete(t, session(t, directory(t, cfg)))
	for name, want := range map[string]string{"names": "a", "unique": "a b", "posix": "b", "empty": ""} {
		got := logins(l, name)
		if len(got) == 2 && got[0] > got[1] {
			got[0], got[1] = got[1], got[0]
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q", name, got)
		}
		m := l.members["cn="+name+","+groupsDN]
		if !m.Whole.OK || m.Group.ID == "" {
			t.Errorf("%s: %+v", name, m)
		}
	}
	cfg.Groups.Member = "uniqueMember"
	l = complete(t, session(t, directory(t, cfg)))
	if len(logins(l, "names")) != 0 || len(logins(l, "unique")) != 2 {
		t.Errorf("another member attribute than the one in the config: %+v", l.members)
	}
}

// TestMembersWhoCannotBeUsed: who is quarantined stays a member.
func TestMembersWhoCannotBeUsed(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: person("uid=a", "a") +
		testserver.Entry("cn=nologin,ou=people,dc=example,dc=org", "objectClass", "inetOrgPerson", "cn", "nologin", "sn", "x") +
		group("g", "groupOfNames", "member", "cn=nologin,ou=people,dc=example,dc=org")})
	s := session(t, directory(t, settings(srv)))
	l := complete(t, s)
	if len(l.unusable) != 1 {
		t.Fatal(l.unusable)
	}
	bad := l.unusable[0].ID
	if diff := cmp.Diff([]idbridge.ExternalID{bad}, l.members["cn=g,"+groupsDN].Members); diff != "" {
		t.Error(diff)
	}
	got, err := s.Fetch(t.Context(), []idbridge.ExternalID{bad, l.records["a"].ID})
	if err != nil || len(got) != 2 || got[bad].Profile != nil || len(got[bad].Unknown) == 0 || got[l.records["a"].ID].Profile == nil {
		t.Errorf("fetched: %+v, %v", got, err)
	}
	_, err = s.Apply(t.Context(), update(idbridge.Record{ID: bad}, idbridge.DisplayName, "x"))
	wantFault(t, err, idbridge.Refused, "cannot be used", "no uid")
}

// TestMemberLookupFails: a member who cannot be looked up makes the group unknown, never smaller; the other groups and
// the listing are not touched.
func TestMemberLookupFails(t *testing.T) {
	_, p, cfg := saboteur(t, people(t, 20, 2)+group("late", "groupOfNames", "member", "uid=late,ou=people,dc=example,dc=org",
		"member", "uid=u0000001,ou=people,dc=example,dc=org"))
	s := session(t, directory(t, cfg))
	armed := p.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Under: "uid=late,ou=people,dc=example,dc=org", Do: ldapsim.Refuse, Code: 51})
	defer armed.Disarm()
	l := complete(t, s)
	struck(t, armed)
	m := l.members["cn=late,"+groupsDN]
	if m.Whole.OK || !strings.Contains(m.Whole.Reason, "looked up") {
		t.Errorf("%+v", m)
	}
	for name, m := range l.members {
		if !m.Whole.OK && !strings.HasPrefix(name, "cn=late") {
			t.Errorf("%s: %+v", name, m.Whole)
		}
	}
	armed.Disarm()
	if m := complete(t, s).members["cn=late,"+groupsDN]; !m.Whole.OK || len(m.Members) != 1 {
		t.Errorf("later: %+v", m)
	}
}

// TestMemberComesDuringTheListing: somebody who was added after the people were listed is a member by his id.
func TestMemberComesDuringTheListing(t *testing.T) {
	srv, p, cfg := saboteur(t, people(t, 300, 1))
	cfg.PageSize = 100
	cfg.Timeouts = ldap.Timeouts{}
	s := session(t, directory(t, cfg))
	armed := p.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Filter: groupsText, Do: ldapsim.Delay})
	ended := make(chan listing, 1)
	go func() { ended <- list(t, s) }()
	struck(t, armed)
	e := &editor{srv, map[string]string{}}
	if err := srv.Modify(strings.Replace(person("uid=new", "new"), "\n", "\nchangetype: add\n", 1)); err != nil {
		t.Error(err)
	}
	e.at["new"] = "uid=new,ou=people,dc=example,dc=org"
	if err := e.SetGroup("fresh", "new"); err != nil {
		t.Error(err)
	}
	armed.Release()
	l := <-ended
	if l.err != nil || !l.end.Complete {
		t.Fatalf("%v %+v", l.err, l.end)
	}
	if m := l.members["cn=fresh,"+groupsDN]; !m.Whole.OK || len(m.Members) != 1 || m.Members[0].ID == "" {
		t.Errorf("%+v", m)
	}
}

// TestGroupsInCircles (R10): groups in each other, and in themselves, give their own people and nobody else's.
func TestGroupsInCircles(t *testing.T) {
	const at = "cn=%s,ou=groups,dc=example,dc=org"
	ldif := person("uid=a", "a") + person("uid=b", "b")
	for i := range 12 {
		ldif += group(fmt.Sprintf("g%d", i), "groupOfNames", "member", fmt.Sprintf(at, fmt.Sprintf("g%d", (i+1)%12)),
			"member", fmt.Sprintf(at, fmt.Sprintf("g%d", i)), "member", "uid="+[]string{"a", "b"}[i%2]+",ou=people,dc=example,dc=org")
	}
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldif})
	l := complete(t, session(t, directory(t, settings(srv))))
	for i := range 12 {
		if got := logins(l, fmt.Sprintf("g%d", i)); len(got) != 1 || got[0] != []string{"a", "b"}[i%2] {
			t.Errorf("g%d: %q", i, got)
		}
	}
}
