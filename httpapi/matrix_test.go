package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/idbridge/idbridge"
)

// TestRouteRoleMatrix walks every route with every kind of caller. A letter says what each may: . is 401, - is 403, + is
// let in (whatever the answer), = is 404 (nothing there for him).
func TestRouteRoleMatrix(t *testing.T) {
	h := &house{undo: idbridge.Plan{Hash: heldHash, Directory: "corp"}, explanation: someExplanation()}
	b := h.movesInto(newBed(t, h.furnish))
	b.savePlan(heldHash, 1)
	b.person("plain")
	b.person("maker", idbridge.APIKeyGeneration)
	b.service("consumer", idbridge.SuperConsumer)
	b.person("admin", idbridge.Admin)
	b.person("second", idbridge.Admin)
	target := b.person("target")
	b.person("local")
	if err := b.store.GrantRole(t.Context(), b.ids["local"], idbridge.Admin, "Dream Team", "test"); err != nil {
		t.Fatal(err)
	}
	b.person("narrow", idbridge.Admin)
	b.newKey("narrow", "users.read")
	callers := []string{"", "plain", "maker", "consumer", "local", "narrow", "admin"}
	rows := []struct{ method, path, body, want string }{
		{"GET", "/livez", "", "+++++++"},
		{"GET", "/readyz", "", "+++++++"},
		{"GET", "/openapi.json", "", "+++++++"},
		{"GET", "/authz/nginx", "", ".++++-+"},
		{"GET", "/authz/forward?role=ADMIN", "", ".-----+"},
		{"POST", "/oauth2/introspect", "token=x", ".--+--+"},
		{"POST", "/oauth2/revoke", "token=x", ".++++++"},
		{"GET", "/.well-known/jwks.json", "", "+++++++"},
		{"GET", "/.well-known/idbridge", "", "+++++++"},
		{"POST", "/api/v1/tokens", `{"aud":"app"}`, ".++++-+"},
		{"GET", "/api/v1/audit", "", ".-----+"},
		{"GET", "/api/v1/applications", "", ".-----+"},
		{"PUT", "/api/v1/applications/Wiki", `{"dbType":"ADG"}`, ".-----+"},
		{"GET", "/api/v1/applications/Wiki", "", ".-----+"},
		{"DELETE", "/api/v1/applications/Wiki", "", ".-----+"},
		{"POST", "/api/v1/users/ID/password", `{"password":"a long password"}`, ".-----+"},
		{"POST", "/api/v1/me/password", `{"current":"x","password":"a long password"}`, ".++++-+"},
		{"POST", "/api/v1/users/ID/revoke-sessions", "", ".-----+"},
		{"GET", "/api/v1/changes", "", ".--+--+"},
		{"GET", "/api/v1/whoami", "", ".++++++"},
		{"GET", "/api/v1/me", "", ".++++++"},
		{"PATCH", "/api/v1/me", `{"givenName":"G"}`, ".++++-+"},
		{"GET", "/api/v1/me/key", "", ".++++++"},
		{"POST", "/api/v1/me/key", "", ".------"}, // all call with a key, and a key mints no keys
		{"POST", "/api/v1/me/key/rotate", "", ".------"},
		{"GET", "/api/v1/keys", "", ".++++++"},
		{"GET", "/api/v1/keys?user=ID", "", ".-----+"},
		{"POST", "/api/v1/keys", `{"user":ID}`, ".------"},
		{"GET", "/api/v1/keys/KEY", "", ".=====+"},
		{"PATCH", "/api/v1/keys/KEY", `{"expiresAt":null}`, ".=====-"},
		{"POST", "/api/v1/keys/KEY/rotate", "", ".=====-"},
		{"POST", "/api/v1/keys/KEY/disable", "", ".=====+"},
		{"POST", "/api/v1/keys/KEY/enable", "", ".=====+"},
		{"DELETE", "/api/v1/keys/KEY", "", ".=====+"},
		{"POST", "/api/v1/keys/revoke", `{"user":ID,"reason":"r","dryRun":true}`, ".-----+"},
		{"POST", "/api/v1/keys/report-leak", `{"key":"x"}`, "+++++++"},
		{"POST", "/api/v1/keys/verify", `{"key":"x"}`, ".--+--+"},
		{"POST", "/api/v1/check", `{"user":` + fmt.Sprint(target) + `,"role":"X"}`, ".--+--+"},
		{"POST", "/api/v1/check/batch", `{"checks":[{"user":` + fmt.Sprint(target) + `,"role":"X"}]}`, ".--+--+"},
		{"GET", "/api/v1/users", "", ".----++"},
		{"POST", "/api/v1/users", `{"profile":{"userName":"N$"}}`, ".-----+"},
		{"GET", "/api/v1/users/ID", "", ".----++"},
		{"PATCH", "/api/v1/users/ID", `{"profile":{"title":"T"}}`, ".-----+"},
		{"POST", "/api/v1/users/ID/suspend", "", ".-----+"},
		{"POST", "/api/v1/users/ID/resume", "", ".-----+"},
		{"GET", "/api/v1/roles", "", ".-----+"},
		{"GET", "/api/v1/roles/ADMIN", "", ".-----+"},
		{"GET", "/api/v1/roles/ADMIN/members", "", ".-----+"},
		{"PUT", "/api/v1/roles/VIEWER/members/ID", "", ".-----+"},
		{"DELETE", "/api/v1/roles/VIEWER/members/ID", "", ".-----+"},
		{"GET", "/api/v1/users/ID/roles/ADMIN", "", ".--=--="},
		{"GET", "/api/v1/runs", "", ".-----+"},
		{"GET", "/api/v1/runs/1", "", ".-----+"},
		{"GET", "/api/v1/directories", "", ".-----+"},
		{"POST", "/api/v1/directories/corp/sync", "", ".-----+"},
		{"GET", "/api/v1/conflicts", "", ".-----+"},
		{"POST", "/api/v1/conflicts/7/resolve", `{"keep":"store"}`, ".-----="},
		{"GET", "/api/v1/conflicts/7", "", ".-----="},
		{"POST", "/api/v1/conflicts/resolve", `{"attribute":"email","keep":"store","open":true}`, ".-----+"},
		{"GET", "/api/v1/users/ID/explain", "", ".-----+"},
		{"GET", "/api/v1/me/explain", "", ".++++++"},
		{"GET", "/api/v1/plans", "", ".-----+"},
		{"GET", "/api/v1/plans/" + heldHash, "", ".-----+"},
		{"POST", "/api/v1/plans/" + heldHash + "/discard", `{"reason":"r"}`, ".-----+"},
		{"POST", "/api/v1/plans/" + heldHash + "/approve", `{"removals":3,"admins":1}`, ".-----+"},
		{"POST", "/api/v1/runs/1/undo", `{"reason":"r"}`, ".-----+"},
		{"GET", "/api/v1/directories/corp/quarantine", "", ".-----+"},
		{"GET", "/api/v1/health/details", "", ".-----+"},
		{"DELETE", "/api/v1/users/ID", "", ".-----+"},
		{"DELETE", "/api/v1/me/key", "", ".++++-+"},
	}
	covered := map[string]bool{}
	for _, row := range rows {
		path := strings.NewReplacer("ID", fmt.Sprint(target), "KEY", string(b.keys["target"].ID())).Replace(row.path)
		for i, caller := range callers {
			headers := []string{"If-Match", "*"}
			if !strings.Contains(path, "/users/") {
				headers = nil
			}
			if strings.HasPrefix(path, "/oauth2/") {
				headers = append(headers, "Content-Type", formType)
			}
			if caller != "" {
				headers = append(headers, "X-API-KEY", b.keys[caller].Dotted())
			}
			a := b.do(row.method, path, strings.NewReplacer("$", fmt.Sprint(i), "ID", fmt.Sprint(target)).Replace(row.body), headers...)
			got := "+"
			switch a.status {
			case http.StatusUnauthorized:
				got = "."
			case http.StatusForbidden:
				got = "-"
			case http.StatusNotFound:
				got = "="
			}
			if a.status >= 500 || got != row.want[i:i+1] {
				t.Errorf("%s %s as %q: %d %s, want %s", row.method, row.path, caller, a.status, a.body, row.want[i:i+1])
			}
		}
		covered[row.method+" "+row.path] = true
	}
	for _, op := range b.operations() {
		found := false
		for have := range covered {
			found = found || sameShape(have, op)
		}
		if !found {
			t.Errorf("the matrix misses %s", op)
		}
	}
}

// sameShape compares a concrete route with a pattern, segment by segment.
func sameShape(concrete, pattern string) bool {
	concrete, _, _ = strings.Cut(concrete, "?")
	a, b := strings.Split(concrete, "/"), strings.Split(pattern, "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !strings.HasPrefix(b[i], "{") {
			return false
		}
	}
	return true
}

// operations lists what the document has.
func (b *bed) operations() []string {
	b.t.Helper()
	doc := b.do("GET", "/openapi.json", "").json()
	var out []string
	paths, _ := doc["paths"].(map[string]any)
	for path, item := range paths {
		methods, _ := item.(map[string]any)
		for method := range methods {
			out = append(out, strings.ToUpper(method)+" "+path)
		}
	}
	if len(out) < 36 {
		b.t.Fatalf("the document has %d operations", len(out))
	}
	return out
}

// TestDocumentIsServed holds that each operation of the document has a route: none answers with the router's 404 or 405.
func TestDocumentIsServed(t *testing.T) {
	b := newBed(t)
	for _, op := range b.operations() {
		method, path, _ := strings.Cut(op, " ")
		path = strings.NewReplacer("{id}", "1", "{user}", "1", "{role}", "R", "{directory}", "corp", "{hash}", heldHash, "{name}", "Wiki").Replace(path)
		a := b.do(method, path, "")
		if a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", op, a.status)
		}
		if strings.HasPrefix(path, "/api/") && !strings.HasSuffix(path, "/report-leak") && a.status != http.StatusUnauthorized {
			t.Errorf("%s without a credential: %d", op, a.status)
		}
	}
	documented := b.operations()
	for _, route := range b.api.Routes() {
		if !strings.HasPrefix(route, "GET /openapi.") && !slices.Contains(documented, route) {
			t.Errorf("%s is not in the document", route)
		}
	}
	if got, want := len(b.api.Routes()), len(documented)+2; got != want {
		t.Errorf("%d routes, want %d", got, want)
	}
	doc := b.do("GET", "/openapi.json", "").want(200)
	b.do("GET", "/openapi.json", "", "If-None-Match", doc.header.Get("ETag")).want(304)
	if y := b.do("GET", "/openapi.yaml", "").want(200); !strings.Contains(y.body, "openapi: 3.1.0") {
		t.Error("no YAML")
	}
	if strings.Contains(doc.body, "$schema") {
		t.Error("the document has $schema members")
	}
}

func TestUnmatched(t *testing.T) {
	b := newBed(t)
	for _, path := range []string{
		"/", "/api", "/api/v1", "/api/v1/", "/nothing", "/api/v1/me/", "/api/v1//me", "//api/v1/me", "/api/v1/./me", "/api/v1/x/../me", "/api/v1/users/1/",
		"/api/v1/users/..%2F..%2Fx", "/api/v1/users/%2e%2e", "/api/v1/users/1%00", "/metrics", "/docs", "/schemas/MeView.json", "/openapi-3.0.json",
	} {
		a := b.do("GET", path, "")
		if strings.Contains(path, "%00") || a.status == 404 {
			a.problem(404, "not-found")
		} else {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
	for path, allow := range map[string]string{
		"/api/v1/me": "GET, HEAD, PATCH", "/api/v1/check": "POST", "/api/v1/me/key": "DELETE, GET, HEAD, POST", "/livez": "GET, HEAD",
	} {
		for _, method := range []string{"OPTIONS", "TRACE", "PROPFIND"} {
			a := b.do(method, path, "")
			a.problem(405, "method-not-allowed")
			if got := a.header.Get("Allow"); got != allow {
				t.Errorf("%s %s: Allow %q, want %q", method, path, got, allow)
			}
			if a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("CORS")
			}
		}
	}
	b.do("GET", "/api/v1/check", "").problem(405, "method-not-allowed")
	if a := b.do("HEAD", "/livez", ""); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: %d", a.status)
	}
}

// TestExamples holds that each example in the document is as the document says.
func TestExamples(t *testing.T) {
	b := newBed(t)
	doc, err := openapi3.NewLoader().LoadFromData([]byte(b.do("GET", "/openapi.json", "").body))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status, r := range op.Responses.Map() {
				media := r.Value.Content["application/json"]
				if media == nil || media.Example == nil {
					continue
				}
				n++
				if err := media.Schema.Value.VisitJSON(media.Example); err != nil {
					t.Errorf("%s %s %s: %v", method, path, status, err)
				}
			}
		}
	}
	if n < 12 {
		t.Errorf("%d examples", n)
	}
}
