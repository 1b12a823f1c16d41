package authstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

const (
	txTries     = 6
	txPauseUnit = 5 * time.Millisecond
	lockAccess  = 0x69646263 // advisory lock: shared by runs, exclusive for what may take the last administrator
)

// queryer is what reads need; a pool and a transaction are both one.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// tx is one write transaction. It collects what must happen at its end: audit rows, the revision, the cache.
type tx struct {
	*sqlx.Tx
	s       *Store
	now     int64 // of the rows it writes, microseconds
	audits  []idbridge.Audit
	moves   []idbridge.Move
	touched touched
	changed bool   // users, links, roles or keys changed: the revision moves
	point   string // failpoint's name, "" for none
}

// touched names what the cache must forget.
type touched struct {
	users    []idbridge.UserID
	keys     []idbridge.KeyID
	sessions []int64
	all      bool
}

// tx runs f in a write transaction, again when it lost a race; so f has no effect outside. Before it returns, the cache
// has forgotten what f touched. Error: Unknown when nobody can say whether the commit happened.
func (s *Store) tx(ctx context.Context, op, point string, f func(*tx) error) error {
	return s.repeat(ctx, op, func() error { return s.once(ctx, point, f) })
}

// rehearsal runs f as tx does, up to the moment before the commit, and undoes it. Nothing is seen by anyone, and nothing is
// forgotten by the cache.
func (s *Store) rehearsal(ctx context.Context, op string, f func(*tx) error) error {
	return s.repeat(ctx, op, func() error {
		raw, err := s.write.BeginTxx(context.WithoutCancel(ctx), nil)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		defer raw.Rollback() //nolint:errcheck // what was written is not wanted
		t := &tx{Tx: raw, s: s, now: micros(s.now())}
		if err := f(t); err != nil {
			return err
		}
		_, err = t.finish(ctx)
		return err
	})
}

// repeat runs a transaction again as long as it loses races.
func (s *Store) repeat(ctx context.Context, op string, once func() error) error {
	for try := 1; ; try++ {
		err := once()
		if err == nil || !again(err) || try == txTries {
			return fault(op, err)
		}
		if err := pause(ctx, time.Duration(try)*txPauseUnit+rand.N(txPauseUnit)); err != nil { //nolint:gosec // jitter
			return fault(op, err)
		}
	}
}

func (s *Store) once(ctx context.Context, point string, f func(*tx) error) error {
	// Not under ctx: database/sql would roll back beside us; the statements end with ctx, and so does f.
	raw, err := s.write.BeginTxx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer raw.Rollback() //nolint:errcheck // a no-op after commit; its error says nothing that err does not
	t := &tx{Tx: raw, s: s, now: micros(s.now()), point: point}
	if err := f(t); err != nil {
		return err
	}
	revision, err := t.finish(ctx)
	if err != nil {
		return err
	}
	return t.commit(revision)
}

// finish writes the audit rows and, last, the revision.
func (t *tx) finish(ctx context.Context) (int64, error) {
	if err := t.writeAudits(ctx); err != nil {
		return 0, err
	}
	if !t.changed {
		return 0, nil
	}
	var revision int64
	err := t.QueryRowContext(ctx, `UPDATE revision SET value = value + 1 WHERE id = 1 RETURNING value`).Scan(&revision)
	if err != nil {
		return 0, fmt.Errorf("move revision: %w", err)
	}
	return revision, t.writeMoves(ctx, revision)
}

func (t *tx) commit(revision int64) error {
	if t.point != "" {
		if err := failpoint.Hit(t.point + ".before"); err != nil {
			return err
		}
	}
	err := t.Commit()
	t.s.cache.drop(&t.touched) // also after an error: it may have happened
	if err != nil {
		if t.s.postgres && !again(err) && (lost(err) || !errors.Is(err, sql.ErrTxDone)) {
			return &idbridge.Error{
				Kind: idbridge.Unknown, Msg: "the connection to the store broke during a commit", Hint: "read before you repeat", Err: err,
			}
		}
		return fmt.Errorf("commit: %w", err)
	}
	t.s.dirty.Store(true)
	if revision != 0 {
		t.s.feed.own(revision)
		if !t.s.postgres { // there the feed rings: it knows of what other processes did before
			t.s.bell.ring(revision)
		}
	}
	if t.point != "" {
		return failpoint.Hit(t.point + ".after")
	}
	return nil
}

// next takes n numbers of a counter and returns the first.
func (t *tx) next(ctx context.Context, counter string, n int) (int64, error) {
	var last int64
	err := t.QueryRowContext(ctx, `UPDATE counter SET value = value + $1 WHERE name = $2 RETURNING value`, n, counter).Scan(&last)
	if err != nil {
		return 0, fmt.Errorf("take %s number: %w", counter, err)
	}
	return last - int64(n) + 1, nil
}

// shareAccess keeps transactions that may take the last administrator out while this one runs; ownAccess is theirs. On
// SQLite the one writer does it.
func (t *tx) shareAccess(ctx context.Context) error {
	return t.advisory(ctx, `SELECT pg_advisory_xact_lock_shared($1)`)
}

func (t *tx) ownAccess(ctx context.Context) error {
	return t.advisory(ctx, `SELECT pg_advisory_xact_lock($1)`)
}

func (t *tx) advisory(ctx context.Context, query string) error {
	if !t.s.postgres {
		return nil
	}
	if _, err := t.ExecContext(ctx, query, lockAccess); err != nil {
		return fmt.Errorf("lock access: %w", err)
	}
	return nil
}

// view runs f on one snapshot of the database.
func (s *Store) view(ctx context.Context, op string, f func(queryer) error) error {
	level := sql.LevelDefault
	if s.postgres {
		level = sql.LevelRepeatableRead
	}
	raw, err := s.read.BeginTx(ctx, &sql.TxOptions{Isolation: level, ReadOnly: s.postgres})
	if err != nil {
		return fault(op, err)
	}
	defer raw.Rollback() //nolint:errcheck // it wrote nothing
	return fault(op, f(raw))
}

// locking returns query with the clause that holds the rows it read until the transaction ends; SQLite has one writer.
func (s *Store) locking(query, clause string) string {
	if s.postgres {
		return query + " " + clause
	}
	return query
}

// collect reads all rows of a query.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err has what matters
	var out []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return out, nil
}
