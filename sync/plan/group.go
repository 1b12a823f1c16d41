package plan

import (
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// groupSteps is how many members one decision moves at most, so that a batch stays short.
const groupSteps = 500

// rulesChanged is why somebody who stays in a group joins it again.
const rulesChanged = "what the group gives has changed"

// DecideGroup says who joined and who left a group, in decisions of at most 500 steps, all joins before all leaves;
// GroupSeen stands on the last one. old has the ids of the members that the store knows. A group that could not be read
// whole is unknown, not empty: nil or Whole not OK gives no decision. A group that a complete listing no longer shows is
// given as Members without members and Whole OK. was is the digest the store has, digest that of what was seen; equal
// ones give no decision.
//
// A group that gives nothing and never did is only noted, with its digest and size: nobody asks who is in it, and a
// directory may have half a million memberships that decide nothing. A rule that names it later changes its digest, and
// then its members join.
//
// Who stays is given and taken the roles by which the group's rules, or its name, have changed: g.Grants tells what its
// members have now; when the store does not say, the rules for its old name do, and a digest that moved without a member
// is read as changed rules.
func DecideGroup(p *Policy, g idbridge.Group, seen *idbridge.Members, old []string, was, digest idbridge.Digest) []idbridge.Decision {
	if seen == nil {
		return nil
	}
	members := seen.Members
	if !seen.Whole.OK {
		if !failpoint.Mutant("groupempty") { // the mistake: a list that was not read is taken for empty
			return nil
		}
		members = nil
	}
	if was == digest && !digest.IsZero() {
		return nil
	}
	id := seen.Group
	if id.ID == "" {
		id = g.ID
	}
	now := memberIDs(members)
	old = slices.Compact(slices.Sorted(slices.Values(old)))
	give, had, given := p.groupGrants(g, id, seen.Name, old)

	if len(give) == 0 && len(had) == 0 && len(old) == 0 {
		return (&groupWork{id: id}).split(seen.Name, idbridge.GroupSeen{Name: seen.Name, Digest: digest, Members: len(now)})
	}
	taken := minus(had, give)
	ruled := g.Grants == nil && !was.IsZero() && slices.Equal(now, old) && len(give) > 0 && len(taken) == 0

	gs := groupWork{id: id}
	for _, m := range now {
		_, stays := slices.BinarySearch(old, m)
		switch {
		case !stays:
			gs.add(idbridge.Join, m, give, "")
		case len(given) > 0 || ruled:
			gs.add(idbridge.Join, m, give, rulesChanged)
		}
	}
	for _, m := range old {
		_, stays := slices.BinarySearch(now, m)
		switch {
		case !stays:
			gs.add(idbridge.Leave, m, union(had, give), "")
		case len(taken) > 0: // out with what is no longer given, and in again with the rest
			gs.add(idbridge.Leave, m, taken, rulesChanged)
			if len(given) > 0 { // what is new comes in a step of its own, which a guard may hold; it is the last word on what the group gives
				gs.add(idbridge.Join, m, minus(give, given), rulesChanged)
			}
			gs.add(idbridge.Join, m, give, rulesChanged)
		}
	}
	return gs.split(seen.Name, idbridge.GroupSeen{Name: seen.Name, Digest: digest, Members: len(now)})
}

// groupGrants returns what the rules give to the members now, what members have had so far, and what of the former is new.
func (p *Policy) groupGrants(g idbridge.Group, id idbridge.ExternalID, name string, old []string) (give, had, given []idbridge.Grant) {
	give = stamp(GrantsOf(p, name), id.ID, name)
	switch {
	case g.Grants != nil:
		had = stamp(g.Grants, id.ID, g.Name)
	case g.Name != "":
		had = stamp(GrantsOf(p, g.Name), id.ID, g.Name)
	}
	if len(old) > 0 {
		given = minus(give, had)
	}
	return give, had, given
}

// GrantsOf returns what the role rules of the policy's directory give to the members of the group with this DN, without
// user and group id. DNs are compared as RFC 4514 means them: case, spaces and ways of escaping do not count.
func GrantsOf(p *Policy, groupName string) []idbridge.Grant {
	var out []idbridge.Grant
	normal := ""
	for i := range p.Roles {
		rule := &p.Roles[i]
		if rule.Directory != p.Directory {
			continue
		}
		if normal == "" {
			normal = normalDN(groupName)
		}
		if normalDN(rule.Group) != normal {
			continue
		}
		g := idbridge.Grant{Role: rule.Role, Application: rule.Application, Directory: p.Directory, GroupName: groupName}
		if !has(out, &g) {
			out = append(out, g)
		}
	}
	return out
}

// groupWork collects the steps of one group. A member whose roles change leaves and joins in one decision.
type groupWork struct {
	id    idbridge.ExternalID
	steps []idbridge.Step
}

func (w *groupWork) add(verb idbridge.Verb, member string, grants []idbridge.Grant, why string) {
	w.steps = append(w.steps, idbridge.Step{
		ID: idbridge.ExternalID{Directory: w.id.Directory, ID: member}, Side: idbridge.StoreSide, Verb: verb,
		Group: w.id, Grants: grants, Why: why,
	})
}

// split cuts the steps into decisions: those that only give, then those that take. GroupSeen stands on the last.
func (w *groupWork) split(name string, seen idbridge.GroupSeen) []idbridge.Decision {
	joins := slices.IndexFunc(w.steps, func(s idbridge.Step) bool { return s.Verb == idbridge.Leave })
	if joins < 0 {
		joins = len(w.steps)
	}
	var out []idbridge.Decision
	for _, part := range [][]idbridge.Step{w.steps[:joins], w.steps[joins:]} {
		for len(part) > 0 {
			n := min(groupSteps, len(part))
			for n > 1 && n < len(part) && part[n].Verb == idbridge.Join && part[n].ID == part[n-1].ID {
				n-- // a leave and the joins that follow it stay together
			}
			out = append(out, w.decision(name, part[:n:n]))
			part = part[n:]
		}
	}
	if len(out) == 0 {
		out = append(out, w.decision(name, nil))
	}
	out[len(out)-1].Group = &seen
	return out
}

func (w *groupWork) decision(name string, steps []idbridge.Step) idbridge.Decision {
	d := idbridge.Decision{ID: w.id, Name: name, Situation: idbridge.Unchanged, Steps: steps}
	if len(steps) > 0 {
		d.Situation = idbridge.Updated
	}
	return d
}

// memberIDs returns the ids, sorted, each once, blank ones left out: a blank id is nobody.
func memberIDs(members []idbridge.ExternalID) []string {
	out := make([]string, 0, len(members))
	for _, m := range members {
		if m.ID != "" {
			out = append(out, m.ID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func stamp(grants []idbridge.Grant, id, name string) []idbridge.Grant {
	out := slices.Clone(grants)
	for i := range out {
		out[i].Group, out[i].GroupName = id, name
	}
	return out
}

func has(list []idbridge.Grant, g *idbridge.Grant) bool {
	return slices.ContainsFunc(list, func(x idbridge.Grant) bool { return x.Role == g.Role && x.Application == g.Application })
}

// minus returns the roles of x that y lacks.
func minus(x, y []idbridge.Grant) []idbridge.Grant {
	var out []idbridge.Grant
	for i := range x {
		if !has(y, &x[i]) {
			out = append(out, x[i])
		}
	}
	return out
}

func union(x, y []idbridge.Grant) []idbridge.Grant {
	return append(slices.Clip(slices.Clone(x)), minus(y, x)...)
}
