package authstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
)

func TestKeys(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		id := b.create("ann")[0]
		made := must(b.CreateKey(ctx, idbridge.Key{
			ID: "aaaaaaaa", User: id, Digest: []byte{0, 1, 255}, Expires: b.clock.at.Add(time.Hour), Scopes: []string{"read"},
		}, "ann"))(t)
		k, a, err := b.KeyAccess(ctx, "aaaaaaaa")
		if err != nil || !a.May || a.User != id || a.UserName != "ann" {
			t.Fatalf("access %+v, %v", a, err)
		}
		if diff := cmp.Diff(made, k); diff != "" {
			t.Errorf("key (-made +read):\n%s", diff)
		}
		if k.State(b.clock.now()) != idbridge.KeyActive || k.Slot != idbridge.PrimarySlot || k.Version != 1 || k.CreatedBy != "ann" {
			t.Errorf("key %+v", k)
		}
		must(b.CreateKey(ctx, idbridge.Key{ID: "nnnnnnnn", User: id, Slot: "ci", Digest: []byte{2}}, "ann"))(t)
		must(b.CreateKey(ctx, idbridge.Key{ID: "bbbbbbbb", User: id, Digest: []byte{3}}, "ann"))(t)
		if k, _, err = b.KeyAccess(ctx, "aaaaaaaa"); err != nil || k.State(b.clock.now()) != idbridge.KeyRevoked || k.Reason != "replaced" {
			t.Errorf("the old primary key: %+v, %v", k, err)
		}
		if k, _, err = b.KeyAccess(ctx, "nnnnnnnn"); err != nil || k.State(b.clock.now()) != idbridge.KeyActive {
			t.Errorf("the key of another slot: %+v, %v", k, err)
		}
		_, err = b.CreateKey(ctx, idbridge.Key{ID: "aaaaaaaa", User: id, Digest: []byte{4}}, "ann")
		wantKind(t, err, idbridge.Exists)
		_, err = b.CreateKey(ctx, idbridge.Key{ID: "cccccccc", User: 99, Digest: []byte{4}}, "ann")
		wantKind(t, err, idbridge.NotFound)
		if k, _, _ := b.KeyAccess(ctx, "bbbbbbbb"); k.State(b.clock.now()) != idbridge.KeyActive {
			t.Error("a key that was not made revoked the one before it")
		}
		for _, on := range []bool{false, true} {
			if err := b.SetKeyEnabled(ctx, "bbbbbbbb", on, "root"); err != nil {
				t.Fatal(err)
			}
			if k, _, _ := b.KeyAccess(ctx, "bbbbbbbb"); k.Enabled != on {
				t.Errorf("enabled %v", k.Enabled)
			}
		}
		if err := b.RevokeKey(ctx, "bbbbbbbb", "root", "lost"); err != nil {
			t.Fatal(err)
		}
		if k, _, _ := b.KeyAccess(ctx, "bbbbbbbb"); k.State(b.clock.now()) != idbridge.KeyRevoked || k.Reason != "lost" || k.Version != 4 {
			t.Errorf("key %+v", k)
		}
		if err := b.RevokeKey(ctx, "bbbbbbbb", "root", "again"); err != nil {
			t.Error(err)
		}
		wantKind(t, b.SetKeyEnabled(ctx, "bbbbbbbb", true, "root"), idbridge.Conflicting)
		wantKind(t, b.RevokeKey(ctx, "zzzzzzzz", "root", ""), idbridge.NotFound)
		if list := must(b.Keys(ctx, id))(t); len(list) != 3 {
			t.Errorf("%d keys", len(list))
		}
	})
}

func TestUsesAreWritten(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		id := b.create("ann")[0]
		must(b.CreateKey(ctx, idbridge.Key{ID: "aaaaaaaa", User: id, Digest: []byte{1}}, "ann"))(t)
		before := must(b.Revision(ctx))(t)
		at := b.clock.now().Truncate(time.Microsecond)
		b.Touch("aaaaaaaa", "10.0.0.1", at.Add(-time.Hour))
		b.Touch("aaaaaaaa", "10.0.0.2", at)
		b.Touch("aaaaaaaa", "10.0.0.3", at.Add(-time.Minute))
		b.Touch("nobody's", "10.0.0.4", at)
		b.reopen()
		if k := must(b.Keys(ctx, id))(t)[0]; !k.LastUsed.Equal(at) || k.LastAddress != "10.0.0.2" || k.Uses != 3 || k.Version != 1 {
			t.Errorf("key %+v", k)
		}
		b.Touch("aaaaaaaa", "10.0.0.5", at.Add(-time.Minute)) // noted by a process that writes late
		b.reopen()
		if k := must(b.Keys(ctx, id))(t)[0]; !k.LastUsed.Equal(at) || k.LastAddress != "10.0.0.2" || k.Uses != 4 {
			t.Errorf("key %+v", k)
		}
		if now := must(b.Revision(ctx))(t); now != before {
			t.Error("a use moved the revision")
		}
	})
}

// TestAccessIsNeverStale: once a write has returned, no reader sees what was before it, however many read meanwhile.
func TestAccessIsNeverStale(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		users := b.create("ann", "bob", "cid", "dan")
		keys := make([]idbridge.KeyID, len(users))
		for i, id := range users {
			keys[i] = idbridge.KeyID(fmt.Sprintf("key%05d", i))
			must(b.CreateKey(ctx, idbridge.Key{ID: keys[i], User: id, Digest: []byte{1}}, "test"))(t)
		}
		var stop atomic.Bool
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for !stop.Load() {
					for i, id := range users {
						_, _, _ = b.KeyAccess(ctx, keys[i])
						_, _ = b.Access(ctx, id)
						_, _ = b.AccessByName(ctx, "ann")
					}
				}
			})
		}
		defer readers.Wait()
		defer stop.Store(true)
		for round := range 40 {
			i := round % len(users)
			on := round/len(users)%2 == 0
			if err := b.SetSuspended(ctx, users[i], on, "test", ""); err != nil {
				t.Fatal(err)
			}
			// When he is let in again here, his link still keeps him out.
			if _, a, err := b.KeyAccess(ctx, keys[i]); err != nil || a.May || (a.Why == "suspended") != on {
				t.Fatalf("round %d: suspended %v, but access is %+v, %v", round, on, a, err)
			}
			if err := b.SetKeyEnabled(ctx, keys[i], !on, "test"); err != nil {
				t.Fatal(err)
			}
			if k, _, err := b.KeyAccess(ctx, keys[i]); err != nil || k.Enabled == on {
				t.Fatalf("round %d: key %+v, %v", round, k, err)
			}
			verb, state := idbridge.Suspend, idbridge.LinkMissing
			if !on {
				verb, state = idbridge.Restore, idbridge.LinkActive
			}
			login := []string{"ann", "bob", "cid", "dan"}[i]
			b.commit(b.about("id-"+login, idbridge.Step{Verb: verb, State: state}))
			if a, err := b.AccessByName(ctx, login); err != nil || a.May == on {
				t.Fatalf("round %d: link is %s, but access is %+v, %v", round, state, a, err)
			}
		}
	})
}

func TestRenamedUserIsFoundByTheNewNameOnly(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		id := b.create("ann")[0]
		for range 2 { // fill, then hit
			if a := must(b.AccessByName(ctx, "Ann"))(t); a.User != id {
				t.Fatalf("access %+v", a)
			}
		}
		must(b.EditUser(ctx, idbridge.UserEdit{User: id, Set: profile("userName", "anna")}))(t)
		if a := must(b.AccessByName(ctx, "ann"))(t); a.Exists {
			t.Errorf("the old name still opens: %+v", a)
		}
		other := must(b.AddUser(ctx, idbridge.NewUser{Profile: profile("userName", "ann")}))(t)
		if a := must(b.AccessByName(ctx, "ann"))(t); a.User != other.ID {
			t.Errorf("access %+v", a)
		}
		if a := must(b.AccessByName(ctx, "ANNA"))(t); a.User != id || a.UserName != "anna" {
			t.Errorf("access %+v", a)
		}
	})
}

// TestAnotherProcessIsSeen: what another process writes into the same PostgreSQL database arrives within a second.
func TestAnotherProcessIsSeen(t *testing.T) {
	b := newBed(t, freshPostgres(t))
	ctx := t.Context()
	id := b.create("ann")[0]
	must(b.CreateKey(ctx, idbridge.Key{ID: "aaaaaaaa", User: id, Digest: []byte{1}}, "test"))(t)
	other := must(authstore.Open(ctx, authstore.Config{URL: b.url}, b.opts))(t)
	defer other.Close()
	_, err := other.Lead(ctx, time.Minute)
	wantKind(t, err, idbridge.Locked)
	for _, on := range []bool{true, false, true} {
		if _, a, err := b.KeyAccess(ctx, "aaaaaaaa"); err != nil || a.May != on {
			t.Fatalf("access %+v, %v", a, err)
		}
		must(b.EditUser(ctx, idbridge.UserEdit{User: id, Set: profile("title", fmt.Sprint(on))}))
		if err := other.SetSuspended(ctx, id, on, "elsewhere", ""); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { _, a, err := b.KeyAccess(ctx, "aaaaaaaa"); return err == nil && a.May != on })
	}
}

// waitFor waits until something holds; it bounds a failure, it measures nothing.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for range 600 {
		if holds() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("it never held")
}

func TestConcurrentWriters(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		logins := make([]string, 20)
		for i := range logins {
			logins[i] = fmt.Sprintf("u%02d", i)
		}
		ids := b.create(logins...)
		var wg sync.WaitGroup
		fail := make(chan error, 100)
		report := func(err error) {
			if err != nil && !errors.Is(err, idbridge.Exists) {
				fail <- err
			}
		}
		for w := range 4 {
			wg.Go(func() {
				for i := range 20 {
					u := ids[(i*7+w)%len(ids)]
					switch (i + w) % 4 {
					case 0:
						_, err := b.EditUser(ctx, idbridge.UserEdit{User: u, Set: profile("email", fmt.Sprintf("e%d@example.org", i%5))})
						report(err)
					case 1:
						report(b.GrantRole(ctx, u, "R", "", "test"))
					case 2:
						_, err := b.AddUser(ctx, idbridge.NewUser{Profile: profile("userName", fmt.Sprintf("n%d", i%6))})
						report(err)
					default:
						report(touchLinks(ctx, b, logins, i))
					}
				}
			})
		}
		wg.Wait()
		close(fail)
		for err := range fail {
			t.Error(err)
		}
		checkClaims(t, b)
	})
}

// TestNoWriteIsLost lets an edit and a run change the same user again and again: each that says it happened, happened.
func TestNoWriteIsLost(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		id := b.create("ann")[0]
		const rounds = 40
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range rounds {
				if _, err := b.EditUser(ctx, idbridge.UserEdit{User: id, Set: profile("givenName", fmt.Sprint(i))}); err != nil {
					t.Error(err)
				}
			}
		})
		committed, last := 0, ""
		wg.Go(func() {
			for i := range rounds {
				d := b.about("id-ann", update(profile("displayName", fmt.Sprint(i))))
				out, err := b.Commit(ctx, b.lead, []idbridge.Decision{d})
				if err != nil {
					t.Error(err)
				} else if !out[0].Stale {
					committed++
					last = fmt.Sprint(i)
				}
			}
		})
		wg.Wait()
		u := must(b.User(ctx, id))(t)
		if want := int64(1 + rounds + committed); u.Revision != want {
			t.Errorf("revision %d after %d edits and %d commits", u.Revision, rounds, committed)
		}
		if u.Profile["givenName"].First() != fmt.Sprint(rounds-1) || last != "" && u.Profile["displayName"].First() != last {
			t.Errorf("profile %v, the run wrote %q last", u.Profile, last)
		}
	})
}

// touchLinks commits a batch over many users; some of them are being changed by others.
func touchLinks(ctx context.Context, b *bed, logins []string, round int) error {
	ids := make([]idbridge.ExternalID, 0, 10)
	for i := range 10 {
		ids = append(ids, corp("id-"+logins[(i*3+round)%len(logins)]))
	}
	subjects, err := b.Subjects(ctx, "corp", ids, nil)
	if err != nil {
		return err
	}
	list := make([]idbridge.Decision, 0, len(subjects))
	for _, s := range subjects {
		list = append(list, idbridge.Decision{
			ID: s.ID, User: s.User.ID, Read: idbridge.Versions{User: s.User.Revision, Link: s.Link.Version},
			Steps: []idbridge.Step{{ID: s.ID, Side: idbridge.StoreSide, Verb: idbridge.Update, After: profile("displayName", fmt.Sprint(round))}},
		})
	}
	_, err = b.Commit(ctx, b.lead, list)
	return err
}

// checkClaims checks that no two users hold one unique value, whatever raced.
func checkClaims(t *testing.T, b *bed) {
	t.Helper()
	seen := map[string]idbridge.UserID{}
	for _, u := range must(b.Users(t.Context(), idbridge.UserFilter{Limit: 1000}))(t) {
		for _, a := range []idbridge.Attribute{idbridge.UserName, idbridge.Email} {
			for _, v := range u.Profile[a] {
				if other, ok := seen[string(a)+v]; ok {
					t.Errorf("%s %s is held by %d and %d", a, v, other, u.ID)
				}
				seen[string(a)+v] = u.ID
			}
		}
	}
}
