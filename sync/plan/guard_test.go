package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

func record(i int) idbridge.ExternalID {
	return idbridge.ExternalID{Directory: "corp", ID: fmt.Sprintf("r%d", i)}
}

func suspended(i int) idbridge.Decision {
	return idbridge.Decision{
		ID: record(i), User: idbridge.UserID(i + 1), Name: fmt.Sprintf("user%d", i), Situation: idbridge.Suspended, Proof: &goodProof,
		Steps: []idbridge.Step{{
			ID: record(i), User: idbridge.UserID(i + 1), Side: idbridge.StoreSide, Verb: idbridge.Suspend,
			State: idbridge.LinkMissing, Was: idbridge.LinkActive,
		}},
	}
}

func inactive(i int) idbridge.Decision {
	d := suspended(i)
	d.Proof, d.Steps[0].State = nil, idbridge.LinkInactive
	return d
}

func created(i int) idbridge.Decision {
	return idbridge.Decision{
		ID: record(i), Situation: idbridge.Created,
		Steps: []idbridge.Step{{ID: record(i), Side: idbridge.StoreSide, Verb: idbridge.Create, After: idbridge.Profile{"userName": {"x"}}}},
	}
}

func updated(i int, side idbridge.Side, author string) idbridge.Decision {
	return idbridge.Decision{
		ID: record(i), User: 1, Situation: idbridge.Updated, Base: idbridge.Profile{"email": {"b"}},
		Steps: []idbridge.Step{{
			ID: record(i), User: 1, Side: side, Verb: idbridge.Update, Author: author,
			Before: idbridge.Profile{"email": {"a"}}, After: idbridge.Profile{"email": {"b"}},
		}},
	}
}

func many(n int, one func(int) idbridge.Decision) []idbridge.Decision {
	out := make([]idbridge.Decision, n)
	for i := range out {
		out[i] = one(i)
	}
	return out
}

func groupDecisions(p *plan.Policy, before, after int) []idbridge.Decision {
	g := idbridge.Group{ID: idbridge.ExternalID{Directory: "corp", ID: "g1"}, Name: adminDN, Members: before, Digest: olderDigest}
	seen := &idbridge.Members{Group: g.ID, Name: adminDN, Whole: idbridge.Support{OK: true}}
	var old []string
	for i := range before {
		old = append(old, record(i).ID)
	}
	for i := range after {
		seen.Members = append(seen.Members, record(i))
	}
	return plan.DecideGroup(p, g, seen, old, olderDigest, shownDigest)
}

const adminDN = "cn=admins,dc=example,dc=org"

func guardPolicy() *plan.Policy {
	return &plan.Policy{
		Directory: "corp", Limits: plan.DefaultLimits(),
		Roles: []idbridge.RoleRule{{Role: idbridge.Admin, Directory: "corp", Group: adminDN}},
	}
}

// TestGuards evaluates each guard just below and just above its limit.
func TestGuards(t *testing.T) {
	p := guardPolicy()
	full := func(links int) plan.Facts {
		return plan.Facts{Complete: true, Proof: goodProof, Population: idbridge.Population{Links: links, Admins: 2}, Records: links}
	}
	with := func(f plan.Facts, change func(*plan.Facts)) plan.Facts { change(&f); return f }
	none := with(full(1000), func(f *plan.Facts) { f.Population.Admins = 0 })
	for _, c := range []struct {
		name  string
		list  []idbridge.Decision
		facts plan.Facts
		guard string // that holds; "" for none
		hold  idbridge.Hold
		count int
		limit int
	}{
		{"5 of 20 leave", many(5, suspended), full(20), "", "", 5, 5},
		{"6 of 20 leave", many(6, suspended), full(20), plan.GuardRemovals, idbridge.HoldAll, 6, 5},
		{"5 of 44 leave", many(5, suspended), full(44), "", "", 5, 5},
		{"50 of 1000 leave", many(50, suspended), full(1000), "", "", 50, 50},
		{"51 of 1000 leave", many(51, suspended), full(1000), plan.GuardRemovals, idbridge.HoldAll, 51, 50},
		{"500 of 2 million leave", many(500, suspended), full(2_000_000), "", "", 500, 500},
		{"501 of 2 million leave", many(501, suspended), full(2_000_000), plan.GuardRemovals, idbridge.HoldAll, 501, 500},
		{"6 of 20 become inactive", many(6, inactive), full(20), plan.GuardRemovals, idbridge.HoldAll, 6, 5},
		{"inactive and absent add up", append(many(3, inactive), many(3, suspended)...), full(20), plan.GuardRemovals, idbridge.HoldAll, 6, 5},
		{"6 of 20 leave by a push", many(6, suspended), with(full(20), func(f *plan.Facts) { f.Pushed = true }), "", "", 0, 0},
		{"absence without a complete listing", many(1, suspended), with(full(20), func(f *plan.Facts) { f.Complete = false }),
			plan.GuardComplete, idbridge.HoldAll, 1, 0},
		{"100 new beside 50", many(100, created), full(50), "", "", 100, 100},
		{"101 new beside 50", many(101, created), full(50), plan.GuardCreations, idbridge.HoldCreations, 101, 100},
		{"101 new, first import", many(101, created), with(full(0), func(f *plan.Facts) { f.First = true }), "", "", 0, 0},
		{"300 of 1000 changed", many(300, func(i int) idbridge.Decision { return updated(i, idbridge.StoreSide, "") }), full(1000), "", "", 300, 300},
		{"301 of 1000 changed", many(301, func(i int) idbridge.Decision { return updated(i, idbridge.StoreSide, "") }), full(1000),
			plan.GuardChanges, idbridge.HoldAttributes, 301, 300},
		{"100 writes", many(100, func(i int) idbridge.Decision { return updated(i, idbridge.DirectorySide, "") }), full(1000), "", "", 100, 100},
		{"101 writes", many(101, func(i int) idbridge.Decision { return updated(i, idbridge.DirectorySide, "") }), full(1000),
			plan.GuardWrites, idbridge.HoldAttributes, 101, 100},
		{"101 writes of a person", many(101, func(i int) idbridge.Decision { return updated(i, idbridge.DirectorySide, "ada") }), full(1000), "", "", 0, 100},
		{"10 of 30 leave a group", groupDecisions(p, 30, 20), none, "", "", 10, 10},
		{"11 of 30 leave a group", groupDecisions(p, 30, 19), none, plan.GuardMembers, idbridge.HoldGroup, 11, 10},
		{"scope changed", many(1, created), with(full(1000), func(f *plan.Facts) { f.Scope, f.Known = "b", "a" }), plan.GuardScope, idbridge.HoldAll, 0, 0},
		{"scope first seen", many(1, created), with(full(1000), func(f *plan.Facts) { f.Scope, f.Known = "b", "" }), "", "", 0, 0},
		{"scope changed, nothing follows", nil, with(full(1000), func(f *plan.Facts) { f.Scope, f.Known = "b", "a" }), "", "", 0, 0},
		{"scope changed, not complete", nil, with(full(1000), func(f *plan.Facts) { f.Scope, f.Known, f.Complete = "b", "a", false }),
			plan.GuardScope, idbridge.HoldAll, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			tally := plan.NewTally(p)
			tally.Unchanged(1)
			for i := range c.list {
				tally.Add(&c.list[i])
			}
			got := tally.Plan(1, c.facts, noon)
			for _, v := range got.Verdicts {
				wants := v.Guard == c.guard
				if (v.Held != idbridge.HoldNothing) != wants || wants && (v.Held != c.hold || v.Count != c.count || v.Limit != c.limit || v.Why == "") {
					t.Errorf("%+v", v)
				}
			}
			if got.Held() != (c.guard != "") || (got.State == idbridge.PlanHeld) != got.Held() {
				t.Errorf("held %v, state %s", got.Held(), got.State)
			}
		})
	}
}

// TestEmptyDirectory: nobody where somebody was is held, whatever the limits; a first look at nobody is not.
func TestEmptyDirectory(t *testing.T) {
	for _, c := range []struct {
		links, records, shown int
		complete, held        bool
	}{
		{3, 3, 0, true, true},
		{44, 44, 0, true, true},
		{0, 3, 0, true, true},
		{3, 0, 0, true, true},
		{0, 0, 0, true, false},
		{3, 3, 1, true, false},
		{3, 3, 0, false, false}, // nothing was derived
	} {
		tally := plan.NewTally(guardPolicy())
		tally.Unchanged(c.shown)
		got := tally.Plan(1, plan.Facts{
			Complete: c.complete, Proof: goodProof, Population: idbridge.Population{Links: c.links}, Records: c.records,
		}, noon)
		if got.Held() != c.held {
			t.Errorf("%+v: held %v", c, got.Held())
		}
	}
}

// TestLastAdmin: nobody left who can administer is held, also for a push.
func TestLastAdmin(t *testing.T) {
	admin := func(i int) idbridge.Decision { d := suspended(i); d.Admin = true; return d }
	back := func(i int) idbridge.Decision {
		d := suspended(i)
		d.Admin, d.Proof, d.Situation = true, nil, idbridge.Restored
		d.Steps[0].Verb, d.Steps[0].State, d.Steps[0].Was = idbridge.Restore, idbridge.LinkActive, idbridge.LinkMissing
		return d
	}
	subject := func(i int, privileged bool, grants int) idbridge.Subject {
		u := &idbridge.User{ID: idbridge.UserID(i + 1), Profile: idbridge.Profile{"userName": {fmt.Sprintf("user%d", i)}}}
		return idbridge.Subject{
			ID: record(i), Link: &idbridge.Link{State: idbridge.LinkActive}, User: u, Privileged: privileged, Admins: grants,
		}
	}
	p := guardPolicy()
	leave1, join2 := groupDecisions(p, 1, 0), groupDecisions(p, 0, 1)
	for i := range join2 { // record 0 leaves, record 1 joins
		for j := range join2[i].Steps {
			join2[i].Steps[j].ID = record(1)
		}
	}
	for _, c := range []struct {
		name   string
		list   []idbridge.Decision
		able   []idbridge.UserID
		admins []idbridge.Subject
		held   bool
	}{
		{"one of two goes", many(1, admin), []idbridge.UserID{1, 2}, nil, false},
		{"both go", many(2, admin), []idbridge.UserID{1, 2}, nil, true},
		{"the only one goes", many(1, admin), []idbridge.UserID{1}, nil, true},
		{"one goes who could not sign in", many(1, admin), []idbridge.UserID{2}, nil, false},
		{"nobody could before", many(1, admin), nil, nil, false},
		{"one goes, one is back", append(many(1, admin), back(1)), []idbridge.UserID{1}, nil, false},
		{"the only one leaves the group", leave1, []idbridge.UserID{1}, nil, true},
		{"the only one leaves the group, known", leave1, []idbridge.UserID{1}, []idbridge.Subject{subject(0, true, 1)}, true},
		{"he has it from elsewhere too", leave1, []idbridge.UserID{1}, []idbridge.Subject{subject(0, true, 2)}, false},
		{"another one joins", slices.Concat(leave1, join2), []idbridge.UserID{1}, []idbridge.Subject{subject(0, true, 1), subject(1, false, 0)}, false},
		{"another one joins, and goes", slices.Concat(leave1, join2, []idbridge.Decision{suspended(1)}), []idbridge.UserID{1},
			[]idbridge.Subject{subject(0, true, 1), subject(1, false, 0)}, true},
		{"somebody unknown joins", slices.Concat(leave1, join2), []idbridge.UserID{1}, []idbridge.Subject{subject(0, true, 1)}, true},
		{"goes and leaves: one loss", slices.Concat(many(1, admin), leave1), []idbridge.UserID{1, 2}, []idbridge.Subject{subject(0, true, 1)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, pushed := range []bool{false, true} {
				tally := plan.NewTally(p)
				tally.Unchanged(1000)
				for i := range c.list {
					tally.Add(&c.list[i])
				}
				got := tally.Plan(1, plan.Facts{
					Complete: true, Proof: goodProof, Pushed: pushed, Admins: c.admins,
					Population: idbridge.Population{Links: 1000, Admins: len(c.able), AdminIDs: c.able}, Records: 1000,
				}, noon)
				if got.Held() != c.held {
					t.Fatalf("held %v: %+v", got.Held(), got.Verdicts)
				}
				i := slices.IndexFunc(got.Verdicts, func(v idbridge.Verdict) bool { return v.Guard == plan.GuardAdmins })
				if c.held && !strings.Contains(got.Verdicts[i].Why, "user0") && !strings.Contains(got.Verdicts[i].Why, "r0") {
					t.Errorf("nobody named: %s", got.Verdicts[i].Why)
				}
			}
		})
	}
	tally := plan.NewTally(p)
	for i := range leave1 {
		tally.Add(&leave1[i])
	}
	if ids := tally.AdminRecords(); !slices.Equal(ids, []idbridge.ExternalID{record(0)}) {
		t.Errorf("asked for %v", ids)
	}
}

// TestAllowed: what each hold lets through.
func TestAllowed(t *testing.T) {
	p := guardPolicy()
	mixed := inactive(1) // a leaver whose e-mail changed too
	mixed.Steps = append(mixed.Steps, updated(1, idbridge.StoreSide, "").Steps...)
	mixed.Base = idbridge.Profile{"active": {"FALSE"}, "email": {"b"}}
	mixed.Conflicts = []idbridge.Conflict{{Attribute: "email", Winner: idbridge.DirectoryWinner}, {Attribute: "phone"}}
	mixed.Seen = idbridge.Observation{Locator: "x", Digest: shownDigest}
	pull, group := updated(2, idbridge.StoreSide, ""), groupDecisions(p, 1, 0)[0]
	plain := func(hold idbridge.Hold, about string) idbridge.Plan {
		return idbridge.Plan{Verdicts: []idbridge.Verdict{{}, {Held: hold, About: about}}}
	}
	for _, c := range []struct {
		hold  idbridge.Hold
		about string
		d     idbridge.Decision
		steps int // -1: nothing
	}{
		{idbridge.HoldNothing, "", mixed, 2},
		{idbridge.HoldAll, "", mixed, -1},
		{"something new", "", mixed, -1},
		{idbridge.HoldAttributes, "", mixed, 1},
		{idbridge.HoldAttributes, "", pull, -1},
		{idbridge.HoldAttributes, "", created(1), 1},
		{idbridge.HoldAttributes, "", suspended(1), 1},
		{idbridge.HoldAttributes, "", group, 1},
		{idbridge.HoldCreations, "", created(1), -1},
		{idbridge.HoldCreations, "", pull, 1},
		{idbridge.HoldGroup, "g1", group, -1},
		{idbridge.HoldGroup, "g2", group, 1},
		{idbridge.HoldGroup, "g1", pull, 1},
	} {
		before := len(c.d.Steps)
		got, ok := plan.Allowed(plain(c.hold, c.about), c.d)
		if ok != (c.steps >= 0) || ok && len(got.Steps) != c.steps || len(c.d.Steps) != before {
			t.Errorf("%q: %v, %d steps, want %d", c.hold, ok, len(got.Steps), c.steps)
		}
	}
	got, _ := plan.Allowed(plain(idbridge.HoldAttributes, ""), mixed)
	if got.Steps[0].Verb != idbridge.Suspend || len(got.Base) != 1 || len(got.Conflicts) != 1 || got.Conflicts[0].Attribute != "phone" ||
		!got.Seen.Digest.IsZero() || got.Seen.Locator != "x" {
		t.Errorf("a leaver's access ends, and no more: %+v", got)
	}
}
