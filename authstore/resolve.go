package authstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/idbridge/idbridge"
)

// byPolicy is who decided when nobody did.
const byPolicy = "policy"

// ResolveConflict closes a conflict by a person's decision. It writes no value over another by itself: it moves the base to
// the value that loses, so that the merge sees one side as changed, and carries the winner over with all its guards and
// compare-and-set. So a value that somebody writes in the meantime is a new conflict, and not lost.
//
//	winner    | base becomes        | the store
//	store     | the directory's     | stays
//	directory | the store's         | stays, until the directory's value arrives
//	value     | the directory's     | takes the value
//
// The record waits in the outbox from then on.
//
// A conflict that a policy decided can be decided the other way as long as the attribute is what the policy chose: the value
// that lost is written from the conflict's row, as an edit by that person, and travels as any edit. Errors: NotFound, Invalid,
// Conflicting when it was decided already, or the value moved since.
func (s *Store) ResolveConflict(ctx context.Context, r idbridge.Resolution) (idbridge.Conflict, error) {
	var c idbridge.Conflict
	op := fmt.Sprintf("resolve conflict %d", r.Conflict)
	if err := s.checkResolution(&r); err != nil {
		return c, fault(op, err)
	}
	err := s.tx(ctx, op, "store.resolve", func(t *tx) error {
		found, err := readConflicts(ctx, t, ` WHERE c.id = $1`, int64(r.Conflict))
		if err == nil && len(found) == 0 {
			err = notFound("conflict")
		}
		if err != nil {
			return err
		}
		c = found[0]
		return t.decide(ctx, &c, &r)
	})
	return c, err
}

func (s *Store) checkResolution(r *idbridge.Resolution) error {
	if r.Winner != idbridge.StoreWinner && r.Winner != idbridge.DirectoryWinner && r.Winner != idbridge.ValueWinner {
		return invalid("a conflict goes to the store, the directory, or a value", "say which")
	}
	return nil
}

// decide closes a conflict as a person wants it, or turns round what a policy decided.
func (t *tx) decide(ctx context.Context, c *idbridge.Conflict, r *idbridge.Resolution) error {
	if r.Winner == idbridge.ValueWinner {
		if err := t.s.checkProfile(idbridge.Profile{c.Attribute: r.Value}); err != nil {
			return err
		}
	}
	if c.Closed.IsZero() {
		c.Winner, c.By, c.Closed, c.Why = r.Winner, r.By, moment(t.now), "decided by a person"
		return t.resolve(ctx, c, r.Value)
	}
	if c.By != byPolicy || c.Winner == idbridge.NoWinner || c.Winner == r.Winner {
		return &idbridge.Error{
			Kind: idbridge.Conflicting, Msg: "the conflict is decided already, by " + c.By, Hint: "to change the value, edit the user",
		}
	}
	return t.reverse(ctx, c, r)
}

// reverse writes the value that a policy let lose.
func (t *tx) reverse(ctx context.Context, c *idbridge.Conflict, r *idbridge.Resolution) error {
	u, err := t.lockUser(ctx, c.User)
	if err != nil {
		return err
	}
	chosen, other := c.Directory, c.Store
	if c.Winner == idbridge.StoreWinner {
		chosen, other = c.Store, c.Directory
	}
	if r.Winner == idbridge.ValueWinner {
		other = r.Value
	}
	if !t.s.schema.Equal(c.Attribute, u.Profile[c.Attribute], chosen) {
		return &idbridge.Error{
			Kind: idbridge.Conflicting, Msg: "the value changed since the policy chose it", Hint: "to change it again, edit the user",
		}
	}
	if t.s.outward != nil && !slices.Contains(t.s.outward[c.Link.Directory], c.Attribute) {
		return &idbridge.Error{
			Kind: idbridge.Invalid, Msg: fmt.Sprintf("directory %q does not take %s from the store", c.Link.Directory, c.Attribute),
			Hint: "change it in the directory, or let its flow go out in the config",
		}
	}
	was := c.Winner
	c.Winner, c.By, c.Closed = r.Winner, r.By, moment(t.now)
	c.Why = fmt.Sprintf("decided by a person; policy had given it to the %s", was)
	rows := newBatch(updateRows, "conflicts", "id:n", "winner why closed:n decided_by")
	rows.add(int64(c.ID), string(c.Winner), prose(c.Why), micros(c.Closed), prose(c.By))
	if err := t.flush(ctx, rows); err != nil {
		return err
	}
	if err := t.edit(ctx, &u, idbridge.Profile{c.Attribute: other}, c.By); err != nil {
		return err
	}
	t.note(idbridge.Audit{
		Actor: c.By, Action: "conflict.resolve", Target: u.UserName(), User: u.ID,
		Reason: fmt.Sprintf("conflict %d, %s: %s instead of %s, which policy chose", c.ID, c.Attribute, c.Winner, was),
	})
	return nil
}

// resolve makes what a decided conflict means for link, user and outbox.
func (t *tx) resolve(ctx context.Context, c *idbridge.Conflict, value idbridge.Values) error {
	u, err := t.lockUser(ctx, c.User)
	if err != nil {
		return err
	}
	if !t.s.schema.Equal(c.Attribute, u.Profile[c.Attribute], c.Store) {
		return &idbridge.Error{
			Kind: idbridge.Conflicting, Msg: "the store's value changed since the conflict was opened", Hint: "let a run look at it again, then decide",
		}
	}
	links, err := readLinks(ctx, t, ` WHERE l.directory = $1 AND l.id = $2`, c.Link.Directory, pack(c.Link.ID))
	if err != nil {
		return err
	}
	if len(links) != 1 || links[0].User != c.User {
		return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "the user is not tied to that record any more"}
	}
	l := &links[0]
	base := l.Base.Clone()
	if base == nil {
		base = idbridge.Profile{}
	}
	base[c.Attribute] = c.Directory
	if c.Winner == idbridge.DirectoryWinner {
		base[c.Attribute] = c.Store
	}
	updates := newBatch(updateRows, "links", linkKey, "base digest:o version:n")
	updates.add(l.ID.Directory, pack(l.ID.ID), profileText(base), make([]byte, len(l.Digest)), l.Version+1)
	rows := newBatch(updateRows, "conflicts", "id:n", "winner why closed:n decided_by")
	rows.add(int64(c.ID), string(c.Winner), prose(c.Why), micros(c.Closed), prose(c.By))
	id, err := t.next(ctx, "outbox", 1)
	if err != nil {
		return err
	}
	out := newBatch(insertRows, "outbox", "id:n", "directory link user_id:n author at:n")
	out.add(id, l.ID.Directory, pack(l.ID.ID), int64(u.ID), prose(c.By), t.now)
	if err := t.flush(ctx, updates, rows, out); err != nil {
		return err
	}
	if err := t.forgive(ctx, u.ID, []idbridge.Attribute{c.Attribute}); err != nil {
		return err
	}
	if c.Winner == idbridge.ValueWinner {
		if err := t.edit(ctx, &u, idbridge.Profile{c.Attribute: value}, c.By); err != nil {
			return err
		}
	}
	t.note(idbridge.Audit{
		Actor: c.By, Action: "conflict.resolve", Target: u.UserName(), User: u.ID,
		Reason: fmt.Sprintf("conflict %d, %s: %s", c.ID, c.Attribute, c.Winner),
	})
	t.changed = true
	t.touched.users = append(t.touched.users, u.ID)
	return nil
}
