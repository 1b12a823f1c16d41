package providertest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/idbridge/idbridge"
)

func listsAll(t *testing.T, r *room) {
	s := r.open(t)
	l := r.listAll(t, s)
	if len(l.records)+len(l.unusable) != r.People {
		t.Errorf("listed %d records and %d unusable ones of %d", len(l.records), len(l.unusable), r.People)
	}
	if l.end.Proof.Doubt != "" {
		t.Errorf("complete, with a doubt: %s", l.end.Proof.Doubt)
	}
	if l.end.Proof.Entries < r.People {
		t.Errorf("the proof counts %d entries of %d", l.end.Proof.Entries, r.People)
	}
	again := r.listAll(t, s) // a session lists as often as it is asked
	for name, rec := range l.records {
		if diff := cmp.Diff(rec, again.records[name]); diff != "" {
			t.Fatalf("%q differs in a second listing without an edit:\n%s", name, diff)
		}
	}
}

func listsValues(t *testing.T, r *room) {
	rec := r.add(t, r.open(t), "exam")
	want := map[idbridge.Attribute]string{
		idbridge.UserName: "exam", idbridge.GivenName: "Jörg", idbridge.FamilyName: "Æther",
		idbridge.DisplayName: "Jörg Æther", idbridge.Email: "exam@example.org",
	}
	for a, v := range want {
		if diff := cmp.Diff(idbridge.Values{v}, rec.Profile[a]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", a, diff)
		}
	}
}

func listsMembers(t *testing.T, r *room) {
	if r.Grouper == nil {
		t.Skip("no groups")
	}
	s := r.open(t)
	one, two := r.add(t, s, "one"), r.add(t, s, "two")
	r.must(t, r.Grouper.SetGroup("examined", "one", "two"))
	r.must(t, r.Editor.Move("two")) // a server may rewrite the member's name, or not
	r.must(t, r.Grouper.SetGroup("examined", "one", "two"))
	var found []idbridge.ExternalID
	for _, m := range r.listAll(t, s).members {
		if slices.Contains(m.Members, one.ID) {
			if !m.Whole.OK {
				t.Errorf("members not whole: %s", m.Whole.Reason)
			}
			found = m.Members
		}
	}
	want := []idbridge.ExternalID{one.ID, two.ID}
	sortIDs(want)
	sortIDs(found)
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

func sortIDs(ids []idbridge.ExternalID) {
	slices.SortFunc(ids, func(a, b idbridge.ExternalID) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
}

func keepsIDOnRename(t *testing.T, r *room) {
	s := r.open(t)
	before := r.add(t, s, "maiden")
	r.must(t, r.Editor.Rename("maiden", "married"))
	l := r.listAll(t, s)
	if _, still := l.records["maiden"]; still {
		t.Error("the old name is still listed")
	}
	after := l.records["married"]
	if after.ID != before.ID {
		t.Errorf("id %v became %v", before.ID, after.ID)
	}
	if after.Locator == before.Locator {
		t.Errorf("the locator did not move: %s", after.Locator)
	}
}

func keepsIDOnMove(t *testing.T, r *room) {
	s := r.open(t)
	before := r.add(t, s, "mover")
	r.must(t, r.Editor.Move("mover"))
	after := r.listAll(t, s).records["mover"]
	if after.ID != before.ID {
		t.Errorf("id %v became %v", before.ID, after.ID)
	}
	if after.Locator == before.Locator {
		t.Errorf("the locator did not move: %s", after.Locator)
	}
}

func missesDeleted(t *testing.T, r *room) {
	s := r.open(t)
	rec := r.add(t, s, "leaver")
	r.must(t, r.Editor.Delete("leaver"))
	if _, still := r.listAll(t, s).records["leaver"]; still {
		t.Error("deleted and still listed")
	}
	got, err := s.Fetch(r.ctx, []idbridge.ExternalID{rec.ID})
	if err != nil || len(got) != 0 {
		t.Errorf("fetch of a deleted entry: %v, %v; want nothing", got, err)
	}
}

func tellsReborn(t *testing.T, r *room) {
	s := r.open(t)
	before := r.add(t, s, "reborn")
	r.must(t, r.Editor.Delete("reborn"))
	after := r.add(t, s, "reborn")
	if after.ID == before.ID {
		t.Errorf("two people share the id %v", before.ID)
	}
}

func admitsTruncation(t *testing.T, r *room) {
	if r.Saboteur == nil {
		t.Skip("no saboteur")
	}
	s := r.open(t)
	whole := r.listAll(t, s)
	r.must(t, r.Saboteur.Truncate(10))
	cut := r.list(t, r.open(t))
	switch {
	case cut.err != nil:
		if k := idbridge.KindOf(cut.err); k != idbridge.Incomplete && k != idbridge.Unavailable {
			t.Errorf("a truncated listing is of the kind %v: %v", k, cut.err)
		}
	case cut.end.Complete:
		t.Fatalf("%d of %d records, called complete: %+v", len(cut.records), len(whole.records), cut.end.Proof)
	case cut.end.Proof.Doubt == "":
		t.Error("not complete, and no word why")
	}
	if len(cut.records) >= len(whole.records) {
		t.Errorf("the saboteur did nothing: %d records", len(cut.records))
	}
	r.must(t, r.Saboteur.Truncate(0))
	if again := r.listAll(t, r.open(t)); len(again.records) != len(whole.records) {
		t.Errorf("%d records after the limit was lifted, %d before", len(again.records), len(whole.records))
	}
}

func breaksEarly(t *testing.T, r *room) {
	s := r.open(t)
	r.listAll(t, s) // whatever a session starts once is started now
	for _, after := range []int{1, 2, r.People / 2} {
		before := goleak.IgnoreCurrent()
		n := 0
		for _, err := range s.Scan(r.ctx, "") {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == after {
				break
			}
		}
		goleak.VerifyNone(t, before)
	}
	r.listAll(t, s) // and the session is good for more
}

func cancels(t *testing.T, r *room) {
	s := r.open(t)
	for _, after := range []int{0, 1, r.People / 2} {
		ctx, cancel := context.WithCancel(r.ctx)
		ended := make(chan error, 1)
		go func() { ended <- scanAndCancel(ctx, cancel, s, after) }()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled after %d: %v", after, err)
			}
		case <-time.After(patience):
			t.Fatalf("cancelled after %d: the listing goes on", after)
		}
		cancel()
	}
	r.listAll(t, s)
}

func scanAndCancel(ctx context.Context, cancel context.CancelFunc, s idbridge.Session, after int) error {
	n := 0
	if after == 0 {
		cancel()
	}
	for c, err := range s.Scan(ctx, "") {
		if err != nil {
			return err
		}
		if end, ok := c.(idbridge.Checkpoint); ok && end.Complete {
			return errors.New("a cancelled listing says it is complete")
		}
		if n++; n == after {
			cancel()
		}
	}
	return errors.New("a cancelled listing ended without an error")
}
