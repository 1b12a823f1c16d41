package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

// company starts slapd with n people, two of them administrators, and does the first run.
func company(t *testing.T, url string, n int) *bridge {
	t.Helper()
	b := newBridge(t, testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(n, "p000", "p001")}), url, settings{})
	b.sync(0)
	return b
}

// untouched checks that nothing of the store but runs and what they note changed since before was taken.
func (b *bridge) untouched(before map[string]string) {
	b.t.Helper()
	for table, digest := range b.digests() {
		switch table {
		case "runs", "lease", "source", "plans", "plan_decision", "audit", "counter":
			continue
		}
		if digest != before[table] {
			b.t.Errorf("table %s changed", table)
		}
	}
}

// TestF01EmptySuccess: a directory that answers "success" and shows nobody, not even its canary, has no effect at all, and one alarm says so.
func TestF01EmptySuccess(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 40)
		proxy := b.through()
		b.sync(0)
		before, writes := b.digests(), b.writes()
		empty := proxy.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Under: b.slapd.BaseDN, Do: ldapsim.Empty, Times: -1})
		alarms := 0
		for range 3 {
			code, out, errs := b.do("sync", "--once")
			if code != int(exitUnreachable) {
				t.Fatalf("exit %d, want 6\n%s%s", code, out, errs)
			}
			alarms += strings.Count(errs, "msg=alarm ")
		}
		if alarms != 1 {
			t.Errorf("%d alarms in three runs, want one", alarms)
		}
		if empty.Count() == 0 {
			t.Fatal("the fault never struck")
		}
		b.untouched(before)
		if n := b.writes() - writes; n != 0 {
			t.Errorf("%d writes in the directory", n)
		}
		empty.Disarm()
		b.sync(0)
		b.fixpoint()
	})
}

// TestF02CutListing: a connection that is cut in the middle of a listing proves nobody's absence; the bookmark stays and the next run reads everything.
func TestF02CutListing(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 130)
		proxy := b.through()
		b.swap("    base_dn:", "    page_size: 10\n    base_dn:")
		b.sync(0)
		before := b.digests()
		// Page 8 of 13 and every later one ends in the air.
		cut := proxy.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Filter: "inetOrgPerson", After: 7, Times: -1, Do: ldapsim.Cut, N: 3})
		for range 2 {
			b.must(int(exitUnreachable), "sync", "--once")
		}
		if cut.Count() == 0 {
			t.Fatal("the fault never struck")
		}
		b.untouched(before)
		cut.Disarm()
		if r := b.sync(0); r.Run.Counts.Seen != 130 || !r.Run.Complete {
			t.Errorf("the next run: %+v", r.Run)
		}
		b.fixpoint()
	})
}

// TestF03SizeLimit: a listing that ends at the server's size limit proves nobody's absence, and the message names the limit and what to do.
func TestF03SizeLimit(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 130)
		before := b.digests()
		if err := b.slapd.SetSizeLimit(100); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, out, errs := b.do("sync", "--once")
			for _, word := range []string{"size", "limit"} {
				if !strings.Contains(out+errs, word) {
					t.Errorf("%q is not named:\n%s%s", word, out, errs)
				}
			}
		}
		b.untouched(before)
		if status := b.must(0, "status"); !strings.Contains(strings.ToLower(status), "size limit") {
			t.Errorf("status does not say it:\n%s", status)
		}
		if err := b.slapd.SetSizeLimit(0); err != nil {
			t.Fatal(err)
		}
		b.sync(0)
		b.fixpoint()
	})
}

// TestF04VanishedPart: when an eighth of the people vanishes at once the plan is held; approval applies exactly that plan, and leaves out who moved since.
func TestF04VanishedPart(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 60)
		b.modify("dn: ou=gone,dc=example,dc=org\nchangetype: add\nobjectClass: organizationalUnit\nou: gone\n\n")
		b.swap(`base_dn: "dc=example,dc=org"`, `base_dn: "dc=example,dc=org"`+"\n    users: {filter: \"(objectClass=inetOrgPerson)\", base: \"ou=people,dc=example,dc=org\"}")
		b.swap("    users: {filter: \"(objectClass=inetOrgPerson)\"}\n", "")
		b.sync(0)
		b.sync(0)
		for i := range 8 {
			b.modify(testserver.Move(personDN(fmt.Sprintf("p%03d", 20+i)), "", "ou=gone,dc=example,dc=org"))
		}
		b.sync(0)
		before := b.digests()
		held := b.sync(int(exitHeld))
		if held.Plan.Counts.Suspended != 8 {
			t.Fatalf("the plan: %+v", held.Plan.Counts)
		}
		b.untouched(before)
		b.modify(testserver.Move("uid=p020,ou=gone,dc=example,dc=org", "", "ou=people,dc=example,dc=org"))
		code, out, errs := b.do("approve", held.Plan.Hash, "--removals", "8")
		if code != 0 || !strings.Contains(out, "p020") {
			t.Fatalf("approve: exit %d\n%s%s", code, out, errs)
		}
		if u := b.user("p020"); !*u.May {
			t.Error("p020 came back before the approval and was suspended all the same")
		}
		for i := 1; i < 8; i++ {
			if u := b.user(fmt.Sprintf("p%03d", 20+i)); *u.May {
				t.Errorf("%s was approved to be suspended and is not", u.UserName)
			}
		}
		if u := b.user("p030"); !*u.May {
			t.Error("somebody who was not in the plan is suspended")
		}
		b.sync(0)
		b.fixpoint()
	})
}

// TestF06AnswerLost: a change that reached the directory while its answer was lost is read back and counted once, never made twice.
func TestF06AnswerLost(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 20)
		proxy := b.through()
		b.sync(0)
		b.must(0, "user", "set", "p006", "phone=+44 6")
		writes := b.writes()
		lost := proxy.Fault(ldapsim.Fault{Op: ldapsim.OpModify, Do: ldapsim.CutBytes})
		b.do("sync", "--once")
		if lost.Count() != 1 {
			t.Fatal("the fault never struck")
		}
		b.sync(0)
		if n := b.writes() - writes; n != 1 {
			t.Errorf("%d writes in the directory, want one", n)
		}
		if text, err := b.slapd.Search(personDN("p006"), "(objectClass=*)", "telephoneNumber"); err != nil || !strings.Contains(text, "+44 6") {
			t.Errorf("slapd has %q, %v", text, err)
		}
		if n := strings.Count(b.must(0, "conflicts", "--all"), "p006"); n != 0 {
			t.Errorf("%d conflicts about a change that was ours", n)
		}
		b.fixpoint()
	})
}

// TestF08EditBetween: an administrator's edit between our read and our write is never overwritten unseen: both values are kept in a conflict row.
func TestF08EditBetween(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		for _, attribute := range []string{"title", "telephoneNumber"} {
			t.Run(attribute, func(t *testing.T) {
				if url != "" {
					url = testserver.Postgres(t)
				}
				b := company(t, url, 20)
				proxy := b.through()
				b.sync(0)
				ours := map[string]string{"title": "title=Lead", "telephoneNumber": "phone=+44 6"}[attribute]
				b.must(0, "user", "set", "p006", ours)
				// The modify waits in the proxy until somebody else has written.
				late := proxy.Fault(ldapsim.Fault{Op: ldapsim.OpModify, Do: ldapsim.Delay})
				edited := make(chan error, 1)
				go func() {
					<-late.Struck()
					edited <- b.slapd.Modify(testserver.Change(personDN("p006"), attribute, "+44 999"))
					late.Release()
				}()
				b.do("sync", "--once")
				if err := <-edited; err != nil {
					t.Fatal(err)
				}
				b.sync(0)
				text, err := b.slapd.Search(personDN("p006"), "(objectClass=*)", attribute)
				if err != nil || !strings.Contains(text, "+44 999") {
					t.Errorf("the administrator's value is gone from the directory: %q %v", text, err)
				}
				shown := b.must(0, "-o", "json", "conflicts", "--all")
				_, value, _ := strings.Cut(ours, "=")
				if !strings.Contains(shown, value) || !strings.Contains(shown, "+44 999") {
					t.Errorf("the conflict does not keep both values:\n%s", shown)
				}
				b.fixpoint()
			})
		}
	})
}

// TestF16TwoDaemons: a second daemon on the same SQLite file is turned away with exit 75, and the first one is not disturbed.
func TestF16TwoDaemons(t *testing.T) {
	b := company(t, "", 10)
	b.serve()
	b.says(int(exitLocked), []string{"another process has the store open", "stop that one"}, "serve")
	if u := b.user("p003"); !*u.May {
		t.Error("the first daemon was disturbed")
	}
}

// TestF20SameLogin: an entry that is deleted and made again under the same login is a new person, who inherits neither key nor role.
func TestF20SameLogin(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 30)
		b.must(0, "key", "new", "p001")
		old := b.user("p001").ID
		b.modify("dn: " + personDN("p001") + "\nchangetype: delete\n\n")
		b.modify("dn: " + adminGroup + "\nchangetype: modify\ndelete: member\nmember: " + personDN("p001") + "\n\n")
		b.modify(strings.Replace(person("p001"), "\nobjectClass", "\nchangetype: add\nobjectClass", 1))
		b.must(0, "sync", "--once")
		b.must(0, "sync", "--once")
		u := b.user("p001")
		if u.ID == old || len(u.Keys) != 0 || len(u.Grants) != 0 {
			t.Errorf("the new person has id %d (was %d), %d keys, %d roles", u.ID, old, len(u.Keys), len(u.Grants))
		}
		if was := b.user(fmt.Sprint(old)); *was.May || len(was.Grants) != 0 {
			t.Errorf("the old person may act (%t) with %d roles", *was.May, len(was.Grants))
		}
		b.sync(0) // that he is missing is counted three times
		b.sync(0)
		b.fixpoint()
	})
}

// TestF21MovedRenamedRecased: a record that is moved, renamed and recased within one interval stays the same user, without a removal or a creation.
func TestF21MovedRenamedRecased(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 30)
		b.must(0, "key", "new", "p007")
		old := b.user("p007")
		b.modify("dn: ou=Staff,dc=example,dc=org\nchangetype: add\nobjectClass: organizationalUnit\nou: Staff\n\n")
		b.modify(testserver.Move(personDN("p007"), "uid=P007X", "ou=Staff,dc=example,dc=org"))
		b.modify(testserver.Change("uid=P007X,ou=Staff,dc=example,dc=org", "mail", "P007@EXAMPLE.org"))
		r := b.sync(0)
		if c := r.Run.Counts; c.Created+c.Missing+c.Suspended != 0 || c.Updated != 1 {
			t.Errorf("the run: %+v", c)
		}
		u := b.user("P007X")
		if u.ID != old.ID || len(u.Keys) != 1 || u.Profile[idbridge.Email].First() != "P007@EXAMPLE.org" {
			t.Errorf("the user: %+v", u)
		}
		b.fixpoint()
	})
}
