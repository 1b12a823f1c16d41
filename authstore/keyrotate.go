package authstore

import (
	"context"
	"fmt"
	"time"

	"github.com/idbridge/idbridge"
)

// maxOverlap is how long an old secret may stay good beside the new one.
const maxOverlap = 30 * 24 * time.Hour

// RotateKey puts a fresh key in the place of another of the same user and slot. The old one is good for the overlap (0 … 30
// days) and refused afterwards, as rotated: its state and ReplacedBy tell whoever sees it used. What fresh leaves out it
// takes over: scopes, networks, and how long it is valid. A third key that was still good ends at once: two are valid at
// most. Errors: NotFound, Invalid, Exists (the fresh id is taken, or was once), Conflicting when the old one is revoked,
// disabled, or was rotated already.
func (s *Store) RotateKey(
	ctx context.Context, old idbridge.KeyID, fresh idbridge.Key, overlap time.Duration, by string,
) (idbridge.Key, error) {
	var made idbridge.Key
	err := s.tx(ctx, "rotate key", "store.keyrotate", func(t *tx) error {
		var err error
		made, err = t.rotateKey(ctx, old, fresh, overlap, by)
		return err
	})
	return made, err
}

// RotateKeyOnce is RotateKey under a token, as CreateKeyOnce is CreateKey.
func (s *Store) RotateKeyOnce(
	ctx context.Context, old idbridge.KeyID, fresh idbridge.Key, overlap time.Duration, by string,
	r idbridge.Replay, seal func(idbridge.Key) ([]byte, error),
) (made idbridge.Key, earlier *idbridge.Replay, err error) {
	err = s.tx(ctx, "rotate key", "store.keyrotate", func(t *tx) error {
		earlier, err = t.only(ctx, r, func() ([]byte, error) {
			if made, err = t.rotateKey(ctx, old, fresh, overlap, by); err != nil {
				return nil, err
			}
			return seal(made)
		})
		return err
	})
	return made, earlier, err
}

func (t *tx) rotateKey(
	ctx context.Context, id idbridge.KeyID, fresh idbridge.Key, overlap time.Duration, by string,
) (idbridge.Key, error) {
	if overlap < 0 || overlap > maxOverlap {
		return fresh, invalid("an overlap is between nothing and 30 days", "")
	}
	old, err := t.lockKey(ctx, id)
	if err != nil {
		return fresh, err
	}
	if err := mayRotate(&old, t.now); err != nil {
		return fresh, err
	}
	fresh.User, fresh.Slot = old.User, old.Slot
	if len(fresh.Scopes) == 0 {
		fresh.Scopes = old.Scopes
	}
	if fresh.Allow == nil {
		fresh.Allow = old.Allow
	}
	if fresh.Expires.IsZero() && !old.Expires.IsZero() {
		fresh.Expires = moment(t.now).Add(old.Expires.Sub(old.Created))
	}
	if _, err := t.newKey(ctx, &fresh, by); err != nil {
		return fresh, err
	}
	if err := t.endOverlaps(ctx, &old, by); err != nil {
		return fresh, err
	}
	until := moment(t.now).Add(overlap)
	b := newBatch(updateRows, "keys", "id", "overlap_until:n replaced_by version:n")
	b.add(pack(string(id)), micros(until), pack(string(fresh.ID)), old.Version+1)
	why := fmt.Sprintf("replaced by %s", fresh.ID)
	if overlap > 0 {
		why += ", good until " + until.Format(time.RFC3339)
	}
	if err := t.changeKey(ctx, b, &old, idbridge.Audit{Actor: by, Action: "key.rotate", Reason: why}); err != nil {
		return fresh, err
	}
	t.note(idbridge.Audit{Actor: by, Action: "key.create", Target: string(fresh.ID), User: fresh.User, Reason: "in place of " + string(id)})
	return fresh, t.insertKey(ctx, &fresh)
}

func mayRotate(k *idbridge.Key, now int64) error {
	if err := dead(k, now); err != nil {
		return err
	}
	switch {
	case !k.Overlap.IsZero():
		return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "the key was rotated already", Hint: "rotate the one that took its place"}
	case !k.Enabled: // or its owner would undo an administrator's word
		return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "the key is disabled", Hint: "enable it first"}
	}
	return nil
}

// endOverlaps ends the time in which older keys of the slot are good beside one.
func (t *tx) endOverlaps(ctx context.Context, k *idbridge.Key, by string) error {
	rows, err := t.QueryContext(ctx, `UPDATE keys SET overlap_until = $3, version = version + 1
		WHERE user_id = $1 AND slot = $2 AND id <> $4 AND revoked = 0 AND overlap_until > $3 RETURNING id`,
		int64(k.User), pack(k.Slot), t.now, pack(string(k.ID)))
	ended, err := collect(rows, err, scanText)
	if err != nil {
		return fmt.Errorf("end overlap: %w", err)
	}
	for _, id := range ended {
		id = unpack(id)
		t.touchKey(idbridge.KeyID(id), k.User)
		t.note(idbridge.Audit{Actor: by, Action: "key.rotate", Target: id, User: k.User, Reason: "the overlap ends"})
	}
	return nil
}
