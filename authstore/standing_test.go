package authstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

func TestKeysAreCounted(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ids := b.create("ann", "bob", "cid")
		local := must(b.AddUser(t.Context(), idbridge.NewUser{Profile: profile("userName", "loc")}))(t)
		count := func() (int, int, int) {
			t.Helper()
			pop := must(b.Population(t.Context(), "corp"))(t)
			return b.subject("id-ann", nil).Keys, b.subject("id-bob", nil).Keys, pop.Keys
		}
		say := func(what string, ann, bob, all int) {
			t.Helper()
			if x, y, z := count(); x != ann || y != bob || z != all {
				t.Errorf("%s: %d, %d and %d, not %d, %d and %d", what, x, y, z, ann, bob, all)
			}
		}
		say("no keys", 0, 0, 0)
		now := b.clock.now()
		for i, k := range []idbridge.Key{
			{ID: "aaaaaaa1", User: ids[0]}, {ID: "aaaaaaa2", User: ids[0], Slot: "s2"},
			{ID: "aaaaaaa3", User: ids[0], Slot: "s3", Expires: now.Add(time.Hour)},
			{ID: "bbbbbbb1", User: ids[1]}, {ID: "ccccccc1", User: ids[2]}, {ID: "lllllll1", User: local.ID},
		} {
			k.Digest = []byte{byte(i)}
			must(b.CreateKey(t.Context(), k, "test"))(t)
		}
		say("keys", 3, 1, 5)
		must(0, b.SetKeyEnabled(t.Context(), "aaaaaaa2", false, "boss"))(t)
		say("one disabled", 2, 1, 4)
		must(0, b.RevokeKey(t.Context(), "bbbbbbb1", "boss", "lost"))(t)
		say("one revoked", 2, 0, 3)
		b.clock.advance(2 * time.Hour)
		say("one expired", 1, 0, 2)
		b.commit(b.about("id-cid", idbridge.Step{Verb: idbridge.Suspend}))
		say("an owner lost access", 1, 0, 1)
		if s := b.subject("nobody", profile("userName", "ann")); s.Keys != 0 || s.Backoff != nil || s.Flips != nil {
			t.Errorf("an unlinked record has %+v", s)
		}
	})
}

func TestAlarm(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		say := func(text string, want bool) {
			t.Helper()
			if changed := must(b.Alarm(t.Context(), "corp", text))(t); changed != want {
				t.Errorf("alarm %q changed: %v", text, changed)
			}
			if src := must(b.Source(t.Context(), "corp"))(t); src.Alarm != text {
				t.Errorf("alarm is %q, not %q", src.Alarm, text)
			}
		}
		say("", false)
		say("size limit", true)
		say("size limit", false)
		src := must(b.Source(t.Context(), "corp"))(t)
		if diff := cmp.Diff(idbridge.Source{Alarm: "size limit"}, src); diff != "" {
			t.Errorf("source before the first run (-want +got):\n%s", diff)
		}
		err := b.EndRun(t.Context(), b.lead, idbridge.Run{ID: b.lead.Run, Directory: "corp", State: idbridge.RunDone}, &idbridge.Source{Cursor: "c", Runs: 3})
		must(0, err)(t)
		if src := must(b.Source(t.Context(), "corp"))(t); src.Alarm != "size limit" || src.Cursor != "c" || src.Runs != 3 {
			t.Errorf("the end of a run wrote over the alarm: %+v", src)
		}
		say("canary", true)
		if src := must(b.Source(t.Context(), "corp"))(t); src.Cursor != "c" || src.Runs != 3 {
			t.Errorf("the alarm wrote over the source: %+v", src)
		}
		before := must(b.Digests(t.Context()))(t)
		say("canary", false)
		if diff := cmp.Diff(before, must(b.Digests(t.Context()))(t)); diff != "" {
			t.Errorf("the same alarm again changed tables:\n%s", diff)
		}
		say("", true)
	})
}

func TestAccessOfMany(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ids := b.create("ann", "bob", "cid")
		local := must(b.AddUser(t.Context(), idbridge.NewUser{Profile: profile("userName", "loc")}))(t)
		must(0, b.GrantRole(t.Context(), ids[0], idbridge.Admin, "", "boss"))(t)
		must(0, b.GrantRole(t.Context(), ids[0], "EDITOR", "wiki", "boss"))(t)
		b.commit(b.about("id-bob", idbridge.Step{Verb: idbridge.Suspend}))
		must(0, b.SetSuspended(t.Context(), ids[2], true, "boss", ""))(t)
		many := []idbridge.UserID{ids[0], ids[1], ids[2], local.ID, 99}
		got := must(b.AccessOf(t.Context(), many))(t)
		want := map[idbridge.UserID]idbridge.Access{}
		for _, id := range many[:4] {
			want[id] = must(b.Access(t.Context(), id))(t)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("access (-one by one +together):\n%s", diff)
		}
		if got := must(b.AccessOf(t.Context(), nil))(t); len(got) != 0 {
			t.Errorf("access of nobody %+v", got)
		}
	})
}

func TestDeleteUserIf(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		u := must(b.User(t.Context(), id))(t)
		must(b.EditUser(t.Context(), idbridge.UserEdit{User: id, Set: profile("displayName", "x")}))(t)
		wantKind(t, b.DeleteUserIf(t.Context(), id, u.Revision, "boss"), idbridge.Conflicting)
		must(0, b.DeleteUserIf(t.Context(), id, u.Revision+1, "boss"))(t)
		if _, err := b.User(t.Context(), id); !errors.Is(err, idbridge.NotFound) {
			t.Errorf("error %v", err)
		}
	})
}
