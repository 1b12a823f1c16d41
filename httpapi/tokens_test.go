package httpapi_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
)

// TestRoleTokens checks a token as another program would: with nothing but the key set.
func TestRoleTokens(t *testing.T) {
	b := newBed(t, func(c *httpapi.Config) { c.PublicURL = "http://id.example.org" })
	ann := b.person("ann", "VIEWER", idbridge.Admin)
	b.person("narrow", idbridge.Admin)
	b.newKey("narrow", "users.read")
	b.service("app", idbridge.SuperConsumer)
	a := b.as("ann", "POST", "/api/v1/tokens", `{"aud":"wiki","ttl":60}`).want(201)
	m := a.json()
	text, _ := m["token"].(string)
	parts := strings.Split(text, ".")
	var head struct{ Alg, Kid, Typ string }
	var claims struct {
		Iss, Sub, Aud, Jti string
		Iat, Nbf, Exp, Rev int64
		Roles              []string
		Admin              bool
	}
	for i, into := range []any{&head, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(raw, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if head.Alg != "EdDSA" || head.Typ != "idbridge-role+jwt" || claims.Iss != "http://id.example.org" || claims.Aud != "wiki" || claims.Exp-claims.Iat != 60 ||
		strings.Join(claims.Roles, " ") != "ADMIN VIEWER" || !claims.Admin || claims.Rev == 0 || claims.Jti != m["jti"] || claims.Sub == "" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%+v %+v %v", head, claims, m)
	}
	jwks := b.do("GET", "/.well-known/jwks.json", "").want(200)
	var set struct {
		Keys []struct{ Kid, X, Kty, Crv, Alg, D string }
	}
	if err := json.Unmarshal([]byte(jwks.body), &set); err != nil {
		t.Fatal(err)
	}
	good := false
	for _, k := range set.Keys {
		public, err := base64.RawURLEncoding.DecodeString(k.X)
		signature, bad := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil || bad != nil || k.D != "" {
			t.Fatalf("%+v %v %v", k, err, bad)
		}
		good = good || k.Kid == head.Kid && ed25519.Verify(public, []byte(parts[0]+"."+parts[1]), signature)
	}
	if !good || jwks.header.Get("Cache-Control") != "max-age=300" {
		t.Errorf("%s %v", jwks.body, jwks.header)
	}
	for _, body := range []string{`{}`, `{"aud":""}`, `{"aud":"x","ttl":301}`, `{"aud":"x","ttl":0}`, `{"aud":"x","roles":["ADMIN"]}`} {
		b.as("ann", "POST", "/api/v1/tokens", body).problem(422, "invalid")
	}
	b.as("narrow", "POST", "/api/v1/tokens", `{"aud":"x"}`).problem(403, "forbidden")
	// Introspection tells the present: the role that was taken is gone, and with the access the token.
	if err := b.store.RevokeRole(t.Context(), ann, "VIEWER", "", "test"); err != nil {
		t.Fatal(err)
	}
	in := b.form("app", "/oauth2/introspect", url.Values{"token": {text}}).want(200).json()
	if roles, _ := in["roles"].([]any); in["active"] != true || in["token_type"] != "idbridge-role+jwt" || len(roles) != 1 || in["exp"] != float64(claims.Exp) {
		t.Errorf("%v", in)
	}
	b.form("ann", "/oauth2/revoke", url.Values{"token": {text}}).oauth(400, "unsupported_token_type")
	b.form("ann", "/oauth2/revoke", url.Values{"token": {text[:len(text)-4] + "AAAA"}}).want(200)
	b.suspendByRun("ann")
	for _, dead := range []string{text, text[:len(text)-4] + "AAAA"} {
		if a := b.form("app", "/oauth2/introspect", url.Values{"token": {dead}}).want(200); a.body != "{\"active\":false}\n" {
			t.Error(a.body)
		}
	}
	b.do("GET", "/api/v1/whoami", "", "Authorization", "Bearer "+text).problem(401, "unauthenticated") // it opens no door here
	d := b.do("GET", "/.well-known/idbridge", "").want(200).json()
	if d["issuer"] != "http://id.example.org" || d["jwks_uri"] != "http://id.example.org/.well-known/jwks.json" || len(d) != 7 {
		t.Errorf("%v", d)
	}
}
