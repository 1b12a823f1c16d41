package authstore

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/idbridge/idbridge"
)

// Source returns what the last run left about the directory; the zero Source before the first.
func (s *Store) Source(ctx context.Context, directory string) (idbridge.Source, error) {
	out, err := readSource(ctx, s.read, directory)
	out.Restored = moment(s.copied.Load())
	return out, fault(fmt.Sprintf("read source of %q", directory), err)
}

func readSource(ctx context.Context, q queryer, directory string) (idbridge.Source, error) {
	var out idbridge.Source
	var cursor, server, canary, holders, alarm string
	var complete, start int64
	found, err := one(q.QueryRowContext(ctx, `SELECT cursor_text, server, scope, complete, runs, records, held, holders, last_start, canary,
		alarm FROM source WHERE directory = $1`, directory),
		&cursor, &server, &out.Scope, &complete, &out.Runs, &out.Records, &out.Held, &holders, &start, &canary, &alarm)
	if err != nil || !found {
		return idbridge.Source{}, err
	}
	out.Cursor, out.Server, out.Canary, out.Alarm = idbridge.Cursor(unpack(cursor)), unpack(server), unpack(canary), alarm
	out.Complete, out.LastStart = moment(complete), moment(start)
	if err := json.Unmarshal([]byte(holders), &out.Holders); err != nil {
		return out, fmt.Errorf("holders: %w", err)
	}
	return out, nil
}

// Alarm keeps what the last run of a directory complains about, "" for nothing, and tells whether it is another thing than
// before. It is beside what EndRun writes, which leaves it as it is.
func (s *Store) Alarm(ctx context.Context, directory, text string) (changed bool, err error) {
	op := fmt.Sprintf("keep alarm of %q", directory)
	text = prose(text)
	src, err := readSource(ctx, s.read, directory)
	if err != nil || src.Alarm == text {
		return false, fault(op, err)
	}
	err = s.tx(ctx, op, "store.alarm", func(t *tx) error {
		src, err := readSource(ctx, t, directory)
		if err != nil {
			return err
		}
		if changed = src.Alarm != text; !changed {
			return nil
		}
		result, err := t.ExecContext(ctx, `UPDATE source SET alarm = $2 WHERE directory = $1`, directory, text)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return err
		}
		if err := t.putSource(ctx, directory, &src); err != nil { // before the first run that left one
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE source SET alarm = $2 WHERE directory = $1`, directory, text)
		return err
	})
	return changed && err == nil, err
}

// putSource writes all but the alarm.
func (t *tx) putSource(ctx context.Context, directory string, src *idbridge.Source) error {
	holders, err := json.Marshal(src.Holders) // maps marshal with sorted keys
	if err != nil {
		return fmt.Errorf("holders: %w", err)
	}
	b := newBatch(putRows, "source", "directory", `cursor_text server scope complete:n runs:n records:n held holders last_start:n canary`)
	b.add(directory, pack(string(src.Cursor)), pack(src.Server), src.Scope, micros(src.Complete), int64(src.Runs), int64(src.Records),
		src.Held, string(holders), micros(src.LastStart), pack(src.Canary))
	return t.flush(ctx, b)
}

// Population returns the numbers that guards compare with.
func (s *Store) Population(ctx context.Context, directory string) (idbridge.Population, error) {
	out, err := readPopulation(ctx, s.read, directory, micros(s.now()))
	return out, fault(fmt.Sprintf("count population of %q", directory), err)
}

func readPopulation(ctx context.Context, q queryer, directory string, now int64) (idbridge.Population, error) {
	var out idbridge.Population
	row := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM links WHERE directory = $1 AND state <> 'missing'`, directory)
	if err := row.Scan(&out.Links); err != nil {
		return out, err
	}
	row = q.QueryRowContext(ctx, `SELECT COUNT(*) FROM keys k JOIN users u ON u.id = k.user_id WHERE`+keysWhere("$2")+`
		AND (k.not_before = 0 OR k.not_before <= $2) AND NOT u.suspended
		AND EXISTS (SELECT 1 FROM links l WHERE l.user_id = u.id AND l.directory = $1)
		AND NOT EXISTS (SELECT 1 FROM links l WHERE l.user_id = u.id AND l.state <> 'active')`, directory, now)
	if err := row.Scan(&out.Keys); err != nil {
		return out, err
	}
	rows, err := q.QueryContext(ctx, `SELECT DISTINCT g.user_id`+adminsWhere+` ORDER BY g.user_id`)
	out.AdminIDs, err = collect(rows, err, scanUserID)
	out.Admins = len(out.AdminIDs)
	return out, err
}

// Status returns what a person wants to see about a directory: its source, its population and what waits, in one snapshot.
func (s *Store) Status(ctx context.Context, directory string) (idbridge.Source, idbridge.Population, idbridge.StatusCounts, error) {
	var src idbridge.Source
	var pop idbridge.Population
	var n idbridge.StatusCounts
	var since int64
	err := s.view(ctx, fmt.Sprintf("read status of %q", directory), func(q queryer) (err error) {
		if src, err = readSource(ctx, q, directory); err != nil {
			return err
		}
		if pop, err = readPopulation(ctx, q, directory, micros(s.now())); err != nil {
			return err
		}
		return q.QueryRowContext(ctx, `SELECT
			(SELECT COUNT(*) FROM (SELECT DISTINCT id, CASE WHEN id = '' THEN locator ELSE '' END AS place FROM quarantine WHERE directory = $1) AS q),
			(SELECT COUNT(*) FROM conflicts WHERE directory = $1 AND closed = 0),
			(SELECT COUNT(*) FROM plans WHERE directory = $1 AND state = 'held'),
			(SELECT COUNT(*) FROM outbox WHERE directory = $1),
			(SELECT COALESCE(MIN(at), 0) FROM outbox WHERE directory = $1),
			(SELECT COUNT(*) FROM sent WHERE directory = $1 AND state = 'in doubt'),
			(SELECT COUNT(*) FROM backoff WHERE directory = $1)`, directory).
			Scan(&n.Quarantined, &n.Conflicts, &n.Held, &n.Pending, &since, &n.InDoubt, &n.Waiting)
	})
	src.Restored, n.PendingSince = moment(s.copied.Load()), moment(since)
	return src, pop, n, err
}
