package ldap_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/providers/ldap"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

const simFrame = `dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: cn=sync,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: sync
userPassword: Sync.Pw.123

`

// simulated is the server that can be told to behave like others, in the clear, and the settings for it.
func simulated(t *testing.T, ldif string) (*ldapsim.Server, ldap.Config) {
	t.Helper()
	s, err := ldapsim.Start(ldapsim.Config{LDIF: simFrame + ldif})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s, ldap.Config{
		Name: "corp", URLs: []string{s.URL()}, TLS: ldap.TLS{AllowCleartextBind: true}, BaseDN: "dc=example,dc=org", PageSize: 100,
		Bind:   ldap.Bind{DN: "cn=sync,dc=example,dc=org", Password: idbridge.NewSecret("Sync.Pw.123")},
		Groups: ldap.Groups{Filter: "(objectClass=groupOfNames)"}, Map: fields(),
		Timeouts: ldap.Timeouts{Idle: 1500 * time.Millisecond, Request: 1500 * time.Millisecond},
	}
}

// crowd is an LDIF of n people u0000 … and one group with all of them.
func crowd(n int) string {
	var b, members strings.Builder
	for i := range n {
		dn := fmt.Sprintf("uid=u%04d,ou=people,dc=example,dc=org", i)
		fmt.Fprintf(&b, "dn: %s\nobjectClass: inetOrgPerson\nuid: u%04d\ncn: u\nsn: u\n\n", dn, i)
		members.WriteString("member: " + dn + "\n")
	}
	return b.String() + "dn: cn=all,ou=groups,dc=example,dc=org\nobjectClass: groupOfNames\ncn: all\n" + members.String()
}

// TestMembersInRanges (N8): a group of 5,000 that the server shows 1,500 at a time is known whole, or not at all.
func TestMembersInRanges(t *testing.T) {
	srv, cfg := simulated(t, crowd(5000)+"\ndn: cn=few,ou=groups,dc=example,dc=org\nobjectClass: groupOfNames\ncn: few\nmember: uid=u0001,ou=people,dc=example,dc=org\n")
	cfg.PageSize = 1000
	srv.SetRanges(1500)
	s := session(t, directory(t, cfg))
	const all, few = "cn=all,ou=groups,dc=example,dc=org", "cn=few,ou=groups,dc=example,dc=org"
	whole := func(l listing) {
		t.Helper()
		m := l.members[all]
		seen := map[idbridge.ExternalID]bool{}
		for _, id := range m.Members {
			seen[id] = true
		}
		if !m.Whole.OK || len(seen) != 5000 || len(m.Members) != 5000 || len(l.members[few].Members) != 1 {
			t.Errorf("%d members, %d of them different, %+v; few: %+v", len(m.Members), len(seen), m.Whole, l.members[few])
		}
	}
	whole(complete(t, s))
	for name, f := range map[string]ldapsim.Fault{
		"refused":         {Do: ldapsim.Refuse, Code: 51, Times: -1},
		"no entry":        {Do: ldapsim.Empty, Times: -1},
		"attribute gone":  {Do: ldapsim.Withdraw, Attributes: []string{"member"}},
		"cut again":       {Do: ldapsim.Cut, Times: -1},
		"no answer again": {Do: ldapsim.Ignore, Times: -1},
	} {
		for _, after := range []int{0, 2} { // the second range, and the last one
			t.Run(fmt.Sprintf("%s, after %d", name, after), func(t *testing.T) {
				f.Op, f.Under, f.After = ldapsim.OpSearch, all, after
				armed := srv.Fault(f)
				defer armed.Disarm()
				l := complete(t, s)
				struck(t, armed)
				m := l.members[all]
				if m.Whole.OK || !strings.Contains(m.Whole.Reason, "in parts") {
					t.Errorf("%d members, %+v", len(m.Members), m.Whole)
				}
				if m := l.members[few]; !m.Whole.OK || len(m.Members) != 1 {
					t.Errorf("another group: %+v", m)
				}
			})
		}
	}
	t.Run("one cut is got over", func(t *testing.T) {
		armed := srv.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Under: all, Do: ldapsim.Cut})
		defer armed.Disarm()
		l := complete(t, s)
		struck(t, armed)
		whole(l)
	})
	t.Run("the group changes meanwhile", func(t *testing.T) {
		armed := srv.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Under: all, After: 1, Do: ldapsim.Delay})
		defer armed.Disarm()
		edited := make(chan error, 1)
		go func() {
			<-armed.Struck()
			edited <- srv.Modify(all, ldapsim.Mod{Verb: ldapsim.Drop, Attribute: "member", Values: []string{"uid=u0000,ou=people,dc=example,dc=org"}})
			armed.Release()
		}()
		l := complete(t, s)
		if err := <-edited; err != nil {
			t.Fatal(err)
		}
		if m := l.members[all]; m.Whole.OK || !strings.Contains(m.Whole.Reason, "changed while it was read") {
			t.Errorf("%d members, %+v", len(m.Members), m.Whole)
		}
		if m := complete(t, s).members[all]; !m.Whole.OK || len(m.Members) != 4999 {
			t.Errorf("the next listing: %d members, %+v", len(m.Members), m.Whole)
		}
	})
}

// guids are ids as Active Directory keeps them, and as its tools print them; among their octets are LF, NUL, the signs of
// a filter, and such as are no UTF-8.
func guids() map[string]string {
	return map[string]string{
		"\x40\xfc\x29\x6b\x47\xca\x67\x10\xb3\x1d\x00\xdd\x01\x06\x62\xda": "6b29fc40-ca47-1067-b31d-00dd010662da",
		"\x0a\x00\x0a\x00\xff\xfe\x80\x81\x00\x00\x00\x00\x00\x00\x00\x0a": "000a000a-feff-8180-0000-00000000000a",
		"*()\\|&!=*)(uid=*":        "5c29282a-267c-3d21-2a29-287569643d2a",
		"                ":         "20202020-2020-2020-2020-202020202020",
		"\x00" + "abcdefghijklmno": "63626100-6564-6766-6869-6a6b6c6d6e6f",
	}
}

// TestBinaryIDs (N14): ids of octets have one text, by which they are listed, fetched, written, found and logged in.
func TestBinaryIDs(t *testing.T) {
	var ldif, members strings.Builder
	i := 0
	logins := map[string]string{} // GUID → login
	for octets, text := range guids() {
		fmt.Fprintf(&ldif, "dn: uid=u%d,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: u%d\ncn: u\nsn: u\nuserPassword: right\nobjectGUID:: %s\n\n",
			i, i, base64.StdEncoding.EncodeToString([]byte(octets)))
		fmt.Fprintf(&members, "member: uid=u%d,ou=people,dc=example,dc=org\n", i)
		logins[text] = fmt.Sprintf("u%d", i)
		i++
	}
	_, cfg := simulated(t, ldif.String()+
		"dn: uid=none,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: none\ncn: u\nsn: u\n\n"+
		"dn: uid=short,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: short\ncn: u\nsn: u\nobjectGUID:: AAAA\n\n"+
		"dn: uid=zero,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: zero\ncn: u\nsn: u\nobjectGUID:: AAAAAAAAAAAAAAAAAAAAAA==\n\n"+
		"dn: cn=g,ou=groups,dc=example,dc=org\nobjectClass: groupOfNames\ncn: g\nobjectGUID:: EBAQEBAQEBAQEBAQEBAQEA==\nmember: uid=none,ou=people,dc=example,dc=org\n"+
		members.String())
	cfg.IDAttribute = "objectGUID"
	d := directory(t, cfg)
	s := session(t, d)
	l := complete(t, s)
	if len(l.records) != len(guids()) || len(l.unusable) != 3 {
		t.Fatalf("%d people, unusable %+v", len(l.records), l.unusable)
	}
	m := l.members["cn=g,ou=groups,dc=example,dc=org"]
	if m.Group.ID != "10101010-1010-1010-1010-101010101010" || len(m.Members) != len(guids()) || !m.Whole.OK {
		t.Errorf("group: %+v", m)
	}
	for text, login := range logins {
		id := idbridge.ExternalID{Directory: "corp", ID: text}
		if got := l.records[login].ID; got != id {
			t.Errorf("%s is %s, want %s", login, got, id)
		}
		if got, err := s.Fetch(t.Context(), []idbridge.ExternalID{id}); err != nil || len(got) != 1 || got[id].Profile[idbridge.UserName].First() != login {
			t.Errorf("fetch %s: %v, %v", text, got, err)
		}
		if sc, err := s.Scope(t.Context(), id); err != nil || !sc.Found || !sc.InFilter.OK {
			t.Errorf("scope of %s: %+v, %v", text, sc, err)
		}
		if after, err := s.Apply(t.Context(), update(l.records[login], idbridge.DisplayName, "D")); err != nil || after.ID != id {
			t.Errorf("write %s: %v, %v", text, after.ID, err)
		}
		if got, err := d.Authenticate(t.Context(), login, "right"); err != nil || got != id {
			t.Errorf("sign in %s: %v, %v", login, got, err)
		}
	}
	odd := idbridge.ExternalID{Directory: "corp", ID: "not a guid"}
	if got, err := s.Fetch(t.Context(), []idbridge.ExternalID{odd}); err != nil || len(got) != 0 {
		t.Errorf("a text that can be nobody's id: %v, %v", got, err)
	}
}

// TestPersonInRanges: a person of whose attribute the server shows a part is quarantined, and nobody takes the part for
// the whole.
func TestPersonInRanges(t *testing.T) {
	var mails strings.Builder
	for i := range 30 {
		fmt.Fprintf(&mails, "mail: m%d@x.org\n", i)
	}
	srv, cfg := simulated(t, simAnna+"\ndn: uid=many,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: many\ncn: x\nsn: x\n"+mails.String())
	srv.SetRanges(10)
	s := session(t, directory(t, cfg))
	l := complete(t, s)
	if len(l.records) != 1 || len(l.unusable) != 1 || !strings.Contains(l.unusable[0].Why.Error(), "more values of mail than the server shows at once") {
		t.Fatalf("%d people, unusable %+v", len(l.records), l.unusable)
	}
	id := l.unusable[0].ID
	if got, err := s.Fetch(t.Context(), []idbridge.ExternalID{id}); err != nil || got[id].Profile != nil || len(got[id].Unknown) == 0 {
		t.Errorf("fetched: %+v, %v", got, err)
	}
	_, err := s.Apply(t.Context(), update(idbridge.Record{ID: id}, idbridge.DisplayName, "x"))
	wantFault(t, err, idbridge.Refused, "cannot be used")
	srv.SetRanges(0)
	if l := complete(t, s); len(l.records["many"].Profile[idbridge.Email]) != 30 {
		t.Errorf("without ranges: %+v", l.records["many"])
	}
}
