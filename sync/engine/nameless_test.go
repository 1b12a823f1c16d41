package engine_test

import (
	"errors"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
)

// Somebody known whose record shows no id any more is there still, where he was: he is set aside and keeps his access. Who
// is really gone is missed all the same.
func TestKnownRecordLosesItsID(t *testing.T) {
	s := newScene(3)
	s.run(t)
	rec := func(id string) idbridge.Present { return idbridge.Present{Record: s.view.record(s.entries[id])} }
	s.target.Directory = &scripted{view: s.view, changes: []idbridge.Change{
		rec("r1"),
		idbridge.Unusable{Locator: "UID=r2", Why: errors.New("no id")},
		whole(),
	}}
	for range 3 {
		s.now = s.now.Add(time.Hour)
		rep := s.run(t)
		if c := rep.Run.Counts; c.Seen != 2 || c.Quarantined != 1 || !c.AddUp() {
			t.Errorf("%+v", c)
		}
	}
	if l := s.links["r2"]; l.State != idbridge.LinkActive || l.Sightings != 0 {
		t.Errorf("r2 counts as absent: %+v", l)
	}
	if l := s.links["r3"]; l.State != idbridge.LinkMissing {
		t.Errorf("r3 does not: %+v", l)
	}
	if rows := s.quarantine["r2"]; len(rows) != 1 {
		t.Errorf("r2 is not listed: %+v", rows)
	}
}
