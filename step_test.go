package idbridge_test

import (
	"testing"

	"github.com/idbridge/idbridge"
)

// TestDecisionEmpty: whatever a commit would write makes a decision not empty; what is for people only does not.
func TestDecisionEmpty(t *testing.T) {
	for _, d := range []idbridge.Decision{
		{},
		{ID: idbridge.ExternalID{ID: "x"}, Situation: idbridge.HeldBack, Why: "w", Name: "n", User: 3},
		{Withheld: []idbridge.Withheld{{Attribute: "email"}}, Unusable: "x", Listed: true},
	} {
		if !d.Empty() {
			t.Errorf("%+v", d)
		}
	}
	for _, d := range []idbridge.Decision{
		{Steps: []idbridge.Step{{}}},
		{Base: idbridge.Profile{"a": nil}},
		{Conflicts: []idbridge.Conflict{{}}},
		{Closed: []idbridge.ConflictID{1}},
		{Withheld: []idbridge.Withheld{{}}},
		{Unusable: "x"},
		{Group: &idbridge.GroupSeen{}},
		{Seen: idbridge.Observation{Sightings: 1}},
	} {
		if d.Empty() {
			t.Errorf("%+v", d)
		}
	}
}

// TestPhase: what gives comes before what takes; a decision is as late as its latest step.
func TestPhase(t *testing.T) {
	for _, c := range []struct {
		verbs []idbridge.Verb
		want  idbridge.Phase
	}{
		{nil, idbridge.PhaseGive},
		{[]idbridge.Verb{idbridge.Create}, idbridge.PhaseGive},
		{[]idbridge.Verb{idbridge.Restore, idbridge.Update}, idbridge.PhaseGive},
		{[]idbridge.Verb{idbridge.Join}, idbridge.PhaseJoin},
		{[]idbridge.Verb{idbridge.Leave, idbridge.Join}, idbridge.PhaseLeave},
		{[]idbridge.Verb{idbridge.Update, idbridge.Suspend}, idbridge.PhaseTake},
		{[]idbridge.Verb{idbridge.Miss}, idbridge.PhaseTake},
		{[]idbridge.Verb{idbridge.Purge, idbridge.Update}, idbridge.PhasePurge},
	} {
		var d idbridge.Decision
		for _, v := range c.verbs {
			d.Steps = append(d.Steps, idbridge.Step{Verb: v})
		}
		if got := d.Phase(); got != c.want || got >= idbridge.Phases {
			t.Errorf("%v: phase %d, want %d", c.verbs, got, c.want)
		}
	}
}

func TestDirectoryStep(t *testing.T) {
	d := idbridge.Decision{Steps: []idbridge.Step{{Side: idbridge.StoreSide}, {Side: idbridge.DirectorySide, Why: "this"}}}
	if s := d.DirectoryStep(); s == nil || s != &d.Steps[1] {
		t.Error("not found, or a copy")
	}
	d.Steps = d.Steps[:1]
	if d.DirectoryStep() != nil {
		t.Error("found what is not there")
	}
}

// TestPreconditions: what a plan read must still hold, and only the step that was sent can be settled.
func TestPreconditions(t *testing.T) {
	read := idbridge.Versions{User: 3, Link: 4}
	for _, c := range []struct {
		now  idbridge.Versions
		open idbridge.SentID
		ok   bool
	}{
		{read, 0, true},
		{idbridge.Versions{User: 4, Link: 4}, 0, false},
		{idbridge.Versions{User: 3, Link: 5}, 0, false},
		{read, 9, false},
	} {
		err := idbridge.MayCommit(read, c.now, c.open)
		if (err == nil) != c.ok || err != nil && idbridge.KindOf(err) != idbridge.Conflicting {
			t.Errorf("commit %+v: %v", c, err)
		}
	}
	for _, c := range []struct {
		sent, open       idbridge.SentID
		sentAt, revision int64
		ok               bool
	}{
		{7, 7, 3, 3, true},
		{7, 7, 3, 9, true}, // an acknowledged effect counts whatever was edited meanwhile
		{7, 8, 3, 3, false},
		{7, 0, 3, 3, false},
		{0, 0, 3, 3, false},
	} {
		if err := idbridge.MaySettle(c.sent, c.open, c.sentAt, c.revision); (err == nil) != c.ok {
			t.Errorf("settle %+v: %v", c, err)
		}
	}
	if idbridge.MayLead(2, 2) != nil || idbridge.KindOf(idbridge.MayLead(2, 3)) != idbridge.Locked {
		t.Error("an older epoch leads")
	}
}
