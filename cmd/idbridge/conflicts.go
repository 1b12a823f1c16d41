package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
)

func (w *world) conflictsCommand() *cobra.Command {
	var all bool
	filter := idbridge.ConflictFilter{}
	cmd := &cobra.Command{Use: "conflicts", Short: "Attributes that both sides changed differently", Args: cobra.NoArgs}
	cmd.Flags().BoolVar(&all, "all", false, "also those that a policy decided or that closed by themselves")
	cmd.Flags().StringVar((*string)(&filter.Attribute), "attribute", "", "of this attribute")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, _ []string) error {
		filter.Open, filter.Limit = !all, 500
		table := w.table("id", "user", "attribute", "base", "store", "directory", "winner", "opened")
		for {
			list, err := h.store.Conflicts(ctx, filter)
			if err != nil {
				return fmt.Errorf("list conflicts: %w", err)
			}
			for i := range list {
				c := &list[i]
				table.row(c.ID, c.Name, c.Attribute, c.Base, c.Store, c.Directory, winnerWord(c), day(c.Opened))
				filter.After = c.ID
			}
			if len(list) < filter.Limit {
				return table.print()
			}
		}
	})
	cmd.AddCommand(w.resolveCommand(), &cobra.Command{
		Use: "show ID", Short: "Show one conflict: base, both values, who decided and why", Args: cobra.ExactArgs(1),
		RunE: w.inHouse(func(ctx context.Context, h *house, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return invalid(fmt.Sprintf("%q is not the number of a conflict", args[0]), "see `idbridge conflicts`")
			}
			c, err := h.store.Conflict(ctx, idbridge.ConflictID(id))
			if err != nil {
				return fmt.Errorf("conflict %d: %w", id, err)
			}
			return w.print(c, func(out io.Writer) { writeConflict(out, &c) })
		}),
	})
	return cmd
}

func writeConflict(out io.Writer, c *idbridge.Conflict) {
	fmt.Fprintf(out, "conflict %d: %s of %s (%s)\n", c.ID, c.Attribute, clean(c.Name), c.Link.Directory)
	fmt.Fprintf(out, "  base       %s\n  store      %s\n  directory  %s\n", c.Base, c.Store, c.Directory)
	fmt.Fprintf(out, "  opened     %s\n  decided    %s\n", day(c.Opened), winnerWord(c))
	if c.Why != "" {
		fmt.Fprintf(out, "  why        %s\n", c.Why)
	}
}

// winnerWord says who won, or that a person has to decide.
func winnerWord(c *idbridge.Conflict) string {
	switch {
	case c.Winner == idbridge.NoWinner && c.Closed.IsZero():
		return "waits for a person"
	case c.Winner == idbridge.NoWinner:
		return "closed: " + c.By
	case c.By != "":
		return string(c.Winner) + ", by " + c.By
	}
	return string(c.Winner)
}
