package authstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/idbridge/idbridge"
)

// quarantineQuery reads the quarantine rows of a directory, and beside them the records whose writes it refuses; those have a
// row of their own where they have no other about the whole record.
const quarantineQuery = `SELECT q.id, q.locator, COALESCE(l.user_id, 0), q.attribute, q.value, q.why, q.since,
	CASE WHEN q.attribute = '' THEN COALESCE(b.attempts, 0) ELSE 0 END, CASE WHEN q.attribute = '' THEN COALESCE(b.until, 0) ELSE 0 END
	FROM quarantine q LEFT JOIN links l ON l.directory = q.directory AND l.id = q.id
	LEFT JOIN backoff b ON b.directory = q.directory AND b.link = q.id WHERE q.directory = $1
UNION ALL SELECT b.link, COALESCE(l.locator, ''), b.user_id, '', '', b.why, b.since, b.attempts, b.until
	FROM backoff b LEFT JOIN links l ON l.directory = b.directory AND l.id = b.link
	WHERE b.directory = $1 AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.directory = b.directory AND q.id = b.link AND q.attribute = '')
ORDER BY 1, 2, 4, 5`

// Quarantine returns what cannot be used of the directory's records, and what the directory does not take, by record.
func (s *Store) Quarantine(ctx context.Context, directory string) ([]idbridge.QuarantineRow, error) {
	rows, err := s.read.QueryContext(ctx, quarantineQuery, directory)
	out, err := collect(rows, err, func(r *sql.Rows) (idbridge.QuarantineRow, error) {
		q := idbridge.QuarantineRow{Link: idbridge.ExternalID{Directory: directory}}
		var since, until int64
		err := r.Scan(&q.Link.ID, &q.Locator, &q.User, &q.Attribute, &q.Value, &q.Why, &since, &q.Attempts, &until)
		q.Link.ID, q.Locator, q.Value = unpack(q.Link.ID), unpack(q.Locator), unpack(q.Value)
		q.Since, q.Until = moment(since), moment(until)
		return q, err
	})
	return out, fault(fmt.Sprintf("read quarantine of %q", directory), err)
}

// ward collects what a transaction says about the quarantine of each record, and writes only the difference.
type ward struct {
	directory string
	said      map[cell][]bed
}

// cell is one record in quarantine; records without an id are told apart by where they lie.
type cell struct{ id, locator string }

// bed is one row of a record.
type bed struct {
	idbridge.Withheld
	locator string
	since   int64
}

func cellOf(id, locator string) cell {
	if id != "" {
		locator = ""
	}
	return cell{id, locator}
}

// say replaces everything that is known about a record by the rows; none clears it.
func (w *ward) say(id, locator string, rows ...idbridge.Withheld) {
	if w.said == nil {
		w.said = map[cell][]bed{}
	}
	beds := make([]bed, len(rows))
	for i, r := range rows {
		r.Why = prose(r.Why)
		beds[i] = bed{Withheld: r, locator: locator}
	}
	w.said[cellOf(id, locator)] = beds
}

func sameBed(x, y bed) bool { return x.Withheld == y.Withheld && x.locator == y.locator }

// write makes the table say what was said. A row whose text alone moved keeps its since.
func (w *ward) write(ctx context.Context, t *tx) error {
	if len(w.said) == 0 {
		return nil
	}
	there, err := w.read(ctx, t)
	if err != nil || len(there) == 0 && w.silent() {
		return err
	}
	gone := newBatch(deleteRows, "quarantine", "directory id locator attribute value", "")
	come := newBatch(insertRows, "quarantine", "directory id locator attribute value", "holder:n why since:n")
	for _, c := range slices.SortedFunc(maps.Keys(w.said), compareCells) {
		old, now := there[c], w.said[c]
		for _, q := range old {
			if !slices.ContainsFunc(now, func(n bed) bool { return sameBed(q, n) }) {
				gone.add(w.directory, pack(c.id), pack(q.locator), string(q.Attribute), pack(q.Value))
			}
		}
		for i, q := range now {
			q.since = t.now
			same := func(n bed) bool { return n.Attribute == q.Attribute && n.Value == q.Value }
			if slices.ContainsFunc(old, func(n bed) bool { return sameBed(q, n) }) || slices.ContainsFunc(now[:i], same) {
				continue
			}
			if at := slices.IndexFunc(old, same); at >= 0 {
				q.since = old[at].since
			}
			come.add(w.directory, pack(c.id), pack(q.locator), string(q.Attribute), pack(q.Value), int64(q.Holder), q.Why, q.since)
		}
	}
	return t.flush(ctx, gone, come)
}

// silent tells whether nothing but clearings was said.
func (w *ward) silent() bool {
	for _, beds := range w.said {
		if len(beds) > 0 {
			return false
		}
	}
	return true
}

func compareCells(x, y cell) int {
	return cmp.Or(strings.Compare(x.id, y.id), strings.Compare(x.locator, y.locator))
}

// read returns the rows that are there about the records spoken of.
func (w *ward) read(ctx context.Context, t *tx) (map[cell][]bed, error) {
	out := map[cell][]bed{}
	var some int
	found, err := one(t.QueryRowContext(ctx, `SELECT 1 FROM quarantine LIMIT 1`), &some)
	if err != nil || !found { // nearly always
		return out, err
	}
	ids := make([]string, 0, len(w.said))
	for c := range w.said {
		ids = append(ids, pack(c.id))
	}
	rows, err := t.QueryContext(ctx, `SELECT id, locator, attribute, value, holder, why, since FROM quarantine
		WHERE directory = $1 AND `+t.s.among("id", 2), w.directory, t.s.texts(ids))
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var id string
		var q bed
		err := r.Scan(&id, &q.locator, &q.Attribute, &q.Value, &q.Holder, &q.Why, &q.since)
		q.locator, q.Value = unpack(q.locator), unpack(q.Value)
		c := cellOf(unpack(id), q.locator)
		out[c] = append(out[c], q)
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("read quarantine: %w", err)
	}
	return out, nil
}
