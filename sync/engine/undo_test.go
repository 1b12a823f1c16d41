package engine_test

import (
	"slices"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
)

func (s *scene) undo(t *testing.T, run idbridge.RunID) engine.Report {
	t.Helper()
	rep, err := s.engine.Undo(t.Context(), s.target, run, "ann", s.epoch)
	if err != nil {
		t.Fatalf("undo run %d: %v", run, err)
	}
	if !rep.Run.Counts.AddUp() || rep.Run.Kind != idbridge.UndoRun || rep.Plan.Undoes != run {
		t.Fatalf("undo: %+v", rep)
	}
	return rep
}

func (s *scene) apply(t *testing.T, hash string) engine.Report {
	t.Helper()
	rep, err := s.engine.Apply(t.Context(), s.target, hash, "ann", s.epoch)
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	if !rep.Run.Counts.AddUp() {
		t.Fatalf("the counters do not add up: %+v", rep.Run.Counts)
	}
	return rep
}

func (s *scene) title(id string) string  { return s.users[s.links[id].User].Profile[title].First() }
func (s *scene) shows(id string) string  { return s.entries[id].profile[title].First() }
func (s *scene) both(id string) []string { return []string{s.title(id), s.shows(id)} }

// A run that pulled and pushed is taken back on both sides, after approval and not before; what a person changed since is
// refused and named; the undo can be undone; the run after it has nothing to do.
func TestUndo(t *testing.T) {
	s := newScene(4)
	s.run(t)
	s.run(t)
	s.editDirectory(s.entries["r1"], title, idbridge.Values{"from the directory"})
	s.editStore(s.users[s.links["r2"].User], title, idbridge.Values{"from the store"})
	s.editDirectory(s.entries["r3"], title, idbridge.Values{"overtaken"})
	run := s.run(t).Run.ID
	s.editStore(s.users[s.links["r3"].User], title, idbridge.Values{"a later edit"})

	data, modifies := s.data(), s.modifies
	rep := s.undo(t, run)
	if s.data() != data || s.modifies != modifies {
		t.Error("making the plan had effects")
	}
	if r := rep.Plan.Refused; len(r) != 1 || r[0].Link != xid("r3") || r[0].Attribute != title || rep.Plan.Decisions != 2 {
		t.Fatalf("refused %+v, %d decisions", r, rep.Plan.Decisions)
	}
	done := s.apply(t, rep.Plan.Hash)
	if done.Run.State != idbridge.RunDone || len(done.Stale) != 0 {
		t.Fatalf("%+v", done)
	}
	for id, want := range map[string]string{"r1": "tr1", "r2": "tr2"} {
		if got := s.both(id); !slices.Equal(got, []string{want, want}) {
			t.Errorf("%s: %q, want %q on both sides", id, got, want)
		}
	}
	if s.title("r3") != "a later edit" {
		t.Errorf("a later edit was lost: %q", s.title("r3"))
	}

	again := s.undo(t, done.Run.ID)
	s.apply(t, again.Plan.Hash)
	if got := s.both("r1"); !slices.Equal(got, []string{"from the directory", "from the directory"}) {
		t.Errorf("the undo of the undo left %q", got)
	}
	s.run(t)
	image := s.image()
	s.run(t)
	if s.image() != image {
		t.Error("the next run was not idle")
	}
	if s.shows("r3") != "a later edit" {
		t.Errorf("the later edit did not travel: %q", s.shows("r3"))
	}
}

// Between the plan and its approval somebody edits: that part is stale and named, the rest is done.
func TestUndoAppliedLate(t *testing.T) {
	s := newScene(3)
	s.run(t)
	s.editDirectory(s.entries["r1"], title, idbridge.Values{"one"})
	s.editDirectory(s.entries["r2"], title, idbridge.Values{"two"})
	run := s.run(t).Run.ID
	rep := s.undo(t, run)
	s.editDirectory(s.entries["r2"], title, idbridge.Values{"meanwhile"})
	done := s.apply(t, rep.Plan.Hash)
	if !slices.Equal(done.Stale, []string{"lr2"}) || s.shows("r2") != "meanwhile" || s.title("r1") != "tr1" {
		t.Errorf("stale %v; %q, %q", done.Stale, s.both("r1"), s.both("r2"))
	}
	if _, err := s.engine.Apply(t.Context(), s.target, rep.Plan.Hash, "ann", s.epoch); idbridge.KindOf(err) != idbridge.Conflicting {
		t.Errorf("applied twice: %v", err)
	}
}

// Users that a run made go again, but for those whom somebody touched.
func TestUndoOfCreations(t *testing.T) {
	s := newScene(3)
	run := s.run(t).Run.ID
	s.editStore(s.users[s.links["r2"].User], title, idbridge.Values{"touched"})
	rep := s.undo(t, run)
	if len(rep.Plan.Refused) != 1 || rep.Plan.Counts.Purged != 2 {
		t.Fatalf("%+v", rep.Plan)
	}
	s.apply(t, rep.Plan.Hash)
	if len(s.users) != 1 || s.links["r2"] == nil || !s.tombstones["r1"] {
		t.Errorf("left: %v", s.image())
	}
	if c := s.run(t).Run.Counts; c.Created != 0 || c.Held != 2 {
		t.Errorf("they came back: %+v", c)
	}
}

// What cannot be undone is said with the right kind of error, and leaves no row.
func TestUndoRefuses(t *testing.T) {
	s := newScene(2)
	first := s.run(t).Run
	idle := s.run(t).Run
	s.editDirectory(s.entries["r1"], title, idbridge.Values{"x"})
	dry, err := s.engine.Run(t.Context(), s.target, engine.RunOptions{DryRun: true, Epoch: s.epoch})
	if err != nil {
		t.Fatal(err)
	}
	pruned := s.run(t).Run
	s.done = nil
	s.kinds[99] = idbridge.FullRun
	other := first
	other.ID, other.Directory = 98, "hr"
	s.endings = append(s.endings, other)
	rows := s.lastRun
	for run, want := range map[idbridge.RunID]idbridge.Kind{
		1000: idbridge.NotFound, idle.ID: idbridge.Invalid, dry.Run.ID: idbridge.Invalid, 99: idbridge.Conflicting, 98: idbridge.Invalid,
	} {
		if _, err := s.engine.Undo(t.Context(), s.target, run, "ann", s.epoch); idbridge.KindOf(err) != want {
			t.Errorf("undo %d: %v, want %v", run, err, want)
		}
	}
	if s.lastRun != rows {
		t.Error("a refused undo left a row")
	}
	if _, err := s.engine.Undo(t.Context(), s.target, pruned.ID, "ann", s.epoch); idbridge.KindOf(err) != idbridge.NotFound {
		t.Errorf("a run whose changes are not kept: %v", err)
	}
}

// Two people swapped their addresses, and a third one took what became free: the reverse is one transaction, and needs no
// second run.
func TestUndoOfSwap(t *testing.T) {
	s := newScene(4)
	s.policy.Rules[idbridge.Email] = plan.Rule{Flow: plan.Both, OnConflict: plan.PreferDirectory}
	mail := func(id, address string) { s.editDirectory(s.entries[id], idbridge.Email, idbridge.Values{address}) }
	have := func(id string) string { return s.users[s.links[id].User].Profile[idbridge.Email].First() }
	mail("r1", "one@example.org")
	mail("r2", "two@example.org")
	mail("r3", "three@example.org")
	s.run(t)
	mail("r1", "two@example.org")
	mail("r2", "one@example.org")
	mail("r3", "free@example.org")
	mail("r4", "three@example.org")
	run := s.run(t).Run
	if run.Counts.Updated != 4 {
		t.Fatalf("%+v", run.Counts)
	}
	rep := s.undo(t, run.ID)
	if len(rep.Plan.Refused) != 0 || rep.Plan.Decisions != 4 || len(rep.Messages) != 0 {
		t.Fatalf("refused %+v, %v", rep.Plan.Refused, rep.Messages)
	}
	if done := s.apply(t, rep.Plan.Hash); len(done.Stale) != 0 {
		t.Errorf("stale: %v", done.Stale)
	}
	for id, want := range map[string]string{"r1": "one@example.org", "r2": "two@example.org", "r3": "three@example.org", "r4": ""} {
		if have(id) != want || s.entries[id].profile[idbridge.Email].First() != want {
			t.Errorf("%s: %q, %q, want %q", id, have(id), s.entries[id].profile[idbridge.Email], want)
		}
	}
	// One of the two is refused: then the other one cannot have his address back either.
	again := s.undo(t, s.endings[len(s.endings)-1].ID)
	s.apply(t, again.Plan.Hash)
	mail("r2", "elsewhere@example.org")
	rep = s.undo(t, run.ID)
	if have("r1") != "two@example.org" || len(rep.Plan.Refused) != 2 {
		t.Errorf("refused %+v", rep.Plan.Refused)
	}
}
