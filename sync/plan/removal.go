package plan

import (
	"cmp"
	"fmt"

	"github.com/idbridge/idbridge"
)

// removals are the ways in which a plan takes people's access, or the people.
type removals struct{ absent, inactive, purged int }

func (r *removals) all() int { return r.absent + r.inactive + r.purged }

func (t *Tally) complete(f *Facts) (idbridge.Verdict, bool) {
	v := idbridge.Verdict{Guard: GuardComplete, Count: t.absences, Of: f.Population.Links}
	if f.Undo {
		return v, false
	}
	doubt := cmp.Or(f.Proof.Doubt, t.doubt)
	if f.Complete && t.doubt == "" {
		return v, !f.Pushed
	}
	if t.absences == 0 {
		v.Why = "the listing is not complete, so nothing was derived from absence" + because(doubt)
		return v, !f.Pushed
	}
	v.Held = idbridge.HoldAll
	v.Why = fmt.Sprintf("%s to be absent, but the listing is not complete%s: run again once the directory answers in full",
		people(t.absences, "seems", "seem"), because(doubt))
	return v, true
}

func (t *Tally) empty(f *Facts) (idbridge.Verdict, bool) {
	before := max(f.Records, f.Population.Links)
	v := idbridge.Verdict{Guard: GuardEmpty, Count: t.counts.Seen, Of: before}
	if f.Pushed || f.Undo || !f.Complete {
		return v, false
	}
	if t.counts.Seen == 0 && before > 0 {
		v.Held = idbridge.HoldAll
		v.Why = fmt.Sprintf("the directory shows nobody where it showed %d: check what the bind account can read (idbridge check), "+
			"and approve the plan only if everybody really left", before)
	}
	return v, true
}

func (t *Tally) removals(f *Facts) (idbridge.Verdict, bool) {
	l := &t.p.Limits
	v := idbridge.Verdict{Guard: GuardRemovals, Count: t.removed.all(), Of: f.Population.Links}
	t.measure(&v, f, l.Removals, l.RemovalsShare, l.RemovalsCap)
	if f.Pushed {
		return v, false
	}
	v.Names = few(t.admins.hit())
	switch {
	case v.Count > v.Limit:
		v.Held = idbridge.HoldAll
		v.Why = fmt.Sprintf("%s access (%d absent, %d inactive, %d purged), more than %d of %d: approve the plan if they really left",
			people(v.Count, "loses", "lose"), t.removed.absent, t.removed.inactive, t.removed.purged, v.Limit, v.Of)
	case v.Count+t.counts.Missing > v.Limit:
		v.Why = fmt.Sprintf("%s absent and not suspended yet: if another listing confirms it, that is more than %d of %d, and the plan is held",
			people(t.counts.Missing, "is", "are"), v.Limit, v.Of)
	}
	return v, true
}

func (t *Tally) keys(f *Facts) (idbridge.Verdict, bool) {
	l := &t.p.Limits
	v := idbridge.Verdict{Guard: GuardKeys, Count: t.silenced, Of: f.Population.Keys}
	t.measure(&v, f, l.Keys, l.KeysShare, -1)
	if f.Pushed {
		return v, false
	}
	if v.Count > v.Limit {
		v.Held = idbridge.HoldAll
		v.Why = fmt.Sprintf("%d keys would be refused because their owners lose access, more than %d of %d: look whose they are and "+
			"approve the plan if the programs that use them may stop", v.Count, v.Limit, v.Of)
	}
	return v, true
}
