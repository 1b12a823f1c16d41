package engine

import (
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// reverseEach decides the reverse for each record of a batch. Where one is to get back a unique value that another one of
// the batch holds now, it is decided first as if that one let it go; if he does not, again without.
func (r *pass) reverseEach(
	batch []reversal, subjects []idbridge.Subject, records map[idbridge.ExternalID]*idbridge.Record,
) ([]idbridge.Decision, [][]idbridge.Refusal) {
	at := make(map[idbridge.ExternalID]int, len(batch))
	for i := range batch {
		at[batch[i].id] = i
	}
	list, refused := make([]idbridge.Decision, len(batch)), make([][]idbridge.Refusal, len(batch))
	dropped := make([][]idbridge.Holder, len(batch))
	now := r.e.now()
	decide := func(i int, hopeful bool) {
		s := subjects[i]
		dropped[i] = nil
		if hopeful {
			s.Holders = slices.DeleteFunc(slices.Clone(s.Holders), func(h idbridge.Holder) bool {
				k, here := at[h.Link]
				hope := here && k != i && changed(batch[k].changes, h.Attribute)
				if hope {
					dropped[i] = append(dropped[i], h)
				}
				return hope
			})
		}
		list[i], refused[i] = plan.Reverse(r.p, batch[i].changes, s, records[batch[i].id], batch[i].made, now)
	}
	for i := range batch {
		decide(i, true)
	}
	for again := true; again; { // each round takes at least one hope away
		again = false
		for i := range batch {
			if slices.ContainsFunc(dropped[i], func(h idbridge.Holder) bool {
				return takes(r.p.Schema, &list[i], &h) && !lets(r.p.Schema, &list[at[h.Link]], &h)
			}) {
				decide(i, false)
				again = true
			}
		}
	}
	for i := range batch {
		for _, h := range dropped[i] {
			if takes(r.p.Schema, &list[i], &h) && !slices.Contains(list[i].Tied, h.Link) {
				list[i].Tied = append(list[i].Tied, h.Link)
			}
		}
	}
	return list, refused
}

// changed tells whether a run changed an attribute.
func changed(changes []idbridge.RunChange, a idbridge.Attribute) bool {
	return slices.ContainsFunc(changes, func(c idbridge.RunChange) bool {
		_, ok := c.After[a]
		return ok
	})
}

// takes tells whether a decision gives its user the value that another one holds.
func takes(schema idbridge.Schema, d *idbridge.Decision, h *idbridge.Holder) bool {
	return slices.ContainsFunc(d.Steps, func(s idbridge.Step) bool {
		return s.Side == idbridge.StoreSide && slices.Contains(schema.Normal(h.Attribute, s.After[h.Attribute]), h.Value)
	})
}

// lets tells whether a decision takes from its user the value that he holds.
func lets(schema idbridge.Schema, d *idbridge.Decision, h *idbridge.Holder) bool {
	return slices.ContainsFunc(d.Steps, func(s idbridge.Step) bool {
		after, ok := s.After[h.Attribute]
		return ok && s.Side == idbridge.StoreSide && !slices.Contains(schema.Normal(h.Attribute, after), h.Value)
	})
}

// givingFirst returns the order in which the decisions of a batch are kept: those that are tied to others come last, so that
// they share a transaction with whom they are tied to, or come after it.
func givingFirst(list []idbridge.Decision) []int {
	var free, tied []int
	involved := map[idbridge.ExternalID]bool{}
	for i := range list {
		for _, id := range list[i].Tied {
			involved[id] = true
		}
	}
	for i := range list {
		if len(list[i].Tied) > 0 {
			tied = append(tied, i)
		} else if !involved[list[i].ID] {
			free = append(free, i)
		}
	}
	for i := range list {
		if involved[list[i].ID] && len(list[i].Tied) == 0 {
			free = append(free, i)
		}
	}
	return append(free, tied...)
}
