package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
)

func (w *world) auditCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Who did what: list it, and check that nobody changed it since"}
	cmd.AddCommand(w.auditList(), w.auditVerify())
	return cmd
}

func (w *world) auditList() *cobra.Command {
	filter := idbridge.AuditFilter{}
	var user string
	cmd := &cobra.Command{Use: "list", Short: "The latest audit rows, newest first", Args: cobra.NoArgs}
	cmd.Flags().StringVar(&user, "user", "", "about this user")
	cmd.Flags().IntVarP(&filter.Limit, "limit", "n", 50, "how many")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, _ []string) error {
		if user != "" {
			u, err := h.find(ctx, user)
			if err != nil {
				return err
			}
			filter.User = u.ID
		}
		rows, err := h.store.Audit(ctx, filter)
		if err != nil {
			return fmt.Errorf("read audit: %w", err)
		}
		table := w.table("id", "at", "actor", "action", "target", "result", "reason", "run")
		for i := range rows {
			a := &rows[i]
			table.row(a.ID, day(a.At), a.Actor, a.Action, a.Target, a.Result, a.Reason, a.Run)
		}
		return table.print()
	})
	return cmd
}

func (w *world) auditVerify() *cobra.Command {
	var heads []string
	cmd := &cobra.Command{
		Use: "verify", Args: cobra.NoArgs,
		Short: "Recompute every sealed block; with --head also that none of the newest is missing",
		Long: "Recomputes the digests of all sealed audit blocks and compares them with what was sealed.\n" +
			"Somebody who can write to the store could cut off its newest blocks: keep the head that this command prints\n" +
			"elsewhere, and give it back with --head to find that out.",
	}
	cmd.Flags().StringArrayVar(&heads, "head", nil, "a head that an earlier verify printed")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, _ []string) error {
		report, err := h.store.VerifyAudit(ctx, heads...)
		if err != nil {
			return fmt.Errorf("verify audit: %w", err)
		}
		if err := w.print(report, func(out io.Writer) {
			fmt.Fprintf(out, "%d rows in %d blocks, %d not sealed yet, %d erased\n", report.Rows, report.Blocks, report.Unsealed, report.Erased)
			fmt.Fprintf(out, "head %s\n", report.Head)
			for _, fault := range report.Faults {
				fmt.Fprintf(out, "fault: %s\n", fault)
			}
			if len(report.Faults) == 0 {
				fmt.Fprintln(out, "nothing was changed")
			}
		}); err != nil {
			return err
		}
		if len(report.Faults) > 0 {
			return exitError
		}
		return nil
	})
	return cmd
}
