package authstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/idbridge/idbridge"
)

const (
	pruneRows = 500 // rows of one transaction: a few milliseconds, so that nobody waits long behind it
	// tombstoneYears is how long the store remembers whom it deleted. It must be longer than the life of any backup, of the
	// store or of a directory: an old copy that still shows him would bring him back. Ten years are what laws on records ask
	// of a backup at most.
	tombstoneYears = 10
)

// Retention says how long what is over is kept; zero means for ever.
type Retention struct {
	Runs      time.Duration // runs with their change sets, ended plans and sent steps
	Conflicts time.Duration // closed conflicts
	Audit     time.Duration // sealed blocks of the audit, whole ones
}

// Pruned counts the rows that were removed, or would be, by table.
type Pruned map[string]int

// Prune removes what is over for longer than the retention says, in bounded transactions; dry only counts. It never touches
// an open conflict, a plan that waits, an open sent step, the runs these belong to, the last run and the last complete run of
// a directory, or the change that says how a record was linked. What was removed before an error stays removed and is in
// the answer.
func (s *Store) Prune(ctx context.Context, keep Retention, dry bool) (Pruned, error) {
	p := pruner{s: s, dry: dry, out: Pruned{}}
	now := s.now()
	err := p.tombstones(ctx, now.AddDate(-tombstoneYears, 0, 0))
	if err == nil {
		err = p.sessions(ctx, micros(now.Add(-idbridge.SessionLife)))
	}
	if err == nil && keep.Runs > 0 {
		err = p.runs(ctx, micros(now.Add(-keep.Runs)))
	}
	if err == nil && keep.Conflicts > 0 {
		err = p.walk(ctx, "conflicts", `closed <> 0 AND closed < $1`, micros(now.Add(-keep.Conflicts)))
	}
	if err == nil && keep.Audit > 0 {
		err = p.audit(ctx, micros(now.Add(-keep.Audit)))
	}
	if err == nil && !dry && len(p.out) > 0 {
		err = s.AddAudit(ctx, idbridge.Audit{Actor: "retention", Action: "prune", Reason: fmt.Sprint(p.out)})
	}
	return p.out, fault("prune", err)
}

type pruner struct {
	s   *Store
	dry bool
	out Pruned
}

func (p *pruner) count(table string, n int64) {
	if n > 0 {
		p.out[table] += int(n)
	}
}

// rows removes the rows of a table whose key a query finds.
func (p *pruner) rows(ctx context.Context, table, key, query string, args ...any) error {
	if p.dry {
		var n int64
		err := p.s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM (`+query+`) AS q`, args...).Scan(&n)
		p.count(table, n)
		return err
	}
	statement := fmt.Sprintf(`DELETE FROM %s WHERE (%s) IN (%s LIMIT %d)`, table, key, query, pruneRows)
	for {
		var n int64
		err := p.s.tx(ctx, "prune "+table, "store.prune", func(t *tx) error {
			result, err := t.ExecContext(ctx, statement, args...)
			if err == nil {
				n, err = result.RowsAffected()
			}
			return err
		})
		if err != nil {
			return err
		}
		p.count(table, n)
		if n < pruneRows {
			return nil
		}
	}
}

// walk removes the rows of a table with numbers that a condition on $1 finds. It looks for them outside of the transactions: no
// index helps, and nobody must wait while it looks.
func (p *pruner) walk(ctx context.Context, table, condition string, before int64) error {
	if p.dry {
		return p.rows(ctx, table, "id", `SELECT id FROM `+table+` WHERE `+condition, before)
	}
	for last := int64(0); ; {
		rows, err := p.s.read.QueryContext(ctx, `SELECT id FROM `+table+` WHERE `+condition+` AND id > $2 ORDER BY id LIMIT $3`,
			before, last, pruneRows)
		ids, err := collect(rows, err, func(r *sql.Rows) (id int64, err error) {
			err = r.Scan(&id)
			return id, err
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		last = ids[len(ids)-1]
		var n int64
		err = p.s.tx(ctx, "prune "+table, "", func(t *tx) error {
			result, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE `+condition+` AND `+p.s.among("id", 2), before, numbers(p.s, ids))
			if err == nil {
				n, err = result.RowsAffected()
			}
			return err
		})
		if err != nil {
			return err
		}
		p.count(table, n)
	}
}

func (p *pruner) tombstones(ctx context.Context, before time.Time) error {
	var some int
	found, err := one(p.s.read.QueryRowContext(ctx, `SELECT 1 FROM tombstone WHERE at < $1 LIMIT 1`, micros(before)), &some)
	if err != nil || !found { // nearly always
		return err
	}
	return p.rows(ctx, "tombstone", "id, directory", `SELECT id, directory FROM tombstone WHERE at < $1`, micros(before))
}

// sessions removes those that are over for so long that no token of theirs is good, however it was told.
func (p *pruner) sessions(ctx context.Context, before int64) error {
	return p.rows(ctx, "session", "id", `SELECT id FROM session WHERE expires < $1`, before)
}

// oldRuns finds the runs that may go, oldest first. $2 is a list of runs that a waiting plan takes back.
func (p *pruner) oldRuns() string {
	return `SELECT r.id FROM runs r WHERE r.ended <> 0 AND r.ended < $1 AND r.state <> 'running' AND NOT (` + p.s.among("r.id", 2) + `)
		AND r.id NOT IN (SELECT MAX(id) FROM runs GROUP BY directory)
		AND r.id NOT IN (SELECT MAX(id) FROM runs WHERE complete GROUP BY directory)
		AND r.id NOT IN (SELECT MAX(id) FROM runs WHERE complete AND state = 'done' GROUP BY directory)
		AND r.id NOT IN (SELECT run FROM plans WHERE state NOT IN ('applied', 'discarded'))
		AND r.id NOT IN (SELECT run FROM sent WHERE state IN ('sent', 'in doubt')) ORDER BY r.id`
}

// runs removes old runs and what hangs on them.
func (p *pruner) runs(ctx context.Context, before int64) error {
	err := p.walk(ctx, "sent", `ended <> 0 AND ended < $1 AND state NOT IN ('sent', 'in doubt')`, before)
	if err != nil {
		return err
	}
	if err := p.walk(ctx, "run_change", `run = 0 AND at < $1`, before); err != nil { // edits by people
		return err
	}
	waiting, err := readPlans(ctx, p.s.read, ` WHERE state NOT IN ('applied', 'discarded')`)
	if err != nil {
		return fmt.Errorf("read plans: %w", err)
	}
	undone := make([]idbridge.RunID, 0, len(waiting))
	for i := range waiting {
		if run := waiting[i].plan.Undoes; run != 0 {
			undone = append(undone, run)
		}
	}
	if p.dry {
		return p.ofRuns(ctx, p.oldRuns(), before, numbers(p.s, undone))
	}
	for {
		rows, err := p.s.read.QueryContext(ctx, p.oldRuns()+fmt.Sprintf(` LIMIT %d`, pruneRows), before, numbers(p.s, undone))
		ids, err := collect(rows, err, func(r *sql.Rows) (id idbridge.RunID, err error) {
			err = r.Scan(&id)
			return id, err
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		had := p.out["runs"]
		if err := p.ofRuns(ctx, `SELECT value FROM `+p.s.list(1), numbers(p.s, ids)); err != nil {
			return err
		}
		if p.out["runs"] == had { // somebody else removed them; never look for the same ones for ever
			return nil
		}
	}
}

// ofRuns removes the runs that a query names: first what hangs on them.
func (p *pruner) ofRuns(ctx context.Context, runs string, args ...any) error {
	plans := `SELECT id FROM plans WHERE state IN ('applied', 'discarded') AND run IN (` + runs + `)`
	for _, part := range [...]struct{ table, key, query string }{
		{"run_change", "id", `SELECT id FROM run_change WHERE verb <> 'link' AND run IN (` + runs + `)`},
		{"plan_decision", "plan, phase, seq", `SELECT plan, phase, seq FROM plan_decision WHERE plan IN (` + plans + `)`},
		{"plans", "id", plans},
		{"runs", "id", `SELECT id FROM runs WHERE id IN (` + runs + `)`},
	} {
		if err := p.rows(ctx, part.table, part.key, part.query, args...); err != nil {
			return fmt.Errorf("%s: %w", part.table, err)
		}
	}
	return nil
}

// list is a table of the numbers given as parameter n.
func (s *Store) list(n int) string {
	if s.postgres {
		return fmt.Sprintf("unnest($%d::bigint[]) AS value", n)
	}
	return fmt.Sprintf("json_each($%d)", n)
}

// audit removes whole blocks, oldest first, and keeps the digest of the last of them, to which the next block is tied.
func (p *pruner) audit(ctx context.Context, before int64) error {
	var after int64 // of a dry run: the last block looked at
	for {
		var more bool
		step := func(q queryer, remove func(*block) error) error {
			var b block
			found, err := one(q.QueryRowContext(ctx, `SELECT number, first_id, last_id, digest FROM audit_block WHERE number > $1
				ORDER BY number LIMIT 1`, after), &b.number, &b.first, &b.last, &b.digest)
			if err != nil || !found {
				return err
			}
			var newest int64
			err = q.QueryRowContext(ctx, `SELECT COALESCE(MAX(at), 0), COUNT(*) FROM audit WHERE id >= $1 AND id <= $2`, b.first, b.last).
				Scan(&newest, &b.size)
			if err != nil || newest >= before {
				return err
			}
			more = true
			return remove(&b)
		}
		var gone block
		var err error
		if p.dry {
			err = step(p.s.read, func(b *block) error { gone, after = *b, b.number; return nil })
		} else {
			err = p.s.tx(ctx, "prune audit", "store.pruneaudit", func(t *tx) error {
				more = false
				if _, err := t.chain(ctx); err != nil {
					return err
				}
				return step(t, func(b *block) error { gone = *b; return t.dropBlock(ctx, b) })
			})
		}
		if err != nil || !more {
			return err
		}
		p.count("audit", gone.size)
		p.count("audit_block", 1)
	}
}

// dropBlock removes the oldest block with its rows and moves the anchor onto it.
func (t *tx) dropBlock(ctx context.Context, b *block) error {
	for _, one := range [...]struct {
		query string
		args  []any
	}{
		{`DELETE FROM audit WHERE id >= $1 AND id <= $2`, []any{b.first, b.last}},
		{`DELETE FROM audit_erased WHERE block = $1`, []any{b.number}},
		{`DELETE FROM audit_block WHERE number = $1`, []any{b.number}},
		{`UPDATE audit_anchor SET number = $1, last_id = $2, digest = $3 WHERE id = 1`, []any{b.number, b.last, b.digest}},
	} {
		if _, err := t.ExecContext(ctx, one.query, one.args...); err != nil {
			return fmt.Errorf("drop block %d: %w", b.number, err)
		}
	}
	return nil
}
