package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/httpapi/credential"
)

// TestRefusalsLookAlike holds that nobody learns from a 401 which part was wrong.
func TestRefusalsLookAlike(t *testing.T) {
	b := newBed(t)
	b.person("ann")
	b.person("gone")
	b.suspendByRun("gone")
	b.service("app")
	x := strings.Repeat("x", 32)
	var first *answer
	for name, headers := range map[string][]string{
		"none": {}, "unknown id": {"X-API-KEY", "ZZZZZZZZ" + x}, "wrong secret": {"X-API-KEY", string(b.keys["ann"].ID()) + x}, "not a key": {"X-API-KEY", "x"},
		"owner suspended": {"X-API-KEY", b.keys["gone"].Plain()}, "wrong password": {"Authorization", basic("ann", "x")}, "unknown user": {"Authorization", basic("nobody", "x")},
		"empty password": {"Authorization", basic("ann", "")}, "suspended": {"Authorization", basic("gone", "pw-gone")}, "service": {"Authorization", basic("app", "pw-app")},
		"other scheme": {"Authorization", "Negotiate abc"}, "jwt": {"Authorization", "Bearer eyJa.eyJb.c"},
	} {
		a := b.do("GET", "/api/v1/me", "", append(headers, "X-Request-Id", "0123456789abcdef")...)
		a.problem(401, "unauthenticated")
		a.header.Del("Date")
		if first == nil {
			first = a
		}
		if a.body != first.body || fmt.Sprint(a.header) != fmt.Sprint(first.header) {
			t.Errorf("%s: %s %v\ndiffers from %s %v", name, a.body, a.header, first.body, first.header)
		}
	}
}

func TestConflictingCredentials(t *testing.T) {
	b := newBed(t)
	b.person("ann")
	b.person("bob")
	b.as("ann", "GET", "/api/v1/whoami", "", "Authorization", basic("bob", "pw-bob")).problem(400, "conflicting-credentials")
	b.as("ann", "GET", "/api/v1/whoami", "", "Authorization", basic("ann", b.keys["ann"].Dotted()), "X-Client", "x", "X-TENANT-ID", "x", "Cookie", "idbridge_rest=").want(200)
	b.as("ann", "GET", "/api/v1/whoami", "", "X-API-KEY", b.keys["ann"].Plain()).problem(400, "malformed")
	b.corp.err = &idbridge.Error{Kind: idbridge.Unavailable, Msg: "ldap://dc1: connection refused"}
	for _, name := range []string{"ann", "nobody"} {
		a := b.do("GET", "/api/v1/whoami", "", "Authorization", basic(name, "pw-"+name))
		a.problem(503, "unavailable")
		if a.header.Get("Retry-After") == "" || strings.Contains(a.body, "ldap:") {
			t.Errorf("%s %v", a.body, a.header)
		}
	}
}

func TestRateLimit(t *testing.T) {
	b := newBed(t, func(c *httpapi.Config) { c.Limits = credential.Limits{} })
	b.person("ann")
	for i := range 10 {
		a := b.do("GET", "/api/v1/whoami", "", "X-API-KEY", "nonsense")
		a.problem(401, "unauthenticated")
		if got := a.header.Get("RateLimit"); got != fmt.Sprintf(`"failures";r=%d;t=60`, 9-i) {
			t.Errorf("%s", got)
		}
	}
	a := b.do("GET", "/api/v1/whoami", "", "X-API-KEY", "nonsense")
	a.problem(429, "rate-limited")
	if a.header.Get("Retry-After") == "" || a.header.Get("RateLimit-Policy") != `"failures";q=10;w=60` {
		t.Errorf("%v", a.header)
	}
	b.do("GET", "/api/v1/whoami", "", "Authorization", basic("ann", "pw-ann")).problem(429, "rate-limited")
	b.as("ann", "GET", "/api/v1/whoami", "").want(200) // a good key is let in
	b.do("GET", "/api/v1/whoami", "").problem(401, "unauthenticated")
	// Who comes from elsewhere is not touched; forwarding headers of strangers are not believed.
	b.do("GET", "/api/v1/whoami", "", "Authorization", basic("ann", "pw-ann"), "X-Forwarded-For", "192.0.2.9").problem(429, "rate-limited")
}

func TestAuditOfRefusals(t *testing.T) {
	b := newBed(t)
	b.person("ann")
	b.do("GET", "/api/v1/whoami", "", "Authorization", basic("ann", "wrong-Hunter2"))
	rows, err := b.store.Audit(t.Context(), idbridge.AuditFilter{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, r := range rows {
		found = found || r.Action == "signin.refused" && strings.Contains(r.Reason, "wrong password") && r.Address == "127.0.0.1" && r.Request != ""
	}
	if !found {
		t.Errorf("%+v", rows)
	}
}

// TestPlantedSecrets sends secrets through every door, in every state, and then looks for them: in logs, in answers, in
// metrics and in the database.
func TestPlantedSecrets(t *testing.T) {
	b := newBed(t)
	b.person("ann", idbridge.Admin)
	made := b.pw("ann", "POST", "/api/v1/me/key", "").want(201)
	key, _ := made.json()["key"].(string)
	text, ok := idbridge.ParseKeyText(key)
	if !ok {
		t.Fatal(key)
	}
	created := strings.Count(b.seen.String(), text.Plain()[8:])
	secrets := []string{text.Plain()[8:], b.keys["ann"].Plain()[8:], "Hunter2Password", "pw-ann", basic("ann", "Hunter2Password")[6:]}
	for _, s := range []string{key, text.Dotted(), text.Plain(), "Hunter2Password"} {
		for _, h := range [][]string{
			{"X-API-KEY", s}, {"X-API-KEY", s + "x"}, {"Authorization", "Bearer " + s}, {"Authorization", basic("ann", s)}, {"Authorization", basic(s, s)}, {"Authorization", "Basic " + s},
			{"Authorization", s}, {"Cookie", "a=" + s}, {"X-Request-Id", s}, {"If-Match", s}, {"Content-Type", s}, {"Accept", s}, {"X-Forwarded-For", s},
		} {
			for _, path := range []string{"/api/v1/me", "/api/v1/users?q=" + s, "/api/v1/users?" + s + "=1", "/api/v1/users?cursor=" + s, "/" + s, "/api/v1/roles/" + s + "/members", "/api/v1/users/" + s} {
				b.do("GET", path, "", h...)
			}
			b.do(strings.ToUpper(s[:3]), "/api/v1/me", "", h...)
		}
		for _, body := range []string{
			s, `"` + s + `"`, `{"` + s + `":1}`, `{"email":"` + s + `"}`, `{"email":{"` + s + `":1}}`, `{"key":"` + s + `x"}`, `{"key":"` + s + `","nosuch":1}`, `{"key":["` + s + `"]}`,
			`{"user":"` + s + `","role":"` + s + `"}`, `{"profile":{"` + s + `":"1"}}`, `{"profile":{"email":"` + s + `"}}`, `{"kind":"` + s + `","profile":{}}`, `{"reason":5,"` + s + `":1}`,
		} {
			for _, path := range []string{"/api/v1/me", "/api/v1/users", "/api/v1/check", "/api/v1/keys/verify", "/api/v1/users/1/suspend", "/api/v1/directories/" + s + "/sync", "/api/v1/me/key"} {
				for _, method := range []string{"POST", "PATCH"} {
					b.do(method, path, body, "X-API-KEY", b.keys["ann"].Plain())
					b.do(method, path, body, "Authorization", basic("ann", key), "Content-Type", "text/"+s)
				}
			}
		}
	}
	b.corp.err = fmt.Errorf("bind of ann refused")
	b.do("GET", "/api/v1/me", "", "Authorization", basic("ann", "Hunter2Password"))
	scrape := httptest.NewRecorder()
	b.api.MetricsHandler().ServeHTTP(scrape, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	rows, err := b.store.Audit(t.Context(), idbridge.AuditFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	audit, _ := json.Marshal(rows)
	files, err := filepath.Glob(b.file + "*") // the write-ahead log too
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	var database strings.Builder
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		database.Write(raw)
	}
	if !strings.Contains(database.String(), string(text.ID())) {
		t.Error("the key's id is not in the database: nothing was searched")
	}
	for _, s := range secrets {
		for place, have := range map[string]string{"log": b.log.String(), "metrics": scrape.Body.String(), "audit": string(audit), "database": database.String()} {
			if i := strings.Index(have, s); i >= 0 {
				t.Errorf("the secret is in the %s: %.300q", place, have[max(0, i-150):])
			}
		}
		want := 0
		if s == text.Plain()[8:] {
			want = created
		}
		if got := strings.Count(b.seen.String(), s); got != want {
			i := strings.LastIndex(b.seen.String(), s)
			t.Errorf("the secret is in %d answers, want %d: %.300s", got, want, b.seen.String()[max(0, i-150):])
		}
	}
	if len(b.log.String()) < 1000 || created == 0 {
		t.Error("nothing was searched")
	}
}

// TestLogFields holds the allow-list: a line of the access log has these fields and no others.
func TestLogFields(t *testing.T) {
	b := newBed(t)
	b.person("ann")
	b.as("ann", "GET", "/api/v1/users?q=private", "").want(403)
	b.as("ann", "GET", "/secret-path/%0d%0ax", "")
	allowed := regexp.MustCompile(`^(time|level|msg|request|method|route|status|octets|took|address|user|how|key|cause|hint)$`)
	lines := bufio.NewScanner(strings.NewReader(b.log.String()))
	n := 0
	for lines.Scan() {
		var m map[string]any
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		if m["msg"] != "request served" {
			continue
		}
		n++
		for k := range m {
			if !allowed.MatchString(k) {
				t.Errorf("field %s in %s", k, lines.Text())
			}
		}
	}
	if n < 2 || strings.Contains(b.log.String(), "private") || strings.Contains(b.log.String(), "secret-path") {
		t.Errorf("%d lines:\n%s", n, b.log.String())
	}
}

func TestRunsAndHealth(t *testing.T) {
	registry := prometheus.NewRegistry()
	b := newBed(t, func(c *httpapi.Config) { c.Metrics = registry; c.PublicURL = "https://id.example.org/" })
	b.person("boss", idbridge.Admin)
	if a := b.do("GET", "/livez", "").want(200); a.header.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS behind https")
	}
	b.do("GET", "/readyz", "").want(200)
	a := b.as("boss", "POST", "/api/v1/directories/corp/sync", "").want(202)
	if a.header.Get("Location") != "/api/v1/runs/7" || a.json()["run"] != float64(7) {
		t.Errorf("%s", a.body)
	}
	b.as("boss", "POST", "/api/v1/directories/corp/sync", `{"kind":"plan"}`).want(202)
	b.as("boss", "POST", "/api/v1/directories/corp/sync", `{"kind":"push"}`).problem(422, "invalid")
	b.as("boss", "POST", "/api/v1/directories/nosuch/sync", "").problem(404, "not-found")
	b.runner.err = &idbridge.Error{Kind: idbridge.Locked, Msg: "a run is under way"}
	b.as("boss", "POST", "/api/v1/directories/corp/sync", "").problem(409, "busy")
	if got := fmt.Sprint(b.runner.calls); got != "[corp full boss corp plan boss corp full boss]" {
		t.Errorf("%s", got)
	}
	runs := b.as("boss", "GET", "/api/v1/runs?directory=corp", "").want(200)
	if !strings.Contains(runs.body, `"state":"running"`) {
		t.Errorf("%s", runs.body)
	}
	b.as("boss", "GET", fmt.Sprintf("/api/v1/runs/%d", b.lead.Run), "").want(200)
	b.as("boss", "GET", "/api/v1/runs/99999", "").problem(404, "not-found")
	b.as("boss", "GET", "/api/v1/directories", "").want(200)
	link, v := b.read("boss")
	b.commit(idbridge.Decision{
		ID: link.ID, User: b.ids["boss"], Name: "boss", Situation: idbridge.HeldBack, Read: v,
		Conflicts: []idbridge.Conflict{{
			Link: link.ID, User: b.ids["boss"], Name: "boss", Attribute: idbridge.Email, Base: idbridge.Values{"a"}, Store: idbridge.Values{"b"},
			Directory: idbridge.Values{"c\xff"}, Opened: time.Now(),
		}},
	})
	c := b.as("boss", "GET", "/api/v1/conflicts?open=true&attribute=email", "").want(200)
	if items, _ := c.json()["items"].([]any); len(items) != 1 || !strings.Contains(c.body, `"store":["b"]`) {
		t.Errorf("%s", c.body)
	}
	scrape := httptest.NewRecorder()
	b.api.MetricsHandler().ServeHTTP(scrape, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for body, status := range map[string]int{`{}`: 422, `{"keep":"store","values":["x"]}`: 422, `{"keep":"policy"}`: 422, `{"keep":1}`: 422, `{"keep":"store"}`: 409} {
		if a := b.as("boss", "POST", "/api/v1/conflicts/1/resolve", body); a.status != status {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	for _, want := range []string{
		`idbridge_store_up 1`, `idbridge_run_under_way{directory="corp"} 1`, `idbridge_records{directory="corp"}`, `idbridge_waiting{directory="corp",what="conflicts"} 1`,
		`idbridge_waiting{directory="corp",what="held"} 0`, `idbridge_waiting{directory="corp",what="pending"}`, `idbridge_waiting{directory="corp",what="quarantined"}`,
		`idbridge_http_request_seconds_count{method="GET",route="GET /api/v1/runs",status="200"} 1`,
	} {
		if !strings.Contains(scrape.Body.String(), want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if next := b.as("boss", "GET", "/api/v1/users?limit=1", "").header.Get("Link"); next != "" {
		t.Errorf("one user, yet %s", next)
	}
	b.person("ann")
	if next := b.as("boss", "GET", "/api/v1/users?limit=1", "").header.Get("Link"); !strings.HasPrefix(next, "<https://id.example.org/api/v1/users?cursor=") {
		t.Errorf("%s", next)
	}
}

// TestStoreDown holds that a store that does not answer is 503 everywhere, never an allow.
func TestStoreDown(t *testing.T) {
	b := newBed(t)
	b.person("ann", idbridge.Admin)
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	b.closed = true
	b.do("GET", "/readyz", "").problem(503, "unavailable")
	b.do("GET", "/livez", "").want(200)
	a := b.pw("ann", "GET", "/api/v1/users", "")
	if a.status < 500 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if m := a.json(); strings.Contains(a.body, "sql") || m["instance"] == "" {
		t.Errorf("%s", a.body)
	}
}

func TestServe(t *testing.T) {
	b := newBed(t)
	b.person("ann")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.api.Serve(ctx, l) }()
	res, err := http.Get("http://" + l.Addr().String() + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("%d", res.StatusCode)
	}
	big, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/livez", nil)
	big.Header.Set("X-Big", strings.Repeat("x", 64<<10))
	if res, err := http.DefaultClient.Do(big); err == nil {
		res.Body.Close()
		if res.StatusCode != 431 {
			t.Errorf("64 KiB of headers: %d", res.StatusCode)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("still listening")
	}
}

func TestNewRefuses(t *testing.T) {
	_, err := httpapi.New(httpapi.Config{
		PublicURL: "ftp://x", Permissions: map[idbridge.Role][]httpapi.Permission{"X": {"nosuch"}}, Directories: []httpapi.Directory{{}},
	})
	if idbridge.KindOf(err) != idbridge.Invalid || strings.Count(err.Error(), "\n") < 2 {
		t.Errorf("every fault at once: %v", err)
	}
	if _, err := httpapi.New(httpapi.Config{}); idbridge.KindOf(err) != idbridge.Invalid {
		t.Errorf("%v", err)
	}
}

// TestGolden holds the body of each sort of problem, byte by byte.
func TestGolden(t *testing.T) {
	b := newBed(t)
	b.person("ann")
	b.person("boss", idbridge.Admin)
	b.personWith("bare", idbridge.Profile{idbridge.UserName: {"bare"}}, idbridge.APIKeyGeneration)
	path := fmt.Sprintf("/api/v1/users/%d", b.ids["boss"])
	id := []string{"X-Request-Id", "0123456789abcdef"}
	var out strings.Builder
	for _, a := range []struct {
		name string
		a    *answer
	}{
		{"unauthenticated", b.do("GET", "/api/v1/me", "", id...)},
		{"forbidden", b.as("ann", "GET", "/api/v1/users", "", id...)},
		{"not found", b.as("boss", "GET", "/api/v1/users/999", "", id...)},
		{"no route", b.do("GET", "/nothing", "", id...)},
		{"method", b.do("PUT", "/api/v1/me", "", id...)},
		{"malformed", b.as("ann", "PATCH", "/api/v1/me", `{"email":1,"EMAIL":2}`, id...)},
		{"malformed, hot", b.as("boss", "POST", "/api/v1/check", `{"role":`, id...)},
		{"invalid", b.as("ann", "PATCH", "/api/v1/me", `{"superuser":true,"email":7}`, id...)},
		{"invalid value", b.as("ann", "PATCH", "/api/v1/me", `{"email":"not an address","givenName":"a\u0007"}`, id...)},
		{"invalid, hot", b.as("boss", "POST", "/api/v1/check", `{"rôle":"x","user":true}`, id...)},
		{"media type", b.as("ann", "PATCH", "/api/v1/me", `{}`, append(id, "Content-Type", "text/xml")...)},
		{"precondition required", b.as("boss", "DELETE", path, "", id...)},
		{"precondition failed", b.as("boss", "DELETE", path, "", append(id, "If-Match", `"x"`)...)},
		{"last admin", b.as("boss", "DELETE", path, "", append(id, "If-Match", `*`)...)},
		{"incomplete", b.pw("bare", "POST", "/api/v1/me/key", "", id...)},
		{"mint", b.as("boss", "POST", "/api/v1/me/key", "", id...)},
		{"conflicting", b.as("ann", "GET", "/api/v1/me", "", append(id, "Authorization", basic("boss", "pw-boss"))...)},
	} {
		fmt.Fprintf(&out, "-- %s: %d --\n%s", a.name, a.a.status, a.a.body)
	}
	golden := filepath.Join("testdata", "problems.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != out.String() {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}
