package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
)

func (w *world) keyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "API keys"}
	cmd.AddCommand(w.keyNew(), w.keyRotate(), w.keyImport(), w.keyList(), w.keyEnable(true), w.keyEnable(false), w.keyDelete(),
		w.keyRevoke(), w.keyScan())
	return cmd
}

func (w *world) keyNew() *cobra.Command {
	var expires time.Duration
	cmd := &cobra.Command{
		Use: "new USER", Args: cobra.ExactArgs(1),
		Short: "Make the user's key, in place of the one he has; it is shown this once",
	}
	cmd.Flags().DurationVar(&expires, "expires-in", 0, "how long it is valid; 0 for ever")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		user, err := h.find(ctx, args[0])
		if err != nil {
			return err
		}
		text, err := w.makeKey(ctx, h, &user, expires)
		if err != nil {
			return fmt.Errorf("make a key for %q: %w", args[0], err)
		}
		return w.print(map[string]any{"key": text.Native(), "id": text.ID(), "user": user.ID}, func(out io.Writer) {
			fmt.Fprintln(out, text.Native())
			fmt.Fprintf(w.stderr, "key %s of %s; it is not shown again\n", text.ID(), user.UserName())
		})
	})
	return cmd
}

// makeKey draws a key and stores it in place of the user's present one.
func (w *world) makeKey(ctx context.Context, h *house, user *idbridge.User, expires time.Duration) (idbridge.KeyText, error) {
	if missing := missingForKey(user); len(missing) > 0 {
		return idbridge.KeyText{}, &idbridge.Error{
			Kind: idbridge.Conflicting, Msg: "the profile lacks " + strings.Join(missing, ", "),
			Hint: "a key needs givenName, familyName and email of its person: idbridge user set " + user.UserName() + " " + missing[0] + "=…",
		}
	}
	text, err := idbridge.NewKeyText(rand.Reader)
	if err != nil {
		return text, err
	}
	key := idbridge.Key{
		ID: text.ID(), User: user.ID, Slot: idbridge.PrimarySlot, Digest: text.Digest(), Enabled: true,
		CreatedBy: w.who(), Scopes: []string{"*"},
	}
	if expires > 0 {
		key.Expires = time.Now().Add(expires)
	}
	_, err = h.store.CreateKey(ctx, key, w.who())
	return text, err
}

// missingForKey names what a person's profile lacks for a key; a service needs nothing.
func missingForKey(u *idbridge.User) []string {
	if u.Kind == idbridge.Service {
		return nil
	}
	var missing []string
	for _, a := range []idbridge.Attribute{idbridge.GivenName, idbridge.FamilyName, idbridge.Email} {
		if strings.TrimSpace(u.Profile[a].First()) == "" {
			missing = append(missing, string(a))
		}
	}
	return missing
}

func (w *world) keyEnable(on bool) *cobra.Command {
	word := "disable"
	if on {
		word = "enable"
	}
	return &cobra.Command{
		Use: word + " ID", Short: strings.ToUpper(word[:1]) + word[1:] + " a key", Args: cobra.ExactArgs(1),
		RunE: w.inHouse(func(ctx context.Context, h *house, args []string) error {
			if err := h.store.SetKeyEnabled(ctx, idbridge.KeyID(args[0]), on, w.who()); err != nil {
				return fmt.Errorf("%s key %q: %w", word, args[0], err)
			}
			return w.print(map[string]any{"id": args[0], "enabled": on}, func(out io.Writer) { fmt.Fprintf(out, "%sd %s\n", word, args[0]) })
		}),
	}
}

func (w *world) keyDelete() *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "delete ID", Short: "Revoke a key for good; it stays listed", Args: cobra.ExactArgs(1)}
	cmd.Flags().StringVar(&reason, "reason", "deleted", "kept with the key and in the audit")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		if err := h.store.RevokeKey(ctx, idbridge.KeyID(args[0]), w.who(), reason); err != nil {
			return fmt.Errorf("delete key %q: %w", args[0], err)
		}
		return w.print(map[string]any{"id": args[0], "revoked": true}, func(out io.Writer) { fmt.Fprintln(out, "deleted", args[0]) })
	})
	return cmd
}
