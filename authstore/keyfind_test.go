package authstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

func idsOf(keys []idbridge.Key) []idbridge.KeyID {
	out := []idbridge.KeyID{}
	for i := range keys {
		out = append(out, keys[i].ID)
	}
	return out
}

// zoo makes keys in every state: a user ann linked to corp with four of them, a local user bob, who administers, with two.
func (b *bed) zoo() (ann, bob idbridge.UserID) {
	b.t.Helper()
	ctx, now := b.t.Context(), b.clock.now()
	ann = b.create("ann")[0]
	bob = must(b.AddUser(ctx, idbridge.NewUser{Kind: idbridge.Service, Profile: profile("userName", "bob")}))(b.t).ID
	if err := b.GrantRole(ctx, bob, idbridge.Admin, "", "test"); err != nil {
		b.t.Fatal(err)
	}
	for _, k := range []idbridge.Key{
		{ID: "active--", User: bob}, {ID: "disabled", User: ann, Slot: "a"}, {ID: "expired-", User: ann, Slot: "b", Expires: now.Add(time.Minute)},
		{ID: "pending-", User: ann, Slot: "c", NotBefore: now.Add(99 * time.Hour), Expires: now.Add(100 * time.Hour)},
		{ID: "revoked-", User: ann}, {ID: "rotated-", User: bob, Slot: "a"},
	} {
		k.Digest = []byte(k.ID)
		must(b.CreateKey(ctx, k, "test"))(b.t)
	}
	b.clock.advance(time.Hour)
	must(b.RotateKey(ctx, "rotated-", fresh("current-"), 0, "test"))(b.t)
	for _, err := range []error{b.SetKeyEnabled(ctx, "disabled", false, "test"), b.RevokeKey(ctx, "revoked-", "test", "lost")} {
		if err != nil {
			b.t.Fatal(err)
		}
	}
	return ann, bob
}

func TestFindKeys(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ann, bob := b.zoo()
		now := b.clock.now()
		b.Touch("active--", "10.0.0.1", now)
		half := now.Add(-30 * time.Minute)
		for name, c := range map[string]struct {
			f    idbridge.KeyFilter
			want []idbridge.KeyID
		}{
			"all":             {idbridge.KeyFilter{}, []idbridge.KeyID{"active--", "current-", "disabled", "expired-", "pending-", "revoked-", "rotated-"}},
			"user":            {idbridge.KeyFilter{User: bob}, []idbridge.KeyID{"active--", "current-", "rotated-"}},
			"user, directory": {idbridge.KeyFilter{User: ann, Directory: "corp", State: idbridge.KeyPending}, []idbridge.KeyID{"pending-"}},
			"other directory": {idbridge.KeyFilter{Directory: "east"}, []idbridge.KeyID{}},
			"role":            {idbridge.KeyFilter{Role: idbridge.Admin, State: idbridge.KeyActive}, []idbridge.KeyID{"active--", "current-"}},
			"created before":  {idbridge.KeyFilter{CreatedBefore: half, User: bob}, []idbridge.KeyID{"active--", "rotated-"}},
			"unused since":    {idbridge.KeyFilter{UnusedSince: half, User: bob}, []idbridge.KeyID{"rotated-"}},
			"expires before":  {idbridge.KeyFilter{ExpiresBefore: now.Add(200 * time.Hour)}, []idbridge.KeyID{"expired-", "pending-"}},
			"page":            {idbridge.KeyFilter{After: "current-", Limit: 2}, []idbridge.KeyID{"disabled", "expired-"}},
		} {
			if diff := cmp.Diff(c.want, idsOf(must(b.FindKeys(t.Context(), c.f))(t))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		_, err := b.FindKeys(t.Context(), idbridge.KeyFilter{State: "dead"})
		wantKind(t, err, idbridge.Invalid)
	})
}

// TestStatesAgree: the database selects a state exactly when the key says that it is in it.
func TestStatesAgree(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.zoo()
		all := must(b.FindKeys(t.Context(), idbridge.KeyFilter{}))(t)
		found := 0
		for _, state := range []idbridge.KeyState{
			idbridge.KeyActive, idbridge.KeyDisabled, idbridge.KeyPending, idbridge.KeyExpired, idbridge.KeyRevoked, idbridge.KeyRotated,
		} {
			want := []idbridge.KeyID{}
			for i := range all {
				if all[i].State(b.clock.now()) == state {
					want = append(want, all[i].ID)
				}
			}
			got := idsOf(must(b.FindKeys(t.Context(), idbridge.KeyFilter{State: state}))(t))
			if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
				t.Errorf("%s (-key +database):\n%s", state, diff)
			}
			found += len(got)
		}
		if found != len(all) {
			t.Errorf("%d of %d keys have a state", found, len(all))
		}
	})
}

func TestRevokeKeys(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		ann, _ := b.zoo()
		want := []idbridge.KeyID{"disabled", "expired-", "pending-"} // neither the revoked nor anybody else's
		before := must(b.Digests(ctx))(t)
		if diff := cmp.Diff(want, idsOf(must(b.RevokeKeys(ctx, idbridge.KeyFilter{User: ann}, "root", "left", true))(t))); diff != "" {
			t.Errorf("dry (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, must(b.Digests(ctx))(t)); diff != "" {
			t.Errorf("dry, and tables changed:\n%s", diff)
		}
		b.states("active--", "disabled", "expired-", "pending-") // into the cache
		if diff := cmp.Diff(want, idsOf(must(b.RevokeKeys(ctx, idbridge.KeyFilter{Directory: "corp", Limit: 1}, "root", "left", false))(t))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, id := range want {
			if k, _, err := b.KeyAccess(ctx, id); err != nil || k.Revoked.IsZero() || k.Reason != "left" {
				t.Errorf("key %+v, %v", k, err)
			}
		}
		if again := must(b.RevokeKeys(ctx, idbridge.KeyFilter{User: ann}, "root", "again", false))(t); len(again) != 0 {
			t.Errorf("revoked again: %v", idsOf(again))
		}
		b.wantStates(map[idbridge.KeyID]idbridge.KeyState{"active--": idbridge.KeyActive, "current-": idbridge.KeyActive, "rotated-": idbridge.KeyRotated})
		noted := 0
		for _, a := range must(b.Audit(ctx, idbridge.AuditFilter{User: ann}))(t) {
			if a.Action == "key.revoke" && a.Reason == "left" && a.Actor == "root" {
				noted++
			}
		}
		if noted != len(want) {
			t.Errorf("%d audit rows", noted)
		}
		_, err := b.RevokeKeys(ctx, idbridge.KeyFilter{Limit: 3, After: "a"}, "root", "", false)
		wantKind(t, err, idbridge.Invalid)
	})
}

// TestKeyInUseIsNotUnused: a use that is still in memory counts.
func TestKeyInUseIsNotUnused(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		user := b.create("ann")[0]
		b.primary(user, "key-used")
		must(b.CreateKey(t.Context(), idbridge.Key{ID: "key-idle", User: user, Slot: "idle", Digest: []byte{1}}, "ann"))(t)
		b.clock.advance(48 * time.Hour)
		b.Touch("key-used", "10.0.0.9", b.clock.now())
		since := b.clock.now().Add(-24 * time.Hour)
		got := idsOf(must(b.RevokeKeys(t.Context(), idbridge.KeyFilter{UnusedSince: since}, "root", "idle", false))(t))
		if diff := cmp.Diff([]idbridge.KeyID{"key-idle"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		k := must(b.FindKeys(t.Context(), idbridge.KeyFilter{User: user, State: idbridge.KeyActive}))(t)
		if len(k) != 1 || k[0].LastAddress != "10.0.0.9" || k[0].Uses != 1 {
			t.Errorf("keys %+v", k)
		}
	})
}
