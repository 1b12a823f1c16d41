package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
)

// someExplanation has something in every member.
func someExplanation() idbridge.Explanation {
	now := time.Date(2026, 11, 21, 14, 15, 0, 0, time.UTC)
	return idbridge.Explanation{
		Name: "mia.t", Kind: idbridge.Person, At: now, Access: idbridge.ExplainedAccess{May: true, Why: "active"},
		Records: []idbridge.ExplainedRecord{{
			Link: corpID("mia.t"), State: idbridge.LinkActive, Linked: "create 2026-03-02", Matched: "by id", Sightings: 1, Since: now,
			Scope: idbridge.Scope{
				Found: true, Locator: "CN=Mia \"T\" <b>,OU=Staff", Version: "20261121134000Z",
				InBase: idbridge.Support{OK: true, Reason: "under OU=Staff,DC=secret"}, InFilter: idbridge.Support{Reason: "(objectClass=person)"},
			},
			Error: "dial ldaps://dc1.corp.example:636: refused", Situation: idbridge.Updated, Why: "one value moves",
			Attributes: []idbridge.ExplainedAttribute{
				{
					Attribute: "title", Flow: "both", OnConflict: "directory", Base: idbridge.Values{"Dev"}, Store: idbridge.Values{"Lead"},
					Directory: idbridge.Values{"Senior\xff"}, Known: true, Outcome: "conflict", Becomes: idbridge.Values{"Senior"}, Why: "both changed", Conflict: 17,
				},
				{Attribute: "email", Flow: "in", Known: true, Outcome: "nothing", Why: "all sides are equal"},
			},
			Steps: []idbridge.Step{{
				ID: corpID("mia.t"), Side: idbridge.StoreSide, Verb: idbridge.Join, Group: idbridge.ExternalID{Directory: "corp", ID: "g1"},
				Grants: []idbridge.Grant{{Role: "EDITOR", Directory: "corp", Group: "g1", GroupName: "CN=Editors"}}, After: idbridge.Profile{"title": {"Senior"}},
			}},
			Withheld: []idbridge.Withheld{
				{Attribute: "email", Value: "m@example.org", Holder: 99, Why: "user 99 (sam.k) has it"}, {Attribute: "title", Value: "\x1b[31m", Why: "not usable"},
			},
			Backoff: &idbridge.Backoff{Attempts: 3, Until: now, Why: "constraint violation at dc1"},
		}},
		Grants: []idbridge.Grant{{Role: "EDITOR", Directory: "corp", GroupName: "CN=Editors", Since: now}},
		Keys:   []idbridge.Key{{ID: "ABCD1234", Slot: idbridge.PrimarySlot, Enabled: true, Created: now, CreatedBy: "mia.t", Scopes: []string{"*"}, Digest: []byte("digest-of-the-key")}},
		Runs:   []idbridge.Run{{ID: 9, Directory: "corp", Kind: idbridge.FullRun, State: idbridge.RunFailed, Started: now, Error: "bind to dc1 refused"}},
		Events: []idbridge.Event{
			{At: now, Actor: "ann", What: "update", Attribute: "title", Before: "Dev", After: "Lead", Run: 3, Why: "edit"}, {At: now, Actor: "corp", What: "suspend"},
			{At: now, Actor: "ann", What: "update", Attribute: "phone"},
		},
		Open:    []idbridge.Conflict{{ID: 17, Link: corpID("mia.t"), Attribute: "title", Opened: now}, {ID: 18, Link: corpID("mia.t"), Attribute: "email", Opened: now}},
		NotDone: []string{"corp could not be asked: dial ldaps://dc1.corp.example:636: refused"},
	}
}

func TestExplain(t *testing.T) {
	h := &house{explanation: someExplanation()}
	b := h.movesInto(newBed(t, h.furnish))
	b.person("boss", idbridge.Admin)
	mia := b.person("mia.t")
	path := fmt.Sprintf("/api/v1/users/%d/explain", mia)
	a := b.as("boss", "GET", path, "").want(200).example("explain-user")
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("ETag") != "" {
		t.Errorf("%v", a.header)
	}
	for _, want := range []string{
		fmt.Sprintf(`"user":%d,"name":"mia.t"`, mia), `"access":{"may":true,"why":"active"}`, `"locator":"CN=Mia \"T\" <b>,OU=Staff"`, `"inBase":{"ok":true,"reason":"under OU=Staff,DC=secret"}`,
		`"values":{"base":["Dev"],"store":["Lead"],"directory":[{"base64":"U2VuaW9y/w=="}]},"known":true,"outcome":"conflict","becomes":["Senior"]`, `"outcome":"nothing","why":"all sides are equal"`,
		`"group":"g1"`, `"origin":"corp","group":"CN=Editors"`, `"holder":99`, `"value":"\u001b[31m"`, `"attempts":3`, `"state":"failed"`, `"actor":"ann"`, `"conflicts":[{"id":17`, `"notDone":["corp could`,
		`"id":"ABCD1234"`, `"missed":1`, `"matched":"by id"`,
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%s is not in %s", want, a.body)
		}
	}
	if strings.Contains(a.body, "digest") {
		t.Errorf("a key's digest is told: %s", a.body)
	}
	one := b.as("boss", "GET", path+"?attribute=title", "").want(200)
	for what, n := range map[string]int{`"attribute":"title"`: 4, `"attribute":"email"`: 0, `"attribute":"phone"`: 0, `"what":"suspend"`: 1, `"id":18`: 0} {
		if got := strings.Count(one.body, what); got != n {
			t.Errorf("%s comes %d times, want %d: %s", what, got, n, one.body)
		}
	}
	if got := h.said(); got != fmt.Sprintf("explain %d; explain %d", mia, mia) {
		t.Errorf("%s", got)
	}
	b.as("boss", "GET", path+"?attribute=nosuch", "").problem(422, "invalid")
	b.as("boss", "GET", path+"?nosuch=1", "").problem(422, "invalid")
	b.as("boss", "GET", "/api/v1/users/0/explain", "").problem(422, "invalid")
	if got := h.said(); got != "" {
		t.Errorf("asked all the same: %s", got)
	}
	h.err = &idbridge.Error{Kind: idbridge.NotFound, Msg: "there is no such user"}
	b.as("boss", "GET", "/api/v1/users/99999/explain", "").problem(404, "not-found")
	h.err = &idbridge.Error{Kind: idbridge.Unavailable, Msg: "ldap://dc1 is down"}
	if a := b.as("boss", "GET", path, ""); strings.Contains(a.body, "dc1") || a.status != 503 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestExplainMe holds that one's own explanation has nothing of the operator's and of others.
func TestExplainMe(t *testing.T) {
	h := &house{explanation: someExplanation()}
	b := h.movesInto(newBed(t, h.furnish))
	mia := b.person("mia.t")
	a := b.as("mia.t", "GET", "/api/v1/me/explain", "").want(200).example("explain-me")
	if m := a.json(); m["user"] != float64(mia) || h.said() != fmt.Sprintf("explain %d", mia) {
		t.Errorf("%s", a.body)
	}
	for _, secret := range []string{"dc1", "DC=secret", "objectClass", "sam.k", "99", `"runs"`} {
		if strings.Contains(a.body, secret) {
			t.Errorf("%s is told: %s", secret, a.body)
		}
	}
	for _, want := range []string{"The directory cannot be asked now.", "Somebody else has this value.", `"outcome":"conflict"`, `"why":"not usable"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("%s is not in %s", want, a.body)
		}
	}
	limited := 0
	for range 40 {
		if a := b.as("mia.t", "GET", "/api/v1/me/explain", ""); a.status == 429 {
			a.problem(429, "rate-limited")
			limited++
		}
	}
	if limited == 0 {
		t.Error("directories can be kept busy without end")
	}
}
