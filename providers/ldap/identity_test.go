package ldap_test

import (
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
)

// TestMovedRenamedRecased (N11, F21): an entry that gets another name, another place and another spelling in one interval
// is the same record; a new one under its old name is another.
func TestMovedRenamedRecased(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: person("uid=jdoe", "jdoe", "mail", "John@X.org")})
	s := session(t, directory(t, settings(srv)))
	before := complete(t, s).records["jdoe"]
	if err := srv.Modify(testserver.Move(before.Locator, "uid=John.Doe", srv.MoreDN) +
		testserver.Change("uid=John.Doe,"+srv.MoreDN, "mail", "john@x.org") +
		"\n" + strings.Replace(person("uid=JDoe", "JDoe"), "\n", "\nchangetype: add\n", 1)); err != nil {
		t.Fatal(err)
	}
	l := complete(t, s)
	after, other := l.records["John.Doe"], l.records["JDoe"]
	if after.ID != before.ID || after.Profile[idbridge.Email].First() != "john@x.org" || !strings.HasSuffix(after.Locator, srv.MoreDN) {
		t.Errorf("%+v became %+v", before, after)
	}
	if other.ID == before.ID || other.ID.ID == "" || len(l.records) != 2 {
		t.Errorf("a new one under the old name: %+v", other)
	}
	if !idbridge.Earlier(before.Version, after.Version) {
		t.Errorf("version %s, then %s", before.Version, after.Version)
	}
	got, err := s.Fetch(t.Context(), []idbridge.ExternalID{before.ID})
	if err != nil || got[before.ID].Locator != after.Locator {
		t.Errorf("fetched: %+v, %v", got, err)
	}
}

// TestSubtreeRenamed: a container gets another name; everybody below it is the same record elsewhere, also as a member.
func TestSubtreeRenamed(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 50, 2)})
	s := session(t, directory(t, settings(srv)))
	before := complete(t, s)
	if err := srv.Modify(testserver.Move(srv.PeopleDN, "ou=staff", "")); err != nil {
		t.Fatal(err)
	}
	after := complete(t, s)
	if len(after.records) != 50 {
		t.Fatalf("%d people", len(after.records))
	}
	for login, rec := range after.records {
		if rec.ID != before.records[login].ID || !strings.HasSuffix(rec.Locator, ",ou=staff,"+srv.BaseDN) {
			t.Errorf("%s: %+v", login, rec)
		}
	}
	out, err := s.Scope(t.Context(), before.records["u0000001"].ID)
	if err != nil || !out.Found || !out.InBase.OK || !strings.Contains(out.Locator, "ou=staff") {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestRestoredDirectory (F22): a directory that was put back to an older state shows so by the versions of its records.
func TestRestoredDirectory(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 10, 1)})
	d := directory(t, settings(srv))
	if err := srv.Snapshot(); err != nil {
		t.Fatal(err)
	}
	s := session(t, d)
	rec := complete(t, s).records["u0000003"]
	written, err := s.Apply(t.Context(), update(rec, idbridge.DisplayName, "New"))
	if err != nil || !idbridge.Earlier(rec.Version, written.Version) {
		t.Fatalf("%s, then %s, %v", rec.Version, written.Version, err)
	}
	if err := srv.Restore(); err != nil {
		t.Fatal(err)
	}
	back := complete(t, session(t, d)).records["u0000003"]
	if back.Version != rec.Version || back.ID != rec.ID || !idbridge.Earlier(back.Version, written.Version) {
		t.Errorf("restored: %+v after %+v", back, written)
	}
}
