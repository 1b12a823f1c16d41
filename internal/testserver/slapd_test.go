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
