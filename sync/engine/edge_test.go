package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
)

// scene is a small world without steps in between, for what real servers seldom do.
type scene struct {
	*world
	view   *view
	engine *engine.Engine
	target engine.Target
}

func newScene(people int) *scene {
	w := newWorld(mergePolicy(plan.Both, plan.PreferDirectory))
	w.policy.ConfirmAfter = time.Minute
	for i := range people {
		id := "r" + strconv.Itoa(i+1)
		w.entries[id] = &entry{id: id, dn: "uid=" + id, profile: idbridge.Profile{idbridge.UserName: {"l" + id}, title: {"t" + id}}}
	}
	v := &view{world: w, worker: &worker{w: w}, pause: func() {}}
	return &scene{
		world: w, view: v, engine: &engine.Engine{Store: v, Writers: 1, Now: func() time.Time { return w.now }},
		target: engine.Target{Directory: v, Policy: w.policy},
	}
}

func (s *scene) run(t *testing.T) engine.Report {
	t.Helper()
	rep, err := s.engine.Run(t.Context(), s.target, engine.RunOptions{Epoch: s.epoch})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// scripted is a directory that lists what a test says.
type scripted struct {
	*view
	changes []idbridge.Change
	err     error
}

func (d *scripted) Open(context.Context) (idbridge.Session, error) { return d, nil }

func (d *scripted) Scan(context.Context, idbridge.Cursor) iter.Seq2[idbridge.Change, error] {
	return func(yield func(idbridge.Change, error) bool) {
		for _, c := range d.changes {
			if !yield(c, nil) {
				return
			}
		}
		if d.err != nil {
			yield(nil, d.err)
		}
	}
}

func whole() idbridge.Checkpoint {
	return idbridge.Checkpoint{Complete: true, Proof: idbridge.Proof{LastPage: true, CanaryPre: true, CanaryPost: true}}
}

// Two records with one id, one without an id, one that cannot be read: none of them is used, none is absent.
func TestUnusableRecords(t *testing.T) {
	s := newScene(3)
	s.run(t)
	rec := func(id string) idbridge.Present { return idbridge.Present{Record: s.view.record(s.entries[id])} }
	twin := rec("r2")
	twin.Record.Locator = "uid=twin"
	s.target.Directory = &scripted{view: s.view, changes: []idbridge.Change{
		rec("r1"), rec("r2"), twin,
		idbridge.Present{Record: idbridge.Record{Locator: "uid=nobody", Profile: idbridge.Profile{}}},
		idbridge.Unusable{ID: xid("r3"), Locator: "uid=r3", Why: errors.New("bad octets")},
		idbridge.Unusable{Locator: "uid=blank", Why: errors.New("no id")},
		whole(),
	}}
	rep := s.run(t)
	if c := rep.Run.Counts; c.Seen != 5 || c.Unchanged != 1 || c.Quarantined != 4 || c.Missing != 0 || !c.AddUp() {
		t.Errorf("%+v", c)
	}
	for id, why := range map[string]string{"r2": "two records show the same id", "r3": "bad octets"} {
		if rows := s.quarantine[id]; len(rows) != 1 || rows[0].Why != why {
			t.Errorf("%s: %+v", id, rows)
		}
	}
	if all := strings.Join(rep.Messages, "\n"); !strings.Contains(all, "uid=nobody") || !strings.Contains(all, "uid=blank") {
		t.Errorf("messages: %s", all)
	}
}

// A listing without a checkpoint did not end; one that goes on after it, or fails, is no listing either.
func TestListingsThatDoNotEnd(t *testing.T) {
	boom := &idbridge.Error{Kind: idbridge.Unavailable, Msg: "gone"}
	for name, c := range map[string]struct {
		changes []idbridge.Change
		err     error
		kind    idbridge.Kind
		state   idbridge.RunState
	}{
		"no checkpoint": {nil, nil, idbridge.Incomplete, idbridge.RunIncomplete},
		"error":         {nil, boom, idbridge.Unavailable, idbridge.RunFailed},
		"broken off":    {nil, &idbridge.Error{Kind: idbridge.Incomplete, Msg: "cut"}, idbridge.Incomplete, idbridge.RunIncomplete},
		"goes on":       {[]idbridge.Change{whole(), idbridge.Present{Record: idbridge.Record{ID: xid("x")}}}, nil, idbridge.Internal, idbridge.RunFailed},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(2)
			s.run(t)
			image := s.image()
			changes := append([]idbridge.Change{idbridge.Present{Record: s.view.record(s.entries["r1"])}}, c.changes...)
			s.target.Directory = &scripted{view: s.view, changes: changes, err: c.err}
			rep, err := s.engine.Run(t.Context(), s.target, engine.RunOptions{Epoch: s.epoch})
			if err == nil || idbridge.KindOf(err) != c.kind || rep.Run.State != c.state || rep.Run.Error == "" {
				t.Errorf("%v, %s: %s", err, rep.Run.State, rep.Run.Error)
			}
			if s.image() != image || s.source.Runs != 1 {
				t.Error("something followed from it")
			}
		})
	}
}

// After too many failed writes nothing more is written; what only the store needs goes on, and the run says so.
func TestStopsWriting(t *testing.T) {
	s := newScene(40)
	s.run(t)
	for id, u := range s.users {
		if id <= 30 {
			s.editStore(u, title, idbridge.Values{fmt.Sprintf("new %d", id)})
		}
	}
	s.editDirectory(s.entries["r40"], title, idbridge.Values{"from outside"})
	s.deaf = listing{refuse: true}
	s.target.MaxFailedWrites, s.engine.Writers = 5, 8
	s.target.Directory = &careful{view: s.view}
	rep, err := s.engine.Run(t.Context(), s.target, engine.RunOptions{Epoch: s.epoch})
	if err == nil || rep.Run.State != idbridge.RunFailed || !rep.Run.Counts.AddUp() {
		t.Errorf("%v %s %+v", err, rep.Run.State, rep.Run.Counts)
	}
	if s.modifies != 0 || rep.Run.Counts.Sent != rep.Run.Counts.Refused {
		t.Errorf("%d modifies, %+v", s.modifies, rep.Run.Counts)
	}
	if u := s.users[s.links["r40"].User]; u.Profile[title].First() != "from outside" {
		t.Errorf("the store was not written: %v", u.Profile)
	}
	s.deaf = listing{}
	s.target.MaxFailedWrites = 0
	if rep := s.run(t); rep.Run.Counts.Settled != 30 {
		t.Errorf("the next run: %+v", rep.Run.Counts)
	}
}

// Many writes at once, by several writers: the counters add up and every step is settled once.
func TestSeveralWriters(t *testing.T) {
	s := newScene(250)
	s.policy.Limits.Writes = 1000
	s.run(t)
	for _, u := range s.users {
		s.editStore(u, title, idbridge.Values{"new " + strconv.Itoa(int(u.ID))})
	}
	s.target.Directory = &careful{view: s.view}
	s.engine.Writers = 8
	rep := s.run(t)
	if c := rep.Run.Counts; c.Settled != 250 || c.Updated != 250 || s.modifies != 250 {
		t.Errorf("%+v, %d modifies", c, s.modifies)
	}
	image := s.image()
	s.run(t)
	if s.image() != image || s.modifies != 250 {
		t.Error("the next run was not idle")
	}
}

// careful is a directory whose writes may come from several goroutines.
type careful struct {
	*view
	mu sync.Mutex
}

func (c *careful) Open(context.Context) (idbridge.Session, error) { return c, nil }

func (c *careful) Apply(ctx context.Context, step idbridge.Step) (idbridge.Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.view.Apply(ctx, step)
}

// The order of the listing does not matter. I15.
func TestOrderDoesNotMatter(t *testing.T) {
	var first string
	for round, order := range [][]string{{"r1", "r2", "r3", "r4"}, {"r4", "r3", "r2", "r1"}, {"r2", "r4", "r1", "r3"}} {
		s := newScene(4)
		for _, id := range []string{"r2", "r3", "r4"} { // one address for three
			s.entries[id].profile[idbridge.Email] = idbridge.Values{"Shared@example.org"}
		}
		s.policy.Rules[idbridge.Email] = plan.Rule{Flow: plan.Both, OnConflict: plan.PreferDirectory}
		var changes []idbridge.Change
		for _, id := range order {
			changes = append(changes, idbridge.Present{Record: s.view.record(s.entries[id])})
		}
		s.target.Directory = &scripted{view: s.view, changes: append(changes, whole())}
		rep := s.run(t)
		out := ""
		for _, id := range []string{"r1", "r2", "r3", "r4"} {
			out += fmt.Sprintln(id, s.users[s.links[id].User].Profile)
		}
		out += fmt.Sprintf("%+v", rep.Run.Counts)
		if round == 0 {
			first = out
			if !strings.Contains(out, "r2 map[email:Shared") {
				t.Errorf("the smallest id does not have it:\n%s", out)
			}
		} else if out != first {
			t.Errorf("order %v gives\n%s\ninstead of\n%s", order, out, first)
		}
	}
}

// A batch that the store refuses for a reason of its own is tried one by one: one bad record does not hold up the others.
func TestOneBadRecord(t *testing.T) {
	s := newScene(20)
	s.engine.Store = &choking{view: s.view, on: "r7"}
	rep := s.run(t)
	if c := rep.Run.Counts; c.Created != 19 || c.Skipped != 1 || len(rep.Stale) != 1 {
		t.Errorf("%+v %v", c, rep.Stale)
	}
	s.engine.Store = s.view
	if c := s.run(t).Run.Counts; c.Created != 1 || c.Unchanged != 19 {
		t.Errorf("%+v", c)
	}
}

// choking is a store that cannot take one record.
type choking struct {
	*view
	on string
}

func (c *choking) Commit(ctx context.Context, lead idbridge.Lead, decisions []idbridge.Decision) ([]idbridge.Outcome, error) {
	for i := range decisions {
		if decisions[i].ID.ID == c.on {
			return nil, errors.New("value too long")
		}
	}
	return c.view.Commit(ctx, lead, decisions)
}

// Invalid settings are refused, and the zero settings work.
func TestBadTargets(t *testing.T) {
	e := &engine.Engine{}
	if _, err := e.Run(t.Context(), engine.Target{}, engine.RunOptions{}); idbridge.KindOf(err) != idbridge.Invalid {
		t.Errorf("%v", err)
	}
	s := newScene(1)
	s.target.Mode = engine.Observe
	if _, err := s.engine.Push(t.Context(), s.target, 1, 0); err != nil {
		t.Errorf("a push that may not write: %v", err)
	}
}

// BenchmarkIdleRun is what a run costs besides its records; the property tests make hundreds of thousands of them.
func BenchmarkIdleRun(b *testing.B) {
	s := newScene(2)
	for range 2 {
		if _, err := s.engine.Run(b.Context(), s.target, engine.RunOptions{Epoch: s.epoch}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.engine.Run(b.Context(), s.target, engine.RunOptions{Epoch: s.epoch}); err != nil {
			b.Fatal(err)
		}
	}
}
