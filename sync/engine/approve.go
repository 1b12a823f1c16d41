package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// Apply makes the effects of the held or ready plan with that hash, or an unambiguous beginning of it, after a person
// approved it. Every record is read and decided again: what comes out as approved is done, what does not is stale, left
// out and named, attribute by attribute. The guards run again over what is left; those that held this very plan are
// lifted. Errors: NotFound, Conflicting (it was applied or discarded already), Held (a guard objects that did not when
// the plan was made), and those of Run.
func (e *Engine) Apply(ctx context.Context, t Target, hash, by string, epoch int64) (Report, error) {
	approved, err := e.openPlan(ctx, hash)
	if err != nil {
		return Report{}, err
	}
	if t.Mode == Observe {
		return Report{}, &idbridge.Error{Kind: idbridge.Invalid, Msg: "the directory's mode is observe: nothing is applied"}
	}
	t.Mode = ApplyAll
	r, err := e.newPass(t, RunOptions{Kind: idbridge.ApplyRun, Author: by, Epoch: epoch})
	if err != nil {
		return Report{}, err
	}
	if approved.Directory != r.name {
		return Report{}, &idbridge.Error{Kind: idbridge.Invalid, Msg: fmt.Sprintf("the plan is about %q", approved.Directory)}
	}
	defer r.close()
	if err := r.begin(ctx); err != nil {
		return Report{}, err
	}
	source, err := r.apply(ctx, &approved, by)
	err = r.finish(ctx, source, err)
	return *r.report, err
}

// Discard closes a plan without applying it. Errors: NotFound, Conflicting (it was applied or discarded already).
func (e *Engine) Discard(ctx context.Context, hash, by string) error {
	p, err := e.openPlan(ctx, hash)
	if err != nil {
		return err
	}
	if err := e.Store.ClosePlan(ctx, p.Hash, idbridge.PlanDiscarded, by); err != nil {
		return fmt.Errorf("discard plan %.8s: %w", p.Hash, err)
	}
	return nil
}

// openPlan reads a plan that waits.
func (e *Engine) openPlan(ctx context.Context, hash string) (idbridge.Plan, error) {
	p, err := e.Store.Plan(ctx, hash)
	if err != nil {
		return p, fmt.Errorf("read plan %q: %w", hash, err)
	}
	if p.State != idbridge.PlanHeld && p.State != idbridge.PlanReady {
		return p, &idbridge.Error{
			Kind: idbridge.Conflicting, Msg: fmt.Sprintf("the plan is %s already", p.State),
			Hint: "make a new one: idbridge plan",
		}
	}
	return p, nil
}

func (r *pass) apply(ctx context.Context, approved *idbridge.Plan, by string) (*idbridge.Source, error) {
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	var err error
	if r.source, err = r.e.Store.Source(ctx, r.name); err != nil {
		return nil, fmt.Errorf("read what is known of %q: %w", r.name, err)
	}
	if r.source.Restored.IsZero() {
		if err := r.settleOpen(ctx); err != nil {
			return nil, err
		}
	}
	decide := r.decideApproved
	if approved.Undoes != 0 {
		decide = r.reverseApproved
	}
	if err := decide(ctx, approved); err != nil {
		return nil, err
	}
	r.unchanged(approved.Counts.Seen) // the listing that the plan rests on showed them
	err = r.ask(ctx, plan.Facts{
		Complete: true, Proof: approved.Proof, First: r.source.Runs == 0, Records: r.source.Records,
		Scope: r.p.Scope, Known: r.p.Scope, Restored: r.source.Restored, Undo: approved.Undoes != 0,
	})
	if err != nil {
		return nil, err
	}
	if err := lift(&r.header, approved); err != nil {
		return nil, err
	}
	r.header.Hash, r.row.Plan, r.report.Held = approved.Hash, approved.Hash, false
	r.header.By = by // plan.Allowed lets pass what only a person may
	if err := r.make(ctx); err != nil {
		return nil, err
	}
	if err := r.e.Store.ClosePlan(ctx, approved.Hash, idbridge.PlanApplied, by); err != nil {
		return nil, fmt.Errorf("close plan %.8s: %w", approved.Hash, err)
	}
	s := r.source
	s.Held = ""
	if breached(approved, plan.GuardScope, "") {
		s.Scope = r.p.Scope
	}
	return &s, nil
}

// lift takes back the verdicts that held the approved plan. Any other one that holds is an error.
func lift(now, approved *idbridge.Plan) error {
	for i := range now.Verdicts {
		v := &now.Verdicts[i]
		if v.Held == idbridge.HoldNothing {
			continue
		}
		if v.Guard == plan.GuardRestored { // no plan's approval says that an older store is meant
			return &idbridge.Error{Kind: idbridge.Held, Msg: v.Why, Hint: "idbridge restore"}
		}
		if !breached(approved, v.Guard, v.About) {
			return &idbridge.Error{
				Kind: idbridge.Held, Msg: "a guard objects that did not when the plan was made: " + v.Why,
				Hint: "make a new plan and look at it: idbridge plan",
			}
		}
		v.Held = idbridge.HoldNothing
	}
	return nil
}

func breached(p *idbridge.Plan, guard, about string) bool {
	for i := range p.Verdicts {
		if v := &p.Verdicts[i]; v.Guard == guard && v.About == about && v.Held != idbridge.HoldNothing {
			return true
		}
	}
	return false
}

// decideApproved reads the plan's decisions and decides again about their records.
func (r *pass) decideApproved(ctx context.Context, p *idbridge.Plan) error {
	var batch []idbridge.Decision
	groups := approvedGroups{}
	for d, err := range r.e.Store.Decisions(ctx, p.Hash) {
		if err != nil {
			return fmt.Errorf("read the decisions of plan %.8s: %w", p.Hash, err)
		}
		if isGroupPart(&d) || d.Group != nil {
			groups.add(&d)
			continue
		}
		if len(d.Steps) == 0 && len(d.Base) == 0 && len(d.Conflicts) == 0 && len(d.Closed) == 0 {
			continue // a value or a record that is only listed; every run lists it anew
		}
		if len(batch) >= fetchBatch && len(d.Tied) == 0 {
			if err := r.decideAnew(ctx, batch); err != nil {
				return err
			}
			batch = nil
		}
		batch = append(batch, d)
	}
	if err := r.decideAnew(ctx, batch); err != nil {
		return err
	}
	return r.decideGroupsAnew(ctx, groups)
}

func (r *pass) decideAnew(ctx context.Context, batch []idbridge.Decision) error {
	if len(batch) == 0 {
		return nil
	}
	var todo []shown
	var subjects []idbridge.Subject
	var wanted []*idbridge.Decision
	for part := range slices.Chunk(batch, fetchBatch) {
		byID := make(map[idbridge.ExternalID]*idbridge.Decision, len(part))
		ids := make([]idbridge.ExternalID, len(part))
		for i := range part {
			ids[i], byID[part[i].ID] = part[i].ID, &part[i]
		}
		away, err := r.stillAway(ctx, part)
		if err != nil {
			return err
		}
		l, err := r.lookUp(ctx, ids, nil)
		if err != nil {
			return err
		}
		for i := range l.absent {
			todo = append(todo, approvedAbsent(byID[l.absent[i].ID]))
			wanted = append(wanted, byID[l.absent[i].ID])
		}
		subjects = append(subjects, l.absent...)
		for i := range l.batch {
			d := byID[l.batch[i].id]
			approvedView(d, &l.batch[i], away)
			todo, wanted = append(todo, l.batch[i]), append(wanted, d)
		}
		subjects = append(subjects, l.subjects...)
		for _, id := range l.moved {
			r.row.Counts.Seen++
			r.staleApproved(byID[id], true)
		}
	}
	for i, d := range r.decideEach(todo, subjects) {
		r.row.Counts.Seen += int(bit(d.present))
		if r.cut(&d, wanted[i], &subjects[i], todo[i].observed.Record) {
			continue
		}
		if err := r.keep(&d); err != nil {
			return err
		}
	}
	return nil
}

// cut leaves of a fresh decision what was approved. It tells whether nothing of it is left, and names what is stale.
func (r *pass) cut(d *decided, approved *idbridge.Decision, s *idbridge.Subject, rec *idbridge.Record) (gone bool) {
	left, stale := asApproved(r.p.Schema, approved, &d.Decision, s, rec)
	if stale {
		r.staleApproved(approved, d.present && left.Empty())
	}
	d.Decision = left
	if left.Back && len(left.Steps)+len(left.Base) > 0 { // it is not left alone any more
		d.Situation = idbridge.Updated
	}
	return stale && left.Empty()
}

// approvedAbsent makes an observation of a record that is not there, for a decision that was approved: absence that was
// proved then stays proved.
func approvedAbsent(d *idbridge.Decision) shown {
	one := shown{id: d.ID}
	switch {
	case d.Proof != nil && d.Proof.Feed == plan.Tombstone:
		one.observed.Gone = idbridge.Deleted
	case d.Proof != nil:
		one.observed.Absent = d.Proof
	}
	return one
}

// stillAway looks for the records whose users give up unique values in approved decisions of others, and returns those that
// are not there still.
func (r *pass) stillAway(ctx context.Context, approved []idbridge.Decision) (map[idbridge.ExternalID]bool, error) {
	var away map[idbridge.ExternalID]bool
	for i := range approved {
		for k := range approved[i].Steps {
			if s := &approved[i].Steps[k]; s.ID != approved[i].ID {
				if away == nil {
					away = map[idbridge.ExternalID]bool{}
				}
				away[s.ID] = true
			}
		}
	}
	for ids := range slices.Chunk(sortedKeys(away), fetchBatch) {
		there, err := r.session.Fetch(ctx, ids)
		if err != nil {
			return nil, fmt.Errorf("read %d records of %q: %w", len(ids), r.name, err)
		}
		for id := range there {
			delete(away, id)
		}
	}
	return away, nil
}

// approvedView completes an observation for a decision that was approved: what it touches is known, whoever lets a unique
// value go in this plan was looked at when it was made, and who gives one up because he is away is away still.
func approvedView(d *idbridge.Decision, one *shown, away map[idbridge.ExternalID]bool) {
	one.observed.Author = authorOf(d)
	for i := range d.Steps {
		if id := d.Steps[i].ID; away[id] {
			one.observed.Yields = append(one.observed.Yields, plan.Yield{Link: id, Gone: true})
		}
		one.touched = append(one.touched, d.Steps[i].After.Attributes()...)
		one.touched = append(one.touched, d.Steps[i].Before.Attributes()...)
	}
	one.touched = append(one.touched, d.Base.Attributes()...)
	for i := range d.Conflicts {
		one.touched = append(one.touched, d.Conflicts[i].Attribute)
	}
	for _, id := range d.Tied {
		one.observed.Yields = append(one.observed.Yields, plan.Yield{Link: id})
	}
}

// staleApproved names a decision of which a part, or everything, was left out.
func (r *pass) staleApproved(d *idbridge.Decision, skipped bool) {
	r.row.Counts.Stale++
	if skipped {
		r.row.Counts.Skipped++
	}
	if len(r.report.Stale) < maxNameless {
		r.report.Stale = append(r.report.Stale, d.Name)
	}
}
