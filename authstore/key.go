package authstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/idbridge/idbridge"
)

const keyColumns = `k.id, k.user_id, k.slot, k.digest, k.enabled, k.created, k.created_by, k.not_before, k.expires, k.revoked,
	k.reason, k.scopes, k.last_used, k.version`

// keyCells is room for one row of keyColumns.
type keyCells struct {
	key                                            idbridge.Key
	created, notBefore, expires, revoked, lastUsed int64
	scopes                                         string
}

func (c *keyCells) dest() []any {
	k := &c.key
	return []any{
		&k.ID, &k.User, &k.Slot, &k.Digest, &k.Enabled, &c.created, &k.CreatedBy, &c.notBefore, &c.expires, &c.revoked, &k.Reason, &c.scopes,
		&c.lastUsed, &k.Version,
	}
}

func (c *keyCells) read() (idbridge.Key, error) {
	k := c.key
	k.Slot = unpack(k.Slot)
	k.Created, k.NotBefore, k.Expires = moment(c.created), moment(c.notBefore), moment(c.expires)
	k.Revoked, k.LastUsed = moment(c.revoked), moment(c.lastUsed)
	if err := json.Unmarshal([]byte(c.scopes), &k.Scopes); err != nil {
		return k, fmt.Errorf("scopes of key %s: %w", k.ID, err)
	}
	return k, nil
}

func readKey(ctx context.Context, q queryer, id idbridge.KeyID) (idbridge.Key, error) {
	var c keyCells
	found, err := one(q.QueryRowContext(ctx, `SELECT `+keyColumns+` FROM keys k WHERE k.id = $1`, pack(string(id))), c.dest()...)
	if err != nil {
		return idbridge.Key{}, err
	}
	if !found {
		return idbridge.Key{}, notFound("key")
	}
	return c.read()
}

// Keys returns all keys of a user, those that were revoked included, oldest first.
func (s *Store) Keys(ctx context.Context, id idbridge.UserID) ([]idbridge.Key, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+keyColumns+` FROM keys k WHERE k.user_id = $1 ORDER BY k.created, k.id`, int64(id))
	out, err := collect(rows, err, func(r *sql.Rows) (idbridge.Key, error) {
		var c keyCells
		if err := r.Scan(c.dest()...); err != nil {
			return idbridge.Key{}, err
		}
		return c.read()
	})
	return out, fault("read keys", err)
}

// CreateKey stores a key and, in the same transaction, revokes the one that its owner had in that slot ("replaced"). Whether
// the owner's profile is complete enough is the caller's question. Errors: NotFound (no such user), Invalid, Exists (the id
// is taken: draw another).
func (s *Store) CreateKey(ctx context.Context, k idbridge.Key, by string) (idbridge.Key, error) {
	if k.ID == "" || len(k.Digest) == 0 {
		return k, fault("create key", invalid("a key needs an id and a digest", ""))
	}
	if k.Slot == "" {
		k.Slot = idbridge.PrimarySlot
	}
	if k.Scopes == nil {
		k.Scopes = []string{"*"}
	}
	scopes, err := json.Marshal(k.Scopes)
	if err != nil {
		return k, fault("create key", err)
	}
	err = s.tx(ctx, "create key", "store.key", func(t *tx) error {
		u, err := t.lockUser(ctx, k.User)
		if err != nil {
			return err
		}
		if _, err := readKey(ctx, t, k.ID); err == nil {
			return &idbridge.Error{Kind: idbridge.Exists, Msg: "this key id is taken", Hint: "draw another one"}
		} else if idbridge.KindOf(err) != idbridge.NotFound {
			return err
		}
		rows, err := t.QueryContext(ctx, `UPDATE keys SET revoked = $3, reason = 'replaced', version = version + 1
			WHERE user_id = $1 AND slot = $2 AND revoked = 0 RETURNING id`, int64(k.User), pack(k.Slot), t.now)
		old, err := collect(rows, err, scanText)
		if err != nil {
			return fmt.Errorf("replace key: %w", err)
		}
		for _, id := range old {
			t.touched.keys = append(t.touched.keys, idbridge.KeyID(id))
			t.note(idbridge.Audit{Actor: by, Action: "key.revoke", Target: id, User: k.User, Reason: "replaced"})
		}
		k.Created, k.CreatedBy, k.Version, k.Enabled = moment(t.now), by, 1, true
		k.Revoked, k.Reason, k.LastUsed = time.Time{}, "", time.Time{}
		b := newBatch(insertRows, "keys", "id", `user_id:n slot digest:o enabled:b created:n created_by not_before:n expires:n
			revoked:n reason scopes last_used:n last_address version:n`)
		b.add(pack(string(k.ID)), int64(k.User), pack(k.Slot), k.Digest, k.Enabled, micros(k.Created), prose(by), micros(k.NotBefore),
			micros(k.Expires), int64(0), "", string(scopes), int64(0), "", k.Version)
		t.note(idbridge.Audit{Actor: by, Action: "key.create", Target: string(k.ID), User: k.User, Reason: u.UserName()})
		t.changed = true
		t.touched.keys = append(t.touched.keys, k.ID)
		return t.flush(ctx, b)
	})
	return k, err
}

// SetKeyEnabled disables a key or enables it again. Errors: NotFound, Conflicting for a revoked one.
func (s *Store) SetKeyEnabled(ctx context.Context, id idbridge.KeyID, on bool, by string) error {
	return s.tx(ctx, "enable key", "store.keyswitch", func(t *tx) error {
		k, err := t.lockKey(ctx, id)
		if err != nil || k.Enabled == on && k.Revoked.IsZero() {
			return err
		}
		if !k.Revoked.IsZero() {
			return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "the key is revoked for good", Hint: "create a new one"}
		}
		action := "key.disable"
		if on {
			action = "key.enable"
		}
		b := newBatch(updateRows, "keys", "id", "enabled:b version:n")
		b.add(pack(string(id)), on, k.Version+1)
		return t.changeKey(ctx, b, &k, idbridge.Audit{Actor: by, Action: action})
	})
}

// RevokeKey ends a key for good; one that is revoked already stays as it is. Error: NotFound.
func (s *Store) RevokeKey(ctx context.Context, id idbridge.KeyID, by, reason string) error {
	return s.tx(ctx, "revoke key", "store.keyrevoke", func(t *tx) error {
		k, err := t.lockKey(ctx, id)
		if err != nil || !k.Revoked.IsZero() {
			return err
		}
		b := newBatch(updateRows, "keys", "id", "revoked:n reason version:n")
		b.add(pack(string(id)), t.now, prose(reason), k.Version+1)
		return t.changeKey(ctx, b, &k, idbridge.Audit{Actor: by, Action: "key.revoke", Reason: reason})
	})
}

func (t *tx) changeKey(ctx context.Context, b *batch, k *idbridge.Key, a idbridge.Audit) error {
	a.Target, a.User = string(k.ID), k.User
	t.note(a)
	t.changed = true
	t.touched.keys = append(t.touched.keys, k.ID)
	return t.flush(ctx, b)
}

// lockKey reads a key and holds its owner's row, as every change of a user does.
func (t *tx) lockKey(ctx context.Context, id idbridge.KeyID) (idbridge.Key, error) {
	k, err := readKey(ctx, t, id)
	if err != nil || !t.s.postgres {
		return k, err
	}
	if _, err := t.lockUser(ctx, k.User); err != nil {
		return k, err
	}
	return readKey(ctx, t, id)
}

func (t *tx) keysOf(ctx context.Context, users any) ([]idbridge.KeyID, error) {
	rows, err := t.QueryContext(ctx, `SELECT id FROM keys WHERE `+t.s.among("user_id", 1), users)
	ids, err := collect(rows, err, func(r *sql.Rows) (id idbridge.KeyID, err error) {
		err = r.Scan(&id)
		return id, err
	})
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	return ids, nil
}
