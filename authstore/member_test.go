package authstore_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

const adminGroup = "cn=admins,ou=groups,dc=example,dc=org"

// groupDecision moves members of the group g1. digest 0 leaves the group's row for a later part.
func groupDecision(verb idbridge.Verb, digest byte, total int, roles []idbridge.Role, members ...string) idbridge.Decision {
	g := corp("g1")
	d := idbridge.Decision{ID: g, Name: adminGroup, Situation: idbridge.Updated}
	var grants []idbridge.Grant
	for _, r := range roles {
		grants = append(grants, idbridge.Grant{Role: r, Directory: "corp", Group: g.ID, GroupName: adminGroup})
	}
	for _, m := range members {
		d.Steps = append(d.Steps, idbridge.Step{ID: corp(m), Side: idbridge.StoreSide, Verb: verb, Group: g, Grants: grants})
	}
	if digest != 0 {
		d.Group = &idbridge.GroupSeen{Name: adminGroup, Digest: idbridge.Digest{digest}, Members: total}
	}
	return d
}

func (b *bed) roles(id idbridge.UserID) []string {
	b.t.Helper()
	var out []string
	for _, g := range must(b.Grants(b.t.Context(), id))(b.t) {
		from := g.Directory
		if g.Manual() {
			from = "by hand"
		}
		out = append(out, fmt.Sprintf("%s %s", g.Role, from))
	}
	return out
}

func TestMembersGetGrants(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ids := b.create("ann", "bob")
		admin := []idbridge.Role{idbridge.Admin}
		b.commit(groupDecision(idbridge.Join, 1, 3, admin, "id-ann", "id-bob", "id-cid"))
		for i, id := range ids {
			if diff := cmp.Diff([]string{"ADMIN corp"}, b.roles(id)); diff != "" {
				t.Errorf("user %d:\n%s", i, diff)
			}
		}
		groups := must(b.Groups(t.Context(), "corp"))(t)
		if len(groups) != 1 || groups[0].Name != adminGroup || groups[0].Members != 3 || groups[0].Digest != (idbridge.Digest{1}) || len(groups[0].Grants) != 1 {
			t.Fatalf("groups %+v", groups)
		}
		if n := len(must(b.Members(t.Context(), corp("g1")))(t)); n != 3 {
			t.Errorf("%d members", n)
		}
		cid := b.create("cid")[0] // was a member before he was linked
		if diff := cmp.Diff([]string{"ADMIN corp"}, b.roles(cid)); diff != "" {
			t.Errorf("linked later:\n%s", diff)
		}
		if a := must(b.Access(t.Context(), cid))(t); !a.Has(idbridge.Admin, "any") {
			t.Errorf("access %+v", a)
		}
		if s := b.subject("id-cid", nil); !s.Privileged || s.Admins != 1 {
			t.Errorf("subject %+v", s)
		}
		if err := b.GrantRole(t.Context(), cid, idbridge.Admin, "", "root"); err != nil {
			t.Fatal(err)
		}
		if s := b.subject("id-cid", nil); s.Admins != 2 {
			t.Errorf("admins %d", s.Admins)
		}
		before := must(b.User(t.Context(), ids[0]))(t)
		b.commit(groupDecision(idbridge.Leave, 2, 1, admin, "id-ann", "id-cid"))
		if got := b.roles(ids[0]); len(got) != 0 {
			t.Errorf("left, but has %v", got)
		}
		if diff := cmp.Diff([]string{"ADMIN by hand"}, b.roles(cid)); diff != "" {
			t.Errorf("a run took what a person gave:\n%s", diff)
		}
		if a := must(b.Access(t.Context(), ids[0]))(t); a.Has(idbridge.Admin, "") {
			t.Error("still an administrator")
		}
		if after := must(b.User(t.Context(), ids[0]))(t); after.Revision != before.Revision {
			t.Error("a member's version moved with his groups")
		}
		b.commit(groupDecision(idbridge.Leave, 0, 0, admin, "id-bob"), idbridge.Decision{ID: corp("g1"), Group: &idbridge.GroupSeen{Name: adminGroup}})
		if groups := must(b.Groups(t.Context(), "corp"))(t); len(groups) != 0 {
			t.Errorf("groups %+v", groups)
		}
	})
}

// TestGrantsOfARepeatedJoinAreSilent: a crash repeats joins; what is there already is neither written nor audited.
func TestGrantsOfARepeatedJoinAreSilent(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.create("ann")
		join := groupDecision(idbridge.Join, 1, 1, []idbridge.Role{idbridge.Admin}, "id-ann")
		b.commit(join)
		before := must(b.Digests(t.Context()))(t)
		b.commit(join)
		after := must(b.Digests(t.Context()))(t)
		for _, table := range []string{"grants", "audit", "membership", "directory_group", "group_role", "users", "links", "revision"} {
			if before[table] != after[table] {
				t.Errorf("%s changed", table)
			}
		}
	})
}

// TestRolesOfAGroupChange takes a role and gives another one to who stays: out and in again in one decision.
func TestRolesOfAGroupChange(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		b.commit(groupDecision(idbridge.Join, 1, 1, []idbridge.Role{idbridge.Admin, "A"}, "id-ann"))
		out := groupDecision(idbridge.Leave, 0, 0, []idbridge.Role{idbridge.Admin}, "id-ann")
		in := groupDecision(idbridge.Join, 2, 1, []idbridge.Role{"A", "B"}, "id-ann")
		in.Steps = append(out.Steps, in.Steps...)
		b.commit(in)
		if diff := cmp.Diff([]string{"A corp", "B corp"}, b.roles(id)); diff != "" {
			t.Errorf("roles (-want +got):\n%s", diff)
		}
		if m := must(b.Members(t.Context(), corp("g1")))(t); len(m) != 1 {
			t.Errorf("members %v", m)
		}
		late := b.create("bob")[0]
		b.commit(groupDecision(idbridge.Join, 3, 2, []idbridge.Role{"A", "B"}, "id-bob"))
		if diff := cmp.Diff([]string{"A corp", "B corp"}, b.roles(late)); diff != "" {
			t.Errorf("roles (-want +got):\n%s", diff)
		}
	})
}

// TestGroupHalfDone: a crash left some members with a new role and others without, and an old role with some.
func TestGroupHalfDone(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.create("ann", "bob")
		b.commit(groupDecision(idbridge.Join, 1, 2, []idbridge.Role{"OLD"}, "id-ann", "id-bob"))
		out := groupDecision(idbridge.Leave, 0, 0, []idbridge.Role{"OLD"}, "id-ann")
		in := groupDecision(idbridge.Join, 0, 0, []idbridge.Role{"NEW"}, "id-ann")
		in.Steps = append(out.Steps, in.Steps...)
		b.commit(in)
		b.reopen()
		var has []idbridge.Role
		for _, g := range must(b.Groups(t.Context(), "corp"))(t)[0].Grants {
			has = append(has, g.Role)
		}
		if diff := cmp.Diff([]idbridge.Role{"OLD"}, has); diff != "" {
			t.Errorf("what is still to be taken, and not what is still to be given (-want +got):\n%s", diff)
		}
	})
}

// TestRemovedRuleIsNotInherited: a role that no rule of the config gives any more is not given to who is linked late.
func TestRemovedRuleIsNotInherited(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.commit(groupDecision(idbridge.Join, 1, 2, []idbridge.Role{idbridge.Admin, "KEPT"}, "id-ann"))
		b.opts.RoleRules = []idbridge.RoleRule{{Role: "KEPT", Directory: "corp", Group: adminGroup}, {Role: idbridge.Admin, Directory: "other"}}
		b.reopen()
		id := b.create("ann")[0]
		if diff := cmp.Diff([]string{"KEPT corp"}, b.roles(id)); diff != "" {
			t.Errorf("roles (-want +got):\n%s", diff)
		}
	})
}
