package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
)

// TestQuarantine is N6: a record that becomes unusable is present; last good values and access stay.
func TestQuarantine(t *testing.T) {
	houses(t, with(20), func(h *house) {
		h.target.Policy.Required = append(h.target.Policy.Required, idbridge.Email)
		h.done()
		h.set("p005", "mail")
		h.set("p006", "displayName", "Six")
		for range 3 {
			rep := h.done()
			if rep.Run.Counts.Quarantined != 1 || rep.Run.Counts.Missing != 0 {
				t.Fatalf("counts: %+v", rep.Run.Counts)
			}
			h.later(time.Hour)
		}
		h.expect("p005", idbridge.Email, "p005@example.org")
		h.expect("p006", idbridge.DisplayName, "Six")
		h.mayAct("p005", true)
		rows, err := h.Quarantine(h.ctx, directoryName)
		if err != nil || len(rows) != 1 || rows[0].Why == "" {
			t.Errorf("quarantine: %+v %v", rows, err)
		}
		h.fixpoint()
		h.set("p005", "mail", "five@example.org")
		h.done()
		h.expect("p005", idbridge.Email, "five@example.org")
		if rows, err := h.Quarantine(h.ctx, directoryName); err != nil || len(rows) != 0 {
			t.Errorf("quarantine: %+v %v", rows, err)
		}
		h.fixpoint()
	})
}

// TestSameLoginNewPerson is N9 and F20: deleted and made again under the same login is somebody else, who inherits nothing.
func TestSameLoginNewPerson(t *testing.T) {
	houses(t, with(20), func(h *house) {
		h.done()
		old, key := h.user("p002"), h.newKey("p002")
		if _, admin := h.access(old.ID); !admin {
			t.Fatal("p002 is no administrator")
		}
		h.remove("p002")
		h.add("p002")
		for range 3 {
			h.run()
			h.later(11 * time.Minute)
		}
		now := h.user("p002")
		if now.ID == old.ID {
			t.Fatal("the new person is the old user")
		}
		if keys, err := h.Keys(h.ctx, now.ID); err != nil || len(keys) != 0 {
			t.Errorf("he inherits keys: %v %v", keys, err)
		}
		if may, _ := h.access(now.ID); !may {
			t.Error("the new person may not act")
		}
		if may, _ := h.access(old.ID); may {
			t.Error("the old person may act")
		}
		h.keyWorks(key, false)
		h.done()
		h.fixpoint()
	})
}

// TestUniqueValues is N10: of two records with one e-mail the second one's is withheld, alone, and released by itself; two
// who swap their addresses, and three in a circle, are right after one run.
func TestUniqueValues(t *testing.T) {
	houses(t, with(20), func(h *house) {
		h.done()
		h.set("p004", "mail", "p003@example.org")
		h.set("p004", "displayName", "Four")
		h.done()
		h.expect("p003", idbridge.Email, "p003@example.org")
		h.expect("p004", idbridge.Email, "p004@example.org")
		h.expect("p004", idbridge.DisplayName, "Four")
		if rows, err := h.Quarantine(h.ctx, directoryName); err != nil || len(rows) != 1 || rows[0].Attribute != idbridge.Email {
			t.Errorf("listed: %+v %v", rows, err)
		}
		h.fixpoint()
		h.set("p003", "mail", "three@example.org")
		h.done()
		h.done()
		h.expect("p003", idbridge.Email, "three@example.org")
		h.expect("p004", idbridge.Email, "p003@example.org")
		if rows, err := h.Quarantine(h.ctx, directoryName); err != nil || len(rows) != 0 {
			t.Errorf("listed: %+v %v", rows, err)
		}
		h.fixpoint()

		h.set("p005", "mail", "p006@example.org")
		h.set("p006", "mail", "p005@example.org")
		h.set("p007", "mail", "p008@example.org")
		h.set("p008", "mail", "p009@example.org")
		h.set("p009", "mail", "p007@example.org")
		h.done()
		for name, want := range map[string]string{"p005": "p006", "p006": "p005", "p007": "p008", "p008": "p009", "p009": "p007"} {
			h.expect(name, idbridge.Email, want+"@example.org")
		}
		h.fixpoint()
	})
}

// TestLoginPassedOn: one is renamed, and a new person gets the old login in the same breath. He is nobody's heir.
func TestLoginPassedOn(t *testing.T) {
	houses(t, with(10), func(h *house) {
		h.done()
		u, key := h.user("p003"), h.newKey("p003")
		h.modify("dn: " + h.dn("p003") + "\nchangetype: modrdn\nnewrdn: uid=anew\ndeleteoldrdn: 1\n\n")
		h.add("p003")
		h.done()
		if got := h.user("anew"); got.ID != u.ID {
			t.Errorf("the renamed person is user %d, was %d", got.ID, u.ID)
		}
		heir := h.user("p003")
		if heir.ID == u.ID {
			t.Fatal("the new person is the old user")
		}
		if keys, err := h.Keys(h.ctx, heir.ID); err != nil || len(keys) != 0 {
			t.Errorf("the new person has keys: %v %v", keys, err)
		}
		h.keyWorks(key, true)
		h.done()
		h.fixpoint()
	})
}

// TestNewDuplicates: of two new records with one e-mail in one listing the one with the smaller id gets it.
func TestNewDuplicates(t *testing.T) {
	houses(t, with(3), func(h *house) {
		h.done()
		h.add("a", "mail", "shared@example.org")
		h.add("b", "mail", "shared@example.org")
		h.done()
		var holders []string
		ids := map[string]string{}
		for _, name := range []string{"a", "b"} {
			u := h.user(name)
			if len(u.Profile[idbridge.Email]) > 0 {
				holders = append(holders, name)
			}
			links, err := h.Links(h.ctx, u.ID)
			if err != nil {
				t.Fatal(err)
			}
			ids[name] = links[0].ID.ID
		}
		want := "a"
		if ids["b"] < ids["a"] {
			want = "b"
		}
		if !slices.Equal(holders, []string{want}) {
			t.Errorf("%v have it, want %s (%v)", holders, want, ids)
		}
		h.done()
		h.fixpoint()
	})
}

// TestDeletedInStore is N16: a user deleted in the store is not made again from his record.
func TestDeletedInStore(t *testing.T) {
	houses(t, with(10), func(h *house) {
		h.done()
		if err := h.DeleteUser(h.ctx, h.user("p004").ID, "ann"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if c := h.done().Run.Counts; c.Created != 0 || c.Held != 1 {
				t.Fatalf("counts: %+v", c)
			}
		}
		if _, err := h.UserByName(h.ctx, "p004"); idbridge.KindOf(err) != idbridge.NotFound {
			t.Errorf("p004: %v", err)
		}
		h.fixpoint()
	})
}

// TestServersSpelling is N18: values that the directory's rules call equal are not sent to and fro.
func TestServersSpelling(t *testing.T) {
	houses(t, with(10), func(h *house) {
		h.done()
		h.edit("p003", phone, "+44 20 7946-0018")
		h.edit("p004", idbridge.DisplayName, "  Person   FOUR ")
		h.push()
		writes := h.writes()
		for range 10 {
			h.run()
		}
		if n := h.writes() - writes; n != 0 {
			t.Errorf("ten runs without an edit made %d writes", n)
		}
		h.fixpoint()
		h.set("p003", "telephoneNumber", "+442079460018") // the same number to everybody
		h.set("p005", "displayName", "PERSON P005")       // another spelling is an edit, and no conflict
		if c := h.done().Run.Counts; c.Conflicts != 0 || c.Sent != 0 {
			t.Errorf("counts: %+v", c)
		}
		h.expect("p005", idbridge.DisplayName, "PERSON P005")
		h.fixpoint()
	})
}

// TestAwayAndBack is N20: absent once and back, nothing changes; absent long enough, suspended, and back, he is the same
// user with the same key.
func TestAwayAndBack(t *testing.T) {
	houses(t, with(20), func(h *house) {
		h.done()
		u, key := h.user("p005"), h.newKey("p005")
		image := h.rows()["users"]
		h.move("p005", h.slapd.PeopleDN, h.slapd.MoreDN)
		rep := h.done()
		if rep.Run.Counts.Missing != 1 || rep.Confirm.IsZero() {
			t.Errorf("%+v, to be confirmed at %s", rep.Run.Counts, rep.Confirm)
		}
		h.keyWorks(key, true)
		h.move("p005", h.slapd.MoreDN, h.slapd.PeopleDN)
		h.done()
		h.keyWorks(key, true)
		if h.rows()["users"] != image {
			t.Error("a user's row changed")
		}
		h.fixpoint()

		h.move("p005", h.slapd.PeopleDN, h.slapd.MoreDN)
		h.done()
		h.later(time.Minute)
		h.done()
		h.keyWorks(key, true) // too early to be a second sighting
		h.later(10 * time.Minute)
		if c := h.done().Run.Counts; c.Suspended != 1 {
			t.Errorf("counts: %+v", c)
		}
		h.keyWorks(key, false)
		h.later(24 * time.Hour)
		h.done()
		h.move("p005", h.slapd.MoreDN, h.slapd.PeopleDN)
		if c := h.done().Run.Counts; c.Restored != 1 {
			t.Errorf("counts: %+v", c)
		}
		if h.user("p005").ID != u.ID {
			t.Error("he came back as another user")
		}
		h.keyWorks(key, true)
		h.fixpoint()

		h.remove("p005")
		for range 4 {
			h.done()
			h.later(16 * 24 * time.Hour)
		}
		if c := h.done().Run.Counts; c.Purged > 1 {
			t.Errorf("counts: %+v", c)
		}
		if _, err := h.UserByName(h.ctx, "p005"); idbridge.KindOf(err) != idbridge.NotFound {
			t.Errorf("after the grace period: %v", err)
		}
		h.fixpoint()
	})
}

// TestSuspensionByHand: what an administrator took, a run does not give back.
func TestSuspensionByHand(t *testing.T) {
	houses(t, with(10), func(h *house) {
		h.done()
		if err := h.SetSuspended(h.ctx, h.user("p004").ID, true, "ann", "on leave"); err != nil {
			t.Fatal(err)
		}
		h.move("p004", h.slapd.PeopleDN, h.slapd.MoreDN)
		h.done()
		h.later(time.Hour)
		h.done()
		h.move("p004", h.slapd.MoreDN, h.slapd.PeopleDN)
		h.done()
		h.mayAct("p004", false)
		h.fixpoint()
	})
}

// TestAdministrators is N21 and R1: out of the group, the role is gone with the next run; the last one is never lost;
// manual roles stay; a group that cannot be read keeps its members.
func TestAdministrators(t *testing.T) {
	houses(t, with(10), func(h *house) {
		h.done()
		first, second := h.user("p001").ID, h.user("p002").ID
		if err := h.GrantRole(h.ctx, second, "AUDITOR", "", "ann"); err != nil {
			t.Fatal(err)
		}
		members := func(uids ...string) {
			var dns []string
			for _, uid := range uids {
				dns = append(dns, h.dn(uid))
			}
			h.modify(testserver.Change(adminsDN, "member", dns...))
		}
		members("p001")
		h.done()
		if _, admin := h.access(second); admin {
			t.Error("p002 left the group and still administers")
		}
		if a, err := h.Access(h.ctx, second); err != nil || !a.Has("AUDITOR", "") {
			t.Errorf("the manual role is gone: %+v %v", a, err)
		}
		h.fixpoint()

		lift := h.rule(`to dn.exact="` + adminsDN + `" attrs=member by dn.exact="cn=admin,dc=example,dc=org" write by * none`)
		h.run()
		if _, admin := h.access(first); !admin {
			t.Error("the group could not be read, and the role is gone")
		}
		lift()

		members("p005") // in one breath: the old one out, a new one in
		h.done()
		if _, admin := h.access(h.user("p005").ID); !admin {
			t.Error("p005 does not administer")
		}
		if _, admin := h.access(first); admin {
			t.Error("p001 still administers")
		}
		h.fixpoint()

		h.remove("p005")
		members("p005x")
		for range 3 {
			h.run()
			h.later(time.Hour)
		}
		if _, admin := h.access(h.accessUser("p005")); !admin {
			t.Error("the last administrator is lost")
		}
	})
}

func (h *house) accessUser(name string) idbridge.UserID {
	h.t.Helper()
	return h.user(name).ID
}

// TestLocalAdministrator is R4: a record that shows a local administrator's e-mail is not linked to him.
func TestLocalAdministrator(t *testing.T) {
	houses(t, with(5), func(h *house) {
		u, err := h.AddUser(h.ctx, idbridge.NewUser{
			Kind: idbridge.Person, By: "cli",
			Profile: idbridge.Profile{idbridge.UserName: {"root"}, idbridge.Email: {"p003@example.org"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.GrantRole(h.ctx, u.ID, idbridge.Admin, "", "cli"); err != nil {
			t.Fatal(err)
		}
		if c := h.done().Run.Counts; c.Created != 4 || c.Held != 1 || c.Linked != 0 {
			t.Errorf("counts: %+v", c)
		}
		if links, err := h.Links(h.ctx, u.ID); err != nil || len(links) != 0 {
			t.Errorf("linked: %v %v", links, err)
		}
		h.fixpoint()
	})
}

// TestChurn is R11: nearly everybody gets the same name. The values wait for approval; access still ends.
func TestChurn(t *testing.T) {
	houses(t, with(60), func(h *house) {
		h.done()
		var ldif strings.Builder
		for i := range 54 {
			ldif.WriteString(testserver.Change(h.dn(fmt.Sprintf("p%03d", i+1)), "displayName", "Mr. Nobody"))
		}
		h.modify(ldif.String())
		h.move("p060", h.slapd.PeopleDN, h.slapd.MoreDN)
		h.run()
		h.later(time.Hour)
		rep := h.run()
		if rep.Run.State != idbridge.RunHeld || rep.Run.Counts.Suspended != 1 {
			t.Fatalf("%s %+v %+v", rep.Run.State, rep.Run.Counts, rep.Plan.Verdicts)
		}
		h.expect("p003", idbridge.DisplayName, "Person p003")
		h.mayAct("p060", false)
		done := h.apply(rep.Plan.Hash)
		if len(done.Stale) != 0 {
			t.Errorf("stale: %v", done.Stale)
		}
		h.expect("p003", idbridge.DisplayName, "Mr. Nobody")
		h.done()
		h.fixpoint()
	})
}
