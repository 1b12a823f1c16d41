package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
	"github.com/idbridge/idbridge/sync/plan"
)

// attempt is a record that is to be decided once more in the same run.
type attempt struct {
	phase   idbridge.Phase // of the decision that could not be committed: nothing harsher follows from another look
	pending bool           // the record's situation is not counted yet
	present bool
	name    string
	author  string
}

// maxAgain bounds what a run decides again; what is beyond it waits for the next run.
const (
	maxAgain    = 10_000
	againRounds = 3
)

// commitPhases makes the effects, everything that gives before anything that takes.
func (r *pass) commitPhases(ctx context.Context) (err error) {
	done := 0
	convoy := convoy{r: r}
	defer func() { err = errors.Join(err, convoy.end(ctx)) }()
	for phase := range r.phases {
		batch := batch{}
		list := r.kept(phase)
		if convoy.ahead = r.phases[phase].count >= aheadFrom; convoy.ahead {
			list = ahead(list)
		}
		for d, err := range list {
			if err != nil {
				return err
			}
			done++
			if !r.allow(&d) {
				continue
			}
			if batch.full() && len(d.Tied) == 0 { // what is tied stays in one transaction
				if err := convoy.commit(ctx, batch.take()); err != nil {
					return err
				}
				r.tell(Writing, done, r.decided)
			}
			batch.add(&d)
		}
		if err := convoy.commit(ctx, batch.take()); err != nil {
			return err
		}
		if err := convoy.end(ctx); err != nil { // a phase ends before the next one begins
			return err
		}
	}
	return nil
}

// allow cuts a decision down to what the guards let pass; false when nothing is left. What is held is counted.
func (r *pass) allow(d *decided) bool {
	whole := d.Decision
	part, ok := plan.Allowed(r.header, whole)
	if isGroupPart(&whole) || whole.Group != nil {
		if !ok || len(part.Steps) != len(whole.Steps) {
			r.spoil(whole.ID.ID)
		}
		if ok && r.undoes == 0 && (whole.Group == nil || r.spoiled[whole.ID.ID]) {
			part.Group = unsettled(&whole)
		}
		d.Decision = part
		return ok && (len(part.Steps) > 0 || !r.spoiled[whole.ID.ID])
	}
	if !ok {
		if d.present {
			r.row.Counts.Held++
		}
		return false
	}
	d.Decision = part
	if part.Empty() && !whole.Empty() { // left alone
		r.situation(d)
		return false
	}
	return true
}

// unsettled is what a group shows while a part of it is not done: no digest, so that the next run decides about it again,
// also if it looks by then as it did before.
func unsettled(d *idbridge.Decision) *idbridge.GroupSeen {
	if failpoint.Mutant("groupkept") { // the mistake: the group looks as it did before, though a part is done
		return nil
	}
	return &idbridge.GroupSeen{Name: d.Name, Members: max(1, len(d.Steps))}
}

func (r *pass) spoil(group string) {
	if r.spoiled == nil {
		r.spoiled = map[string]bool{}
	}
	r.spoiled[group] = true
}

// batch collects decisions for one transaction.
type batch struct {
	list   []decided
	writes int
	steps  int // a group's decision has hundreds, a person's few
}

func (b *batch) add(d *decided) {
	b.list = append(b.list, *d)
	b.steps += len(d.Steps)
	if d.DirectoryStep() != nil {
		b.writes++
	}
}

func (b *batch) full() bool {
	return len(b.list) >= storeBatch || b.writes >= writeBatch || b.steps >= stepBatch
}

func (b *batch) take() []decided {
	out := b.list
	*b = batch{}
	return out
}

// commit makes one batch durable, puts its directory steps on the wire and settles them.
func (r *pass) commit(ctx context.Context, list []decided) error {
	list = r.withoutWrites(list)
	if len(list) == 0 {
		return nil
	}
	if err := failpoint.Hit("engine.batch.before"); err != nil {
		return err
	}
	outcomes, err := r.store(ctx, list, r.e.Store.Commit)
	if err != nil {
		return err
	}
	if err := failpoint.Hit("engine.batch.after"); err != nil {
		return err
	}
	sent := r.arrived(ctx, list, outcomes)
	if len(sent) == 0 {
		return nil
	}
	if err := failpoint.Hit("engine.sent.after"); err != nil {
		return err
	}
	return r.deliver(ctx, sent)
}

// arrived counts what a commit did, and returns the directory steps that it recorded as sent.
func (r *pass) arrived(ctx context.Context, list []decided, outcomes []idbridge.Outcome) []flight {
	var sent []flight
	for i := range list {
		d, o := &list[i], &outcomes[i]
		if o.Stale {
			if o.Unusable != "" && !isGroupPart(&d.Decision) && d.Group == nil {
				r.unkept(d, o.Unusable)
			} else {
				r.stale(d)
			}
			continue
		}
		r.situation(d)
		r.effects(&d.Decision, o)
		r.logEffects(ctx, &d.Decision, o.User)
		if step := d.DirectoryStep(); step != nil && o.Sent != 0 {
			step.User = o.User
			sent = append(sent, flight{sent: o.Sent, step: step, decided: d})
		}
	}
	return sent
}

// unkept counts a record that the database cannot keep as it was decided: the store has listed it with its reason.
func (r *pass) unkept(d *decided, why string) {
	if d.present && !d.counted {
		r.row.Counts.Quarantined++
	}
	r.foresee("%s is left as it is: %s", d.Name, why)
}

// withoutWrites leaves out the decisions that would write to a directory that takes nothing any more. They are not lost:
// their links keep no digest, or an edit, and are decided again.
func (r *pass) withoutWrites(list []decided) []decided {
	if r.stopped == nil {
		return list
	}
	out := list[:0]
	for i := range list {
		if list[i].DirectoryStep() == nil {
			out = append(out, list[i])
		} else {
			d := &list[i]
			r.giveUp(d.ID, attempt{pending: !d.counted, present: d.present, name: d.Name})
		}
	}
	return out
}

// committing is Store.Commit, or its rehearsal.
type committing func(context.Context, idbridge.Lead, []idbridge.Decision) ([]idbridge.Outcome, error)

// store commits the decisions; when the batch fails for a reason of its own, one by one, so that a single bad record does
// not hold up the others.
func (r *pass) store(ctx context.Context, list []decided, commit committing) ([]idbridge.Outcome, error) {
	decisions := make([]idbridge.Decision, len(list))
	for i := range list {
		decisions[i] = list[i].Decision
	}
	outcomes, err := commit(ctx, r.lead, decisions)
	if err == nil {
		if len(outcomes) != len(decisions) {
			return nil, &idbridge.Error{Kind: idbridge.Internal, Msg: "the store answered for other decisions than given"}
		}
		return outcomes, nil
	}
	if ends(ctx, err) || len(decisions) == 1 && idbridge.KindOf(err) == idbridge.Unknown {
		return nil, fmt.Errorf("commit %d decisions about %q: %w", len(decisions), r.name, err)
	}
	outcomes = make([]idbridge.Outcome, len(decisions))
	broken := 0
	for i := range decisions {
		one, err := commit(ctx, r.lead, decisions[i:i+1])
		switch {
		case err == nil && len(one) == 1:
			outcomes[i] = one[0]
		case ends(ctx, err):
			return nil, fmt.Errorf("commit the decision about %s: %w", decisions[i].ID, err)
		default:
			broken++
			if broken > 8+len(decisions)/2 {
				return nil, fmt.Errorf("commit the decision about %s: %w", decisions[i].ID, err)
			}
			r.e.log().Warn("decision not committed", "directory", r.name, "run", r.row.ID, "record", decisions[i].ID.ID, "error", err)
			outcomes[i] = idbridge.Outcome{Stale: true}
		}
	}
	return outcomes, nil
}

// ends tells whether an error of the store ends the run: another leads, the store is away, nobody knows, or ctx ended.
func ends(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return true
	}
	switch idbridge.KindOf(err) {
	case idbridge.Locked, idbridge.Unavailable, idbridge.Unknown:
		return true
	}
	return false
}

// stale notes a decision that was not committed because something moved.
func (r *pass) stale(d *decided) {
	if isGroupPart(&d.Decision) || d.Group != nil {
		r.spoil(d.ID.ID)
		r.row.Counts.Stale++
		return
	}
	if !d.present {
		r.giveUp(d.ID, attempt{name: d.Name}) // absence is not proved by one more look
		return
	}
	r.look(d.ID, attempt{phase: d.Phase(), pending: !d.counted, present: d.present, name: d.Name, author: authorOf(&d.Decision)})
}

// look has a record decided again at the end of the run; of an undo it is left out and named.
func (r *pass) look(id idbridge.ExternalID, a attempt) {
	if r.undoes != 0 { // what is left of a reverse is not what a run would decide
		r.giveUp(id, a)
		return
	}
	if old, ok := r.again[id]; ok {
		a.pending = a.pending || old.pending
	} else if len(r.again) >= maxAgain {
		r.giveUp(id, a)
		return
	}
	if r.again == nil {
		r.again = map[idbridge.ExternalID]attempt{}
	}
	r.again[id] = a
}

// giveUp leaves a record to the next run.
func (r *pass) giveUp(id idbridge.ExternalID, a attempt) {
	r.row.Counts.Stale++
	if a.pending && a.present {
		r.row.Counts.Skipped++
	}
	if r.leftover == nil {
		r.leftover = map[idbridge.ExternalID]bool{}
	}
	r.leftover[id] = true
	name := a.name
	if name == "" {
		name = id.ID
	}
	if len(r.report.Stale) < maxNameless {
		r.report.Stale = append(r.report.Stale, name)
	}
}

func authorOf(d *idbridge.Decision) string {
	if s := d.DirectoryStep(); s != nil {
		return s.Author
	}
	return ""
}

// lookAgain decides once more about what moved while the run went on, a few times at most.
func (r *pass) lookAgain(ctx context.Context) error {
	for range againRounds {
		if len(r.again) == 0 {
			return nil
		}
		round := r.again
		r.again = nil
		ids := sortedKeys(round)
		for len(ids) > 0 {
			n := min(len(ids), fetchBatch)
			if err := r.lookAgainAt(ctx, ids[:n], round); err != nil {
				return err
			}
			ids = ids[n:]
		}
	}
	r.giveUpAll()
	return nil
}

// giveUpAll leaves what was to be looked at again to the next run.
func (r *pass) giveUpAll() {
	for _, id := range sortedKeys(r.again) {
		r.giveUp(id, r.again[id])
	}
	r.again = nil
}

func (r *pass) lookAgainAt(ctx context.Context, ids []idbridge.ExternalID, round map[idbridge.ExternalID]attempt) error {
	authors := make(map[idbridge.ExternalID]string, len(ids))
	for _, id := range ids {
		if authors[id] = round[id].author; authors[id] == "" {
			authors[id] = r.authors[id]
		}
	}
	l, err := r.lookUp(ctx, ids, authors)
	if err != nil {
		if ends(ctx, err) && ctx.Err() != nil {
			return err
		}
		for _, id := range ids { // unknown, not gone: the next run looks again
			r.giveUp(id, round[id])
		}
		return nil
	}
	for i := range l.absent {
		r.giveUp(l.absent[i].ID, round[l.absent[i].ID])
	}
	for _, id := range l.moved {
		r.look(id, round[id])
	}
	return r.decideAgain(ctx, &l, round)
}

// decideAgain decides about records that were looked up and commits what is no harsher than what was decided before.
func (r *pass) decideAgain(ctx context.Context, l *lookup, round map[idbridge.ExternalID]attempt) error {
	var todo []decided
	for _, d := range r.decideEach(l.batch, l.subjects) {
		a := round[d.ID]
		part, ok := plan.Allowed(r.header, d.Decision)
		if !ok || d.Phase() > a.phase {
			r.giveUp(d.ID, a)
			continue
		}
		d.Decision, d.counted = part, !a.pending
		if d.Empty() {
			r.situation(&d)
			continue
		}
		todo = append(todo, d)
	}
	return r.commit(ctx, todo)
}
