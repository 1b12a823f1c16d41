package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// reverseGroups decides the reverse of what a run did to the members of groups.
func (r *pass) reverseGroups(ctx context.Context, did *past, approved *approval) error {
	if len(did.groups) == 0 {
		return nil
	}
	groups, err := r.e.Store.Groups(ctx, r.name)
	if err != nil {
		return fmt.Errorf("read the groups of %q: %w", r.name, err)
	}
	known := make(map[idbridge.ExternalID]idbridge.Group, len(groups))
	for _, g := range groups {
		known[g.ID] = g
	}
	for _, id := range sortedKeys(did.groups) {
		g, ok := known[id]
		if !ok {
			g = idbridge.Group{ID: id, Name: id.ID}
		}
		members, err := r.e.Store.Members(ctx, id)
		if err != nil {
			return fmt.Errorf("read the members of %s: %w", id, err)
		}
		decisions, refused := plan.ReverseGroup(r.p, g, did.groups[id], members)
		if approved == nil {
			r.refused = append(r.refused, refused...)
		} else {
			decisions = r.cutMoves(&g, decisions, members, approved.groups[id])
		}
		for i := range decisions {
			if err := r.keep(&decided{Decision: decisions[i]}); err != nil {
				return err
			}
		}
	}
	return nil
}

// cutMoves leaves of a group's decisions the moves that were approved, and names the group when one is missing that is not
// made already.
func (r *pass) cutMoves(g *idbridge.Group, decisions []idbridge.Decision, members []string, approved map[move]bool) []idbridge.Decision {
	left := maps.Clone(approved)
	var out []idbridge.Decision
	for _, d := range decisions {
		d.Steps = slices.DeleteFunc(slices.Clone(d.Steps), func(s idbridge.Step) bool {
			m := move{s.ID.ID, s.Verb}
			delete(left, m)
			return !approved[m]
		})
		if len(d.Steps) > 0 {
			out = append(out, d)
		}
	}
	for m := range left {
		if slices.Contains(members, m.member) == (m.verb == idbridge.Leave) {
			r.staleApproved(&idbridge.Decision{Name: g.Name}, false)
			break
		}
	}
	return out
}
