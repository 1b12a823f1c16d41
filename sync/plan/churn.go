package plan

import (
	"fmt"

	"github.com/idbridge/idbridge"
)

func (t *Tally) creations(f *Facts) (idbridge.Verdict, bool) {
	l := &t.p.Limits
	v := idbridge.Verdict{Guard: GuardCreations, Count: t.counts.Created, Of: f.Population.Links}
	t.measure(&v, f, l.Creations, l.CreationsShare, -1)
	if f.Pushed || f.First {
		return v, false
	}
	if v.Count > v.Limit {
		v.Held = idbridge.HoldCreations
		v.Why = fmt.Sprintf("%d new users, more than %d beside %d linked ones: approve the plan if they are really new",
			v.Count, v.Limit, v.Of)
	}
	return v, true
}

func (t *Tally) changes(f *Facts) (idbridge.Verdict, bool) {
	l := &t.p.Limits
	v := idbridge.Verdict{Guard: GuardChanges, Count: t.changed, Of: f.Population.Links}
	t.measure(&v, f, l.Changes, l.ChangesShare, -1)
	if f.Pushed {
		return v, false
	}
	if v.Count > v.Limit {
		v.Held = idbridge.HoldAttributes
		v.Why = fmt.Sprintf("%d linked records changed, more than %d of %d: access still ends and returns, the values wait until the "+
			"plan is approved", v.Count, v.Limit, v.Of)
	}
	return v, true
}

func (t *Tally) tooManyWrites(f *Facts) (idbridge.Verdict, bool) {
	l := &t.p.Limits
	v := idbridge.Verdict{Guard: GuardWrites, Count: t.writes, Of: f.Population.Links}
	t.measure(&v, f, l.Writes, l.WritesShare, -1)
	if f.Pushed {
		return v, false
	}
	if v.Count > v.Limit {
		v.Held = idbridge.HoldAttributes
		v.Why = fmt.Sprintf("%d records would be written to the directory, more than %d of %d, and no signed-in person made these "+
			"edits one by one: approve the plan if it is meant", v.Count, v.Limit, v.Of)
	}
	return v, true
}
