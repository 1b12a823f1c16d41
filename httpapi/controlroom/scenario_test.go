package controlroom_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
)

// TestScenario is the story of a client: login, validate, refresh in three ways, logout; on both databases.
func TestScenario(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		b.person("Bob", idbridge.APIKeyGeneration, "VIEWER")
		b.local("eve")
		first := b.do("POST", login, object("username", "bob", "apiKey", b.keys["Bob"].Plain())).want(200).golden("login-key").token()
		b.do("POST", "/v2/authentication", object("username", "eve", "password", "pw-eve")).want(200).golden("login-password")

		b.do("GET", tokens+"?token="+first, "").want(200).golden("valid")
		b.do("GET", "/v2/authentication/token", "", "X-Authorization", first).want(200).golden("valid")
		b.do("GET", tokens+"?token="+first, "", "X-Authorization", first, "Authorization", "bearer "+first).want(200).golden("valid")
		b.do("GET", tokens+"?token=garbage", "").want(200).golden("invalid")

		second := b.do("POST", tokens, object("token", first)).want(200).golden("refresh").token()
		third := b.do("POST", tokens, `{}`, "X-Authorization", second).token()
		fourth := b.do("POST", "/v2/authentication/token", "", "X-Authorization", first).token()
		fifth := b.do("POST", tokens, object("TOKEN", first), "Authorization", "Bearer "+first).token()
		all := []string{first, second, third, fourth, fifth}
		for _, one := range all {
			if !b.valid(one) {
				t.Fatal("a refresh ended a token")
			}
		}
		if slices.Sort(all); len(slices.Compact(slices.Clone(all))) != 5 {
			t.Fatal("a refresh gave the same token again")
		}
		other := b.byKey("Bob")
		b.do("POST", logout, "no JSON at all", "X-Authorization", third, "Content-Type", "text/plain").want(204).golden("logout")
		for _, one := range all {
			if b.valid(one) {
				t.Fatal("a token outlived its session")
			}
		}
		if !b.valid(other) {
			t.Fatal("a logout ended another session")
		}
		b.do("POST", logout, "", "X-Authorization", first).golden("dead").code(401, "UM1117")
		b.do("POST", tokens, object("token", first)).golden("dead").code(401, "UM1117")
		b.do("POST", logout, "", "Authorization", "Bearer "+other).want(204)
	})
}

func decode(t *testing.T, part string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestToken(t *testing.T) {
	b := newBed(t)
	b.person("bob", idbridge.APIKeyGeneration)
	parts := strings.Split(b.byKey("bob"), ".")
	if raw, _ := base64.RawURLEncoding.DecodeString(parts[0]); string(raw) != `{"alg":"RS512"}` {
		t.Errorf("header %s", raw)
	}
	claims := decode(t, parts[1])
	names := slices.Sorted(maps.Keys(claims))
	want := []string{"analyticsLicensesPurchased", "clientType", "csrfToken", "exp", "iat", "iss", "jti", "licenses", "nanoTime", "sid", "sub"}
	if !slices.Equal(names, want) {
		t.Errorf("%v", names)
	}
	if claims["exp"].(float64)-claims["iat"].(float64) != 1200 || claims["iss"] != "AutomationAnywhere" || claims["sub"] != "1" || claims["clientType"] != "WEB" {
		t.Errorf("%v", claims)
	}
}

func TestUserObject(t *testing.T) {
	b := newBed(t)
	b.person("bob", idbridge.APIKeyGeneration)
	b.local("eve")
	b.local("boss", idbridge.Admin)
	const members = "id email username domain firstName lastName version principalId deleted roles sysAssignedRoles groupNames permissions licenseFeatures " +
		"emailVerified passwordSet questionsSet enableAutoLogin disabled clientRegistered description createdBy createdOn updatedBy updatedOn publicKey appType routingName appUrl"
	for _, name := range []string{"bob", "eve", "boss"} {
		a := b.do("POST", login, object("username", name, "password", "pw-"+name)).want(200)
		var v struct{ User map[string]any }
		if err := json.Unmarshal([]byte(a.body), &v); err != nil {
			t.Fatal(err)
		}
		got := slices.Sorted(maps.Keys(v.User))
		want := strings.Fields(members)
		if slices.Sort(want); len(got) != 29 || !slices.Equal(got, want) {
			t.Errorf("%s: %d members: %v", name, len(got), got)
		}
		created, ok := v.User["createdOn"].(string)
		if _, err := time.Parse("2006-01-02T15:04:05-07:00", created); !ok || err != nil || strings.HasSuffix(created, "Z") {
			t.Errorf("createdOn %v", v.User["createdOn"])
		}
		if v.User["id"] != float64(b.ids[name]) || v.User["principalId"] != v.User["id"] || v.User["passwordSet"] != true {
			t.Errorf("%v", v.User)
		}
	}
}

// TestSessions walks the rules of several sessions of one user.
func TestSessions(t *testing.T) {
	b := newBed(t)
	b.person("bob", idbridge.APIKeyGeneration)
	key1, key2 := b.byKey("bob"), b.byKey("bob")
	multi := b.byPassword("bob", "multipleLogin", true)
	first := b.byPassword("bob")
	again := b.do("POST", tokens, object("token", first)).token()
	second := b.byPassword("BOB", "MULTIPLELOGIN", false, "multiLogin", true, "mfaCode", "123456")
	for _, one := range []string{first, again} {
		if b.valid(one) {
			t.Error("a single session outlived the next one")
		}
		b.do("POST", tokens, object("token", one)).golden("twice").code(401, "UM1114")
		b.do("POST", logout, "", "X-Authorization", one).code(401, "UM1114")
	}
	for _, one := range []string{key1, key2, multi, second} {
		if !b.valid(one) {
			t.Error("a session ended that should not")
		}
	}
	b.do("POST", logout, "", "X-Authorization", key1).want(204)
	if b.valid(key1) || !b.valid(key2) || !b.valid(multi) || !b.valid(second) {
		t.Error("a logout ended the wrong sessions")
	}
	b.local("eve")
	b.byPassword("eve")
	if !b.valid(second) {
		t.Error("a login of another user ended a session")
	}
}

// TestEnds holds that a token dies with its user's access and with the key that began its session, on the next request, and
// lives when the user loses the permission that only the login needs.
func TestEnds(t *testing.T) {
	b := newBed(t)
	ctx := context.Background()
	b.person("bob", idbridge.APIKeyGeneration)
	b.local("eve", idbridge.APIKeyGeneration)
	one, two := b.byKey("bob"), b.byPassword("eve")
	if err := b.store.RevokeRole(ctx, b.ids["bob"], idbridge.APIKeyGeneration, "", "test"); err != nil {
		t.Fatal(err)
	}
	if !b.valid(one) {
		t.Error("a lost permission ended a session")
	}
	b.do("POST", login, object("username", "bob", "apiKey", b.keys["bob"].Plain())).code(401, "UM1110")
	b.suspendByRun("bob")
	if b.valid(one) {
		t.Error("a token outlived its user's access")
	}
	b.do("POST", tokens, object("token", one)).code(401, "UM1117")
	if err := b.store.SetSuspended(ctx, b.ids["eve"], true, "test", ""); err != nil {
		t.Fatal(err)
	}
	b.do("POST", tokens, "", "X-Authorization", two).code(401, "UM1117")
	if err := b.store.SetSuspended(ctx, b.ids["eve"], false, "test", ""); err != nil {
		t.Fatal(err)
	}
	if b.valid(two) {
		t.Error("a session came back with its user")
	}
	three := b.byKey("eve")
	if err := b.store.RevokeKey(ctx, b.keys["eve"].ID(), "test", "leaked"); err != nil {
		t.Fatal(err)
	}
	if b.valid(three) {
		t.Error("a token outlived the key that began its session")
	}
}
