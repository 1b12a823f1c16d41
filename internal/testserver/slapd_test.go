package testserver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/idbridge/idbridge/internal/testserver"
)

func TestSlapd(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "people.ldif")
	f, err := os.Create(seed)
	if err != nil {
		t.Fatal(err)
	}
	if err := testserver.WritePeople(f, 50, 3, 1); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s := testserver.Slapd(t, testserver.SlapdOptions{File: seed})
	out, err := s.Search(s.PeopleDN, "(objectClass=inetOrgPerson)", "uid")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out, "\nuid: "); n != 50 {
		t.Errorf("%d people of 50", n)
	}
	dn := "uid=u0000003," + s.PeopleDN
	if err := s.Modify(testserver.Change(dn, "displayName", "Zoë, \"Z\"")); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Writes(); n != 1 || err != nil {
		t.Errorf("%d writes, %v", n, err)
	}
	s.Kill()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if out, err = s.Search(dn, "(objectClass=*)", "displayName"); err != nil || !strings.Contains(out, "displayName:: ") {
		t.Errorf("after a kill: %s, %v", out, err)
	}
	if err := s.SetSizeLimit(5); err != nil {
		t.Error(err)
	}
}

func TestSlapdBackupAndMove(t *testing.T) {
	s := testserver.Slapd(t, testserver.SlapdOptions{LDIF: testserver.Entry("uid=a,ou=people,dc=example,dc=org",
		"objectClass", "inetOrgPerson", "uid", "a", "cn", "a", "sn", "a")})
	if err := s.Snapshot(); err != nil {
		t.Fatal(err)
	}
	if err := s.Modify(testserver.Move(s.PeopleDN, "ou=staff", "") + testserver.Move("uid=a,ou=staff,"+s.BaseDN, "", s.MoreDN)); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Search(s.BaseDN, "(uid=a)", "1.1"); err != nil || strings.TrimSpace(out) != "dn: uid=a,"+s.MoreDN {
		t.Errorf("moved: %s, %v", out, err)
	}
	if err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Search(s.BaseDN, "(uid=a)", "1.1"); err != nil || strings.TrimSpace(out) != "dn: uid=a,"+s.PeopleDN {
		t.Errorf("restored: %s, %v", out, err)
	}
	if err := s.Modify(testserver.Change("uid=a,"+s.PeopleDN, "displayName", "A")); err != nil {
		t.Errorf("written after a restore: %v", err)
	}
}
