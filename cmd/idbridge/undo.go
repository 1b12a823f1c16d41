package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/engine"
)

func (w *world) undoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "undo RUN",
		Short: "Plan the reverse of a run, on both sides; what changed since is refused and named. Nothing is done before `sync --plan`",
		Args:  cobra.ExactArgs(1),
		RunE: w.inHouse(func(ctx context.Context, h *house, args []string) error {
			n, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return invalid(fmt.Sprintf("%q is not the number of a run", args[0]), "see `idbridge runs`")
			}
			report, err := h.undo(ctx, idbridge.RunID(n), w.who())
			if err != nil {
				return err
			}
			return w.showUndo(ctx, h, &report)
		}),
	}
}

// undo makes the reverse of a run as a plan that waits.
func (h *house) undo(ctx context.Context, id idbridge.RunID, by string) (report engine.Report, err error) {
	run, err := h.store.Run(ctx, id)
	if err != nil {
		return report, fmt.Errorf("undo run %d: %w", id, err)
	}
	r, err := h.room(run.Directory)
	if err != nil {
		return report, err
	}
	err = h.work(ctx, r, func(ctx context.Context, epoch int64) error {
		report, err = h.engine.Undo(ctx, r.target, id, by, epoch)
		return err
	})
	return report, err
}

func (w *world) showUndo(ctx context.Context, h *house, report *engine.Report) error {
	view, err := h.shown(ctx, report, nil, true)
	if err != nil {
		return err
	}
	if w.output == outputJSON {
		if err := w.print(view, nil); err != nil {
			return err
		}
		return undoExit(report)
	}
	lines := &painter{out: w.stdout, colour: w.terminal(), limit: 200, names: h.store, reverse: true}
	p := &report.Plan
	fmt.Fprintf(w.stdout, "Run %d (%s): the reverse.\n", p.Undoes, p.Directory)
	if p.Decisions > 0 {
		if err := lines.Planned(*p, h.store.Decisions(ctx, p.Hash)); err != nil {
			return fmt.Errorf("show plan %s: %w", short(p.Hash), err)
		}
	}
	for i := range p.Refused {
		x := &p.Refused[i]
		fmt.Fprintf(w.stdout, "  %s refused   %s %s   %s\n", lines.paint(colourYellow, "!"), clean(x.Name), x.Attribute, clean(x.Why))
	}
	lines.verdicts(p.Verdicts)
	switch {
	case p.Decisions == 0:
		fmt.Fprintln(w.stdout, "Nothing of it can be reversed.")
	case report.Held:
		fmt.Fprintf(w.stdout, "Held plan %s: %s.   idbridge approve %s | idbridge discard %s\n", short(p.Hash), countText(&p.Counts), short(p.Hash), short(p.Hash))
	default:
		fmt.Fprintf(w.stdout, "Plan %s: %s; %d refused.   Apply: idbridge sync --plan %s\n", short(p.Hash), countText(&p.Counts), len(p.Refused), short(p.Hash))
	}
	return undoExit(report)
}

func undoExit(report *engine.Report) error {
	switch {
	case report.Held:
		return exitHeld
	case report.Plan.Decisions > 0:
		return exitPending
	}
	return nil
}

func (w *world) runsCommand() *cobra.Command {
	filter := idbridge.RunFilter{Limit: 20}
	cmd := &cobra.Command{Use: "runs [RUN]", Short: "The last runs and what they did; with a number, what that run changed", Args: cobra.MaximumNArgs(1)}
	cmd.Flags().StringVarP(&filter.Directory, "directory", "d", "", "of this directory")
	cmd.Flags().IntVarP(&filter.Limit, "limit", "n", 20, "how many")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		if len(args) == 1 {
			return w.showChanges(ctx, h, args[0])
		}
		runs, err := h.store.Runs(ctx, filter)
		if err != nil {
			return fmt.Errorf("list runs: %w", err)
		}
		table := w.table("run", "directory", "kind", "started", "state", "by", "did")
		for i := range runs {
			r := &runs[i]
			did := countText(&r.Counts)
			if r.Kind == idbridge.PlanRun || r.Kind == idbridge.UndoRun {
				did = "only planned: " + did
			}
			table.row(r.ID, r.Directory, r.Kind, day(r.Started), r.State, r.Author, did)
		}
		return table.print()
	})
	return cmd
}

// showChanges lists the change set of a run.
func (w *world) showChanges(ctx context.Context, h *house, word string) error {
	id, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return invalid(fmt.Sprintf("%q is not the number of a run", word), "see `idbridge runs`")
	}
	if _, err := h.store.Run(ctx, idbridge.RunID(id)); err != nil {
		return fmt.Errorf("run %d: %w", id, err)
	}
	table := w.table("user", "side", "verb", "what", "before", "after")
	for c, err := range h.store.Changes(ctx, idbridge.RunID(id)) {
		if err != nil {
			return fmt.Errorf("changes of run %d: %w", id, err)
		}
		attributes := c.After.Attributes()
		for _, a := range attributes {
			table.row(c.User, c.Side, c.Verb, a, c.Before[a], c.After[a])
		}
		if len(attributes) == 0 {
			table.row(c.User, c.Side, c.Verb, c.Group.ID, c.Was, c.State)
		}
	}
	return table.print()
}
