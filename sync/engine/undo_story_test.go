package engine_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/engine"
)

func (h *house) undo(run idbridge.RunID) engine.Report {
	h.t.Helper()
	rep, err := h.engine.Undo(h.ctx, h.target, run, "ann", h.epoch)
	if err != nil {
		h.t.Fatalf("undo run %d: %v", run, err)
	}
	return rep
}

// TestUndoStory: a run with a pull, a push, a creation, a membership and a suspension is taken back on both sides; making
// the plan writes nothing; what was edited since is refused; the undo is undone; then nothing is left to do.
func TestUndoStory(t *testing.T) {
	houses(t, with(40), func(h *house) {
		h.remove("p040")
		h.done()
		h.move("p030", h.slapd.PeopleDN, h.slapd.MoreDN)
		h.done()
		h.later(11 * time.Minute)
		h.set("p003", "mail", "three@example.org")
		h.edit("p004", idbridge.Email, "four@example.org")
		h.set("p005", "mail", "five@example.org")
		h.add("p041")
		h.modify("dn: " + adminsDN + "\nchangetype: modify\nadd: member\nmember: " + h.dn("p010") + "\n\n")
		rep := h.done()
		if c := rep.Run.Counts; c.Created != 1 || c.Updated != 3 || c.Joined != 1 || c.Suspended != 1 || c.Admins != 1 {
			t.Fatalf("%+v", c)
		}
		h.edit("p005", idbridge.Email, "later@example.org")

		before, writes := h.rows(), h.writes()
		undo := h.undo(rep.Run.ID)
		after := h.rows()
		for _, table := range []string{"plans", "plan_decision"} {
			delete(before, table)
			delete(after, table)
		}
		if diff := cmp.Diff(before, after); diff != "" || h.writes() != writes {
			t.Errorf("making the plan wrote something:\n%s", diff)
		}
		named := map[string]bool{}
		for _, r := range undo.Plan.Refused {
			named[r.Name+" "+string(r.Attribute)] = true
		}
		if !named["p005 email"] || !named["p030 "] && undo.Plan.Counts.Restored != 1 {
			t.Errorf("refused: %+v", undo.Plan.Refused)
		}
		done := h.apply(undo.Plan.Hash)
		if done.Run.State != idbridge.RunDone || len(done.Stale) > 0 {
			t.Fatalf("%s %+v %v", done.Run.State, done.Run.Counts, done.Stale)
		}
		h.expect("p003", idbridge.Email, "p003@example.org")
		h.shows("p003", "mail", "p003@example.org")
		h.expect("p004", idbridge.Email, "p004@example.org")
		h.shows("p004", "mail", "p004@example.org")
		h.expect("p005", idbridge.Email, "later@example.org")
		if _, err := h.UserByName(h.ctx, "p041"); idbridge.KindOf(err) != idbridge.NotFound {
			t.Errorf("p041 is still there: %v", err)
		}
		if _, admin := h.access(h.user("p010").ID); admin {
			t.Error("p010 still administers")
		}

		again := h.undo(done.Run.ID)
		h.apply(again.Plan.Hash)
		h.expect("p003", idbridge.Email, "three@example.org")
		h.shows("p003", "mail", "three@example.org")
		h.run()
		h.run()
		h.shows("p005", "mail", "later@example.org")
		h.fixpoint()
	})
}

// TestExplainStory: a person's record is followed from the directory to the store, and nothing is written.
func TestExplainStory(t *testing.T) {
	houses(t, with(5), func(h *house) {
		h.done()
		h.set("p002", "mail", "dir@example.org")
		h.edit("p002", idbridge.Email, "store@example.org")
		user := h.user("p002")
		links, err := h.Links(h.ctx, user.ID)
		if err != nil {
			t.Fatal(err)
		}
		before, err := h.Digests(h.ctx)
		if err != nil {
			t.Fatal(err)
		}
		x, err := h.engine.Explain(h.ctx, h.target, user.ID, links[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		if x.Error != "" || !x.Scope.Found || !x.Scope.InBase.OK || !x.Scope.InFilter.OK || x.Scope.Locator != h.dn("p002") {
			t.Errorf("%+v", x)
		}
		for _, a := range x.Attributes {
			if a.Attribute == idbridge.Email && (a.Outcome != "conflict" || a.Base.First() != "p002@example.org" || a.Becomes.First() != "dir@example.org") {
				t.Errorf("%+v", a)
			}
		}
		h.slapd.Kill()
		if x, err = h.engine.Explain(h.ctx, h.target, user.ID, links[0].ID); err != nil || x.Error == "" || len(x.Attributes) == 0 {
			t.Errorf("%v %+v", err, x)
		}
		after, err := h.Digests(h.ctx)
		if diff := cmp.Diff(before, after); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}
