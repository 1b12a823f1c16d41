package authstore_test

import (
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

func TestRuns(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		slot := time.Date(2026, 3, 1, 3, 15, 0, 0, time.UTC)
		run := idbridge.Run{Directory: "corp", Kind: idbridge.FullRun, Slot: slot, Author: "schedule", Epoch: b.lead.Epoch}
		id := must(b.BeginRun(ctx, run))(t)
		_, err := b.BeginRun(ctx, run)
		wantKind(t, err, idbridge.Exists)
		other := run
		other.Directory = "hr"
		must(b.BeginRun(ctx, other))(t)
		manual := run
		manual.Slot = time.Time{}
		must(b.BeginRun(ctx, manual))(t)
		must(b.BeginRun(ctx, manual))(t)

		got := must(b.Run(ctx, id))(t)
		if got.State != idbridge.RunRunning || !got.Slot.Equal(slot) || got.Started.IsZero() || !got.Ended.IsZero() {
			t.Errorf("run %+v", got)
		}
		got.State, got.Complete, got.Counts, got.Error, got.Plan = idbridge.RunDone, true, idbridge.Counts{Seen: 3, Created: 3}, "x", "abc"
		src := idbridge.Source{
			Cursor: "c\x00", Server: "s", Scope: "h", Complete: b.clock.now().Truncate(time.Microsecond), Runs: 1, Records: 3,
			Holders: map[idbridge.Attribute]int{"email": 3}, LastStart: slot, Canary: "id-ann", Held: "p",
		}
		if err := b.EndRun(ctx, b.lead, got, &src); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(src, must(b.Source(ctx, "corp"))(t)); diff != "" {
			t.Errorf("source (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(idbridge.Source{}, must(b.Source(ctx, "hr"))(t)); diff != "" {
			t.Errorf("source of another:\n%s", diff)
		}
		after := must(b.Run(ctx, id))(t)
		got.Ended = after.Ended
		if diff := cmp.Diff(got, after); diff != "" || after.Ended.IsZero() {
			t.Errorf("run (-want +got):\n%s", diff)
		}
		ann := b.create("ann")[0]
		if a := must(b.Access(ctx, ann))(t); !a.AsOf.Equal(src.Complete) {
			t.Errorf("as of %v", a.AsOf)
		}
		if list := must(b.Runs(ctx, idbridge.RunFilter{Directory: "corp", Limit: 2}))(t); len(list) != 2 || list[0].ID <= list[1].ID {
			t.Errorf("runs %+v", list)
		}
		wantKind(t, b.EndRun(ctx, b.lead, idbridge.Run{ID: 99}, nil), idbridge.NotFound)
		_, err = b.Run(ctx, 99)
		wantKind(t, err, idbridge.NotFound)
	})
}

// TestInterruptedRuns: a run that an earlier epoch left running is closed when the next one begins.
func TestInterruptedRuns(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		id := b.lead.Run
		if got := must(b.Run(ctx, id))(t); got.State != idbridge.RunRunning {
			t.Fatalf("run %+v", got)
		}
		b.reopen()
		got := must(b.Run(ctx, id))(t)
		if got.State != idbridge.RunInterrupted || got.Ended.IsZero() || got.Error == "" {
			t.Errorf("run %+v", got)
		}
		next := b.begin()
		if must(b.Run(ctx, next))(t).State != idbridge.RunRunning {
			t.Error("the new run is closed, too")
		}
	})
}

// TestUnchangedRunLeavesNothing: a run that found nothing to do changes its own row, its lease and the bookmark.
func TestUnchangedRunLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.create("ann")
		before := must(b.Digests(t.Context()))(t)
		id := b.begin()
		run := idbridge.Run{ID: id, Directory: "corp", State: idbridge.RunDone, Counts: idbridge.Counts{Seen: 1, Unchanged: 1}}
		if err := b.EndRun(t.Context(), b.lead, run, &idbridge.Source{Runs: 2}); err != nil {
			t.Fatal(err)
		}
		for table, d := range must(b.Digests(t.Context()))(t) {
			moved := d != before[table]
			if own := table == "runs" || table == "source"; moved != own {
				t.Errorf("%s changed: %v", table, moved)
			}
		}
	})
}

func decisions(n int) iter.Seq2[idbridge.Decision, error] {
	return func(yield func(idbridge.Decision, error) bool) {
		for i := range n {
			d := creation(fmt.Sprintf("r%04d", i), profile("userName", fmt.Sprintf("u%d", i)))
			if i%2 == 0 {
				d.Steps = []idbridge.Step{{ID: d.ID, Side: idbridge.StoreSide, Verb: idbridge.Suspend, State: idbridge.LinkMissing}}
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

func TestPlans(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		first := idbridge.Plan{Hash: "aa11", Run: 1, Directory: "corp", State: idbridge.PlanHeld, Counts: idbridge.Counts{Seen: 4},
			Verdicts: []idbridge.Verdict{{Guard: "removals", Held: idbridge.HoldAll}}}
		const n = 1203
		if err := b.SavePlan(ctx, first, decisions(n)); err != nil {
			t.Fatal(err)
		}
		got := must(b.Plan(ctx, "AA1"))(t)
		if got.Hash != "aa11" || got.State != idbridge.PlanHeld || got.Counts.Seen != 4 || !got.Held() || got.Created.IsZero() {
			t.Errorf("plan %+v", got)
		}
		count, phase := 0, idbridge.PhaseGive
		for d, err := range b.Decisions(ctx, "aa11") {
			if err != nil {
				t.Fatal(err)
			}
			if p := d.Phase(); p < phase {
				t.Fatalf("phase %d after %d", p, phase)
			} else {
				phase = p
			}
			count++
			if count%500 == 0 { // the caller may write while it reads
				b.create(fmt.Sprintf("w%d", count))
			}
		}
		if count != n || phase != idbridge.PhaseTake {
			t.Errorf("%d decisions, last phase %d", count, phase)
		}
	})
}

func TestPlansEnd(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		if err := b.SavePlan(ctx, idbridge.Plan{Hash: "aa11", Directory: "corp", State: idbridge.PlanHeld}, decisions(3)); err != nil {
			t.Fatal(err)
		}
		broken := errors.New("the reader broke")
		err := b.SavePlan(ctx, idbridge.Plan{Hash: "bb", Directory: "corp"}, func(yield func(idbridge.Decision, error) bool) {
			_ = yield(idbridge.Decision{ID: corp("x")}, nil) && yield(idbridge.Decision{}, broken)
		})
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		_, err = b.Plan(ctx, "bb")
		wantKind(t, err, idbridge.NotFound)
		if list := must(b.Plans(ctx, "corp", idbridge.PlanHeld))(t); len(list) != 1 {
			t.Errorf("an unfinished plan superseded a held one: %+v", list)
		}
		if _, _, c, err := b.Status(ctx, "corp"); err != nil || c.Held != 1 {
			t.Errorf("status %+v, %v", c, err)
		}
		if err := b.SavePlan(ctx, idbridge.Plan{Hash: "aa22", Directory: "corp", State: idbridge.PlanReady}, decisions(1)); err != nil {
			t.Fatal(err)
		}
		if old := must(b.Plan(ctx, "aa11"))(t); old.State != idbridge.PlanDiscarded || old.By != "superseded" || old.Decided.IsZero() {
			t.Errorf("old plan %+v", old)
		}
		_, err = b.Plan(ctx, "aa")
		wantKind(t, err, idbridge.Invalid)
		_, err = b.Plan(ctx, "%")
		wantKind(t, err, idbridge.NotFound)
		wantKind(t, b.ClosePlan(ctx, "aa11", idbridge.PlanApplied, "root"), idbridge.Conflicting)
		if err := b.ClosePlan(ctx, "aa22", idbridge.PlanApplied, "root"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, b.ClosePlan(ctx, "aa22", idbridge.PlanDiscarded, "root"), idbridge.Conflicting)
		wantKind(t, b.ClosePlan(ctx, "cc", idbridge.PlanDiscarded, "root"), idbridge.NotFound)
		if p := must(b.Plan(ctx, "aa22"))(t); p.State != idbridge.PlanApplied || p.By != "root" {
			t.Errorf("plan %+v", p)
		}
		if list := must(b.Plans(ctx, "", ""))(t); len(list) != 2 || list[0].Hash != "aa22" {
			t.Errorf("plans %+v", list)
		}
	})
}

func TestAudit(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		before := must(b.Revision(ctx))(t)
		for i := range 3 {
			a := idbridge.Audit{Actor: "ann", Action: "login", Target: fmt.Sprint(i), User: idbridge.UserID(i % 2), Address: "::1", Result: "refused"}
			if err := b.AddAudit(ctx, a); err != nil {
				t.Fatal(err)
			}
		}
		all := must(b.Audit(ctx, idbridge.AuditFilter{Limit: 2}))(t)
		if len(all) != 2 || all[0].Target != "2" || all[0].Result != "refused" || all[0].At.IsZero() {
			t.Fatalf("audit %+v", all)
		}
		rest := must(b.Audit(ctx, idbridge.AuditFilter{Before: all[1].ID}))(t)
		if len(rest) != 1 || rest[0].Target != "0" {
			t.Errorf("audit %+v", rest)
		}
		if his := must(b.Audit(ctx, idbridge.AuditFilter{User: 1}))(t); len(his) != 1 || his[0].Target != "1" {
			t.Errorf("audit %+v", his)
		}
		if now := must(b.Revision(ctx))(t); now != before {
			t.Error("a login moved the revision")
		}
	})
}
