package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// move is one member's way into a group or out of it.
type move struct {
	member string
	verb   idbridge.Verb
}

// approvedGroups are the moves of a plan, by group.
type approvedGroups map[idbridge.ExternalID]map[move]bool

func (a approvedGroups) add(d *idbridge.Decision) {
	moves := a[d.ID]
	if moves == nil {
		moves = map[move]bool{}
		a[d.ID] = moves
	}
	for i := range d.Steps {
		moves[move{d.Steps[i].ID.ID, d.Steps[i].Verb}] = true
	}
}

// decideGroupsAnew reads the groups of an approved plan again, for which only a listing will do, decides about them again,
// and keeps the moves that were approved.
func (r *pass) decideGroupsAnew(ctx context.Context, approved approvedGroups) error {
	if len(approved) == 0 {
		return nil
	}
	seen, complete, err := r.listGroups(ctx, approved)
	if err != nil {
		return err
	}
	groups, err := r.e.Store.Groups(ctx, r.name)
	if err != nil {
		return fmt.Errorf("read the groups of %q: %w", r.name, err)
	}
	known := map[string]idbridge.Group{}
	for _, g := range groups {
		known[g.ID.ID] = g
	}
	for _, id := range sortedKeys(approved) {
		members, shown := seen[id]
		if !shown {
			members = idbridge.Members{Group: id, Name: known[id.ID].Name, Whole: idbridge.Support{OK: complete, Reason: "not shown"}}
		}
		if err := r.decideGroupAnew(ctx, known, &members, shown, approved[id]); err != nil {
			return err
		}
	}
	return nil
}

// listGroups listens to a whole listing for the members of some groups.
func (r *pass) listGroups(ctx context.Context, wanted approvedGroups) (seen map[idbridge.ExternalID]idbridge.Members, complete bool, err error) {
	seen = map[idbridge.ExternalID]idbridge.Members{}
	for change, err := range r.session.Scan(ctx, "") {
		if err != nil {
			return nil, false, fmt.Errorf("listen to %q: %w", r.name, err)
		}
		switch c := change.(type) {
		case idbridge.Members:
			if wanted[c.Group] != nil {
				seen[c.Group] = c
			}
		case idbridge.Checkpoint:
			complete = c.Complete
		case idbridge.Present, idbridge.Gone, idbridge.Unusable:
		}
	}
	return seen, complete, nil
}

func (r *pass) decideGroupAnew(
	ctx context.Context, known map[string]idbridge.Group, members *idbridge.Members, shown bool, approved map[move]bool,
) error {
	id := members.Group
	name := members.Name
	if name == "" {
		name = id.ID
	}
	if !members.Whole.OK {
		r.staleApproved(&idbridge.Decision{Name: name}, false)
		return nil
	}
	var digest idbridge.Digest
	if shown {
		digest = r.digester.Members(members, r.grantsText(members.Name))
	}
	old, err := r.e.Store.Members(ctx, id)
	if err != nil {
		return fmt.Errorf("read the members of %s: %w", id, err)
	}
	g, ok := known[id.ID]
	if !ok {
		g = idbridge.Group{ID: id, Name: members.Name}
	}
	left := maps.Clone(approved)
	whole := true
	for _, d := range plan.DecideGroup(r.p, g, members, old, g.Digest, digest) {
		var steps []idbridge.Step
		for _, s := range d.Steps {
			if m := (move{s.ID.ID, s.Verb}); approved[m] {
				steps = append(steps, s)
				delete(left, m)
			}
		}
		whole = whole && len(steps) == len(d.Steps)
		d.Steps = steps
		if !whole {
			d.Group = unsettled(&d) // what was not approved waits for the next run
		}
		if len(d.Steps) == 0 && !whole {
			continue
		}
		if err := r.keep(&decided{Decision: d}); err != nil {
			return err
		}
	}
	for m := range left {
		if slices.Contains(old, m.member) == (m.verb == idbridge.Leave) { // not made already
			r.staleApproved(&idbridge.Decision{Name: name}, false)
			break
		}
	}
	return nil
}
