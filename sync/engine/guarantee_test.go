package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
)

// contradict lets both sides change one attribute differently.
func (s *scene) contradict(id, store, directory string) {
	s.editStore(s.users[s.links[id].User], title, idbridge.Values{store})
	s.editDirectory(s.entries[id], title, idbridge.Values{directory})
}

// TestI08AbsenceNeedsProof: nobody loses access because a listing broke off, was cut, showed nobody, or was read without
// the right to see; only what two complete listings in a row do not show is gone.
func TestI08AbsenceNeedsProof(t *testing.T) {
	short := func(spoil func(*idbridge.Proof)) func(*scene) ([]idbridge.Change, error) {
		return func(s *scene) ([]idbridge.Change, error) {
			end := whole()
			spoil(&end.Proof)
			return []idbridge.Change{idbridge.Present{Record: s.view.record(s.entries["r1"])}, end}, nil
		}
	}
	for name, list := range map[string]func(*scene) ([]idbridge.Change, error){
		"broken off": func(*scene) ([]idbridge.Change, error) {
			return nil, &idbridge.Error{Kind: idbridge.Unavailable, Msg: "reset"}
		},
		"no end":            func(*scene) ([]idbridge.Change, error) { return nil, nil },
		"nobody":            func(*scene) ([]idbridge.Change, error) { return []idbridge.Change{whole()}, nil },
		"size limit":        short(func(p *idbridge.Proof) { p.ResultCode = 4 }),
		"a page is missing": short(func(p *idbridge.Proof) { p.LastPage = false }),
		"a referral":        short(func(p *idbridge.Proof) { p.References = 1 }),
		"no canary":         short(func(p *idbridge.Proof) { p.CanaryPost = false }),
		"a doubt":           short(func(p *idbridge.Proof) { p.Doubt = "fewer than before" }),
		"said incomplete": func(s *scene) ([]idbridge.Change, error) {
			return []idbridge.Change{idbridge.Present{Record: s.view.record(s.entries["r1"])}, idbridge.Checkpoint{}}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(4)
			s.run(t)
			changes, err := list(s)
			s.target.Directory = &scripted{view: s.view, changes: changes, err: err}
			for range 4 {
				_, _ = s.engine.Run(t.Context(), s.target, engine.RunOptions{Epoch: s.epoch}) // most fail, and say so
				s.now = s.now.Add(confirmAfter)
			}
			for id, l := range s.links {
				if l.State != idbridge.LinkActive || l.Sightings > 0 {
					t.Errorf("%s is %s, missed %d times", id, l.State, l.Sightings)
				}
			}
		})
	}
	t.Run("two complete listings", func(t *testing.T) {
		s := newScene(2)
		s.run(t)
		delete(s.entries, "r2")
		s.run(t)
		if s.links["r2"].State != idbridge.LinkActive {
			t.Error("one listing was enough")
		}
		s.now = s.now.Add(confirmAfter)
		s.run(t)
		if s.links["r2"].State != idbridge.LinkMissing {
			t.Error("two listings were not")
		}
	})
}

// TestI10Identity: a person is who his record's id says, whatever he is called: renames and swapped logins change no user,
// and somebody new under an old login is a new user who inherits nothing.
func TestI10Identity(t *testing.T) {
	s := newScene(3)
	s.policy.Limits.IDs = 10
	s.run(t)
	before := map[string]idbridge.UserID{}
	for id, l := range s.links {
		before[id] = l.User
	}
	call := func(id, name string) {
		e := s.entries[id]
		e.dn, e.profile = "uid="+name, e.profile.Clone()
		e.profile[idbridge.UserName] = idbridge.Values{name}
	}
	call("r1", "lr2")
	call("r2", "lr1")
	delete(s.entries, "r3")
	s.entries["r4"] = &entry{id: "r4", dn: "uid=lr3", profile: idbridge.Profile{idbridge.UserName: {"lr3"}, title: {"t4"}}}
	for range 3 {
		s.run(t)
		s.now = s.now.Add(confirmAfter)
	}
	for id, user := range before {
		if s.links[id].User != user {
			t.Errorf("%s was user %d and is user %d", id, user, s.links[id].User)
		}
	}
	if one, two := s.users[before["r1"]].UserName(), s.users[before["r2"]].UserName(); one != "lr2" || two != "lr1" {
		t.Errorf("called %q and %q", one, two)
	}
	l := s.links["r4"]
	if l == nil || l.User == before["r3"] || s.users[l.User].UserName() != "lr3" || s.links["r3"].State != idbridge.LinkMissing {
		t.Errorf("the new lr3 is %+v, the old one %+v", l, s.links["r3"])
	}
}

// TestI11HeldPlanHasNoEffect: a plan that a guard holds changes nothing on either side and leaves the bookmark where it was;
// once approved, nothing of what was held is lost.
func TestI11HeldPlanHasNoEffect(t *testing.T) {
	t.Run("whole", func(t *testing.T) {
		s := newScene(20)
		s.policy.Limits.Removals = 3
		s.run(t)
		for _, id := range []string{"r1", "r2", "r3", "r4", "r5"} {
			delete(s.entries, id)
		}
		s.run(t)
		s.now = s.now.Add(confirmAfter)
		s.editDirectory(s.entries["r9"], title, idbridge.Values{"new"})
		s.editStore(s.users[s.links["r8"].User], title, idbridge.Values{"new"})
		data, cursor := s.data(), s.source.Cursor
		rep := s.run(t)
		if !rep.Held || rep.Run.State != idbridge.RunHeld || rep.Run.Counts.Held != 2 {
			t.Fatalf("%s %+v", rep.Run.State, rep.Run.Counts)
		}
		if s.data() != data || s.modifies != 0 || s.source.Cursor != cursor {
			t.Error("a held plan had effects")
		}
		if c := s.apply(t, rep.Plan.Hash).Run.Counts; c.Suspended != 5 || c.Updated != 2 {
			t.Errorf("approved: %+v", c)
		}
	})
	// N5: the run is held in part, and what it saw is not lost.
	t.Run("in part", func(t *testing.T) {
		s := newScene(20)
		s.policy.Limits.Creations = 3
		s.run(t)
		for i := 21; i <= 26; i++ {
			id := fmt.Sprintf("r%d", i)
			s.changes++
			s.entries[id] = &entry{id: id, dn: "uid=" + id, profile: idbridge.Profile{idbridge.UserName: {"l" + id}, title: {"t" + id}}}
		}
		s.editDirectory(s.entries["r1"], title, idbridge.Values{"new"})
		cursor := s.source.Cursor
		rep := s.run(t)
		if c := rep.Run.Counts; !rep.Held || c.Held != 6 || c.Updated != 1 || c.Created != 0 || s.title("r1") != "new" {
			t.Fatalf("%+v", c)
		}
		if s.source.Cursor != cursor || s.source.Held != rep.Plan.Hash {
			t.Errorf("cursor %q, was %q; held %q", s.source.Cursor, cursor, s.source.Held)
		}
		s.editDirectory(s.entries["r2"], title, idbridge.Values{"later"})
		if c := s.apply(t, rep.Plan.Hash).Run.Counts; c.Created != 6 {
			t.Errorf("approved: %+v", c)
		}
		if c := s.run(t).Run.Counts; c.Unchanged != 25 || c.Updated != 1 || s.title("r2") != "later" || s.source.Cursor == cursor {
			t.Errorf("the next run: %+v", c)
		}
	})
}

// TestI12DryRun: a dry run writes nothing but its own row and its plan, whatever it would do; what it saw counts for nothing.
func TestI12DryRun(t *testing.T) {
	s := newScene(12)
	s.run(t)
	s.contradict("r1", "store", "directory")
	s.editDirectory(s.entries["r2"], title, idbridge.Values{"pulled"})
	s.editStore(s.users[s.links["r3"].User], title, idbridge.Values{"pushed"})
	delete(s.entries, "r4")
	s.entries["new"] = &entry{id: "new", dn: "uid=new", profile: idbridge.Profile{idbridge.UserName: {"new"}}}
	data, source := s.data(), fmt.Sprintf("%+v", s.source)
	var hash string
	for i, mode := range []engine.Mode{engine.ApplyAll, engine.PlanOnly, engine.Observe, engine.ApplyAll} {
		s.target.Mode = mode
		rep := s.dry(t)
		if c := rep.Run.Counts; !c.AddUp() || c.Created != 1 || c.Updated != 3 || c.Missing != 1 || c.Sent != 1 || c.Unchanged != 8 {
			t.Errorf("%s: %+v", mode, c)
		}
		if s.data() != data || fmt.Sprintf("%+v", s.source) != source || s.modifies != 0 {
			t.Fatalf("%s: a dry run changed something", mode)
		}
		if i == 0 {
			hash = rep.Plan.Hash
		} else if rep.Plan.Hash != hash {
			t.Errorf("%s: the same plan has another hash", mode)
		}
		s.now = s.now.Add(confirmAfter)
	}
	done := s.apply(t, hash)
	if c := done.Run.Counts; c.Created != 1 || c.Updated != 3 || c.Missing != 1 || c.Settled != 1 {
		t.Errorf("the real run did something else: %+v, stale %v", c, done.Stale)
	}
	data = s.data()
	rep := s.undo(t, done.Run.ID)
	if s.data() != data || rep.Plan.Decisions == 0 {
		t.Error("planning an undo had effects")
	}
}

// TestI16NoPingPong: a spelling that the directory's own equality rule does not see is no edit: it is never written back
// and forth.
func TestI16NoPingPong(t *testing.T) {
	s := newScene(1)
	s.policy.Rules[idbridge.DisplayName] = plan.Rule{Flow: plan.Both, OnConflict: plan.PreferDirectory}
	e, spellings := s.entries["r1"], []string{"Ann Lee", "ANN LEE", " ann  lee ", "Ann lee"}
	s.editDirectory(e, idbridge.DisplayName, idbridge.Values{"ann lee"})
	s.run(t)
	user := s.users[s.links["r1"].User]
	for i, spelling := range spellings {
		if i%2 == 0 {
			s.editStore(user, idbridge.DisplayName, idbridge.Values{spelling})
		} else {
			s.editDirectory(e, idbridge.DisplayName, idbridge.Values{spelling})
		}
		s.run(t)
		if _, err := s.engine.Push(t.Context(), s.target, s.epoch, 10); err != nil {
			t.Fatal(err)
		}
		s.run(t)
		image := s.image()
		s.run(t)
		if s.image() != image || len(s.conflicts) > 0 || s.modifies != 0 {
			t.Errorf("%q: %d modifies, %d conflicts", spelling, s.modifies, len(s.conflicts))
		}
	}
}

// The counters add up on every path: records without an id, listed twice, gone after they were shown, unusable, moved
// meanwhile; in a real run, a dry one, an observed one and one that is held.
func TestCountersAddUp(t *testing.T) {
	for _, o := range []struct {
		name  string
		mode  engine.Mode
		dry   bool
		limit int
	}{{"real", engine.ApplyAll, false, 100}, {"dry", engine.ApplyAll, true, 100}, {"plan", engine.PlanOnly, false, 100},
		{"observed", engine.Observe, false, 100}, {"held", engine.ApplyAll, false, 0}} {
		t.Run(o.name, func(t *testing.T) {
			s := newScene(8)
			s.run(t)
			s.editDirectory(s.entries["r2"], title, idbridge.Values{"new"})
			s.editDirectory(s.entries["r6"], title, idbridge.Values{"new"})
			s.policy.Limits.Removals, s.target.Mode = o.limit, o.mode
			rec := func(id string) idbridge.Present { return idbridge.Present{Record: s.view.record(s.entries[id])} }
			gone := func(id string) idbridge.Gone { return idbridge.Gone{ID: xid(id), Why: idbridge.Deleted} }
			moving := &moving{scripted: &scripted{view: s.view}}
			moving.do = func() { s.editStore(s.users[s.links["r7"].User], title, idbridge.Values{"meanwhile"}) }
			moving.changes = []idbridge.Change{
				rec("r1"), rec("r1"), rec("r2"), rec("r3"), gone("r3"), rec("r6"), gone("r6"), gone("r4"), rec("r4"),
				idbridge.Present{Record: idbridge.Record{Locator: "uid=nobody", Profile: idbridge.Profile{}}},
				idbridge.Unusable{ID: xid("r5"), Why: fmt.Errorf("octets")}, idbridge.Unusable{Why: fmt.Errorf("blank")},
				rec("r7"), rec("r8"), whole(),
			}
			s.target.Directory = moving
			rep, err := s.engine.Run(t.Context(), s.target, engine.RunOptions{Epoch: s.epoch, DryRun: o.dry})
			if err != nil || !rep.Run.Counts.AddUp() || rep.Run.Counts.Seen != 8 {
				t.Errorf("%v %+v", err, rep.Run.Counts)
			}
			if o.name == "held" && !rep.Held {
				t.Error("not held")
			}
		})
	}
}

// moving is a directory during whose listing somebody edits the store.
type moving struct {
	*scripted
	do func()
}

func (m *moving) Open(context.Context) (idbridge.Session, error) {
	m.do()
	return m.scripted, nil
}
