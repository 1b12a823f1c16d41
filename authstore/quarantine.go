package authstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/idbridge/idbridge"
)

// Quarantine returns what cannot be used of the directory's records, by record.
func (s *Store) Quarantine(ctx context.Context, directory string) ([]QuarantineRow, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT q.id, q.locator, COALESCE(l.user_id, 0), q.attribute, q.value, q.why, q.since
		FROM quarantine q LEFT JOIN links l ON l.directory = q.directory AND l.id = q.id
		WHERE q.directory = $1 ORDER BY q.id, q.locator, q.attribute, q.value`, directory)
	out, err := collect(rows, err, func(r *sql.Rows) (QuarantineRow, error) {
		q := QuarantineRow{Link: idbridge.ExternalID{Directory: directory}}
		var since int64
		err := r.Scan(&q.Link.ID, &q.Locator, &q.User, &q.Attribute, &q.Value, &q.Why, &since)
		q.Link.ID, q.Locator, q.Value, q.Since = unpack(q.Link.ID), unpack(q.Locator), unpack(q.Value), moment(since)
		return q, err //nolint:wrapcheck // fault below names the operation
	})
	return out, fault(fmt.Sprintf("read quarantine of %q", directory), err)
}

// ward collects what a transaction says about the quarantine of each record, and writes only the difference.
type ward struct {
	directory string
	said      map[cell][]QuarantineRow
}

// cell is one record in quarantine; records without an id are told apart by where they lie.
type cell struct{ id, locator string }

func cellOf(id, locator string) cell {
	if id != "" {
		locator = ""
	}
	return cell{id, locator}
}

// say replaces everything that is known about a record by the rows; none clears it.
func (w *ward) say(id, locator string, rows ...QuarantineRow) {
	if w.said == nil {
		w.said = map[cell][]QuarantineRow{}
	}
	c := cellOf(id, locator)
	for i := range rows {
		rows[i].Locator, rows[i].Why = locator, prose(rows[i].Why)
	}
	w.said[c] = rows
}

func sameRow(x, y QuarantineRow) bool {
	return x.Attribute == y.Attribute && x.Value == y.Value && x.Why == y.Why && x.Locator == y.Locator
}

// write makes the table say what was said. A row that stays keeps its since, one whose text alone moved does so, too.
func (w *ward) write(ctx context.Context, t *tx) error {
	if len(w.said) == 0 {
		return nil
	}
	there, err := w.read(ctx, t)
	if err != nil {
		return err
	}
	gone := newBatch(deleteRows, "quarantine", "directory id locator attribute value", "")
	come := newBatch(insertRows, "quarantine", "directory id locator attribute value", "why since:n")
	for _, c := range slices.SortedFunc(maps.Keys(w.said), compareCells) {
		old, now := there[c], w.said[c]
		for _, q := range old {
			if !slices.ContainsFunc(now, func(n QuarantineRow) bool { return sameRow(q, n) }) {
				gone.add(w.directory, pack(c.id), pack(q.Locator), string(q.Attribute), pack(q.Value))
			}
		}
		for i, q := range now {
			q.Since = moment(t.now)
			same := func(n QuarantineRow) bool { return n.Attribute == q.Attribute && n.Value == q.Value }
			if slices.ContainsFunc(old, func(n QuarantineRow) bool { return sameRow(q, n) }) || slices.ContainsFunc(now[:i], same) {
				continue
			}
			if at := slices.IndexFunc(old, same); at >= 0 {
				q.Since = old[at].Since
			}
			come.add(w.directory, pack(c.id), pack(q.Locator), string(q.Attribute), pack(q.Value), q.Why, micros(q.Since))
		}
	}
	return t.flush(ctx, gone, come)
}

func compareCells(x, y cell) int {
	if x.id != y.id {
		return strings.Compare(x.id, y.id)
	}
	return strings.Compare(x.locator, y.locator)
}

// read returns the rows that are there about the records spoken of.
func (w *ward) read(ctx context.Context, t *tx) (map[cell][]QuarantineRow, error) {
	ids := make([]string, 0, len(w.said))
	for c := range w.said {
		ids = append(ids, pack(c.id))
	}
	rows, err := t.QueryContext(ctx, `SELECT id, locator, attribute, value, why, since FROM quarantine
		WHERE directory = $1 AND `+t.s.among("id", 2), w.directory, t.s.texts(ids))
	list, err := collect(rows, err, func(r *sql.Rows) (QuarantineRow, error) {
		var q QuarantineRow
		var since int64
		err := r.Scan(&q.Link.ID, &q.Locator, &q.Attribute, &q.Value, &q.Why, &since)
		q.Link.ID, q.Locator, q.Value, q.Since = unpack(q.Link.ID), unpack(q.Locator), unpack(q.Value), moment(since)
		return q, err //nolint:wrapcheck // named below
	})
	if err != nil {
		return nil, fmt.Errorf("read quarantine: %w", err)
	}
	out := map[cell][]QuarantineRow{}
	for _, q := range list {
		c := cellOf(q.Link.ID, q.Locator)
		out[c] = append(out[c], q)
	}
	return out, nil
}
