package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
)

const heldHash = "0123456789abcdef0123456789abcdef"

// savePlan stores a held plan of n decisions that removes 3 people, one of them an administrator.
func (b *bed) savePlan(hash string, n int) {
	b.t.Helper()
	p := idbridge.Plan{
		Hash: hash, Run: b.lead.Run, Directory: "corp", State: idbridge.PlanHeld, Decisions: n, Created: time.Now(),
		Counts: idbridge.Counts{Seen: 10, Unchanged: 7, Suspended: 3},
		Verdicts: []idbridge.Verdict{
			{Guard: "removals", Count: 3, Of: 10, Limit: 2, Held: idbridge.HoldAll, Why: "3 of 10 would lose access", Causes: []string{"a base was renamed"}},
			{Guard: "admins", Count: 1, Names: []string{"boss"}},
			{Guard: "creations", Limit: 100, Override: &idbridge.Override{Guard: "creations", Limit: 500, Until: time.Now().Add(time.Hour), By: "ann", Why: "new school year"}},
		},
		Proof: idbridge.Proof{Feed: "listing", Server: "dc1"},
	}
	err := b.store.SavePlan(b.t.Context(), p, func(yield func(idbridge.Decision, error) bool) {
		for i := range n {
			id := corpID(fmt.Sprintf("p%03d", i))
			if !yield(idbridge.Decision{
				ID: id, Name: fmt.Sprintf("p%03d\x1b[31m", i), Situation: idbridge.Suspended, Keys: 2,
				Steps: []idbridge.Step{{
					ID: id, Side: idbridge.StoreSide, Verb: idbridge.Suspend, Was: idbridge.LinkActive, State: idbridge.LinkMissing,
					Before: idbridge.Profile{"email": {"a\xff"}}, After: idbridge.Profile{"email": {}},
				}},
				Conflicts: []idbridge.Conflict{{Link: id, Attribute: "email", Store: idbridge.Values{"s"}, Directory: idbridge.Values{"d"}}},
				Withheld:  []idbridge.Withheld{{Attribute: "email", Value: "x@example.org", Holder: 9, Why: "held by another"}},
				Proof:     &idbridge.Proof{},
			}, nil) {
				return
			}
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestPlans(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(...func(*httpapi.Config)) *bed) {
		h := &house{}
		b := h.movesInto(open(h.furnish))
		b.person("boss", idbridge.Admin)
		b.savePlan(heldHash, 7)
		list := b.as("boss", "GET", "/api/v1/plans?directory=corp&state=held", "").want(200).example("list-plans")
		if items, _ := list.json()["items"].([]any); len(items) != 1 || !strings.Contains(list.body, `"removals":3,"admins":["boss"]`) {
			t.Errorf("%s", list.body)
		}
		for _, q := range []string{"state=applied", "directory=other"} {
			if a := b.as("boss", "GET", "/api/v1/plans?"+q, "").want(200); strings.TrimSpace(a.body) != `{"items":[]}` {
				t.Errorf("%s: %s", q, a.body)
			}
		}
		b.as("boss", "GET", "/api/v1/plans?state=new", "").problem(422, "invalid")
		names, pages, next := "", 0, "/api/v1/plans/"+heldHash[:12]+"?limit=3"
		for next != "" && pages < 5 {
			a := b.as("boss", "GET", next, "").want(200)
			m := a.json()
			items, _ := m["items"].([]any)
			for _, item := range items {
				d, _ := item.(map[string]any)
				names += fmt.Sprint(d["record"], " ")
			}
			next = ""
			if link := a.header.Get("Link"); link != "" {
				next = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
			}
			if (m["next"] == nil) != (next == "") || m["hash"] != heldHash || m["state"] != "held" {
				t.Errorf("%s", a.body)
			}
			pages++
			for _, want := range []string{`"base64":"Yf8="`, `"after":{"email":[]}`, `"causes":["a base was renamed"]`, `"keys":2`, `"sign":"-"`, `"why":"new school year"`, `\u001b[31m`} {
				if !strings.Contains(a.body, want) {
					t.Errorf("%s is not in %s", want, a.body)
				}
			}
		}
		if pages != 3 || names != "p000-uuid p001-uuid p002-uuid p003-uuid p004-uuid p005-uuid p006-uuid " {
			t.Errorf("%d pages: %s", pages, names)
		}
		if a := b.as("boss", "GET", "/api/v1/plans/"+heldHash+"?after=7", "").want(200); a.json()["next"] != nil || !strings.Contains(a.body, `"items":[]`) {
			t.Errorf("past the end: %s", a.body)
		}
		b.as("boss", "GET", "/api/v1/plans/"+heldHash+"?limit=1", "").want(200).example("read-plan")
		b.as("boss", "GET", "/api/v1/plans/ffffffffffff", "").problem(404, "not-found")
		b.as("boss", "GET", "/api/v1/plans/short", "").problem(422, "invalid")
		b.as("boss", "GET", "/api/v1/plans/XX23456789abcdef", "").problem(422, "invalid")
		b.as("boss", "GET", "/api/v1/plans/"+heldHash+"?limit=501", "").problem(422, "invalid")
		if got := h.said(); got != "" {
			t.Errorf("reading did %s", got)
		}
	})
}

func TestApprove(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(...func(*httpapi.Config)) *bed) {
		h := &house{state: idbridge.RunDone, stale: []string{"kim"}}
		b := h.movesInto(open(h.furnish))
		b.person("boss", idbridge.Admin)
		b.savePlan(heldHash, 3)
		path := "/api/v1/plans/" + heldHash[:12] + "/approve"
		good := `{"removals":3,"admins":1,"reason":"the OU moved"}`
		for body, want := range map[string]string{
			`{}`: "422 invalid", `{"reason":"x"}`: "422 invalid", `{"removals":"3"}`: "422 invalid", `{"removals":3,"yes":true}`: "422 invalid", ``: "400 malformed",
			`{"removals":4,"admins":1}`: "409 conflict", `{"removals":0}`: "409 conflict", `{"removals":3}`: "409 conflict", `{"removals":3,"admins":2}`: "409 conflict",
		} {
			a := b.as("boss", "POST", path, body)
			m := a.json()
			if got := fmt.Sprint(a.status, " ", m["code"]); got != want {
				t.Errorf("%s: %s, want %s: %s", body, got, want, a.body)
			}
			if detail := fmt.Sprint(m["detail"]); a.status == 409 && !strings.Contains(detail, "Read the plan") {
				t.Errorf("does not say what to do: %s", detail)
			}
		}
		if got := h.said(); got != "" {
			t.Fatalf("not confirmed, and yet %s", got)
		}
		h.err = &idbridge.Error{Kind: idbridge.Held, Msg: "a guard objects that did not when the plan was made"}
		b.as("boss", "POST", path, good).problem(409, "held")
		h.err = &idbridge.Error{Kind: idbridge.Locked, Msg: "another daemon leads"}
		b.as("boss", "POST", path, good).problem(409, "busy")
		h.err = nil
		h.said()
		a := b.as("boss", "POST", path, good).want(200).example("approve-plan")
		if a.header.Get("Location") != fmt.Sprintf("/api/v1/runs/%d", b.lead.Run+1) || !strings.Contains(a.body, `"stale":["kim"]`) || !strings.Contains(a.body, `"state":"done"`) {
			t.Errorf("%v %s", a.header, a.body)
		}
		if got := h.said(); got != "approve "+heldHash+" by boss" {
			t.Errorf("%s", got)
		}
		b.as("boss", "GET", a.header.Get("Location"), "").want(200)
		again := b.as("boss", "POST", path, good).problem(409, "conflict")
		if !strings.Contains(fmt.Sprint(again["detail"]), "applied already") {
			t.Errorf("%v", again)
		}
		b.audited("plan.applied", "boss", "")
		b.audited("plan.approve", "boss", "the OU moved")
		b.as("boss", "POST", "/api/v1/plans/ffffffffffff/approve", good).problem(404, "not-found")

		h.state = idbridge.RunRunning
		b.savePlan("fedcba9876543210", 3)
		slow := b.as("boss", "POST", "/api/v1/plans/fedcba9876543210/approve", `{"removals":3,"admins":1}`).want(202)
		if !strings.Contains(slow.body, `"state":"running"`) || slow.header.Get("Location") == "" {
			t.Errorf("%s", slow.body)
		}
	})
}

// audited finds the audit row of an action.
func (b *bed) audited(action, actor, reason string) {
	b.t.Helper()
	rows, err := b.store.Audit(b.t.Context(), idbridge.AuditFilter{Limit: 100})
	if err != nil {
		b.t.Fatal(err)
	}
	for i := range rows {
		if rows[i].Action == action && rows[i].Actor == actor && rows[i].Reason == reason {
			return
		}
	}
	b.t.Errorf("no audit row %s by %s (%s)", action, actor, reason)
}

func TestDiscard(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(...func(*httpapi.Config)) *bed) {
		h := &house{}
		b := h.movesInto(open(h.furnish))
		b.person("boss", idbridge.Admin)
		b.savePlan(heldHash, 3)
		path := "/api/v1/plans/" + heldHash + "/discard"
		b.as("boss", "POST", path, `{"removals":3}`).problem(422, "invalid")
		a := b.as("boss", "POST", path, `{"reason":"a mistake of the school's"}`).want(200).example("discard-plan")
		if m := a.json(); m["state"] != "discarded" || m["by"] != "boss" || m["decidedAt"] == nil {
			t.Errorf("%s", a.body)
		}
		b.audited("plan.discarded", "boss", "")
		b.audited("plan.discard", "boss", "a mistake of the school's")
		b.as("boss", "POST", path, "").problem(409, "conflict")
		b.as("boss", "POST", "/api/v1/plans/ffffffffffff/discard", "").problem(404, "not-found")
		b.savePlan("fedcba9876543210", 3)
		b.as("boss", "POST", "/api/v1/plans/fedcba9876543210/discard", "").want(200)
	})
}

func TestUndo(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(...func(*httpapi.Config)) *bed) {
		h := &house{undo: idbridge.Plan{
			Hash: heldHash, Directory: "corp", Created: time.Now(), Decisions: 2,
			Refused: []idbridge.Refusal{{Link: corpID("jo"), User: 4, Name: "jo", Attribute: "email", Why: "changed since by run 9"}},
		}}
		b := h.movesInto(open(h.furnish))
		b.person("boss", idbridge.Admin)
		path := fmt.Sprintf("/api/v1/runs/%d/undo", b.lead.Run)
		b.as("boss", "POST", path, "").problem(409, "busy") // it has not ended
		run, err := b.store.Run(t.Context(), b.lead.Run)
		if err != nil {
			t.Fatal(err)
		}
		run.State = idbridge.RunDone
		if err := b.store.EndRun(t.Context(), b.lead, run, nil); err != nil {
			t.Fatal(err)
		}
		a := b.as("boss", "POST", path, `{"reason":"wrong OU"}`).want(201).example("undo-run")
		if m := a.json(); a.header.Get("Location") != "/api/v1/plans/"+heldHash || m["undoes"] != float64(run.ID) || !strings.Contains(a.body, `"why":"changed since by run 9"`) {
			t.Errorf("%v %s", a.header, a.body)
		}
		b.as("boss", "GET", a.header.Get("Location"), "").want(200)
		b.audited("run.undo", "boss", "wrong OU")
		h.undo = idbridge.Plan{Directory: "corp"}
		if a := b.as("boss", "POST", path, "").want(201); a.header.Get("Location") != "" {
			t.Errorf("nothing to reverse, and yet %s", a.header.Get("Location"))
		}
		h.err = &idbridge.Error{Kind: idbridge.Unavailable, Msg: "ldap://dc1 refused"}
		if a := b.as("boss", "POST", path, ""); strings.Contains(a.body, "dc1") {
			a.problem(503, "unavailable")
			t.Errorf("%s", a.body)
		}
		b.as("boss", "POST", "/api/v1/runs/99999/undo", "").problem(404, "not-found")
		b.as("boss", "POST", "/api/v1/runs/x/undo", "").problem(422, "invalid")
	})
}

// TestNotServed holds that a process without a house says so, and where to go.
func TestNotServed(t *testing.T) {
	b := newBed(t, func(c *httpapi.Config) { c.Runner = nil })
	id := b.person("boss", idbridge.Admin)
	b.savePlan(heldHash, 1)
	for _, r := range [][2]string{
		{"GET", fmt.Sprintf("/api/v1/users/%d/explain", id)}, {"GET", "/api/v1/me/explain"}, {"GET", "/api/v1/health/details"},
		{"POST", "/api/v1/plans/" + heldHash + "/discard"}, {"POST", fmt.Sprintf("/api/v1/runs/%d/undo", b.lead.Run)}, {"POST", "/api/v1/directories/corp/sync"},
	} {
		if m := b.as("boss", r[0], r[1], "").problem(503, "not-served"); !strings.Contains(fmt.Sprint(m["detail"]), "idbridge serve") {
			t.Errorf("%v", m)
		}
	}
	b.as("boss", "POST", "/api/v1/plans/"+heldHash+"/approve", `{"removals":3,"admins":1}`).problem(503, "not-served")
}
