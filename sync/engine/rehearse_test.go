package engine_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
)

// foreseeing is a store and a session whose commit, and whose check of a write, find something out that no plan knew.
type foreseeing struct {
	*view
	withheld, stale string // record ids
	fails           error
	invalid         map[string]error
}

func (f *foreseeing) Rehearse(ctx context.Context, lead idbridge.Lead, decisions []idbridge.Decision) ([]idbridge.Outcome, error) {
	if f.fails != nil {
		return nil, f.fails
	}
	out, err := f.view.Rehearse(ctx, lead, decisions)
	for i := range decisions {
		switch decisions[i].ID.ID {
		case f.stale:
			out[i] = idbridge.Outcome{Stale: true}
		case f.withheld:
			out[i].Withheld = []idbridge.Withheld{{
				Attribute: idbridge.Email, Value: "taken@example.org", Holder: 7, Why: "another user has it",
			}}
		}
	}
	return out, err
}

func (f *foreseeing) Validate(step idbridge.Step) error { return f.invalid[step.ID.ID] }

func (f *foreseeing) Open(context.Context) (idbridge.Session, error) { return f, nil }

func (s *scene) dry(t *testing.T) engine.Report {
	t.Helper()
	rep, err := s.engine.Run(t.Context(), s.target, engine.RunOptions{DryRun: true, Epoch: s.epoch})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// What the store's commit or the directory would refuse is said by the dry run, and the plan has what would really come
// out of it. R13.
func TestDryRunForesees(t *testing.T) {
	s := newScene(4)
	s.policy.Rules[idbridge.Email] = plan.Rule{Flow: plan.Both, OnConflict: plan.PreferDirectory}
	s.run(t)
	s.editDirectory(s.entries["r1"], idbridge.Email, idbridge.Values{"taken@example.org"})
	s.editDirectory(s.entries["r1"], title, idbridge.Values{"one"})
	s.editDirectory(s.entries["r2"], title, idbridge.Values{"two"})
	s.editStore(s.users[s.links["r3"].User], title, idbridge.Values{"three"})
	calm := s.dry(t)
	f := &foreseeing{view: s.view, withheld: "r1", stale: "r2", invalid: map[string]error{
		"r3": &idbridge.Error{Kind: idbridge.Refused, Msg: "the name is part of the DN"},
	}}
	s.engine.Store, s.target.Directory = f, f
	data := s.data()
	rep := s.dry(t)
	if s.data() != data || rep.Plan.Hash == calm.Plan.Hash || !rep.Run.Counts.AddUp() {
		t.Errorf("%+v", rep.Run.Counts)
	}
	if c := rep.Run.Counts; c.Skipped != 1 || c.Withheld != 1 || c.Quarantined != 1 || c.Sent != 0 || rep.Plan.Counts.Pulls != 1 {
		t.Errorf("%+v, plan %+v", c, rep.Plan.Counts)
	}
	all := strings.Join(rep.Messages, "\n")
	for _, want := range []string{"another user has it", "lr2 changed while", "part of the DN"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in the messages:\n%s", want, all)
		}
	}
	if d := s.decision(t, rep.Plan.Hash, "r1"); len(d.Steps) != 1 || len(d.Steps[0].After[idbridge.Email]) != 0 || len(d.Base[idbridge.Email]) != 0 {
		t.Errorf("r1: %+v", d)
	}
}

func (s *scene) decision(t *testing.T, hash, id string) (found idbridge.Decision) {
	t.Helper()
	for d, err := range s.view.Decisions(t.Context(), hash) {
		if err != nil {
			t.Fatal(err)
		}
		if d.ID.ID == id {
			found = d
		}
	}
	return found
}

// What would stop the real run stops the dry one, and no plan is kept.
func TestDryRunFailsAsTheRealOne(t *testing.T) {
	for name, f := range map[string]*foreseeing{
		"store":     {fails: &idbridge.Error{Kind: idbridge.Unavailable, Msg: "the disk is full"}},
		"directory": {invalid: map[string]error{"r1": &idbridge.Error{Kind: idbridge.Invalid, Msg: "no such attribute"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(2)
			s.run(t)
			s.editStore(s.users[s.links["r1"].User], title, idbridge.Values{"three"})
			f.view = s.view
			s.engine.Store, s.target.Directory = f, f
			_, err := s.engine.Run(t.Context(), s.target, engine.RunOptions{DryRun: true, Epoch: s.epoch})
			if err == nil || len(s.plans) != 0 {
				t.Errorf("%v, %d plans", err, len(s.plans))
			}
		})
	}
}

// seen is shown a plan before anything is done.
type seen struct {
	plan      idbridge.Plan
	decisions []idbridge.Decision
}

func (w *seen) Planned(p idbridge.Plan, decisions iter.Seq2[idbridge.Decision, error]) error {
	w.plan = p
	for d, err := range decisions {
		if err != nil {
			return err
		}
		w.decisions = append(w.decisions, d)
	}
	return nil
}

// One record is planned with the code that decides in a run; in mode observe nothing is kept but the run's row.
func TestPlanOfOneRecord(t *testing.T) {
	s := newScene(3)
	s.run(t)
	s.editDirectory(s.entries["r1"], title, idbridge.Values{"one"})
	s.editDirectory(s.entries["r2"], title, idbridge.Values{"two"})
	whole := s.dry(t)
	want := s.decision(t, whole.Plan.Hash, "r1")
	clear(s.plans)
	for _, mode := range []engine.Mode{engine.Observe, engine.ApplyAll} {
		s.target.Mode = mode
		image, source := s.image(), s.source
		var w seen
		rep, err := s.engine.Run(t.Context(), s.target, engine.RunOptions{
			DryRun: true, Epoch: s.epoch, Only: []idbridge.ExternalID{xid("r1")}, Watch: &w,
		})
		if err != nil || len(w.decisions) != 1 || rep.Run.Counts.Updated != 1 || rep.Run.Counts.Seen != 1 {
			t.Fatalf("%v %+v", err, rep.Run.Counts)
		}
		got := w.decisions[0]
		if got.ID != want.ID || got.Steps[0].After[title].First() != want.Steps[0].After[title].First() {
			t.Errorf("%+v instead of %+v", got, want)
		}
		if mode == engine.Observe && (s.image() != image || s.source.Cursor != source.Cursor) {
			t.Error("something was stored")
		}
		if kept := len(s.plans) == 1; kept != (mode == engine.ApplyAll) {
			t.Errorf("%s: plan kept: %v", mode, kept)
		}
	}
}

// An alarm is logged when it begins, when its reason changes and when it ends, once each.
func TestAlarms(t *testing.T) {
	s := newScene(30)
	s.policy.Limits.Removals = 3
	var log bytes.Buffer
	s.engine.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	lines := func() (n int) {
		n = strings.Count(log.String(), "msg=alarm") + strings.Count(log.String(), `msg="alarm ended"`)
		return n
	}
	try := func(what, want string, changed bool, logged int) {
		t.Helper()
		rep, _ := s.engine.Run(t.Context(), s.target, engine.RunOptions{Epoch: s.epoch})
		if rep.Alarm != want || rep.AlarmChanged != changed || lines() != logged || s.source.Alarm != want {
			t.Errorf("%s: alarm %q (changed %v), %d lines, kept %q", what, rep.Alarm, rep.AlarmChanged, lines(), s.source.Alarm)
		}
	}
	try("all is well", "", false, 0)
	for i := range 5 {
		delete(s.entries, []string{"r1", "r2", "r3", "r4", "r5"}[i])
	}
	try("missing", "", false, 0)
	s.now = s.now.Add(confirmAfter)
	try("held", "held: removals", true, 1)
	delete(s.entries, "r6")
	try("held again", "held: removals", false, 1)
	if !strings.Contains(log.String(), "causes=") || strings.Contains(log.String(), `causes=""`) {
		t.Errorf("no causes:\n%s", log.String())
	}
	s.deaf = listing{cut: 3}
	try("broken off", "failed: unavailable", true, 2)
	try("broken off again", "failed: unavailable", false, 2)
	s.deaf = listing{cut: 3, silent: true}
	try("cut", "incomplete: size limit", true, 3)
	s.deaf = listing{}
	for _, id := range []string{"r1", "r2", "r3", "r4", "r5", "r6"} {
		s.entries[id] = &entry{id: id, profile: idbridge.Profile{idbridge.UserName: {"l" + id}, title: {"t" + id}}}
	}
	try("over", "", true, 4)
}

// asked is a session that can say where a record is.
type asked struct {
	*view
	down error
}

func (a *asked) Open(context.Context) (idbridge.Session, error) { return a, a.down }

func (a *asked) Scope(context.Context, idbridge.ExternalID) (idbridge.Scope, error) {
	return idbridge.Scope{Found: true, Locator: "uid=elsewhere", InFilter: idbridge.Support{Reason: "not in (a=b)"}}, nil
}

// An explanation says what a run would do, and writes nothing, not even a run's row; a directory that is down is named.
func TestExplain(t *testing.T) {
	s := newScene(3)
	s.run(t)
	s.editDirectory(s.entries["r1"], title, idbridge.Values{"new"})
	d := &asked{view: s.view}
	s.target.Directory = d
	image, rows, user := s.image(), s.lastRun, s.links["r1"].User
	explain := func(id string) idbridge.ExplainedRecord {
		t.Helper()
		x, err := s.engine.Explain(t.Context(), s.target, s.links[id].User, xid(id))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	x := explain("r1")
	if x.Situation != idbridge.Updated || x.Scope.Locator != "uid=elsewhere" || len(x.Steps) != 1 || x.Error != "" {
		t.Errorf("%+v", x)
	}
	for _, a := range x.Attributes {
		if a.Attribute == title && (a.Directory.First() != "new" || a.Store.First() != "tr1" || a.Outcome != "store" || a.Why == "") {
			t.Errorf("%+v", a)
		}
	}
	delete(s.entries, "r2")
	if x := explain("r2"); x.Situation != idbridge.Skipped || x.State != idbridge.LinkActive {
		t.Errorf("%+v", x)
	}
	d.down = &idbridge.Error{Kind: idbridge.Unavailable, Msg: "nobody answers"}
	if x := explain("r1"); x.Error != "nobody answers" || len(x.Attributes) == 0 || x.Situation == idbridge.Updated {
		t.Errorf("%+v", x)
	}
	if s.image() != image || s.lastRun != rows {
		t.Error("something was written")
	}
	if _, err := s.engine.Explain(t.Context(), s.target, user+1, xid("r1")); !errors.Is(err, idbridge.NotFound) {
		t.Errorf("another user's link: %v", err)
	}
	if _, err := s.engine.Explain(t.Context(), s.target, user, idbridge.ExternalID{Directory: "hr", ID: "r1"}); !errors.Is(err, idbridge.Invalid) {
		t.Errorf("another directory's link: %v", err)
	}
}
