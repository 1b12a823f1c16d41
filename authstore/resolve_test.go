package authstore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

// contend records a conflict about a linked record's attribute: open, or decided by policy.
func (b *bed) contend(id string, c idbridge.Conflict) idbridge.Conflict {
	b.t.Helper()
	d := b.about(id)
	d.Conflicts = []idbridge.Conflict{c}
	d.Seen.Digest = idbridge.Digest{}
	b.commit(d)
	list := must(b.Conflicts(b.t.Context(), idbridge.ConflictFilter{User: d.User}))(b.t)
	return list[len(list)-1]
}

func TestResolveInBulk(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		const n = 250 // more than one transaction
		var logins []string
		for i := range n {
			logins = append(logins, fmt.Sprintf("u%03d", i))
		}
		ids := map[string]idbridge.UserID{}
		for i, id := range b.create(logins...) {
			ids[logins[i]] = id
		}
		var list []idbridge.Decision
		for _, login := range logins {
			d := b.about("id-" + login)
			d.Conflicts = []idbridge.Conflict{{Attribute: "displayName", Store: idbridge.Values{login}, Directory: idbridge.Values{"D"}}}
			d.Seen.Digest = idbridge.Digest{}
			list = append(list, d)
		}
		b.commit(list...)
		other := b.contend("id-u000", idbridge.Conflict{Attribute: "email", Store: idbridge.Values{"u000@example.org"}, Directory: idbridge.Values{"x@y"}})
		must(b.EditUser(t.Context(), idbridge.UserEdit{User: ids["u230"], Set: profile("displayName", "moved")}))(t)
		r := idbridge.Resolution{Winner: idbridge.DirectoryWinner, By: "boss"}
		done, left, err := b.ResolveConflicts(t.Context(), "displayName", r)
		if err != nil || len(done) != n-1 || len(left) != 1 {
			t.Fatalf("%d decided, left %+v, %v", len(done), left, err)
		}
		if left[0].User != ids["u230"] || left[0].Name != "u230" || !strings.Contains(left[0].Why, "changed since") {
			t.Errorf("left %+v", left[0])
		}
		c := must(b.Conflict(t.Context(), done[7].ID))(t)
		if c.Winner != idbridge.DirectoryWinner || c.By != "boss" || c.Closed.IsZero() {
			t.Errorf("conflict %+v", c)
		}
		open := must(b.Conflicts(t.Context(), idbridge.ConflictFilter{Open: true}))(t)
		if len(open) != 2 || open[1].ID != other.ID {
			t.Errorf("open %+v", open)
		}
		if base := b.subject("id-u007", nil).Link.Base["displayName"].First(); base != "u007" {
			t.Errorf("base %q: the store's value loses", base)
		}
		for _, bad := range []idbridge.Attribute{"", "displayName"} {
			_, _, err := b.ResolveConflicts(t.Context(), bad, idbridge.Resolution{By: "boss"})
			wantKind(t, err, idbridge.Invalid)
		}
	})
}

func TestResolveInBulkUndoesOnlyWhatFails(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ids := b.create("ann", "bob")
		for _, login := range []string{"ann", "bob"} {
			b.contend("id-"+login, idbridge.Conflict{
				Attribute: "email", Store: idbridge.Values{login + "@example.org"}, Directory: idbridge.Values{"d"},
			})
		}
		r := idbridge.Resolution{Winner: idbridge.ValueWinner, Value: idbridge.Values{"shared@example.org"}, By: "boss"}
		done, left, err := b.ResolveConflicts(t.Context(), "email", r)
		if err != nil || len(done) != 1 || len(left) != 1 || done[0].User != ids[0] || left[0].User != ids[1] {
			t.Fatalf("decided %+v, left %+v, %v", done, left, err)
		}
		s := b.subject("id-bob", nil)
		if len(s.Open) != 1 || s.User.Profile["email"].First() != "bob@example.org" || s.Link.Base["email"].First() != "bob@example.org" {
			t.Errorf("subject %+v", s)
		}
		if edits := must(b.Pending(t.Context(), ids[1]))(t); len(edits) != 0 {
			t.Errorf("pending %+v", edits)
		}
	})
}

func TestPolicyIsTurnedRound(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ids := b.create("ann", "bob", "cid", "dan")
		chosen := func(login string, winner idbridge.Winner) idbridge.Conflict {
			c := idbridge.Conflict{Attribute: "displayName", Store: idbridge.Values{login}, Directory: idbridge.Values{"D"}, Winner: winner}
			d := b.about("id-"+login, update(profile("displayName", "D")))
			if winner == idbridge.StoreWinner {
				d.Steps = nil
			}
			d.Base, d.Conflicts = profile("displayName", "D"), []idbridge.Conflict{c}
			b.commit(d)
			return must(b.Conflicts(t.Context(), idbridge.ConflictFilter{User: d.User}))(t)[0]
		}
		c := chosen("ann", idbridge.DirectoryWinner)
		if c.By != "policy" || c.Closed.IsZero() {
			t.Fatalf("conflict %+v", c)
		}
		back := must(b.ResolveConflict(t.Context(), idbridge.Resolution{Conflict: c.ID, Winner: idbridge.StoreWinner, By: "boss"}))(t)
		s := b.subject("id-ann", nil)
		if s.User.Profile["displayName"].First() != "ann" || s.Link.Base["displayName"].First() != "D" || !s.Link.Digest.IsZero() {
			t.Errorf("subject %+v", s)
		}
		if edits := must(b.Pending(t.Context(), ids[0]))(t); len(edits) != 1 || edits[0].Author != "boss" {
			t.Errorf("pending %+v", edits)
		}
		if back.Winner != idbridge.StoreWinner || back.By != "boss" || !strings.Contains(back.Why, "directory") {
			t.Errorf("conflict %+v", back)
		}
		if diff := cmp.Diff(back, must(b.Conflict(t.Context(), c.ID))(t)); diff != "" {
			t.Errorf("kept (-answered +kept):\n%s", diff)
		}
		_, err := b.ResolveConflict(t.Context(), idbridge.Resolution{Conflict: c.ID, Winner: idbridge.DirectoryWinner, By: "boss"})
		wantKind(t, err, idbridge.Conflicting)

		c = chosen("bob", idbridge.DirectoryWinner)
		_, err = b.ResolveConflict(t.Context(), idbridge.Resolution{Conflict: c.ID, Winner: idbridge.DirectoryWinner, By: "boss"})
		wantKind(t, err, idbridge.Conflicting)
		must(b.EditUser(t.Context(), idbridge.UserEdit{User: ids[1], Set: profile("displayName", "newer")}))(t)
		_, err = b.ResolveConflict(t.Context(), idbridge.Resolution{Conflict: c.ID, Winner: idbridge.StoreWinner, By: "boss"})
		wantKind(t, err, idbridge.Conflicting)
		if idbridge.HintOf(err) == "" || b.subject("id-bob", nil).User.Profile["displayName"].First() != "newer" {
			t.Errorf("error %v, hint %q", err, idbridge.HintOf(err))
		}

		c = chosen("cid", idbridge.StoreWinner)
		must(b.ResolveConflict(t.Context(), idbridge.Resolution{Conflict: c.ID, Winner: idbridge.DirectoryWinner, By: "boss"}))(t)
		if got := b.subject("id-cid", nil).User.Profile["displayName"].First(); got != "D" {
			t.Errorf("cid is %q", got)
		}
		c = chosen("dan", idbridge.DirectoryWinner)
		r := idbridge.Resolution{Conflict: c.ID, Winner: idbridge.ValueWinner, Value: idbridge.Values{"third"}, By: "boss"}
		must(b.ResolveConflict(t.Context(), r))(t)
		if got := b.subject("id-dan", nil).User.Profile["displayName"].First(); got != "third" {
			t.Errorf("dan is %q", got)
		}
	})
}

func TestPolicyIsNotTurnedRoundWhereNothingGoesOut(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.create("ann")
		d := b.about("id-ann", update(profile("title", "D")))
		d.Conflicts = []idbridge.Conflict{{
			Attribute: "title", Store: idbridge.Values{"S"}, Directory: idbridge.Values{"D"}, Winner: idbridge.DirectoryWinner,
		}}
		b.commit(d)
		c := must(b.Conflicts(t.Context(), idbridge.ConflictFilter{}))(t)[0]
		_, err := b.ResolveConflict(t.Context(), idbridge.Resolution{Conflict: c.ID, Winner: idbridge.StoreWinner, By: "boss"})
		wantKind(t, err, idbridge.Invalid)
		if !strings.Contains(idbridge.HintOf(err), "flow") {
			t.Errorf("hint %q", idbridge.HintOf(err))
		}
	})
}
