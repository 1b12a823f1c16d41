package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

func withKeys(n int) func(int) idbridge.Decision {
	return func(i int) idbridge.Decision { d := suspended(i); d.Keys = n; return d }
}

func older(i int) idbridge.Decision {
	d := updated(i, idbridge.StoreSide, "")
	d.Back, d.Situation, d.Name = true, idbridge.Skipped, fmt.Sprintf("user%d", i)
	return d
}

func rival(i int) idbridge.Decision {
	d := created(i)
	d.Rival = record(1000 + i)
	return d
}

// joins has n people join one group that gives a role.
func joins(n int, role idbridge.Role) []idbridge.Decision {
	const dn = "cn=some,dc=example,dc=org"
	p := &plan.Policy{Directory: "corp", Roles: []idbridge.RoleRule{{Role: role, Directory: "corp", Group: dn}}}
	g := idbridge.Group{ID: idbridge.ExternalID{Directory: "corp", ID: "g2"}, Name: dn}
	seen := &idbridge.Members{Group: g.ID, Name: dn, Whole: idbridge.Support{OK: true}}
	for i := range n {
		seen.Members = append(seen.Members, record(i))
	}
	return plan.DecideGroup(p, g, seen, nil, idbridge.Digest{}, shownDigest)
}

func planOf(p *plan.Policy, list []idbridge.Decision, facts plan.Facts) idbridge.Plan {
	tally := plan.NewTally(p)
	tally.Unchanged(1)
	for i := range list {
		tally.Add(&list[i])
	}
	return tally.Plan(1, facts, noon)
}

func facts(links, keys int) plan.Facts {
	return plan.Facts{
		Complete: true, Proof: goodProof, Records: links,
		Population: idbridge.Population{Links: links, Admins: 2, Keys: keys},
	}
}

// TestGuardBoundaries evaluates each limit just below and just above, for a small site, a middling one and a large one.
func TestGuardBoundaries(t *testing.T) {
	for _, c := range []struct {
		guard string
		hold  idbridge.Hold
		links int
		keys  int
		limit int
		list  func(n int) []idbridge.Decision
	}{
		{plan.GuardRemovals, idbridge.HoldAll, 20, 0, 5, func(n int) []idbridge.Decision { return many(n, suspended) }},
		{plan.GuardRemovals, idbridge.HoldAll, 44, 0, 5, func(n int) []idbridge.Decision { return many(n, suspended) }},
		{plan.GuardRemovals, idbridge.HoldAll, 1000, 0, 50, func(n int) []idbridge.Decision { return many(n, suspended) }},
		{plan.GuardRemovals, idbridge.HoldAll, 10_000, 0, 500, func(n int) []idbridge.Decision { return many(n, suspended) }},
		{plan.GuardRemovals, idbridge.HoldAll, 2_000_000, 0, 500, func(n int) []idbridge.Decision { return many(n, suspended) }},
		{plan.GuardKeys, idbridge.HoldAll, 1000, 20, 10, func(n int) []idbridge.Decision { return many(n, withKeys(1)) }},
		{plan.GuardKeys, idbridge.HoldAll, 10_000, 400, 20, func(n int) []idbridge.Decision { return many(n, withKeys(1)) }},
		{plan.GuardIDs, idbridge.HoldAll, 20, 0, 5, func(n int) []idbridge.Decision { return many(n, rival) }},
		{plan.GuardIDs, idbridge.HoldAll, 1000, 0, 30, func(n int) []idbridge.Decision { return many(n, rival) }},
		{plan.GuardRollback, idbridge.HoldAll, 20, 0, 2, func(n int) []idbridge.Decision { return many(n, older) }},
		{plan.GuardRollback, idbridge.HoldAll, 1000, 0, 10, func(n int) []idbridge.Decision { return many(n, older) }},
		{plan.GuardAdminGrants, idbridge.HoldGrants, 20, 0, 3, func(n int) []idbridge.Decision { return joins(n, idbridge.Admin) }},
		{plan.GuardAdminGrants, idbridge.HoldGrants, 2_000_000, 0, 3, func(n int) []idbridge.Decision { return joins(n, idbridge.Admin) }},
		{plan.GuardGrants, idbridge.HoldGrants, 20, 0, 100, func(n int) []idbridge.Decision { return joins(n, "READER") }},
		{plan.GuardGrants, idbridge.HoldGrants, 1000, 0, 200, func(n int) []idbridge.Decision { return joins(n, "READER") }},
	} {
		for over := range 2 {
			got := planOf(guardPolicy(), c.list(c.limit+over), facts(c.links, c.keys))
			v := verdict(t, &got, c.guard)
			if v.Limit != c.limit || v.Count != c.limit+over || (v.Held == c.hold) != (over == 1) || got.Held() != (over == 1) {
				t.Errorf("%s of %d: %+v", c.guard, c.links, got.Verdicts)
			}
			if over == 1 && (v.Why == "" || len(v.Causes) == 0) || over == 0 && len(v.Causes) != 0 {
				t.Errorf("%s of %d: why %q, causes %q", c.guard, c.links, v.Why, v.Causes)
			}
			pushed := facts(c.links, c.keys)
			pushed.Pushed = true
			if got := planOf(guardPolicy(), c.list(c.limit+over), pushed); got.Held() {
				t.Errorf("%s holds a push: %+v", c.guard, got.Verdicts)
			}
		}
	}
}

func verdict(t *testing.T, p *idbridge.Plan, guard string) *idbridge.Verdict {
	t.Helper()
	i := slices.IndexFunc(p.Verdicts, func(v idbridge.Verdict) bool { return v.Guard == guard })
	if i < 0 {
		t.Fatalf("no verdict of %s: %+v", guard, p.Verdicts)
	}
	return &p.Verdicts[i]
}

// TestFirstImport: roles are given by groups to everybody there and nobody is counted; administrators are, at any time.
func TestFirstImport(t *testing.T) {
	first := facts(0, 0)
	first.First = true
	if got := planOf(guardPolicy(), joins(500, "READER"), first); got.Held() {
		t.Errorf("the first import is held: %+v", got.Verdicts)
	}
	got := planOf(guardPolicy(), joins(4, idbridge.Admin), first)
	if v := verdict(t, &got, plan.GuardAdminGrants); v.Held != idbridge.HoldGrants {
		t.Errorf("%+v", v)
	}
}

// TestRestoredStore: nothing is done while nobody accepted an older copy of the store; not by a push either.
func TestRestoredStore(t *testing.T) {
	for _, pushed := range []bool{false, true} {
		f := facts(20, 0)
		f.Pushed, f.Restored = pushed, noon.Add(-time.Hour)
		got := planOf(guardPolicy(), many(1, func(i int) idbridge.Decision { return updated(i, idbridge.StoreSide, "") }), f)
		if v := verdict(t, &got, plan.GuardRestored); v.Held != idbridge.HoldAll || !strings.Contains(v.Why, "2026-03-01 11:00") {
			t.Errorf("%+v", v)
		}
	}
	got := planOf(guardPolicy(), nil, facts(20, 0))
	if slices.ContainsFunc(got.Verdicts, func(v idbridge.Verdict) bool { return v.Guard == plan.GuardRestored }) {
		t.Error("a word about restores where there was none")
	}
}

// TestOverrides: an exception replaces its own guard's limit until it ends, upwards and downwards.
func TestOverrides(t *testing.T) {
	later, over := noon.Add(time.Minute), noon
	for _, c := range []struct {
		name  string
		all   []idbridge.Override
		count int
		held  bool
		by    string // of the override in force
	}{
		{"more may go", []idbridge.Override{{Guard: "removals", Limit: 30, Until: later, By: "ann", Why: "layoffs"}}, 30, false, "ann"},
		{"but no more than that", []idbridge.Override{{Guard: "removals", Limit: 30, Until: later, By: "ann"}}, 31, true, "ann"},
		{"fewer may go", []idbridge.Override{{Guard: "removals", Limit: 0, Until: later, By: "ann"}}, 1, true, "ann"},
		{"over", []idbridge.Override{{Guard: "removals", Limit: 30, Until: over, By: "ann"}}, 6, true, ""},
		{"without an end", []idbridge.Override{{Guard: "removals", Limit: 30, By: "ann"}}, 6, true, ""},
		{"another guard's", []idbridge.Override{{Guard: "changes", Limit: 30, Until: later, By: "ann"}}, 6, true, ""},
		{"the second, the first being over", []idbridge.Override{
			{Guard: "removals", Limit: 1, Until: over, By: "ann"}, {Guard: "removals", Limit: 30, Until: later, By: "bob"},
		}, 6, false, "bob"},
	} {
		p := guardPolicy()
		p.Overrides = c.all
		got := planOf(p, many(c.count, suspended), facts(20, 0))
		v := verdict(t, &got, plan.GuardRemovals)
		by := ""
		if v.Override != nil {
			by = v.Override.By
		}
		if got.Held() != c.held || by != c.by {
			t.Errorf("%s: held %v by %q", c.name, got.Held(), by)
		}
	}
	p := guardPolicy()
	for _, guard := range []string{plan.GuardEmpty, plan.GuardComplete, plan.GuardRestored, plan.GuardScope, plan.GuardAdmins} {
		p.Overrides = append(p.Overrides, idbridge.Override{Guard: guard, Limit: 1000, Until: later})
		if slices.Contains(plan.Overridable(), guard) {
			t.Errorf("%s can be overridden", guard)
		}
	}
	tally := plan.NewTally(p)
	if got := tally.Plan(1, facts(3, 0), noon); !got.Held() {
		t.Error("an override lets a directory be empty")
	}
}

// TestVerdictNames: administrators are named, whoever is hit and whoever becomes one.
func TestVerdictNames(t *testing.T) {
	hit := many(2, suspended)
	hit[1].Admin = true
	got := planOf(guardPolicy(), hit, facts(1000, 0))
	if v := verdict(t, &got, plan.GuardRemovals); !slices.Equal(v.Names, []string{"user1"}) {
		t.Errorf("removals name %q", v.Names)
	}
	f := facts(1000, 0)
	f.Admins = []idbridge.Subject{
		{ID: record(0), Link: &idbridge.Link{}, User: &idbridge.User{ID: 1, Profile: idbridge.Profile{"userName": {"zoe"}}}},
		{ID: record(1), Link: &idbridge.Link{}, User: &idbridge.User{ID: 2, Profile: idbridge.Profile{"userName": {"ann"}}}, Admins: 1, Privileged: true},
	}
	got = planOf(guardPolicy(), joins(3, idbridge.Admin), f)
	if v := verdict(t, &got, plan.GuardAdminGrants); !slices.Equal(v.Names, []string{"r2", "zoe"}) || v.Count != 2 {
		t.Errorf("admin_grants: %+v", v)
	}
	if got.Counts.Admins != 3 || got.Counts.Granted != 3 {
		t.Errorf("counts %+v", got.Counts)
	}
}

// TestManyAbsentOnce: a first absence holds nothing and changes nobody's access, and a person is told what is coming.
func TestManyAbsentOnce(t *testing.T) {
	absent := func(i int) idbridge.Decision {
		d := suspended(i)
		d.Situation, d.Steps[0].Verb, d.Steps[0].State, d.Steps[0].Was = idbridge.Missed, idbridge.Miss, "", ""
		return d
	}
	for n, told := range map[int]bool{50: false, 51: true} {
		got := planOf(guardPolicy(), many(n, absent), facts(1000, 0))
		if v := verdict(t, &got, plan.GuardRemovals); v.Held != idbridge.HoldNothing || v.Count != 0 || (v.Why != "") != told {
			t.Errorf("%d absent: %+v", n, v)
		}
	}
}

// TestCausesOnce: a sentence says what was found, and the causes stand beside it, each once.
func TestCausesOnce(t *testing.T) {
	got := planOf(guardPolicy(), slices.Concat(many(6, withKeys(3)), many(3, older), many(6, rival), joins(200, idbridge.Admin)), facts(20, 0))
	held := 0
	for _, v := range got.Verdicts {
		if v.Held == idbridge.HoldNothing {
			continue
		}
		held++
		if len(v.Causes) == 0 {
			t.Errorf("%s has no causes", v.Guard)
		}
		for i, c := range v.Causes {
			if strings.Contains(v.Why, c) || slices.Contains(v.Causes[:i], c) {
				t.Errorf("%s repeats %q", v.Guard, c)
			}
		}
	}
	if held < 6 {
		t.Errorf("only %d guards hold", held)
	}
}
