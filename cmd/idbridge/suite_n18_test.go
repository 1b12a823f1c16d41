package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldapsim"
	"github.com/idbridge/idbridge/sync/plan"
)

// TestN18ServerNormalises: a server that stores what it is given in its own spelling (trimmed, in small letters, without
// spaces) is written to once, and then both sides rest.
//
// Univention bugs 18501, 51647; FreeIPA's rule for cn.
func TestN18ServerNormalises(t *testing.T) {
	cases := []struct {
		name, attribute, ours, theirs string
		rewrite                       ldapsim.Rewrite
	}{
		{"spaces of a phone", "phone", "+44 20 7946 0018", "+442079460018", ldapsim.Rewrite{Attribute: "telephoneNumber", How: ldapsim.Compact}},
		{"trimmed", "displayName", "Ada   Lovelace", "Ada Lovelace", ldapsim.Rewrite{Attribute: "displayName", How: ldapsim.Trim}},
		{"title in small letters", "title", "LEAD Engineer", "lead engineer", ldapsim.Rewrite{Attribute: "title", How: ldapsim.Lower}},
		{"mail in small letters", "email", "Ada@Example.org", "ada@example.org", ldapsim.Rewrite{Attribute: "mail", How: ldapsim.Lower}},
		{"another value altogether", "title", "Head of All", "HeadofAll", ldapsim.Rewrite{Attribute: "title", How: ldapsim.Compact}},
	}
	parts(t, part{"all", func(t *testing.T, url string) {
		s := newSim(t, url, people(20, "p000"), ldapsim.Config{}, settings{})
		s.run(exitDone)
		for i, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				s, uid := &sim{s.in(t), s.server}, login("p", 3+i)
				if err := s.server.SetRewrites(c.rewrite); err != nil {
					t.Fatal(err)
				}
				before := s.written()
				s.must(0, "user", "set", uid, c.attribute+"="+c.ours)
				s.run(exitDone)
				s.run(exitDone) // takes over what the server made of it, where that is another value
				for range 10 {
					s.still()
				}
				if n := s.written() - before; n != 1 {
					t.Errorf("%d writes for one edit", n)
				}
				if e, _ := s.server.Entry(personDN(uid)); e[c.rewrite.Attribute][0] != c.theirs {
					t.Errorf("the server did not rewrite: %q", e[c.rewrite.Attribute])
				}
				if text := s.must(0, "conflicts", "--all"); strings.Contains(text, uid) {
					t.Errorf("a conflict:\n%s", text)
				}
				if rows := s.quarantine(); len(rows) > 0 {
					t.Errorf("in quarantine: %+v", rows)
				}
			})
		}
	}})
}

// TestN19LaggingReplica: when reads come from a replica that is behind, a change just written is neither taken back nor
// written again, and nobody is missed.
//
// Keycloak #29206; nulib/meadow PR 432.
func TestN19LaggingReplica(t *testing.T) {
	parts(t, part{"modify", func(t *testing.T, url string) {
		s := newSim(t, url, people(30, "p000"), ldapsim.Config{}, settings{})
		s.run(exitDone)
		s.server.Lag(true)
		s.must(0, "user", "set", "p005", "phone=+44 5")
		s.do("sync", "--once")
		before := s.written()
		if before == 0 {
			t.Fatal("nothing was written")
		}
		for range 3 {
			_, out, _ := s.do("-o", "json", "sync", "--once")
			if r := s.report(out); r.Run.Counts.Missing+r.Run.Counts.Suspended+r.Run.Counts.Created+r.Run.Counts.Pulls > 0 {
				t.Errorf("an old copy was believed: %+v", r.Run.Counts)
			}
			if got := s.user("p005").Profile["phone"].First(); got != "+44 5" {
				t.Errorf("the edit was taken back: %q", got)
			}
		}
		if n := s.written() - before; n != 0 {
			t.Errorf("%d more writes", n)
		}
		s.server.Lag(false)
		s.run(exitDone)
		if e, _ := s.server.Entry(personDN("p005")); len(e["telephoneNumber"]) != 1 || e["telephoneNumber"][0] != "+44 5" {
			t.Errorf("the directory has %q", e["telephoneNumber"])
		}
		s.still()
	}})
}

// TestN20AwayAndBack: who is missing from one listing and then back notices nothing; who was away long enough to be
// suspended is refused meanwhile and comes back with the same keys and roles; nobody is purged before the grace period is
// over and two more listings have confirmed it.
//
// Keycloak #37823 (OTP secrets lost), #20177, #24669; authentik #19295; multiOTP #59.
func TestN20AwayAndBack(t *testing.T) {
	parts(t, part{"all", func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(30, "p000", "p003", "p004")})
		b := newBridge(t, slapd, url, settings{})
		b.run(exitDone)
		entries, was := map[string]string{}, map[string]shownUser{}
		for _, uid := range []string{"p003", "p004", "p005"} {
			b.must(0, "key", "new", uid)
			b.must(0, "role", "grant", uid, "oncall")
			was[uid] = b.user(uid)
			text, err := slapd.Search(personDN(uid), "(objectClass=*)", "*", "entryUUID")
			if err != nil {
				t.Fatal(err)
			}
			entries[uid] = text
		}
		same := func(uid string) {
			t.Helper()
			u, w := b.user(uid), was[uid]
			if !*u.May || u.ID != w.ID || len(u.Keys) != 1 || u.Keys[0].ID != w.Keys[0].ID || u.Keys[0].State(time.Now()) != idbridge.KeyActive ||
				len(u.Grants) != len(w.Grants) {
				t.Errorf("%s is not as he was: %+v\nwas %+v", uid, u, w)
			}
		}
		b.remove("p003", "p004", "p005")
		if n := b.run(exitDone).Run.Counts; n.Missing != 3 || n.Suspended != 0 {
			t.Errorf("first sighting: %+v", n)
		}
		b.may(true, "p003", "p004", "p005")
		restore(t, slapd, entries["p003"])
		if n := b.run(exitDone).Run.Counts; n.Suspended != 2 {
			t.Errorf("second sighting: %+v", n)
		}
		same("p003")
		b.may(false, "p004", "p005")
		if u := b.user("p004"); len(u.Keys) != 1 {
			t.Errorf("the key of a suspended user is gone: %+v", u)
		}
		restore(t, slapd, entries["p004"])
		if n := b.run(exitDone).Run.Counts; n.Restored != 1 {
			t.Errorf("back: %+v", n)
		}
		same("p004")
		same("p003")

		long := fmt.Sprintf("UPDATE links SET since = since - %d WHERE state = 'missing'", (31 * 24 * time.Hour).Microseconds())
		b.edit(url, long) // the grace period passes
		if n := b.run(exitDone).Run.Counts; n.Purged != 1 {
			t.Errorf("after the grace period and two more listings: %+v", n)
		}
		if code, out, _ := b.do("user", "show", "p005"); code == 0 {
			t.Errorf("not purged:\n%s", out)
		}
		b.remove("p006")
		b.run(exitDone)
		b.run(exitDone)
		b.edit(url, long)
		if n := b.run(exitDone).Run.Counts; n.Purged != 0 {
			t.Errorf("purged after one listing: %+v", n)
		}
		b.may(false, "p006")
	}})
}

// TestN21LastAdministrator: no run leaves the system without an administrator who can sign in: what would is held with a
// warning, a group that cannot be read keeps its roles, and handing over from one to the other works.
//
// defguard #3184; Zammad #2738; NginxProxyManager PR 5797; Grafana PR 20326.
func TestN21LastAdministrator(t *testing.T) {
	admin := func(b *bridge, name string) bool { return len(b.user(name).Grants) == 1 }
	start := func(t *testing.T, url string) *bridge {
		t.Helper()
		b := newBridge(t, testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(30, "p000")}), url, settings{})
		b.run(exitDone)
		return b
	}
	drop := map[string]func(b *bridge){
		"removed from the group": func(b *bridge) { b.modify(testserver.Change(adminGroup, "member", personDN("nobody"))) },
		"the group is deleted":   func(b *bridge) { b.modify("dn: " + adminGroup + "\nchangetype: delete\n\n") },
		"his entry is deleted": func(b *bridge) {
			b.remove("p000")
			b.run(exitDone) // missing once; the group still names him
		},
	}
	list := []part{
		{"group search fails", func(t *testing.T, url string) {
			b := start(t, url)
			proxy := b.through()
			b.run(exitDone)
			armed := proxy.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Filter: "groupOfNames", Do: ldapsim.Refuse, Code: ldapsim.Busy, Times: -1})
			b.intact(func() {
				b.run(exitUnreachable)
				b.run(exitUnreachable)
			})
			if !admin(b, "p000") {
				t.Error("the role is gone")
			}
			armed.Disarm()
			b.fixpoint()
		}},
		{"handed over", func(t *testing.T, url string) {
			b := start(t, url)
			b.modify(testserver.Change(adminGroup, "member", personDN("p001")))
			b.run(exitDone)
			if admin(b, "p000") || !admin(b, "p001") {
				t.Error("the role did not change hands")
			}
			b.fixpoint()
		}},
	}
	for name, f := range drop {
		list = append(list, part{name, func(t *testing.T, url string) {
			b := start(t, url)
			f(b)
			b.intact(func() {
				r := b.run(exitHeld)
				b.held(&r, plan.GuardAdmins)
				b.tells(&r, "p000", "administer")
			})
			if !admin(b, "p000") {
				t.Error("nobody can administer")
			}
			b.may(true, "p000")
		}})
	}
	parts(t, list...)
}

// TestN22Clocks: no change is lost when the directory's clock is minutes wrong or jumps, when two changes fall into one
// second, or when the bookmark is lost, foreign or refused: the directory is then read in full, once.
//
// Keycloak #46367; LSC's clock in memory; Okta's rule for domain controllers; lithnet #180. This release lists in full each
// time, so no change is chosen by a time; what a bookmark is kept for is to know the server and the settings it came from.
func TestN22Clocks(t *testing.T) {
	parts(t,
		part{"clock of the server", func(t *testing.T, url string) {
			var skew atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }
			s := newSim(t, url, people(30, "p000"), ldapsim.Config{Now: now}, settings{})
			s.run(exitDone)
			for i, by := range []time.Duration{5 * time.Minute, -5 * time.Minute, time.Hour, -time.Hour, 0} {
				skew.Store(int64(by))
				title := fmt.Sprintf("Title %d", i)
				s.apply(testserver.Change(personDN("p005"), "title", title))
				s.run(exitDone)
				if got := s.user("p005").Profile["title"].First(); got != title {
					t.Errorf("clock %v: title %q", by, got)
				}
				s.still()
			}
		}},
		part{"two changes in one second", func(t *testing.T, url string) {
			at := time.Now()
			s := newSim(t, url, people(30, "p000"), ldapsim.Config{Now: func() time.Time { return at }}, settings{})
			s.run(exitDone)
			for i := range 3 {
				title := fmt.Sprintf("Title %d", i)
				s.apply(testserver.Change(personDN("p005"), "title", title) + testserver.Change(personDN("p006"), "title", title))
				s.run(exitDone)
				if s.user("p005").Profile["title"].First() != title || s.user("p006").Profile["title"].First() != title {
					t.Errorf("change %d is lost", i)
				}
			}
			s.still()
		}},
		part{"bookmark", func(t *testing.T, url string) {
			slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(30, "p000")})
			b := newBridge(t, slapd, url, settings{})
			b.run(exitDone)
			good := b.source().Cursor
			for i, cursor := range []string{"", "garbage", `{"v":99}`, strings.Replace(string(good), "OpenLDAP", "Elsewhere", 1), `{"v":1,"feed":"syncrepl","cookie":"x"}`} {
				b.edit(url, "UPDATE source SET cursor_text = '"+cursor+"'")
				title := fmt.Sprintf("Title %d", i)
				b.modify(testserver.Change(personDN("p005"), "title", title))
				if r := b.run(exitDone); r.Run.Counts.Updated != 1 || !r.Run.Complete {
					t.Errorf("%q: %+v", cursor, r.Run.Counts)
				}
				if now := b.source().Cursor; now != good {
					t.Errorf("%q: the bookmark is %q now", cursor, now)
				}
				b.fixpoint()
			}
		}},
	)
}
