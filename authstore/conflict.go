package authstore

import (
	"context"
	"database/sql"

	"github.com/idbridge/idbridge"
)

const conflictQuery = `SELECT c.id, c.directory, c.link, c.user_id, COALESCE(u.user_name, ''), c.attribute, c.base, c.store, c.shown, c.winner,
	c.why, c.opened, c.closed, c.decided_by FROM conflicts c LEFT JOIN users u ON u.id = c.user_id`

// Conflicts returns conflicts by id.
func (s *Store) Conflicts(ctx context.Context, f idbridge.ConflictFilter) ([]idbridge.Conflict, error) {
	var w where
	w.and("c.id > ?", int64(f.After))
	if f.Open {
		w.raw("c.closed = 0")
	}
	if f.User != 0 {
		w.and("c.user_id = ?", int64(f.User))
	}
	if f.Attribute != "" {
		w.and("c.attribute = ?", string(f.Attribute))
	}
	tail, args := w.limit("c.id", page(f.Limit))
	out, err := readConflicts(ctx, s.read, tail, args...)
	return out, fault("list conflicts", err)
}

// Conflict returns one conflict. Error: NotFound.
func (s *Store) Conflict(ctx context.Context, id idbridge.ConflictID) (idbridge.Conflict, error) {
	out, err := readConflicts(ctx, s.read, ` WHERE c.id = $1`, int64(id))
	if err == nil && len(out) == 0 {
		err = notFound("conflict")
	}
	if err != nil {
		return idbridge.Conflict{}, fault("read conflict", err)
	}
	return out[0], nil
}

func readConflicts(ctx context.Context, q queryer, tail string, args ...any) ([]idbridge.Conflict, error) {
	rows, err := q.QueryContext(ctx, conflictQuery+tail, args...)
	return collect(rows, err, func(r *sql.Rows) (idbridge.Conflict, error) {
		var c idbridge.Conflict
		var base, store, shown string
		var opened, closed int64
		err := r.Scan(&c.ID, &c.Link.Directory, &c.Link.ID, &c.User, &c.Name, &c.Attribute, &base, &store, &shown, &c.Winner, &c.Why,
			&opened, &closed, &c.By)
		if err != nil {
			return c, err
		}
		c.Link.ID, c.Name, c.Opened, c.Closed = unpack(c.Link.ID), unpack(c.Name), moment(opened), moment(closed)
		if c.Base, err = parseValues(base); err != nil {
			return c, err
		}
		if c.Store, err = parseValues(store); err != nil {
			return c, err
		}
		c.Directory, err = parseValues(shown)
		return c, err
	})
}

const conflictRest = "directory link user_id:n attribute base store shown winner why opened:n closed:n decided_by"

// place is what a conflict is about; at most one is open for it.
type place struct {
	link      idbridge.ExternalID
	attribute idbridge.Attribute
}

// openConflicts returns the ids of the open conflicts of the links.
func (t *tx) openConflicts(ctx context.Context, directory string, links []string) (map[place]idbridge.Conflict, error) {
	found, err := readConflicts(ctx, t, ` WHERE c.closed = 0 AND c.directory = $1 AND `+t.s.among("c.link", 2), directory, t.s.texts(links))
	if err != nil {
		return nil, err
	}
	out := make(map[place]idbridge.Conflict, len(found))
	for _, c := range found {
		out[place{c.Link, c.Attribute}] = c
	}
	return out, nil
}

// putConflicts writes conflicts of one directory. One that is open for the same attribute of the same link is brought up to
// date, or closed by the new one's winner, instead of having a second row beside it.
func (t *tx) putConflicts(ctx context.Context, directory string, list []idbridge.Conflict) error {
	if len(list) == 0 {
		return nil
	}
	links := make([]string, len(list))
	for i := range list {
		links[i] = pack(list[i].Link.ID)
	}
	open, err := t.openConflicts(ctx, directory, links)
	if err != nil {
		return err
	}
	next, err := t.next(ctx, "conflict", len(list))
	if err != nil {
		return err
	}
	rows := newBatch(putRows, "conflicts", "id:n", conflictRest)
	for i := range list {
		c := list[i]
		c.Opened = moment(t.now)
		at := place{c.Link, c.Attribute}
		if old, ok := open[at]; ok { // also when c.ID names it; a row that somebody closed meanwhile stays as it is
			c.ID, c.Opened = old.ID, old.Opened
		} else {
			c.ID = idbridge.ConflictID(next)
			next++
		}
		if c.Winner == idbridge.NoWinner {
			open[at] = c // a second one in this batch updates the same row
		} else {
			delete(open, at)
			c.Closed = moment(t.now)
			if c.By == "" {
				c.By = byPolicy
			}
		}
		rows.add(int64(c.ID), c.Link.Directory, pack(c.Link.ID), int64(c.User), string(c.Attribute), valuesText(c.Base), valuesText(c.Store),
			valuesText(c.Directory), string(c.Winner), prose(c.Why), micros(c.Opened), micros(c.Closed), prose(c.By))
	}
	return t.flush(ctx, dedupe(rows))
}

// dedupe keeps the last row of each numeric key: PostgreSQL refuses to put the same row twice in one statement.
func dedupe(b *batch) *batch {
	last := map[any]int{}
	for i := 0; i < len(b.rows); i += len(b.cols) {
		last[b.rows[i]] = i
	}
	if len(last) == b.len() {
		return b
	}
	kept := make([]any, 0, len(last)*len(b.cols))
	for i := 0; i < len(b.rows); i += len(b.cols) {
		if last[b.rows[i]] == i {
			kept = append(kept, b.rows[i:i+len(b.cols)]...)
		}
	}
	b.rows = kept
	return b
}

// closeConflicts closes conflicts that both sides settled by showing the same value.
func (t *tx) closeConflicts(ctx context.Context, ids []idbridge.ConflictID) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := t.ExecContext(ctx, `UPDATE conflicts SET closed = $2, decided_by = 'equality' WHERE closed = 0 AND `+t.s.among("id", 1),
		numbers(t.s, ids), t.now)
	return err
}
