package authstore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/idbridge/idbridge"
)

func (b *bed) changes(run idbridge.RunID) []idbridge.RunChange {
	b.t.Helper()
	var out []idbridge.RunChange
	for c, err := range b.Changes(b.t.Context(), run) {
		if err != nil {
			b.t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

func (b *bed) made(run idbridge.RunID) []idbridge.Link {
	b.t.Helper()
	var out []idbridge.Link
	for l, err := range b.Created(b.t.Context(), run) {
		if err != nil {
			b.t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// nextRun begins another run and lets the bed lead it.
func (b *bed) nextRun() idbridge.RunID {
	b.t.Helper()
	b.lead.Run = b.begin()
	return b.lead.Run
}

func TestChangesOfARun(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ids := b.create("ann", "bob", "cid")
		if list := b.changes(b.lead.Run); len(list) != 0 {
			t.Fatalf("creations have rows: %+v", list)
		}
		local := must(b.AddUser(t.Context(), idbridge.NewUser{Profile: profile("userName", "loc"), By: "boss"}))(t)
		run := b.nextRun()
		grants := []idbridge.Grant{{Role: "EDITOR", Application: "wiki"}}
		join := idbridge.Step{ID: corp("id-cid"), Side: idbridge.StoreSide, Verb: idbridge.Join, Group: corp("g"), Grants: grants, Why: "rule"}
		moved := update(profile("displayName", "Ann A.", "email", "bob@example.org"))
		moved.Before, moved.Why = profile("displayName", "ann", "email", "ann@example.org"), "directory changed"
		linking := idbridge.Decision{
			ID: corp("id-loc"), User: local.ID, Name: "loc", Read: idbridge.Versions{User: local.Revision},
			Steps: []idbridge.Step{{
				ID: corp("id-loc"), User: local.ID, Side: idbridge.StoreSide, Verb: idbridge.Linking, After: profile("userName", "loc", "displayName", "L"),
				Why: "rule userName",
			}},
		}
		out := b.commit(b.about("id-ann", moved), b.about("id-bob", idbridge.Step{Verb: idbridge.Suspend}), linking,
			idbridge.Decision{ID: corp("g"), Name: "editors", Steps: []idbridge.Step{join}})
		if len(out[0].Withheld) != 1 || out[1].Stale || out[2].Stale {
			t.Fatalf("outcomes %+v", out)
		}
		sent := b.send("id-cid", profile("email", "c@example.org"))
		want := []idbridge.RunChange{
			{Link: corp("id-ann"), User: ids[0], Verb: idbridge.Update, Before: moved.Before, After: profile("displayName", "Ann A."), Why: moved.Why},
			{Link: corp("id-bob"), User: ids[1], Verb: idbridge.Suspend, Was: idbridge.LinkActive, State: idbridge.LinkMissing},
			{Link: corp("id-loc"), User: local.ID, Verb: idbridge.Linking, State: idbridge.LinkActive, After: linking.Steps[0].After, Why: "rule userName"},
			{Link: corp("id-cid"), User: ids[2], Verb: idbridge.Join, Group: corp("g"), Grants: grants, Why: "rule"},
		}
		for i := range want {
			want[i].Run, want[i].Side = run, idbridge.StoreSide
		}
		options := cmp.Options{cmpopts.IgnoreFields(idbridge.RunChange{}, "ID", "At"), cmpopts.EquateEmpty()}
		if diff := cmp.Diff(want, b.changes(run), options); diff != "" {
			t.Errorf("before the directory answered (-want +got):\n%s", diff)
		}
		later := b.nextRun()
		b.settle(idbridge.Settlement{Sent: sent, ID: corp("id-cid"), How: idbridge.SentSettled, Base: profile("email", "c@example.org")})
		want = append(want, idbridge.RunChange{
			Run: run, Link: corp("id-cid"), User: ids[2], Side: idbridge.DirectorySide, Verb: idbridge.Update, After: profile("email", "c@example.org"),
			Author: "ann",
		})
		if diff := cmp.Diff(want, b.changes(run), options); diff != "" {
			t.Errorf("after it (-want +got):\n%s", diff)
		}
		refused := b.send("id-cid", profile("email", "d@example.org"))
		b.settle(idbridge.Settlement{Sent: refused, ID: corp("id-cid"), How: idbridge.SentRefused})
		if list := b.changes(later); len(list) != 0 {
			t.Errorf("a refused write is a change: %+v", list)
		}
		for _, err := range b.Changes(t.Context(), later+1) {
			wantKind(t, err, idbridge.NotFound)
		}
	})
}

func TestCreatedByARun(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		first := b.lead.Run
		ids := b.create("ann", "bob", "cid")
		second := b.nextRun()
		ids = append(ids, b.create("dan")...)
		taken := b.commit(creation("id-dup", profile("userName", "ANN")))
		if taken[0].User != 0 {
			t.Fatalf("outcome %+v", taken[0])
		}
		b.lead.Run = first
		ids = append(ids, b.create("eve")...)
		must(0, b.DeleteUser(t.Context(), ids[1], "boss"))(t)
		users := func(list []idbridge.Link) (out []idbridge.UserID) {
			for _, l := range list {
				out = append(out, l.User)
			}
			return out
		}
		if diff := cmp.Diff([]idbridge.UserID{ids[0], ids[2], ids[4]}, users(b.made(first))); diff != "" {
			t.Errorf("first run (-want +got):\n%s", diff)
		}
		if list := b.made(second); len(list) != 1 || list[0].User != ids[3] || list[0].ID != corp("id-dan") {
			t.Errorf("second run made %+v", list)
		}
		if list := b.made(b.nextRun()); len(list) != 0 {
			t.Errorf("a run that made nobody: %+v", list)
		}
		for _, err := range b.Created(t.Context(), 99) {
			wantKind(t, err, idbridge.NotFound)
		}
	})
}

func TestManyChangesAndCreationsComeInChunks(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		const n = 1203
		load(b, 0, n)
		if list := b.made(b.lead.Run); len(list) != n {
			t.Errorf("%d users made", len(list))
		}
		run := b.nextRun()
		b.commit(updates(b, 0, 1)...)
		list := b.changes(run)
		for i := 1; i < len(list); i++ {
			if list[i].ID <= list[i-1].ID {
				t.Fatalf("change %d comes after %d", list[i].ID, list[i-1].ID)
			}
		}
		if len(list) < 501 {
			t.Errorf("%d changes", len(list))
		}
	})
}
