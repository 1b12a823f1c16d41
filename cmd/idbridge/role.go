package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
)

func (w *world) roleCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "role", Short: "Roles: who has them, and where from"}
	cmd.AddCommand(w.roleGrant(), w.roleRevoke(), w.roleList(), w.roleMembers())
	return cmd
}

func (w *world) roleGrant() *cobra.Command {
	var application string
	cmd := &cobra.Command{Use: "grant USER ROLE", Short: "Grant a role by hand; no run takes it away", Args: cobra.ExactArgs(2)}
	cmd.Flags().StringVarP(&application, "application", "a", "", "on one application; global without")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		user, err := h.find(ctx, args[0])
		if err != nil {
			return err
		}
		if err := h.store.GrantRole(ctx, user.ID, idbridge.Role(args[1]), application, w.who()); err != nil {
			return fmt.Errorf("grant %s to %q: %w", args[1], args[0], err)
		}
		return w.print(map[string]any{"user": user.ID, "role": args[1], "application": application}, func(out io.Writer) {
			fmt.Fprintf(out, "%s has %s\n", user.UserName(), args[1])
		})
	})
	return cmd
}

func (w *world) roleRevoke() *cobra.Command {
	var application string
	cmd := &cobra.Command{Use: "revoke USER ROLE", Short: "Take back a role that was granted by hand", Args: cobra.ExactArgs(2)}
	cmd.Flags().StringVarP(&application, "application", "a", "", "on one application; global without")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		user, err := h.find(ctx, args[0])
		if err != nil {
			return err
		}
		if err := h.store.RevokeRole(ctx, user.ID, idbridge.Role(args[1]), application, w.who()); err != nil {
			return fmt.Errorf("revoke %s of %q: %w", args[1], args[0], err)
		}
		return w.print(map[string]any{"user": user.ID, "role": args[1], "revoked": true}, func(out io.Writer) {
			fmt.Fprintf(out, "%s has no manual grant of %s any more\n", user.UserName(), args[1])
		})
	})
	return cmd
}

func (w *world) roleList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the roles that somebody has", Args: cobra.NoArgs,
		RunE: w.inHouse(func(ctx context.Context, h *house, _ []string) error {
			roles, err := h.store.Roles(ctx)
			if err != nil {
				return fmt.Errorf("list roles: %w", err)
			}
			table := w.table("role", "application", "users")
			for _, r := range roles {
				table.row(r.Role, r.Application, r.Users)
			}
			return table.print()
		}),
	}
}

func (w *world) roleMembers() *cobra.Command {
	var application string
	cmd := &cobra.Command{Use: "members ROLE", Short: "List who has a role, and where each grant comes from", Args: cobra.ExactArgs(1)}
	cmd.Flags().StringVarP(&application, "application", "a", "", "on one application; global without")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		const page = 500
		table := w.table("user", "userName", "grant")
		var after idbridge.UserID
		for {
			grants, err := h.store.RoleMembers(ctx, idbridge.Role(args[0]), application, after, page)
			if err != nil {
				return fmt.Errorf("members of %q: %w", args[0], err)
			}
			for i := range grants {
				user, err := h.store.User(ctx, grants[i].User)
				if err != nil {
					return fmt.Errorf("user %d: %w", grants[i].User, err)
				}
				table.row(user.ID, user.UserName(), grantText(&grants[i]))
				after = user.ID
			}
			if len(grants) < page {
				return table.print()
			}
		}
	})
	return cmd
}

// grantText says a role and where it came from.
func grantText(g *idbridge.Grant) string {
	text := string(g.Role)
	if g.Application != "" {
		text += " on " + g.Application
	}
	if g.Manual() {
		text += ", by hand"
		if g.By != "" {
			text += " (" + g.By + ")"
		}
	} else {
		text += ", from " + g.GroupName + " (" + g.Directory + ")"
	}
	if !g.Since.IsZero() {
		text += ", since " + day(g.Since)
	}
	return text
}
