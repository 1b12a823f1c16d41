package password_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/password"
)

func TestHashAndVerify(t *testing.T) {
	h, ctx := password.New(), context.Background()
	for _, text := range []string{"x", "pä:ss wörd", strings.Repeat("long ", 100), "\x00"} {
		hash, err := h.Hash(ctx, idbridge.NewSecret(text))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(hash.Reveal(), "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(fmt.Sprint(hash), "argon") {
			t.Errorf("%q, printed as %v", hash.Reveal(), hash)
		}
		if password.Stale(hash) {
			t.Error("a fresh hash is stale")
		}
		for other, want := range map[string]bool{text: true, text + "x": false, strings.ToUpper(text) + "!": false, "": false} {
			if ok, err := h.Verify(ctx, idbridge.NewSecret(other), hash); ok != want || err != nil {
				t.Errorf("%q against %q: %v %v", other, text, ok, err)
			}
		}
		again, err := h.Hash(ctx, idbridge.NewSecret(text))
		if err != nil || again.Reveal() == hash.Reveal() {
			t.Errorf("two hashes of one password are equal: %v", err)
		}
	}
	if _, err := h.Hash(ctx, idbridge.Secret{}); idbridge.KindOf(err) != idbridge.Invalid {
		t.Errorf("an empty password: %v", err)
	}
}

// TestKnownAnswers holds against the reference implementation: its own tests (argon2/src/test.c) have these.
func TestKnownAnswers(t *testing.T) {
	h, ctx := password.New(), context.Background()
	for hash, text := range map[string]string{
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4":   "password",
		"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc":   "password",
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc": "password",
	} {
		if ok, err := h.Verify(ctx, idbridge.NewSecret(text), idbridge.NewSecret(hash)); !ok || err != nil {
			t.Errorf("%s: %v %v", hash, ok, err)
		}
		if !password.Stale(idbridge.NewSecret(hash)) {
			t.Errorf("%s is not stale", hash)
		}
	}
}

func TestBrokenHashesMatchNothing(t *testing.T) {
	h, ctx := password.New(), context.Background()
	good, err := h.Hash(ctx, idbridge.NewSecret("x"))
	if err != nil {
		t.Fatal(err)
	}
	replace := func(from, to string) string { return strings.Replace(good.Reveal(), from, to, 1) }
	zero := strings.Repeat("A", 43)
	for _, hash := range []string{
		"", "x", "$", "$$$$$", "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW", replace("argon2id", "argon2i"), replace("v=19", "v=16"),
		replace("m=19456", "m=1048576"), replace("m=19456", "m=0"), replace("m=19456", "m=+19456"), replace("m=19456", "m=019456"), replace("t=2", "t=0"),
		replace("t=2", "t=11"), replace("p=1", "p=0"), replace("p=1", "p=5"), replace(",p=1", ""), replace("m=19456,t=2", "t=2,m=19456"),
		good.Reveal() + "$", good.Reveal() + "=", "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + zero, "$argon2id$v=19$m=19456,t=2,p=1$AAAA$" + zero,
		"$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$", good.Reveal() + strings.Repeat("A", 600),
	} {
		if ok, err := h.Verify(ctx, idbridge.NewSecret("x"), idbridge.NewSecret(hash)); ok || err != nil {
			t.Errorf("%q: %v %v", hash, ok, err)
		}
	}
	made := func(password string, memory uint32) idbridge.Secret { // by somebody less careful
		salt := []byte("saltsaltsaltsalt")
		enc := base64.RawStdEncoding
		return idbridge.NewSecret(fmt.Sprintf("$argon2id$v=19$m=%d,t=1,p=1$%s$%s", memory, enc.EncodeToString(salt),
			enc.EncodeToString(argon2.IDKey([]byte(password), salt, 1, memory, 1, 32))))
	}
	for text, hash := range map[string]idbridge.Secret{"": made("", 64), "x": made("x", 7)} {
		if ok, err := h.Verify(ctx, idbridge.NewSecret(text), hash); ok || err != nil {
			t.Errorf("%q against %q: %v %v", text, hash.Reveal(), ok, err)
		}
	}
	if ok, err := h.Verify(ctx, idbridge.NewSecret("x"), made("x", 64)); !ok || err != nil {
		t.Errorf("a good hash of another cost: %v %v", ok, err)
	}
	if ok, err := h.Verify(ctx, idbridge.Secret{}, idbridge.Secret{}); ok || err != nil {
		t.Errorf("nothing against nothing: %v %v", ok, err)
	}
}

func TestUnknownTakesTheSameWork(t *testing.T) {
	h, ctx := password.New(), context.Background()
	hash, err := h.Hash(ctx, idbridge.NewSecret("x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, hash := range []idbridge.Secret{hash, {}, idbridge.NewSecret("junk")} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := h.Verify(ctx, idbridge.NewSecret("y"), hash); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used < 19<<20 {
			t.Errorf("only %d octets were worked on", used)
		}
	}
}

func TestPlacesAreBounded(t *testing.T) {
	h, ctx := password.With(1, 0), context.Background()
	var full, done atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			switch _, err := h.Verify(ctx, idbridge.NewSecret("x"), idbridge.Secret{}); {
			case err == nil:
				done.Add(1)
			case idbridge.KindOf(err) == idbridge.Unavailable:
				full.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if full.Load() == 0 || full.Load()+done.Load() != 20 {
		t.Errorf("%d done, %d turned away", done.Load(), full.Load())
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	for range 20 { // select may take the place that is free
		if _, err := password.With(1, time.Minute).Verify(gone, idbridge.NewSecret("x"), idbridge.Secret{}); err != nil && idbridge.KindOf(err) == idbridge.Unavailable {
			return
		}
	}
	t.Error("a client that went away waits on")
}

// Test200AtOnce signs 200 people in at once: all of them find a place, and memory stays far below the 3.7 GiB of 200 at once.
func Test200AtOnce(t *testing.T) {
	h, ctx := password.With(2*runtime.GOMAXPROCS(0), time.Minute), context.Background()
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		var m runtime.MemStats
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				peak <- most
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			}
		}
	}()
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if _, err := h.Verify(ctx, idbridge.NewSecret("x"), idbridge.Secret{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	close(stop)
	if most := <-peak; most > 400<<20 {
		t.Errorf("%d MiB in use", most>>20)
	} else {
		t.Logf("%d MiB in use at most", most>>20)
	}
}

func BenchmarkVerify(b *testing.B) {
	h, ctx := password.New(), context.Background()
	for b.Loop() {
		if _, err := h.Verify(ctx, idbridge.NewSecret("x"), idbridge.Secret{}); err != nil {
			b.Fatal(err)
		}
	}
}
