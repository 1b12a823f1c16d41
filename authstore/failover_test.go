package authstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/internal/testserver"
)

// poll waits until a store has looked at its database again.
func poll(t testing.TB) {
	t.Helper()
	timer := time.NewTimer(time.Second)
	<-timer.C
}

// TestPromotedStandby: a daemon goes on over a standby that has everything: ids leap, nothing is held, the audit says so.
func TestPromotedStandby(t *testing.T) {
	ctx := t.Context()
	primary := testserver.NewPostgresServer(t)
	hole := testserver.NewBlackHole(t, primary.Addr())
	b := newBed(t, hole.URL(primary.URL()))
	standby := primary.Standby(t, true)
	ann := b.create("ann")[0]
	b.key("workingk", ann)
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	hole.Point(standby.Addr())
	waitFor(t, func() bool {
		list, err := b.Audit(ctx, idbridge.AuditFilter{Limit: 1})
		return err == nil && len(list) == 1 && list[0].Action == "store.failover"
	})
	b.notRestored()
	if k, _, err := b.KeyAccess(ctx, "workingk"); err != nil || !k.Enabled {
		t.Errorf("key: %+v, %v", k, err)
	}
	u := must(b.AddUser(ctx, idbridge.NewUser{Profile: profile("userName", "bob")}))(t)
	if u.ID < ann+1_000_000 {
		t.Errorf("id %d", u.ID)
	}
	before := must(b.Digests(ctx))(t)
	b.reopen() // and it leaps once
	b.notRestored()
	if after := must(b.Digests(ctx))(t); after["counter"] != before["counter"] || after["installation"] != before["installation"] {
		t.Error("it leapt again")
	}
}

// TestPromotedStandbyThatLacksCommits: the daemon that runs on knows what the standby never got, also when another daemon came
// first and let the ids leap.
func TestPromotedStandbyThatLacksCommits(t *testing.T) {
	for _, name := range []string{"alone", "after another daemon"} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			primary := testserver.NewPostgresServer(t)
			hole := testserver.NewBlackHole(t, primary.Addr())
			b := newBed(t, hole.URL(primary.URL()))
			ann := b.create("ann")[0]
			b.key("revokedk", ann)
			standby := primary.Standby(t, false)
			if err := standby.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := b.RevokeKey(ctx, "revokedk", "cli", "stolen"); err != nil {
				t.Fatal(err)
			}
			poll(t)
			for _, step := range []func() error{primary.Kill, standby.Start, standby.Promote} {
				if err := step(); err != nil {
					t.Fatal(err)
				}
			}
			if name != "alone" {
				other := must(authstore.Open(ctx, authstore.Config{URL: standby.URL()}, authstore.Options{}))(t)
				defer other.Close()
				if r := must(other.Restored(ctx))(t); !r.Since.IsZero() {
					t.Errorf("a new daemon cannot know: %+v", r)
				}
			}
			hole.Point(standby.Addr())
			waitFor(t, func() bool {
				if k, _, err := b.KeyAccess(ctx, "revokedk"); err == nil && k.State(b.clock.now()) == idbridge.KeyActive {
					t.Fatalf("the key that was revoked is alive: %+v, %+v", k, must(b.Restored(ctx))(t))
				}
				r, err := b.Restored(ctx)
				return err == nil && !r.Since.IsZero()
			})
			if r := must(b.Restored(ctx))(t); r.Lost < 1 || r.Lost > 10 || !strings.Contains(r.Why, "commits are gone") {
				t.Errorf("%+v", r)
			}
			waitFor(t, func() bool {
				k, _, err := b.KeyAccess(ctx, "revokedk")
				return err == nil && k.State(b.clock.now()) == idbridge.KeyDisabled
			})
		})
	}
}
