package authstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/idbridge/idbridge"
)

// EndSession ends one session; one that is over stays as it is. Its tokens end with it. Error: NotFound.
func (s *Store) EndSession(ctx context.Context, id int64, by, reason string) error {
	return s.tx(ctx, "end session", "store.endsession", func(t *tx) error {
		n, err := t.endSessions(ctx, `id = $3`, id, by, reason)
		if err != nil || n > 0 {
			return err
		}
		var there int
		found, err := one(t.QueryRowContext(ctx, `SELECT 1 FROM session WHERE id = $1`, id), &there)
		if err == nil && !found {
			err = notFound("session")
		}
		return err
	})
}

// EndSessions ends the sessions that a filter finds, in one transaction, and returns how many. Error: Invalid for a filter
// that names neither user nor surface.
func (s *Store) EndSessions(ctx context.Context, f idbridge.SessionFilter, by, reason string) (int, error) {
	if f.User == 0 && f.Surface == "" {
		return 0, fault("end sessions", invalid("a user or a surface is needed", ""))
	}
	parts, args := []string{`id <> $3`}, []any{f.Except}
	if f.User != 0 {
		args = append(args, int64(f.User))
		parts = append(parts, fmt.Sprintf(`user_id = $%d`, len(args)+2))
	}
	if f.Surface != "" {
		args = append(args, f.Surface)
		parts = append(parts, fmt.Sprintf(`surface = $%d`, len(args)+2))
	}
	if f.Single {
		parts = append(parts, `single`)
	}
	var n int
	err := s.tx(ctx, "end sessions", "store.endsessions", func(t *tx) (err error) {
		if f.User != 0 { // a sign-in that began before comes first, or sees what was done here
			if _, err := t.lockUser(ctx, f.User); err != nil && idbridge.KindOf(err) != idbridge.NotFound {
				return err
			}
		}
		n, err = t.endSessions(ctx, strings.Join(parts, " AND "), args, by, reason)
		return err
	})
	return n, err
}

// endOf ends all sessions of users, within the transaction that takes their access.
func (t *tx) endOf(ctx context.Context, users []idbridge.UserID, by, reason string) error {
	if len(users) == 0 {
		return nil
	}
	_, err := t.endSessions(ctx, t.s.among("user_id", 3), numbers(t.s, users), by, reason)
	return err
}

// endSessions ends those of the sessions that are not over which a condition finds, whose parameters begin at $3, and returns
// how many. There is one audit row for each user.
func (t *tx) endSessions(ctx context.Context, condition string, args any, by, reason string) (int, error) {
	list, ok := args.([]any)
	if !ok {
		list = []any{args}
	}
	rows, err := t.QueryContext(ctx, `UPDATE session SET ended = $1, reason = $2 WHERE`+alive(1)+` AND `+condition+` RETURNING `+sessionColumns,
		append([]any{t.now, prose(reason)}, list...)...)
	ended, err := collect(rows, err, scanSession)
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	t.noteEnded(ended, by, reason)
	return len(ended), nil
}

func (t *tx) noteEnded(ended []idbridge.UserSession, by, reason string) {
	slices.SortFunc(ended, func(x, y idbridge.UserSession) int {
		return cmp.Or(cmp.Compare(x.User, y.User), cmp.Compare(x.ID, y.ID))
	})
	for from := 0; from < len(ended); {
		to := from
		for ; to < len(ended) && ended[to].User == ended[from].User; to++ {
			t.touched.sessions = append(t.touched.sessions, ended[to].ID)
		}
		target := sessionText(ended[from].ID)
		if to-from > 1 {
			target = fmt.Sprintf("%d sessions", to-from)
		}
		t.note(idbridge.Audit{Actor: by, Action: "session.end", Target: target, User: ended[from].User, Reason: reason})
		t.move(idbridge.Move{Kind: idbridge.MoveSession, User: ended[from].User})
		t.changed = true
		from = to
	}
}

// endSessions ends the sessions of the users whose access this commit takes.
func (c *commit) endSessions(ctx context.Context) error {
	var ids []idbridge.UserID
	for _, l := range c.links {
		if u := c.users[l.User]; l.State != idbridge.LinkActive && !l.gone && u != nil && u.access && !u.gone {
			ids = append(ids, l.User)
		}
	}
	return c.t.endOf(ctx, ids, "directory:"+c.lead.Directory, idbridge.EndedBySuspend)
}
