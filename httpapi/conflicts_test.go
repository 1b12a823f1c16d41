package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
)

// dispute opens a conflict of a person's title, and gives its number.
func (b *bed) dispute(name string) idbridge.ConflictID {
	b.t.Helper()
	_, v := b.read(name)
	u, err := b.store.User(b.t.Context(), b.ids[name])
	if err != nil {
		b.t.Fatal(err)
	}
	b.commit(idbridge.Decision{
		ID: corpID(name), User: b.ids[name], Name: name, Situation: idbridge.HeldBack, Read: v,
		Conflicts: []idbridge.Conflict{{
			Link: corpID(name), User: b.ids[name], Name: name, Attribute: idbridge.GivenName, Base: idbridge.Values{"Base"},
			Store: u.Profile[idbridge.GivenName], Directory: idbridge.Values{"Dir " + name},
		}},
	})
	list, err := b.store.Conflicts(b.t.Context(), idbridge.ConflictFilter{User: b.ids[name], Open: true})
	if err != nil || len(list) != 1 {
		b.t.Fatal(list, err)
	}
	return list[0].ID
}

func TestConflicts(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(...func(*httpapi.Config)) *bed) {
		b := open()
		b.person("boss", idbridge.Admin)
		ids := map[string]idbridge.ConflictID{}
		for _, name := range []string{"ann", "bob", "cy", "dan"} {
			b.person(name)
			ids[name] = b.dispute(name)
		}
		one := fmt.Sprintf("/api/v1/conflicts/%d", ids["ann"])
		a := b.as("boss", "GET", one, "").want(200).example("read-conflict")
		m := a.json()
		if !strings.Contains(a.body, `"values":{"base":["Base"],"store":["Given ann"],"directory":["Dir ann"]}`) || m["openedAt"] == nil || m["closedAt"] != nil || m["winner"] != nil {
			t.Errorf("%s", a.body)
		}
		b.as("boss", "GET", "/api/v1/conflicts/99999", "").problem(404, "not-found")
		b.as("boss", "GET", "/api/v1/conflicts/resolve", "").problem(422, "invalid")
		b.as("boss", "POST", one+"/resolve", `{"keep":"directory"}`).want(200)
		if m := b.as("boss", "GET", one, "").want(200).json(); m["winner"] != "directory" || m["by"] != "boss" || m["closedAt"] == nil {
			t.Errorf("who and when: %v", m)
		}

		const bulk = "/api/v1/conflicts/resolve"
		for _, body := range []string{
			`{}`, `{"attribute":"givenName","open":true}`, `{"attribute":"givenName","keep":"store"}`, `{"attribute":"givenName","keep":"store","open":false}`,
			`{"attribute":"givenName","keep":"store","values":[],"open":true}`, `{"attribute":"nosuch","keep":"store","open":true}`, `{"attribute":"","keep":"store","open":true}`,
			`{"attribute":"givenName","keep":"policy","open":true}`, `{"keep":"store","open":true}`, `{"attribute":"givenName","keep":"store","open":true,"user":1}`,
		} {
			b.as("boss", "POST", bulk, body).problem(422, "invalid")
		}
		// One whose value moved since is left, and named.
		_, err := b.store.EditUser(t.Context(), idbridge.UserEdit{User: b.ids["bob"], Set: idbridge.Profile{idbridge.GivenName: {"Robert"}}, By: "bob"})
		if err != nil {
			t.Fatal(err)
		}
		got := b.as("boss", "POST", bulk, `{"attribute":"givenName","keep":"store","open":true}`).want(200).example("resolve-conflicts")
		if m := got.json(); m["resolved"] != float64(2) || m["more"] != false || !strings.Contains(got.body, `"name":"bob","attribute":"givenName","why":"conflict `) {
			t.Errorf("%s", got.body)
		}
		left := b.as("boss", "GET", "/api/v1/conflicts?open=true&attribute=givenName", "").want(200)
		if items, _ := left.json()["items"].([]any); len(items) != 1 || !strings.Contains(left.body, `"name":"bob"`) {
			t.Errorf("%s", left.body)
		}
		for query, n := range map[string]int{"": 4, fmt.Sprintf("?user=%d", b.ids["cy"]): 1, "?attribute=email": 0, "?attribute=givenName": 4} {
			if items, _ := b.as("boss", "GET", "/api/v1/conflicts"+query, "").want(200).json()["items"].([]any); len(items) != n {
				t.Errorf("%s: %d", query, len(items))
			}
		}
		b.audited("conflict.resolve", "boss", fmt.Sprintf("conflict %d, givenName: store", ids["dan"]))
		if b.push.n != 2 {
			t.Errorf("the pusher was woken %d times, want once for each request that decided", b.push.n)
		}
		if again := b.as("boss", "POST", bulk, `{"attribute":"email","values":[],"open":true}`).want(200); again.json()["resolved"] != float64(0) {
			t.Errorf("%s", again.body)
		}
	})
}
