package authstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

func TestPatchKey(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		b.primary(b.create("ann")[0], "key-one-")
		b.states("key-one-")
		soon, never := b.clock.now().Add(time.Minute), time.Time{}
		k := must(b.PatchKey(ctx, "key-one-", idbridge.KeyPatch{
			Expires: &soon, Scopes: []string{"read"}, Allow: []string{"192.0.2.77", "2001:db8::5/32", "::ffff:10.1.1.1/104"}, IfVersion: 1,
		}, "root"))(t)
		if want := []string{"192.0.2.77/32", "2001:db8::/32", "10.0.0.0/8"}; cmp.Diff(want, k.Allow) != "" || k.Version != 2 {
			t.Errorf("key %+v", k)
		}
		if read, _, err := b.KeyAccess(ctx, "key-one-"); err != nil || cmp.Diff(k, read) != "" {
			t.Errorf("a check sees %+v, %v", read, err)
		}
		_, err := b.PatchKey(ctx, "key-one-", idbridge.KeyPatch{Expires: &never, IfVersion: 1}, "root")
		wantKind(t, err, idbridge.Conflicting)
		if same := must(b.PatchKey(ctx, "key-one-", idbridge.KeyPatch{Scopes: []string{"read"}}, "root"))(t); same.Version != 2 {
			t.Errorf("a patch of nothing made version %d", same.Version)
		}
		b.clock.advance(time.Hour)
		b.wantStates(map[idbridge.KeyID]idbridge.KeyState{"key-one-": idbridge.KeyExpired})
		later := b.clock.now().Add(time.Hour)
		must(b.PatchKey(ctx, "key-one-", idbridge.KeyPatch{Expires: &never, NotBefore: &later, Allow: []string{}}, "root"))(t)
		b.wantStates(map[idbridge.KeyID]idbridge.KeyState{"key-one-": idbridge.KeyPending})
		for _, p := range []idbridge.KeyPatch{{Scopes: []string{}}, {Allow: []string{"10.0.0.0/33"}}, {Allow: []string{"fe80::1%eth0"}}, {Allow: []string{""}}} {
			_, err = b.PatchKey(ctx, "key-one-", p, "root")
			wantKind(t, err, idbridge.Invalid)
		}
		_, err = b.PatchKey(ctx, "nobody's", idbridge.KeyPatch{}, "root")
		wantKind(t, err, idbridge.NotFound)
		if err := b.RevokeKey(ctx, "key-one-", "root", ""); err != nil {
			t.Fatal(err)
		}
		_, err = b.PatchKey(ctx, "key-one-", idbridge.KeyPatch{NotBefore: &never}, "root")
		wantKind(t, err, idbridge.Conflicting)
	})
}

func TestImportKey(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		ids := b.create("ann", "bob")
		got := must(b.ImportKey(ctx, idbridge.Key{ID: `a;b:c\[{`, User: ids[0], Digest: []byte{1}, Pepper: "p1"}, "root"))(t)
		if k, a, err := b.KeyAccess(ctx, got.ID); err != nil || a.User != ids[0] || cmp.Diff(got, k) != "" || k.Pepper != "p1" {
			t.Errorf("key %+v of %+v, %v", k, a, err)
		}
		for name, c := range map[string]struct {
			key  idbridge.Key
			kind idbridge.Kind
		}{
			"his id":       {idbridge.Key{ID: got.ID, User: ids[1], Digest: []byte{2}}, idbridge.Exists},
			"second":       {idbridge.Key{ID: "key-two-", User: ids[0], Digest: []byte{2}}, idbridge.Conflicting},
			"nobody":       {idbridge.Key{ID: "key-two-", User: 99, Digest: []byte{2}}, idbridge.NotFound},
			"no digest":    {idbridge.Key{ID: "key-two-", User: ids[1]}, idbridge.Invalid},
			"bad networks": {idbridge.Key{ID: "key-two-", User: ids[1], Digest: []byte{2}, Allow: []string{"x"}}, idbridge.Invalid},
		} {
			_, err := b.ImportKey(ctx, c.key, "root")
			if idbridge.KindOf(err) != c.kind || err == nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		must(b.ImportKey(ctx, idbridge.Key{ID: "key-two-", User: ids[0], Slot: "old", Digest: []byte{2}}, "root"))(t)
	})
}

// TestIDsAreNeverReused: not when the key is revoked, not when its user is deleted, not when he is erased.
func TestIDsAreNeverReused(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		ids := b.create("ann", "bob", "cid")
		other := b.create("dan")[0]
		for i, id := range []idbridge.KeyID{"revoked-", "deleted-", "erased--"} {
			b.primary(ids[i], id)
		}
		if err := b.RevokeKey(ctx, "revoked-", "root", ""); err != nil {
			t.Fatal(err)
		}
		if err := b.DeleteUser(ctx, ids[1], "root"); err != nil {
			t.Fatal(err)
		}
		must(b.Erase(ctx, ids[2], "root", false))(t)
		for _, id := range []idbridge.KeyID{"revoked-", "deleted-", "erased--"} {
			k := idbridge.Key{ID: id, User: other, Digest: []byte{1}}
			_, err := b.ImportKey(ctx, k, "root")
			wantKind(t, err, idbridge.Exists)
			_, err = b.CreateKey(ctx, k, "root")
			wantKind(t, err, idbridge.Exists)
		}
		_, _, err := b.KeyAccess(ctx, "deleted-")
		wantKind(t, err, idbridge.NotFound)
	})
}
