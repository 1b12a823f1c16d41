package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
)

func (b *bed) human(name string, roles ...idbridge.Role) idbridge.UserID {
	b.t.Helper()
	u, err := b.store.AddUser(b.t.Context(), idbridge.NewUser{Kind: idbridge.Person, Profile: idbridge.Profile{idbridge.UserName: {name}}, By: "test"})
	if err != nil {
		b.t.Fatal(err)
	}
	return b.adopt(name, u.ID, roles)
}

func TestLocalPasswords(t *testing.T) {
	b := newBed(t)
	b.person("boss", idbridge.Admin)
	ann := b.human("ann")
	b.service("app")
	signIn := func(password string, status int) {
		t.Helper()
		b.do("GET", "/api/v1/whoami", "", "Authorization", basic("ann", password)).want(status)
	}
	set := func(id idbridge.UserID, password string) *answer {
		return b.as("boss", "POST", fmt.Sprintf("/api/v1/users/%d/password", id), fmt.Sprintf(`{"password":%q}`, password))
	}
	signIn("correct horse battery", 401)
	if a := set(ann, "correct horse battery").want(204); a.body != "" {
		t.Error(a.body)
	}
	signIn("correct horse battery", 200)
	signIn("correct horse batterY", 401)
	set(ann, "short").problem(422, "invalid")
	b.as("boss", "POST", fmt.Sprintf("/api/v1/users/%d/password", ann), `{"password":"has\u0007control in it"}`).problem(422, "invalid")
	set(ann, strings.Repeat("x", 257)).problem(422, "invalid")
	set(99999, "correct horse battery").problem(404, "not-found")
	set(b.ids["boss"], "correct horse battery").problem(409, "owned-by-directory")
	if a := set(b.ids["app"], "correct horse battery"); a.status != 422 {
		t.Errorf("a service: %d %s", a.status, a.body)
	}
	mine := func(current, password string) *answer {
		return b.as("ann", "POST", "/api/v1/me/password", fmt.Sprintf(`{"current":%q,"password":%q}`, current, password))
	}
	errs, _ := mine("wrong", "another long one").problem(422, "invalid")["errors"].([]any)
	if first, _ := errs[0].(map[string]any); first["location"] != "body.current" {
		t.Errorf("%v", errs)
	}
	mine("", "another long one").problem(422, "invalid")
	mine("correct horse battery", "another long one").want(204)
	signIn("correct horse battery", 401)
	signIn("another long one", 200)
	b.pw("boss", "POST", "/api/v1/me/password", `{"current":"pw-boss","password":"another long one"}`).problem(409, "owned-by-directory")
	for _, secret := range []string{"correct horse battery", "another long one", "$argon2id$"} {
		if strings.Contains(b.seen.String(), secret) || strings.Contains(b.log.String(), secret) {
			t.Errorf("%s is in an answer or in the log", secret)
		}
	}
}

func TestRevokeSessions(t *testing.T) {
	b := newBed(t)
	b.person("boss", idbridge.Admin)
	ann := b.person("ann")
	for i := range 3 {
		_, err := b.store.NewSession(t.Context(), idbridge.UserSession{User: ann, Surface: "console", How: "password", Digest: []byte(strings.Repeat(fmt.Sprint(i), 32)), Context: fmt.Sprint(i)}, 0)
		if err != nil {
			t.Fatal(err)
		}
	}
	path := fmt.Sprintf("/api/v1/users/%d/revoke-sessions", ann)
	for _, want := range []float64{3, 0} {
		if m := b.as("boss", "POST", path, "").want(200).json(); m["ended"] != want {
			t.Errorf("%v, want %v", m, want)
		}
	}
	b.as("ann", "GET", "/api/v1/whoami", "").want(200) // keys stay
	b.as("boss", "POST", "/api/v1/users/99999/revoke-sessions", "").problem(404, "not-found")
}

func TestApplications(t *testing.T) {
	b := newBed(t)
	b.person("boss", idbridge.Admin)
	a := b.as("boss", "PUT", "/api/v1/applications/Dream%20Team", `{"href":"AAD/applications/3","dbType":"ADG","adgDatabase":"adg1","snapshots":2,"latest":"2026-01-31"}`).want(200)
	want := `{"name":"Dream Team","href":"AAD/applications/3","dbType":"ADG","adgDatabase":"adg1","snapshots":2,"latest":"2026-01-31"}` + "\n"
	if a.body != want {
		t.Error(a.body)
	}
	if a := b.as("boss", "GET", "/api/v1/applications/Dream%20Team", "").want(200); a.body != want {
		t.Error(a.body)
	}
	b.as("boss", "PUT", "/api/v1/applications/Dream%20Team", `{}`).want(200)
	if a := b.as("boss", "GET", "/api/v1/applications", "").want(200); !strings.Contains(a.body, `"dbType":"AAD"`) {
		t.Error(a.body)
	}
	b.as("boss", "PUT", "/api/v1/applications/x", `{"dbType":"XXX"}`).problem(422, "invalid")
	b.as("boss", "PUT", "/api/v1/applications/x", `{"latest":"yesterday"}`).problem(422, "invalid")
	b.as("boss", "PUT", "/api/v1/applications/%20x", `{}`).problem(422, "invalid")
	b.as("boss", "DELETE", "/api/v1/applications/Dream%20Team", "").want(204)
	b.as("boss", "DELETE", "/api/v1/applications/Dream%20Team", "").problem(404, "not-found")
	b.as("boss", "GET", "/api/v1/applications/Dream%20Team", "").problem(404, "not-found")
}

func TestAuditPages(t *testing.T) {
	b := newBed(t)
	b.person("boss", idbridge.Admin)
	ann := b.person("ann")
	for range 5 {
		b.newKey("ann")
	}
	seen := map[float64]bool{}
	last := 1e18
	path := fmt.Sprintf("/api/v1/audit?limit=3&user=%d", ann)
	for range 20 {
		a := b.as("boss", "GET", path, "").want(200)
		items, _ := a.json()["items"].([]any)
		for _, item := range items {
			row, _ := item.(map[string]any)
			id, _ := row["id"].(float64)
			if seen[id] || id >= last || row["user"] != float64(ann) || row["action"] == "" {
				t.Errorf("%v after %v", row, last)
			}
			seen[id], last = true, id
		}
		link := a.header.Get("Link")
		if link == "" {
			break
		}
		link, _, _ = strings.Cut(link, ">")
		path = strings.TrimPrefix(link, "<")
	}
	if len(seen) < 11 { // six keys made, five of them replaced
		t.Errorf("%d rows", len(seen))
	}
	b.as("boss", "GET", "/api/v1/audit?cursor=a2V5czpY", "").problem(400, "malformed")
}
