package rest_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
)

// TestBehindNginx: a real nginx asks us about every request, and makes a 500 of whatever is not 200, 401 or 403.
func TestBehindNginx(t *testing.T) {
	b := newBed(t)
	b.person("jdoe", "VIEWER")
	b.person("bob")
	b.person("root", idbridge.Admin)
	nginx := testserver.Nginx(t, b.url+"/authz/nginx?role=VIEWER")
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	ask := func(status int, body string, headers ...string) {
		t.Helper()
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, nginx.URL+"/page?x=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != status || body != "" && string(raw) != body {
			t.Errorf("%v: %d %s", headers, res.StatusCode, raw)
		}
		if len(headers) == 0 && res.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%v: no challenge", headers)
		}
	}
	ask(401, "")
	ask(401, "", "X-API-KEY", "nonsense")
	ask(401, "", "Authorization", basic("jdoe", "wrong"))
	ask(401, "", "X-Auth-User", "jdoe", "X-Auth-Roles", "VIEWER", "X-Original-URI", "/public", "X-Forwarded-For", "127.0.0.1")
	ask(401, "", "X-API-KEY", b.keys["jdoe"].Dotted(), "Authorization", basic("root", "pw-root")) // two users are nobody
	ask(403, "", "X-API-KEY", b.keys["bob"].Dotted())
	ask(403, "", "X-API-KEY", b.keys["root"].Dotted())
	for _, key := range []string{b.keys["jdoe"].Native(), b.keys["jdoe"].Dotted(), b.keys["jdoe"].Plain()} {
		ask(200, "let through as jdoe", "X-API-KEY", key)
		ask(200, "let through as jdoe", "Authorization", "Bearer "+key, "X-Auth-User", "root")
	}
	ask(200, "let through as jdoe", "Authorization", basic("jdoe", "pw-jdoe"))
	b.revoke("jdoe", "VIEWER")
	ask(403, "", "X-API-KEY", b.keys["jdoe"].Native()) // the very next request
	b.grant("jdoe", "VIEWER", "")
	ask(200, "let through as jdoe", "X-API-KEY", b.keys["jdoe"].Native())
	b.suspend("jdoe", true)
	ask(401, "", "X-API-KEY", b.keys["jdoe"].Native())
}
