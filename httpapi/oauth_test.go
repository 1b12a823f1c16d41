package httpapi_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
)

const formType = "application/x-www-form-urlencoded"

// form posts a form with a user's key.
func (b *bed) form(name, path string, values url.Values, headers ...string) *answer {
	b.t.Helper()
	return b.as(name, "POST", path, values.Encode(), append([]string{"Content-Type", formType}, headers...)...)
}

func (a *answer) oauth(status int, code string) {
	a.t.Helper()
	a.want(status)
	m := a.json()
	if m["error"] != code || m["error_description"] == "" || len(m) != 2 || a.header.Get("Content-Type") != "application/json" {
		a.t.Errorf("want %s: %s %v", code, a.body, a.header)
	}
}

func TestIntrospection(t *testing.T) {
	b := newBed(t, func(c *httpapi.Config) { c.PublicURL = "http://id.example.org" })
	ann := b.person("ann", "VIEWER", idbridge.Admin)
	b.person("bob")
	b.service("app", idbridge.SuperConsumer)
	for _, text := range []string{b.keys["ann"].Native(), b.keys["ann"].Dotted(), b.keys["ann"].Plain()} {
		m := b.form("app", "/oauth2/introspect", url.Values{"token": {text}, "token_type_hint": {"access_token"}}).want(200).json()
		roles, _ := m["roles"].([]any)
		if m["active"] != true || m["sub"] != fmt.Sprint(ann) || m["username"] != "ann" || m["token_type"] != "api_key" || m["iss"] != "http://id.example.org" ||
			m["scope"] != "*" || m["admin"] != true || len(roles) != 2 || m["revision"] == float64(0) || m["exp"] != nil ||
			m["iat"].(float64) < float64(time.Now().Add(-time.Hour).Unix()) || len(m) != 10 {
			t.Errorf("%v", m)
		}
	}
	b.suspendByRun("bob")
	old := b.keys["ann"]
	b.newKey("ann")
	for what, text := range map[string]string{
		"unknown": "nonsense", "wrong secret": old.Plain()[:39] + "?", "replaced": old.Plain(), "owner suspended": b.keys["bob"].Plain(), "a broken token": "eyJhbGciOiJub25lIn0.e30.",
	} {
		if a := b.form("app", "/oauth2/introspect", url.Values{"token": {text}}).want(200); a.body != "{\"active\":false}\n" {
			t.Errorf("%s: %s", what, a.body)
		}
	}
	b.form("ann", "/oauth2/introspect", url.Values{"token": {"x"}}).want(200) // an administrator has every permission
	b.person("plain")
	b.form("plain", "/oauth2/introspect", url.Values{"token": {"x"}}).oauth(403, "insufficient_scope")
	nobody := b.do("POST", "/oauth2/introspect", "token=x", "Content-Type", formType)
	if nobody.oauth(401, "invalid_client"); len(nobody.header["Www-Authenticate"]) != 2 {
		t.Errorf("%v", nobody.header)
	}
	b.as("app", "GET", "/oauth2/introspect", "").oauth(405, "invalid_request")
	b.as("app", "GET", "/oauth2/elsewhere", "").oauth(404, "invalid_request")
	b.as("app", "POST", "/oauth2/introspect", `{"token":"x"}`).oauth(400, "invalid_request")
	b.form("app", "/oauth2/introspect", url.Values{}).oauth(400, "invalid_request")
	b.form("app", "/oauth2/introspect", url.Values{"token": {""}}).oauth(400, "invalid_request")
	b.form("app", "/oauth2/introspect", url.Values{"token": {"x", "y"}}).oauth(400, "invalid_request")
	b.form("app", "/oauth2/introspect?token=x", url.Values{"token": {"x"}}).oauth(400, "invalid_request")
	b.form("app", "/oauth2/introspect", url.Values{"token": {string(make([]byte, 20<<10))}}).oauth(413, "invalid_request")
	b.closeStore()
	b.form("app", "/oauth2/introspect", url.Values{"token": {"ZZZZZZZZ" + old.Plain()[8:]}}).failed()
}

func TestOAuthRevocation(t *testing.T) {
	b := newBed(t)
	for _, name := range []string{"ann", "bob", "narrow"} {
		b.person(name)
	}
	b.person("boss", idbridge.Admin)
	b.newKey("narrow", "users.read")
	works := func(name string, want bool) {
		t.Helper()
		if got := b.as(name, "GET", "/api/v1/whoami", "").status == 200; got != want {
			t.Errorf("the key of %s works: %v", name, got)
		}
	}
	b.form("ann", "/oauth2/revoke", url.Values{"token": {"nonsense"}}).want(200)
	b.form("ann", "/oauth2/revoke", url.Values{"token": {b.keys["bob"].Plain()}}).oauth(400, "unauthorized_client")
	b.form("narrow", "/oauth2/revoke", url.Values{"token": {b.keys["bob"].Plain()}}).oauth(400, "unauthorized_client")
	works("bob", true)
	if a := b.form("boss", "/oauth2/revoke", url.Values{"token": {b.keys["bob"].Dotted()}}).want(200); a.body != "" {
		t.Error(a.body)
	}
	works("bob", false)
	b.form("ann", "/oauth2/revoke", url.Values{"token": {b.keys["ann"].Native()}}).want(200)
	works("ann", false)
	b.form("narrow", "/oauth2/revoke", url.Values{"token": {b.keys["narrow"].Native()}}).want(200) // a key can always end itself
	works("narrow", false)
	b.as("boss", "GET", "/oauth2/revoke", "").oauth(405, "invalid_request")
	b.do("POST", "/oauth2/revoke", "token=x", "Content-Type", formType).oauth(401, "invalid_client")
	keys, err := b.store.Keys(t.Context(), b.ids["bob"])
	if err != nil || !slices.ContainsFunc(keys, func(k idbridge.Key) bool { return k.Reason == "revoked over oauth2" }) {
		t.Errorf("%+v %v", keys, err)
	}
}

// closeStore takes the store away while the API goes on.
func (b *bed) closeStore() {
	b.t.Helper()
	if err := b.store.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.closed = true
}

// failed checks that nothing is told but that it did not work.
func (a *answer) failed() {
	a.t.Helper()
	if a.status < 500 || strings.Contains(a.body, "active") {
		a.t.Errorf("%d %s", a.status, a.body)
	}
}
