package token

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/idbridge/idbridge"
)

// Keys is the store as signing keys need it.
type Keys interface {
	// SigningKeys reads the keys of a use, idbridge.SignsRoleTokens or idbridge.SignsControl.
	SigningKeys(ctx context.Context, use string) ([]idbridge.SigningKey, error)
	// AddSigningKey keeps a key. Errors: Exists, Conflicting.
	AddSigningKey(ctx context.Context, k idbridge.SigningKey) error
}

const (
	period    = 30 * 24 * time.Hour // a key signs for so long
	readAgain = 30 * time.Second    // keys are read again after so long; less than any lifetime
	missAgain = time.Second         // and after a token that no key made, at most so often
	shortest  = time.Minute         // lifetime
)

// key is a signing key, ready for use.
type key struct {
	idbridge.SigningKey

	private crypto.Signer
}

// Ring is the keys of one use: it makes them, hands the newest one out for signing, and turns them over.
//
//	          SignFrom             + period
//	published │◀──── signs ───────▶│◀─ verifies ─▶ Until
//	  next:  published one lifetime before │◀── signs …
//
// A key is published one lifetime before it signs, so that whoever fetched the set meanwhile knows it, and stays until its
// last token has expired. Safe for concurrent use, over several processes that share a store.
type Ring struct {
	store     Keys
	use       string
	algorithm algorithm
	lifetime  time.Duration // of the longest token
	random    io.Reader
	now       func() time.Time

	mu     sync.Mutex
	keys   []key // oldest first
	readAt time.Time
}

// newRing returns the ring of a use. now is the clock.
func newRing(store Keys, use string, a algorithm, lifetime time.Duration, now func() time.Time) *Ring {
	return &Ring{store: store, use: use, algorithm: a, lifetime: max(lifetime, shortest), random: rand.Reader, now: now}
}

// signer returns the key that signs now, and makes it when there is none. Its last token expires before it goes.
func (g *Ring) signer(ctx context.Context) (key, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if err := g.refresh(ctx, now, readAgain); err != nil {
		return key{}, err
	}
	if k, ok := g.signing(now); ok {
		return k, g.prepare(ctx, now, &k)
	}
	if err := g.add(ctx, now, now); err != nil {
		return key{}, err
	}
	if k, ok := g.signing(now); ok {
		return k, nil
	}
	return key{}, &idbridge.Error{Kind: idbridge.Internal, Msg: "no key signs now"}
}

// verifiers returns the keys that a token may be made with, newest first. again says that a token was seen which none of
// them made: another process may have made a key meanwhile.
func (g *Ring) verifiers(ctx context.Context, again bool) ([]key, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, age := g.now(), readAgain
	if again {
		age = missAgain
	}
	if err := g.refresh(ctx, now, age); err != nil {
		return nil, err
	}
	var out []key
	for i := range g.keys {
		if k := &g.keys[i]; k.Until.IsZero() || now.Before(k.Until) {
			out = append(out, *k)
		}
	}
	slices.Reverse(out)
	return out, nil
}

// signing returns the newest key that signs at the moment now and outlives every token made now.
func (g *Ring) signing(now time.Time) (key, bool) {
	for _, k := range slices.Backward(g.keys) {
		if !now.Before(k.SignFrom) && (k.Until.IsZero() || !k.Until.Before(now.Add(g.lifetime))) {
			return k, true
		}
	}
	return key{}, false
}

// prepare makes the next key when the present one signs for no more than a lifetime, unless there is one.
func (g *Ring) prepare(ctx context.Context, now time.Time, present *key) error {
	end := present.SignFrom.Add(period)
	if now.Before(end.Add(-g.lifetime)) || g.keys[len(g.keys)-1].SignFrom.After(present.SignFrom) {
		return nil
	}
	from := now.Add(g.lifetime)
	if end.After(from) {
		from = end
	}
	return g.add(ctx, now, from)
}

// add makes a key that signs from a moment on, and reads all again: another process may have been quicker.
func (g *Ring) add(ctx context.Context, now, from time.Time) error {
	var id [8]byte
	if _, err := io.ReadFull(g.random, id[:]); err != nil {
		return fmt.Errorf("draw the id of a signing key: %w", err)
	}
	private, err := g.algorithm.make(g.random)
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	err = g.store.AddSigningKey(ctx, idbridge.SigningKey{
		ID: hex.EncodeToString(id[:]), Use: g.use, Algorithm: string(g.algorithm), Private: private, Created: now, SignFrom: from,
		Until: from.Add(period + 3*g.lifetime), // its last day may be late by one lifetime, and its last token lives for another
	})
	if kind := idbridge.KindOf(err); err != nil && kind != idbridge.Exists && kind != idbridge.Conflicting {
		return fmt.Errorf("keep a signing key: %w", err)
	}
	return g.refresh(ctx, now, 0)
}

// refresh reads the keys when they were read longer ago than age.
func (g *Ring) refresh(ctx context.Context, now time.Time, age time.Duration) error {
	if since := now.Sub(g.readAt); !g.readAt.IsZero() && since >= 0 && since < age {
		return nil
	}
	stored, err := g.store.SigningKeys(ctx, g.use)
	if err != nil {
		return fmt.Errorf("read signing keys: %w", err)
	}
	keys := make([]key, 0, len(stored))
	for _, s := range stored {
		known := slices.IndexFunc(g.keys, func(k key) bool { return k.ID == s.ID })
		if known >= 0 {
			keys = append(keys, key{s, g.keys[known].private})
			continue
		}
		private, err := g.algorithm.read(s.Private)
		if err != nil || s.Use != g.use || s.Algorithm != string(g.algorithm) {
			return &idbridge.Error{
				Kind: idbridge.Internal, Msg: "a signing key cannot be read", Hint: "look at signing key " + s.ID + " in the store", Err: err,
			}
		}
		keys = append(keys, key{s, private})
	}
	slices.SortFunc(keys, func(x, y key) int {
		if c := x.SignFrom.Compare(y.SignFrom); c != 0 {
			return c
		}
		return strings.Compare(x.ID, y.ID)
	})
	g.keys, g.readAt = keys, now
	return nil
}
