package authstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/idbridge/idbridge"
)

// refusedWrite is a record whose write the directory refused in this transaction.
type refusedWrite struct {
	user idbridge.UserID
	why  string
}

// backoffRow is what is known about the refused writes of one link.
type backoffRow struct {
	idbridge.Backoff
	since int64
}

// backOff counts the writes that were refused, and forgets the count of those that were taken.
func (c *commit) backOff(ctx context.Context) error {
	if len(c.refusals) == 0 && len(c.taken) == 0 {
		return nil
	}
	ids := make([]string, 0, len(c.refusals)+len(c.taken))
	for id := range c.refusals {
		ids = append(ids, pack(id))
	}
	for _, id := range c.taken {
		ids = append(ids, pack(id))
	}
	there, err := c.s.readBackoffs(ctx, c.t, c.lead.Directory, ids)
	if err != nil {
		return err
	}
	come := newBatch(putRows, "backoff", "link directory", "user_id:n attempts:n until:n since:n why")
	gone := newBatch(deleteRows, "backoff", "link directory", "")
	for id, r := range c.refusals {
		attempts, since := there[id].Attempts+1, there[id].since
		if since == 0 {
			since = c.t.now
		}
		wait := idbridge.Wait(idbridge.ExternalID{Directory: c.lead.Directory, ID: id}, attempts)
		come.add(pack(id), c.lead.Directory, int64(r.user), int64(attempts), c.t.now+wait.Microseconds(), since, prose(r.why))
	}
	for _, id := range c.taken {
		if _, ok := there[id]; ok && c.refusals[id].why == "" {
			gone.add(pack(id), c.lead.Directory)
		}
	}
	return c.t.flush(ctx, gone.sortedBy(0), come.sortedBy(0))
}

// readBackoffs returns which of the links (packed ids) are left alone for a while, by id.
func (s *Store) readBackoffs(ctx context.Context, q queryer, directory string, links []string) (map[string]backoffRow, error) {
	out := map[string]backoffRow{}
	var some bool // nearly never
	if err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM backoff)`).Scan(&some); err != nil || !some {
		return out, err
	}
	rows, err := q.QueryContext(ctx, `SELECT link, attempts, until, since, why FROM backoff WHERE directory = $1 AND `+s.among("link", 2), directory,
		s.texts(links))
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var id string
		var b backoffRow
		var until int64
		err := r.Scan(&id, &b.Attempts, &until, &b.since, &b.Why)
		b.Until = moment(until)
		out[unpack(id)] = b
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("read back-off: %w", err)
	}
	return out, nil
}

// recovered forgets the refusals of links where nothing is open any more: both sides came together some other way.
func (c *commit) recovered(ctx context.Context) error {
	var ids []string
	for id, l := range c.links {
		if l.dirty && !l.fresh && !l.gone && !l.Digest.IsZero() {
			ids = append(ids, pack(id))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	there, err := c.s.readBackoffs(ctx, c.t, c.lead.Directory, ids)
	if err != nil || len(there) == 0 {
		return err
	}
	gone := newBatch(deleteRows, "backoff", "link directory", "")
	for id := range there {
		gone.add(pack(id), c.lead.Directory)
	}
	return c.t.flush(ctx, gone.sortedBy(0))
}

// forgive ends what was counted against a user's records, since a person changed him in the store: refused writes altogether,
// changes of direction of the attributes.
func (t *tx) forgive(ctx context.Context, id idbridge.UserID, attributes []idbridge.Attribute) error {
	if _, err := t.ExecContext(ctx, `DELETE FROM backoff WHERE user_id = $1`, int64(id)); err != nil {
		return fmt.Errorf("end back-off: %w", err)
	}
	names := make([]string, len(attributes))
	for i, a := range attributes {
		names[i] = string(a)
	}
	_, err := t.ExecContext(ctx, `DELETE FROM flip WHERE user_id = $1 AND `+t.s.among("attribute", 2), int64(id), t.s.texts(names))
	if err != nil {
		return fmt.Errorf("forget changes of direction: %w", err)
	}
	return nil
}
