package authstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

// primary makes a primary key.
func (b *bed) primary(user idbridge.UserID, id idbridge.KeyID) {
	b.t.Helper()
	must(b.CreateKey(b.t.Context(), idbridge.Key{ID: id, User: user, Digest: []byte(id)}, "test"))(b.t)
}

// states returns the state of each key as a check sees it.
func (b *bed) states(ids ...idbridge.KeyID) map[idbridge.KeyID]idbridge.KeyState {
	b.t.Helper()
	out := map[idbridge.KeyID]idbridge.KeyState{}
	for _, id := range ids {
		k, _, err := b.KeyAccess(b.t.Context(), id)
		if err != nil {
			b.t.Fatalf("key %s: %v", id, err)
		}
		out[id] = k.State(b.clock.now())
	}
	return out
}

func (b *bed) wantStates(want map[idbridge.KeyID]idbridge.KeyState) {
	b.t.Helper()
	var ids []idbridge.KeyID
	for id := range want {
		ids = append(ids, id)
	}
	if diff := cmp.Diff(want, b.states(ids...)); diff != "" {
		b.t.Errorf("states (-want +got):\n%s", diff)
	}
}

func fresh(id idbridge.KeyID) idbridge.Key { return idbridge.Key{ID: id, Digest: []byte(id)} }

func TestRotationWithOverlap(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		user := b.create("ann")[0]
		must(b.CreateKey(ctx, idbridge.Key{
			ID: "key-one-", User: user, Digest: []byte{1}, Scopes: []string{"read"}, Allow: []string{"10.1.2.3/8", "::1"},
			Expires: b.clock.at.Add(100 * time.Hour),
		}, "ann"))(t)
		b.wantStates(map[idbridge.KeyID]idbridge.KeyState{"key-one-": idbridge.KeyActive})
		b.clock.advance(time.Hour)
		made := must(b.RotateKey(ctx, "key-one-", fresh("key-two-"), time.Hour, "ann"))(t)
		if diff := cmp.Diff([]string{"read"}, made.Scopes); diff != "" || len(made.Allow) != 2 || made.Allow[0] != "10.0.0.0/8" || made.Allow[1] != "::1/128" {
			t.Errorf("the fresh key took over %v, %v", made.Scopes, made.Allow)
		}
		if life := made.Expires.Sub(made.Created); life < 99*time.Hour || life > 100*time.Hour {
			t.Errorf("the fresh key lives for %v", life)
		}
		if k, _, err := b.KeyAccess(ctx, "key-two-"); err != nil || cmp.Diff(made, k) != "" {
			t.Errorf("key %+v, %v", k, err)
		}
		b.wantStates(map[idbridge.KeyID]idbridge.KeyState{"key-one-": idbridge.KeyActive, "key-two-": idbridge.KeyActive})
		_, err := b.RotateKey(ctx, "key-one-", fresh("key-bad-"), 0, "ann")
		wantKind(t, err, idbridge.Conflicting) // a retry must not end the new key
		must(b.RotateKey(ctx, "key-two-", fresh("key-thr-"), time.Hour, "ann"))(t)
		b.wantStates(map[idbridge.KeyID]idbridge.KeyState{
			"key-one-": idbridge.KeyRotated, "key-two-": idbridge.KeyActive, "key-thr-": idbridge.KeyActive,
		})
		b.clock.advance(time.Hour)
		b.wantStates(map[idbridge.KeyID]idbridge.KeyState{"key-two-": idbridge.KeyRotated, "key-thr-": idbridge.KeyActive})
		if k, _, err := b.KeyAccess(ctx, "key-two-"); err != nil || k.ReplacedBy != "key-thr-" {
			t.Errorf("who sees the old key used learns of %q, %v", k.ReplacedBy, err)
		}
		must(b.RotateKey(ctx, "key-thr-", fresh("key-fou-"), 0, "ann"))(t)
		b.wantStates(map[idbridge.KeyID]idbridge.KeyState{"key-thr-": idbridge.KeyRotated, "key-fou-": idbridge.KeyActive})
		for _, id := range []idbridge.KeyID{"key-thr-", "key-one-"} {
			wantKind(t, b.SetKeyEnabled(ctx, id, true, "ann"), idbridge.Conflicting)
		}
		if list := must(b.Keys(ctx, user))(t); len(list) != 4 {
			t.Errorf("%d keys are listed", len(list))
		}
	})
}

func TestRotationIsRefused(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		user := b.create("ann")[0]
		refused := func(id idbridge.KeyID, new idbridge.Key, overlap time.Duration, kind idbridge.Kind) {
			t.Helper()
			_, err := b.RotateKey(ctx, id, new, overlap, "ann")
			wantKind(t, err, kind)
		}
		b.primary(user, "key-one-")
		refused("nobody's", fresh("key-two-"), 0, idbridge.NotFound)
		refused("key-one-", fresh("key-two-"), 30*24*time.Hour+1, idbridge.Invalid)
		refused("key-one-", fresh("key-two-"), -1, idbridge.Invalid)
		refused("key-one-", fresh("key-one-"), 0, idbridge.Exists)
		refused("key-one-", idbridge.Key{ID: "key-two-"}, 0, idbridge.Invalid)
		if err := b.SetKeyEnabled(ctx, "key-one-", false, "root"); err != nil {
			t.Fatal(err)
		}
		refused("key-one-", fresh("key-two-"), 0, idbridge.Conflicting)
		if err := b.RevokeKey(ctx, "key-one-", "root", "lost"); err != nil {
			t.Fatal(err)
		}
		refused("key-one-", fresh("key-two-"), 0, idbridge.Conflicting)
		if list := must(b.Keys(ctx, user))(t); len(list) != 1 {
			t.Errorf("%d keys", len(list))
		}
	})
}

// TestNothingOutlivesTheKeyInItsPlace: who generates, revokes or disables the present key ends the one before it as well.
func TestNothingOutlivesTheKeyInItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(b *bed, user idbridge.UserID) error
		want idbridge.KeyState
	}{
		"generate": {func(b *bed, user idbridge.UserID) error { b.primary(user, "key-new-"); return nil }, idbridge.KeyRevoked},
		"revoke":   {func(b *bed, _ idbridge.UserID) error { return b.RevokeKey(b.t.Context(), "key-two-", "ann", "lost") }, idbridge.KeyRotated},
		"disable": {func(b *bed, _ idbridge.UserID) error {
			return b.SetKeyEnabled(b.t.Context(), "key-two-", false, "ann")
		}, idbridge.KeyRotated},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bed) {
				user := b.create("ann")[0]
				b.primary(user, "key-one-")
				must(b.RotateKey(t.Context(), "key-one-", fresh("key-two-"), time.Hour, "ann"))(t)
				b.wantStates(map[idbridge.KeyID]idbridge.KeyState{"key-one-": idbridge.KeyActive, "key-two-": idbridge.KeyActive})
				if err := c.end(b, user); err != nil {
					t.Fatal(err)
				}
				states := b.states("key-one-", "key-two-")
				if states["key-one-"] != c.want || states["key-two-"] == idbridge.KeyActive {
					t.Errorf("states %v", states)
				}
			})
		})
	}
}

// working returns the user's keys that are good now.
func (b *bed) working(user idbridge.UserID) (ids []idbridge.KeyID) {
	b.t.Helper()
	for _, k := range must(b.Keys(b.t.Context(), user))(b.t) {
		if k.State(b.clock.now()) == idbridge.KeyActive {
			ids = append(ids, k.ID)
		}
	}
	return ids
}

func TestOneKeySurvivesConcurrentGenerations(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		user := b.create("ann")[0]
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				id := idbridge.KeyID(fmt.Sprintf("key-%04d", i))
				if _, err := b.CreateKey(t.Context(), idbridge.Key{ID: id, User: user, Digest: []byte(id)}, "ann"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if ids := b.working(user); len(ids) != 1 || len(must(b.Keys(t.Context(), user))(t)) != 20 {
			t.Errorf("%v work", ids)
		}
	})
}

func TestOneRotationOfAKeyWins(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		user := b.create("ann")[0]
		b.primary(user, "key-old-")
		var wg sync.WaitGroup
		var mu sync.Mutex
		var won []idbridge.KeyID
		for i := range 20 {
			wg.Go(func() {
				k, err := b.RotateKey(t.Context(), "key-old-", fresh(idbridge.KeyID(fmt.Sprintf("key-%04d", i))), time.Duration(i%2)*time.Hour, "ann")
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won = append(won, k.ID)
				} else if !errors.Is(err, idbridge.Conflicting) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		b.clock.advance(2 * time.Hour)
		if ids := b.working(user); len(won) != 1 || len(ids) != 1 || ids[0] != won[0] {
			t.Errorf("%v won, %v work", won, ids)
		}
	})
}

// TestRotatedKeysOfAnOlderCopy: a key that is good for its overlap waits as any other, and one that is over stays as it is.
func TestRotatedKeysOfAnOlderCopy(t *testing.T) {
	ctx := t.Context()
	b := newBed(t, databases(t)["sqlite"](t))
	ann := b.create("ann")[0]
	b.primary(ann, "old-prim")
	b.key("old-slot", ann)
	must(b.RotateKey(ctx, "old-prim", fresh("new-prim"), 0, "ann"))(t)
	must(b.RotateKey(ctx, "old-slot", fresh("new-slot"), 30*day, "ann"))(t)
	b.shut()
	copyFile(t, b.file(), b.file()+".backup")
	b.clock.advance(day)
	b.open()
	if err := b.RevokeKey(ctx, "new-slot", "ann", "stolen"); err != nil {
		t.Fatal(err)
	}
	b.shut()
	copyFile(t, b.file()+".backup", b.file())
	b.open()
	if r := must(b.Restored(ctx))(t); r.Keys != 3 {
		t.Errorf("restored %+v", r)
	}
	waiting := map[idbridge.KeyID]idbridge.KeyState{
		"old-prim": idbridge.KeyRotated, "new-prim": idbridge.KeyDisabled, "old-slot": idbridge.KeyDisabled, "new-slot": idbridge.KeyDisabled,
	}
	b.wantStates(waiting)
	must(b.AcceptRestore(ctx, "root", false))(t)
	b.wantStates(waiting)
	for _, k := range must(b.Keys(ctx, ann))(t) {
		if k.ID == "old-prim" && (!k.Enabled || k.Version != 2) {
			t.Errorf("a key that was over was disabled: %+v", k)
		}
	}
}

// TestRotatedKeyIsNoneThatARunTakes: a run's plan counts the keys that would be refused; one that is over is none.
func TestRotatedKeyIsNoneThatARunTakes(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.primary(b.create("ann")[0], "key-one-")
		must(b.RotateKey(t.Context(), "key-one-", fresh("key-two-"), time.Hour, "ann"))(t)
		if n := b.subject("id-ann", nil).Keys; n != 2 {
			t.Errorf("%d keys during the overlap", n)
		}
		b.clock.advance(time.Hour)
		if n := b.subject("id-ann", nil).Keys; n != 1 {
			t.Errorf("%d keys after it", n)
		}
	})
}
