package httpapi_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/httpapi/credential"
)

func TestProxiesAsk(t *testing.T) {
	b := newBed(t, func(c *httpapi.Config) { c.Limits = credential.Limits{PerAddress: 50, FreePerPair: 1000} })
	b.person("ann", "VIEWER")
	b.person("boss", idbridge.Admin)
	b.person("narrow", "VIEWER", idbridge.Admin)
	b.newKey("narrow", "reports")
	if err := b.store.GrantRole(t.Context(), b.ids["ann"], "EDITOR, chief", "Wiki", "test"); err != nil {
		t.Fatal(err)
	}
	for _, route := range []string{"/authz/nginx", "/authz/forward"} {
		for _, c := range []struct {
			who, query   string
			status       int
			roles, admin string
		}{
			{"ann", "", 200, "VIEWER", "false"},
			{"ann", "?role=VIEWER", 200, "VIEWER", "false"},
			{"ann", "?role=VIEWER&application=Wiki", 200, "EDITOR%2C chief,VIEWER", "false"},
			{"ann", "?role=EDITOR%2C+chief&application=Wiki", 200, "EDITOR%2C chief,VIEWER", "false"},
			{"ann", "?role=EDITOR%2C+chief", 403, "", ""},
			{"ann", "?role=viewer", 403, "", ""},
			{"boss", "", 200, "ADMIN", "true"},
			{"narrow", "", 403, "", ""},
			{"narrow", "?scope=other", 403, "", ""},
			{"narrow", "?scope=reports&role=VIEWER", 200, "ADMIN,VIEWER", "false"},
			{"", "", 401, "", ""},
			{"", "?role=VIEWER", 401, "", ""},
		} {
			headers := []string{"X-Auth-User", "boss", "X-Auth-Roles", "ADMIN", "X-Auth-Admin", "true", "X-Forwarded-Uri", "/public", "User-Agent", "kube-probe/1"}
			if c.who != "" {
				headers = append(headers, "X-API-KEY", b.keys[c.who].Plain())
			}
			a := b.do("GET", route+c.query, "", headers...)
			user := c.who
			if c.status != 200 {
				user = ""
			}
			h := a.header
			if a.status != c.status || h.Get("X-Auth-User") != user || h.Get("X-Auth-Roles") != c.roles || h.Get("X-Auth-Admin") != c.admin || h.Get("X-Auth-Error") != "" {
				t.Errorf("%s%s as %q: %d %v", route, c.query, c.who, a.status, h)
			}
			if (a.status == 401) != (len(h["Www-Authenticate"]) == 2) {
				t.Errorf("%v", h)
			}
		}
		for query, why := range map[string]string{"?role=": "invalid", "?x=1": "invalid", "?role=A&role=VIEWER": "invalid", "?role=VIEWER&application=": "invalid"} {
			if a := b.as("ann", "GET", route+query, ""); a.status != 403 || a.header.Get("X-Auth-Error") != why || a.header.Get("X-Auth-User") != "" {
				t.Errorf("%s: %d %v", query, a.status, a.header)
			}
		}
		two := b.do("GET", route, "", "X-API-KEY", b.keys["ann"].Plain(), "Authorization", "Bearer "+b.keys["boss"].Plain())
		if two.status != 401 || two.header.Get("X-Auth-Error") != "conflicting-credentials" {
			t.Errorf("two users: %d %v", two.status, two.header)
		}
	}
	// Too many failures from this address are a refusal, not a 429.
	for range 60 {
		a := b.do("GET", "/authz/nginx", "", "X-API-KEY", "nonsense")
		if a.status != 401 && a.status != 403 {
			t.Fatalf("%d", a.status)
		}
	}
	if a := b.do("GET", "/authz/nginx", "", "X-API-KEY", "nonsense"); a.status != 403 || a.header.Get("X-Auth-Error") != "rate-limited" {
		t.Errorf("%d %v", a.status, a.header)
	}
	b.as("ann", "GET", "/authz/nginx", "").want(200) // the right key is let in all the same
	b.closeStore()
	for _, route := range []string{"/authz/nginx", "/authz/forward"} {
		if a := b.do("GET", route, "", "X-API-KEY", b.keys["boss"].Plain()[:8]+"00000000000000000000000000000000"); a.status != 401 && a.status != 403 {
			t.Errorf("without a store: %d", a.status)
		}
	}
}

func TestForwardedHeadersOfStrangers(t *testing.T) {
	trusting := newBed(t, func(c *httpapi.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	trusting.person("ann", "VIEWER")
	a := trusting.do("GET", "/authz/forward", "", "X-API-KEY", trusting.keys["ann"].Plain(), "X-Forwarded-Method", "DELETE", "X-Forwarded-Host", "app.example.org")
	if a.want(200).header.Get("X-Auth-User") != "ann" {
		t.Errorf("%v", a.header)
	}
	if a := trusting.do("GET", "/authz/forward", "", "X-API-KEY", trusting.keys["ann"].Plain(), "X-Forwarded-Method", "GET", "X-Forwarded-Method", "POST"); a.status != http.StatusUnauthorized {
		t.Errorf("%d", a.status)
	}
	plain := newBed(t)
	plain.person("ann", "VIEWER")
	plain.do("GET", "/authz/forward", "", "X-API-KEY", plain.keys["ann"].Plain(), "X-Forwarded-Method", "GET", "X-Forwarded-Method", "POST").want(200)
}
