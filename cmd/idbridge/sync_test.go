package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
)

// TestThousand is the first promise end to end: a thousand people come, edits travel both ways, a double edit gives one
// conflict with three values, and a run without edits writes nothing anywhere.
func TestThousand(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(1000, "p000", "p001")})
		b := newBridge(t, slapd, url, settings{})
		if r := b.sync(0); r.Run.Counts.Created != 1000 || !r.Run.Complete {
			t.Fatalf("first run: %+v", r.Run)
		}
		b.fixpoint()

		b.modify(testserver.Change(personDN("p007"), "mail", "seven@example.org"))
		if r := b.sync(0); r.Run.Counts.Updated != 1 || r.Run.Counts.Unchanged != 999 {
			t.Fatalf("one mail changed: %+v", r.Run.Counts)
		}
		if got := b.user("p007").Profile[idbridge.Email]; got.First() != "seven@example.org" {
			t.Fatalf("email is %q", got)
		}
		b.fixpoint()

		b.must(0, "user", "set", "p008", "phone=+44 20 1234")
		if r := b.sync(0); r.Run.Counts.Settled != 1 {
			t.Fatalf("one phone edited in the store: %+v", r.Run.Counts)
		}
		if text, err := slapd.Search(personDN("p008"), "(objectClass=*)", "telephoneNumber"); err != nil || !strings.Contains(text, "+44 20 1234") {
			t.Fatalf("slapd has %q, %v", text, err)
		}
		b.fixpoint()

		b.must(0, "user", "set", "p009", "title=Lead")
		b.modify(testserver.Change(personDN("p009"), "title", "Senior"))
		if r := b.sync(0); r.Run.Counts.Conflicts != 1 {
			t.Fatalf("both sides edited: %+v", r.Run.Counts)
		}
		shown := b.must(0, "conflicts", "show", "1")
		for _, value := range []string{"Engineer", "Lead", "Senior"} {
			if !strings.Contains(shown, value) {
				t.Errorf("the conflict does not show %q:\n%s", value, shown)
			}
		}
		if got := b.user("p009").Profile["title"]; got.First() != "Senior" {
			t.Errorf("title is %q, want the directory's", got)
		}
		b.fixpoint()
	})
}

// TestAdminLeaves: the answer is current. An administrator removed from the group, then deleted, then put back.
func TestAdminLeaves(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(30, "p000", "p001", "p002")})
		b := newBridge(t, slapd, url, settings{})
		b.sync(0)
		key := strings.TrimSpace(b.must(0, "key", "new", "p001"))
		if key == "" {
			t.Fatal("no key")
		}
		has := func(name string) bool { return len(b.user(name).Grants) > 0 }
		if !has("p001") {
			t.Fatal("p001 is no administrator after the first run")
		}
		b.modify("dn: " + adminGroup + "\nchangetype: modify\ndelete: member\nmember: " + personDN("p001") + "\n\n")
		b.sync(0)
		if has("p001") {
			t.Error("p001 is an administrator still")
		}
		b.fixpoint()

		b.modify("dn: " + personDN("p001") + "\nchangetype: delete\n\n")
		if r := b.sync(0); r.Run.Counts.Missing != 1 || r.Run.Counts.Suspended != 0 {
			t.Errorf("first listing without him: %+v", r.Run.Counts)
		}
		if u := b.user("p001"); !*u.May {
			t.Error("suspended after one listing")
		}
		if r := b.sync(0); r.Run.Counts.Suspended != 1 {
			t.Errorf("second listing without him: %+v", r.Run.Counts)
		}
		if u := b.user("p001"); *u.May || len(u.Keys) != 1 {
			t.Errorf("not suspended, or his key is gone: %+v", u)
		}
		// Two more listings confirm what a purge after the grace period will need; then nothing moves any more.
		b.sync(0)
		b.sync(0)
		b.fixpoint()

		// A new entry of the same name is a new person, who inherits nothing; the old one stays suspended.
		old := b.user("p001").ID
		b.modify(strings.Replace(person("p001"), "\nobjectClass", "\nchangetype: add\nobjectClass", 1))
		b.sync(0)
		if u := b.user("p001"); u.ID == old || !*u.May || len(u.Keys) != 0 || len(u.Grants) != 0 {
			t.Errorf("the stranger inherited something: %+v", u)
		}
		if u := b.user(fmt.Sprint(old)); *u.May || len(u.Keys) != 1 {
			t.Errorf("the suspended user was revived by a stranger's entry: %+v", u)
		}
		b.fixpoint()
	})
}

// TestReturn: an entry that comes back with its entryUUID is the same person, and his key works again.
func TestReturn(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(30, "p000")})
		b := newBridge(t, slapd, url, settings{})
		b.sync(0)
		id := b.user("p003").ID
		b.must(0, "key", "new", "p003")
		entry, err := slapd.Search(personDN("p003"), "(objectClass=*)", "*", "entryUUID")
		if err != nil {
			t.Fatal(err)
		}
		b.modify("dn: " + personDN("p003") + "\nchangetype: delete\n\n")
		b.sync(0)
		b.sync(0)
		if u := b.user("p003"); *u.May {
			t.Fatal("not suspended")
		}
		restore(t, slapd, entry)
		if r := b.sync(0); r.Run.Counts.Restored != 1 {
			t.Errorf("he is back: %+v", r.Run.Counts)
		}
		u := b.user("p003")
		if !*u.May || u.ID != id || len(u.Keys) != 1 || u.Keys[0].State(time.Now()) != idbridge.KeyActive {
			t.Errorf("not the same person with the same key: %+v", u)
		}
		b.fixpoint()
	})
}

// restore puts an entry back with its operational attributes, as a restored backup does.
func restore(t *testing.T, slapd *testserver.SlapdServer, entry string) {
	t.Helper()
	slapd.Stop()
	file := filepath.Join(t.TempDir(), "entry.ldif")
	if err := os.WriteFile(file, []byte(entry), 0o600); err != nil {
		t.Fatal(err)
	}
	program := testserver.Need(t, "slapadd")
	out, err := exec.Command(program, "-f", filepath.Join(slapd.Dir, "slapd.conf"), "-b", slapd.BaseDN, "-l", file).CombinedOutput()
	if err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	if err := slapd.Start(); err != nil {
		t.Fatal(err)
	}
}

// TestHeld: a third of the people goes at once. Nothing is applied until somebody approves.
func TestHeld(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(100, "p099", "p098")})
		b := newBridge(t, slapd, url, settings{})
		b.sync(0)
		var ldif strings.Builder
		for i := range 30 {
			fmt.Fprintf(&ldif, "dn: %s\nchangetype: delete\n\n", personDN(fmt.Sprintf("p%03d", i)))
		}
		b.modify(ldif.String())
		// The first sighting suspends nobody; the second one would, and is held.
		r := b.sync(0)
		if r.Run.Counts.Missing != 30 {
			t.Fatalf("first sighting: %+v", r.Run.Counts)
		}
		r = b.sync(4)
		if !r.Held || r.Run.Counts.Suspended != 0 {
			t.Fatalf("30 %% gone and not held: %+v", r.Run)
		}
		if u := b.user("p005"); !*u.May {
			t.Fatal("suspended by a held plan")
		}
		if got, _, _ := b.do("approve", r.Plan.Hash[:12]); got != 1 {
			t.Errorf("approve without its number: exit %d", got)
		}
		b.must(0, "approve", r.Plan.Hash[:12], "--removals", "30")
		if u := b.user("p005"); *u.May {
			t.Fatal("not suspended by the approved plan")
		}
		if u := b.user("p050"); !*u.May {
			t.Fatal("a bystander is suspended")
		}
		b.sync(0) // two more sightings, for the purge after the grace period
		b.sync(0)
		b.fixpoint()
	})
}
