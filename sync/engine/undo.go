package engine

import (
	"context"
	"fmt"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
	"github.com/idbridge/idbridge/sync/plan"
)

// Undo makes the reverse of a run as a plan that waits: nothing is done before it is approved. Every record is read again,
// and what somebody changed since is refused and named in Plan.Refused, attribute by attribute. The guards are asked about
// the whole, as about any plan. A run that carried out an approved plan, an undo among them, can be undone like any other.
// Errors: NotFound (no such run, or what it changed is not kept any more), Invalid (a run of another directory, or one
// that changed nothing), Conflicting (the run goes on still), and those of Run.
func (e *Engine) Undo(ctx context.Context, t Target, run idbridge.RunID, author string, epoch int64) (Report, error) {
	r, err := e.newPass(t, RunOptions{Kind: idbridge.UndoRun, Author: author, Epoch: epoch, DryRun: true})
	if err != nil {
		return Report{}, err
	}
	if r.t.Mode == Observe {
		return Report{}, &idbridge.Error{Kind: idbridge.Invalid, Msg: "the directory's mode is observe: nothing was done that could be undone"}
	}
	row, err := e.Store.Run(ctx, run)
	if err != nil {
		return Report{}, fmt.Errorf("undo run %d: %w", run, err)
	}
	if err := reversible(&row, r.name); err != nil {
		return Report{}, err
	}
	defer r.close()
	if err := r.begin(ctx); err != nil {
		return Report{}, err
	}
	return *r.report, r.finish(ctx, nil, r.undo(ctx, &row))
}

// reversible tells whether a run did anything that could be reversed.
func reversible(run *idbridge.Run, directory string) error {
	switch {
	case run.Directory != directory:
		return &idbridge.Error{Kind: idbridge.Invalid, Msg: fmt.Sprintf("run %d is about %q", run.ID, run.Directory)}
	case run.State == idbridge.RunRunning:
		return &idbridge.Error{
			Kind: idbridge.Conflicting, Msg: fmt.Sprintf("run %d goes on still", run.ID), Hint: "undo it when it has ended: idbridge runs",
		}
	case run.Kind == idbridge.PlanRun || run.Kind == idbridge.UndoRun:
		return &idbridge.Error{Kind: idbridge.Invalid, Msg: fmt.Sprintf("run %d only made a plan", run.ID), Hint: "discard the plan instead"}
	case run.State != idbridge.RunInterrupted && effectsOf(&run.Counts) == 0: // nobody counted what a dead daemon did
		return &idbridge.Error{Kind: idbridge.Invalid, Msg: fmt.Sprintf("run %d changed nothing", run.ID)}
	}
	return nil
}

// effectsOf is the number of things that a run did and that are kept to be reversed.
func effectsOf(c *idbridge.Counts) int {
	return c.Created + c.Linked + c.Pulls + c.Restored + c.Inactive + c.Suspended + c.Purged + c.Joined + c.Left + c.Sent
}

// past is what one run did, by record and by group.
type past struct {
	run     idbridge.RunID
	pending map[idbridge.ExternalID]int  // changes of each record
	made    map[idbridge.ExternalID]bool // records whose users it made
	groups  map[idbridge.ExternalID][]idbridge.RunChange
}

// recall counts what a run did to each record.
func (r *pass) recall(ctx context.Context, run idbridge.RunID) (*past, error) {
	p := &past{
		run: run, pending: map[idbridge.ExternalID]int{}, made: map[idbridge.ExternalID]bool{},
		groups: map[idbridge.ExternalID][]idbridge.RunChange{},
	}
	for c, err := range r.e.Store.Changes(ctx, run) {
		if err != nil {
			return nil, fmt.Errorf("read what run %d changed: %w", run, err)
		}
		if c.Group.ID != "" {
			p.groups[c.Group] = append(p.groups[c.Group], c)
			continue
		}
		p.pending[c.Link]++
	}
	for l, err := range r.e.Store.Created(ctx, run) {
		if err != nil {
			return nil, fmt.Errorf("read the users that run %d made: %w", run, err)
		}
		p.made[l.ID] = true
	}
	return p, nil
}

func (p *past) empty() bool { return len(p.pending) == 0 && len(p.made) == 0 && len(p.groups) == 0 }

func (r *pass) undo(ctx context.Context, run *idbridge.Run) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	var err error
	if r.source, err = r.e.Store.Source(ctx, r.name); err != nil {
		return fmt.Errorf("read what is known of %q: %w", r.name, err)
	}
	did, err := r.recall(ctx, run.ID)
	if err != nil {
		return err
	}
	if c := &run.Counts; did.empty() || len(did.pending) == 0 && len(did.groups) == 0 && c.Pulls+c.Settled+c.Joined+c.Left+c.Purged > 0 {
		return &idbridge.Error{
			Kind: idbridge.NotFound, Msg: fmt.Sprintf("what run %d changed is not kept any more", run.ID),
			Hint: "retention.runs in the config says how long it is kept",
		}
	}
	r.undoes = run.ID
	if err := r.reverseAll(ctx, did, nil); err != nil {
		return err
	}
	if err := r.ask(ctx, r.undoFacts()); err != nil {
		return err
	}
	_, err = r.holdBack(ctx)
	return err
}

// undoFacts are what the guards must know of a plan that rests on records read by id and not on a listing.
func (r *pass) undoFacts() plan.Facts {
	return plan.Facts{
		Complete: true, First: r.source.Runs == 0, Records: r.source.Records, Scope: r.p.Scope, Known: r.p.Scope,
		Restored: r.source.Restored, Undo: true,
	}
}

// reverseAll decides the reverse of what a run did, record by record and group by group. With approved only those
// decisions are made anew, and cut to what was approved.
func (r *pass) reverseAll(ctx context.Context, did *past, approved *approval) error {
	if err := r.reverseChanged(ctx, did, approved); err != nil {
		return err
	}
	var batch []reversal
	for _, id := range sortedKeys(did.made) { // those to which nothing else happened
		if did.pending[id] > 0 || approved != nil && approved.records[id] == nil {
			continue
		}
		if batch = append(batch, reversal{id: id, made: true}); len(batch) == fetchBatch {
			if err := r.reverse(ctx, batch, approved); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if err := r.reverse(ctx, batch, approved); err != nil {
		return err
	}
	return r.reverseGroups(ctx, did, approved)
}

// reversal is one record with everything that the run did to it.
type reversal struct {
	id      idbridge.ExternalID
	changes []idbridge.RunChange
	made    bool
}

// reverseChanged reads the changes a second time. They come in the order in which they were made, so a record is decided
// once all of its changes are there.
func (r *pass) reverseChanged(ctx context.Context, did *past, approved *approval) error {
	open := map[idbridge.ExternalID][]idbridge.RunChange{}
	var batch []reversal
	for c, err := range r.e.Store.Changes(ctx, did.run) {
		if err != nil {
			return fmt.Errorf("read what run %d changed: %w", did.run, err)
		}
		if c.Group.ID != "" || approved != nil && approved.records[c.Link] == nil {
			continue
		}
		open[c.Link] = append(open[c.Link], c)
		list := open[c.Link]
		if len(list) < did.pending[c.Link] {
			continue
		}
		delete(open, c.Link)
		if batch = append(batch, reversal{id: c.Link, changes: list, made: did.made[c.Link]}); len(batch) == fetchBatch {
			if err := r.reverse(ctx, batch, approved); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return r.reverse(ctx, batch, approved)
}

// reverse reads some records and decides the reverse of what was done to them.
func (r *pass) reverse(ctx context.Context, batch []reversal, approved *approval) error {
	if len(batch) == 0 {
		return nil
	}
	subjects, records, err := r.present(ctx, batch)
	if err != nil {
		return err
	}
	list, refused := r.reverseEach(batch, subjects, records)
	for _, i := range givingFirst(list) {
		one := decided{Decision: list[i], present: records[batch[i].id] != nil && list[i].Situation != idbridge.Purged} // who goes is counted there
		r.row.Counts.Seen += int(bit(one.present))
		switch {
		case approved == nil:
			r.refused = append(r.refused, refused[i]...)
		case failpoint.Mutant("undoblind"): // the mistake: the plan is carried out as it was made, whatever happened since
			one.Steps = approved.records[batch[i].id].Steps
		case r.cut(&one, approved.records[batch[i].id], &subjects[i], records[batch[i].id]):
			continue
		}
		if err := r.keep(&one); err != nil {
			return err
		}
	}
	return nil
}

// approval is what a person approved of an undo plan.
type approval struct {
	records map[idbridge.ExternalID]*idbridge.Decision
	groups  approvedGroups
}

// reverseApproved decides anew what was approved of an undo plan.
func (r *pass) reverseApproved(ctx context.Context, p *idbridge.Plan) error {
	ok := approval{records: map[idbridge.ExternalID]*idbridge.Decision{}, groups: approvedGroups{}}
	for d, err := range r.e.Store.Decisions(ctx, p.Hash) {
		switch {
		case err != nil:
			return fmt.Errorf("read the decisions of plan %.8s: %w", p.Hash, err)
		case isGroupPart(&d) || d.Group != nil:
			ok.groups.add(&d)
		case len(d.Steps) > 0 || len(d.Base) > 0:
			ok.records[d.ID] = &d
		}
	}
	did, err := r.recall(ctx, p.Undoes)
	if err != nil {
		return err
	}
	r.undoes = p.Undoes
	for _, id := range sortedKeys(ok.records) {
		if did.pending[id] == 0 && !did.made[id] { // who was made is not there any more, or what was done is not kept
			r.staleApproved(ok.records[id], false)
		}
	}
	return r.reverseAll(ctx, did, &ok)
}
