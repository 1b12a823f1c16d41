package providertest

import (
	"context"
	"errors"
	"testing"

	"github.com/idbridge/idbridge"
)

// locator is a session that says where a record is. A directory without it does not sit that part of the exam.
type locator interface {
	Scope(ctx context.Context, id idbridge.ExternalID) (idbridge.Scope, error)
}

// rehearser is a session that can look at a step without making it.
type rehearser interface {
	Validate(step idbridge.Step) error
	Rehearse(ctx context.Context, step idbridge.Step) error
}

func locates(t *testing.T, r *room) {
	s := r.open(t)
	where, ok := s.(locator)
	if !ok {
		t.Skip("the directory does not say where a record is")
	}
	rec := r.add(t, s, "here")
	r.must(t, r.Editor.Move("here"))
	sc, err := where.Scope(r.ctx, rec.ID)
	if err != nil || !sc.Found || sc.Locator == rec.Locator || !sc.InBase.OK || !sc.InFilter.OK || sc.InBase.Reason == "" || sc.InFilter.Reason == "" {
		t.Errorf("a moved record: %+v, %v", sc, err)
	}
	r.must(t, r.Editor.Delete("here"))
	if sc, err = where.Scope(r.ctx, rec.ID); err != nil || sc.Found || sc.InBase.OK || sc.InFilter.OK {
		t.Errorf("a deleted record: %+v, %v", sc, err)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	if _, err := where.Scope(ctx, rec.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

func rehearses(t *testing.T, r *room) {
	s := r.writable(t)
	dry, ok := s.(rehearser)
	if !ok {
		t.Skip("the directory does not look at a step without making it")
	}
	rec := r.add(t, s, "planned")
	good := step(rec, idbridge.DisplayName, "Planned")
	if err := errors.Join(dry.Validate(good), dry.Rehearse(r.ctx, good)); err != nil {
		t.Errorf("a good step: %v", err)
	}
	bad := step(rec, idbridge.DisplayName, "a\x00b")
	if err := dry.Validate(bad); !errors.Is(err, idbridge.Refused) {
		t.Errorf("a zero byte: %v", err)
	}
	got, err := s.Fetch(r.ctx, []idbridge.ExternalID{rec.ID})
	if err != nil || got[rec.ID].Version != rec.Version {
		t.Errorf("the record moved: %v, %v", got, err)
	}
	r.must(t, r.Editor.Set("planned", idbridge.DisplayName, "Theirs"))
	if err := dry.Rehearse(r.ctx, good); !errors.Is(err, idbridge.Conflicting) {
		t.Errorf("over another's edit: %v", err)
	}
	r.must(t, r.Editor.Delete("planned"))
	if err := dry.Rehearse(r.ctx, good); !errors.Is(err, idbridge.NotFound) {
		t.Errorf("of a deleted record: %v", err)
	}
}
