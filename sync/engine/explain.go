package engine

import (
	"context"
	"fmt"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// scoper is a session that can say where a record is, in scope or not, and by which rule of the config.
type scoper interface {
	Scope(ctx context.Context, id idbridge.ExternalID) (idbridge.Scope, error)
}

// Explain follows one record of a user from the directory to the store: where it is, what each side holds, what a run
// would do now and why, decided by the code that decides in a run. A directory that cannot be asked is named in Error,
// and the rest is what the store knows. Nothing is written, not even the row of a run. Errors: Invalid for a link of
// another directory, NotFound when the user has no such link.
func (e *Engine) Explain(ctx context.Context, t Target, user idbridge.UserID, link idbridge.ExternalID) (idbridge.ExplainedRecord, error) {
	t.Mode = Observe
	r, err := e.newPass(t, RunOptions{DryRun: true})
	if err != nil {
		return idbridge.ExplainedRecord{}, err
	}
	defer r.close()
	if link.Directory != r.name {
		return idbridge.ExplainedRecord{}, &idbridge.Error{Kind: idbridge.Invalid, Msg: fmt.Sprintf("the link is of %q, not of %q", link.Directory, r.name)}
	}
	subjects, err := r.subjects(ctx, []shown{{id: link}})
	if err != nil {
		return idbridge.ExplainedRecord{}, err
	}
	if s := &subjects[0]; s.Link == nil || s.Link.User != user {
		return idbridge.ExplainedRecord{}, &idbridge.Error{Kind: idbridge.NotFound, Msg: "the user has no such link"}
	}
	return r.explain(ctx, &subjects[0])
}

func (r *pass) explain(ctx context.Context, s *idbridge.Subject) (idbridge.ExplainedRecord, error) {
	link := s.Link
	one, scope, err := r.lookAt(ctx, s)
	if ctx.Err() != nil {
		return idbridge.ExplainedRecord{}, ctx.Err()
	}
	x := plan.Explain(r.p, *s, one.observed, r.e.now())
	x.Link, x.State, x.Sightings, x.Since, x.Scope, x.Matched = s.ID, link.State, link.Sightings, link.Since, scope, "by id"
	if err != nil {
		x.Error = reason(err)
	}
	return x, nil
}

// lookAt asks the directory about one record, in a session of its own. What could be found out comes back also with an
// error; s becomes what the store knows about the record as it is shown.
func (r *pass) lookAt(ctx context.Context, s *idbridge.Subject) (one shown, scope idbridge.Scope, err error) {
	one.id = s.ID
	if err := r.open(ctx); err != nil {
		return one, scope, err
	}
	l, err := r.lookUp(ctx, []idbridge.ExternalID{s.ID}, nil)
	if err != nil {
		return one, scope, err
	}
	switch {
	case len(l.batch) == 1:
		one, *s = l.batch[0], l.subjects[0]
		one.observed.Unknown = withheldFromView(&one, s)
		rec := one.observed.Record
		scope = idbridge.Scope{Found: true, Locator: rec.Locator, Version: rec.Version, InBase: idbridge.Support{OK: true}, InFilter: idbridge.Support{OK: true}}
	case len(l.absent) == 1:
		*s = l.absent[0]
	default:
		return one, scope, &idbridge.Error{Kind: idbridge.Conflicting, Msg: "the record is being changed", Hint: "ask again"}
	}
	if asked, ok := r.session.(scoper); ok {
		if scope, err = asked.Scope(ctx, s.ID); err != nil {
			return one, scope, fmt.Errorf("look where %s is: %w", s.ID, err)
		}
	}
	if s.Link == nil || s.User == nil {
		return one, scope, &idbridge.Error{Kind: idbridge.NotFound, Msg: "the user has no such link any more"}
	}
	return one, scope, nil
}
