package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
)

func TestUserETags(t *testing.T) {
	b := newBed(t)
	b.person("boss", idbridge.Admin)
	path := fmt.Sprintf("/api/v1/users/%d", b.person("ann"))
	u := b.as("boss", "GET", path, "").want(200)
	tag := u.header.Get("ETag")
	b.as("boss", "GET", path, "", "If-None-Match", tag).want(304)
	b.as("boss", "GET", path, "", "If-None-Match", `"x", W/`+tag).want(304)
	b.as("boss", "GET", path, "", "If-None-Match", `"x"`).want(200)
	patch := `{"profile":{"title":"Dr"}}`
	b.as("boss", "PATCH", path, patch).problem(428, "precondition-required")
	b.as("boss", "DELETE", path, "").problem(428, "precondition-required")
	b.as("boss", "PATCH", path, patch, "If-Match", `"0"`).problem(412, "precondition-failed")
	b.as("boss", "PATCH", path, patch, "If-Match", "W/"+tag).problem(412, "precondition-failed")
	done := b.as("boss", "PATCH", path, patch, "If-Match", tag, "Content-Type", "application/merge-patch+json").want(200)
	if done.header.Get("ETag") == tag || !strings.Contains(done.body, `"title":["Dr"]`) {
		t.Errorf("%v %s", done.header, done.body)
	}
	b.as("boss", "PATCH", path, patch, "If-Match", tag).problem(412, "precondition-failed")
	b.as("boss", "DELETE", path, "", "If-Match", tag).problem(412, "precondition-failed")
	b.as("boss", "PATCH", path, `{"profile":{"title":null}}`, "If-Match", "*").want(200)
	b.as("ann", "PATCH", "/api/v1/me", `{"title":"x"}`, "If-Match", tag).problem(412, "precondition-failed")
	b.as("boss", "GET", "/api/v1/users/99999", "").problem(404, "not-found")
	b.as("boss", "GET", "/api/v1/users/0", "").problem(422, "invalid")
	b.as("boss", "GET", "/api/v1/users/ann", "").problem(422, "invalid")
	b.as("boss", "GET", "/api/v1/users/9007199254740992", "").problem(422, "invalid")
}

func TestUsers(t *testing.T) {
	b := newBed(t)
	b.person("boss", idbridge.Admin)
	a := b.as("boss", "POST", "/api/v1/users", `{"kind":"service","profile":{"userName":"robot"}}`).want(201)
	path := a.header.Get("Location")
	b.as("boss", "GET", path, "").want(200)
	b.as("boss", "POST", "/api/v1/users", `{"profile":{"userName":"ROBOT"}}`).problem(409, "exists")
	for _, body := range []string{
		`{"profile":{}}`, `{"profile":{"userName":""}}`, `{"profile":{"userName":null}}`, `{"profile":{"userName":["a","b"]}}`, `{"profile":{"userName":"a/b"}}`,
		`{"profile":{"userName":".."}}`, `{"profile":{"userName":"a b"}}`, `{"profile":{"userName":"x","active":"false"}}`, `{"profile":{"userName":"x","nosuch":"1"}}`,
		`{"profile":{"userName":"x","email":"no"}}`, `{"profile":{"userName":"x","email":"a@b@c"}}`, `{"profile":{"userName":"x","givenName":"a\u0000b"}}`,
		`{"profile":{"userName":"x","givenName":"\u001b[31m"}}`, `{"profile":{"userName":"x","title":["a","b"]}}`, `{"kind":"admin","profile":{"userName":"x"}}`,
		`{"profile":{"userName":"x"},"roles":["ADMIN"]}`, `{"profile":{"userName":"x"},"suspended":true}`, `{"profile":{"userName":5}}`, `{"Profile":{"userName":"x"}}`, `{}`,
		`{"profile":{"userName":"x","givenName":"` + strings.Repeat("a", 1025) + `"}}`, `{"profile":[]}`, `[]`,
	} {
		b.as("boss", "POST", "/api/v1/users", body).problem(422, "invalid")
	}
	for i := range 7 {
		b.as("boss", "POST", "/api/v1/users", fmt.Sprintf(`{"profile":{"userName":"CORP\\user%d","email":["a%d@example.org","b%d@example.org"]}}`, i, i, i)).want(201)
	}
	got, pages := []string{}, 0
	next := "/api/v1/users?limit=3&q=user"
	for next != "" {
		a := b.as("boss", "GET", next, "").want(200)
		items, _ := a.json()["items"].([]any)
		for _, item := range items {
			m, _ := item.(map[string]any)
			got = append(got, fmt.Sprint(m["userName"]))
		}
		next = ""
		if link := a.header.Get("Link"); link != "" {
			next = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		}
		if pages++; pages > 5 {
			t.Fatal("pages without end")
		}
	}
	if len(got) != 7 || pages != 3 {
		t.Errorf("%d users on %d pages: %v", len(got), pages, got)
	}
	b.as("boss", "GET", "/api/v1/users?limit=0", "").problem(422, "invalid")
	b.as("boss", "GET", "/api/v1/users?limit=501", "").problem(422, "invalid")
	b.as("boss", "GET", "/api/v1/users?nosuch=1", "").problem(422, "invalid")
	b.as("boss", "GET", "/api/v1/users?limit=1&limit=2", "").problem(400, "malformed")
	b.as("boss", "GET", "/api/v1/users?cursor=abc", "").problem(400, "malformed")
	b.as("boss", "GET", "/api/v1/runs?cursor=dXNlcnM6MQ", "").problem(400, "malformed") // a cursor of another list
}

func TestLastAdmin(t *testing.T) {
	b := newBed(t)
	path := fmt.Sprintf("/api/v1/users/%d", b.person("boss", idbridge.Admin))
	b.as("boss", "POST", path+"/suspend", "").problem(409, "last-admin")
	b.as("boss", "DELETE", path, "", "If-Match", "*").problem(409, "last-admin")
	b.as("boss", "DELETE", fmt.Sprintf("/api/v1/roles/ADMIN/members/%d", b.ids["boss"]), "").problem(409, "last-admin")
	b.as("boss", "GET", "/api/v1/whoami", "").want(200)
}

func TestRoles(t *testing.T) {
	b := newBed(t)
	b.person("boss", idbridge.Admin)
	ann := b.person("ann")
	group := idbridge.ExternalID{Directory: "corp", ID: "g1"}
	b.commit(idbridge.Decision{
		ID: group, Name: "cn=viewers", Group: &idbridge.GroupSeen{Name: "cn=viewers", Digest: idbridge.Digest{1}, Members: 1},
		Steps: []idbridge.Step{{
			ID: corpID("ann"), User: ann, Side: idbridge.StoreSide, Verb: idbridge.Join, Group: group,
			Grants: []idbridge.Grant{{User: ann, Role: "VIEWER", Directory: "corp", Group: "g1", GroupName: "cn=viewers"}},
		}},
	})
	member := func(role string) string { return fmt.Sprintf("/api/v1/roles/%s/members/%d", role, ann) }
	check := func(role, application string) bool {
		t.Helper()
		body := fmt.Sprintf(`{"user":%d,"role":%q,"application":%q}`, ann, role, application)
		return b.as("boss", "POST", "/api/v1/check", body).want(200).json()["allowed"] == true
	}
	if !check("VIEWER", "") {
		t.Fatal("the directory's grant is not seen")
	}
	b.as("boss", "DELETE", member("VIEWER"), "").problem(409, "owned-by-directory")
	b.as("boss", "PUT", member("EDITOR")+"?application=Dream%20Team", "").want(204)
	b.as("boss", "PUT", member("EDITOR")+"?application=Dream%20Team", "").want(204)
	if check("EDITOR", "") || !check("EDITOR", "Dream Team") || check("EDITOR", "Other") {
		t.Error("a role on an application holds there alone")
	}
	m := b.as("boss", "GET", "/api/v1/roles/VIEWER/members", "").want(200)
	if !strings.Contains(m.body, `"origin":"corp"`) || !strings.Contains(m.body, `"group":"cn=viewers"`) {
		t.Errorf("%s", m.body)
	}
	b.as("boss", "DELETE", member("EDITOR"), "").problem(404, "not-found") // not everywhere
	b.as("boss", "DELETE", member("EDITOR")+"?application=Dream%20Team", "").want(204)
	if check("EDITOR", "Dream Team") {
		t.Error("the role is still there")
	}
	b.as("boss", "PUT", "/api/v1/roles/X/members/99999", "").problem(404, "not-found")
	if m := b.as("boss", "GET", "/api/v1/roles/SUPER_CONSUMER", "").want(200).json(); m["users"] != float64(0) || m["builtin"] != true {
		t.Errorf("%v", m)
	}
	if m := b.as("boss", "GET", "/api/v1/roles/ADMIN", "").want(200).json(); m["users"] != float64(1) || m["role"] != "ADMIN" {
		t.Errorf("%v", m)
	}
	b.as("boss", "GET", "/api/v1/roles/ADMIN?application=Wiki", "").problem(404, "not-found")
	b.as("boss", "GET", "/api/v1/roles/nobody", "").problem(404, "not-found")
	b.as("boss", "PUT", fmt.Sprintf("/api/v1/roles/%%0aX/members/%d", ann), "").problem(404, "not-found")
	roles := b.as("boss", "GET", "/api/v1/roles", "").want(200)
	for _, want := range []string{`"role":"ADMIN","users":1,"builtin":true`, `"role":"VIEWER","users":1,"builtin":false`, `"role":"SUPER_CONSUMER","users":0,"builtin":true`} {
		if !strings.Contains(roles.body, want) {
			t.Errorf("%s is not in %s", want, roles.body)
		}
	}
}
