package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
)

func (w *world) keyRotate() *cobra.Command {
	var overlap, expires string
	cmd := &cobra.Command{
		Use: "rotate ID", Args: cobra.ExactArgs(1),
		Short: "Put a new key in the place of one; it is shown this once, and both are good for the overlap",
	}
	cmd.Flags().StringVar(&overlap, "overlap", "0s", "how long the old one stays good: up to 30d")
	cmd.Flags().StringVar(&expires, "expires-in", "", "how long the new one is valid (90d); as long as the old one without")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		both, err := span(overlap)
		if err != nil {
			return invalid(fmt.Sprintf("--overlap %q is no span of time", overlap), "write for example 36h or 7d")
		}
		text, err := idbridge.NewKeyText(rand.Reader)
		if err != nil {
			return err
		}
		fresh := idbridge.Key{ID: text.ID(), Digest: text.Digest()}
		if fresh.Expires, err = expiry(expires, h.now()); err != nil {
			return err
		}
		old := idbridge.KeyID(args[0])
		made, err := h.store.RotateKey(ctx, old, fresh, both, w.who())
		if err != nil {
			return fmt.Errorf("rotate key %q: %w", args[0], err)
		}
		return w.print(map[string]any{"key": text.Native(), "id": made.ID, "user": made.User, "replaces": old}, func(out io.Writer) {
			fmt.Fprintln(out, text.Native())
			end := "is refused from now on"
			if both > 0 {
				end = "is good until " + day(h.now().Add(both))
			}
			fmt.Fprintf(w.stderr, "key %s in place of %s, which %s; it is not shown again\n", made.ID, old, end)
		})
	})
	return cmd
}

// expiry reads how long a key is valid; "" is the zero time.
func expiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	d, err := span(text)
	if err != nil || d == 0 {
		return time.Time{}, invalid(fmt.Sprintf("--expires-in %q is no span of time", text), "write for example 36h or 90d")
	}
	return now.Add(d), nil
}

func (w *world) keyImport() *cobra.Command {
	var slot, expires string
	cmd := &cobra.Command{
		Use: "import USER", Args: cobra.ExactArgs(1),
		Short:   "Take over a key that was made elsewhere; its text comes on stdin",
		Long:    "Takes over a key that was made elsewhere: 40 characters, the first 8 of which are its id, in any of the three renderings.\nIts text comes on stdin, so that no list of processes shows it.",
		Example: "  idbridge key import jdoe < old.key",
	}
	cmd.Flags().StringVar(&slot, "slot", idbridge.PrimarySlot, "a name of its own, beside the user's primary key")
	cmd.Flags().StringVar(&expires, "expires-in", "", "how long it is valid (90d); for ever without")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		user, err := h.find(ctx, args[0])
		if err != nil {
			return err
		}
		text, err := w.keyFromStdin()
		if err != nil {
			return err
		}
		key := idbridge.Key{ID: text.ID(), User: user.ID, Slot: slot, Digest: text.Digest()}
		if key.Expires, err = expiry(expires, h.now()); err != nil {
			return err
		}
		if key, err = h.store.ImportKey(ctx, key, w.who()); err != nil {
			return fmt.Errorf("import a key for %q: %w", args[0], err)
		}
		return w.print(map[string]any{"id": key.ID, "user": user.ID, "slot": key.Slot}, func(out io.Writer) {
			fmt.Fprintf(out, "key %s of %s\n", key.ID, user.UserName())
		})
	})
	return cmd
}

// keyFromStdin reads a key's text: the first line, to its end.
func (w *world) keyFromStdin() (idbridge.KeyText, error) {
	none := invalid("stdin has no key", "a key is idb_ID_SECRET, ID.SECRET or 40 characters, alone on the first line")
	if w.stdin == nil {
		return idbridge.KeyText{}, none
	}
	line, err := firstLine(w.stdin)
	if err != nil {
		return idbridge.KeyText{}, err
	}
	text, ok := idbridge.ParseKeyText(line.Reveal())
	if !ok {
		return text, none
	}
	return text, nil
}
