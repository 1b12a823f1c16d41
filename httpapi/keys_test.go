package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/httpapi/credential"
)

type madeKey struct {
	ID, Key, State       string
	Scopes               []string
	CreatedAt, ExpiresAt string
	Renderings           struct{ Native, Dotted, Plain string }
}

func (a *answer) key() madeKey {
	a.t.Helper()
	var k madeKey
	if err := json.Unmarshal([]byte(a.want(201).body), &k); err != nil {
		a.t.Fatal(err)
	}
	if len(a.json()) != 7 || k.Key != k.Renderings.Native || a.header.Get("Cache-Control") != "no-store" {
		a.t.Errorf("%s %v", a.body, a.header)
	}
	return k
}

func TestKeysOfOthers(t *testing.T) {
	b := newBed(t)
	b.person("ann", idbridge.APIKeyGeneration)
	bob := b.person("bob")
	b.person("boss", idbridge.Admin)
	key := string(b.keys["bob"].ID())
	own := b.pw("bob", "GET", "/api/v1/keys/"+key, "").want(200)
	if m := own.json(); m["state"] != "active" || m["user"] != float64(bob) || m["slot"] != "primary" || own.header.Get("ETag") == "" {
		t.Errorf("%s", own.body)
	}
	b.pw("bob", "GET", "/api/v1/keys/"+key, "", "If-None-Match", own.header.Get("ETag")).want(304)
	for _, c := range []struct{ method, path, body string }{
		{"GET", "", ""}, {"PATCH", "", `{"expiresAt":null}`}, {"DELETE", "", ""}, {"POST", "/rotate", ""}, {"POST", "/enable", ""}, {"POST", "/disable", ""},
	} {
		unknown := b.pw("ann", c.method, "/api/v1/keys/ZZZZZZZZ"+c.path, c.body, "X-Request-Id", "0123456789abcdef")
		unknown.problem(404, "not-found")
		if a := b.pw("ann", c.method, "/api/v1/keys/"+key+c.path, c.body, "X-Request-Id", "0123456789abcdef"); a.body != unknown.body || a.status != 404 {
			t.Errorf("%s %s tells another's key from none: %s", c.method, c.path, a.body)
		}
	}
	b.pw("ann", "POST", "/api/v1/keys", fmt.Sprintf(`{"user":%d}`, bob)).problem(403, "forbidden")
	b.pw("ann", "GET", fmt.Sprintf("/api/v1/keys?user=%d", bob), "").problem(403, "forbidden")
	b.pw("bob", "POST", "/api/v1/keys", "{}").problem(403, "forbidden") // no permission to make any
	made := b.pw("boss", "POST", "/api/v1/keys", fmt.Sprintf(`{"user":%d,"scopes":["users.read"],"allow":["127.0.0.1"]}`, bob)).key()
	if m := b.do("GET", "/api/v1/whoami", "", "X-API-KEY", made.Key).want(200).json(); m["userName"] != "bob" {
		t.Errorf("%v", m)
	}
	b.as("bob", "GET", "/api/v1/whoami", "").problem(401, "unauthenticated") // replaced
	list := b.pw("boss", "GET", fmt.Sprintf("/api/v1/keys?user=%d&state=revoked", bob), "").want(200)
	if items, _ := list.json()["items"].([]any); len(items) != 1 || !strings.Contains(list.body, `"revokeReason":"replaced"`) {
		t.Errorf("the dead stay listed: %s", list.body)
	}
}

func TestKeyPages(t *testing.T) {
	b := newBed(t)
	b.person("boss", idbridge.Admin)
	for i := range 5 {
		b.person(fmt.Sprintf("u%d", i))
	}
	seen := map[string]bool{}
	path := "/api/v1/keys?limit=2&state=active"
	for range 10 {
		a := b.as("boss", "GET", path, "").want(200)
		items, _ := a.json()["items"].([]any)
		for _, item := range items {
			item, _ := item.(map[string]any)
			id, _ := item["id"].(string)
			if seen[id] {
				t.Errorf("%s comes twice", id)
			}
			seen[id] = true
		}
		link := a.header.Get("Link")
		if link == "" {
			break
		}
		link, _, _ = strings.Cut(link, ">")
		path = strings.TrimPrefix(link, "<")
	}
	if len(seen) != 6 {
		t.Errorf("%d keys", len(seen))
	}
	b.as("boss", "GET", "/api/v1/keys?cursor=dXNlcnM6MQ", "").problem(400, "malformed")
	b.as("boss", "GET", "/api/v1/keys?state=odd", "").problem(422, "invalid")
	if items, _ := b.as("boss", "GET", "/api/v1/keys?unusedSince=2000-01-01T00:00:00Z", "").want(200).json()["items"].([]any); len(items) != 0 {
		t.Errorf("%v", items)
	}
}

func TestKeyIsChosenSensibly(t *testing.T) {
	b := newBed(t)
	b.person("ann", idbridge.APIKeyGeneration)
	for body, at := range map[string]string{
		`{"scopes":[""]}`: "body.scopes[0]", `{"scopes":[]}`: "body.scopes", `{"scopes":["a b"]}`: "body.scopes[0]", `{"allow":["nowhere"]}`: "body.allow[0]",
		`{"expiresAt":"2001-01-01T00:00:00Z"}`: "body.expiresAt", `{"slot":" x"}`: "body.slot",
		`{"notBefore":"2999-01-02T00:00:00Z","expiresAt":"2999-01-01T00:00:00Z"}`: "body.expiresAt",
	} {
		errs, _ := b.pw("ann", "POST", "/api/v1/keys", body).problem(422, "invalid")["errors"].([]any)
		if first, _ := errs[0].(map[string]any); len(errs) != 1 || first["location"] != at {
			t.Errorf("%s: %v", body, errs)
		}
	}
	b.pw("ann", "POST", "/api/v1/keys", `{"slot":"laptop"}`).problem(409, "conflict")
	b.pw("ann", "POST", "/api/v1/keys", `{"digest":"x"}`).problem(422, "invalid")
	later := b.pw("ann", "POST", "/api/v1/keys", `{"notBefore":"2999-01-01T00:00:00Z"}`).key()
	if later.State != "pending" {
		t.Errorf("%+v", later)
	}
	b.do("GET", "/api/v1/whoami", "", "X-API-KEY", later.Key).problem(401, "unauthenticated")
	away := b.pw("ann", "POST", "/api/v1/keys", `{"allow":["192.0.2.0/24"]}`).key()
	b.do("GET", "/api/v1/whoami", "", "X-API-KEY", away.Key).problem(401, "unauthenticated")
	b.pw("ann", "PATCH", "/api/v1/keys/"+away.ID, `{"allow":[]}`).want(200)
	b.do("GET", "/api/v1/whoami", "", "X-API-KEY", away.Key).want(200)
}

func TestNamedKeys(t *testing.T) {
	b := newBed(t, func(c *httpapi.Config) { c.KeysPerUser = 2 })
	b.person("ann", idbridge.APIKeyGeneration)
	laptop := b.pw("ann", "POST", "/api/v1/keys", `{"slot":"laptop"}`).key()
	b.as("ann", "GET", "/api/v1/whoami", "").want(200) // the primary one stays
	b.do("GET", "/api/v1/whoami", "", "X-API-KEY", laptop.Key).want(200)
	b.pw("ann", "POST", "/api/v1/keys", `{"slot":"server"}`).problem(409, "conflict")
	b.pw("ann", "POST", "/api/v1/keys", `{"slot":"laptop"}`).key()
	b.do("GET", "/api/v1/whoami", "", "X-API-KEY", laptop.Key).problem(401, "unauthenticated")
}

// TestKeysMintNoKeys: neither making, nor rotating, nor widening; but for the scope that says so, and then never more than it has.
func TestKeysMintNoKeys(t *testing.T) {
	b := newBed(t)
	b.person("ann", idbridge.Admin)
	id := string(b.keys["ann"].ID())
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/me/key", ""}, {"POST", "/me/key/rotate", ""}, {"POST", "/keys", "{}"}, {"POST", "/keys/" + id + "/rotate", ""},
		{"PATCH", "/keys/" + id, `{"expiresAt":null}`}, {"PATCH", "/keys/" + id, `{"scopes":["*","keys.admin"]}`},
	} {
		b.as("ann", c.method, "/api/v1"+c.path, c.body).problem(403, "key-cannot-mint")
	}
	maker := b.newKey("ann", "keys.admin", "users.read")
	as := func(method, path, body string) *answer {
		return b.do(method, "/api/v1"+path, body, "X-API-KEY", maker.Plain())
	}
	as("POST", "/keys", `{"scopes":["*"]}`).problem(422, "invalid")
	as("POST", "/keys", `{"scopes":["sync.run"]}`).problem(422, "invalid")
	bob := b.person("bob")
	as("POST", "/keys/"+string(b.keys["bob"].ID())+"/rotate", "").problem(403, "forbidden") // his has *
	made := as("POST", "/keys", fmt.Sprintf(`{"user":%d,"scopes":["users.read"]}`, bob)).key()
	if strings.Join(made.Scopes, " ") != "users.read" {
		t.Errorf("%+v", made)
	}
	as("POST", "/keys/"+made.ID+"/rotate", "").key()
}

func TestRotation(t *testing.T) {
	b := newBed(t)
	b.person("ann", idbridge.APIKeyGeneration)
	b.service("app", idbridge.SuperConsumer)
	works := func(text string, want int) {
		t.Helper()
		b.do("GET", "/api/v1/whoami", "", "X-API-KEY", text).want(want)
	}
	first := b.keys["ann"].Native()
	b.pw("ann", "POST", "/api/v1/me/key/rotate", `{"overlapSeconds":2592001}`).problem(422, "invalid")
	b.pw("ann", "POST", "/api/v1/me/key/rotate", `{"overlapSeconds":-1}`).problem(422, "invalid")
	a := b.pw("ann", "POST", "/api/v1/me/key/rotate", `{"overlapSeconds":3600}`)
	second := a.key()
	if a.header.Get("Location") != "/api/v1/me/key" {
		t.Errorf("%v", a.header)
	}
	works(first, 200)
	works(second.Key, 200)
	if m := b.pw("ann", "GET", "/api/v1/me/key", "").want(200).json(); m["id"] != second.ID {
		t.Errorf("the primary key is the new one: %v", m)
	}
	old := b.pw("ann", "GET", "/api/v1/keys/"+string(b.keys["ann"].ID()), "").want(200).json()
	if old["replacedBy"] != second.ID || old["overlapUntil"] == nil || old["state"] != "active" {
		t.Errorf("%v", old)
	}
	b.pw("ann", "POST", "/api/v1/keys/"+string(b.keys["ann"].ID())+"/rotate", "").problem(409, "conflict")
	third := b.pw("ann", "POST", "/api/v1/keys/"+second.ID+"/rotate", "").key()
	works(first, 401)
	works(second.Key, 401)
	works(third.Key, 200)
	if m := b.pw("ann", "GET", "/api/v1/keys/"+second.ID, "").want(200).json(); m["state"] != "rotated" {
		t.Errorf("%v", m)
	}
	if m := b.as("app", "POST", "/api/v1/keys/verify", `{"key":"`+second.Key+`"}`).want(200).json(); m["code"] != "REVOKED" {
		t.Errorf("%v", m)
	}
	rows, err := b.store.Audit(t.Context(), idbridge.AuditFilter{User: b.ids["ann"], Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	reuse := 0
	for _, r := range rows {
		if r.Action == "reuse_after_rotation" && r.Result == "refused" {
			reuse++
		}
	}
	if reuse != 3 { // both old keys at the door, and one in /keys/verify
		t.Errorf("no row about the reuse: %+v", rows)
	}
	b.pw("app", "POST", "/api/v1/me/key/rotate", "").problem(401, "unauthenticated")
}

func TestOnce(t *testing.T) {
	b := newBed(t)
	b.person("ann", idbridge.APIKeyGeneration)
	b.person("bob", idbridge.APIKeyGeneration)
	for _, path := range []string{"/me/key", "/keys", "/me/key/rotate"} {
		token := "token " + path
		one := b.pw("ann", "POST", "/api/v1"+path, "", "Idempotency-Key", token)
		two := b.pw("ann", "POST", "/api/v1"+path, "", "Idempotency-Key", token)
		if one.key(); one.body != two.body || two.status != 201 || two.header.Get("ETag") != one.header.Get("ETag") || two.header.Get("Location") != one.header.Get("Location") {
			t.Errorf("%s: %s then %d %s", path, one.body, two.status, two.body)
		}
		b.do("GET", "/api/v1/whoami", "", "X-API-KEY", two.key().Key).want(200)
		if other := b.pw("bob", "POST", "/api/v1"+path, "", "Idempotency-Key", token).key(); other.ID == one.key().ID {
			t.Error("another user's answer")
		}
	}
	b.pw("ann", "POST", "/api/v1/keys", `{"scopes":["users.read"]}`, "Idempotency-Key", "token /keys").problem(422, "invalid")
	b.pw("ann", "POST", "/api/v1/me/key", "", "Idempotency-Key", "token /keys").problem(422, "invalid")
	b.pw("ann", "POST", "/api/v1/me/key", "", "Idempotency-Key", "é").problem(422, "invalid")
	b.pw("ann", "POST", "/api/v1/me/key", "", "Idempotency-Key", strings.Repeat("x", 256)).problem(422, "invalid")
	// A request that failed may be sent again under its token.
	b.person("cid")
	b.pw("cid", "POST", "/api/v1/me/key", "", "Idempotency-Key", "t").problem(403, "forbidden")
	if err := b.store.GrantRole(t.Context(), b.ids["cid"], idbridge.APIKeyGeneration, "", "test"); err != nil {
		t.Fatal(err)
	}
	b.pw("cid", "POST", "/api/v1/me/key", "", "Idempotency-Key", "t").key()
	// The rotation ran once: what it made is still the primary key.
	rotated := b.pw("cid", "POST", "/api/v1/me/key/rotate", `{"overlapSeconds":60}`, "Idempotency-Key", "r").key()
	b.pw("cid", "POST", "/api/v1/me/key/rotate", `{"overlapSeconds":60}`, "Idempotency-Key", "r").key()
	if m := b.pw("cid", "GET", "/api/v1/me/key", "").json(); m["id"] != rotated.ID {
		t.Errorf("%v", m)
	}
}

// TestOnceInAnotherProcess: an answer that this process did not seal is not given, and the work is not done again either.
func TestOnceInAnotherProcess(t *testing.T) {
	b := newBed(t)
	b.person("ann", idbridge.APIKeyGeneration)
	made := b.pw("ann", "POST", "/api/v1/me/key", "", "Idempotency-Key", "t").key()
	other := newBed(t, func(c *httpapi.Config) { c.Store = b.store })
	other.pw("ann", "POST", "/api/v1/me/key", "", "Idempotency-Key", "t").problem(409, "idempotency-replayed")
	b.do("GET", "/api/v1/whoami", "", "X-API-KEY", made.Key).want(200)
}

func TestSwitchAndBulkRevoke(t *testing.T) {
	b := newBed(t)
	b.person("ann", "VIEWER")
	b.person("bob", "VIEWER")
	b.person("boss", idbridge.Admin)
	id := string(b.keys["ann"].ID())
	for range 2 {
		if m := b.pw("ann", "POST", "/api/v1/keys/"+id+"/disable", "").want(200).json(); m["state"] != "disabled" {
			t.Errorf("%v", m)
		}
		b.as("ann", "GET", "/api/v1/whoami", "").problem(401, "unauthenticated")
	}
	b.as("boss", "POST", "/api/v1/keys/"+id+"/enable", "").want(200)
	b.as("ann", "GET", "/api/v1/whoami", "").want(200)
	b.as("boss", "POST", "/api/v1/keys/revoke", `{"reason":"r","dryRun":true}`).problem(422, "invalid")
	b.as("boss", "POST", "/api/v1/keys/revoke", `{"role":"VIEWER","reason":"r"}`).problem(422, "invalid")
	b.as("boss", "POST", "/api/v1/keys/revoke", `{"role":"VIEWER","dryRun":true}`).problem(422, "invalid")
	dry := b.as("boss", "POST", "/api/v1/keys/revoke", `{"role":"VIEWER","reason":"leak","dryRun":true}`).want(200).json()
	if dry["revoked"] != float64(2) || dry["dryRun"] != true {
		t.Errorf("%v", dry)
	}
	b.as("ann", "GET", "/api/v1/whoami", "").want(200)
	wet := b.as("boss", "POST", "/api/v1/keys/revoke", `{"role":"VIEWER","reason":"leak","dryRun":false}`).want(200).json()
	if keys, _ := wet["keys"].([]any); wet["revoked"] != float64(2) || len(keys) != 2 {
		t.Errorf("%v", wet)
	}
	b.as("ann", "GET", "/api/v1/whoami", "").problem(401, "unauthenticated")
	b.as("bob", "GET", "/api/v1/whoami", "").problem(401, "unauthenticated")
	b.as("boss", "POST", "/api/v1/keys/"+id+"/enable", "").problem(409, "conflict")
	b.as("boss", "DELETE", "/api/v1/keys/"+id, "", "If-Match", `"77"`).problem(412, "precondition-failed")
	b.as("boss", "DELETE", "/api/v1/keys/"+id, "").want(204)
}

func TestLeakReports(t *testing.T) {
	b := newBed(t)
	b.person("ann")
	b.person("bob")
	b.newKey("bob")
	gone := b.keys["bob"]
	b.newKey("bob")
	bodies := []string{
		`{"key":"` + b.keys["ann"].Dotted() + `"}`, `{"key":"` + b.keys["bob"].Plain()[:39] + `?"}`, `{"key":"` + gone.Plain() + `"}`, `{"key":7}`, `{`, `[]`, "", `{"key":"nonsense","x":1}`,
		strings.Repeat("x", 20<<10), `{"key":"` + b.keys["ann"].Dotted() + `"}`,
	}
	for _, body := range bodies {
		a := b.do("POST", "/api/v1/keys/report-leak", body, "X-Request-Id", "0123456789abcdef")
		if a.status != 202 || a.body != "{\"status\":\"accepted\"}\n" || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%.40s: %d %s", body, a.status, a.body)
		}
	}
	b.as("ann", "GET", "/api/v1/whoami", "").problem(401, "unauthenticated")
	b.as("bob", "GET", "/api/v1/whoami", "").want(200)
	if !strings.Contains(b.log.String(), "reported as leaked") {
		t.Error("nobody was alerted")
	}
	rows, err := b.store.Audit(t.Context(), idbridge.AuditFilter{User: b.ids["ann"], Limit: 20})
	if err != nil || rows[1].Action != "key.leak" || rows[1].Target != string(b.keys["ann"].ID()) {
		t.Errorf("%+v %v", rows, err)
	}
	limited := false
	for range 200 {
		a := b.do("POST", "/api/v1/keys/report-leak", "{}")
		if limited = limited || a.status == 429; limited {
			if a.problem(429, "rate-limited"); a.header.Get("Retry-After") == "" {
				t.Errorf("%v", a.header)
			}
			break
		}
	}
	if !limited {
		t.Error("no limit")
	}
	b.closeStore()
	down := newBed(t)
	down.closeStore()
	for _, body := range []string{"{", `{"key":"` + b.keys["ann"].Dotted() + `"}`} {
		if a := down.do("POST", "/api/v1/keys/report-leak", body); a.status < 500 {
			t.Errorf("%d: a report must not be lost unseen", a.status)
		}
	}
}

func TestVerifyCodes(t *testing.T) {
	now := time.Now()
	b := newBed(t, func(c *httpapi.Config) {
		c.Now = func() time.Time { return now }
		c.Limits = credential.Limits{PerAddress: 5, FreePerPair: 1000}
	})
	b.person("ann", idbridge.APIKeyGeneration)
	b.service("app", idbridge.SuperConsumer)
	key := b.pw("ann", "POST", "/api/v1/keys", `{"allow":["192.0.2.0/24"],"scopes":["reports"]}`).key()
	code := func(more string) any {
		return b.as("app", "POST", "/api/v1/keys/verify", `{"key":"`+key.Key+`"`+more+`}`).want(200).json()["code"]
	}
	for more, want := range map[string]string{
		`,"ip":"192.0.2.9"`: "VALID", `,"ip":"::ffff:192.0.2.9"`: "VALID", `,"ip":"198.51.100.1"`: "IP_DENIED", ``: "IP_DENIED",
		`,"ip":"192.0.2.9","scope":"other"`: "SCOPE", `,"ip":"192.0.2.9","role":"X"`: "ROLE",
	} {
		if got := code(more); got != want {
			t.Errorf("%s: %v, want %s", more, got, want)
		}
	}
	last := any("")
	for range 10 {
		last = b.as("app", "POST", "/api/v1/keys/verify", `{"key":"nonsense","ip":"203.0.113.7"}`).want(200).json()["code"]
	}
	if last != "RATE_LIMITED" {
		t.Errorf("after ten bad keys from one address: %v", last)
	}
	if got := b.as("app", "POST", "/api/v1/keys/verify", `{"key":"nonsense","ip":"203.0.113.8"}`).json()["code"]; got != "NOT_FOUND" {
		t.Errorf("from another address: %v", got)
	}
}
