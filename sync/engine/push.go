package engine

import (
	"context"
	"fmt"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// Push brings the edits that wait in the outbox to the directory: their records are fetched by id, decided, committed,
// written and settled, without the guards' percentages. An edit that needs no step there is acknowledged as well, and so
// is one whose record is not there: the store keeps the value, and the next listing decides. A directory that is down
// leaves the outbox as it is. Nothing waiting gives an empty report without a run. Errors as of Run.
func (e *Engine) Push(ctx context.Context, t Target, epoch int64, limit int) (Report, error) {
	if limit <= 0 {
		limit = writeBatch
	}
	r, err := e.newPass(t, RunOptions{Kind: idbridge.PushRun, Author: "push", Epoch: epoch})
	if err != nil {
		return Report{}, err
	}
	defer r.close()
	if !r.writes() {
		return Report{}, nil
	}
	edits, err := e.Store.Outbox(ctx, r.name, limit)
	if err != nil {
		return Report{}, fmt.Errorf("read the outbox of %q: %w", r.name, err)
	}
	if len(edits) == 0 {
		return Report{}, nil
	}
	if r.source, err = e.Store.Source(ctx, r.name); err != nil {
		return Report{}, fmt.Errorf("read what is known of %q: %w", r.name, err)
	}
	if !r.source.Restored.IsZero() { // the next run says so; a row for every try would fill the list of runs
		return Report{Held: true, Messages: []string{"the store is an older copy that nobody accepted: edits wait"}}, nil
	}
	if err := r.open(ctx); err != nil { // before the run's row: a directory that is down would fill the list of runs
		return Report{}, err
	}
	if len(edits) == 1 && edits[0].Author != "" {
		r.row.Author = edits[0].Author
	}
	if err := r.begin(ctx); err != nil {
		return Report{}, err
	}
	err = r.finish(ctx, nil, r.push(ctx, edits))
	return *r.report, err
}

func (r *pass) push(ctx context.Context, edits []idbridge.Edit) error {
	if err := r.settleOpen(ctx); err != nil {
		return err
	}
	authors := map[idbridge.ExternalID]string{}
	for _, edit := range edits {
		authors[edit.Link] = edit.Author
	}
	ids := sortedKeys(authors)
	for len(ids) > 0 {
		n := min(len(ids), fetchBatch)
		if err := r.decideFetched(ctx, ids[:n], authors); err != nil {
			return err
		}
		ids = ids[n:]
	}
	if err := r.ask(ctx, plan.Facts{Pushed: true, Scope: r.p.Scope, Known: r.p.Scope, Restored: r.source.Restored}); err != nil {
		return err
	}
	if err := r.make(ctx); err != nil {
		return err
	}
	return r.acknowledge(ctx, edits)
}

// decideFetched reads some records by id, decides about them and puts the decisions aside.
func (r *pass) decideFetched(ctx context.Context, ids []idbridge.ExternalID, authors map[idbridge.ExternalID]string) error {
	l, err := r.lookUp(ctx, ids, authors)
	if err != nil {
		return err
	}
	r.row.Counts.Seen += len(l.batch) + len(l.moved)
	for i := range l.absent {
		r.say("%s is not there", l.absent[i].ID)
	}
	for _, id := range l.moved {
		r.look(id, attempt{phase: idbridge.PhaseGive, pending: true, present: true, author: authors[id]})
	}
	for _, d := range r.decideEach(l.batch, l.subjects) {
		if err := r.keep(&d); err != nil {
			return err
		}
	}
	return nil
}

// acknowledge removes the edits that have been decided and settled. One whose step is still open, or that moved while it
// was pushed, stays for the next push.
func (r *pass) acknowledge(ctx context.Context, edits []idbridge.Edit) error {
	open, err := r.e.Store.OpenSent(ctx, r.name)
	if err != nil {
		return fmt.Errorf("read open changes of %q: %w", r.name, err)
	}
	waiting := map[idbridge.ExternalID]bool{}
	for i := range open {
		waiting[open[i].Step.ID] = true
	}
	var ids []int64
	for _, edit := range edits {
		if !waiting[edit.Link] && !r.leftover[edit.Link] {
			ids = append(ids, edit.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if err := r.e.Store.AckOutbox(ctx, r.lead, ids); err != nil {
		return fmt.Errorf("acknowledge %d edits of %q: %w", len(ids), r.name, err)
	}
	return nil
}

// runOnly decides about chosen records, fetched by id.
func (r *pass) runOnly(ctx context.Context) error {
	authors := map[idbridge.ExternalID]string{}
	for _, id := range r.o.Only {
		authors[id] = r.o.Author
	}
	ids := sortedKeys(authors)
	for len(ids) > 0 {
		n := min(len(ids), fetchBatch)
		if err := r.decideFetched(ctx, ids[:n], authors); err != nil {
			return err
		}
		ids = ids[n:]
	}
	if err := r.ask(ctx, plan.Facts{Pushed: true, Scope: r.p.Scope, Known: r.p.Scope, Restored: r.source.Restored}); err != nil {
		return err
	}
	if done, err := r.holdBack(ctx); done || err != nil {
		return err
	}
	return r.make(ctx)
}
