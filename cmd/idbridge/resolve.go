package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
)

func (w *world) resolveCommand() *cobra.Command {
	var keep, attribute string
	var values []string
	cmd := &cobra.Command{
		Use:   "resolve [ID …]",
		Short: "Decide conflicts: keep the store's value, the directory's, or give another; one that a policy decided is turned round",
		Example: "  idbridge conflicts resolve 17 --keep store\n  idbridge conflicts resolve 17 --value 'Team Lead'\n" +
			"  idbridge conflicts resolve --attribute title --keep directory",
	}
	cmd.Flags().StringVar(&keep, "keep", "", "store or directory")
	cmd.Flags().StringArrayVar(&values, "value", nil, "this value on both sides; repeat for several, empty clears")
	cmd.Flags().StringVar(&attribute, "attribute", "", "all open conflicts of this attribute")
	cmd.MarkFlagsMutuallyExclusive("keep", "value")
	cmd.MarkFlagsOneRequired("keep", "value")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		r := idbridge.Resolution{By: w.who(), Winner: idbridge.Winner(keep)}
		if keep == "" {
			r.Winner = idbridge.ValueWinner
			for _, v := range values {
				if v != "" {
					r.Value = append(r.Value, v)
				}
			}
		}
		done, left, err := h.resolve(ctx, args, r, idbridge.Attribute(attribute))
		if err != nil {
			return err
		}
		h.wake()
		table := w.table("id", "user", "attribute", "winner")
		for i := range done {
			table.row(done[i].ID, done[i].Name, done[i].Attribute, done[i].Winner)
		}
		if err := table.print(); err != nil {
			return err
		}
		for i := range left {
			fmt.Fprintf(w.stderr, "not decided: %s %s: %s\n", clean(left[i].Name), left[i].Attribute, clean(left[i].Why))
		}
		if len(left) > 0 {
			return exitConflicts
		}
		if w.output == outputJSON {
			return nil
		}
		_, err = io.WriteString(w.stdout, "The next run carries it over; with the daemon, within seconds.\n")
		return err
	})
	return cmd
}

// resolve decides the conflicts with the numbers given, or all open ones of an attribute.
func (h *house) resolve(
	ctx context.Context, args []string, r idbridge.Resolution, attribute idbridge.Attribute,
) (done []idbridge.Conflict, left []idbridge.Refusal, err error) {
	if (len(args) > 0) == (attribute != "") {
		return nil, nil, invalid("name conflicts by number, or all of an attribute",
			"idbridge conflicts resolve 17 --keep store, or --attribute title --keep store")
	}
	if attribute != "" {
		return h.store.ResolveConflicts(ctx, attribute, r)
	}
	for _, arg := range args {
		id, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return done, nil, invalid(fmt.Sprintf("%q is not the number of a conflict", arg), "see `idbridge conflicts`")
		}
		r.Conflict = idbridge.ConflictID(id)
		c, err := h.store.ResolveConflict(ctx, r)
		if err != nil {
			return done, nil, fmt.Errorf("conflict %d: %w", id, err)
		}
		done = append(done, c)
	}
	return done, nil, nil
}
