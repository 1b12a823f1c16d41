package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// validator is a session that can say before a write whether it could be made at all. Errors as of Session.Apply, without
// asking the server.
type validator interface {
	Validate(step idbridge.Step) error
}

// rehearser is a session that can do everything of a directory step but send it: it reads the entry and checks the change
// against the entry's own object classes.
type rehearser interface {
	Rehearse(ctx context.Context, step idbridge.Step) error
}

// rehearse tries what a dry run would do, so that a plan does not fail later on what could have been checked: the store
// commits each batch and rolls it back, and the directory's steps are looked at without being sent. What would come out
// otherwise is said, becomes what it would really become, and the guards are asked again. An error that would end the
// real run ends the dry one.
func (r *pass) rehearse(ctx context.Context) error {
	changed := map[idbridge.ExternalID]idbridge.Decision{}
	for phase := range r.phases {
		batch := batch{}
		for d, err := range r.kept(phase) {
			if err != nil {
				return err
			}
			if d.Empty() {
				continue
			}
			if batch.full() && len(d.Tied) == 0 {
				if err := r.rehearseBatch(ctx, batch.take(), changed); err != nil {
					return err
				}
			}
			batch.add(&d)
		}
		if err := r.rehearseBatch(ctx, batch.take(), changed); err != nil {
			return err
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return r.planAnew(ctx, changed)
}

func (r *pass) rehearseBatch(ctx context.Context, list []decided, changed map[idbridge.ExternalID]idbridge.Decision) error {
	if err := r.validate(ctx, list, changed); err != nil {
		return err
	}
	if len(list) == 0 {
		return nil
	}
	outcomes, err := r.store(ctx, list, r.e.Store.Rehearse)
	if err != nil {
		return fmt.Errorf("rehearse: %w", err)
	}
	for i := range list {
		d, o := &list[i].Decision, &outcomes[i]
		switch {
		case isGroupPart(d) || d.Group != nil:
			if o.Stale {
				r.foresee("the group %s changed while the plan was made: the next run decides", d.Name)
			}
		case o.Stale && o.Unusable != "":
			r.foresee("%s would be left as it is: %s", d.Name, o.Unusable)
			changed[d.ID] = idbridge.Decision{
				ID: d.ID, User: d.User, Name: d.Name, Situation: idbridge.Quarantined, Unusable: o.Unusable,
			}
		case o.Stale:
			r.foresee("%s changed while the plan was made: the next run decides", d.Name)
			changed[d.ID] = idbridge.Decision{
				ID: d.ID, User: d.User, Name: d.Name, Situation: idbridge.Skipped, Why: "changed while the plan was made",
			}
		case len(o.Withheld) > 0:
			for _, h := range o.Withheld {
				r.foresee("%s: %s %s would be withheld: %s", d.Name, h.Attribute, strconv.Quote(h.Value), h.Why)
			}
			changed[d.ID] = without(r.p.Schema, d, o.Withheld)
		}
	}
	return nil
}

// validate looks at the directory's steps without sending them.
func (r *pass) validate(ctx context.Context, list []decided, changed map[idbridge.ExternalID]idbridge.Decision) error {
	session, ok := r.session.(validator)
	if !ok {
		return nil
	}
	for i := range list {
		d := &list[i].Decision
		step := d.DirectoryStep()
		if step == nil {
			continue
		}
		err := session.Validate(*step)
		if deeper, ok := r.session.(rehearser); ok && err == nil {
			err = deeper.Rehearse(ctx, *step)
		}
		switch {
		case err == nil, ending(err) == endMoved: // what moved meanwhile is planned again by the run itself
		case ending(err) == endStop:
			return fmt.Errorf("check the change of %s in %q: %w", d.Name, r.name, err)
		default:
			r.foresee("%s: the directory would refuse the change: %s", d.Name, reason(err))
			*d = refused(d, reason(err))
			changed[d.ID] = *d
		}
	}
	return nil
}

// refused is what becomes of a decision whose directory step is refused: the rest is done, and the record is listed.
func refused(d *idbridge.Decision, why string) idbridge.Decision {
	out := *d
	out.Steps = slices.DeleteFunc(slices.Clone(d.Steps), func(s idbridge.Step) bool { return s.Side == idbridge.DirectorySide })
	out.Situation, out.Unusable, out.Listed, out.Seen.Digest = idbridge.Quarantined, why, false, idbridge.Digest{}
	return out
}

// without is what becomes of a decision whose user does not get some unique values: he keeps what he has, and a new user
// without a login is not made.
func without(schema idbridge.Schema, d *idbridge.Decision, taken []idbridge.Withheld) idbridge.Decision {
	out := *d
	out.Steps, out.Base = slices.Clone(d.Steps), d.Base.Clone()
	out.Withheld, out.Listed, out.Seen.Digest = slices.Concat(d.Withheld, taken), false, idbridge.Digest{}
	for i := range out.Steps {
		s := &out.Steps[i]
		if s.Side != idbridge.StoreSide || s.ID != d.ID {
			continue
		}
		s.After, s.Before = s.After.Clone(), s.Before.Clone()
		for _, h := range taken {
			if !leave(schema, s.After, &h) {
				delete(s.Before, h.Attribute)
			}
			leave(schema, out.Base, &h)
		}
		if s.Verb == idbridge.Create && len(s.After[idbridge.UserName]) == 0 {
			return idbridge.Decision{
				ID: d.ID, Name: d.Name, Situation: idbridge.Quarantined, Withheld: taken,
				Unusable: string(idbridge.UserName) + " " + strconv.Quote(taken[0].Value) + ": " + taken[0].Why,
			}
		}
	}
	out.Conflicts = slices.DeleteFunc(slices.Clone(d.Conflicts), func(c idbridge.Conflict) bool {
		return c.ID == 0 && c.Winner == idbridge.DirectoryWinner && slices.ContainsFunc(taken, func(h idbridge.Withheld) bool {
			return h.Attribute == c.Attribute && !slices.ContainsFunc(out.Steps, func(s idbridge.Step) bool { return len(s.After[c.Attribute]) > 0 })
		})
	})
	out.Steps = slices.DeleteFunc(out.Steps, func(s idbridge.Step) bool {
		return s.Verb == idbridge.Update && s.ID == d.ID && len(s.After) == 0
	})
	return out
}

// leave takes one value out of a profile; false when the attribute has no other one and goes with it.
func leave(schema idbridge.Schema, p idbridge.Profile, h *idbridge.Withheld) bool {
	v, ok := p[h.Attribute]
	if !ok {
		return true
	}
	m := schema[h.Attribute].Match
	n := m.Normal(h.Value)
	v = slices.DeleteFunc(v, func(x string) bool { return m.Normal(x) == n })
	if len(v) == 0 {
		delete(p, h.Attribute)
		return false
	}
	p[h.Attribute] = v
	return true
}

// planAnew closes the plan once more, with decisions as they would really come out.
func (r *pass) planAnew(ctx context.Context, changed map[idbridge.ExternalID]idbridge.Decision) error {
	old := r.phases
	defer func() {
		for i := range old {
			old[i].close()
		}
	}()
	for i := range r.phases {
		r.phases[i] = spool{dir: r.e.SpoolDir, limit: phaseSpool}
	}
	idle := r.idle
	r.tally, r.idle, r.decided, r.effective = plan.NewTally(r.p), 0, 0, 0
	r.unchanged(idle)
	for phase := range old {
		for d, err := range r.readBack(&old[phase]) {
			if err != nil {
				return err
			}
			if now, ok := changed[d.ID]; ok && !isGroupPart(&d.Decision) && d.Group == nil {
				d.Decision = now
			}
			if err := r.keep(&d); err != nil {
				return err
			}
		}
	}
	return r.ask(ctx, r.facts)
}

// foresee says what would come out otherwise than it was decided, for the first few.
func (r *pass) foresee(format string, args ...any) {
	if r.foreseen++; r.foreseen <= maxNameless {
		r.say(format, args...)
	}
}
