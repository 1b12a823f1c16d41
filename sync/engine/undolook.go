package engine

import (
	"context"
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// present reads records by id, the store before the directory and once more with what is shown. One whose link moved in
// between counts as not shown.
func (r *pass) present(ctx context.Context, batch []reversal) ([]idbridge.Subject, map[idbridge.ExternalID]*idbridge.Record, error) {
	ids := make([]idbridge.ExternalID, len(batch))
	for i := range batch {
		ids[i] = batch[i].id
	}
	l, err := r.lookUp(ctx, ids, nil)
	if err != nil {
		return nil, nil, err
	}
	known := make(map[idbridge.ExternalID]idbridge.Subject, len(ids))
	records := make(map[idbridge.ExternalID]*idbridge.Record, len(ids))
	for i := range l.batch {
		known[l.batch[i].id], records[l.batch[i].id] = l.subjects[i], l.batch[i].observed.Record
	}
	for i := range l.absent {
		known[l.absent[i].ID] = l.absent[i]
	}
	subjects := make([]idbridge.Subject, len(ids))
	for i, id := range ids {
		s, ok := known[id]
		if !ok {
			s = idbridge.Subject{ID: id} // it moves at this very moment: nothing of it is reversed
		}
		subjects[i] = s
	}
	return subjects, records, r.holdersOfPast(ctx, batch, subjects, records)
}

// holdersOfPast asks who holds the unique values that records are to get back. One whose link moved meanwhile counts as
// not linked: nothing of it is reversed.
func (r *pass) holdersOfPast(
	ctx context.Context, batch []reversal, subjects []idbridge.Subject, records map[idbridge.ExternalID]*idbridge.Record,
) error {
	var asks []shown
	var places []int
	for i := range batch {
		was := idbridge.Profile{}
		for _, c := range batch[i].changes {
			for a, v := range c.Before {
				if r.p.Schema[a].Unique {
					was[a] = slices.Concat(was[a], v)
				}
			}
		}
		if rec := records[batch[i].id]; len(was) > 0 && rec != nil {
			asks = append(asks, shown{id: batch[i].id, observed: plan.Observed{Record: &idbridge.Record{Profile: was}}})
			places = append(places, i)
		}
	}
	if len(asks) == 0 {
		return nil
	}
	found, err := r.subjects(ctx, asks)
	if err != nil {
		return err
	}
	for k, i := range places {
		if linkVersion(&found[k]) != linkVersion(&subjects[i]) {
			found[k].Link, found[k].User = nil, nil
		}
		subjects[i] = found[k]
	}
	return nil
}
