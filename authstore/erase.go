package authstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/idbridge/idbridge"
)

// Erasure says what was erased of one person, and what was kept and why.
type Erasure struct {
	User    idbridge.UserID `json:"user"`
	Name    string          `json:"name"`    // login, "" when the store did not know it any more
	Removed map[string]int  `json:"removed"` // rows removed, or whose texts were blanked, by table
	Kept    []string        `json:"kept"`    // plain sentences
}

// Erase removes everything that names a person, on his request: the user with all that hangs on him, what runs, plans,
// conflicts and the audit say of him, and where he is named as author of something else. It works for a user who was deleted
// before, too. All is done in one transaction; dry rolls it back. It searches the whole audit and all change sets meanwhile, so
// on SQLite writers wait some seconds per million rows. Errors: NotFound, Forbidden when nobody could administer
// any more.
func (s *Store) Erase(ctx context.Context, id idbridge.UserID, by string, dry bool) (Erasure, error) {
	var out Erasure
	op := fmt.Sprintf("erase user %d", id)
	work := func(t *tx) error {
		return t.keepAdmin(ctx, func() error {
			e := eraser{t: t, by: by, out: Erasure{User: id, Removed: map[string]int{}}}
			err := e.run(ctx, id)
			out = e.out
			return err
		})
	}
	if dry {
		return out, s.rehearsal(ctx, op, work)
	}
	if err := s.overwriting(ctx, true); err != nil {
		return out, fault(op, err)
	}
	err := s.tx(ctx, op, "store.erase", work)
	if back := s.overwriting(context.WithoutCancel(ctx), false); err == nil && back != nil {
		s.log.WarnContext(ctx, "what was erased may still lie in the database's files", "error", back)
	}
	return out, err
}

// overwriting makes SQLite fill what it deletes with zeros, and in the end empties the log that still has it.
func (s *Store) overwriting(ctx context.Context, on bool) error {
	if s.postgres {
		return nil
	}
	query := `PRAGMA secure_delete = ON`
	if !on {
		query = `PRAGMA secure_delete = OFF; PRAGMA wal_checkpoint(TRUNCATE)`
	}
	_, err := s.write.ExecContext(ctx, query)
	return err
}

// eraser is one erasure.
type eraser struct {
	t   *tx
	by  string
	w   *trace
	out Erasure
}

func (e *eraser) count(table string, n int64) {
	if n > 0 {
		e.out.Removed[table] += int(n)
	}
}

func (e *eraser) run(ctx context.Context, id idbridge.UserID) error {
	var err error
	if e.w, err = e.t.trace(ctx, id); err != nil {
		return err
	}
	e.out.Name = e.w.login
	for _, step := range [...]func(context.Context) error{e.user, e.records, e.plans, e.headers, e.mentions, e.audit} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	e.keep()
	e.t.note(idbridge.Audit{Actor: e.by, Action: "user.erase", User: id, Reason: "on request"})
	return nil
}

// user removes the user with everything that is his, and takes the name off his tombstones.
func (e *eraser) user(ctx context.Context) error {
	for _, table := range [...]string{"users", "links", "claims", "grants", "keys", "outbox", "session", "password"} {
		column := "user_id"
		if table == "users" {
			column = "id"
		}
		var n int64
		if err := e.t.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+table+` WHERE `+column+` = $1`, int64(e.w.user)).Scan(&n); err != nil {
			return fmt.Errorf("count %s: %w", table, err)
		}
		e.count(table, n)
	}
	if e.w.there {
		u, err := e.t.lockUser(ctx, e.w.user)
		if err != nil {
			return err
		}
		if err := e.t.purge(ctx, []idbridge.User{u}, e.by); err != nil {
			return err
		}
	}
	if err := e.exec(ctx, "replay", `DELETE FROM replay WHERE caller = $1`, strconv.FormatInt(int64(e.w.user), 10)); err != nil {
		return err
	}
	if err := e.exec(ctx, "moves", `UPDATE moves SET key_id = '' WHERE user_id = $1 AND key_id <> ''`, int64(e.w.user)); err != nil {
		return err
	}
	return e.exec(ctx, "tombstone", `UPDATE tombstone SET user_name = '' WHERE user_id = $1 AND user_name <> ''`, int64(e.w.user))
}

// records removes the rows about him, by his id and by the ids of his records.
func (e *eraser) records(ctx context.Context) error {
	for _, one := range [...]struct{ table, link string }{
		{"backoff", "link"}, {"flip", "link"}, {"conflicts", "link"}, {"sent", "link"}, {"run_change", "link"}, {"membership", "member"},
		{"quarantine", "id"},
	} {
		owner := "user_id"
		switch one.table {
		case "membership":
			owner = ""
		case "quarantine":
			owner = "holder" // another's record that shows his login or address
		}
		if owner != "" {
			if err := e.exec(ctx, one.table, `DELETE FROM `+one.table+` WHERE `+owner+` = $1`, int64(e.w.user)); err != nil {
				return err
			}
		}
		for _, id := range e.w.links {
			err := e.exec(ctx, one.table, `DELETE FROM `+one.table+` WHERE directory = $1 AND `+one.link+` = $2`, id.Directory, pack(id.ID))
			if err != nil {
				return err
			}
		}
	}
	for _, id := range e.w.links {
		err := e.exec(ctx, "source", `UPDATE source SET canary = '' WHERE directory = $1 AND canary = $2`, id.Directory, pack(id.ID))
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *eraser) exec(ctx context.Context, table, query string, args ...any) error {
	result, err := e.t.ExecContext(ctx, query, args...)
	var n int64
	if err == nil {
		n, err = result.RowsAffected()
	}
	if err != nil {
		return fmt.Errorf("erase from %s: %w", table, err)
	}
	e.count(table, n)
	return nil
}

// mentions blanks texts of other rows that name him: as author, or in words.
func (e *eraser) mentions(ctx context.Context) error {
	for _, column := range [...]string{
		"keys.created_by", "keys.reason", "grants.granted_by", "outbox.author", "runs.author", "runs.error", "runs.hint", "plans.decided_by",
		"conflicts.why", "conflicts.decided_by", "tombstone.deleted_by", "run_change.author", "run_change.why", "backoff.why",
		"source.alarm", "quarantine.why", "session.reason", "password.set_by", "setting.set_by",
	} {
		table, name, _ := strings.Cut(column, ".")
		found, err := e.matching(ctx, table, name)
		if err != nil {
			return err
		}
		for _, text := range found {
			if err := e.exec(ctx, table, `UPDATE `+table+` SET `+name+` = '' WHERE `+name+` = $1`, text); err != nil {
				return err
			}
		}
	}
	for _, column := range [...]string{"quarantine.value", "sent.step", "replay.caller"} {
		table, name, _ := strings.Cut(column, ".")
		found, err := e.matching(ctx, table, name)
		if err != nil {
			return err
		}
		for _, text := range found {
			// An open step is settled by its values; its author can go.
			err := e.exec(ctx, table, `DELETE FROM `+table+` WHERE `+name+` = $1`+map[string]string{"sent": ` AND state NOT IN ('sent', 'in doubt')`}[table], text)
			if err == nil && table == "sent" {
				err = e.exec(ctx, table, `UPDATE sent SET step = $2 WHERE step = $1`, text, e.anonymous(text))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// matching returns the different texts of a column that name him.
func (e *eraser) matching(ctx context.Context, table, column string) ([]string, error) {
	condition, args := like(column, e.w.names, 1)
	rows, err := e.t.QueryContext(ctx, `SELECT DISTINCT `+column+` FROM `+table+` WHERE `+condition, args...)
	all, err := collect(rows, err, scanText)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	found := all[:0]
	for _, text := range all {
		if e.w.in(text) {
			found = append(found, text)
		}
	}
	return found, nil
}

// keep says what stays, and why.
func (e *eraser) keep() {
	if n := len(e.w.links); n > 0 {
		e.out.Kept = append(e.out.Kept, fmt.Sprintf("the ids of his %d records in directories, without a name: "+
			"while a directory still shows him, they keep the next run from making him again", n))
	}
	if e.out.Removed["audit"] > 0 {
		e.out.Kept = append(e.out.Kept, "the rows of the audit about him, without texts: what was done and when, under a number; "+
			"without them nobody could prove that the audit is whole")
	}
	e.out.Kept = append(e.out.Kept,
		"the counts of runs and plans, which name nobody, and digests of the ids of his keys, so that none is given twice",
		"his record in the directory, and details of other people that name him, as the one he reports to: remove them there",
		"backups, logs of the database and of the daemon, until they are overwritten or thrown away")
}
