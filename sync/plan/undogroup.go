package plan

import (
	"fmt"
	"slices"

	"github.com/idbridge/idbridge"
)

// ReverseGroup decides how to take back what one run did to the members of one group: who joined leaves, who left joins,
// each with the roles that came or went. changes are the run's joins and leaves of this group, in the order in which they
// were made; g is the group and members the ids of its members as the store knows them now (Store.Members).
//
// The decisions carry no GroupSeen: the group keeps its digest, so that the next run finds nothing new in an unchanged
// directory. It holds until the group, or what it gives, changes again; who shall stay out is taken out of the group there.
//
// Refused is a member who is no longer as the run left him, and one whose roles changed with the config.
func ReverseGroup(
	p *Policy, g idbridge.Group, changes []idbridge.RunChange, members []string,
) ([]idbridge.Decision, []idbridge.Refusal) {
	byMember := map[string][]*idbridge.RunChange{}
	for i := range changes {
		if c := &changes[i]; c.Verb == idbridge.Join || c.Verb == idbridge.Leave {
			byMember[c.Link.ID] = append(byMember[c.Link.ID], c)
		}
	}
	var refused []idbridge.Refusal
	var joins, leaves groupWork
	joins.id, leaves.id = g.ID, g.ID
	give := stamp(GrantsOf(p, g.Name), g.ID.ID, g.Name)
	members = slices.Sorted(slices.Values(members))
	for _, id := range sortedIDs(byMember) {
		list := byMember[id]
		last := list[len(list)-1]
		refuse := func(why string) {
			refused = append(refused, idbridge.Refusal{Link: last.Link, User: last.User, Name: id, Why: why})
		}
		_, in := slices.BinarySearch(members, id)
		why := fmt.Sprintf("undo: run %d", last.Run)
		switch {
		case len(list) > 1, last.Verb == idbridge.Leave && len(minus(last.Grants, give))+len(minus(give, last.Grants)) > 0:
			refuse("what the group " + g.Name + " gives changed with the config: put the role rules back first")
		case last.Verb == idbridge.Join && !in:
			refuse("left the group " + g.Name + " since")
		case last.Verb == idbridge.Leave && in:
			refuse("joined the group " + g.Name + " again since")
		case last.Verb == idbridge.Join:
			leaves.add(idbridge.Leave, id, last.Grants, why+" let him in")
		default:
			joins.add(idbridge.Join, id, give, why+" took him out")
		}
	}
	return append(joins.parts(g.Name), leaves.parts(g.Name)...), refused
}

// parts cuts the steps into decisions of at most groupSteps.
func (w *groupWork) parts(name string) []idbridge.Decision {
	var out []idbridge.Decision
	for part := range slices.Chunk(w.steps, groupSteps) {
		out = append(out, w.decision(name, slices.Clip(part)))
	}
	return out
}

func sortedIDs(m map[string][]*idbridge.RunChange) []string {
	out := make([]string, 0, len(m))
	for id := range m {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}
