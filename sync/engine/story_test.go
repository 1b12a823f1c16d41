package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/sync/plan"
)

func with(n int) testserver.SlapdOptions { return testserver.SlapdOptions{LDIF: crowd(n)} }

// TestBothWays: a first import, an edit on each side, and N17: both sides changed different attributes, the same one to
// the same value, the same one to different values.
func TestBothWays(t *testing.T) {
	houses(t, with(120), func(h *house) {
		if rep := h.done(); rep.Run.Counts.Created != 120 || !rep.Run.Complete {
			t.Fatalf("first import: %+v", rep.Run.Counts)
		}
		if rep := h.done(); rep.Run.Counts.Unchanged != 120 {
			t.Fatalf("second run: %+v", rep.Run.Counts)
		}
		h.fixpoint()

		h.set("p010", "mail", "ten@example.org")
		h.done()
		h.expect("p010", idbridge.Email, "ten@example.org")

		h.edit("p011", idbridge.Email, "eleven@example.org")
		h.push()
		h.shows("p011", "mail", "eleven@example.org")
		if rep := h.push(); rep.Run.ID != 0 {
			t.Errorf("nothing waits, and yet a run was made: %+v", rep.Run)
		}
		h.fixpoint()

		h.set("p012", "displayName", "Twelve")
		h.edit("p012", idbridge.Email, "twelve@example.org")
		h.set("p013", "mail", "same@example.org")
		h.edit("p013", idbridge.Email, "same@example.org")
		h.set("p014", "mail", "dir@example.org")
		h.edit("p014", idbridge.Email, "store@example.org")
		rep := h.done()
		if c := rep.Run.Counts; c.Conflicts != 1 || c.Sent != 1 || c.Settled != 1 {
			t.Errorf("counts: %+v", c)
		}
		h.expect("p012", idbridge.DisplayName, "Twelve")
		h.shows("p012", "mail", "twelve@example.org")
		h.expect("p014", idbridge.Email, "dir@example.org")
		h.shows("p014", "mail", "dir@example.org")
		rows, err := h.Conflicts(h.ctx, idbridge.ConflictFilter{Limit: 10})
		if err != nil || len(rows) != 1 {
			t.Fatalf("conflicts: %v %v", rows, err)
		}
		c := rows[0]
		if c.Base.First() != "p014@example.org" || c.Store.First() != "store@example.org" || c.Directory.First() != "dir@example.org" ||
			c.Winner != idbridge.DirectoryWinner {
			t.Errorf("the row says %+v", c)
		}
		h.push() // what the run did is not waiting any more
		h.fixpoint()
	})
}

// TestStoreWins: under on_conflict: store the directory is overwritten, its value kept, and the next run is idle.
func TestStoreWins(t *testing.T) {
	houses(t, with(5), func(h *house) {
		h.target.Policy.Rules[idbridge.Email] = plan.Rule{Flow: plan.Both, OnConflict: plan.PreferStore}
		h.done()
		h.set("p003", "mail", "dir@example.org")
		h.edit("p003", idbridge.Email, "store@example.org")
		if c := h.done().Run.Counts; c.Conflicts != 1 || c.Settled != 1 {
			t.Errorf("counts: %+v", c)
		}
		h.shows("p003", "mail", "store@example.org")
		h.push()
		h.fixpoint()
	})
}

// TestServerDies is N1 and F2: slapd is killed in the middle of a listing. Nothing follows, and the next good run is clean.
func TestServerDies(t *testing.T) {
	houses(t, with(300), func(h *house) {
		h.done()
		before := h.rows()
		whole := h.target.Directory
		h.target.Directory = &meddling{Directory: whole, after: 40, do: h.slapd.Kill}
		rep, err := h.runs()
		if err == nil || rep.Run.State == idbridge.RunDone {
			t.Fatalf("a listing that broke off gave %v, %s", err, rep.Run.State)
		}
		if got := h.rows(); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("rows changed:\n%v\n%v", before, got)
		}
		if names := h.refused(); len(names) > 0 {
			t.Errorf("refused: %v", names)
		}
		h.edit("p005", idbridge.Email, "five@example.org")
		if _, err := h.engine.Push(h.ctx, h.target, h.epoch, 10); err == nil {
			t.Error("a push to a directory that is down gave no error")
		}
		if edits, err := h.Outbox(h.ctx, directoryName, 10); err != nil || len(edits) != 1 {
			t.Errorf("the outbox has %v, %v", edits, err)
		}
		if err := h.slapd.Start(); err != nil {
			t.Fatal(err)
		}
		h.target.Directory = whole
		h.push()
		h.shows("p005", "mail", "five@example.org")
		h.done()
		h.fixpoint()
	})
}

// TestNobodyShown is N2: success with no entry, because the right to read the people was lost, is refused.
func TestNobodyShown(t *testing.T) {
	houses(t, with(30), func(h *house) {
		h.done()
		key := h.newKey("p004")
		lift := h.rule(`to dn.children="ou=people,dc=example,dc=org" by dn.exact="cn=admin,dc=example,dc=org" write by * none`)
		before := h.rows()
		for range 3 {
			rep := h.run()
			if rep.Run.State != idbridge.RunHeld && rep.Run.State != idbridge.RunIncomplete {
				t.Fatalf("a directory that shows nobody: %s, %+v", rep.Run.State, rep.Run.Counts)
			}
			h.later(time.Hour)
		}
		after := h.rows()
		for _, table := range []string{"plans", "plan_decision"} { // the plan that waits
			delete(before, table)
			delete(after, table)
		}
		if fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("rows changed:\n%v\n%v", before, after)
		}
		h.keyWorks(key, true)
		lift()
		h.done()
		h.keyWorks(key, true)
		if names := h.refused(); len(names) > 0 {
			t.Errorf("refused: %v", names)
		}
		h.fixpoint()
	})
}

// TestSizeLimit is N3 and F3: what a cut listing shows is merged, what it does not show is not gone.
func TestSizeLimit(t *testing.T) {
	houses(t, with(90), func(h *house) {
		h.done()
		if err := h.slapd.SetSizeLimit(60); err != nil {
			t.Fatal(err)
		}
		h.set("p002", "displayName", "Two")
		for range 3 {
			rep := h.run()
			if rep.Run.State != idbridge.RunIncomplete || rep.Run.Complete {
				t.Fatalf("a cut listing: %s, %+v", rep.Run.State, rep.Run.Counts)
			}
			h.later(time.Hour)
		}
		if names := h.refused(); len(names) > 0 {
			t.Errorf("refused: %v", names)
		}
		h.expect("p002", idbridge.DisplayName, "Two")
		if err := h.slapd.SetSizeLimit(0); err != nil {
			t.Fatal(err)
		}
		h.done()
		h.fixpoint()
	})
}

// TestLostRight is R2: an attribute that nobody shows any more is unreadable, not empty. What one person lacks is empty.
func TestLostRight(t *testing.T) {
	houses(t, with(40), func(h *house) {
		h.done()
		lift := h.rule(`to attrs=mail by dn.exact="cn=admin,dc=example,dc=org" write by * none`)
		for range 3 {
			h.run()
			h.expect("p007", idbridge.Email, "p007@example.org")
			h.later(time.Hour)
		}
		lift()
		h.done()
		h.set("p007", "mail")
		h.done()
		h.expect("p007", idbridge.Email)
		h.expect("p008", idbridge.Email, "p008@example.org")
		h.fixpoint()
	})
}

// TestManyRemoved: 30 % of the people vanish at once. The plan is held, nothing is applied, approval applies it. I11.
func TestManyRemoved(t *testing.T) {
	houses(t, with(100), func(h *house) {
		h.done()
		key := h.newKey("p090")
		for i := 71; i <= 100; i++ {
			h.remove(fmt.Sprintf("p%03d", i))
		}
		if c := h.done().Run.Counts; c.Missing != 30 || c.Suspended != 0 {
			t.Fatalf("first sighting: %+v", c)
		}
		h.keyWorks(key, true)
		h.later(11 * time.Minute)
		links := h.rows()["links"]
		rep := h.run()
		if rep.Run.State != idbridge.RunHeld || !rep.Held || rep.Plan.Counts.Suspended != 30 {
			t.Fatalf("second sighting: %s, %+v", rep.Run.State, rep.Plan.Counts)
		}
		if h.rows()["links"] != links || len(h.refused()) > 0 {
			t.Error("a held plan had effects")
		}
		again := h.run()
		if again.Plan.Hash != rep.Plan.Hash {
			t.Errorf("the same plan has two hashes: %s, %s", rep.Plan.Hash, again.Plan.Hash)
		}
		h.add("p095") // under the same login, but somebody else; the old record stays away
		done := h.apply(rep.Plan.Hash[:8])
		if done.Run.State != idbridge.RunDone || done.Run.Counts.Suspended != 30 {
			t.Fatalf("approved: %s %+v, stale %v", done.Run.State, done.Run.Counts, done.Stale)
		}
		h.keyWorks(key, false)
		if n := len(h.refused()); n != 30 {
			t.Errorf("%d are refused", n)
		}
		if _, err := h.engine.Apply(h.ctx, h.target, rep.Plan.Hash, "ann", h.epoch); idbridge.KindOf(err) != idbridge.Conflicting {
			t.Errorf("applied twice: %v", err)
		}
		h.done()
		h.done()
		h.fixpoint()
	})
}

// TestApprovedPlanGoesStale: who is back when the plan is approved stays, and is named.
func TestApprovedPlanGoesStale(t *testing.T) {
	houses(t, with(40), func(h *house) {
		h.done()
		var all []string
		for i := 21; i <= 40; i++ {
			uid := fmt.Sprintf("p%03d", i)
			all = append(all, uid)
			h.move(uid, h.slapd.PeopleDN, h.slapd.MoreDN)
		}
		h.done()
		h.later(11 * time.Minute)
		rep := h.run()
		if !rep.Held {
			t.Fatalf("%d of 40 removed, and not held: %+v", len(all), rep.Plan)
		}
		h.move("p030", h.slapd.MoreDN, h.slapd.PeopleDN)
		done := h.apply(rep.Plan.Hash)
		if done.Run.Counts.Suspended != 19 || len(done.Stale) != 1 || done.Stale[0] != "p030" {
			t.Errorf("%+v, stale %v", done.Run.Counts, done.Stale)
		}
		h.mayAct("p030", true)
		h.mayAct("p031", false)
		h.done()
		h.fixpoint()
	})
}

// TestDiscard: a discarded plan has no effect, and cannot be applied.
func TestDiscard(t *testing.T) {
	houses(t, with(20), func(h *house) {
		h.done()
		for i := 1; i <= 20; i++ {
			h.remove(fmt.Sprintf("p%03d", i))
			if i == 20 {
				break
			}
		}
		rep := h.run()
		if !rep.Held {
			t.Fatalf("everybody vanished, and nothing is held: %+v", rep.Plan)
		}
		if err := h.engine.Discard(h.ctx, rep.Plan.Hash, "ann"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.engine.Apply(h.ctx, h.target, rep.Plan.Hash, "ann", h.epoch); idbridge.KindOf(err) != idbridge.Conflicting {
			t.Errorf("a discarded plan was applied: %v", err)
		}
		if err := h.engine.Discard(h.ctx, "beefbeef", "ann"); idbridge.KindOf(err) != idbridge.NotFound {
			t.Errorf("discarded nothing: %v", err)
		}
		if n := len(h.refused()); n != 0 {
			t.Errorf("%d are refused", n)
		}
	})
}
