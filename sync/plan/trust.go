package plan

import (
	"fmt"
	"time"

	"github.com/idbridge/idbridge"
)

// restored holds everything, pushes too, while the store is an older copy that nobody accepted: what it remembers of
// links, bases and tombstones is older than what the directory has seen of it since.
func (t *Tally) restored(f *Facts) (idbridge.Verdict, bool) {
	v := idbridge.Verdict{Guard: GuardRestored, Count: t.decisions}
	if f.Restored.IsZero() {
		return v, false
	}
	v.Held = idbridge.HoldAll
	v.Why = fmt.Sprintf("this store is an older copy, as was found %s: look at what came back and accept it (idbridge restore --accept)",
		f.Restored.UTC().Format(time.DateTime))
	return v, true
}

// rollback holds everything when many records show an older state than before. A few are left alone one by one: a replica
// that is two seconds behind looks like this after every write.
func (t *Tally) rollback(f *Facts) (idbridge.Verdict, bool) {
	l := &t.p.Limits
	v := idbridge.Verdict{Guard: GuardRollback, Count: t.back, Of: f.Population.Links}
	t.measure(&v, f, l.Back, l.BackShare, -1)
	if f.Pushed {
		return v, false
	}
	switch {
	case v.Count > v.Limit:
		v.Held = idbridge.HoldAll
		v.Why = fmt.Sprintf("%s an older state than before, more than %d of %d: approve the plan to let the older values win, or wait "+
			"until the directory shows the newer ones again", records(v.Count, "shows", "show"), v.Limit, v.Of)
	case v.Count > 0:
		v.Why = records(v.Count, "shows", "show") + " an older state than before, left alone in this run"
	}
	return v, true
}

func (t *Tally) ids(f *Facts) (idbridge.Verdict, bool) {
	l := &t.p.Limits
	v := idbridge.Verdict{Guard: GuardIDs, Count: t.rivals, Of: f.Population.Links}
	t.measure(&v, f, l.IDs, l.IDsShare, -1)
	if f.Pushed {
		return v, false
	}
	if v.Count > v.Limit {
		v.Held = idbridge.HoldAll
		v.Why = fmt.Sprintf("%s the login or e-mail of somebody who has another record, more than %d of %d: check the identity key; "+
			"approved, they become new people who inherit nothing", records(v.Count, "has", "have"), v.Limit, v.Of)
	}
	return v, true
}

func (t *Tally) scope(f *Facts) (idbridge.Verdict, bool) {
	v := idbridge.Verdict{Guard: GuardScope, Count: t.counts.Missing + t.counts.Suspended, Of: f.Population.Links}
	if f.Known == "" || f.Scope == f.Known {
		return v, f.Known != "" && !f.Pushed
	}
	if f.Complete && t.effects == 0 {
		v.Why = "base, filter, mapping or identity key changed in the config, and nothing follows from it"
		return v, true
	}
	v.Held = idbridge.HoldAll
	v.Why = fmt.Sprintf("base, filter, mapping or identity key changed in the config since the last run, and %s out of it: "+
		"look at the plan and approve it, or put the config back", people(v.Count, "falls", "fall"))
	return v, true
}

func records(n int, one, many string) string {
	if n == 1 {
		return "1 record " + one
	}
	return fmt.Sprintf("%d records %s", n, many)
}
