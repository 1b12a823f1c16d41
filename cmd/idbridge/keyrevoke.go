package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func (w *world) keyRevoke() *cobra.Command {
	var flags keyFlags
	var reason string
	var yes bool
	cmd := &cobra.Command{
		Use: "revoke", Args: cobra.NoArgs,
		Short:   "Revoke for good all keys that the flags select together, at once; without --yes only show them",
		Example: "  idbridge key revoke --user jdoe --reason left\n  idbridge key revoke --unused-since 180d --created-before 2025-01-01 --yes",
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&flags.user, "user", "", "of this user")
	cmd.Flags().StringVar(&reason, "reason", "revoked", "kept with each key and in the audit")
	cmd.Flags().BoolVar(&yes, "yes", false, "really")
	cmd.MarkFlagsOneRequired("user", "role", "directory", "created-before", "unused-since")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, _ []string) error {
		filter, err := flags.filter(ctx, h)
		if err != nil {
			return err
		}
		keys, err := h.store.RevokeKeys(ctx, filter, w.who(), reason, !yes)
		if err != nil {
			return fmt.Errorf("revoke keys: %w", err)
		}
		list := w.keyTable(h)
		if err := list.add(ctx, keys); err != nil {
			return err
		}
		if err := list.print(); err != nil {
			return err
		}
		if yes {
			fmt.Fprintf(w.stderr, "revoked %d keys\n", len(keys))
		} else if len(keys) > 0 {
			fmt.Fprintf(w.stderr, "would revoke %d keys; nothing was revoked: repeat with --yes\n", len(keys))
		}
		return nil
	})
	return cmd
}
