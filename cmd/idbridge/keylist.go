package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
)

// keyFlags are the words by which keys are selected.
type keyFlags struct {
	user, role, directory, state              string
	createdBefore, unusedSince, expiresBefore string
}

const whenHelp = "a date (2026-01-31), a time (RFC 3339), or how long ago (90d, 36h)"

// add gives a command the flags that narrow down which keys it is about.
func (f *keyFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.role, "role", "", "of users who have this role")
	cmd.Flags().StringVarP(&f.directory, "directory", "d", "", "of users who are linked to this directory")
	cmd.Flags().StringVar(&f.createdBefore, "created-before", "", whenHelp)
	cmd.Flags().StringVar(&f.unusedSince, "unused-since", "", whenHelp)
}

// filter reads the flags.
func (f *keyFlags) filter(ctx context.Context, h *house) (idbridge.KeyFilter, error) {
	out := idbridge.KeyFilter{Role: idbridge.Role(f.role), Directory: f.directory, State: idbridge.KeyState(f.state)}
	if f.directory != "" {
		if _, err := h.room(f.directory); err != nil {
			return out, err
		}
	}
	if f.user != "" {
		user, err := h.find(ctx, f.user)
		if err != nil {
			return out, err
		}
		out.User = user.ID
	}
	for _, one := range [...]struct {
		flag, text string
		ahead      bool // how long from now, not ago
		at         *time.Time
	}{
		{"created-before", f.createdBefore, false, &out.CreatedBefore}, {"unused-since", f.unusedSince, false, &out.UnusedSince},
		{"expires-before", f.expiresBefore, true, &out.ExpiresBefore},
	} {
		if one.text == "" {
			continue
		}
		at, err := when(one.text, h.now(), one.ahead)
		if err != nil {
			return out, invalid(fmt.Sprintf("--%s %q is no time", one.flag, one.text), "write "+whenHelp)
		}
		*one.at = at
	}
	return out, nil
}

// when reads a date, a time, or a distance from now; days are written 90d.
func when(text string, now time.Time, ahead bool) (time.Time, error) {
	for _, layout := range [...]string{time.RFC3339, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil { //nolint:gosmopolitan // a person's words
			return at, nil
		}
	}
	distance, err := span(text)
	if err != nil {
		return time.Time{}, err
	}
	if ahead {
		return now.Add(distance), nil
	}
	return now.Add(-distance), nil
}

// span reads how long: 36h, or in days 90d.
func span(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = invalid("less than nothing", "")
	}
	return d, err
}

func (w *world) keyList() *cobra.Command {
	var flags keyFlags
	cmd := &cobra.Command{
		Use: "list [USER]", Short: "List keys, dead ones too: a user's, or those that the flags select", Args: cobra.MaximumNArgs(1),
		Example: "  idbridge key list jdoe\n  idbridge key list --state active --unused-since 90d",
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&flags.state, "state", "", "active, disabled, pending, expired, revoked or rotated")
	cmd.Flags().StringVar(&flags.expiresBefore, "expires-before", "", "a date, a time, or how long from now")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		if len(args) == 1 {
			flags.user = args[0]
		}
		filter, err := flags.filter(ctx, h)
		if err != nil {
			return err
		}
		list := w.keyTable(h)
		filter.Limit = 1000
		for {
			keys, err := h.store.FindKeys(ctx, filter)
			if err != nil {
				return fmt.Errorf("list keys: %w", err)
			}
			if err := list.add(ctx, keys); err != nil {
				return err
			}
			if len(keys) < filter.Limit {
				return list.print()
			}
			filter.After = keys[len(keys)-1].ID
		}
	})
	return cmd
}

// keySheet lists keys with their users' names.
type keySheet struct {
	*sheet
	h     *house
	names map[idbridge.UserID]string
}

func (w *world) keyTable(h *house) *keySheet {
	return &keySheet{
		sheet: w.table("id", "user", "slot", "state", "createdAt", "createdBy", "expiresAt", "lastUsedAt", "lastUsedIp"),
		h:     h, names: map[idbridge.UserID]string{},
	}
}

func (s *keySheet) add(ctx context.Context, keys []idbridge.Key) error {
	for i := range keys {
		k := &keys[i]
		if _, known := s.names[k.User]; !known {
			user, err := s.h.store.User(ctx, k.User)
			if err != nil && idbridge.KindOf(err) != idbridge.NotFound { // deleted since
				return fmt.Errorf("user of key %s: %w", k.ID, err)
			}
			s.names[k.User] = clean(user.UserName())
		}
		s.row(k.ID, s.names[k.User], clean(k.Slot), keyWord(k), day(k.Created), clean(k.CreatedBy), day(k.Expires), day(k.LastUsed), k.LastAddress)
	}
	return nil
}

func keyWord(k *idbridge.Key) string {
	state := string(k.State(time.Now()))
	switch {
	case k.Reason != "":
		state += " (" + clean(k.Reason) + ")"
	case k.ReplacedBy != "" && k.State(time.Now()) == idbridge.KeyActive:
		state += " until " + day(k.Overlap) + ", then " + string(k.ReplacedBy)
	case k.ReplacedBy != "":
		state += " (by " + string(k.ReplacedBy) + ")"
	}
	return state
}
