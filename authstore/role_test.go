package authstore_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

func TestRoles(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ids := b.create("ann", "bob", "cid")
		for _, id := range ids {
			if err := b.GrantRole(t.Context(), id, "QUALITY_MANAGER", "Dream Team", "root"); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.GrantRole(t.Context(), ids[0], idbridge.Admin, "", "root"); err != nil {
			t.Fatal(err)
		}
		before := must(b.Revision(t.Context()))(t)
		if err := b.GrantRole(t.Context(), ids[0], idbridge.Admin, "", "root"); err != nil {
			t.Fatal(err)
		}
		if now := must(b.Revision(t.Context()))(t); now != before {
			t.Error("a grant that was there moved the revision")
		}
		want := []idbridge.RoleCount{{Role: idbridge.Admin, Users: 1}, {Role: "QUALITY_MANAGER", Application: "Dream Team", Users: 3}}
		if diff := cmp.Diff(want, must(b.Roles(t.Context()))(t)); diff != "" {
			t.Errorf("roles (-want +got):\n%s", diff)
		}
		var members []idbridge.UserID
		for after := idbridge.UserID(0); ; {
			page := must(b.RoleMembers(t.Context(), "QUALITY_MANAGER", "Dream Team", after, 2))(t)
			if len(page) == 0 {
				break
			}
			for _, g := range page {
				members = append(members, g.User)
				after = g.User
			}
		}
		if diff := cmp.Diff(ids, members); diff != "" {
			t.Errorf("members (-want +got):\n%s", diff)
		}
		a := must(b.AccessByName(t.Context(), "ANN"))(t)
		if !a.Has(idbridge.Admin, "x") || !a.Has("QUALITY_MANAGER", "Dream Team") || a.Has("QUALITY_MANAGER", "Other") {
			t.Errorf("access %+v", a)
		}
		wantKind(t, b.GrantRole(t.Context(), 99, idbridge.Admin, "", "root"), idbridge.NotFound)
		wantKind(t, b.GrantRole(t.Context(), ids[0], " ", "", "root"), idbridge.Invalid)
		wantKind(t, b.RevokeRole(t.Context(), ids[1], idbridge.Admin, "", "root"), idbridge.NotFound)
	})
}

func TestDirectoryGrantIsNotRevokedByHand(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		b.commit(groupDecision(idbridge.Join, 1, 1, []idbridge.Role{"R"}, "id-ann"))
		err := b.RevokeRole(t.Context(), id, "R", "", "root")
		wantKind(t, err, idbridge.Forbidden)
		if !strings.Contains(err.Error(), "owned by directory corp") || idbridge.HintOf(err) == "" {
			t.Errorf("error %v, hint %q", err, idbridge.HintOf(err))
		}
	})
}

// TestSubjectsCountGrants: an undo must know what persons granted, and a guard who may administer.
func TestSubjectsCountGrants(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann", "bob")[0]
		b.commit(groupDecision(idbridge.Join, 1, 1, []idbridge.Role{"R", idbridge.Admin}, "id-ann"))
		if s := b.subject("id-ann", nil); s.Admins != 1 || s.Manual != 0 || !s.Privileged {
			t.Errorf("admins %d, manual %d", s.Admins, s.Manual)
		}
		for role, application := range map[idbridge.Role]string{idbridge.Admin: "", "READER": "app"} {
			if err := b.GrantRole(t.Context(), id, role, application, "root"); err != nil {
				t.Fatal(err)
			}
		}
		if s := b.subject("id-ann", nil); s.Admins != 2 || s.Manual != 2 {
			t.Errorf("admins %d, manual %d", s.Admins, s.Manual)
		}
		if s := b.subject("id-bob", nil); s.Admins != 0 || s.Manual != 0 || s.Privileged {
			t.Errorf("admins %d, manual %d", s.Admins, s.Manual)
		}
	})
}

func TestLastAdministratorStays(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ids := b.create("ann", "bob")
		ctx := t.Context()
		for _, id := range ids {
			if err := b.GrantRole(ctx, id, idbridge.Admin, "", "root"); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.SetSuspended(ctx, ids[1], true, "root", "left"); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"suspend": b.SetSuspended(ctx, ids[0], true, "root", ""), "delete": b.DeleteUser(ctx, ids[0], "root"),
			"revoke": b.RevokeRole(ctx, ids[0], idbridge.Admin, "", "root"),
		} {
			if idbridge.KindOf(err) != idbridge.Forbidden || idbridge.HintOf(err) == "" {
				t.Errorf("%s: %v, hint %q", what, err, idbridge.HintOf(err))
			}
		}
		if pop := must(b.Population(ctx, "corp"))(t); pop.Admins != 1 || pop.AdminIDs[0] != ids[0] || pop.Links != 2 {
			t.Errorf("population %+v", pop)
		}
		// A role on an application is no administration.
		if err := b.GrantRole(ctx, ids[1], idbridge.Admin, "app", "root"); err != nil {
			t.Fatal(err)
		}
		if err := b.SetSuspended(ctx, ids[1], false, "root", ""); err != nil {
			t.Fatal(err)
		}
		if err := b.RevokeRole(ctx, ids[0], idbridge.Admin, "", "root"); err != nil {
			t.Errorf("the other one is back: %v", err)
		}
		wantKind(t, b.DeleteUser(ctx, ids[1], "root"), idbridge.Forbidden)
		if err := b.DeleteUser(ctx, ids[0], "root"); err != nil {
			t.Errorf("he administers nothing: %v", err)
		}
	})
}

func TestSuspensionIsTheAdministrators(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		if err := b.SetSuspended(t.Context(), id, true, "root", "leave"); err != nil {
			t.Fatal(err)
		}
		if a := must(b.Access(t.Context(), id))(t); a.May || a.Why != "suspended" || !a.Exists {
			t.Errorf("access %+v", a)
		}
		b.commit(b.about("id-ann", idbridge.Step{Verb: idbridge.Suspend, State: idbridge.LinkInactive}))
		b.commit(b.about("id-ann", idbridge.Step{Verb: idbridge.Restore, State: idbridge.LinkActive}))
		if a := must(b.Access(t.Context(), id))(t); a.May {
			t.Error("a run lifted an administrator's suspension")
		}
		wantKind(t, b.SetSuspended(t.Context(), 99, true, "root", ""), idbridge.NotFound)
	})
}
