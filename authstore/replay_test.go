package authstore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

func TestRemember(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		r := idbridge.Replay{Caller: "7", Token: "once\x00", Body: [32]byte{1}}
		remember := func(r idbridge.Replay) *idbridge.Replay {
			t.Helper()
			return must(b.Remember(ctx, r))(t)
		}
		if got := remember(r); got != nil {
			t.Errorf("the first time: %+v", got)
		}
		under := remember(r)
		if under == nil || under.Answer != nil || under.Body != r.Body || under.At.IsZero() {
			t.Errorf("under way: %+v", under)
		}
		done := r
		done.Answer = []byte{0, 255}
		if got := remember(done); got != nil {
			t.Errorf("the answer: %+v", got)
		}
		want := &idbridge.Replay{Caller: r.Caller, Token: r.Token, Body: r.Body, Answer: []byte{0, 255}, At: under.At}
		other := r
		other.Body[0]++
		for _, again := range []idbridge.Replay{r, done, other} { // whose body differs sees that by the Body
			if diff := cmp.Diff(want, remember(again)); diff != "" {
				t.Errorf("again (-want +got):\n%s", diff)
			}
		}
		if got := remember(idbridge.Replay{Caller: "8", Token: r.Token}); got != nil {
			t.Errorf("another caller's token: %+v", got)
		}
		b.clock.advance(6 * time.Minute)
		if got := remember(r); got == nil || got.Answer != nil || got.Body != r.Body {
			t.Errorf("after five minutes: %+v", got)
		}
		if got := remember(done); got == nil || got.Answer != nil {
			t.Errorf("an answer came too late and was kept: %+v", got)
		}
		b.clock.advance(24 * time.Hour)
		if got := remember(r); got != nil {
			t.Errorf("after a day: %+v", got)
		}
		if err := b.Forget(ctx, r.Caller, r.Token); err != nil {
			t.Fatal(err)
		}
		if got := remember(r); got != nil {
			t.Errorf("after it was forgotten: %+v", got)
		}
		_, err := b.Remember(ctx, idbridge.Replay{Caller: "7"})
		wantKind(t, err, idbridge.Invalid)
	})
}

// TestOldAnswersGo: an answer, sealed as it is, lies in the database for minutes, and a token for a day.
func TestOldAnswersGo(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		sum := func() string { return must(b.Digests(ctx))(t)["replay"] }
		empty := sum()
		r := idbridge.Replay{Caller: "7", Token: "once", Answer: []byte("sealed")}
		must(b.Remember(ctx, r))(t)
		full := sum()
		step := func(d time.Duration) string {
			t.Helper()
			b.clock.advance(d)
			if err := b.ForgetReplays(ctx); err != nil {
				t.Fatal(err)
			}
			return sum()
		}
		if step(4*time.Minute) != full {
			t.Error("an answer went too early")
		}
		if s := step(2 * time.Minute); s == full || s == empty {
			t.Error("an answer stays, or its token went with it")
		}
		if step(24*time.Hour) != empty {
			t.Error("a token stays")
		}
	})
}

// TestOneKeyForOneToken: however often and at once a request comes, one key is made, and each gets its answer.
func TestOneKeyForOneToken(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		user := b.create("ann")[0]
		seal := func(k idbridge.Key) ([]byte, error) { return []byte("sealed " + k.ID), nil }
		answers := make([]string, 12)
		both := func(do func(i int) (idbridge.Key, *idbridge.Replay, error)) string {
			t.Helper()
			var wg sync.WaitGroup
			for i := range answers {
				wg.Go(func() {
					k, earlier, err := do(i)
					switch {
					case err != nil:
						t.Error(err)
					case earlier != nil:
						answers[i] = string(earlier.Answer)
					default:
						answers[i] = "sealed " + string(k.ID)
					}
				})
			}
			wg.Wait()
			for _, a := range answers {
				if a != answers[0] || len(a) != len("sealed ")+8 {
					t.Fatalf("answers %q", answers)
				}
			}
			return strings.TrimPrefix(answers[0], "sealed ")
		}
		first := both(func(i int) (idbridge.Key, *idbridge.Replay, error) {
			k := fresh(idbridge.KeyID(fmt.Sprintf("key-a%03d", i)))
			k.User = user
			return b.CreateKeyOnce(ctx, k, "ann", idbridge.Replay{Caller: "1", Token: "create"}, seal)
		})
		second := both(func(i int) (idbridge.Key, *idbridge.Replay, error) {
			return b.RotateKeyOnce(ctx, idbridge.KeyID(first), fresh(idbridge.KeyID(fmt.Sprintf("key-b%03d", i))), 0, "ann",
				idbridge.Replay{Caller: "1", Token: "rotate"}, seal)
		})
		if list := must(b.Keys(ctx, user))(t); len(list) != 2 || list[1].ID != idbridge.KeyID(second) {
			t.Errorf("keys %+v", list)
		}
	})
}

// TestTokenOfWhatFailedIsFree: a request that was refused may be repeated, and a key without an answer is not made.
func TestTokenOfWhatFailedIsFree(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		user := b.create("ann")[0]
		r := idbridge.Replay{Caller: "1", Token: "create"}
		k := fresh("key-one-")
		k.User = 99
		_, _, err := b.CreateKeyOnce(ctx, k, "ann", r, nil)
		wantKind(t, err, idbridge.NotFound)
		k.User = user
		broken := errors.New("no random octets")
		_, _, err = b.CreateKeyOnce(ctx, k, "ann", r, func(idbridge.Key) ([]byte, error) { return nil, broken })
		if !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
		made, earlier, err := b.CreateKeyOnce(ctx, k, "ann", r, func(idbridge.Key) ([]byte, error) { return []byte{1}, nil })
		if err != nil || earlier != nil || made.ID != k.ID {
			t.Errorf("key %+v, %+v, %v", made, earlier, err)
		}
		if list := must(b.Keys(ctx, user))(t); len(list) != 1 {
			t.Errorf("%d keys", len(list))
		}
	})
}

func TestEraseForgetsRequests(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		user := b.create("ann")[0]
		r := idbridge.Replay{Caller: fmt.Sprint(user), Token: "create"}
		must(b.Remember(ctx, r))(t)
		if e := must(b.Erase(ctx, user, "root", false))(t); e.Removed["replay"] != 1 {
			t.Errorf("erased %v", e.Removed)
		}
		if got := must(b.Remember(ctx, r))(t); got != nil {
			t.Errorf("still there: %+v", got)
		}
	})
}
