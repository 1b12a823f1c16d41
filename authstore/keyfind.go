package authstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/idbridge/idbridge"
)

// keyGone holds, of a key k, when it is over for good, at the moment in place of the question mark.
const keyGone = `(k.revoked <> 0 OR k.overlap_until <> 0 AND k.overlap_until <= ?)`

// keyState is the condition under which a key is in a state at the moment in place of the question mark: idbridge.Key.State
// in SQL.
func keyState(state idbridge.KeyState) string {
	const (
		alive   = `NOT ` + keyGone
		pending = `k.not_before > ?`
		expired = `(k.expires <> 0 AND k.expires <= ?)`
	)
	switch state {
	case idbridge.KeyRevoked:
		return `(k.revoked <> 0 OR k.revoked > ?)`
	case idbridge.KeyRotated:
		return `k.revoked = 0 AND ` + keyGone
	case idbridge.KeyDisabled:
		return alive + ` AND NOT k.enabled`
	case idbridge.KeyPending:
		return alive + ` AND k.enabled AND ` + pending
	case idbridge.KeyExpired:
		return alive + ` AND k.enabled AND NOT ` + pending + ` AND ` + expired
	case idbridge.KeyActive:
		return alive + ` AND k.enabled AND NOT ` + pending + ` AND NOT ` + expired
	}
	return ""
}

// selectKeys adds the conditions of a filter, without its page.
func (w *where) selectKeys(f *idbridge.KeyFilter, now int64) error {
	if f.User != 0 {
		w.and("k.user_id = ?", int64(f.User))
	}
	if f.Role != "" {
		w.and("EXISTS (SELECT 1 FROM grants g WHERE g.user_id = k.user_id AND g.role = ?)", string(f.Role))
	}
	if f.Directory != "" {
		w.and("EXISTS (SELECT 1 FROM links l WHERE l.user_id = k.user_id AND l.directory = ?)", f.Directory)
	}
	if f.State != "" {
		condition := keyState(f.State)
		if condition == "" {
			return invalid(fmt.Sprintf("there is no state %q of a key", f.State), "active, disabled, pending, expired, revoked or rotated")
		}
		w.and(condition, now)
	}
	if !f.CreatedBefore.IsZero() {
		w.and("k.created < ?", micros(f.CreatedBefore))
	}
	if !f.UnusedSince.IsZero() {
		w.and("k.created < ? AND k.last_used < ?", micros(f.UnusedSince))
	}
	if !f.ExpiresBefore.IsZero() {
		w.and("k.expires <> 0 AND k.expires < ?", micros(f.ExpiresBefore))
	}
	return nil
}

// FindKeys returns keys by id, those that are over included. Error: Invalid.
func (s *Store) FindKeys(ctx context.Context, f idbridge.KeyFilter) ([]idbridge.Key, error) {
	if !f.UnusedSince.IsZero() {
		s.writeUses(ctx)
	}
	var w where
	if err := w.selectKeys(&f, micros(s.now())); err != nil {
		return nil, fault("find keys", err)
	}
	if f.After != "" {
		w.and("k.id > ?", pack(string(f.After)))
	}
	tail, args := w.limit("k.id", page(f.Limit))
	rows, err := s.read.QueryContext(ctx, `SELECT `+keyColumns+` FROM keys k`+tail, args...)
	out, err := collect(rows, err, scanKey)
	return out, fault("find keys", err)
}

// RevokeKeys revokes every key that the filter selects and that is not over, in one transaction; dry undoes it. It returns them
// as they were. After and Limit do not count. Error: Invalid, also for a filter that selects everything.
func (s *Store) RevokeKeys(ctx context.Context, f idbridge.KeyFilter, by, reason string, dry bool) ([]idbridge.Key, error) {
	f.After, f.Limit = "", 0
	if f == (idbridge.KeyFilter{}) {
		return nil, fault("revoke keys", invalid("this would revoke every key", "say which: by user, role, directory or age"))
	}
	s.writeUses(ctx) // what was used a moment ago is not unused
	var out []idbridge.Key
	work := func(t *tx) error {
		var err error
		out, err = t.revokeKeys(ctx, &f, by, reason)
		return err
	}
	var err error
	if dry {
		err = s.rehearsal(ctx, "revoke keys", work)
	} else {
		err = s.tx(ctx, "revoke keys", "store.keysrevoke", work)
	}
	return out, err
}

func (t *tx) revokeKeys(ctx context.Context, f *idbridge.KeyFilter, by, reason string) ([]idbridge.Key, error) {
	var w where
	if err := w.selectKeys(f, t.now); err != nil {
		return nil, err
	}
	w.and("NOT "+keyGone, t.now)
	if err := t.lockOwners(ctx, &w); err != nil {
		return nil, err
	}
	rows, err := t.QueryContext(ctx, `SELECT `+keyColumns+` FROM keys k`+w.text+` ORDER BY k.id`, w.args...)
	found, err := collect(rows, err, scanKey)
	if err != nil {
		return nil, fmt.Errorf("find keys: %w", err)
	}
	b := newBatch(updateRows, "keys", "id", "revoked:n reason version:n")
	for i := range found {
		k := &found[i]
		b.add(pack(string(k.ID)), t.now, prose(reason), k.Version+1)
		t.touchKey(k.ID, k.User)
		t.note(idbridge.Audit{Actor: by, Action: "key.revoke", Target: string(k.ID), User: k.User, Reason: reason})
	}
	return found, t.flush(ctx, b)
}

// lockOwners holds the rows of the users whose keys are selected, in the order in which everybody takes them.
func (t *tx) lockOwners(ctx context.Context, w *where) error {
	if !t.s.postgres {
		return nil
	}
	rows, err := t.QueryContext(ctx, `SELECT u.id FROM users u WHERE u.id IN (SELECT k.user_id FROM keys k`+w.text+`) ORDER BY u.id FOR UPDATE`,
		w.args...)
	_, err = collect(rows, err, func(r *sql.Rows) (id int64, err error) {
		err = r.Scan(&id)
		return id, err
	})
	if err != nil {
		return fmt.Errorf("lock owners: %w", err)
	}
	return nil
}
