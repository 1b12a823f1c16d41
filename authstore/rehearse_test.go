package authstore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

// batchOfAll has a decision of each kind: fresh, changed, written to the directory, suspended, withheld, stale, refused, and of
// a group.
func batchOfAll(t *testing.T, b *bed) []idbridge.Decision {
	t.Helper()
	b.create("ann", "bob", "cid", "dan", "eve")
	changed := b.about("id-ann", update(profile("displayName", "Ann A.", "email", "ann.a@example.org")))
	written := b.about("id-bob", idbridge.Step{Side: idbridge.DirectorySide, Verb: idbridge.Update, After: profile("email", "b@example.org")})
	suspended := b.about("id-cid", idbridge.Step{Verb: idbridge.Suspend})
	withheld := b.about("id-dan", update(profile("email", "eve@example.org", "displayName", "Dan")))
	stale := b.about("id-eve", update(profile("displayName", "late")))
	must(b.EditUser(t.Context(), idbridge.UserEdit{User: stale.User, Set: profile("displayName", "from a person")}))(t)
	group := idbridge.Decision{
		ID: corp("g"), Name: "admins", Group: &idbridge.GroupSeen{Name: "admins", Digest: idbridge.Digest{1}, Members: 1},
		Steps: []idbridge.Step{{
			ID: corp("id-ann"), Side: idbridge.StoreSide, Verb: idbridge.Join, Group: corp("g"), Grants: []idbridge.Grant{{Role: idbridge.Admin}},
		}},
	}
	return []idbridge.Decision{
		creation("id-new", profile("userName", "new")), changed, written, suspended, withheld, stale,
		creation("id-taken", profile("userName", "EVE")), creation("id-long", profile("userName", incompressible(9000))), group,
	}
}

func TestRehearsalSaysWhatCommitDoes(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		list := batchOfAll(t, b)
		before := must(b.Digests(t.Context()))(t)
		revision := must(b.Revision(t.Context()))(t)
		free := idbridge.Lead{Directory: "corp"}
		rehearsed := must(b.Rehearse(t.Context(), free, list))(t)
		if diff := cmp.Diff(before, must(b.Digests(t.Context()))(t)); diff != "" {
			t.Errorf("a rehearsal changed tables:\n%s", diff)
		}
		if now := must(b.Revision(t.Context()))(t); now != revision {
			t.Errorf("revision went from %d to %d", revision, now)
		}
		done := b.commit(list...)
		if diff := cmp.Diff(rehearsed, done); diff != "" {
			t.Errorf("outcomes (-rehearsed +committed):\n%s", diff)
		}
		want := []bool{false, false, false, false, false, true, false, incompressibleFails(b), false}
		for i, o := range done {
			if o.Stale != want[i] {
				t.Errorf("decision %d: %+v", i, o)
			}
		}
		if len(done[4].Withheld) != 1 || len(done[6].Withheld) != 1 || done[6].User != 0 || done[2].Sent == 0 || done[0].User == 0 {
			t.Errorf("outcomes %+v", done)
		}
	})
}

func TestRehearsalOfAnImport(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		list := []idbridge.Decision{creation("a", profile("userName", "a")), creation("b", profile("userName", "b"))}
		before := must(b.Digests(t.Context()))(t)
		first := must(b.Rehearse(t.Context(), idbridge.Lead{Directory: "corp"}, list))(t)
		second := must(b.Rehearse(t.Context(), b.lead, list))(t)
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("ids were not given back:\n%s", diff)
		}
		if diff := cmp.Diff(before, must(b.Digests(t.Context()))(t)); diff != "" {
			t.Errorf("tables changed:\n%s", diff)
		}
		b.create("a") // now a login of the batch is taken, which is not looked at before
		out := must(b.Rehearse(t.Context(), b.lead, list))(t)
		if out[0].User != 0 || len(out[0].Withheld) != 1 || out[1].User == 0 {
			t.Errorf("outcomes %+v", out)
		}
	})
}

func TestRehearsalKeepsTheCacheAndNeedsTheLeadItNames(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		if a := must(b.Access(t.Context(), id))(t); !a.May {
			t.Fatalf("access %+v", a)
		}
		suspend := b.about("id-ann", idbridge.Step{Verb: idbridge.Suspend})
		must(b.Rehearse(t.Context(), idbridge.Lead{Directory: "corp"}, []idbridge.Decision{suspend}))(t)
		if a := must(b.Access(t.Context(), id))(t); !a.May {
			t.Errorf("access after a rehearsal %+v", a)
		}
		past := b.lead
		past.Epoch--
		_, err := b.Rehearse(t.Context(), past, []idbridge.Decision{suspend})
		wantKind(t, err, idbridge.Locked)
	})
}
