package authstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/idbridge/idbridge"
)

const (
	sessionKey     = "id:n"
	sessionRest    = "digest:o context user_id:n surface how single:b key_id created:n seen:n expires:n address agent ended:n reason"
	sessionColumns = `id, digest, context, user_id, surface, how, single, key_id, created, seen, expires, address, agent, ended, reason`

	agentMost   = 200 // octets of a client's name that are kept
	addressMost = 64
	sessionWait = "this store is an older copy: sessions wait until somebody accepts it with idbridge restore"
)

// sessionCells is room for one row of sessionColumns.
type sessionCells struct {
	s                             idbridge.UserSession
	created, seen, expires, ended int64
}

func (c *sessionCells) dest() []any {
	s := &c.s
	return []any{
		&s.ID, &s.Digest, &s.Context, &s.User, &s.Surface, &s.How, &s.Single, &s.Key, &c.created, &c.seen, &c.expires, &s.Address, &s.Agent,
		&c.ended, &s.Reason,
	}
}

func (c *sessionCells) read() idbridge.UserSession {
	s := c.s
	s.Created, s.Seen, s.Expires, s.Ended = moment(c.created), moment(c.seen), moment(c.expires), moment(c.ended)
	return s
}

func scanSession(r *sql.Rows) (idbridge.UserSession, error) {
	var c sessionCells
	err := r.Scan(c.dest()...)
	return c.read(), err
}

func readSessions(ctx context.Context, q queryer, tail string, args ...any) ([]idbridge.UserSession, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+sessionColumns+` FROM session`+tail, args...)
	out, err := collect(rows, err, scanSession)
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	return out, nil
}

// alive selects the sessions that are not over at the moment that is parameter n, idle ones included.
func alive(n int) string { return fmt.Sprintf(` ended = 0 AND expires > $%d`, n) }

// Sessions returns the user's sessions that are not over, oldest first.
func (s *Store) Sessions(ctx context.Context, id idbridge.UserID) ([]idbridge.UserSession, error) {
	now := s.now()
	out, err := readSessions(ctx, s.read, ` WHERE user_id = $1 AND`+alive(2)+` ORDER BY id`, int64(id), micros(now))
	for i := range out {
		out[i].Seen = s.seen.latest(&out[i])
	}
	return slices.DeleteFunc(out, func(one idbridge.UserSession) bool { return one.Over(now) != "" }), fault("read sessions", err)
}

// NewSession signs a user in: it stores a session that begins now, by the store's clock, and returns it with its number. It
// lasts until Expires, at most idbridge.SessionLife. When the user has most sessions already (0: idbridge.SessionsMost), the
// one that is idle for longest ends. A single session ends the user's other single ones of the surface in the same
// transaction, so of two at the same moment one is left. Errors: NotFound (no such user), Forbidden (the user may not act),
// Invalid, Conflicting (the digest is taken), Unavailable while the store waits as an older copy.
func (s *Store) NewSession(ctx context.Context, n idbridge.UserSession, most int) (idbridge.UserSession, error) {
	if len(n.Digest) != sha256.Size || n.Context == "" || n.Surface == "" || n.How == "" {
		return n, fault("sign in", invalid("a session needs a digest of 32 octets, a context, a surface, and how it was proved", ""))
	}
	if s.copied.Load() != 0 {
		return n, fault("sign in", &idbridge.Error{Kind: idbridge.Unavailable, Msg: "nobody can sign in now", Hint: sessionWait})
	}
	if most <= 0 {
		most = idbridge.SessionsMost
	}
	n.Address, n.Agent = short(n.Address, addressMost), short(n.Agent, agentMost)
	err := s.tx(ctx, "sign in", "store.session", func(t *tx) error {
		u, err := t.lockUser(ctx, n.User)
		if err != nil {
			return err
		}
		if err := t.mayAct(ctx, &u); err != nil {
			return err
		}
		if err := t.makeRoom(ctx, &n, most, u.UserName()); err != nil {
			return err
		}
		if n.ID, err = t.next(ctx, "session", 1); err != nil {
			return err
		}
		n.Created, n.Seen, n.Ended, n.Reason = moment(t.now), moment(t.now), time.Time{}, ""
		if end := n.Created.Add(idbridge.SessionLife); n.Expires.IsZero() || n.Expires.After(end) {
			n.Expires = end
		}
		rows := newBatch(insertRows, "session", sessionKey, sessionRest)
		rows.add(n.ID, n.Digest, n.Context, int64(n.User), n.Surface, n.How, n.Single, string(n.Key), t.now, t.now, micros(n.Expires),
			n.Address, n.Agent, int64(0), "")
		t.note(idbridge.Audit{
			Actor: u.UserName(), Action: "session.login", Target: sessionText(n.ID), User: n.User, Reason: n.Surface + " by " + n.How, Address: n.Address,
		})
		return t.flush(ctx, rows)
	})
	return n, err
}

// mayAct refuses a locked user who may not act: his sign-in was proved before that was so.
func (t *tx) mayAct(ctx context.Context, u *idbridge.User) error {
	var bad bool
	err := t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM links WHERE user_id = $1 AND state <> 'active')`, int64(u.ID)).Scan(&bad)
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	if bad || u.Suspended {
		return &idbridge.Error{Kind: idbridge.Forbidden, Msg: "the user may not act", Hint: "look at idbridge user show"}
	}
	return nil
}

// makeRoom ends what must give way to a new session, and forgets the oldest of those that are over for long.
func (t *tx) makeRoom(ctx context.Context, n *idbridge.UserSession, most int, by string) error {
	all, err := readSessions(ctx, t, ` WHERE user_id = $1 ORDER BY id DESC`, int64(n.User))
	if err != nil {
		return err
	}
	now := moment(t.now)
	var live []idbridge.UserSession
	var twice, dead []int64
	for i := range all {
		one := &all[i]
		one.Seen = t.s.seen.latest(one)
		switch over := one.Over(now); {
		case over == "" && n.Single && one.Single && one.Surface == n.Surface:
			twice = append(twice, one.ID)
		case over == "":
			live = append(live, *one)
		case over != "idle" || now.Sub(one.Seen) > 2*idbridge.SessionIdle: // another process may know of a later use
			dead = append(dead, one.ID)
		}
	}
	if len(dead) > most {
		_, err := t.ExecContext(ctx, `DELETE FROM session WHERE `+t.s.among("id", 1), numbers(t.s, dead[most:]))
		if err != nil {
			return fmt.Errorf("forget sessions: %w", err)
		}
	}
	if len(twice) > 0 {
		if _, err := t.endSessions(ctx, t.s.among("id", 3), numbers(t.s, twice), by, idbridge.EndedByLogin); err != nil {
			return err
		}
	}
	if len(live) < most {
		return nil
	}
	slices.SortStableFunc(live, func(x, y idbridge.UserSession) int { return x.Seen.Compare(y.Seen) })
	out := make([]int64, 0, len(live)-most+1)
	for i := range live[:len(live)-most+1] {
		out = append(out, live[i].ID)
	}
	_, err = t.endSessions(ctx, t.s.among("id", 3), numbers(t.s, out), by, fmt.Sprintf("more than %d sessions", most))
	return err
}

func sessionText(id int64) string { return fmt.Sprintf("session %d", id) }

// short cuts a text that a client chose.
func short(text string, most int) string { return prose(text[:min(len(text), most)]) }
