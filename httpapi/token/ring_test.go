package token_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/token"
)

func keySet(t testing.TB, b *bed, roles *token.Roles) jose.JSONWebKeySet {
	t.Helper()
	text, err := roles.JWKS(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		if !k.IsPublic() || k.Algorithm != "EdDSA" || k.Use != "sig" {
			t.Fatalf("%s", text)
		}
	}
	return set
}

// TestRotation walks two years in steps of less than a lifetime, with two processes and a client that fetches the key set
// every 300 s: at every moment the set that the client has checks every token that is alive.
func TestRotation(t *testing.T) {
	b := newBed(t)
	one, two := b.roles(), b.roles()
	type living struct {
		text    string
		expires time.Time
	}
	var alive []living
	var set jose.JSONWebKeySet
	var fetched time.Time
	signers := map[string]bool{}
	start := b.now
	for step := 0; b.now.Sub(start) < 100*24*time.Hour; step++ {
		busy := step%2000 < 60 || nearTurn(b) // long quiet stretches, with bursts, and every turn looked at closely
		if !busy {
			b.now = b.now.Add(6 * time.Hour)
			alive = nil
			fetched = time.Time{}
			step += 200
			continue
		}
		if b.now.Sub(fetched) >= 300*time.Second {
			set, fetched = keySet(t, b, []*token.Roles{one, two}[step%2]), b.now
		}
		text, said, err := []*token.Roles{two, one}[step%2].Mint(b.ctx, token.Role{User: 9, Audience: "app"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		alive = append(alive, living{text.Reveal(), said.Expires})
		for i := len(alive) - 1; i >= 0 && b.now.Before(alive[i].expires); i-- {
			parsed, err := jwt.ParseSigned(alive[i].text, []jose.SignatureAlgorithm{jose.EdDSA})
			if err != nil {
				t.Fatal(err)
			}
			kid := parsed.Headers[0].KeyID
			signers[kid] = true
			if found := set.Key(kid); len(found) != 1 || parsed.Claims(found[0].Key) != nil {
				t.Fatalf("after %v: the client cannot check a token of key %s", b.now.Sub(start), kid)
			}
			if _, err := []*token.Roles{one, two}[step%2].Read(b.ctx, alive[i].text, "app"); err != nil {
				t.Fatalf("after %v: %v", b.now.Sub(start), err)
			}
		}
		b.now = b.now.Add(50 * time.Second)
	}
	if len(signers) < 3 {
		t.Errorf("only %d keys ever signed", len(signers))
	}
	if n := len(set.Keys); n > 3 {
		t.Errorf("%d keys are published", n)
	}
}

// nearTurn tells whether a key begins or ends to sign within two hours.
func nearTurn(b *bed) bool {
	for _, k := range b.store.keys {
		for _, at := range []time.Time{k.SignFrom, k.SignFrom.Add(30 * 24 * time.Hour), k.Until} {
			if d := at.Sub(b.now); d > -2*time.Hour && d < 6*time.Hour+time.Minute {
				return true
			}
		}
	}
	return len(b.store.keys) == 0
}

func TestTheNextKeyIsPublishedBeforeItSigns(t *testing.T) {
	b := newBed(t)
	roles := b.roles()
	if n := len(keySet(t, b, roles).Keys); n != 1 {
		t.Fatalf("%d keys", n)
	}
	b.now = b.now.Add(30*24*time.Hour - 6*time.Minute)
	if n := len(keySet(t, b, roles).Keys); n != 1 {
		t.Fatalf("%d keys long before the turn", n)
	}
	b.now = b.now.Add(2 * time.Minute)
	if n := len(keySet(t, b, roles).Keys); n != 2 {
		t.Fatalf("%d keys before the turn", n)
	}
	old, next := b.store.keys[0], b.store.keys[1]
	if next.SignFrom.Sub(b.now) < token.RoleTTL || next.Created != b.now {
		t.Errorf("the next key signs %v after it is published", next.SignFrom.Sub(b.now))
	}
	if kid := kidOf(t, b, roles); kid != old.ID {
		t.Errorf("%s signs already", kid)
	}
	b.now = next.SignFrom
	if kid := kidOf(t, b, roles); kid != next.ID {
		t.Errorf("%s signs still", kid)
	}
	b.now = old.Until
	if set := keySet(t, b, roles); len(set.Keys) != 1 || set.Keys[0].KeyID != next.ID {
		t.Errorf("%+v", set)
	}
	b.now = b.now.Add(365 * 24 * time.Hour) // nobody was here for a year
	if kid := kidOf(t, b, roles); kid == old.ID || kid == next.ID {
		t.Errorf("%s signs, whose time is long over", kid)
	}
}

func kidOf(t testing.TB, b *bed, roles *token.Roles) string {
	t.Helper()
	text, _, err := roles.Mint(b.ctx, token.Role{User: 9, Audience: "app"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return part(t, text.Reveal(), 0)["kid"].(string)
}

// TestAnotherProcessMadeAKey: a token whose key this process has not read yet is good at once.
func TestAnotherProcessMadeAKey(t *testing.T) {
	b := newBed(t)
	mine, other := b.room(), b.room()
	mint(b, mine, 1, 1)
	b.now = b.now.Add(400 * 24 * time.Hour)
	if _, _, _, err := mine.Bearer(b.ctx, mint(b, mine, 1, 1), b.now); err != nil { // mine has read the keys
		t.Fatal(err)
	}
	b.store.keys = nil // the store was restored from a backup, say: the other process makes a key
	b.now = b.now.Add(2 * time.Second)
	if _, _, _, err := mine.Bearer(b.ctx, mint(b, other, 1, 1), b.now); err != nil {
		t.Errorf("%v", err)
	}
}

func TestStoreDown(t *testing.T) {
	b := newBed(t)
	room, roles := b.room(), b.roles()
	text := mint(b, room, 1, 1)
	b.store.err = &idbridge.Error{Kind: idbridge.Unavailable, Msg: "down"}
	b.now = b.now.Add(time.Minute)
	if _, _, _, err := room.Bearer(b.ctx, text, b.now); idbridge.KindOf(err) != idbridge.Unavailable {
		t.Errorf("%v", err)
	}
	if _, err := room.Mint(b.ctx, 1, 1); idbridge.KindOf(err) != idbridge.Unavailable {
		t.Errorf("%v", err)
	}
	if _, err := roles.JWKS(b.ctx); idbridge.KindOf(err) != idbridge.Unavailable {
		t.Errorf("%v", err)
	}
}

func TestForeignKeysInTheStore(t *testing.T) {
	for name, change := range map[string]func(*idbridge.SigningKey){
		"no PEM":            func(k *idbridge.SigningKey) { k.Private = idbridge.NewSecret("PLANTED") },
		"another algorithm": func(k *idbridge.SigningKey) { k.Algorithm = "RS512" },
		"more than one":     func(k *idbridge.SigningKey) { k.Private = idbridge.NewSecret(k.Private.Reveal() + k.Private.Reveal()) },
	} {
		b := newBed(t)
		kidOf(t, b, b.roles())
		change(&b.store.keys[0])
		_, err := b.roles().JWKS(b.ctx)
		if idbridge.KindOf(err) != idbridge.Internal || fmt.Sprint(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMintingIsBounded(t *testing.T) {
	b := newBed(t)
	room := b.room()
	for range 100_000 { // the clock stands still
		if _, err := room.Mint(b.ctx, 1, 1); err != nil {
			if idbridge.KindOf(err) != idbridge.Unavailable {
				t.Error(err)
			}
			return
		}
	}
	t.Error("no end of tokens")
}
