package authstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/idbridge/idbridge"
)

const resolveChunk = 200 // conflicts of one transaction

// ResolveConflicts decides all open conflicts of an attribute the same way, as ResolveConflict does one, in bounded
// transactions. What cannot be decided is left out and named; everything else is decided. Errors: Invalid, or the store's
// own, with what was decided before.
func (s *Store) ResolveConflicts(
	ctx context.Context, attribute idbridge.Attribute, r idbridge.Resolution,
) (decided []idbridge.Conflict, left []idbridge.Refusal, err error) {
	op := fmt.Sprintf("resolve conflicts of %s", attribute)
	if attribute == "" {
		return nil, nil, fault(op, invalid("an attribute is missing", "say whose conflicts are meant"))
	}
	if err := s.checkResolution(&r); err != nil {
		return nil, nil, fault(op, err)
	}
	for after := idbridge.ConflictID(0); ; {
		list, err := s.Conflicts(ctx, idbridge.ConflictFilter{Open: true, Attribute: attribute, After: after, Limit: resolveChunk})
		if err != nil || len(list) == 0 {
			return decided, left, err
		}
		after = list[len(list)-1].ID
		slices.SortFunc(list, func(x, y idbridge.Conflict) int { // as everybody locks users
			return cmp.Or(cmp.Compare(x.User, y.User), cmp.Compare(x.ID, y.ID))
		})
		var done []idbridge.Conflict
		var not []idbridge.Refusal
		err = s.tx(ctx, op, "store.resolve", func(t *tx) (err error) {
			done, not, err = t.decideAll(ctx, list, &r)
			return err
		})
		if err != nil {
			return decided, left, err
		}
		decided, left = append(decided, done...), append(left, not...)
	}
}

func (t *tx) decideAll(
	ctx context.Context, list []idbridge.Conflict, r *idbridge.Resolution,
) (done []idbridge.Conflict, left []idbridge.Refusal, err error) {
	ids := make([]idbridge.ConflictID, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	now, err := readConflicts(ctx, t, ` WHERE `+t.s.among("c.id", 1)+` AND c.closed = 0 ORDER BY c.user_id, c.id`, numbers(t.s, ids))
	if err != nil {
		return nil, nil, err
	}
	for i := range now {
		c := now[i]
		err := t.attempt(ctx, func() error { return t.decide(ctx, &c, r) })
		var known *idbridge.Error
		switch {
		case err == nil:
			done = append(done, c)
		case errors.As(err, &known) && !again(err):
			left = append(left, idbridge.Refusal{
				Link: c.Link, User: c.User, Name: now[i].Name, Attribute: c.Attribute, Why: fmt.Sprintf("conflict %d: %s", c.ID, known.Msg),
			})
		default:
			return nil, nil, err
		}
	}
	return done, left, nil
}
