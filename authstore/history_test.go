package authstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
)

func TestHistory(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann", "bob")[0]
		made := b.lead.Run
		must(b.EditUser(t.Context(), idbridge.UserEdit{User: id, Set: profile("displayName", "A", "email", "a@example.org"), By: "mia"}))(t)
		run := b.nextRun()
		sent := b.send("id-ann", profile("email", "a@example.org"))
		b.settle(idbridge.Settlement{Sent: sent, ID: corp("id-ann"), How: idbridge.SentSettled})
		pull := update(profile("title", "Lead", "displayName", "A"))
		pull.Before, pull.Why = profile("title", "Dev", "displayName", "A"), "directory changed"
		d := b.about("id-ann", pull, idbridge.Step{Verb: idbridge.Suspend, Why: "missing"})
		d.Conflicts = []idbridge.Conflict{{
			Attribute: "phone", Store: idbridge.Values{"1"}, Directory: idbridge.Values{"2"}, Winner: idbridge.DirectoryWinner,
		}}
		b.commit(d)
		want := []idbridge.Event{
			{Actor: "corp", What: "user.suspend", Run: run, Why: "missing"},
			{Actor: "corp", What: "update", Attribute: "title", Before: "Dev", After: "Lead", Run: run, Why: "directory changed"},
			{Actor: "corp", What: "conflict", Attribute: "phone", Before: "1", After: "2", Why: "conflict 1: store and directory both changed it, directory won, by policy"},
			{Actor: "ann", What: "push", Attribute: "email", After: "a@example.org", Run: run, Why: "to corp"},
			{Actor: "mia", What: "user.edit", Attribute: "email", Before: "ann@example.org", After: "a@example.org"},
			{Actor: "mia", What: "user.edit", Attribute: "displayName", Before: "ann", After: "A"},
			{Actor: "corp", What: "create", Run: made, Why: "for record id-ann"},
		}
		got := must(b.History(t.Context(), id, 0))(t)
		for i := 1; i < len(got); i++ {
			if got[i].At.After(got[i-1].At) {
				t.Errorf("event %d is newer than the one before it", i)
			}
		}
		less := func(x, y idbridge.Event) bool {
			return x.What+string(x.Attribute) < y.What+string(y.Attribute)
		}
		options := cmp.Options{cmpopts.IgnoreFields(idbridge.Event{}, "At"), cmpopts.SortSlices(less)}
		if diff := cmp.Diff(want, got, options); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		if got[len(got)-1].What != "create" {
			t.Errorf("it begins with %+v", got[len(got)-1])
		}
		if few := must(b.History(t.Context(), id, 2))(t); len(few) != 2 || few[0] != got[0] || few[1] != got[1] {
			t.Errorf("limited to %+v", few)
		}
		must(0, b.DeleteUser(t.Context(), id, "boss"))(t)
		after := must(b.History(t.Context(), id, 100))(t)
		if len(after) != len(got)+1 || after[0].What != "user.delete" || after[0].Actor != "boss" || after[len(after)-1].What != "create" {
			t.Errorf("after he was deleted: %+v", after)
		}
		_, err := b.History(t.Context(), 99, 0)
		wantKind(t, err, idbridge.NotFound)
	})
}

func TestHistoryOfALocalUser(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.create("ann")
		u := must(b.AddUser(t.Context(), idbridge.NewUser{Profile: profile("userName", "loc"), By: "boss"}))(t)
		got := must(b.History(t.Context(), u.ID, 0))(t)
		if len(got) != 1 || got[0].What != "user.create" || got[0].Actor != "boss" || got[0].Run != 0 {
			t.Errorf("history %+v", got)
		}
	})
}

func TestEditsArePruned(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		must(b.EditUser(t.Context(), idbridge.UserEdit{User: id, Set: profile("givenName", "Lead"), By: "mia"}))(t)
		edit := func(before, after string) {
			t.Helper()
			got := must(b.History(t.Context(), id, 0))(t)
			if len(got) != 2 || got[0].What != "user.edit" || got[0].Attribute != "givenName" || got[0].Before != before || got[0].After != after {
				t.Errorf("history %+v", got)
			}
		}
		edit("", "Lead")
		must(b.Prune(t.Context(), authstore.Retention{Runs: time.Hour}, false))(t)
		edit("", "Lead")
		b.clock.advance(2 * time.Hour)
		must(b.Prune(t.Context(), authstore.Retention{Runs: time.Hour}, false))(t)
		edit("", "") // the audit has it still
	})
}
