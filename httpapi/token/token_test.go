package token_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/token"
)

// shelf keeps signing keys in memory, with a fault when one is wanted.
type shelf struct {
	mu   sync.Mutex
	keys []idbridge.SigningKey
	err  error
}

func (s *shelf) SigningKeys(_ context.Context, use string) ([]idbridge.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []idbridge.SigningKey
	for _, k := range s.keys {
		if k.Use == use {
			out = append(out, k)
		}
	}
	return out, s.err
}

func (s *shelf) AddSigningKey(_ context.Context, k idbridge.SigningKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.keys = append(s.keys, k)
	}
	return s.err
}

type bed struct {
	*testing.T

	ctx   context.Context
	store *shelf
	now   time.Time
}

func newBed(t *testing.T) *bed {
	return &bed{T: t, ctx: context.Background(), store: &shelf{}, now: time.Unix(1_800_000_000, 500)}
}

func (b *bed) clock() time.Time { return b.now }

func (b *bed) room() *token.ControlRoom { return token.NewControlRoom(b.store, 0, b.clock) }

func (b *bed) roles() *token.Roles { return token.NewRoles(b.store, "https://id.example.org", b.clock) }

// ok is for what cannot fail.
func ok[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func part(t testing.TB, text string, n int) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func names(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func TestControlRoomToken(t *testing.T) {
	b := newBed(t)
	text := mint(b, b.room(), 7, 42)
	if head, _, _ := strings.Cut(text, "."); head != base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS512"}`)) {
		t.Errorf("header %v", part(t, text, 0))
	}
	claims := part(t, text, 1)
	want := []string{"analyticsLicensesPurchased", "clientType", "csrfToken", "exp", "iat", "iss", "jti", "licenses", "nanoTime", "sid", "sub"}
	if !slices.Equal(names(claims), want) {
		t.Errorf("claims %v", names(claims))
	}
	if claims["exp"].(float64)-claims["iat"].(float64) != 1200 || claims["sub"] != "7" || claims["clientType"] != "WEB" ||
		claims["iss"] != "AutomationAnywhere" || len(claims["csrfToken"].(string)) != 32 || claims["licenses"] == nil {
		t.Errorf("claims %v", claims)
	}
	if got := claims["analyticsLicensesPurchased"].(map[string]any); len(got) != 2 || got["AnalyticsClient"] != false || got["AnalyticsAPI"] != false {
		t.Errorf("licenses %v", got)
	}
	session, user, expires, err := b.room().Bearer(b.ctx, text, b.now) // another process, which reads the keys from the store
	if err != nil || session != 42 || user != 7 || expires.Unix() != 1_800_001_200 {
		t.Errorf("%d %d %v %v", session, user, expires, err)
	}
	if other := mint(b, b.room(), 7, 42); part(t, other, 1)["jti"] == claims["jti"] || part(t, other, 1)["csrfToken"] == claims["csrfToken"] {
		t.Error("ids of tokens repeat")
	}
	if len(b.store.keys) != 1 {
		t.Errorf("%d keys", len(b.store.keys))
	}
}

func mint(b *bed, room *token.ControlRoom, user idbridge.UserID, session int64) string {
	b.Helper()
	text, err := room.Mint(b.ctx, user, session)
	if err != nil {
		b.Fatal(err)
	}
	return text.Reveal()
}

// privateOf returns the private key that the store keeps: the tests below sign with it what nobody should.
func privateOf(t testing.TB, k idbridge.SigningKey) any {
	t.Helper()
	block, _ := pem.Decode([]byte(k.Private.Reveal()))
	return ok(x509.ParsePKCS8PrivateKey(block.Bytes))
}

func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, options *jose.SignerOptions, claims any) string {
	t.Helper()
	signer := ok(jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options))
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestControlRoomRefuses(t *testing.T) {
	b := newBed(t)
	room := b.room()
	good := mint(b, room, 7, 42)
	private := privateOf(t, b.store.keys[0]).(*rsa.PrivateKey)
	public := ok(x509.MarshalPKIXPublicKey(private.Public()))
	stranger := ok(rsa.GenerateKey(rand.Reader, 2048))
	claims := func(change func(map[string]any)) map[string]any {
		c := part(t, good, 1)
		c["nanoTime"], c["exp"], c["iat"] = 1, 1_800_001_200, 1_800_000_000
		change(c)
		return c
	}
	without := func(name string) map[string]any { return claims(func(c map[string]any) { delete(c, name) }) }
	with := func(name string, v any) map[string]any { return claims(func(c map[string]any) { c[name] = v }) }
	same := claims(func(map[string]any) {})
	if _, _, _, err := room.Bearer(b.ctx, sign(t, jose.RS512, private, nil, same), b.now); err != nil {
		t.Fatalf("the forger of these tests cannot forge: %v", err)
	}
	pieces := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	header := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for name, text := range map[string]string{
		"empty": "", "junk": "junk", "dots": strings.Repeat(".", 10_000), "1 MiB": pieces[0] + "." + strings.Repeat("A", 1<<20) + "." + pieces[2],
		"9 KiB": pieces[0] + "." + strings.Repeat("A", 9<<10) + ".", "four dots, as JWE": good + ".x.y", "no signature": pieces[0] + "." + pieces[1] + ".",
		"alg none": none + "." + pieces[1] + ".", "alg none, signed": none + "." + pieces[1] + "." + pieces[2],
		"header with a blank": header(`{"alg": "RS512"}`) + "." + pieces[1] + "." + pieces[2], "header twice": header(`{"alg":"RS512","alg":"none"}`) + "." + pieces[1] + "." + pieces[2],
		"cut": good[:len(good)-4], "other payload": pieces[0] + "." + strings.Split(mint(b, room, 8, 43), ".")[1] + "." + pieces[2],
		"padded": good + "=", "blank around": " " + good, "newline inside": pieces[0] + ".\n" + pieces[1] + "." + pieces[2],
		"HS256 with the public key": sign(t, jose.HS256, public, nil, same), "HS512 with the public key": sign(t, jose.HS512, public, nil, same),
		"RS256": sign(t, jose.RS256, private, nil, same), "PS512": sign(t, jose.PS512, private, nil, same),
		"another's key":  sign(t, jose.RS512, stranger, nil, same),
		"own key in jwk": sign(t, jose.RS512, stranger, &jose.SignerOptions{EmbedJWK: true}, same),
		"jku":            sign(t, jose.RS512, private, (&jose.SignerOptions{}).WithHeader("jku", "https://evil.example/keys"), same),
		"kid":            sign(t, jose.RS512, private, (&jose.SignerOptions{}).WithHeader("kid", "x"), same),
		"expired now":    sign(t, jose.RS512, private, nil, with("exp", 1_800_000_000)), "expired by 1 s": sign(t, jose.RS512, private, nil, with("exp", 1_799_999_999)),
		"from the future": sign(t, jose.RS512, private, nil, with("iat", 1_800_000_002)), "not yet": sign(t, jose.RS512, private, nil, with("nbf", 1_800_000_002)),
		"no exp": sign(t, jose.RS512, private, nil, without("exp")), "no iat": sign(t, jose.RS512, private, nil, without("iat")),
		"no iss": sign(t, jose.RS512, private, nil, without("iss")), "no sub": sign(t, jose.RS512, private, nil, without("sub")),
		"no jti": sign(t, jose.RS512, private, nil, without("jti")), "no sid": sign(t, jose.RS512, private, nil, without("sid")),
		"other issuer": sign(t, jose.RS512, private, nil, with("iss", "https://id.example.org")), "user 0": sign(t, jose.RS512, private, nil, with("sub", "0")),
		"user by name": sign(t, jose.RS512, private, nil, with("sub", "ann")), "session -1": sign(t, jose.RS512, private, nil, with("sid", "-1")),
		"claims are a list": ok(ok(ok(jose.NewSigner(jose.SigningKey{Algorithm: jose.RS512, Key: private}, nil)).Sign([]byte("[1]"))).CompactSerialize()),
	} {
		if _, _, _, err := room.Bearer(b.ctx, text, b.now); idbridge.KindOf(err) != idbridge.Unauthentic {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, _, err := room.Bearer(b.ctx, good, b.now.Add(20*time.Minute-time.Second)); err != nil {
		t.Errorf("a second before its end: %v", err)
	}
	if _, _, _, err := room.Bearer(b.ctx, good, b.now.Truncate(time.Second).Add(20*time.Minute)); err == nil {
		t.Error("good at its end")
	}
}

func TestRoleToken(t *testing.T) {
	b := newBed(t)
	text, said, err := b.roles().Mint(b.ctx, token.Role{User: 9, Audience: "app", Roles: []string{"VIEWER"}, Admin: true, Revision: 4711}, 0)
	if err != nil {
		t.Fatal(err)
	}
	head := part(t, text.Reveal(), 0)
	if !slices.Equal(names(head), []string{"alg", "kid", "typ"}) || head["alg"] != "EdDSA" || head["typ"] != "idbridge-role+jwt" {
		t.Errorf("header %v", head)
	}
	claims := part(t, text.Reveal(), 1)
	if !slices.Equal(names(claims), []string{"admin", "aud", "exp", "iat", "iss", "jti", "nbf", "rev", "roles", "sub"}) || claims["rev"] != 4711.0 {
		t.Errorf("claims %v", claims)
	}
	for _, audience := range []string{"app", ""} {
		r, err := b.roles().Read(b.ctx, text.Reveal(), audience)
		if err != nil || r.User != 9 || !r.Admin || r.Revision != 4711 || r.Audience != "app" || !slices.Equal(r.Roles, said.Roles) || !r.Expires.Equal(said.Expires) || r.ID != said.ID {
			t.Errorf("%+v %v", r, err)
		}
	}
	if _, err := b.roles().Read(b.ctx, text.Reveal(), "other"); idbridge.KindOf(err) != idbridge.Unauthentic {
		t.Errorf("for another audience: %v", err)
	}
	for _, bad := range []struct {
		audience string
		ttl      time.Duration
	}{{"", 0}, {strings.Repeat("a", 201), 0}, {"app", 5*time.Minute + time.Second}, {"app", -1}, {"app", time.Millisecond}} {
		if _, _, err := b.roles().Mint(b.ctx, token.Role{User: 9, Audience: bad.audience}, bad.ttl); idbridge.KindOf(err) != idbridge.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	b.now = b.now.Add(5 * time.Minute)
	if _, err := b.roles().Read(b.ctx, text.Reveal(), "app"); err == nil {
		t.Error("good at its end")
	}
}

func TestRoleTokenRefuses(t *testing.T) {
	b := newBed(t)
	roles := b.roles()
	good, _, err := roles.Mint(b.ctx, token.Role{User: 9, Audience: "app"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	control := mint(b, b.room(), 9, 1)
	key := b.store.keys[0]
	private := privateOf(t, key).(ed25519.PrivateKey)
	_, stranger, _ := ed25519.GenerateKey(rand.Reader)
	options := func(kid, typ string) *jose.SignerOptions {
		return (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", kid)
	}
	claims := func() map[string]any {
		c := part(t, good.Reveal(), 1)
		c["exp"], c["iat"], c["nbf"] = 1_800_000_300, 1_800_000_000, 1_800_000_000
		return c
	}
	without := func(name string) map[string]any { c := claims(); delete(c, name); return c }
	if _, err := roles.Read(b.ctx, sign(t, jose.EdDSA, private, options(key.ID, token.RoleType), claims()), "app"); err != nil {
		t.Fatalf("the forger of these tests cannot forge: %v", err)
	}
	embedded := options(key.ID, token.RoleType)
	embedded.EmbedJWK = true
	two := claims()
	two["aud"] = []string{"app", "other"}
	for name, text := range map[string]string{
		"a Control Room token": control, "no typ": sign(t, jose.EdDSA, private, (&jose.SignerOptions{}).WithHeader("kid", key.ID), claims()),
		"typ JWT": sign(t, jose.EdDSA, private, options(key.ID, "JWT"), claims()), "no kid": sign(t, jose.EdDSA, private, (&jose.SignerOptions{}).WithType(token.RoleType), claims()),
		"unknown kid": sign(t, jose.EdDSA, private, options("x", token.RoleType), claims()), "another's key": sign(t, jose.EdDSA, stranger, options(key.ID, token.RoleType), claims()),
		"own key in jwk": sign(t, jose.EdDSA, stranger, embedded, claims()), "HS256 with the public key": sign(t, jose.HS256, []byte(private.Public().(ed25519.PublicKey)), options(key.ID, token.RoleType), claims()),
		"no exp": sign(t, jose.EdDSA, private, options(key.ID, token.RoleType), without("exp")), "no aud": sign(t, jose.EdDSA, private, options(key.ID, token.RoleType), without("aud")),
		"no nbf": sign(t, jose.EdDSA, private, options(key.ID, token.RoleType), without("nbf")), "no jti": sign(t, jose.EdDSA, private, options(key.ID, token.RoleType), without("jti")),
		"no sub": sign(t, jose.EdDSA, private, options(key.ID, token.RoleType), without("sub")), "two audiences": sign(t, jose.EdDSA, private, options(key.ID, token.RoleType), two),
	} {
		for _, audience := range []string{"app", ""} {
			if _, err := roles.Read(b.ctx, text, audience); idbridge.KindOf(err) != idbridge.Unauthentic {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	other := token.NewRoles(b.store, "https://other.example.org", b.clock)
	if _, err := other.Read(b.ctx, good.Reveal(), "app"); err == nil {
		t.Error("another issuer's token is good")
	}
}
