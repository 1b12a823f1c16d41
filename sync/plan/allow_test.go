package plan_test

import (
	"fmt"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// TestAllowedGrants: a held grant waits, a revocation does not, and who stays in a group keeps what he had.
func TestAllowedGrants(t *testing.T) {
	group := idbridge.Group{ID: idbridge.ExternalID{Directory: "corp", ID: "g1"}, Name: adminDN}
	rule := func(roles ...idbridge.Role) *plan.Policy {
		p := &plan.Policy{Directory: "corp"}
		for _, r := range roles {
			p.Roles = append(p.Roles, idbridge.RoleRule{Role: r, Directory: "corp", Group: adminDN})
		}
		return p
	}
	had := func(roles ...idbridge.Role) idbridge.Group {
		g := group
		g.Grants = []idbridge.Grant{}
		for _, r := range roles {
			g.Grants = append(g.Grants, idbridge.Grant{Role: r})
		}
		return g
	}
	seen := &idbridge.Members{Group: group.ID, Name: adminDN, Whole: idbridge.Support{OK: true}, Members: []idbridge.ExternalID{record(1), record(2)}}
	for _, c := range []struct {
		name  string
		p     *plan.Policy
		g     idbridge.Group
		old   []string
		guard string
		want  string
	}{
		{"joins wait, leaves do not", rule("A"), had("A"), []string{"r1", "r3"}, plan.GuardGrants, "leave r3 [A]; digest open; "},
		{"another role passes", rule("A"), had("A"), []string{"r1"}, plan.GuardAdminGrants, "join r2 [A]; "},
		{"ADMIN waits", rule("A", idbridge.Admin), had("A", idbridge.Admin), []string{"r1"}, plan.GuardAdminGrants, ""},
		{"a role more waits", rule("A", "B"), had("A"), []string{"r1", "r2"}, plan.GuardGrants, ""},
		{"a role less goes", rule("A"), had("A", "B"), []string{"r1", "r2"}, plan.GuardGrants,
			"leave r1 [B]; join r1 [A]; leave r2 [B]; join r2 [A]; digest open; "},
		{"one goes, one waits", rule("A", "C"), had("A", "B"), []string{"r1", "r2"}, plan.GuardGrants,
			"leave r1 [B]; join r1 [A]; leave r2 [B]; join r2 [A]; digest open; "},
		{"a group without roles", rule(), had(), []string{"r1"}, plan.GuardGrants, "join r2 []; "},
	} {
		got := ""
		held := idbridge.Plan{Verdicts: []idbridge.Verdict{{Guard: c.guard, Held: idbridge.HoldGrants}}}
		for _, d := range plan.DecideGroup(c.p, c.g, seen, c.old, olderDigest, shownDigest) {
			whole := len(d.Steps)
			part, ok := plan.Allowed(held, d)
			if len(d.Steps) != whole || d.Group != nil && d.Group.Digest.IsZero() {
				t.Errorf("%s: the decision was changed", c.name)
			}
			if !ok {
				continue
			}
			for _, s := range part.Steps {
				got += fmt.Sprintf("%s %s %v; ", s.Verb, s.ID.ID, roles(s.Grants))
			}
			if part.Group != nil && part.Group.Digest.IsZero() {
				got += "digest open; "
			}
		}
		if got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

func roles(grants []idbridge.Grant) (out []idbridge.Role) {
	for _, g := range grants {
		out = append(out, g.Role)
	}
	return out
}

// TestRolesChange: who stays while the rules give one role and take another has, at every commit on the way, what he kept,
// and in the end what the rules say.
func TestRolesChange(t *testing.T) {
	p := &plan.Policy{Directory: "corp", Roles: []idbridge.RoleRule{
		{Role: "KEPT", Directory: "corp", Group: adminDN}, {Role: "NEW", Directory: "corp", Group: adminDN},
	}}
	g := idbridge.Group{ID: idbridge.ExternalID{Directory: "corp", ID: "g1"}, Name: adminDN, Grants: []idbridge.Grant{{Role: "KEPT"}, {Role: "OLD"}}}
	seen := &idbridge.Members{Group: g.ID, Name: adminDN, Whole: idbridge.Support{OK: true}}
	var old []string
	for i := range 700 {
		seen.Members = append(seen.Members, record(i))
		old = append(old, record(i).ID)
	}
	has := map[string]map[idbridge.Role]bool{}
	for _, id := range old {
		has[id] = map[idbridge.Role]bool{"KEPT": true, "OLD": true}
	}
	list := plan.DecideGroup(p, g, seen, old, olderDigest, shownDigest)
	for _, d := range list {
		in := map[string]bool{}
		for _, s := range d.Steps {
			for _, x := range s.Grants {
				has[s.ID.ID][x.Role] = s.Verb == idbridge.Join
			}
			in[s.ID.ID] = s.Verb == idbridge.Join
		}
		for id, is := range in {
			if !is || !has[id]["KEPT"] {
				t.Fatalf("%s is out after a commit: %v", id, has[id])
			}
		}
	}
	for id, r := range has {
		if !r["KEPT"] || !r["NEW"] || r["OLD"] {
			t.Fatalf("%s has %v", id, r)
		}
	}
	if got := planOf(p, list, facts(10_000, 0)); got.Counts.Joined != 0 || got.Counts.Left != 0 {
		t.Errorf("somebody moved: %+v", got.Counts)
	}
}

// TestAllowedOlder: a record that shows an older state is left alone unless somebody approved the plan; nothing of it is
// lost from the list.
func TestAllowedOlder(t *testing.T) {
	d := older(1)
	got, ok := plan.Allowed(idbridge.Plan{}, d)
	if !ok || !got.Empty() || got.Situation != idbridge.Skipped || got.ID != d.ID {
		t.Errorf("%v %+v", ok, got)
	}
	if got, ok := plan.Allowed(idbridge.Plan{By: "ann"}, d); !ok || len(got.Steps) != 1 {
		t.Errorf("approved, and left out: %v %+v", ok, got)
	}
	held := idbridge.Plan{Verdicts: []idbridge.Verdict{{Guard: plan.GuardRollback, Held: idbridge.HoldAll}}}
	if _, ok := plan.Allowed(held, updated(2, idbridge.StoreSide, "")); ok {
		t.Error("a rollback holds only the records that it shows")
	}
	tally := planOf(guardPolicy(), many(2, older), facts(20, 0))
	if c := tally.Counts; c.Skipped != 2 || c.Pulls != 0 || !c.AddUp() || tally.Held() {
		t.Errorf("%+v", c)
	}
}
