package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

// sim is a bridge before a directory in memory, for what no real server does when it is told to.
type sim struct {
	*bridge
	server *ldapsim.Server
}

// newSim starts the directory with an account for the bridge, two containers, the administrators' group and more.
func newSim(t *testing.T, url, more string, o ldapsim.Config, s settings) *sim {
	t.Helper()
	const base = "dc=example,dc=org"
	o.LDIF = testserver.Entry(base, "objectClass", "dcObject", "objectClass", "organization", "dc", "example", "o", "Example") +
		unit("people", base) + unit("more", base) + unit("groups", base) +
		testserver.Entry("cn=sync,"+base, "objectClass", "organizationalRole", "objectClass", "simpleSecurityObject", "cn", "sync", "userPassword", "Sync.Pw.123") + more
	server, err := ldapsim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, server.CACertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	shown := &testserver.SlapdServer{TLSURL: server.TLSURL(), CAFile: ca, BaseDN: base, SyncDN: "cn=sync," + base, SyncPassword: "Sync.Pw.123"}
	return &sim{newBridge(t, shown, url, s), server}
}

func (s *sim) apply(ldif string) {
	s.t.Helper()
	if err := s.server.Apply(ldif); err != nil {
		s.t.Fatal(err)
	}
}

// written is how many writes came over the wire.
func (s *sim) written() int {
	return s.server.Count(ldapsim.OpModify) + s.server.Count(ldapsim.OpAdd) + s.server.Count(ldapsim.OpDelete) + s.server.Count(ldapsim.OpModifyDN)
}

// still does one more run, which must find nothing to do on either side.
func (s *sim) still() {
	s.t.Helper()
	before, state := s.written(), s.digests()
	if r := s.run(exitDone); r.Run.Counts.Unchanged != r.Run.Counts.Seen {
		s.t.Errorf("a run without edits decided something: %+v", r.Run.Counts)
	}
	if n := s.written() - before; n != 0 {
		s.t.Errorf("a run without edits sent %d writes", n)
	}
	now := s.digests()
	for _, table := range peopleTables() {
		if now[table] != state[table] {
			s.t.Errorf("a run without edits changed table %s", table)
		}
	}
}

// TestN08LongGroups: all 5,000 members of a group that the directory shows in parts count as members; when a part cannot
// be read the membership stays as it is and is never taken for empty.
//
// Novell.Directory.Ldap #82 (all members removed); Ranger PR 966; authentik #25253; node-ldapjs #582. Memberships flow
// inward only in this release, so nothing is ever written back to a group.
func TestN08LongGroups(t *testing.T) {
	const n = 5000
	ldif := make([]byte, 0, n*400)
	pairs := []string{"objectClass", "groupOfNames", "cn", "idbridge-admins"}
	for i := range n {
		uid := fmt.Sprintf("m%04d", i)
		ldif = append(ldif, testserver.Entry(personDN(uid), "objectClass", "inetOrgPerson", "uid", uid, "cn", uid, "sn", uid)...)
		pairs = append(pairs, "member", personDN(uid))
	}
	ldif = append(ldif, testserver.Entry(adminGroup, pairs...)...)
	parts(t, part{"ranges", func(t *testing.T, url string) {
		s := newSim(t, url, string(ldif), ldapsim.Config{}, settings{})
		s.swap("role: ADMIN", "role: QUALITY_MANAGER")
		s.server.SetRanges(1500)
		if c := s.run(exitDone).Run.Counts; c.Joined != n || c.Granted != n {
			t.Errorf("%d joined, %d granted, want %d", c.Joined, c.Granted, n)
		}
		has := func(uid string, want int) {
			t.Helper()
			if u := s.user(uid); len(u.Grants) != want {
				t.Errorf("%s: %+v", uid, u.Grants)
			}
		}
		has("m4999", 1)
		if len(s.user("m4999").Links) != 1 {
			t.Error("m4999 is not linked")
		}
		s.still()

		leave := ldapsim.Fault{Op: ldapsim.OpSearch, Under: adminGroup, Filter: "(objectClass=*)", Do: ldapsim.Refuse, Times: -1}
		for i, code := range []ldapsim.Code{ldapsim.Busy, ldapsim.SizeLimitExceeded, ldapsim.InsufficientAccess} {
			uid := fmt.Sprintf("m%04d", i)
			if err := s.server.Modify(adminGroup, ldapsim.Mod{Verb: ldapsim.Drop, Attribute: "member", Values: []string{personDN(uid)}}); err != nil {
				t.Fatal(err)
			}
			leave.Code = code
			armed := s.server.Fault(leave)
			for range 2 {
				if r := s.run(exitDone); r.Run.Counts.Left != 0 || r.Held {
					t.Errorf("code %d: somebody left a group that was read in part: %+v", code, r.Run.Counts)
				}
			}
			if armed.Count() == 0 {
				t.Error("the fault did not strike")
			}
			has(uid, 1)
			has("m4999", 1)
			armed.Disarm()
			if c := s.run(exitDone).Run.Counts; c.Left != 1 {
				t.Errorf("code %d: once it can be read: %+v", code, c)
			}
			has(uid, 0)
		}
		s.still()
	}})
}
