package engine

import (
	"context"
	"fmt"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// lookup is what one look at some records by id gave.
type lookup struct {
	batch    []shown            // those that are there
	subjects []idbridge.Subject // of batch, in its order
	absent   []idbridge.Subject // not there: one sighting, never proof
	moved    []idbridge.ExternalID
}

// lookUp reads records by id: first what the store knows, then what the directory shows, never the other way round. A base
// that is younger than the observation would make an old value look like an edit.
func (r *pass) lookUp(ctx context.Context, ids []idbridge.ExternalID, authors map[idbridge.ExternalID]string) (l lookup, err error) {
	first, err := r.subjects(ctx, asked(ids))
	if err != nil {
		return l, err
	}
	records, err := r.session.Fetch(ctx, ids)
	if err != nil {
		return l, fmt.Errorf("read %d records of %q: %w", len(ids), r.name, err)
	}
	for i, id := range ids {
		rec, ok := records[id]
		if !ok {
			l.absent = append(l.absent, first[i])
			continue
		}
		l.batch = append(l.batch, r.fetched(rec, authors[id]))
		l.subjects = append(l.subjects, first[i])
	}
	if len(l.batch) == 0 || !r.wantsHolders(&l) {
		return l, nil
	}
	return l, r.withHolders(ctx, &l)
}

// asked makes a question about ids alone.
func asked(ids []idbridge.ExternalID) []shown {
	out := make([]shown, len(ids))
	for i, id := range ids {
		out[i].id = id
	}
	return out
}

// wantsHolders tells whether the store must be asked who else has what the records show: they are not linked, or show a
// unique value that their user does not have.
func (r *pass) wantsHolders(l *lookup) bool {
	for i := range l.batch {
		s := &l.subjects[i]
		if s.User == nil {
			return true
		}
		for a := range r.p.Rules {
			if !r.p.Schema[a].Unique {
				continue
			}
			if v := l.batch[i].observed.Record.Profile[a]; len(v) > 0 && !r.p.Schema.Equal(a, v, s.User.Profile[a]) {
				return true
			}
		}
	}
	return false
}

// withHolders asks the store again, now with what the records show. Whose link moved in between is left out.
func (r *pass) withHolders(ctx context.Context, l *lookup) error {
	second, err := r.subjects(ctx, l.batch)
	if err != nil {
		return err
	}
	batch, subjects := l.batch[:0], l.subjects[:0]
	for i := range second {
		if linkVersion(&second[i]) != linkVersion(&l.subjects[i]) {
			l.moved = append(l.moved, second[i].ID)
			continue
		}
		batch, subjects = append(batch, l.batch[i]), append(subjects, second[i])
	}
	l.batch, l.subjects = batch, subjects
	return nil
}

func linkVersion(s *idbridge.Subject) int64 {
	if s.Link == nil {
		return 0
	}
	return s.Link.Version
}

// fetched makes an observation of a record that was read by id.
func (r *pass) fetched(rec idbridge.Record, author string) shown {
	return shown{
		id: rec.ID, fetched: true,
		observed: plan.Observed{
			Record: &rec, Digest: r.digester.Record(&rec), Unknown: r.unknown, Author: author, Pushed: r.o.Kind == idbridge.PushRun,
		},
	}
}
