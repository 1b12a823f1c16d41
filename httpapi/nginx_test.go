package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/internal/testserver"
)

// TestBehindNginx: a real nginx asks before it serves. It makes an error of its own of any answer but 200, 401 and 403, so a
// status of 500 here would be one.
func TestBehindNginx(t *testing.T) {
	b := newBed(t, func(c *httpapi.Config) { c.Limits = credential.Limits{PerAddress: 20, FreePerPair: 1000} })
	b.person("ann", "VIEWER")
	b.person("bob")
	b.person("gone", "VIEWER")
	proxy := testserver.Nginx(t, b.url+"/authz/nginx?role=VIEWER")
	ask := func(key string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, proxy.URL+"/any/where?x=1", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			req.Header.Set("X-API-KEY", key)
		}
		res, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	want := func(what, key string, status int) {
		t.Helper()
		if got := ask(key); got != status {
			t.Errorf("%s: %d, want %d", what, got, status)
		}
	}
	want("no credential", "", 401)
	want("the role", b.keys["ann"].Native(), 200)
	want("no role", b.keys["bob"].Dotted(), 403)
	b.suspendByRun("gone")
	want("suspended", b.keys["gone"].Plain(), 401)
	if err := b.store.RevokeRole(t.Context(), b.ids["ann"], idbridge.Role("VIEWER"), "", "test"); err != nil {
		t.Fatal(err)
	}
	want("the role was taken", b.keys["ann"].Native(), 403)
	for range 40 {
		if got := ask("nonsense"); got != 401 && got != 403 {
			t.Fatalf("a bad key: %d", got)
		}
	}
	b.closeStore()
	want("no store", "ZZZZZZZZ"+b.keys["ann"].Plain()[8:], 403)
}
