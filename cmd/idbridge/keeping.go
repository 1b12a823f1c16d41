package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
)

func (w *world) pruneCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "prune", Args: cobra.NoArgs,
		Short: "Remove what is older than the config's retention; without --yes only count it. The daemon does this by itself",
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "really")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, _ []string) error {
		pruned, err := h.store.Prune(ctx, h.cfg.Retention, !yes)
		if err != nil {
			return fmt.Errorf("prune: %w", err)
		}
		return w.print(pruned, func(out io.Writer) {
			verb := "removed"
			if !yes {
				verb = "would remove"
			}
			writeCounts(out, verb, pruned)
			if !yes {
				fmt.Fprintln(out, "nothing was removed; repeat with --yes")
			}
		})
	})
	return cmd
}

// writeCounts lists rows by table.
func writeCounts(out io.Writer, verb string, rows map[string]int) {
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if rows[name] > 0 {
			fmt.Fprintf(out, "%s %6d  %s\n", verb, rows[name], name)
		}
	}
}

func (w *world) userErase() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "erase USER", Args: cobra.ExactArgs(1),
		Short: "Erase everything that is known of a person, on request; says what is kept and why. Without --yes only shows it",
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "really: nothing brings it back")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		user, err := h.find(ctx, args[0])
		if err != nil {
			return err
		}
		erasure, err := h.store.Erase(ctx, user.ID, w.who(), !yes)
		if err != nil {
			return fmt.Errorf("erase user %q: %w", args[0], err)
		}
		return w.print(erasure, func(out io.Writer) {
			verb := "erased"
			if !yes {
				verb = "would erase"
			}
			writeCounts(out, verb, erasure.Removed)
			for _, kept := range erasure.Kept {
				fmt.Fprintf(out, "kept: %s\n", kept)
			}
			if !yes {
				fmt.Fprintln(out, "nothing was erased; repeat with --yes")
			}
		})
	})
	return cmd
}

func (w *world) restoreCommand() *cobra.Command {
	var accept, keepKeys bool
	cmd := &cobra.Command{
		Use: "restore", Args: cobra.NoArgs,
		Short: "Whether this store is an older copy of itself; --accept lets runs and keys work again",
		Long: "After a backup of the store was put back, runs are held and keys refused, since the copy may know keys that were\n" +
			"revoked and people who left after it was made. Look at this, then accept it: keys are disabled then, and come back\n" +
			"one by one with `idbridge key enable`, unless --keep-keys says that none was revoked since.",
	}
	cmd.Flags().BoolVar(&accept, "accept", false, "go on with this copy")
	cmd.Flags().BoolVar(&keepKeys, "keep-keys", false, "no key was revoked or replaced since the backup: leave them as they are")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, _ []string) error {
		found, err := h.store.Restored(ctx)
		if err != nil {
			return fmt.Errorf("look for a restored store: %w", err)
		}
		if found.Since.IsZero() {
			return w.print(found, func(out io.Writer) { fmt.Fprintln(out, "this store was not restored from an older copy") })
		}
		if !accept {
			if err := w.print(found, func(out io.Writer) {
				fmt.Fprintf(out, "this store is an older copy: %s\n  found %s; the newest thing it knows is of %s\n  %d keys are refused, and every run is held\n",
					found.Why, day(found.Since), day(found.Backup), found.Keys)
				fmt.Fprintln(out, "go on with it: idbridge restore --accept")
			}); err != nil {
				return err
			}
			return exitHeld
		}
		done, err := h.store.AcceptRestore(ctx, w.who(), keepKeys)
		if err != nil {
			return fmt.Errorf("accept the restored store: %w", err)
		}
		return w.print(done, func(out io.Writer) {
			fmt.Fprintln(out, "accepted: the next run compares everything with the directories and asks the guards as always")
			if !keepKeys {
				fmt.Fprintf(out, "%d keys are disabled; `idbridge key enable ID` brings one back\n", done.Keys)
			}
		})
	})
	return cmd
}

// needed is the error for a missing yes.
func needed(what string) error {
	return &idbridge.Error{Kind: idbridge.Invalid, Msg: what + ": nothing done", Hint: "repeat the command with --yes"}
}
