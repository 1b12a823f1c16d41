package authstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/idbridge/idbridge"
)

// sentDropped ends a sent step whose user was deleted meanwhile; nobody waits for it any more.
const sentDropped = "dropped"

// Outbox returns the edits that wait for the directory, oldest first.
func (s *Store) Outbox(ctx context.Context, directory string, limit int) ([]idbridge.Edit, error) {
	out, err := readEdits(ctx, s.read, ` WHERE directory = $1 ORDER BY id LIMIT $2`, directory, page(limit))
	return out, fault(fmt.Sprintf("read outbox of %q", directory), err)
}

func readEdits(ctx context.Context, q queryer, tail string, args ...any) ([]idbridge.Edit, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, directory, link, user_id, author, at FROM outbox`+tail, args...)
	return collect(rows, err, func(r *sql.Rows) (idbridge.Edit, error) {
		var e idbridge.Edit
		var at int64
		err := r.Scan(&e.ID, &e.Link.Directory, &e.Link.ID, &e.User, &e.Author, &at)
		e.Link.ID, e.At = unpack(e.Link.ID), moment(at)
		return e, err
	})
}

// AckOutbox removes entries whose edit has been decided and settled. Error: Locked.
func (s *Store) AckOutbox(ctx context.Context, lead idbridge.Lead, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	return s.tx(ctx, "acknowledge outbox", "store.ack", func(t *tx) error {
		if err := t.mayLead(ctx, lead.Epoch); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `DELETE FROM outbox WHERE `+s.among("id", 1), numbers(s, ids))
		return err
	})
}

// OpenSent returns the directory's sent steps that are not settled, those in doubt included, oldest first.
func (s *Store) OpenSent(ctx context.Context, directory string) ([]idbridge.Sent, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, run, step FROM sent WHERE directory = $1 AND state IN ('sent', 'in doubt') ORDER BY id`,
		directory)
	out, err := collect(rows, err, func(r *sql.Rows) (idbridge.Sent, error) {
		var one idbridge.Sent
		var step string
		if err := r.Scan(&one.ID, &one.Run, &step); err != nil {
			return one, err
		}
		if err := json.Unmarshal([]byte(step), &one.Step); err != nil { //nolint:musttag // written by this package
			return one, fmt.Errorf("sent step %d: %w", one.ID, err)
		}
		return one, nil
	})
	return out, fault(fmt.Sprintf("read sent steps of %q", directory), err)
}
