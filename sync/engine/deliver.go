package engine

import (
	"context"
	"fmt"
	"sync"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// flight is a directory step that is recorded as sent.
type flight struct {
	sent    idbridge.SentID
	step    *idbridge.Step
	decided *decided // nil for a step of an earlier run
	record  idbridge.Record
	err     error
}

// deliver puts recorded steps on the wire, settles them, and looks at the records once more: what is settled in every
// respect gets its digest, so that the next run need not decide it.
func (r *pass) deliver(ctx context.Context, flights []flight) error {
	r.fly(ctx, flights)
	if err := failpoint.Hit("engine.applied.after"); err != nil {
		return err
	}
	if err := r.settle(ctx, flights); err != nil {
		return err
	}
	r.logWrites(ctx, flights)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if r.undoes != 0 {
		return nil // the next run looks at them
	}
	var ids []idbridge.ExternalID
	for i := range flights {
		if f := &flights[i]; ending(f.err) == endSettled && f.decided != nil {
			ids = append(ids, f.step.ID)
		}
	}
	return r.confirm(ctx, ids)
}

// confirm decides about records that have just been written. If more is to be written by now, that waits for the end of
// the run.
func (r *pass) confirm(ctx context.Context, ids []idbridge.ExternalID) error {
	if len(ids) == 0 {
		return nil
	}
	l, err := r.lookUp(ctx, ids, nil)
	if err != nil {
		if ends(ctx, err) && ctx.Err() != nil {
			return err
		}
		return nil // they keep no digest, and the next run decides about them
	}
	var todo []decided
	for _, d := range r.decideEach(l.batch, l.subjects) {
		switch {
		case d.Empty():
		case d.Back:
		case d.DirectoryStep() != nil, d.Phase() > idbridge.PhaseGive, r.header.Held():
			r.look(d.ID, attempt{phase: idbridge.PhaseGive, present: true, name: d.Name})
		default:
			d.counted = true
			todo = append(todo, d)
		}
	}
	return r.commit(ctx, todo)
}

// fly applies the steps, several at a time. Once too many have failed the rest is not tried.
func (r *pass) fly(ctx context.Context, flights []flight) {
	r.written += len(flights)
	workers := min(r.e.writers(), len(flights))
	if workers <= 1 {
		for i := range flights {
			r.flyOne(ctx, &flights[i])
		}
		return
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	next := 0
	for range workers {
		all.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				stop := r.stopped != nil
				mu.Unlock()
				if i >= len(flights) {
					return
				}
				f := &flights[i]
				if stop {
					f.err = notTried()
					continue
				}
				f.record, f.err = r.session.Apply(ctx, *f.step)
				mu.Lock()
				r.judge(f.err)
				mu.Unlock()
			}
		})
	}
	all.Wait()
}

func (r *pass) flyOne(ctx context.Context, f *flight) {
	if r.stopped != nil {
		f.err = notTried()
		return
	}
	f.record, f.err = r.session.Apply(ctx, *f.step)
	r.judge(f.err)
}

// notTried is the answer to a step that was recorded and then not put on the wire.
func notTried() error {
	return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "not tried: the run stopped writing"}
}

// judge counts failures and stops the run's writes after too many.
func (r *pass) judge(err error) {
	switch ending(err) {
	case endSettled, endMoved:
	case endStop:
		r.stopped = err
	case endRefused, endDoubt:
		r.failed++
		if r.failed > r.maxFail && r.stopped == nil {
			r.stopped = &idbridge.Error{
				Kind: idbridge.Unavailable, Msg: fmt.Sprintf("stopped writing to the directory after %d failures", r.failed),
				Hint: "look at the quarantine for the directory's reasons; the next run tries again", Err: err,
			}
		}
	}
}

// settle ends the steps in the store, in one transaction, also when ctx ended: what the directory acknowledged is known.
func (r *pass) settle(ctx context.Context, flights []flight) error {
	var settlements []idbridge.Settlement
	var moved []*flight
	for i := range flights {
		f := &flights[i]
		switch ending(f.err) {
		case endSettled:
			settlements = append(settlements, acknowledged(r.p.Schema, f.sent, f.step, &f.record))
		case endMoved:
			if failpoint.Mutant("settlealways") { // the mistake: a refused change counts as made
				settlements = append(settlements, acknowledged(r.p.Schema, f.sent, f.step, &f.record))
				continue
			}
			moved = append(moved, f)
		case endRefused:
			settlements = append(settlements, idbridge.Settlement{
				Sent: f.sent, ID: f.step.ID, How: idbridge.SentRefused, Unusable: reason(f.err), Seen: glimpse(f.step, &f.record),
			})
		case endDoubt:
			settlements = append(settlements, idbridge.Settlement{Sent: f.sent, ID: f.step.ID, How: idbridge.SentInDoubt, Seen: glimpse(f.step, &f.record)})
		case endStop:
			settlements = append(settlements, idbridge.Settlement{Sent: f.sent, ID: f.step.ID, How: idbridge.SentRefused, Seen: glimpse(f.step, &f.record)})
		}
	}
	return r.end(ctx, append(settlements, r.readMoved(ctx, moved)...))
}

// readMoved reads back the records of steps that found something else: it may have been our own earlier attempt.
func (r *pass) readMoved(ctx context.Context, moved []*flight) []idbridge.Settlement {
	if len(moved) == 0 {
		return nil
	}
	ids := make([]idbridge.ExternalID, len(moved))
	for i, f := range moved {
		ids[i] = f.step.ID
	}
	records, err := r.session.Fetch(ctx, ids)
	out := make([]idbridge.Settlement, 0, len(moved))
	for _, f := range moved {
		rec, shown := records[f.step.ID]
		s := idbridge.Settlement{Sent: f.sent, ID: f.step.ID, How: idbridge.SentInDoubt, Seen: glimpse(f.step, &rec)}
		switch {
		case err != nil:
		case !shown:
			s.How = idbridge.SentRefused
		default:
			s, _ = readBack(r.p.Schema, f.sent, f.step, &rec)
		}
		if s.How != idbridge.SentInDoubt && f.decided != nil {
			r.look(f.step.ID, attempt{phase: idbridge.PhaseGive, present: true, name: f.decided.Name, author: f.step.Author})
		}
		out = append(out, s)
	}
	return out
}

// end records settlements.
func (r *pass) end(ctx context.Context, settlements []idbridge.Settlement) error {
	if len(settlements) == 0 {
		return nil
	}
	ctx, cancel := lastWord(ctx)
	defer cancel()
	if err := r.e.Store.Settle(ctx, r.lead, settlements); err != nil {
		return fmt.Errorf("settle %d changes sent to %q: %w", len(settlements), r.name, err)
	}
	for i := range settlements {
		switch settlements[i].How {
		case idbridge.SentSettled:
			r.row.Counts.Settled++
		case idbridge.SentRefused:
			r.row.Counts.Refused++
		case idbridge.SentInDoubt:
			r.row.Counts.InDoubt++
		}
	}
	return nil
}

// settleOpen ends the directory steps that an earlier run, or an earlier leader, left open, or this run in doubt: the
// records are read back, and a step that is not there yet is made once more. It comes before anything is planned.
func (r *pass) settleOpen(ctx context.Context) error {
	open, err := r.e.Store.OpenSent(ctx, r.name)
	if err != nil {
		return fmt.Errorf("read open changes of %q: %w", r.name, err)
	}
	for len(open) > 0 {
		n := min(len(open), fetchBatch)
		if err := r.settleSome(ctx, open[:n]); err != nil {
			return err
		}
		r.report.Settled += n
		open = open[n:]
	}
	return nil
}

func (r *pass) settleSome(ctx context.Context, open []idbridge.Sent) error {
	if failpoint.Mutant("nosent") { // the mistake: nobody remembers what was sent
		return r.end(ctx, forgotten(open))
	}
	ids := make([]idbridge.ExternalID, len(open))
	for i := range open {
		ids[i] = open[i].Step.ID
	}
	records, err := r.session.Fetch(ctx, ids)
	if err != nil {
		return fmt.Errorf("read back %d records of %q: %w", len(ids), r.name, err)
	}
	var settlements []idbridge.Settlement
	var redo []flight
	for i := range open {
		rec, ok := records[open[i].Step.ID]
		if !ok {
			settlements = append(settlements, idbridge.Settlement{
				Sent: open[i].ID, ID: open[i].Step.ID, How: idbridge.SentRefused, Seen: glimpse(&open[i].Step, &rec),
			})
			continue
		}
		s, again := readBack(r.p.Schema, open[i].ID, &open[i].Step, &rec)
		switch {
		case !again:
			settlements = append(settlements, s)
		case r.p.Writable:
			redo = append(redo, flight{sent: open[i].ID, step: &open[i].Step})
		}
	}
	if err := r.end(ctx, settlements); err != nil {
		return err
	}
	if len(redo) == 0 {
		return nil
	}
	r.fly(ctx, redo)
	return r.settle(ctx, redo)
}

// forgotten settles steps without looking.
func forgotten(open []idbridge.Sent) []idbridge.Settlement {
	out := make([]idbridge.Settlement, len(open))
	for i := range open {
		out[i] = idbridge.Settlement{Sent: open[i].ID, ID: open[i].Step.ID, How: idbridge.SentRefused}
	}
	return out
}
