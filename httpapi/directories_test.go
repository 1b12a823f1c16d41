package httpapi_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/httpapi"
)

func TestDirectories(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(...func(*httpapi.Config)) *bed) {
		h := &house{next: time.Date(2026, 11, 21, 9, 45, 0, 0, time.UTC)}
		b := h.movesInto(open(h.furnish))
		b.person("boss", idbridge.Admin)
		b.savePlan(heldHash, 1)
		done := idbridge.Run{ID: b.lead.Run, Directory: "corp", Kind: idbridge.FullRun, State: idbridge.RunHeld, Complete: true, Plan: heldHash}
		err := b.store.EndRun(t.Context(), b.lead, done, &idbridge.Source{Complete: time.Now(), Records: 12, Runs: 1, Held: heldHash})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.store.Alarm(t.Context(), "corp", "3 of 10 would lose access"); err != nil {
			t.Fatal(err)
		}
		a := b.as("boss", "GET", "/api/v1/directories", "").want(200).example("list-directories")
		for _, want := range []string{
			`"records":12,"links":1,`, `"lastRun":{"id":1,`, `"nextRunAt":"2026-11-21T09:45:00Z"`, `"heldPlan":"` + heldHash + `"`, `"alarm":"3 of 10 would lose access"`, `"held":1`,
		} {
			if !strings.Contains(a.body, want) {
				t.Errorf("%s is not in %s", want, a.body)
			}
		}
	})
}

func TestQuarantine(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(...func(*httpapi.Config)) *bed) {
		b := open()
		b.person("boss", idbridge.Admin)
		ann := b.person("ann")
		_, v := b.read("ann")
		b.commit(idbridge.Decision{
			ID: corpID("ann"), User: ann, Name: "ann", Situation: idbridge.Updated, Read: v,
			Withheld: []idbridge.Withheld{{Attribute: "email", Value: "x\xff@example.org", Holder: b.ids["boss"], Why: "boss has it"}, {Attribute: "phone", Value: "\x00", Why: "not a number"}},
		}, idbridge.Decision{
			ID: idbridge.ExternalID{Directory: "corp"}, Name: "CN=No Id", Situation: idbridge.Quarantined, Unusable: "it has no id",
			Seen: idbridge.Observation{Locator: "CN=No Id"},
		})
		const path = "/api/v1/directories/corp/quarantine"
		a := b.as("boss", "GET", path, "").want(200).example("list-quarantine")
		for _, want := range []string{
			fmt.Sprintf(`"user":%d,"attribute":"email","value":[{"base64":"eP9AZXhhbXBsZS5vcmc="}],"why":"boss has it","since":"`, ann), `"value":["\u0000"]`,
			`{"record":"","locator":"CN=No Id","why":"it has no id"`,
		} {
			if !strings.Contains(a.body, want) {
				t.Errorf("%s is not in %s", want, a.body)
			}
		}
		n, pages, next := 0, 0, path+"?limit=2"
		for next != "" && pages < 5 {
			page := b.as("boss", "GET", next, "").want(200)
			items, _ := page.json()["items"].([]any)
			n, pages, next = n+len(items), pages+1, ""
			if link := page.header.Get("Link"); link != "" {
				next = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
			}
		}
		if n != 3 || pages != 2 {
			t.Errorf("%d rows on %d pages", n, pages)
		}
		b.as("boss", "GET", "/api/v1/directories/nosuch/quarantine", "").problem(404, "not-found")
		b.as("boss", "GET", path+"?cursor=abc", "").problem(400, "malformed")
	})
}

func TestHealthDetails(t *testing.T) {
	h := &house{}
	b := h.movesInto(newBed(t, h.furnish))
	b.person("boss", idbridge.Admin)
	if a := b.as("boss", "GET", "/api/v1/health/details", "").want(200); strings.TrimSpace(a.body) != `{"colour":"green","items":[]}` {
		t.Errorf("%s", a.body)
	}
	h.health = []idbridge.Health{
		{Colour: idbridge.Red, What: "corp", Name: "overdue", Why: "no complete listing since 2026-11-20 09:00 UTC", Fix: "idbridge check corp"},
		{Colour: idbridge.Yellow, What: "corp", Name: "conflicts", Why: "2 conflicts wait for a person"},
	}
	a := b.as("boss", "GET", "/api/v1/health/details", "").want(200).example("health-details")
	if !strings.HasPrefix(a.body, `{"colour":"red","items":[{"colour":"red","what":"corp","name":"overdue","why":"no complete`) || !strings.Contains(a.body, `"fix":"idbridge check corp"`) {
		t.Errorf("%s", a.body)
	}
	// Strangers learn nothing of it.
	for _, path := range []string{"/livez", "/readyz"} {
		if a := b.do("GET", path, "").want(200); len(a.body) > 30 {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	b.do("GET", "/api/v1/health/details", "").problem(401, "unauthenticated")
	h.err = &idbridge.Error{Kind: idbridge.Unavailable, Msg: "database gone"}
	b.as("boss", "GET", "/api/v1/health/details", "").problem(503, "unavailable")
}

// lateRunner begins a run a moment after it was asked for, or never.
type lateRunner struct {
	b     *bed
	never bool
	id    idbridge.RunID
	began sync.WaitGroup
}

func (r *lateRunner) Start(_ context.Context, directory string, kind idbridge.RunKind, author string) (idbridge.RunID, error) {
	if r.never {
		return 0, nil
	}
	r.began.Go(func() {
		time.Sleep(80 * time.Millisecond)
		id, err := r.b.store.BeginRun(context.Background(), idbridge.Run{Directory: directory, Kind: kind, Author: author, Epoch: r.b.lead.Epoch})
		if err != nil {
			r.b.t.Error(err)
		}
		r.id = id
	})
	return 0, nil
}

// TestStartFindsTheRun holds that a run whose number is not known at once is waited for, and that one which does not begin
// is answered all the same.
func TestStartFindsTheRun(t *testing.T) {
	late := &lateRunner{}
	b := newBed(t, func(c *httpapi.Config) { c.Runner = late })
	late.b = b
	b.person("boss", idbridge.Admin)
	a := b.as("boss", "POST", "/api/v1/directories/corp/sync", `{"kind":"plan"}`).want(202)
	late.began.Wait()
	if want := float64(late.id); late.id == 0 || a.json()["run"] != want || a.header.Get("Location") != fmt.Sprintf("/api/v1/runs/%d", late.id) {
		t.Errorf("run %d: %s %v", late.id, a.body, a.header)
	}
	first := late.id
	second := b.as("boss", "POST", "/api/v1/directories/corp/sync", `{"kind":"plan"}`).want(202)
	late.began.Wait()
	if second.json()["run"] != float64(late.id) || late.id == first {
		t.Errorf("asked again, and told of run %d: %s", first, second.body)
	}
	late.never = true
	a = b.as("boss", "POST", "/api/v1/directories/corp/sync", "").want(202)
	if a.json()["run"] != nil || a.header.Get("Location") != "/api/v1/runs?directory=corp" {
		t.Errorf("%s %v", a.body, a.header)
	}
	b.as("boss", "GET", a.header.Get("Location"), "").want(200)
}

// movingStore changes a user between the moment when he is read and the moment when he is deleted.
type movingStore struct {
	*authstore.Store

	move func()
}

func (s *movingStore) DeleteUserIf(ctx context.Context, id idbridge.UserID, revision int64, by string) error {
	if s.move != nil {
		s.move()
	}
	return s.Store.DeleteUserIf(ctx, id, revision, by)
}

// TestDeleteSeesTheEdit holds that If-Match is checked in the transaction that deletes.
func TestDeleteSeesTheEdit(t *testing.T) {
	moving := &movingStore{}
	b := newBed(t, func(c *httpapi.Config) {
		store, _ := c.Store.(*authstore.Store)
		moving.Store = store
		c.Store = moving
	})
	b.person("boss", idbridge.Admin)
	ann := b.person("ann")
	path := fmt.Sprintf("/api/v1/users/%d", ann)
	tag := b.as("boss", "GET", path, "").want(200).header.Get("ETag")
	n := 0
	moving.move = func() {
		n++
		if _, err := b.store.EditUser(t.Context(), idbridge.UserEdit{User: ann, Set: idbridge.Profile{"title": {fmt.Sprint(n)}}, By: "ann"}); err != nil {
			t.Error(err)
		}
	}
	b.as("boss", "DELETE", path, "", "If-Match", tag).problem(412, "precondition-failed")
	b.as("boss", "GET", path, "").want(200)
	b.as("boss", "DELETE", path, "", "If-Match", "*").want(204)
	b.as("boss", "GET", path, "").problem(404, "not-found")
}
