package engine

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
	"github.com/idbridge/idbridge/sync/plan"
)

// pass is one run while it goes on. It is used once, by one goroutine, but for what commit and listen start and wait for.
type pass struct {
	e       *Engine
	t       Target
	o       RunOptions
	p       *plan.Policy
	name    string // of the directory
	session idbridge.Session
	lead    idbridge.Lead
	row     idbridge.Run
	source  idbridge.Source
	report  *Report

	digester  *idbridge.Digester
	claims    *claims
	authors   map[idbridge.ExternalID]string // of edits that wait in the outbox
	unknown   []idbridge.Attribute           // what nobody could read in this run
	header    idbridge.Plan                  // with the verdicts; zero when no guard was asked
	phases    [idbridge.Phases]spool
	tally     *plan.Tally
	spoiled   map[string]bool // groups of which a part was not committed: their digest must not move
	again     map[idbridge.ExternalID]attempt
	leftover  map[idbridge.ExternalID]bool // left to the next run
	names     map[string]string            // shared texts of the spool
	decided   int
	effective int // decisions that a person would ask about
	foreseen  int // what a rehearsal found
	idle      int // records that were not decided about: they show what they showed
	facts     plan.Facts
	undoes    idbridge.RunID // of an undo: the run whose reverse is made
	refused   []idbridge.Refusal
	written   int // directory steps on their way or done
	failed    int // of those, how many the directory did not take
	maxFail   int
	stopped   error // why nothing more is written to the directory
	buf       []byte
}

const (
	decideBatch = 500  // records in one round trip to the store
	storeBatch  = 500  // decisions in one transaction; keeps it under 50 ms
	stepBatch   = 2000 // steps in one transaction
	writeBatch  = 100  // directory steps recorded as sent in one transaction
	fetchBatch  = 100  // records read by id in one request
	memorySpool = 4 << 20
	phaseSpool  = 1 << 20
)

func (e *Engine) newPass(t Target, o RunOptions) (*pass, error) {
	if t.Directory == nil || t.Policy == nil {
		return nil, &idbridge.Error{Kind: idbridge.Invalid, Msg: "a run needs a directory and its policy"}
	}
	if t.Mode == "" {
		t.Mode = ApplyAll
	}
	if t.MaxFailedWrites <= 0 {
		t.MaxFailedWrites = 8
	}
	if o.Kind == "" {
		o.Kind = idbridge.FullRun
		if o.DryRun {
			o.Kind = idbridge.PlanRun
		}
	}
	r := &pass{
		e: e, t: t, o: o, p: t.Policy, name: t.Directory.Name(), report: &Report{},
		digester: idbridge.NewDigester(t.Policy.Scope), tally: plan.NewTally(t.Policy), maxFail: t.MaxFailedWrites,
	}
	for i := range r.phases {
		r.phases[i] = spool{dir: e.SpoolDir, limit: phaseSpool}
	}
	r.row = idbridge.Run{
		Directory: r.name, Kind: o.Kind, Slot: o.Slot, Author: o.Author, State: idbridge.RunRunning,
		Started: e.now(), Epoch: o.Epoch,
	}
	return r, nil
}

// writes tells whether this run may have effects at all.
func (r *pass) writes() bool { return r.t.Mode == ApplyAll && !r.o.DryRun }

// begin inserts the row of the run.
func (r *pass) begin(ctx context.Context) error {
	id, err := r.e.Store.BeginRun(ctx, r.row)
	if err != nil {
		return fmt.Errorf("begin a run of %q: %w", r.name, err)
	}
	r.row.ID = id
	r.lead = idbridge.Lead{Run: id, Directory: r.name, Epoch: r.o.Epoch}
	return nil
}

// open connects to the directory. The caller closes the session.
func (r *pass) open(ctx context.Context) error {
	s, err := r.t.Directory.Open(ctx)
	if err != nil {
		return fmt.Errorf("open %q: %w", r.name, err)
	}
	r.session = s
	return nil
}

func (r *pass) close() {
	for i := range r.phases {
		r.phases[i].close()
	}
	if r.session != nil {
		if err := r.session.Close(); err != nil {
			r.e.log().Debug("close session", "directory", r.name, "run", r.row.ID, "error", err)
		}
	}
}

// finish writes the end of the run's row, with the bookmark when there is one. It does so also when ctx has ended: a run
// that was told to stop is not left running. cause is why the run ended early.
func (r *pass) finish(ctx context.Context, source *idbridge.Source, cause error) error {
	r.row.Ended = r.e.now()
	switch {
	case cause != nil:
		r.row.State, source = stateFor(ctx, cause), nil
		r.row.Error, r.row.Hint = reason(cause), idbridge.HintOf(cause)
	case !r.row.Counts.AddUp():
		cause = miscounted(&r.row.Counts)
		r.row.State, r.row.Error, r.row.Hint, source = idbridge.RunFailed, cause.Error(), idbridge.HintOf(cause), nil
	case r.stopped != nil:
		r.row.State, r.row.Error, r.row.Hint = idbridge.RunFailed, reason(r.stopped), idbridge.HintOf(r.stopped)
		cause, source = r.stopped, nil
	case r.row.State == idbridge.RunRunning:
		r.row.State = idbridge.RunDone
	}
	if r.writes() && r.row.Complete && r.row.Counts.Missing > 0 && cause == nil {
		r.report.Confirm = r.row.Ended.Add(r.p.ConfirmAfter)
	}
	r.report.Run, r.report.Plan = r.row, r.header
	if idbridge.KindOf(cause) == idbridge.Locked {
		return cause // the row belongs to the next leader, who closes it as interrupted
	}
	if err := failpoint.Hit("engine.cursor.before"); err != nil {
		return err
	}
	ctx, cancel := lastWord(ctx)
	defer cancel()
	if err := r.e.Store.EndRun(ctx, r.lead, r.row, source); err != nil {
		return firstError(cause, fmt.Errorf("end run %d of %q: %w", r.row.ID, r.name, err))
	}
	return firstError(cause, r.alarm(ctx, cause))
}

// lastWord gives the ends of a run a few seconds after its context ended, so that what was acknowledged is recorded.
func lastWord(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}

func stateFor(ctx context.Context, cause error) idbridge.RunState {
	switch {
	case ctx.Err() != nil || idbridge.KindOf(cause) == idbridge.Locked:
		return idbridge.RunInterrupted
	case idbridge.KindOf(cause) == idbridge.Incomplete:
		return idbridge.RunIncomplete
	}
	return idbridge.RunFailed
}

// keep puts a decision aside until the guards have seen all of them. One that changes nothing is only counted, but in a
// dry run, whose plan may have to be made anew.
func (r *pass) keep(d *decided) error {
	r.decided++
	r.tally.Add(&d.Decision)
	if d.Empty() && r.writes() {
		r.situation(d)
		return nil
	}
	if !onlySeen(&d.Decision) {
		r.effective++
	}
	r.buf = append(r.buf[:0], bit(d.present))
	r.buf = appendDecision(r.buf, &d.Decision)
	return r.phases[d.Phase()].append(r.buf)
}

// unchanged counts n records that show what they showed.
func (r *pass) unchanged(n int) {
	r.idle += n
	r.tally.Unchanged(n)
}

// kept reads back what was put aside for one phase.
func (r *pass) kept(phase int) iter.Seq2[decided, error] { return r.readBack(&r.phases[phase]) }

func (r *pass) readBack(from *spool) iter.Seq2[decided, error] {
	return func(yield func(decided, error) bool) {
		if r.names == nil {
			r.names = map[string]string{}
		}
		for frame, err := range from.frames() {
			var d decided
			if err == nil {
				d.present = frame[0] == 1
				d.Decision, err = readDecision(&reader{b: frame[1:], names: r.names})
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// planned reads back all decisions that change something, phase by phase.
func (r *pass) planned() iter.Seq2[idbridge.Decision, error] {
	return func(yield func(idbridge.Decision, error) bool) {
		for phase := range r.phases {
			for d, err := range r.kept(phase) {
				if err == nil && onlySeen(&d.Decision) {
					continue
				}
				if !yield(d.Decision, err) || err != nil {
					return
				}
			}
		}
	}
}

// onlySeen tells that a decision has no effect that a person would ask about.
func onlySeen(d *idbridge.Decision) bool {
	bare := *d
	bare.Seen = idbridge.Observation{}
	return bare.Empty()
}

func (r *pass) tell(stage Stage, done, of int) {
	if r.e.Progress != nil {
		r.e.Progress(Progress{Directory: r.name, Stage: stage, Done: done, Of: of})
	}
}

func (r *pass) say(format string, args ...any) {
	r.report.Messages = append(r.report.Messages, fmt.Sprintf(format, args...))
}

// sortedKeys returns the ids of a map, sorted, so that what a run does does not depend on a map's order.
func sortedKeys[V any](m map[idbridge.ExternalID]V) []idbridge.ExternalID {
	out := make([]idbridge.ExternalID, 0, len(m))
	for id := range m {
		out = append(out, id)
	}
	slices.SortFunc(out, func(x, y idbridge.ExternalID) int { return strings.Compare(x.ID, y.ID) })
	return out
}
