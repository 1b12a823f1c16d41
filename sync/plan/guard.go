package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/idbridge/idbridge"
)

// The guards, by the names that verdicts carry.
const (
	GuardComplete  = "complete"  // removal by absence without a complete listing
	GuardEmpty     = "empty"     // nobody is shown where somebody was
	GuardScope     = "scope"     // base DN, filter, mapping or identity key changed
	GuardRemovals  = "removals"  // too many would lose access
	GuardAdmins    = "admins"    // nobody would be left who can administer
	GuardCreations = "creations" // too many new users
	GuardChanges   = "changes"   // too many linked records changed
	GuardMembers   = "members"   // a group loses too many members
	GuardWrites    = "writes"    // too many changes would go to the directory
)

// namesMost is how many names a sentence lists.
const namesMost = 10

// guard is what each of them is: a look at the sums and the facts, and an answer. It answers false when it does not
// concern the run.
type guard func(*Tally, *Facts) (idbridge.Verdict, bool)

// verdicts asks all guards, in the order in which a person should read them.
//
//	holds            guards
//	the whole plan   complete, empty, scope, removals, admins
//	new users        creations
//	one group        members
//	attribute steps  changes, writes; so that a leaver's access still ends
func (t *Tally) verdicts(f *Facts) []idbridge.Verdict {
	var out []idbridge.Verdict
	for _, g := range [...]guard{
		(*Tally).complete, (*Tally).empty, (*Tally).scope, (*Tally).removals, (*Tally).lastAdmin,
		(*Tally).creations, (*Tally).changes, (*Tally).tooManyWrites,
	} {
		if v, concerns := g(t, f); concerns {
			out = append(out, v)
		}
	}
	return append(out, t.members(f)...)
}

func (t *Tally) complete(f *Facts) (idbridge.Verdict, bool) {
	v := idbridge.Verdict{Guard: GuardComplete, Count: t.absences, Of: f.Population.Links}
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
	if f.Pushed || !f.Complete {
		return v, false
	}
	if t.counts.Seen == 0 && before > 0 {
		v.Held = idbridge.HoldAll
		v.Why = fmt.Sprintf("the directory shows nobody where it showed %d: lost read rights, a wrong base or filter, or an empty "+
			"replica looks like this; check what the bind account can read", before)
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

func (t *Tally) removals(f *Facts) (idbridge.Verdict, bool) {
	l := t.p.Limits
	v := idbridge.Verdict{
		Guard: GuardRemovals, Count: t.removed.all(), Of: f.Population.Links,
		Limit: limit(f.Population.Links, l.Removals, l.RemovalsShare),
	}
	if l.RemovalsCap >= 0 {
		v.Limit = min(v.Limit, l.RemovalsCap)
	}
	if f.Pushed {
		return v, false
	}
	if v.Count > v.Limit {
		v.Held = idbridge.HoldAll
		v.Why = fmt.Sprintf("%s access (%d absent, %d inactive, %d purged), more than %d of %d: lost read rights, a wrong base or "+
			"filter, or a broken import into the directory looks like this; approve the plan if they really left",
			people(v.Count, "loses", "lose"), t.removed.absent, t.removed.inactive, t.removed.purged, v.Limit, v.Of)
	}
	return v, true
}

func (t *Tally) lastAdmin(f *Facts) (idbridge.Verdict, bool) {
	lost, gained := t.admins.balance(t.p, f)
	able := max(f.Population.Admins, len(f.Population.AdminIDs))
	v := idbridge.Verdict{Guard: GuardAdmins, Count: len(lost), Of: able, Limit: max(0, able+gained-1)}
	if len(lost) == 0 || able == 0 {
		return v, !f.Pushed
	}
	if v.Count > v.Limit {
		v.Held = idbridge.HoldAll
		v.Why = fmt.Sprintf("nobody would be left who can sign in and administer (%s): make another administrator first, or "+
			"look why the directory drops them", names(lost))
	}
	return v, true
}

func (t *Tally) creations(f *Facts) (idbridge.Verdict, bool) {
	l := t.p.Limits
	v := idbridge.Verdict{
		Guard: GuardCreations, Count: t.counts.Created, Of: f.Population.Links,
		Limit: limit(f.Population.Links, l.Creations, l.CreationsShare),
	}
	if f.Pushed || f.First {
		return v, false
	}
	if v.Count > v.Limit {
		v.Held = idbridge.HoldCreations
		v.Why = fmt.Sprintf("%d new users, more than %d beside %d linked ones: a filter that became too wide, or ids that changed "+
			"in the directory, looks like this; approve the plan if they are really new", v.Count, v.Limit, v.Of)
	}
	return v, true
}

func (t *Tally) changes(f *Facts) (idbridge.Verdict, bool) {
	l := t.p.Limits
	v := idbridge.Verdict{
		Guard: GuardChanges, Count: t.changed, Of: f.Population.Links,
		Limit: limit(f.Population.Links, l.Changes, l.ChangesShare),
	}
	if f.Pushed {
		return v, false
	}
	if v.Count > v.Limit {
		v.Held = idbridge.HoldAttributes
		v.Why = fmt.Sprintf("%d linked records changed, more than %d of %d: a mass edit or a damaged attribute in the directory "+
			"looks like this; access still ends and returns, the values wait for approval", v.Count, v.Limit, v.Of)
	}
	return v, true
}

func (t *Tally) tooManyWrites(f *Facts) (idbridge.Verdict, bool) {
	l := t.p.Limits
	v := idbridge.Verdict{
		Guard: GuardWrites, Count: t.writes, Of: f.Population.Links,
		Limit: limit(f.Population.Links, l.Writes, l.WritesShare),
	}
	if f.Pushed {
		return v, false
	}
	if v.Count > v.Limit {
		v.Held = idbridge.HoldAttributes
		v.Why = fmt.Sprintf("%d records would be written to the directory, more than %d of %d, and no signed-in person made these "+
			"edits one by one: a mass edit in the store or a restored store looks like this; approve the plan if it is meant",
			v.Count, v.Limit, v.Of)
	}
	return v, true
}

// members looks at each group: a verdict for each that loses too many, or one for the group that loses most.
func (t *Tally) members(f *Facts) []idbridge.Verdict {
	if f.Pushed {
		return nil
	}
	l := t.p.Limits
	worst := idbridge.Verdict{Guard: GuardMembers}
	var out []idbridge.Verdict
	for _, id := range slices.Sorted(maps.Keys(t.groups)) {
		g := t.groups[id]
		before := g.left
		if g.known {
			before = max(g.left, g.members+g.left-g.joined)
		}
		v := idbridge.Verdict{Guard: GuardMembers, Count: g.left, Of: before, Limit: limit(before, l.Members, l.MembersShare), About: id}
		switch {
		case v.Count > v.Limit:
			v.Held = idbridge.HoldGroup
			v.Why = fmt.Sprintf("the group %s loses %d of %d members, more than %d: a list that was not read whole, or a rebuilt "+
				"group, looks like this; it stays as it is until the plan is approved", g.name, v.Count, v.Of, v.Limit)
			out = append(out, v)
		case v.Count > worst.Count:
			worst = v
		}
	}
	if len(out) == 0 {
		return []idbridge.Verdict{worst}
	}
	return out
}

func because(doubt string) string {
	if doubt == "" {
		return ""
	}
	return " (" + doubt + ")"
}

func people(n int, one, many string) string {
	if n == 1 {
		return "1 person " + one
	}
	return fmt.Sprintf("%d people %s", n, many)
}

func names(list []string) string {
	if len(list) <= namesMost {
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:namesMost], ", ") + fmt.Sprintf(" and %d more", len(list)-namesMost)
}
