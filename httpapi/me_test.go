package httpapi_test

import (
	"context"
	"errors"
	"testing"

	"github.com/idbridge/idbridge"
)

// field returns one field of /me.
func field(t *testing.T, a *answer, name string) map[string]any {
	t.Helper()
	profile, _ := a.json()["profile"].(map[string]any)
	f, ok := profile[name].(map[string]any)
	if !ok {
		t.Fatalf("no %s in %s", name, a.body)
	}
	return f
}

func TestMe(t *testing.T) {
	b := newBed(t)
	b.person("ann")
	b.service("robot")
	a := b.as("ann", "GET", "/api/v1/me", "").want(200)
	want := map[string]map[string]any{
		"userName":    {"value": "ann", "origin": "corp", "writable": false, "mayBeOverwritten": true},
		"email":       {"value": "ann@example.org", "origin": "corp", "writable": true, "mayBeOverwritten": false},
		"displayName": {"value": "ann D.", "origin": "corp", "writable": true, "mayBeOverwritten": true},
		"phone":       {"value": nil, "origin": "local", "writable": true, "mayBeOverwritten": false},
		"title":       {"value": nil, "origin": "local", "writable": true, "mayBeOverwritten": false},
	}
	for name, w := range want {
		got := field(t, a, name)
		for k, v := range w {
			if got[k] != v {
				t.Errorf("%s.%s is %v, want %v", name, k, got[k], v)
			}
		}
		if _, ok := got["sync"]; ok {
			t.Errorf("%s reports sync without an edit", name)
		}
	}
	m := a.json()
	if m["canGenerateKey"] != false || m["active"] != true || m["admin"] != false || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s", a.body)
	}
	if got := field(t, b.as("robot", "GET", "/api/v1/me", "").want(200), "userName"); got["origin"] != "local" || got["mayBeOverwritten"] != false {
		t.Errorf("%v", got)
	}
}

// TestPatchMe follows one edit through each of its three ends.
func TestPatchMe(t *testing.T) {
	b := newBed(t)
	ann := b.person("ann")
	patch := `{"email":"new@example.org","displayName":"Ann","phone":["+33 1","+33 2"],"title":"Dr"}`
	// The directory takes it: the step goes out, is acknowledged, and the base moves.
	b.push.do = func(ctx context.Context, user idbridge.UserID) error {
		u, err := b.store.User(ctx, user)
		if err != nil || u.Profile[idbridge.Email].First() != "new@example.org" {
			return errors.New("the edit is not stored before the push")
		}
		link, v := b.read("ann")
		after := idbridge.Profile{idbridge.Email: u.Profile[idbridge.Email], "phone": u.Profile["phone"]}
		out, err := b.store.Commit(ctx, b.lead, []idbridge.Decision{{
			ID: link.ID, User: user, Name: "ann", Situation: idbridge.Updated, Read: v,
			Steps: []idbridge.Step{{ID: link.ID, User: user, Side: idbridge.DirectorySide, Verb: idbridge.Update, Before: idbridge.Profile{}, After: after}},
		}})
		if err != nil {
			return err
		}
		return b.store.Settle(ctx, b.lead, []idbridge.Settlement{{Sent: out[0].Sent, ID: link.ID, How: idbridge.SentSettled, Base: after}})
	}
	a := b.as("ann", "PATCH", "/api/v1/me", patch, "Content-Type", "application/merge-patch+json").want(200)
	for name, want := range map[string]string{"email": "written", "phone": "written", "displayName": "local", "title": "local"} {
		if got := field(t, a, name)["sync"]; got != want {
			t.Errorf("%s: %v, want %s: %s", name, got, want, a.body)
		}
	}
	if got := field(t, a, "displayName"); got["origin"] != "local" || got["mayBeOverwritten"] != true {
		t.Errorf("an override of what the directory owns: %v", got)
	}
	// The directory is down: the edit is kept.
	b.push.do = func(context.Context, idbridge.UserID) error {
		return &idbridge.Error{Kind: idbridge.Unavailable, Msg: "directory down"}
	}
	a = b.as("ann", "PATCH", "/api/v1/me", `{"email":"third@example.org"}`).want(200)
	if got := field(t, a, "email"); got["sync"] != "pending" || got["value"] != "third@example.org" {
		t.Errorf("%v", got)
	}
	u, err := b.store.User(t.Context(), ann)
	if err != nil || u.Profile[idbridge.Email].First() != "third@example.org" {
		t.Errorf("%v %v", u.Profile, err)
	}
	if edits, err := b.store.Pending(t.Context(), ann); err != nil || len(edits) == 0 {
		t.Errorf("the edit is not on its way: %v %v", edits, err)
	}
	// The directory is slow: the answer does not wait for ever.
	b.push.do = func(ctx context.Context, _ idbridge.UserID) error { <-ctx.Done(); return ctx.Err() }
	a = b.as("ann", "PATCH", "/api/v1/me", `{"email":"fourth@example.org"}`).want(200)
	if got := field(t, a, "email")["sync"]; got != "pending" {
		t.Errorf("%v", got)
	}
	a = b.as("ann", "PATCH", "/api/v1/me", `{"title":null}`).want(200)
	if got := field(t, a, "title"); got["value"] != nil || got["sync"] != "local" {
		t.Errorf("%v", got)
	}
}

func TestPatchMeRefuses(t *testing.T) {
	b := newBed(t)
	b.person("ann")
	b.person("bob")
	for _, body := range []string{
		`{"roles":["ADMIN"]}`, `{"superuser":true}`, `{"id":1}`, `{"userName":"root"}`, `{"active":"true"}`, `{"suspended":false}`, `{"kind":"service"}`, `{"Email":"a@b"}`,
		`{"email":5}`, `{"email":{"a":1}}`, `{"email":[1]}`, `{"email":"nonsense"}`, `{"givenName":"a\nb"}`, `{"title":["a","b"]}`, `[]`, `null`, `"x"`,
	} {
		b.as("ann", "PATCH", "/api/v1/me", body).problem(422, "invalid")
	}
	b.as("ann", "PATCH", "/api/v1/me", `{"email":"BOB@example.org"}`).problem(409, "exists")
	b.as("ann", "PATCH", "/api/v1/me", `{}`).want(200)
	if b.push.n != 0 {
		t.Errorf("%d pushes for nothing", b.push.n)
	}
}
