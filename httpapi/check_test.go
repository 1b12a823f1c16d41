package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
)

func TestCheck(t *testing.T) {
	b := newBed(t, func(c *httpapi.Config) { c.StaleAfter = time.Hour })
	ann := b.person("ann", "VIEWER")
	b.service("app", idbridge.SuperConsumer)
	for _, c := range []struct{ body, reason string }{
		{fmt.Sprintf(`{"user":%d,"role":"VIEWER"}`, ann), "granted"},
		{`{"user":"ANN","role":"VIEWER"}`, "granted"},
		{`{"user":"ann","role":"VIEWER","application":"Dream Team"}`, "granted"},
		{`{"user":"ann","role":"viewer"}`, "no-role"},
		{`{"user":"ann","role":"ADMIN"}`, "no-role"},
		{`{"user":"nobody","role":"VIEWER"}`, "no-user"},
		{`{"user":99999,"role":"VIEWER"}`, "no-user"},
		{`{"key":"` + b.keys["ann"].Plain() + `","role":"VIEWER"}`, "granted"},
		{`{"key":"` + b.keys["ann"].Plain()[:39] + `?","role":"VIEWER"}`, "no-key"},
		{`{"key":"nonsense","role":"VIEWER"}`, "no-key"},
	} {
		m := b.as("app", "POST", "/api/v1/check", c.body).want(200).json()
		if m["reason"] != c.reason || m["allowed"] != (c.reason == "granted") || len(m) != 6 || m["revision"] == float64(0) {
			t.Errorf("%s: %v", c.body, m)
		}
	}
	// About oneself anybody may ask; about others nobody learns whether they exist.
	b.as("ann", "POST", "/api/v1/check", fmt.Sprintf(`{"user":%d,"role":"VIEWER"}`, ann)).want(200)
	b.as("ann", "POST", "/api/v1/check", `{"user":"Ann","role":"X"}`).want(200)
	b.as("ann", "POST", "/api/v1/check", `{"key":"`+b.keys["ann"].Native()+`","role":"X"}`).want(200)
	other := b.as("ann", "POST", "/api/v1/check", `{"user":"app","role":"X"}`, "X-Request-Id", "0123456789abcdef")
	other.problem(403, "forbidden")
	for _, body := range []string{`{"user":"nobody","role":"X"}`, `{"user":99999,"role":"X"}`, `{"key":"nonsense","role":"X"}`, `{"key":"` + b.keys["app"].Plain() + `","role":"X"}`} {
		if a := b.as("ann", "POST", "/api/v1/check", body, "X-Request-Id", "0123456789abcdef"); a.body != other.body || a.status != 403 {
			t.Errorf("%s: %s differs from %s", body, a.body, other.body)
		}
	}
}

func TestMinRevision(t *testing.T) {
	b := newBed(t)
	ann := b.person("ann", "VIEWER")
	b.service("app", idbridge.SuperConsumer)
	ask := func(min int64) *answer {
		return b.as("app", "POST", "/api/v1/check", fmt.Sprintf(`{"user":%d,"role":"VIEWER","minRevision":%d}`, ann, min))
	}
	now, err := b.store.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask(now).want(200)
	ask(now+1000).problem(409, "revision-not-reached")
	done := make(chan *answer, 1)
	go func() { done <- ask(now + 1) }()
	if err := b.store.RevokeRole(t.Context(), ann, "VIEWER", "", "test"); err != nil {
		t.Fatal(err)
	}
	a := <-done
	if m := a.want(200).json(); m["allowed"] != false {
		t.Errorf("at a revision after the revocation: %v", m)
	}
}

func TestVerify(t *testing.T) {
	b := newBed(t)
	b.person("ann", "VIEWER", idbridge.Admin)
	b.service("app", idbridge.SuperConsumer)
	if err := b.store.GrantRole(t.Context(), b.ids["ann"], "EDITOR", "Dream Team", "test"); err != nil {
		t.Fatal(err)
	}
	ask := func(more string) map[string]any {
		return b.as("app", "POST", "/api/v1/keys/verify", `{"key":"`+b.keys["ann"].Native()+`"`+more+`}`).want(200).json()
	}
	m := ask("")
	if m["valid"] != true || m["code"] != "VALID" || m["admin"] != true || fmt.Sprint(m["roles"]) != "[ADMIN VIEWER]" || fmt.Sprint(m["scopes"]) != "[*]" || len(m) != 12 ||
		fmt.Sprint(m["user"]) != fmt.Sprintf("map[id:%d userName:ann]", b.ids["ann"]) {
		t.Errorf("%v", m)
	}
	if m := ask(`,"application":"Dream Team"`); fmt.Sprint(m["roles"]) != "[ADMIN EDITOR VIEWER]" {
		t.Errorf("%v", m)
	}
	for more, code := range map[string]string{
		`,"role":"VIEWER"`: "VALID", `,"role":"OTHER"`: "ROLE", `,"role":"EDITOR"`: "ROLE", `,"role":"EDITOR","application":"Dream Team"`: "VALID", `,"scope":"keys.verify"`: "VALID",
		`,"ip":"192.0.2.1"`: "VALID",
	} {
		if m := ask(more); m["code"] != code {
			t.Errorf("%s: %v", more, m)
		}
	}
	b.newKey("ann", "users.read")
	if m := ask(`,"scope":"keys.verify"`); m["code"] != "SCOPE" || len(m) != 4 {
		t.Errorf("%v", m)
	}
	if err := b.store.SetKeyEnabled(t.Context(), b.keys["ann"].ID(), false, "test"); err != nil {
		t.Fatal(err)
	}
	if m := ask(""); m["code"] != "DISABLED" || len(m) != 4 {
		t.Errorf("%v", m)
	}
	if err := b.store.SetKeyEnabled(t.Context(), b.keys["ann"].ID(), true, "test"); err != nil {
		t.Fatal(err)
	}
	if m := ask(""); m["code"] != "VALID" {
		t.Errorf("%v", m)
	}
	plain := b.keys["ann"].Plain()
	for _, bad := range []string{plain[:39], plain + "0", plain[8:] + plain[:8], strings.Repeat("0", 40), "", "x", plain[:39] + "!"} {
		a := b.as("app", "POST", "/api/v1/keys/verify", `{"key":"`+bad+`"}`)
		if bad == "" {
			a.problem(422, "invalid")
			continue
		}
		if m := a.want(200).json(); m["code"] != "NOT_FOUND" || len(m) != 4 {
			t.Errorf("%s: %v", bad, m)
		}
	}
}

// TestStrictBodies sends every sort of bad body to a hot route and to a huma route.
func TestStrictBodies(t *testing.T) {
	b := newBed(t)
	b.person("boss", idbridge.Admin)
	type row struct {
		body   string
		status int
		code   string
	}
	rows := []row{
		{`{`, 400, "malformed"}, {`{"X":1,"X":2}`, 400, "malformed"}, {`{"X":1,"x":2}`, 400, "malformed"}, {`{"\u0058":1,"x":2}`, 400, "malformed"}, {`{} {}`, 400, "malformed"},
		{`{}x`, 400, "malformed"}, {"{\"a\":\"\xff\"}", 400, "malformed"}, {`{"a":"\ud800"}`, 400, "malformed"}, {`{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, 400, "malformed"},
		{`{'a':1}`, 400, "malformed"}, {`{"a":NaN}`, 400, "malformed"}, {"\ufeff{}", 400, "malformed"}, {`{"nosuch":1}`, 422, "invalid"}, {`{"ROLE":"x"}`, 422, "invalid"},
	}
	for _, path := range []string{"/api/v1/check", "/api/v1/keys/verify", "/api/v1/users", "/api/v1/directories/corp/sync"} {
		for _, r := range rows {
			b.as("boss", "POST", path, r.body).problem(r.status, r.code)
		}
		for _, ct := range []string{"", "text/plain", "application/xml", "application/json; charset=latin1", "application/merge-patch+json", "application/json;", "x"} {
			a := b.as("boss", "POST", path, `{"nosuch":1}`, "Content-Type", ct)
			if ct == "application/json;" {
				a.problem(422, "invalid")
				continue
			}
			a.problem(415, "unsupported-media-type")
		}
		b.as("boss", "POST", path, `{"nosuch":1}`, "Content-Type", "application/json; charset=UTF-8").problem(422, "invalid")
		b.as("boss", "POST", path, `{"nosuch":"`+strings.Repeat("a", 2<<20)+`"}`).problem(413, "too-large")
	}
	for _, path := range []string{"/api/v1/check", "/api/v1/keys/verify", "/api/v1/users"} {
		b.as("boss", "POST", path, "").problem(400, "malformed")
		if a := b.as("boss", "POST", path, `[]`); a.status != 400 && a.status != 422 {
			t.Errorf("%s []: %d", path, a.status)
		}
	}
	for _, body := range []string{
		`{"role":"X"}`, `{"user":1}`, `{"user":1,"key":"x","role":"X"}`, `{"user":0,"role":"X"}`, `{"user":-1,"role":"X"}`, `{"user":1.5,"role":"X"}`, `{"user":9007199254740992,"role":"X"}`,
		`{"user":null,"role":"X"}`, `{"user":"","role":"X"}`, `{"user":[1],"role":"X"}`, `{"user":1,"role":""}`, `{"user":1,"role":5}`, `{"user":1,"role":"X","minRevision":-1}`,
		`{"user":1,"role":"X","minRevision":"1"}`, `{"user":1,"role":"` + strings.Repeat("x", 1025) + `"}`,
	} {
		b.as("boss", "POST", "/api/v1/check", body).problem(422, "invalid")
	}
	b.as("boss", "POST", "/api/v1/keys/verify", `{"key":"x","ip":"nonsense"}`).problem(422, "invalid")
	b.as("boss", "POST", "/api/v1/check?explain=1", `{"user":1,"role":"X"}`).problem(422, "invalid")
}
