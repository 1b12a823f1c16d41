package authstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/idbridge/idbridge"
)

// keysWhere selects, as k, the keys that are enabled and neither revoked nor rotated nor expired at the moment that is
// parameter n.
func keysWhere(n string) string {
	return ` k.enabled AND k.revoked = 0 AND (k.expires = 0 OR k.expires > ` + n + `) AND (k.overlap_until = 0 OR k.overlap_until > ` + n + `)`
}

// standing reads what hangs on linked records without being part of them: their users' keys, refused writes, and changes of
// direction. Most often there is none of one kind or another, and then it is not asked for.
func (v *survey) standing(ctx context.Context, out []idbridge.Subject, at map[string]int) error {
	if len(v.users) == 0 {
		return nil
	}
	linked := make([]string, 0, len(out))
	for i := range out {
		if out[i].Link != nil {
			linked = append(linked, pack(out[i].ID.ID))
		}
	}
	backoffs, err := v.s.readBackoffs(ctx, v.q, v.directory, linked)
	if err != nil {
		return err
	}
	for id, b := range backoffs {
		out[at[id]].Backoff = &b.Backoff
	}
	err = v.s.readFlips(ctx, v.q, v.directory, linked, func(key flipKey, row flipRow) {
		subject := &out[at[key.link]]
		subject.Flips = append(subject.Flips, idbridge.Flip{Attribute: key.attribute, Count: row.changes})
	})
	if err != nil {
		return err
	}
	keys, err := v.keys(ctx)
	for i := range out {
		if out[i].User != nil {
			out[i].Keys = keys[out[i].User.ID]
		}
	}
	return err
}

// keys counts the keys of the linked users.
func (v *survey) keys(ctx context.Context) (map[idbridge.UserID]int, error) {
	out := map[idbridge.UserID]int{}
	var some bool
	if err := v.q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM keys)`).Scan(&some); err != nil || !some {
		return out, err
	}
	rows, err := v.q.QueryContext(ctx, `SELECT k.user_id, COUNT(*) FROM keys k WHERE`+keysWhere("$2")+` AND `+v.s.among("k.user_id", 1)+
		` GROUP BY k.user_id`, numbers(v.s, slices.Collect(maps.Keys(v.users))), micros(v.s.now()))
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var id idbridge.UserID
		var n int
		err := r.Scan(&id, &n)
		out[id] = n
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("count keys: %w", err)
	}
	return out, nil
}
