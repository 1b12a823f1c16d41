package authstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/idbridge/idbridge"
)

const keyColumns = `k.id, k.user_id, k.slot, k.digest, k.pepper, k.enabled, k.created, k.created_by, k.not_before, k.expires,
	k.overlap_until, k.replaced_by, k.revoked, k.reason, k.scopes, k.allow, k.last_used, k.last_address, k.uses, k.version`

// keyCells is room for one row of keyColumns.
type keyCells struct {
	key                                                     idbridge.Key
	created, notBefore, expires, overlap, revoked, lastUsed int64
	scopes, allow                                           string
}

func (c *keyCells) dest() []any {
	k := &c.key
	return []any{
		&k.ID, &k.User, &k.Slot, &k.Digest, &k.Pepper, &k.Enabled, &c.created, &k.CreatedBy, &c.notBefore, &c.expires, &c.overlap,
		&k.ReplacedBy, &c.revoked, &k.Reason, &c.scopes, &c.allow, &c.lastUsed, &k.LastAddress, &k.Uses, &k.Version,
	}
}

func (c *keyCells) read() (idbridge.Key, error) {
	k := c.key
	k.ID, k.ReplacedBy = idbridge.KeyID(unpack(string(k.ID))), idbridge.KeyID(unpack(string(k.ReplacedBy)))
	k.Slot = unpack(k.Slot)
	k.Created, k.NotBefore, k.Expires, k.Overlap = moment(c.created), moment(c.notBefore), moment(c.expires), moment(c.overlap)
	k.Revoked, k.LastUsed = moment(c.revoked), moment(c.lastUsed)
	if err := json.Unmarshal([]byte(c.scopes), &k.Scopes); err != nil {
		return k, fmt.Errorf("scopes of key %s: %w", k.ID, err)
	}
	if c.allow == "" {
		return k, nil
	}
	if err := json.Unmarshal([]byte(c.allow), &k.Allow); err != nil {
		return k, fmt.Errorf("networks of key %s: %w", k.ID, err)
	}
	return k, nil
}

func scanKey(r *sql.Rows) (idbridge.Key, error) {
	var c keyCells
	if err := r.Scan(c.dest()...); err != nil {
		return idbridge.Key{}, err
	}
	return c.read()
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
	out, err := collect(rows, err, scanKey)
	return out, fault("read keys", err)
}

// CreateKey stores a key and, in the same transaction, revokes the one that its owner had in that slot ("replaced"), and one
// that was on its way out. Whether the owner's profile is complete enough is the caller's question. Errors: NotFound (no such
// user), Invalid, Exists (the id is taken, or was once: draw another).
func (s *Store) CreateKey(ctx context.Context, k idbridge.Key, by string) (idbridge.Key, error) {
	err := s.tx(ctx, "create key", "store.key", func(t *tx) error {
		var err error
		k, err = t.createKey(ctx, k, by)
		return err
	})
	return k, err
}

// CreateKeyOnce is CreateKey under a token of the caller's, in one transaction with it: when he gave the token before, what
// was done then comes back and nothing is made. seal makes of the key the answer that a second request will get; it may be
// called more than once.
func (s *Store) CreateKeyOnce(
	ctx context.Context, k idbridge.Key, by string, r idbridge.Replay, seal func(idbridge.Key) ([]byte, error),
) (made idbridge.Key, earlier *idbridge.Replay, err error) {
	err = s.tx(ctx, "create key", "store.key", func(t *tx) error {
		earlier, err = t.only(ctx, r, func() ([]byte, error) {
			if made, err = t.createKey(ctx, k, by); err != nil {
				return nil, err
			}
			return seal(made)
		})
		return err
	})
	return made, earlier, err
}

func (t *tx) createKey(ctx context.Context, k idbridge.Key, by string) (idbridge.Key, error) {
	u, err := t.newKey(ctx, &k, by)
	if err != nil {
		return k, err
	}
	rows, err := t.QueryContext(ctx, `UPDATE keys SET revoked = $3, reason = 'replaced', replaced_by = $4, version = version + 1
		WHERE user_id = $1 AND slot = $2 AND revoked = 0 AND (overlap_until = 0 OR overlap_until > $3) RETURNING id`,
		int64(k.User), pack(k.Slot), t.now, pack(string(k.ID)))
	old, err := collect(rows, err, scanText)
	if err != nil {
		return k, fmt.Errorf("replace key: %w", err)
	}
	for _, id := range old {
		id = unpack(id)
		t.touchKey(idbridge.KeyID(id), k.User)
		t.note(idbridge.Audit{Actor: by, Action: "key.revoke", Target: id, User: k.User, Reason: "replaced"})
	}
	t.note(idbridge.Audit{Actor: by, Action: "key.create", Target: string(k.ID), User: k.User, Reason: u.UserName()})
	return k, t.insertKey(ctx, &k)
}

// newKey checks a key that is to be stored, holds its owner's row, and fills what the store says of it.
func (t *tx) newKey(ctx context.Context, k *idbridge.Key, by string) (idbridge.User, error) {
	if k.ID == "" || len(k.Digest) == 0 {
		return idbridge.User{}, invalid("a key needs an id and a digest", "")
	}
	if k.Slot == "" {
		k.Slot = idbridge.PrimarySlot
	}
	if len(k.Scopes) == 0 {
		k.Scopes = []string{"*"}
	}
	var err error
	if k.Allow, err = networks(k.Allow); err != nil {
		return idbridge.User{}, err
	}
	u, err := t.lockUser(ctx, k.User)
	if err != nil {
		return u, err
	}
	var some int
	taken, err := one(t.QueryRowContext(ctx, `SELECT 1 FROM keys WHERE id = $1 UNION ALL SELECT 1 FROM key_spent WHERE id = $2 LIMIT 1`,
		pack(string(k.ID)), spentKey(k.ID)), &some)
	if err != nil {
		return u, fmt.Errorf("look for key: %w", err)
	}
	if taken {
		return u, &idbridge.Error{Kind: idbridge.Exists, Msg: "this key id is taken, or was once", Hint: "draw another one"}
	}
	k.NotBefore, k.Expires = moment(micros(k.NotBefore)), moment(micros(k.Expires))
	k.Created, k.CreatedBy, k.Version, k.Enabled = moment(t.now), prose(by), 1, true
	k.Revoked, k.Reason, k.Overlap, k.ReplacedBy = time.Time{}, "", time.Time{}, ""
	k.LastUsed, k.LastAddress, k.Uses = time.Time{}, "", 0
	return u, nil
}

func (t *tx) insertKey(ctx context.Context, k *idbridge.Key) error {
	b := newBatch(insertRows, "keys", "id", `user_id:n slot digest:o pepper enabled:b created:n created_by not_before:n expires:n
		overlap_until:n replaced_by revoked:n reason scopes allow last_used:n last_address uses:n version:n`)
	b.add(pack(string(k.ID)), int64(k.User), pack(k.Slot), k.Digest, prose(k.Pepper), k.Enabled, micros(k.Created), k.CreatedBy,
		micros(k.NotBefore), micros(k.Expires), int64(0), "", int64(0), "", listText(k.Scopes), listText(k.Allow), int64(0), "", int64(0), k.Version)
	t.touchKey(k.ID, k.User)
	return t.flush(ctx, b)
}

// listText is a list as JSON, "" for none.
func listText(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return valuesText(list)
}

// spentKey is what is kept of the id of a key whose user is gone: imported ids may have a name in them.
func spentKey(id idbridge.KeyID) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

// touchKey notes that a key changed: the revision moves, and the cache forgets it.
func (t *tx) touchKey(id idbridge.KeyID, user idbridge.UserID) {
	t.changed = true
	t.touched.keys = append(t.touched.keys, id)
	t.move(idbridge.Move{Kind: idbridge.MoveKey, User: user, Key: id})
}

// dead is the error of a change to a key that is over.
func dead(k *idbridge.Key, now int64) error {
	switch k.State(moment(now)) {
	case idbridge.KeyRevoked:
		return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "the key is revoked for good", Hint: "create a new one"}
	case idbridge.KeyRotated:
		return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "another key took its place", Hint: "use that one, or create a new one"}
	case idbridge.KeyActive, idbridge.KeyDisabled, idbridge.KeyPending, idbridge.KeyExpired:
	}
	return nil
}

// SetKeyEnabled disables a key or enables it again. With a key that is disabled, the time ends in which the one before it was
// good beside it. Errors: NotFound, Conflicting for one that was revoked or rotated.
func (s *Store) SetKeyEnabled(ctx context.Context, id idbridge.KeyID, on bool, by string) error {
	return s.tx(ctx, "enable key", "store.keyswitch", func(t *tx) error {
		k, err := t.lockKey(ctx, id)
		if err != nil {
			return err
		}
		if err := dead(&k, t.now); err != nil || k.Enabled == on {
			return err
		}
		action := "key.disable"
		if on {
			action = "key.enable"
		} else if err := t.endOverlaps(ctx, &k, by); err != nil {
			return err
		}
		b := newBatch(updateRows, "keys", "id", "enabled:b version:n")
		b.add(pack(string(id)), on, k.Version+1)
		return t.changeKey(ctx, b, &k, idbridge.Audit{Actor: by, Action: action})
	})
}

// RevokeKey ends a key for good, and with it the one before it that was still good beside it; a key that is revoked already
// stays as it is. Error: NotFound.
func (s *Store) RevokeKey(ctx context.Context, id idbridge.KeyID, by, reason string) error {
	return s.tx(ctx, "revoke key", "store.keyrevoke", func(t *tx) error {
		k, err := t.lockKey(ctx, id)
		if err != nil || !k.Revoked.IsZero() {
			return err
		}
		if k.Overlap.IsZero() {
			if err := t.endOverlaps(ctx, &k, by); err != nil {
				return err
			}
		}
		b := newBatch(updateRows, "keys", "id", "revoked:n reason version:n")
		b.add(pack(string(id)), t.now, prose(reason), k.Version+1)
		return t.changeKey(ctx, b, &k, idbridge.Audit{Actor: by, Action: "key.revoke", Reason: reason})
	})
}

func (t *tx) changeKey(ctx context.Context, b *batch, k *idbridge.Key, a idbridge.Audit) error {
	a.Target, a.User = string(k.ID), k.User
	t.note(a)
	t.touchKey(k.ID, k.User)
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
		return idbridge.KeyID(unpack(string(id))), err
	})
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	return ids, nil
}
