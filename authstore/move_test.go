package authstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
)

// told returns the moves since a revision in words, without revisions and times, and the revision now.
func (b *bed) told(since int64) (out []string, now int64) {
	b.t.Helper()
	moves, oldest, now, err := b.Moves(b.t.Context(), since, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	if since < oldest {
		b.t.Fatalf("moves since %d are gone, the log begins at %d", since, oldest)
	}
	for _, m := range moves {
		if m.Revision <= since || m.Revision > now || m.At.IsZero() {
			b.t.Errorf("move %+v after %d, now %d", m, since, now)
		}
		out = append(out, fmt.Sprint(m.Kind, " ", m.User, " ", m.Role, " ", m.Application, " ", m.Key))
	}
	return out, now
}

func TestMoves(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		_, at := b.told(0)
		var ann idbridge.UserID
		expect := func(what string, do func() error, want ...string) {
			t.Helper()
			if err := do(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			var got []string
			before := at
			got, at = b.told(at)
			for i := range want {
				want[i] = strings.ReplaceAll(want[i], "ANN", fmt.Sprint(ann))
			}
			if diff := cmp.Diff(want, got); diff != "" || at == before {
				t.Errorf("%s: revision %d to %d, moves (-want +got):\n%s", what, before, at, diff)
			}
		}
		expect("import", func() error { ann = b.create("ann", "bob", "cid")[0]; return nil }, "import 0   ")
		expect("edit", func() error {
			_, err := b.EditUser(ctx, idbridge.UserEdit{User: ann, Set: profile("displayName", "Ann")})
			return err
		}, "user ANN   ")
		expect("grant", func() error { return b.GrantRole(ctx, ann, "R", "App", "x") }, "grant ANN R App ")
		expect("revoke", func() error { return b.RevokeRole(ctx, ann, "R", "App", "x") }, "revoke ANN R App ")
		expect("key", func() error { b.primary(ann, "key-one-"); return nil }, "key ANN   key-one-")
		expect("replace", func() error { b.primary(ann, "key-two-"); return nil }, "key ANN   key-one-", "key ANN   key-two-")
		expect("rotate", func() error {
			_, err := b.RotateKey(ctx, "key-two-", fresh("key-thr-"), time.Hour, "x")
			return err
		}, "key ANN   key-two-", "key ANN   key-thr-")
		expect("suspend", func() error { return b.SetSuspended(ctx, ann, true, "x", "") }, "user ANN   ")
		expect("link", func() error { b.commit(b.about("id-ann", idbridge.Step{Verb: idbridge.Suspend})); return nil }, "user ANN   ")
		expect("delete", func() error { return b.DeleteUser(ctx, ann, "x") }, "gone ANN   ")
		expect("add", func() error {
			u, err := b.AddUser(ctx, idbridge.NewUser{Profile: profile("userName", "new")})
			ann = u.ID
			return err
		}, "user 4   ")
		if got, _ := b.told(at); len(got) != 0 {
			t.Errorf("nothing moved, but %v", got)
		}
	})
}

// TestManyMovesAreOne: neither an import nor the first members of a large group make the log long.
func TestManyMovesAreOne(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		logins := make([]string, 150)
		for i := range logins {
			logins[i] = fmt.Sprintf("u%03d", i)
		}
		_, at := b.told(0)
		b.create(logins...)
		got, at := b.told(at)
		if diff := cmp.Diff([]string{"import 0   "}, got); diff != "" {
			t.Errorf("import (-want +got):\n%s", diff)
		}
		group := idbridge.Decision{ID: corp("g"), Name: "all", Group: &idbridge.GroupSeen{Name: "all", Digest: idbridge.Digest{1}, Members: 150}}
		for _, login := range logins {
			group.Steps = append(group.Steps, idbridge.Step{
				ID: corp("id-" + login), Side: idbridge.StoreSide, Verb: idbridge.Join, Group: corp("g"), Grants: []idbridge.Grant{{Role: "R"}},
			})
		}
		few := group
		few.Steps = group.Steps[:2]
		b.commit(few)
		got, at = b.told(at)
		if diff := cmp.Diff([]string{"grant 1 R  ", "grant 2 R  "}, got); diff != "" {
			t.Errorf("two members (-want +got):\n%s", diff)
		}
		b.commit(group)
		if got, _ = b.told(at); cmp.Diff([]string{"all 0   "}, got) != "" {
			t.Errorf("many members: %v", got)
		}
	})
}

// TestFollowersMissNothing: several writers write, and a follower with small pages sees each move once, in order, while it
// waits for the next; one who resumes elsewhere sees the rest.
func TestFollowersMissNothing(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		users := b.create("ann", "bob", "cid", "dan")
		start := must(b.Revision(ctx))(t)
		const each = 15
		var wg sync.WaitGroup
		for _, id := range users {
			wg.Go(func() {
				for i := range each {
					if err := b.GrantRole(ctx, id, idbridge.Role(fmt.Sprintf("R%d", i)), "", "x"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		seen := map[idbridge.Move]int{}
		at := start
		for at < start+int64(each*len(users)) {
			if err := b.WaitRevision(ctx, at+1); err != nil {
				t.Fatal(err)
			}
			moves, oldest, now, err := b.Moves(ctx, at, 3)
			if err != nil || at < oldest {
				t.Fatal(oldest, err)
			}
			for _, m := range moves {
				if m.Revision < at {
					t.Fatalf("revision %d after %d", m.Revision, at)
				}
				at = m.Revision
				seen[idbridge.Move{User: m.User, Role: m.Role}]++
			}
			if len(moves) < 3 {
				at = now
			}
		}
		wg.Wait()
		if len(seen) != each*len(users) {
			t.Errorf("%d moves seen", len(seen))
		}
		for m, n := range seen {
			if n != 1 {
				t.Errorf("%+v was seen %d times", m, n)
			}
		}
	})
}

// TestPageEndsWithARevision: moves of one transaction are never torn apart, or whoever goes on would miss some.
func TestPageEndsWithARevision(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		user := b.create("ann")[0]
		b.primary(user, "key-one-")
		since := must(b.Revision(ctx))(t)
		b.primary(user, "key-two-") // two moves
		b.primary(user, "key-thr-")
		moves, _, now, err := b.Moves(ctx, since, 1)
		if err != nil || len(moves) != 2 || moves[0].Revision != moves[1].Revision || now != since+2 {
			t.Fatalf("moves %+v now %d, %v", moves, now, err)
		}
		if moves, _, _, err = b.Moves(ctx, moves[1].Revision, 1); err != nil || len(moves) != 2 || moves[1].Key != "key-thr-" {
			t.Errorf("moves %+v, %v", moves, err)
		}
	})
}

func TestLogIsCut(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		user := b.create("ann")[0]
		start := must(b.Revision(ctx))(t)
		for i := range 30 {
			if err := b.SetSuspended(ctx, user, i%2 == 0, "x", ""); err != nil {
				t.Fatal(err)
			}
		}
		b.KeepMoves(10)
		if err := b.PruneMoves(ctx); err != nil {
			t.Fatal(err)
		}
		_, oldest, now, err := b.Moves(ctx, start, 1000)
		if err != nil || now != start+30 || oldest != now-10 {
			t.Fatalf("oldest %d, now %d, %v", oldest, now, err)
		}
		if got, _ := b.told(oldest); len(got) != 10 {
			t.Errorf("%d moves since the oldest", len(got))
		}
		b.reopen()
		if _, again, _, _ := b.Moves(ctx, start, 1000); again != oldest {
			t.Errorf("after a restart the log begins at %d", again)
		}
	})
}

func TestWaitRevision(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		user := b.create("ann")[0]
		now := must(b.Revision(t.Context()))(t)
		if err := b.WaitRevision(t.Context(), now); err != nil {
			t.Error(err)
		}
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := b.WaitRevision(short, now+1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		long, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if err := b.WaitRevision(long, now+2); err != nil {
					t.Error(err)
				}
			})
		}
		for _, on := range []bool{true, false} {
			if err := b.SetSuspended(t.Context(), user, on, "x", ""); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
	})
}

// TestWaitRevisionKnowsOfOthers: who waited for another process's change is answered by it, not by the cache.
func TestWaitRevisionKnowsOfOthers(t *testing.T) {
	b := newBed(t, freshPostgres(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ids := b.create("ann", "bob")
	user := ids[0]
	other := must(authstore.Open(ctx, authstore.Config{URL: b.url}, b.opts))(t)
	defer other.Close()
	for i := range 10 {
		on := i%2 == 0
		must(b.Access(ctx, user))(t) // into the cache
		if err := other.SetSuspended(ctx, user, on, "elsewhere", ""); err != nil {
			t.Fatal(err)
		}
		theirs := must(other.Revision(ctx))(t)
		if err := b.GrantRole(ctx, ids[1], idbridge.Role(fmt.Sprint("R", i)), "", "x"); err != nil { // a later revision of our own
			t.Fatal(err)
		}
		if err := b.WaitRevision(ctx, theirs); err != nil {
			t.Fatal(err)
		}
		if a := must(b.Access(ctx, user))(t); a.May == on {
			t.Fatalf("round %d: after revision %d access is %+v", i, theirs, a)
		}
	}
}

// TestRestoredStoreEndsFollowing: revisions that a follower saw in what was lost mean nothing in what was put back.
func TestRestoredStoreEndsFollowing(t *testing.T) {
	b, _, _ := aged(t)
	b.open()
	moves, oldest, now, err := b.Moves(t.Context(), 1, 10)
	if err != nil || oldest < 1_000_000 || now < oldest || len(moves) != 0 {
		t.Errorf("the log begins at %d, now is %d, %d moves, %v", oldest, now, len(moves), err)
	}
	if got, _ := b.told(oldest); len(got) == 0 || got[len(got)-1] != "all 0   " {
		t.Errorf("moves %v", got)
	}
}
