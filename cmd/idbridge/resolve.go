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
		Short: "Decide conflicts: keep the store's value, the directory's, or give another",
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
		ids, err := h.conflictIDs(ctx, args, idbridge.Attribute(attribute))
		if err != nil {
			return err
		}
		table := w.table("id", "user", "attribute", "winner")
		for _, id := range ids {
			r.Conflict = id
			c, err := h.store.ResolveConflict(ctx, r)
			if err != nil {
				return fmt.Errorf("conflict %d: %w", id, err)
			}
			table.row(c.ID, c.Name, c.Attribute, c.Winner)
		}
		h.wake()
		if err := table.print(); err != nil || w.output == outputJSON {
			return err
		}
		_, err = io.WriteString(w.stdout, "The next run carries it over; with the daemon, within seconds.\n")
		return err
	})
	return cmd
}

// conflictIDs reads the numbers given, or finds the open conflicts of an attribute.
func (h *house) conflictIDs(ctx context.Context, args []string, attribute idbridge.Attribute) ([]idbridge.ConflictID, error) {
	var ids []idbridge.ConflictID
	for _, arg := range args {
		id, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return nil, invalid(fmt.Sprintf("%q is not the number of a conflict", arg), "see `idbridge conflicts`")
		}
		ids = append(ids, idbridge.ConflictID(id))
	}
	if len(ids) > 0 && attribute != "" || len(ids) == 0 && attribute == "" {
		return nil, invalid("name conflicts by number, or all of an attribute", "idbridge conflicts resolve 17 --keep store, or --attribute title --keep store")
	}
	if len(ids) > 0 {
		return ids, nil
	}
	filter := idbridge.ConflictFilter{Open: true, Attribute: attribute, Limit: 500}
	for {
		list, err := h.store.Conflicts(ctx, filter)
		if err != nil {
			return nil, fmt.Errorf("list conflicts: %w", err)
		}
		for i := range list {
			ids = append(ids, list[i].ID)
			filter.After = list[i].ID
		}
		if len(list) < filter.Limit {
			return ids, nil
		}
	}
}
