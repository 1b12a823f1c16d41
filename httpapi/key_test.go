package httpapi_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/idbridge/idbridge"
)

func TestKeyLifecycle(t *testing.T) {
	b := newBed(t)
	b.person("ann", idbridge.APIKeyGeneration)
	b.person("cons", idbridge.SuperConsumer)
	old := b.keys["ann"]
	a := b.pw("ann", "POST", "/api/v1/me/key", "").want(201)
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Location") != "/api/v1/me/key" {
		t.Errorf("headers %v", a.header)
	}
	var made struct {
		ID, Key, State string
		Renderings     struct{ Native, Dotted, Plain string }
		Scopes         []string
	}
	if err := json.Unmarshal([]byte(a.body), &made); err != nil {
		t.Fatal(err)
	}
	for pattern, got := range map[string]string{
		`^idb_[A-Za-z0-9]{8}_[A-Za-z0-9]{32}$`: made.Renderings.Native, `^[A-Za-z0-9]{8}\.[A-Za-z0-9]{32}$`: made.Renderings.Dotted, `^[A-Za-z0-9]{40}$`: made.Renderings.Plain,
	} {
		if !regexp.MustCompile(pattern).MatchString(got) {
			t.Errorf("%s does not match %s", got, pattern)
		}
		b.do("GET", "/api/v1/whoami", "", "X-API-KEY", got).want(200)
		b.do("GET", "/api/v1/whoami", "", "Authorization", "Bearer "+got).want(200)
		b.do("GET", "/api/v1/whoami", "", "Authorization", basic("ann", got)).want(200)
		v := b.as("cons", "POST", "/api/v1/keys/verify", `{"key":"`+got+`"}`).want(200).json()
		if v["valid"] != true || v["keyId"] != made.ID {
			t.Errorf("%v", v)
		}
	}
	if made.Key != made.Renderings.Native || made.State != "active" || !slices.Equal(made.Scopes, []string{"*"}) {
		t.Errorf("%+v", made)
	}
	b.do("GET", "/api/v1/whoami", "", "X-API-KEY", old.Plain()).problem(401, "unauthenticated")
	if v := b.as("cons", "POST", "/api/v1/keys/verify", `{"key":"`+old.Plain()+`"}`).json(); v["code"] != "REVOKED" {
		t.Errorf("the replaced key: %v", v)
	}
	shown := b.pw("ann", "GET", "/api/v1/me/key", "").want(200)
	if strings.Contains(shown.body, made.Renderings.Plain[8:]) || shown.json()["id"] != made.ID {
		t.Errorf("%s", shown.body)
	}
	b.pw("ann", "GET", "/api/v1/me/key", "", "If-None-Match", shown.header.Get("ETag")).want(304)
	b.pw("ann", "DELETE", "/api/v1/me/key", "", "If-Match", `"999"`).problem(412, "precondition-failed")
	b.pw("ann", "DELETE", "/api/v1/me/key", "", "If-Match", shown.header.Get("ETag")).want(204)
	b.pw("ann", "GET", "/api/v1/me/key", "").problem(404, "not-found")
	b.pw("ann", "DELETE", "/api/v1/me/key", "").problem(404, "not-found")
	b.do("GET", "/api/v1/whoami", "", "X-API-KEY", made.Key).problem(401, "unauthenticated")
}

func TestMintingRules(t *testing.T) {
	b := newBed(t)
	b.person("plain")
	b.person("maker", idbridge.APIKeyGeneration)
	b.person("admin", idbridge.Admin)
	b.pw("plain", "POST", "/api/v1/me/key", "").problem(403, "forbidden")
	b.pw("maker", "POST", "/api/v1/me/key", `{}`).want(201)
	b.pw("maker", "POST", "/api/v1/me/key", `{"scopes":["*"]}`).problem(422, "invalid")
	b.pw("admin", "POST", "/api/v1/me/key", "").want(201)
	b.newKey("admin")
	b.as("admin", "POST", "/api/v1/me/key", "").problem(403, "key-cannot-mint")
	b.newKey("admin", "keys.admin", "users.read")
	m := b.as("admin", "POST", "/api/v1/me/key", "").want(201).json()
	if fmt.Sprint(m["scopes"]) != "[keys.admin users.read]" {
		t.Errorf("a new key has what its maker's had: %v", m["scopes"])
	}
	b.service("app", idbridge.APIKeyGeneration)
	b.newKey("app", "keys.admin")
	b.as("app", "POST", "/api/v1/me/key", "").want(201) // a service needs no name and no e-mail
}

func TestProfileIncomplete(t *testing.T) {
	b := newBed(t)
	all := []idbridge.Attribute{idbridge.GivenName, idbridge.FamilyName, idbridge.Email}
	for mask := range 8 {
		name := fmt.Sprintf("u%d", mask)
		profile := idbridge.Profile{idbridge.UserName: {name}}
		var want []string
		for i, a := range all {
			switch {
			case mask&(1<<i) == 0:
				profile[a] = idbridge.Values{"x" + name + "@example.org"}
				continue
			case i == 0:
				profile[a] = idbridge.Values{"   "}
			case i == 1:
				profile[a] = idbridge.Values{}
			}
			want = append(want, string(a))
		}
		b.personWith(name, profile, idbridge.APIKeyGeneration)
		a := b.pw(name, "POST", "/api/v1/me/key", "")
		if mask == 0 {
			a.want(201)
			continue
		}
		m := a.problem(409, "profile-incomplete")
		if fmt.Sprint(m["missing"]) != fmt.Sprint(want) {
			t.Errorf("missing %v, want %v", m["missing"], want)
		}
		me := b.pw(name, "GET", "/api/v1/me", "").json()
		if me["canGenerateKey"] != false || fmt.Sprint(me["missing"]) != fmt.Sprint(want) {
			t.Errorf("me says %v %v", me["canGenerateKey"], me["missing"])
		}
	}
	// A field that is emptied later does not harm the key.
	b.person("late", idbridge.APIKeyGeneration)
	b.as("late", "PATCH", "/api/v1/me", `{"email":null}`).want(200)
	b.as("late", "GET", "/api/v1/whoami", "").want(200)
}

func TestConcurrentGenerations(t *testing.T) {
	b := newBed(t)
	b.person("ann", idbridge.APIKeyGeneration)
	var wg sync.WaitGroup
	keys := make([]string, 20)
	for i := range keys {
		wg.Go(func() {
			a := b.pw("ann", "POST", "/api/v1/me/key", "")
			if a.status == 201 {
				keys[i], _ = a.json()["key"].(string)
			} else {
				t.Errorf("generation: %d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	valid := 0
	for _, k := range keys {
		if b.do("GET", "/api/v1/whoami", "", "X-API-KEY", k).status == 200 {
			valid++
		}
	}
	if valid != 1 {
		t.Errorf("%d of 20 keys are valid, want 1\n%s", valid, b.log.String())
	}
}

func TestKeyDiesWithItsOwnersAccess(t *testing.T) {
	b := newBed(t)
	b.person("ann", idbridge.Admin)
	b.person("boss", idbridge.Admin)
	refused := func(code string) {
		t.Helper()
		b.as("ann", "GET", "/api/v1/whoami", "").problem(401, "unauthenticated")
		b.pw("ann", "GET", "/api/v1/whoami", "").problem(401, "unauthenticated")
		v := b.as("boss", "POST", "/api/v1/keys/verify", `{"key":"`+b.keys["ann"].Dotted()+`"}`).want(200).json()
		if v["valid"] != false || v["code"] != code || len(v) != 4 {
			t.Errorf("%v", v)
		}
		c := b.as("boss", "POST", "/api/v1/check", `{"user":"ann","role":"ADMIN"}`).want(200).json()
		if c["allowed"] != false {
			t.Errorf("%v", c)
		}
		c = b.as("boss", "POST", "/api/v1/check", `{"key":"`+b.keys["ann"].Dotted()+`","role":"ADMIN"}`).want(200).json()
		if c["allowed"] != false {
			t.Errorf("%v", c)
		}
		b.as("boss", "GET", fmt.Sprintf("/api/v1/users/%d/roles/ADMIN", b.ids["ann"]), "").want(404)
	}
	let := func() {
		t.Helper()
		b.as("ann", "GET", "/api/v1/whoami", "").want(200)
		if c := b.as("boss", "POST", "/api/v1/check", `{"user":"ann","role":"ADMIN"}`).json(); c["allowed"] != true {
			t.Errorf("%v", c)
		}
		b.as("boss", "GET", fmt.Sprintf("/api/v1/users/%d/roles/ADMIN", b.ids["ann"]), "").want(204)
	}
	let()
	b.suspendByRun("ann")
	refused("USER_DISABLED")
	b.restoreByRun("ann")
	let()
	path := fmt.Sprintf("/api/v1/users/%d", b.ids["ann"])
	b.as("boss", "POST", path+"/suspend", `{"reason":"left"}`).want(200)
	refused("USER_DISABLED")
	b.as("boss", "POST", path+"/resume", "").want(200)
	let()
	u := b.as("boss", "GET", path, "").want(200)
	b.as("boss", "DELETE", path, "", "If-Match", u.header.Get("ETag")).want(204)
	b.as("ann", "GET", "/api/v1/whoami", "").problem(401, "unauthenticated")
	b.as("boss", "GET", path, "").problem(404, "not-found")
}
