package authstore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

func TestUsersArePaged(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		people := b.create("ann", "bob", "cid")
		svc := must(b.AddUser(ctx, idbridge.NewUser{Kind: idbridge.Service, Profile: profile("userName", "100%_bot", "displayName", "ÉMILE Bot")}))(t)
		for name, c := range map[string]struct {
			filter idbridge.UserFilter
			want   []idbridge.UserID
		}{
			"all":        {idbridge.UserFilter{}, append(people[:3:3], svc.ID)},
			"page":       {idbridge.UserFilter{After: people[0], Limit: 2}, people[1:3]},
			"people":     {idbridge.UserFilter{Kind: idbridge.Person}, people},
			"directory":  {idbridge.UserFilter{Directory: "corp"}, people},
			"nowhere":    {idbridge.UserFilter{Directory: "other"}, nil},
			"text":       {idbridge.UserFilter{Query: "CID@exam"}, people[2:]},
			"percent":    {idbridge.UserFilter{Query: "0%_"}, []idbridge.UserID{svc.ID}},
			"underscore": {idbridge.UserFilter{Query: "_nn"}, nil},
			"accent":     {idbridge.UserFilter{Query: "émile"}, []idbridge.UserID{svc.ID}},
		} {
			var got []idbridge.UserID
			for _, u := range must(b.Users(ctx, c.filter))(t) {
				got = append(got, u.ID)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

func TestAddUserRefuses(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.create("ann")
		for name, c := range map[string]struct {
			user idbridge.NewUser
			kind idbridge.Kind
		}{
			"no login":          {idbridge.NewUser{Profile: profile("displayName", "x")}, idbridge.Invalid},
			"blank login":       {idbridge.NewUser{Profile: profile("userName", "  ")}, idbridge.Invalid},
			"two logins":        {idbridge.NewUser{Profile: profile("userName", "x", "userName", "y")}, idbridge.Invalid},
			"unknown attribute": {idbridge.NewUser{Profile: profile("userName", "x", "shoe", "9")}, idbridge.Invalid},
			"active":            {idbridge.NewUser{Profile: profile("userName", "x", "active", "true")}, idbridge.Invalid},
			"unknown kind":      {idbridge.NewUser{Kind: "robot", Profile: profile("userName", "x")}, idbridge.Invalid},
			"taken login":       {idbridge.NewUser{Profile: profile("userName", "ANN")}, idbridge.Exists},
			"taken e-mail":      {idbridge.NewUser{Profile: profile("userName", "x", "email", "ann@EXAMPLE.org")}, idbridge.Exists},
		} {
			_, err := b.AddUser(t.Context(), c.user)
			if idbridge.KindOf(err) != c.kind || err == nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if all := must(b.Users(t.Context(), idbridge.UserFilter{}))(t); len(all) != 1 {
			t.Errorf("%d users", len(all))
		}
	})
}

func TestTombstones(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		id := b.create("ann")[0]
		must(b.CreateKey(ctx, idbridge.Key{ID: "kkkkkkkk", User: id, Digest: []byte{1}}, "ann"))(t)
		must(b.EditUser(ctx, idbridge.UserEdit{User: id, Set: profile("email", "x@example.org")}))(t)
		if err := b.DeleteUser(ctx, id, "root"); err != nil {
			t.Fatal(err)
		}
		if s := b.subject("id-ann", profile("userName", "ann")); !s.Tombstone || s.Link != nil || len(s.Holders) != 0 {
			t.Errorf("subject %+v", s)
		}
		_, _, err := b.KeyAccess(ctx, "kkkkkkkk")
		wantKind(t, err, idbridge.NotFound)
		if list := must(b.Outbox(ctx, "corp", 0))(t); len(list) != 0 {
			t.Errorf("outbox %+v", list)
		}
		wantKind(t, b.DeleteUser(ctx, id, "root"), idbridge.NotFound)
		again := must(b.AddUser(ctx, idbridge.NewUser{Profile: profile("userName", "Ann"), By: "root"}))(t)
		if again.ID == id {
			t.Error("an id was used again")
		}
		if s := b.subject("id-ann", profile("userName", "ann")); s.Tombstone {
			t.Error("made again on purpose, but the tombstone stands")
		}
	})
}

func TestSubjectsSeeHoldersAndCandidates(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		ann := b.create("ann")[0]
		local := must(b.AddUser(ctx, idbridge.NewUser{Profile: profile("userName", "loc", "email", "loc@example.org")}))(t)
		if err := b.GrantRole(ctx, local.ID, idbridge.Admin, "", "root"); err != nil {
			t.Fatal(err)
		}
		shown := profile("userName", "ANN", "email", "LOC@example.org", "email", "free@example.org")
		s := b.subject("new", shown)
		want := []idbridge.Holder{
			{Attribute: "email", Value: "loc@example.org", User: local.ID}, {Attribute: "userName", Value: "ann", User: ann, Link: corp("id-ann")},
		}
		if diff := cmp.Diff(want, s.Holders); diff != "" {
			t.Errorf("holders (-want +got):\n%s", diff)
		}
		if len(s.Candidates) != 2 {
			t.Fatalf("candidates %+v", s.Candidates)
		}
		if c := s.Candidates[0]; c.User.ID != local.ID || !c.Local || c.Linked || !c.Privileged || c.By != "email" || c.User.UserName() != "loc" {
			t.Errorf("local candidate %+v", c)
		}
		if c := s.Candidates[1]; c.User.ID != ann || c.Local || !c.Linked || c.Privileged || c.User.UserName() != "ann" {
			t.Errorf("linked candidate %+v", c)
		}
		linked := b.subject("id-ann", shown)
		if len(linked.Candidates) != 0 || len(linked.Holders) != 1 || linked.Holders[0].User != local.ID {
			t.Errorf("linked subject %+v", linked)
		}
		list := must(b.Subjects(ctx, "corp", []idbridge.ExternalID{corp("none"), corp("id-ann")}, nil))(t)
		if len(list) != 2 || list[0].Link != nil || list[0].ID != corp("none") || list[1].User.ID != ann {
			t.Errorf("subjects %+v", list)
		}
	})
}

func TestSeveralDirectories(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		id := b.create("ann")[0]
		u := must(b.User(ctx, id))(t)
		d := creation("hr-1", profile("department", "x"))
		d.ID.Directory, d.Steps[0].ID.Directory = "hr", "hr"
		d.User, d.Read.User, d.Steps[0].Verb, d.Steps[0].User = id, u.Revision, idbridge.Linking, id
		lead := b.lead
		lead.Directory = "hr"
		if out := must(b.Commit(ctx, lead, []idbridge.Decision{d}))(t); out[0].User != id {
			t.Fatalf("outcome %+v", out[0])
		}
		if s := b.subject("id-ann", nil); len(s.Others) != 1 || s.Others[0].ID != d.ID {
			t.Errorf("others %+v", s.Others)
		}
		if links := must(b.Links(ctx, id))(t); len(links) != 2 || links[0].ID.Directory != "corp" || links[1].ID.Directory != "hr" {
			t.Errorf("links %+v", links)
		}
		if a := must(b.Access(ctx, id))(t); !a.May {
			t.Errorf("access %+v", a)
		}
		b.commit(b.about("id-ann", idbridge.Step{Verb: idbridge.Suspend, State: idbridge.LinkInactive}))
		if a := must(b.Access(ctx, id))(t); a.May || a.Why != "inactive" {
			t.Errorf("one inactive link lets him in: %+v", a)
		}
		n := 0
		for m, err := range b.Marks(ctx, "hr") {
			if err != nil {
				t.Fatal(err)
			}
			n++
			if m.ID != "hr-1" || m.State != idbridge.LinkActive || m.Digest != d.Seen.Digest || m.Version != 1 {
				t.Errorf("mark %+v", m)
			}
			break
		}
		if n != 1 {
			t.Errorf("%d marks", n)
		}
	})
}

// TestOctets: ids and places may hold what PostgreSQL's text cannot.
func TestOctets(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := "\xff\x00\x01raw"
		d := creation(id, profile("userName", "\xfeann", "displayName", "nul\x00byte"))
		d.Seen.Locator = "cn=\xff,\x00"
		if o := b.commit(d)[0]; o.User == 0 {
			t.Fatalf("outcome %+v", o)
		}
		s := b.subject(id, profile("userName", "\xfeann"))
		if s.Link == nil || s.Link.ID.ID != id || s.Link.Locator != d.Seen.Locator || s.User.UserName() != "\xfeann" ||
			s.User.Profile["displayName"].First() != "nul\x00byte" || len(s.Holders) != 0 {
			t.Fatalf("subject %+v", s)
		}
		for m, err := range b.Marks(t.Context(), "corp") {
			if err != nil || m.ID != id {
				t.Errorf("mark %q, %v", m.ID, err)
			}
		}
		if a := must(b.AccessByName(t.Context(), "\xfeann"))(t); !a.Exists || a.UserName != "\xfeann" {
			t.Errorf("access %+v", a)
		}
		twin := creation("twin", profile("userName", "\xfeann"))
		if o := b.commit(twin)[0]; len(o.Withheld) != 1 {
			t.Errorf("outcome %+v", o)
		}
	})
}
