package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
	"github.com/idbridge/idbridge/sync/plan"
)

// Run listens to the directory, decides, asks the guards and makes the effects, in this order:
//
//	settle what an earlier run sent · listen up to the checkpoint · decide · ask the guards about the whole ·
//	commit phase by phase, directory steps recorded before they go on the wire · look again at what moved · bookmark
//
// The error is nil when the run came to its end, also when a guard held it or the listing was incomplete:
// Report.Run.State says which. Errors: Unavailable, Incomplete (the listing broke off), Locked (another daemon leads),
// Exists (the slot ran already), Invalid.
func (e *Engine) Run(ctx context.Context, t Target, o RunOptions) (Report, error) {
	r, err := e.newPass(t, o)
	if err != nil {
		return Report{}, err
	}
	defer r.close()
	if err := r.begin(ctx); err != nil {
		return Report{}, err
	}
	source, err := r.run(ctx)
	err = r.finish(ctx, source, err)
	return *r.report, err
}

// run does everything between the beginning and the end of the run's row. source is the bookmark to leave, nil for none.
func (r *pass) run(ctx context.Context) (source *idbridge.Source, err error) {
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	if r.source, err = r.e.Store.Source(ctx, r.name); err != nil {
		return nil, fmt.Errorf("read what is known of %q: %w", r.name, err)
	}
	if r.writes() && r.source.Restored.IsZero() { // an older copy of the store remembers steps that were settled since
		if err := r.settleOpen(ctx); err != nil {
			return nil, err
		}
	}
	if len(r.o.Only) > 0 {
		return nil, r.runOnly(ctx)
	}
	o, err := r.observe(ctx)
	if o != nil {
		defer o.close()
	}
	if err != nil {
		return nil, err
	}
	if failpoint.Mutant("cursorfirst") { // the mistake: the bookmark is ahead of the data
		if err := r.e.Store.EndRun(ctx, r.lead, r.row, r.bookmark(o)); err != nil {
			return nil, err
		}
	}
	if err := r.decideAll(ctx, o); err != nil {
		return nil, err
	}
	late := failpoint.Mutant("lateguard") // the mistake: the guards come after the effects
	if late {
		if err := r.make(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.guard(ctx, o); err != nil {
		return nil, err
	}
	if done, err := r.holdBack(ctx); done || err != nil {
		return r.heldBookmark(), err
	}
	if late {
		return r.bookmark(o), nil
	}
	if err := r.make(ctx); err != nil {
		return nil, err
	}
	return r.bookmark(o), nil
}

// observe listens to the directory with what the store remembers in mind.
func (r *pass) observe(ctx context.Context) (*observer, error) {
	o, err := r.newObserver(ctx)
	if err != nil {
		return o, err
	}
	err = o.listen(ctx, r.session.Scan(ctx, r.source.Cursor), func(read int) { r.tell(Listening, read, r.source.Records) })
	r.row.Counts.Seen, r.row.Counts.Unchanged = o.seen, o.unchanged
	if err == nil && o.end == nil {
		err = &idbridge.Error{
			Kind: idbridge.Incomplete, Msg: "the listing ended without saying that it was complete",
			Hint: "nothing was changed; the next run reads everything again",
		}
	}
	if err != nil {
		// Nothing is decided from half a listing: who was not read is unknown. The records are counted as skipped.
		r.row.Counts.Unchanged, r.row.Counts.Skipped = 0, o.seen
		return o, fmt.Errorf("listen to %q: %w", r.name, err)
	}
	r.row.Complete = o.end.Complete
	r.tell(Listening, o.seen, o.seen)
	return o, nil
}

func (r *pass) newObserver(ctx context.Context) (*observer, error) {
	r.claims = newClaims()
	o := &observer{
		schema: r.p.Schema, attrs: slices.Sorted(maps.Keys(r.p.Rules)), digester: r.digester, index: newIndex(),
		extra: r.grantsText, claims: r.claims,
		people: spool{dir: r.e.SpoolDir, limit: memorySpool}, groups: spool{dir: r.e.SpoolDir, limit: memorySpool},
	}
	o.holders = make([]int, len(o.attrs))
	for _, a := range o.attrs {
		if r.p.Schema[a].Unique {
			o.unique = append(o.unique, a)
		}
	}
	edits, err := r.e.Store.Outbox(ctx, r.name, maxAgain)
	if err != nil {
		return o, fmt.Errorf("read the outbox of %q: %w", r.name, err)
	}
	for _, edit := range edits { // so that a write knows who asked for it
		if r.authors == nil {
			r.authors = make(map[idbridge.ExternalID]string, len(edits))
		}
		r.authors[edit.Link] = edit.Author
	}
	for m, err := range r.e.Store.Marks(ctx, r.name) {
		if err != nil {
			return o, fmt.Errorf("read the links of %q: %w", r.name, err)
		}
		o.index.load(m)
	}
	groups, err := r.e.Store.Groups(ctx, r.name)
	if err != nil {
		return o, fmt.Errorf("read the groups of %q: %w", r.name, err)
	}
	o.known = make(map[string]idbridge.Group, len(groups))
	for _, g := range groups {
		o.known[g.ID.ID] = g
	}
	return o, nil
}

// grantsText spells what the role rules give to a group's members: a changed rule makes the group's digest another one.
func (r *pass) grantsText(group string) string {
	text := ""
	for _, g := range plan.GrantsOf(r.p, group) {
		text += string(g.Role) + "\x00" + g.Application + "\x00"
	}
	return text
}

// guard closes the plan and asks the guards about the whole of it, before its first effect.
func (r *pass) guard(ctx context.Context, o *observer) error {
	facts := plan.Facts{
		Complete: o.end.Complete, Proof: o.end.Proof, First: r.source.Runs == 0, Records: r.source.Records,
		Scope: r.p.Scope, Known: r.source.Scope, Restored: r.source.Restored,
	}
	return r.ask(ctx, facts)
}

func (r *pass) ask(ctx context.Context, facts plan.Facts) (err error) {
	r.facts = facts
	if facts.Population, err = r.e.Store.Population(ctx, r.name); err != nil {
		return fmt.Errorf("count the users of %q: %w", r.name, err)
	}
	if ids := r.tally.AdminRecords(); len(ids) > 0 {
		facts.Admins, err = r.e.Store.Subjects(ctx, r.name, ids, make([]idbridge.Profile, len(ids)))
		if err != nil {
			return fmt.Errorf("read administrators of %q: %w", r.name, err)
		}
	}
	r.header = r.tally.Plan(r.row.ID, facts, r.e.now())
	r.header.Decisions, r.header.Undoes, r.header.Refused = r.effective, r.undoes, r.refused
	r.report.Held = r.header.Held()
	return nil
}

// holdBack keeps the plan instead of making its effects, when the mode or a guard asks for it. done tells that nothing
// is left to do in this run.
func (r *pass) holdBack(ctx context.Context) (done bool, err error) {
	if !r.writes() && r.t.Mode != Observe {
		if err := r.rehearse(ctx); err != nil {
			return true, err
		}
	}
	if r.o.Watch != nil {
		if err := r.o.Watch.Planned(r.header, r.planned()); err != nil {
			return true, fmt.Errorf("show the plan of run %d: %w", r.row.ID, err)
		}
	}
	if r.t.Mode == Observe {
		return true, r.countPlanned()
	}
	held := r.header.Held()
	if r.writes() && !held {
		return false, nil
	}
	r.header.State = idbridge.PlanReady
	if held {
		r.header.State, r.row.State = idbridge.PlanHeld, idbridge.RunHeld
	}
	if r.header.Decisions > 0 || held {
		if err := r.e.Store.SavePlan(ctx, r.header, r.planned()); err != nil {
			return true, fmt.Errorf("save the plan of run %d: %w", r.row.ID, err)
		}
		r.row.Plan = r.header.Hash
	}
	switch {
	case !r.writes():
		return true, r.countPlanned()
	case heldWhole(&r.header):
		return true, r.countHeld()
	}
	return false, nil
}

// heldWhole tells whether nothing at all may be done.
func heldWhole(p *idbridge.Plan) bool {
	for i := range p.Verdicts {
		if p.Verdicts[i].Held == idbridge.HoldAll {
			return true
		}
	}
	return false
}

// make makes the effects of a plan, looks again at what moved, and reads back what is in doubt.
func (r *pass) make(ctx context.Context) error {
	if more := r.header.Counts.Sent / 100; more > r.maxFail {
		r.maxFail = more
	}
	if err := r.commitPhases(ctx); err != nil {
		return err
	}
	if err := r.lookAgain(ctx); err != nil {
		return err
	}
	if r.row.Counts.InDoubt > 0 && r.stopped == nil {
		r.row.Counts.InDoubt = 0
		if err := r.settleOpen(ctx); err != nil {
			return err
		}
	}
	return r.supersede(ctx)
}

// supersede closes an older held plan when this run held nothing back.
func (r *pass) supersede(ctx context.Context) error {
	if r.source.Held == "" || r.source.Held == r.header.Hash || r.header.Held() {
		return nil
	}
	err := r.e.Store.ClosePlan(ctx, r.source.Held, idbridge.PlanDiscarded, "superseded")
	if err != nil && idbridge.KindOf(err) != idbridge.Conflicting && idbridge.KindOf(err) != idbridge.NotFound {
		return fmt.Errorf("close the plan %.8s: %w", r.source.Held, err)
	}
	return nil
}

// bookmark is what the run leaves behind about the directory. A listing that was not complete leaves everything as it
// was; a partly held one keeps cursor, scope and holders, so that what was held is seen again.
func (r *pass) bookmark(o *observer) *idbridge.Source {
	if !o.end.Complete {
		return nil
	}
	s := r.source
	s.Complete, s.Runs, s.Records, s.LastStart = r.e.now(), s.Runs+1, o.seen, r.row.Started
	s.Held = ""
	if r.header.Held() {
		s.Held = r.header.Hash
		return &s
	}
	s.Cursor, s.Server, s.Scope = o.end.Cursor, o.end.Proof.Server, r.p.Scope
	s.Holders = make(map[idbridge.Attribute]int, len(o.attrs))
	for i, a := range o.attrs {
		s.Holders[a] = o.holders[i]
		if was, ok := r.source.Holders[a]; ok && slices.Contains(r.unknown, a) {
			s.Holders[a] = was // a lost right must not become the new measure
		}
	}
	return &s
}

// heldBookmark notes which plan waits, and nothing else.
func (r *pass) heldBookmark() *idbridge.Source {
	if !r.writes() || !r.header.Held() || r.t.Mode != ApplyAll {
		return nil
	}
	s := r.source
	s.Held = r.header.Hash
	return &s
}
