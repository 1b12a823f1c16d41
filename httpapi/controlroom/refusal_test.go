package controlroom_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/controlroom"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// TestOneRefusal holds that all failures of a login are the same octets, whatever is wrong.
func TestOneRefusal(t *testing.T) {
	b := newBed(t)
	ctx := context.Background()
	for _, name := range []string{"bob", "gone", "out", "off", "old"} {
		b.person(name, idbridge.APIKeyGeneration)
	}
	b.person("plain")
	b.local("eve")
	b.suspendByRun("gone")
	if err := b.store.SetSuspended(ctx, b.ids["out"], true, "test", ""); err != nil {
		t.Fatal(err)
	}
	if err := b.store.SetKeyEnabled(ctx, b.keys["off"].ID(), false, "test"); err != nil {
		t.Fatal(err)
	}
	if err := b.store.RevokeKey(ctx, b.keys["old"].ID(), "test", ""); err != nil {
		t.Fatal(err)
	}
	right := b.keys["bob"].Plain()
	wrong := right[:39] + string('A'+(right[39]+1)%26)
	bodies := map[string]string{}
	for name, key := range map[string]string{
		"nobody": right, "eve": right, "bob": wrong, "BOB": strings.ToUpper(right), "Bob": right[:39], "\tbob": right + "x", "corp": right,
		"plain": b.keys["plain"].Plain(), "gone": b.keys["gone"].Plain(), "out": b.keys["out"].Dotted(), "off": b.keys["off"].Native(), "old": b.keys["old"].Plain(),
		`other\bob`: right, "bob@other": right, `corp\nobody`: right, "unknown": "unknown", "blank": " " + right, "secret": right[8:] + right[:8], "pw": "pw-bob", "eyJ": "eyJ.a.b",
	} {
		bodies["key of "+name] = object("username", name, "apiKey", key)
	}
	for name, password := range map[string]string{
		"nobody": "x", "bob": "wrong", "eve": "wrong", "gone": "pw-gone", "out": "pw-out", `other\bob`: "pw-bob", "eve@corp": "pw-eve", "": "x", strings.Repeat("n", 5000): "x",
	} {
		if name != "" {
			bodies["password of "+name[:min(len(name), 20)]] = object("username", name, "password", password)
		}
	}
	var first *answer
	for why, body := range bodies {
		a := b.do("POST", login, body)
		a.header.Del("Date")
		if id := a.header.Get("X-Request-Id"); id == "" {
			t.Error("no request id")
		}
		a.header.Del("X-Request-Id")
		if first == nil {
			first = a.golden("login-refused").code(401, "UM1110")
		}
		if a.status != first.status || a.body != first.body || fmt.Sprint(a.header) != fmt.Sprint(first.header) {
			t.Errorf("%s: %d %s %v", why, a.status, a.body, a.header)
		}
	}
	if first.body != `{"code":"UM1110","details":null,"message":"Invalid user name or credentials"}` {
		t.Error(first.body)
	}
	if tried := b.corp.tried.String(); strings.Contains(tried, right) || strings.Contains(tried, "unknown") {
		t.Error("what came as a key was shown to a directory")
	}
}

// TestAuditsReason holds that the true reason is in the audit, and the secret nowhere.
func TestAuditsReason(t *testing.T) {
	b := newBed(t)
	b.person("bob", idbridge.APIKeyGeneration)
	b.person("plain")
	for why, body := range map[string]string{
		"key of another user": object("username", "plain", "apiKey", b.keys["bob"].Plain()), "keys.generate": object("username", "plain", "apiKey", b.keys["plain"].Plain()),
		"unknown key": object("username", "bob", "apiKey", strings.Repeat("k", 40)), "wrong password": object("username", "bob", "password", "planted-secret"),
	} {
		b.do("POST", login, body).code(401, "UM1110")
		rows, err := b.store.Audit(context.Background(), idbridge.AuditFilter{Limit: 1})
		if err != nil || len(rows) != 1 || rows[0].Target != "controlroom" || rows[0].Result != "refused" || !strings.Contains(rows[0].Reason, why) || rows[0].Address != "127.0.0.1" {
			t.Errorf("%s: %+v %v", why, rows, err)
		}
	}
	token := b.byKey("bob")
	b.valid(token)
	b.valid("planted-token")
	b.do("POST", tokens+"?token=planted-token", `{"token":"planted-token"}`)
	for _, secret := range []string{token, "planted-secret", "planted-token", b.keys["bob"].Plain()[8:]} {
		if strings.Contains(b.log.String(), secret) {
			t.Errorf("a secret is in the log: %s", secret)
		}
	}
	if b.log.String() == "" {
		t.Error("no log")
	}
}

func TestGoodLogins(t *testing.T) {
	b := newBed(t)
	b.person("bob", idbridge.APIKeyGeneration)
	b.local("boss", idbridge.Admin)
	k := b.keys["bob"]
	for _, body := range []string{
		object("username", "bob", "apiKey", k.Plain()), object("username", "BOB", "apikey", k.Dotted()), object("Username", "bob", "APIKEY", k.Native()),
		object("username", `CORP\bob`, "apiKey", k.Plain()), object("username", "bob@corp", "apiKey", k.Plain()), object("username", `corp\bob`, "password", "pw-bob"),
		object("username", "bob", "apiKey", k.Plain(), "password", ""), object("username", "bob", "apiKey", k.Plain(), "password", nil, "multipleLogin", true, "multiLogin", "x"),
		object("username", "bob", "password", "pw-bob", "apiKey", "", "mfaCode", nil, "multipleLogin", nil), object("username", "boss", "apiKey", b.keys["boss"].Plain()),
		"\n " + object("username", "boss", "password", "pw-boss") + " \n",
	} {
		if !b.valid(b.do("POST", login, body, "Content-Type", "application/json; charset=UTF-8").token()) {
			t.Errorf("%s: no good token", body)
		}
	}
	// an imported key with punctuation, a backslash among it: written twice it is in
	text, ok := idbridge.ParseKeyText(`abcdefgh;:\[{|}~!"#$%&'()*+,-./0123456789`[:40])
	if !ok {
		t.Fatal("no key")
	}
	b.giveKey("bob", text)
	b.do("POST", login, object("username", "bob", "apiKey", text.Plain())).want(200)
	raw := strings.NewReplacer(`\\`, `\`).Replace(object("username", "bob", "apiKey", text.Plain()))
	if a := b.do("POST", login, raw).golden("escape").code(400, "invalid-json-escape"); strings.Contains(a.body, "abcdefgh") {
		t.Error("the body is echoed")
	}
}

func TestBadBodies(t *testing.T) {
	b := newBed(t)
	b.person("bob", idbridge.APIKeyGeneration)
	k := b.keys["bob"].Plain()
	for body, code := range map[string]string{
		object("username", "bob"): "malformed", object("apiKey", k): "malformed", object("username", "", "apiKey", k): "malformed", object("username", "bob", "apiKey", k, "password", "x"): "malformed",
		object("username", "bob", "apiKey", ""): "malformed", object("username", 1, "apiKey", k): "malformed", object("username", "bob", "apiKey", 1): "malformed",
		object("username", "bob", "apiKey", k, "multipleLogin", "true"): "malformed", `{"username":"bob","USERNAME":"bob","apiKey":"` + k + `"}`: "malformed",
		`{"username":"bob","apiKey":"` + k + `","apikey":"` + k + `"}`: "malformed", `[]`: "malformed", `{`: "malformed", `{}x`: "malformed", `null`: "malformed", "\xff": "malformed",
		`{"username":"bob","apiKey":"a\q"}`: "invalid-json-escape", `{"username":"bob\{","apiKey":"a"}`: "invalid-json-escape",
	} {
		a := b.do("POST", login, body).code(400, code)
		if strings.Contains(a.body, k) || strings.Contains(a.body, "bob") {
			t.Errorf("%s is echoed: %s", body, a.body)
		}
	}
	b.do("POST", login, object("username", "bob")).golden("neither")
	b.do("POST", login, "").code(415, "unsupported-media-type")
	b.do("POST", login, "", "Content-Type", "application/json").code(400, "malformed")
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "application/xml", ""} {
		b.do("POST", login, object("username", "bob", "apiKey", k), "Content-Type", kind).golden("media-type").code(415, "unsupported-media-type")
	}
	b.do("POST", login, object("username", strings.Repeat("n", 17<<10), "apiKey", k)).golden("too-large").code(413, "too-large")
	b.do("POST", tokens, object("token", strings.Repeat("n", 17<<10))).code(413, "too-large")
	token := b.byKey("bob")
	b.do("POST", tokens, `{"token":1}`).code(400, "malformed")
	b.do("POST", tokens, `{`, "X-Authorization", token).code(400, "malformed")
	b.do("POST", tokens, object("token", token), "Content-Type", "text/plain").code(415, "unsupported-media-type")
	b.do("POST", tokens, object("token", token), "X-Authorization", token+"x").code(400, "malformed")
	b.do("GET", tokens+"?token=a", "", "X-Authorization", "b").golden("two-tokens").code(400, "malformed")
	b.do("GET", tokens+"?token=a&token=a", "").code(400, "malformed")
	b.do("GET", tokens+"?token=%zz", "").code(400, "malformed")
	b.do("GET", tokens, "", "X-Authorization", token, "X-Authorization", token).code(400, "malformed")
	b.do("POST", logout, "", "Authorization", "Bearer "+token, "Authorization", "Bearer "+token).code(400, "malformed")
	for _, path := range []string{tokens, tokens + "?token=", tokens + "?TOKEN=a"} {
		b.do("GET", path, "").golden("no-token").code(401, "UM1117")
	}
	b.do("POST", tokens, `{}`).code(401, "UM1117")
	b.do("POST", tokens, "").code(401, "UM1117")
	b.do("POST", logout, object("token", token)).code(401, "UM1117") // a logout's body means nothing
	b.do("POST", logout, "", "Cookie", "idbridge_rest="+token).code(401, "UM1117")
}

func TestShapes(t *testing.T) {
	b := newBed(t)
	b.do("GET", "/v1/bots", "").golden("not-found").code(404, "not-found")
	for _, path := range []string{"/v1", "/v2/", "/v1/authentication/", "/v2/authentication/token/x", "/v1//authentication", "/v1/usermanagement/users"} {
		b.do("GET", path, "").code(404, "not-found")
	}
	b.do("GET", login, "").golden("method").code(405, "method-not-allowed")
	b.do("OPTIONS", tokens, "").golden("options").code(405, "method-not-allowed")
	b.do("GET", logout, "").code(405, "method-not-allowed")
	for _, path := range []string{login, logout} {
		if a := b.do("HEAD", path, ""); a.status != 405 || a.body != "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := b.do("HEAD", tokens+"?token=x", ""); a.status != 200 || a.body != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestForged walks tokens that look right, some of them signed by our own key.
func TestForged(t *testing.T) {
	b := newBed(t)
	b.person("bob", idbridge.APIKeyGeneration)
	good := b.byKey("bob")
	keys, err := b.store.SigningKeys(context.Background(), idbridge.SignsControl)
	if err != nil || len(keys) == 0 {
		t.Fatal(keys, err)
	}
	block, _ := pem.Decode([]byte(keys[0].Private.Reveal()))
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	claims := decode(t, parts[1])
	public, err := x509.MarshalPKIXPublicKey(private.(*rsa.PrivateKey).Public())
	if err != nil {
		t.Fatal(err)
	}
	sign := func(algorithm jose.SignatureAlgorithm, key any, change map[string]any) string {
		t.Helper()
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		next := map[string]any{}
		for name, value := range claims {
			next[name] = value
		}
		for name, value := range change {
			if next[name] = value; value == nil {
				delete(next, name)
			}
		}
		text, err := json.Marshal(next)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign(text)
		if err != nil {
			t.Fatal(err)
		}
		out, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if !b.valid(sign(jose.RS512, private, nil)) {
		t.Fatal("the forger's own work is not recognised: nothing below would mean anything")
	}
	now := time.Now().Unix()
	stranger, err := rsa.GenerateKey(strings.NewReader(strings.Repeat("not random, and of no matter", 1<<12)), 2048)
	if err != nil {
		t.Fatal(err)
	}
	for why, forged := range map[string]string{
		"alg none": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", "no signature": parts[0] + "." + parts[1] + ".",
		"HS512 by the public key": sign(jose.HS512, public, nil), "RS256": sign(jose.RS256, private, nil), "another key": sign(jose.RS512, crypto.Signer(stranger), nil),
		"expired by a second": sign(jose.RS512, private, map[string]any{"exp": now - 1}), "of the future": sign(jose.RS512, private, map[string]any{"iat": now + 60, "nbf": now + 60}),
		"another issuer": sign(jose.RS512, private, map[string]any{"iss": "idbridge"}), "no exp": sign(jose.RS512, private, map[string]any{"exp": nil}), "no sid": sign(jose.RS512, private, map[string]any{"sid": nil}),
		"another session": sign(jose.RS512, private, map[string]any{"sid": "999"}), "another user": sign(jose.RS512, private, map[string]any{"sub": "999"}), "no jti": sign(jose.RS512, private, map[string]any{"jti": nil}),
		"cut": good[:len(good)-1], "dots": strings.Repeat(".", 10_000), "spaces": good + "%20", "long": strings.Repeat("e", 20_000),
	} {
		if b.valid(forged) {
			t.Errorf("%s passed", why)
		}
	}
	if !b.valid(good) {
		t.Error("the good one is gone")
	}
}

// TestTrouble holds that trouble of our own is a 503 and no refusal, and that a waiting address is told to wait.
func TestTrouble(t *testing.T) {
	b := newBed(t, func(c *controlroom.Config) { c.Tokens = noTokens{} })
	b.local("eve")
	b.do("POST", login, object("username", "eve", "password", "pw-eve")).golden("unavailable").code(503, "unavailable")

	b = newBed(t, func(c *controlroom.Config) { c.Resolver = &waiting{c.Resolver.(*credential.Resolver)} })
	b.do("POST", login, object("username", "eve", "apiKey", strings.Repeat("k", 40))).golden("rate-limited").code(429, "rate-limited")
	if _, err := controlroom.New(controlroom.Config{}); idbridge.KindOf(err) != idbridge.Invalid {
		t.Errorf("%v", err)
	}
}

type noTokens struct{}

func (noTokens) Mint(context.Context, idbridge.UserID, int64) (idbridge.Secret, error) {
	return idbridge.Secret{}, &idbridge.Error{Kind: idbridge.Unavailable, Msg: "too many tokens are asked for at once"}
}

// waiting is the resolver of an address that has failed too often.
type waiting struct{ *credential.Resolver }

func (waiting) ResolveAt(*http.Request, *credential.Surface, netip.Addr, time.Time) (credential.Caller, error) {
	return credential.Caller{}, problem.New(problem.RateLimited, "").After(1500 * time.Millisecond)
}
