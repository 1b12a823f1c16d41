package authstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
)

const day = 24 * time.Hour

// runOnce is a run from its beginning to its end, with the decisions given.
func (b *bed) runOnce(complete bool, decisions ...idbridge.Decision) idbridge.RunID {
	b.t.Helper()
	b.lead.Run = b.begin()
	if len(decisions) > 0 {
		b.commit(decisions...)
	}
	run := must(b.Run(b.t.Context(), b.lead.Run))(b.t)
	run.State, run.Complete = idbridge.RunDone, complete
	if err := b.EndRun(b.t.Context(), b.lead, run, &idbridge.Source{Runs: int(b.lead.Run)}); err != nil {
		b.t.Fatal(err)
	}
	return b.lead.Run
}

func (b *bed) prune(keep authstore.Retention, dry bool) authstore.Pruned {
	b.t.Helper()
	return must(b.Prune(b.t.Context(), keep, dry))(b.t)
}

func (b *bed) rows(table, where string) int {
	b.t.Helper()
	var n int
	if _, err := fmt.Sscan(b.ask(`SELECT COUNT(*) FROM ` + table + ` WHERE ` + where)[0], &n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

func TestPrune(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		ann := b.create("ann", "bob")[0]
		b.runOnce(true, b.about("id-ann", update(profile("title", "one"))))
		b.runOnce(true, idbridge.Decision{
			ID: corp("id-carl"), Situation: idbridge.Linked, Read: idbridge.Versions{}, User: 0, Base: profile("userName", "carl"),
			Steps: []idbridge.Step{{ID: corp("id-carl"), Side: idbridge.StoreSide, Verb: idbridge.Create, After: profile("userName", "carl")}},
		})
		dave := must(b.AddUser(ctx, idbridge.NewUser{Profile: profile("userName", "dave"), By: "cli"}))(t)
		b.runOnce(true, idbridge.Decision{
			ID: corp("id-dave"), Situation: idbridge.Linked, User: dave.ID, Read: idbridge.Versions{User: dave.Revision},
			Steps: []idbridge.Step{{ID: corp("id-dave"), User: dave.ID, Side: idbridge.StoreSide, Verb: idbridge.Linking}},
			Seen:  idbridge.Observation{Locator: "x"},
		})
		held := b.runOnce(true, b.about("id-ann", update(profile("title", "two"))))
		undone := b.runOnce(true, b.about("id-ann", update(profile("title", "three"))))
		b.savePlan(idbridge.Plan{Hash: "aaaa", Run: held, Directory: "corp", State: idbridge.PlanHeld, Undoes: undone}, b.about("id-ann"))
		old := b.runOnce(true, b.about("id-ann", update(profile("title", "four"))))
		b.savePlan(idbridge.Plan{Hash: "bbbb", Run: old, Directory: "hr"}, b.about("id-ann"))
		if err := b.ClosePlan(ctx, "bbbb", idbridge.PlanApplied, "cli"); err != nil {
			t.Fatal(err)
		}
		write := b.about("id-bob", idbridge.Step{Side: idbridge.DirectorySide, Verb: idbridge.Update, After: profile("title", "x")})
		b.lead.Run = b.begin()
		pending := b.lead.Run
		sent := b.commit(write)[0].Sent
		b.endRun(pending, true)
		b.conflict("id-ann", ann, "title", idbridge.StoreWinner)
		b.conflict("id-ann", ann, "email", idbridge.NoWinner)
		last := b.runOnce(true)
		for range 3 {
			b.runOnce(false)
		}
		b.seal()
		head := b.whole().Head
		if got := b.prune(authstore.Retention{Runs: day, Conflicts: day, Audit: day}, true); len(got) != 0 {
			t.Errorf("nothing is old: %v", got)
		}

		b.clock.advance(10 * day)
		fresh := b.runOnce(false)
		keep := authstore.Retention{Runs: 5 * day, Conflicts: 5 * day, Audit: 5 * day}
		before := must(b.Digests(ctx))(t)
		would := b.prune(keep, true)
		if diff := cmp.Diff(before, must(b.Digests(ctx))(t)); diff != "" {
			t.Errorf("a dry run changed:\n%s", diff)
		}
		if got := b.prune(authstore.Retention{}, false); len(got) != 0 {
			t.Errorf("for ever: %v", got)
		}
		got := b.prune(keep, false)
		if diff := cmp.Diff(would, got); diff != "" {
			t.Errorf("would (-), did (+):\n%s", diff)
		}
		for _, id := range []idbridge.RunID{held, undone, pending, last, fresh} {
			must(b.Run(ctx, id))(t)
		}
		if _, err := b.Run(ctx, old); idbridge.KindOf(err) != idbridge.NotFound {
			t.Errorf("old run: %v", err)
		}
		if n := b.rows("run_change", "verb = 'link'"); n != 1 {
			t.Errorf("%d rows say how records were linked", n)
		}
		if n := b.rows("run_change", fmt.Sprintf("run = %d", undone)); n != 1 {
			t.Errorf("%d changes of the run that a plan takes back", n)
		}
		if n := b.rows("plan_decision", "1 = 1"); n != 1 {
			t.Errorf("%d decisions", n)
		}
		if open := must(b.OpenSent(ctx, "corp"))(t); len(open) != 1 || open[0].ID != sent {
			t.Errorf("open: %+v", open)
		}
		if list := must(b.Conflicts(ctx, idbridge.ConflictFilter{}))(t); len(list) != 1 || !list[0].Closed.IsZero() {
			t.Errorf("conflicts: %+v", list)
		}
		if r := b.whole(head); r.Anchor != head || r.Blocks != 0 {
			t.Errorf("audit: %+v", r)
		}
		if got["audit"] == 0 || got["audit_block"] != 1 || got["runs"] == 0 || got["conflicts"] != 1 || got["plans"] != 1 {
			t.Errorf("pruned %v", got)
		}
		b.seal()
		if r := b.whole(head); r.Blocks != 1 {
			t.Errorf("behind the anchor: %+v", r)
		}
		if next := b.begin(); next <= fresh {
			t.Errorf("run %d after %d", next, fresh)
		}
	})
}

func (b *bed) savePlan(p idbridge.Plan, decisions ...idbridge.Decision) {
	b.t.Helper()
	err := b.SavePlan(b.t.Context(), p, func(yield func(idbridge.Decision, error) bool) {
		for _, d := range decisions {
			if !yield(d, nil) {
				return
			}
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) endRun(id idbridge.RunID, complete bool) {
	b.t.Helper()
	run := must(b.Run(b.t.Context(), id))(b.t)
	run.State, run.Complete = idbridge.RunDone, complete
	if err := b.EndRun(b.t.Context(), b.lead, run, nil); err != nil {
		b.t.Fatal(err)
	}
}

// conflict records one about a linked record.
func (b *bed) conflict(link string, user idbridge.UserID, a idbridge.Attribute, winner idbridge.Winner) {
	b.t.Helper()
	d := b.about(link)
	d.Conflicts = []idbridge.Conflict{{
		User: user, Attribute: a, Base: idbridge.Values{"a"}, Store: idbridge.Values{"b"}, Directory: idbridge.Values{"c"}, Winner: winner,
	}}
	b.commit(d)
}

// TestPruneInParts removes more than one transaction takes.
func TestPruneInParts(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.ask(`WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 1700)
			INSERT INTO runs (id, directory, kind, slot, author, state, complete, started, ended, counts, plan, error, hint, epoch)
			SELECT i + 10, 'corp', 'full', 0, 'x', 'done', TRUE, i, i, '{}', '', '', '', 1 FROM g`)
		b.fillAudit(2300)
		b.seal()
		got := b.prune(authstore.Retention{Runs: day, Audit: day}, false)
		if got["runs"] != 1699 || got["audit"] != 2300 || got["audit_block"] != 3 { // the last one is the last complete one
			t.Errorf("pruned %v", got)
		}
		b.whole()
	})
}

// TestTombstonesOutliveBackups: they go after ten years, and not before.
func TestTombstonesOutliveBackups(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		if err := b.DeleteUser(t.Context(), b.create("ann")[0], "cli"); err != nil {
			t.Fatal(err)
		}
		b.clock.advance(10*365*day - day)
		if got := b.prune(authstore.Retention{Runs: day}, false); got["tombstone"] != 0 {
			t.Errorf("pruned %v", got)
		}
		b.clock.advance(5 * day)
		if got := b.prune(authstore.Retention{}, false); got["tombstone"] != 1 {
			t.Errorf("pruned %v", got)
		}
	})
}

// TestThousandRunsLeaveNothing is R12: without edits nothing but the runs themselves grows, and pruning takes those.
func TestThousandRunsLeaveNothing(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.create("ann", "bob")
		b.endRun(b.lead.Run, true)
		b.runOnce(true)
		before := must(b.Digests(context.Background()))(t)
		for range 1000 {
			b.runOnce(true)
		}
		after := must(b.Digests(context.Background()))(t)
		for table := range before {
			if table != "runs" && table != "source" && before[table] != after[table] {
				t.Errorf("%s changed", table)
			}
		}
		if n := b.rows("source", "1 = 1"); n != 1 {
			t.Errorf("%d rows of source", n)
		}
		b.clock.advance(day)
		if got := b.prune(authstore.Retention{Runs: time.Hour}, false); got["runs"] != 1001 || b.rows("runs", "1 = 1") != 1 {
			t.Errorf("pruned %v", got)
		}
	})
}
