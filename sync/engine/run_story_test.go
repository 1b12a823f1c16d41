package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
)

// TestDryRun is I12: a dry run writes nothing but its row and its plan, and its sightings do not count.
func TestDryRun(t *testing.T) {
	houses(t, with(20), func(h *house) {
		h.done()
		h.set("p002", "mail", "two@example.org")
		h.edit("p003", idbridge.Email, "three@example.org")
		h.remove("p004")
		before, source, writes := h.rows(), h.source(), h.writes()
		for range 3 {
			rep, err := h.engine.Run(h.ctx, h.target, engine.RunOptions{Author: "cli", Epoch: h.epoch, DryRun: true})
			if err != nil || rep.Run.Kind != idbridge.PlanRun || rep.Plan.Decisions != 3 {
				t.Fatalf("%v %+v", err, rep)
			}
			h.later(time.Hour)
		}
		after := h.rows()
		for _, table := range []string{"plans", "plan_decision"} {
			delete(before, table)
			delete(after, table)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("a dry run changed rows:\n%s", diff)
		}
		if diff := cmp.Diff(source, h.source()); diff != "" {
			t.Errorf("a dry run moved the bookmark:\n%s", diff)
		}
		if n := h.writes() - writes; n != 0 {
			t.Errorf("a dry run made %d writes", n)
		}
		rep, err := h.engine.Run(h.ctx, h.target, engine.RunOptions{Author: "cli", Epoch: h.epoch, DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		if c := h.apply(rep.Plan.Hash).Run.Counts; c.Updated != 2 || c.Missing != 1 || c.Settled != 1 {
			t.Errorf("the applied plan: %+v", c)
		}
		h.expect("p002", idbridge.Email, "two@example.org")
		h.shows("p003", "mail", "three@example.org")
	})
}

func (h *house) source() idbridge.Source {
	h.t.Helper()
	s, err := h.Source(h.ctx, directoryName)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// TestModes: plan makes a plan and waits; observe stores nothing but the run's row.
func TestModes(t *testing.T) {
	houses(t, with(10), func(h *house) {
		h.target.Mode = engine.Observe
		before := h.rows()
		rep := h.run()
		if rep.Run.Counts.Created != 10 || h.engine == nil {
			t.Errorf("observed: %+v", rep.Run.Counts)
		}
		if diff := cmp.Diff(before, h.rows()); diff != "" {
			t.Errorf("observing changed rows:\n%s", diff)
		}
		h.target.Mode = engine.PlanOnly
		rep = h.run()
		if rep.Plan.Decisions == 0 || rep.Run.Plan == "" {
			t.Fatalf("no plan: %+v", rep)
		}
		if users, err := h.Users(h.ctx, idbridge.UserFilter{Limit: 5}); err != nil || len(users) != 0 {
			t.Errorf("users: %v %v", users, err)
		}
		if c := h.apply(rep.Plan.Hash).Run.Counts; c.Created != 10 {
			t.Errorf("applied: %+v", c)
		}
		h.user("p010")
	})
}

// TestRefusedWrite: a change that the directory refuses for good quarantines its record with the server's words; others go
// on. A local override, which goes nowhere, is acknowledged.
func TestRefusedWrite(t *testing.T) {
	houses(t, with(10), func(h *house) {
		h.target.Policy.Rules[idbridge.GivenName] = plan.Rule{Flow: plan.In, OnConflict: plan.PreferDirectory}
		h.done()
		h.rule(`to dn.exact="` + h.dn("p003") + `" by dn.exact="` + h.slapd.SyncDN + `" read by * none`)
		h.edit("p003", idbridge.Email, "three@example.org")
		h.edit("p004", idbridge.Email, "four@example.org")
		h.edit("p005", idbridge.GivenName, "Override")
		rep := h.push()
		if c := rep.Run.Counts; c.Refused != 1 || c.Settled != 1 {
			t.Errorf("counts: %+v", c)
		}
		h.shows("p004", "mail", "four@example.org")
		rows, err := h.Quarantine(h.ctx, directoryName)
		if err != nil || len(rows) != 1 || !strings.Contains(strings.ToLower(rows[0].Why), "insufficient") && rows[0].Why == "" {
			t.Errorf("quarantine: %+v %v", rows, err)
		}
		if edits, err := h.Outbox(h.ctx, directoryName, 10); err != nil || len(edits) != 0 {
			t.Errorf("the outbox has %v %v", edits, err)
		}
		h.expect("p005", idbridge.GivenName, "Override")
		h.shows("p005", "givenName", "Gi p005")
	})
}

// TestLostLease: a run whose lease went to another daemon ends, and writes nothing any more.
func TestLostLease(t *testing.T) {
	houses(t, with(30), func(h *house) {
		whole := h.target.Directory
		h.target.Directory = &meddling{Directory: whole, after: 10, do: func() {
			if err := h.Resign(h.ctx, h.epoch); err != nil {
				t.Error(err)
			}
			epoch, err := h.Lead(h.ctx, time.Hour)
			if err != nil {
				t.Error(err)
			}
			h.epoch = epoch
		}}
		rep, err := h.runs()
		if idbridge.KindOf(err) != idbridge.Locked || rep.Run.State != idbridge.RunInterrupted {
			t.Errorf("%v, %s", err, rep.Run.State)
		}
		if users, err := h.Users(h.ctx, idbridge.UserFilter{Limit: 5}); err != nil || len(users) != 0 {
			t.Errorf("users: %v %v", users, err)
		}
		h.target.Directory = whole
		h.done()
		h.fixpoint()
	})
}

// TestCancelled: a run that is told to stop ends as interrupted, and the next one does the rest.
func TestCancelled(t *testing.T) {
	houses(t, with(30), func(h *house) {
		ctx, cancel := context.WithCancel(h.ctx)
		h.target.Directory = &meddling{Directory: h.target.Directory, after: 5, do: cancel}
		rep, err := h.engine.Run(ctx, h.target, engine.RunOptions{Author: "test", Epoch: h.epoch})
		if !errors.Is(err, context.Canceled) || rep.Run.State != idbridge.RunInterrupted {
			t.Errorf("%v, %s", err, rep.Run.State)
		}
		row, err := h.Run(h.ctx, rep.Run.ID)
		if err != nil || row.State != idbridge.RunInterrupted {
			t.Errorf("the row says %s, %v", row.State, err)
		}
		h.target.Directory.(*meddling).do = func() {}
		h.done()
		h.fixpoint()
	})
}

// TestSlot: a scheduled time runs once, however many ask.
func TestSlot(t *testing.T) {
	houses(t, with(3), func(h *house) {
		slot := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
		o := engine.RunOptions{Author: "schedule", Epoch: h.epoch, Slot: slot}
		if _, err := h.engine.Run(h.ctx, h.target, o); err != nil {
			t.Fatal(err)
		}
		if _, err := h.engine.Run(h.ctx, h.target, o); idbridge.KindOf(err) != idbridge.Exists {
			t.Errorf("twice: %v", err)
		}
	})
}
