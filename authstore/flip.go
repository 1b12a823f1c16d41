package authstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/idbridge/idbridge"
)

// The directions in which an attribute travels.
const (
	outward = "out" // to the directory
	inward  = "in"  // into the store
)

// turn is one attribute of a link that travelled in this transaction.
type turn struct {
	link      string
	user      idbridge.UserID
	attribute idbridge.Attribute
	direction string
	run       idbridge.RunID
}

// flipRow is what is counted about one attribute of a link.
type flipRow struct {
	direction string
	changes   int
	run       idbridge.RunID // in which it travelled last
}

type flipKey struct {
	link      string
	attribute idbridge.Attribute
}

// pulled notes the attributes that a step took over from the link's directory.
func (c *commit) pulled(step *idbridge.Step, before, after idbridge.Profile, user *userRecord) {
	for a := range step.After {
		if !slices.Equal(before[a], after[a]) {
			c.turns = append(c.turns, turn{step.ID.ID, user.ID, a, inward, c.lead.Run})
		}
	}
}

// pushed notes the attributes that the directory took.
func (c *commit) pushed(step *openStep, user idbridge.UserID) {
	for a := range step.After {
		c.turns = append(c.turns, turn{step.ID.ID, user, a, outward, step.run})
	}
}

// writeFlips counts the changes of direction. Counting begins with a write to the directory.
//
//	row         | the attribute travels | in the next run or the same | else
//	none        | out                   | 0                           | 0
//	none        | in                    | none                        | none
//	other way   | out or in             | one more                    | as if there were none
//	same way    | out or in             | as if there were none       | as if there were none
//	at the limit| out or in             | stays until somebody edits the attribute
func (c *commit) writeFlips(ctx context.Context) error {
	if len(c.turns) == 0 {
		return nil
	}
	there, err := c.flipsThere(ctx)
	if err != nil {
		return err
	}
	if len(there) == 0 && !slices.ContainsFunc(c.turns, func(t turn) bool { return t.direction == outward }) {
		return nil
	}
	last := map[idbridge.RunID]idbridge.RunID{}
	come := newBatch(putRows, "flip", "link directory attribute", "user_id:n direction changes:n run:n")
	gone := newBatch(deleteRows, "flip", "link directory attribute", "")
	for _, one := range c.turns {
		if _, ok := last[one.run]; !ok {
			if last[one.run], err = c.runBefore(ctx, one.run); err != nil {
				return err
			}
		}
		key := flipKey{one.link, one.attribute}
		row, known := there[key]
		switch {
		case known && (row.changes >= idbridge.FlipLimit || row.run == one.run && row.direction == one.direction):
		case known && row.direction != one.direction && row.run >= last[one.run]:
			come.add(pack(one.link), c.lead.Directory, string(one.attribute), int64(one.user), one.direction, int64(row.changes+1), int64(one.run))
		case one.direction == outward:
			come.add(pack(one.link), c.lead.Directory, string(one.attribute), int64(one.user), outward, int64(0), int64(one.run))
		case known:
			gone.add(pack(one.link), c.lead.Directory, string(one.attribute))
		}
	}
	if err := c.t.flush(ctx, gone, come); err != nil {
		return err
	}
	_, err = c.t.ExecContext(ctx, `DELETE FROM flip WHERE directory = $1 AND run < $2 AND changes < $3`, c.lead.Directory,
		int64(last[c.turns[0].run]), idbridge.FlipLimit)
	return err
}

// flipsThere reads what is counted about the links that something travelled on.
func (c *commit) flipsThere(ctx context.Context) (map[flipKey]flipRow, error) {
	ids := make([]string, 0, len(c.turns))
	for _, one := range c.turns {
		if id := pack(one.link); len(ids) == 0 || ids[len(ids)-1] != id {
			ids = append(ids, id)
		}
	}
	out := map[flipKey]flipRow{}
	err := c.s.readFlips(ctx, c.t, c.lead.Directory, ids, func(key flipKey, row flipRow) { out[key] = row })
	return out, err
}

func (s *Store) readFlips(ctx context.Context, q queryer, directory string, links []string, found func(flipKey, flipRow)) error {
	var some bool
	if err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM flip)`).Scan(&some); err != nil || !some {
		return err
	}
	rows, err := q.QueryContext(ctx, `SELECT link, attribute, direction, changes, run FROM flip WHERE directory = $1 AND `+
		s.among("link", 2)+` ORDER BY link, attribute`, directory, s.texts(links))
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var key flipKey
		var row flipRow
		err := r.Scan(&key.link, &key.attribute, &row.direction, &row.changes, &row.run)
		key.link = unpack(key.link)
		found(key, row)
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("read changes of direction: %w", err)
	}
	return nil
}

// runBefore returns the directory's run before the given one that looked at its records, without dry ones; 0 for none.
func (c *commit) runBefore(ctx context.Context, run idbridge.RunID) (id idbridge.RunID, err error) {
	_, err = one(c.t.QueryRowContext(ctx, `SELECT id FROM runs WHERE directory = $1 AND id < $2 AND kind NOT IN ('plan', 'undo', 'push')
		AND state NOT IN ('failed', 'interrupted') ORDER BY id DESC LIMIT 1`, c.lead.Directory, int64(run)), &id)
	if err != nil {
		return 0, fmt.Errorf("read the run before: %w", err)
	}
	return id, nil
}
