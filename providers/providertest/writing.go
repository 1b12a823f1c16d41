package providertest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

func fetches(t *testing.T, r *room) {
	s := r.open(t)
	l := r.listAll(t, s)
	var ids []idbridge.ExternalID
	want := map[idbridge.ExternalID]idbridge.Record{}
	for _, rec := range l.records {
		if len(ids) < 120 { // more than one group of ids
			ids = append(ids, rec.ID)
			want[rec.ID] = rec
		}
	}
	nobody := idbridge.ExternalID{Directory: r.Directory.Name(), ID: "00000000-0000-4000-8000-000000000000"}
	got, err := s.Fetch(r.ctx, append(ids, nobody))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fetched and listed records differ (-listed +fetched):\n%s", diff)
	}
}

// step is an update of one attribute.
func step(rec idbridge.Record, a idbridge.Attribute, after ...string) idbridge.Step {
	return idbridge.Step{
		ID: rec.ID, Side: idbridge.DirectorySide, Verb: idbridge.Update, Locator: rec.Locator,
		Before: idbridge.Profile{a: rec.Profile[a]}, After: idbridge.Profile{a: after},
	}
}

// holds reads a record back and compares one attribute.
func (r *room) holds(t *testing.T, s idbridge.Session, id idbridge.ExternalID, a idbridge.Attribute, want ...string) {
	t.Helper()
	got, err := s.Fetch(r.ctx, []idbridge.ExternalID{id})
	if err != nil {
		t.Fatal(err)
	}
	if !idbridge.CoreSchema().Equal(a, got[id].Profile[a], want) {
		t.Errorf("the directory holds %s %q, want %q", a, got[id].Profile[a], want)
	}
}

func applies(t *testing.T, r *room) {
	s := r.writable(t)
	rec := r.add(t, s, "writer")
	after, err := s.Apply(r.ctx, step(rec, idbridge.DisplayName, "Джордж, \"Jo\" Æther"))
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	if diff := cmp.Diff(idbridge.Values{"Джордж, \"Jo\" Æther"}, after.Profile[idbridge.DisplayName]); diff != "" {
		t.Errorf("returned (-want +got):\n%s", diff)
	}
	if after.ID != rec.ID {
		t.Errorf("returned the record %v", after.ID)
	}
	r.holds(t, s, rec.ID, idbridge.DisplayName, "Джордж, \"Jo\" Æther")
	got, err := s.Fetch(r.ctx, []idbridge.ExternalID{rec.ID})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got[rec.ID], after); diff != "" {
		t.Errorf("the returned record is not what a read shows (-read +returned):\n%s", diff)
	}
}

func appliesTwice(t *testing.T, r *room) {
	s := r.writable(t)
	rec := r.add(t, s, "twice")
	one := step(rec, idbridge.Email, "twice@new.example.org")
	if _, err := s.Apply(r.ctx, one); err != nil {
		t.Fatal(err)
	}
	first, err := s.Fetch(r.ctx, []idbridge.ExternalID{rec.ID})
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Apply(r.ctx, one)
	if err != nil {
		t.Fatalf("what is there already must be done, not %v", err)
	}
	if first[rec.ID].Version != again.Version {
		t.Error("the second apply wrote again: the version moved")
	}
}

func clears(t *testing.T, r *room) {
	s := r.writable(t)
	rec := r.add(t, s, "cleared")
	after, err := s.Apply(r.ctx, step(rec, idbridge.DisplayName))
	if err != nil {
		t.Fatalf("clear: %v", err)
	}
	if v := after.Profile[idbridge.DisplayName]; len(v) != 0 {
		t.Errorf("cleared, and holds %q", v)
	}
	r.holds(t, s, rec.ID, idbridge.DisplayName)
	if _, err := s.Apply(r.ctx, step(after, idbridge.DisplayName, "Back Again")); err != nil {
		t.Fatalf("fill: %v", err)
	}
	r.holds(t, s, rec.ID, idbridge.DisplayName, "Back Again")
}

func conflicts(t *testing.T, r *room) {
	s := r.writable(t)
	rec := r.add(t, s, "contested")
	r.must(t, r.Editor.Set("contested", idbridge.DisplayName, "Theirs"))
	_, err := s.Apply(r.ctx, step(rec, idbridge.DisplayName, "Ours"))
	if !errors.Is(err, idbridge.Conflicting) {
		t.Errorf("applied over another's edit: %v", err)
	}
	r.holds(t, s, rec.ID, idbridge.DisplayName, "Theirs")
	// Another attribute of the same record is nobody's conflict.
	if _, err := s.Apply(r.ctx, step(rec, idbridge.Email, "ours@example.org")); err != nil {
		t.Errorf("an edit of another attribute: %v", err)
	}
	r.holds(t, s, rec.ID, idbridge.DisplayName, "Theirs")
}

func races(t *testing.T, r *room) {
	s := r.writable(t)
	rec := r.add(t, s, "raced")
	names := []string{"One", "Two", "Three", "Four"}
	errs := make(chan error, len(names))
	for _, n := range names {
		go func() {
			_, err := s.Apply(r.ctx, step(rec, idbridge.DisplayName, n))
			errs <- err
		}()
	}
	won := 0
	for range names {
		switch err := <-errs; {
		case err == nil:
			won++
		case !errors.Is(err, idbridge.Conflicting):
			t.Errorf("the loser of a race: %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d writers won", won, len(names))
	}
}

func appliesToDeleted(t *testing.T, r *room) {
	s := r.writable(t)
	rec := r.add(t, s, "ghost")
	r.must(t, r.Editor.Delete("ghost"))
	r.must(t, r.Editor.Add(examinee("ghost"))) // another person under the very same name
	if _, err := s.Apply(r.ctx, step(rec, idbridge.DisplayName, "Wrong Person")); !errors.Is(err, idbridge.NotFound) {
		t.Errorf("apply to a deleted entry: %v", err)
	}
	if got := r.listAll(t, s).records["ghost"].Profile[idbridge.DisplayName]; got.First() == "Wrong Person" {
		t.Error("the change went to another person of the same name")
	}
}

func appliesToMoved(t *testing.T, r *room) {
	s := r.writable(t)
	rec := r.add(t, s, "wanderer")
	r.must(t, r.Editor.Move("wanderer"))
	after, err := s.Apply(r.ctx, step(rec, idbridge.DisplayName, "Found Anyway"))
	if err != nil {
		t.Fatalf("apply to a moved entry: %v", err)
	}
	if after.Locator == rec.Locator {
		t.Errorf("returned with the old locator %s", after.Locator)
	}
}
