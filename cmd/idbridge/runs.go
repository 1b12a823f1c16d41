package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/engine"
)

const hashShown = 12 // characters of a plan's hash that a person has to type

func short(hash string) string { return hash[:min(len(hash), hashShown)] }

// shownReport is a run as `-o json` prints it.
type shownReport struct {
	Run       idbridge.Run        `json:"run"`
	Plan      *idbridge.Plan      `json:"plan,omitempty"`
	Held      bool                `json:"held"`
	Confirm   time.Time           `json:"confirm,omitzero"`
	Messages  []string            `json:"messages,omitempty"`
	Decisions []idbridge.Decision `json:"decisions,omitempty"`
	Error     string              `json:"error,omitempty"`
	Hint      string              `json:"hint,omitempty"`
}

func (w *world) syncCommand() *cobra.Command {
	var once bool
	var hash string
	cmd := &cobra.Command{
		Use: "sync [DIRECTORY …]", Short: "Do one run of each directory now, or apply a plan; without a flag only show it",
	}
	cmd.Flags().BoolVar(&once, "once", false, "do one run of each directory named, or of all")
	cmd.Flags().StringVar(&hash, "plan", "", "apply the plan with this hash, as `plan` showed it")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		if hash != "" {
			return w.applyPlan(ctx, h, hash)
		}
		if !once {
			fmt.Fprintln(w.stderr, "dry: nothing is changed without --once or --plan HASH")
			return w.eachRoom(ctx, h, args, engine.RunOptions{Kind: idbridge.PlanRun, Author: w.who(), DryRun: true})
		}
		return w.eachRoom(ctx, h, args, engine.RunOptions{Kind: idbridge.FullRun, Author: w.who()})
	})
	return cmd
}

// eachRoom does one run of each directory named, or of all, and returns the exit code that wins.
func (w *world) eachRoom(ctx context.Context, h *house, names []string, o engine.RunOptions) error {
	if len(names) == 0 {
		for i := range h.rooms {
			names = append(names, h.rooms[i].name)
		}
	}
	code := exitDone
	var shown []shownReport
	for _, name := range names {
		r, err := h.room(name)
		if err != nil {
			return err
		}
		report, err := w.oneRun(ctx, h, r, o, w.watcher(h, r))
		if ctx.Err() != nil {
			return failure{context.Canceled}
		}
		code = worse(code, w.codeOf(&report, err, o.DryRun))
		one, bad := h.shown(ctx, &report, err, w.output == outputJSON)
		if bad != nil {
			return bad
		}
		shown = append(shown, one)
		w.writeReport(r, &report, err, o.DryRun)
	}
	if w.output == outputJSON {
		if err := w.print(shown, nil); err != nil {
			return err
		}
	}
	if code == exitDone {
		return nil
	}
	return code
}

// oneRun does a run and shows its decisions as they are made; show is nil when they come with the report.
func (w *world) oneRun(ctx context.Context, h *house, r *room, o engine.RunOptions, show planWatcher) (engine.Report, error) {
	if show == nil {
		return h.run(ctx, r, o)
	}
	o.Watch = show
	if w.output != outputText || w.remote || !w.terminal() { // bars belong to this process's own terminal
		return h.run(ctx, r, o)
	}
	b := newBars(w.stderr)
	h.engine.Progress = b.update
	defer func() { h.engine.Progress = nil }()
	report, err := h.run(ctx, r, o)
	b.end()
	return report, err
}

// codeOf turns a run's end into an exit code.
func (w *world) codeOf(r *engine.Report, err error, dry bool) exit {
	code := exitDone
	if err != nil {
		if code = exitOf(err); idbridge.KindOf(err) == idbridge.Invalid && code == exitError {
			code = exitUnreachable // a certificate, a base DN: the directory could not be read
		}
	}
	switch r.Run.State {
	case idbridge.RunIncomplete:
		code = worse(code, exitUnreachable)
	case idbridge.RunHeld:
		code = worse(code, exitHeld)
	case idbridge.RunFailed, idbridge.RunInterrupted:
		if err == nil {
			code = worse(code, exitError)
		}
	case idbridge.RunDone, idbridge.RunRunning:
	}
	if r.Held {
		code = worse(code, exitHeld)
	}
	if r.Run.Counts.Held > 0 {
		code = worse(code, exitConflicts)
	}
	if r.Run.Counts.Quarantined > 0 {
		code = worse(code, exitQuarantined)
	}
	if dry && r.Plan.Decisions > 0 {
		code = worse(code, exitPending)
	}
	return code
}

func (h *house) shown(ctx context.Context, r *engine.Report, err error, decisions bool) (shownReport, error) {
	out := shownReport{Run: r.Run, Held: r.Held, Confirm: r.Confirm, Messages: r.Messages}
	if err != nil {
		out.Error, out.Hint = err.Error(), idbridge.HintOf(err)
	}
	if r.Plan.Hash == "" {
		return out, nil
	}
	out.Plan = &r.Plan
	if !decisions {
		return out, nil
	}
	for d, err := range h.store.Decisions(ctx, r.Plan.Hash) {
		if idbridge.KindOf(err) == idbridge.NotFound {
			return out, nil // applied at once: its change set is with the run
		}
		if err != nil {
			return out, fmt.Errorf("read plan %s: %w", short(r.Plan.Hash), err)
		}
		out.Decisions = append(out.Decisions, d)
	}
	return out, nil
}

func (w *world) writeReport(r *room, report *engine.Report, err error, dry bool) {
	if err == nil && w.output != outputText {
		return // the plan is all that is asked for
	}
	p := &painter{out: w.stdout, colour: w.terminal()}
	run, proof := &report.Run, &report.Plan.Proof
	how := "complete"
	if !run.Complete {
		how = "not complete: " + proof.Doubt
	}
	if err != nil {
		fmt.Fprintf(w.stderr, "directory %s: %v\n", r.name, err)
		if hint := idbridge.HintOf(err); hint != "" {
			fmt.Fprintln(w.stderr, "  "+hint)
		}
		return
	}
	if proof.Pages == 0 { // no listing: records were fetched one by one
		fmt.Fprintf(w.stdout, "directory %s: %d records looked at alone\n", p.paint(colourBold, r.name), run.Counts.Seen)
	} else {
		fmt.Fprintf(w.stdout, "directory %s  %s  %s: %d records, %d pages, %s\n", p.paint(colourBold, r.name), clean(proof.Server), how,
			run.Counts.Seen, proof.Pages, proof.Took.Round(time.Millisecond))
	}
	p.verdicts(report.Plan.Verdicts)
	for _, m := range report.Messages {
		fmt.Fprintln(w.stdout, m)
	}
	switch {
	case report.Held:
		fmt.Fprintf(w.stdout, "%s plan %s: %s.   idbridge approve %s | idbridge discard %s\n", p.paint(colourYellow, "Held"), short(report.Plan.Hash),
			countText(&report.Plan.Counts), short(report.Plan.Hash), short(report.Plan.Hash))
	case dry && report.Plan.Decisions > 0:
		fmt.Fprintf(w.stdout, "Plan %s: %s.   Apply: idbridge sync --plan %s\n", short(report.Plan.Hash), countText(&report.Plan.Counts), short(report.Plan.Hash))
	case dry:
		fmt.Fprintln(w.stdout, "Plan: nothing to do.")
	default:
		fmt.Fprintf(w.stdout, "Run %d %s: %s, %s.\n", run.ID, run.State, countText(&run.Counts), run.Ended.Sub(run.Started).Round(time.Millisecond))
	}
	if !report.Confirm.IsZero() && !dry {
		fmt.Fprintf(w.stdout, "Who is missing is suspended if a listing after %s does not show him either.\n", report.Confirm.Local().Format("15:04:05"))
	}
}

func (w *world) discardCommand() *cobra.Command {
	return &cobra.Command{
		Use: "discard HASH", Short: "Close a held plan without applying it", Args: cobra.ExactArgs(1),
		RunE: w.inHouse(func(ctx context.Context, h *house, args []string) error {
			if err := h.engine.Discard(ctx, args[0], w.who()); err != nil {
				return fmt.Errorf("discard plan %q: %w", args[0], err)
			}
			return w.print(map[string]any{"plan": args[0], "state": idbridge.PlanDiscarded}, func(out io.Writer) {
				fmt.Fprintln(out, "discarded; the next run plans anew")
			})
		}),
	}
}

// showPlan writes a stored plan.
func (w *world) showPlan(ctx context.Context, h *house, hash string) error {
	p, err := h.store.Plan(ctx, hash)
	if err != nil {
		return fmt.Errorf("plan %q: %w", hash, err)
	}
	lines := &painter{out: w.stdout, colour: w.terminal(), limit: 50, names: h.store, reverse: p.Undoes != 0}
	if err := lines.Planned(p, h.store.Decisions(ctx, p.Hash)); err != nil {
		return fmt.Errorf("read plan %q: %w", hash, err)
	}
	lines.verdicts(p.Verdicts)
	fmt.Fprintf(w.stdout, "Plan %s of %s, %s: %s.\n", short(p.Hash), p.Directory, day(p.Created), countText(&p.Counts))
	return nil
}

func (w *world) applyPlan(ctx context.Context, h *house, hash string) error {
	p, err := h.store.Plan(ctx, hash)
	if err != nil {
		return fmt.Errorf("plan %q: %w", hash, err)
	}
	r, err := h.room(p.Directory)
	if err != nil {
		return err
	}
	var report engine.Report
	err = h.work(ctx, r, func(ctx context.Context, epoch int64) error {
		report, err = h.engine.Apply(ctx, r.target, p.Hash, w.who(), epoch)
		return err
	})
	if err != nil {
		return fmt.Errorf("apply plan %s: %w", short(p.Hash), err)
	}
	view, err := h.shown(ctx, &report, nil, false)
	if err != nil {
		return err
	}
	if err := w.print(view, func(out io.Writer) {
		fmt.Fprintf(out, "Applied plan %s: %s.\n", short(p.Hash), countText(&report.Run.Counts))
		for _, name := range report.Stale {
			fmt.Fprintf(out, "  ! left out, it moved since: %s\n", clean(name))
		}
	}); err != nil {
		return err
	}
	if code := w.codeOf(&report, nil, false); code != exitDone {
		return code
	}
	return nil
}
