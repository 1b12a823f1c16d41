package plan

import (
	"fmt"
	"maps"
	"slices"

	"github.com/idbridge/idbridge"
)

func (t *Tally) lastAdmin(f *Facts) (idbridge.Verdict, bool) {
	lost, gained := t.admins.balance(t.p, f)
	able := max(f.Population.Admins, len(f.Population.AdminIDs))
	v := idbridge.Verdict{Guard: GuardAdmins, Count: len(lost), Of: able, Limit: max(0, able+gained-1), Names: few(lost)}
	if len(lost) == 0 || able == 0 {
		return v, !f.Pushed
	}
	if v.Count > v.Limit {
		v.Held = idbridge.HoldAll
		v.Why = fmt.Sprintf("nobody would be left who can sign in and administer (%s): make another administrator first", names(lost))
	}
	return v, true
}

// adminGrants holds the joins that give ADMIN, on a first import too: a role rule that names the wrong group is found
// there or never.
func (t *Tally) adminGrants(f *Facts) (idbridge.Verdict, bool) {
	l := &t.p.Limits
	fresh := t.admins.fresh(f)
	v := idbridge.Verdict{Guard: GuardAdminGrants, Count: len(fresh), Of: f.Population.Links, Names: few(fresh)}
	t.measure(&v, f, l.Admins, l.AdminsShare, -1)
	if f.Pushed {
		return v, false
	}
	if v.Count > v.Limit {
		v.Held = idbridge.HoldGrants
		v.Why = fmt.Sprintf("%s administrators (%s), more than %d: approve the plan if all of them shall be",
			people(v.Count, "becomes one of the", "become"), names(fresh), v.Limit)
	}
	return v, true
}

func (t *Tally) grants(f *Facts) (idbridge.Verdict, bool) {
	l := &t.p.Limits
	v := idbridge.Verdict{Guard: GuardGrants, Count: t.given, Of: f.Population.Links}
	t.measure(&v, f, l.Grants, l.GrantsShare, -1)
	if f.Pushed || f.First {
		return v, false
	}
	if v.Count > v.Limit {
		v.Held = idbridge.HoldGrants
		v.Why = fmt.Sprintf("groups give %d roles, more than %d beside %d linked users: who leaves a group leaves it, the roles that "+
			"come wait until the plan is approved", v.Count, v.Limit, v.Of)
	}
	return v, true
}

// members looks at each group: a verdict for each that loses too many, or one for the group that loses most.
func (t *Tally) members(f *Facts) []idbridge.Verdict {
	if f.Pushed {
		return nil
	}
	l := &t.p.Limits
	worst := idbridge.Verdict{Guard: GuardMembers}
	var out []idbridge.Verdict
	for _, id := range slices.Sorted(maps.Keys(t.groups)) {
		g := t.groups[id]
		before := g.left
		if g.known {
			before = max(g.left, g.members+g.left-g.joined)
		}
		v := idbridge.Verdict{Guard: GuardMembers, Count: g.left, Of: before, About: id}
		t.measure(&v, f, l.Members, l.MembersShare, -1)
		switch {
		case v.Count > v.Limit:
			v.Held = idbridge.HoldGroup
			v.Why = fmt.Sprintf("the group %s loses %d of %d members, more than %d: it stays as it is until the plan is approved",
				g.name, v.Count, v.Of, v.Limit)
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
