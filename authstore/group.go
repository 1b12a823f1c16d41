package authstore

import (
	"context"
	"database/sql"
	"fmt"
	"iter"

	"github.com/idbridge/idbridge"
)

func scanUserID(r *sql.Rows) (id idbridge.UserID, err error) {
	err = r.Scan(&id)
	return id, err //nolint:wrapcheck // the caller names the operation
}

// Groups returns the directory's groups by id, without their members.
func (s *Store) Groups(ctx context.Context, directory string) ([]idbridge.Group, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, name, digest, members FROM directory_group WHERE directory = $1 ORDER BY id`, directory)
	out, err := collect(rows, err, func(r *sql.Rows) (idbridge.Group, error) {
		g := idbridge.Group{ID: idbridge.ExternalID{Directory: directory}}
		var digest []byte
		err := r.Scan(&g.ID.ID, &g.Name, &digest, &g.Members)
		g.ID.ID, g.Name = unpack(g.ID.ID), unpack(g.Name)
		copy(g.Digest[:], digest)
		return g, err //nolint:wrapcheck // fault below names the operation
	})
	return out, fault(fmt.Sprintf("read groups of %q", directory), err)
}

// Members returns the ids in one group, in no order.
func (s *Store) Members(ctx context.Context, group idbridge.ExternalID) ([]string, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT member FROM membership WHERE directory = $1 AND group_id = $2`,
		group.Directory, pack(group.ID))
	out, err := collect(rows, err, func(r *sql.Rows) (string, error) {
		member, err := scanText(r)
		return unpack(member), err
	})
	return out, fault("read members", err)
}

// Marks streams every link of the directory, in no order. Breaking out early releases the connection.
func (s *Store) Marks(ctx context.Context, directory string) iter.Seq2[idbridge.Mark, error] {
	op := fmt.Sprintf("read links of %q", directory)
	return func(yield func(idbridge.Mark, error) bool) {
		rows, err := s.read.QueryContext(ctx, `SELECT id, digest, state, sightings FROM links WHERE directory = $1`, directory)
		if err != nil {
			yield(idbridge.Mark{}, fault(op, err))
			return
		}
		defer rows.Close() //nolint:errcheck // rows.Err has what matters
		var id, digest, state sql.RawBytes
		var sightings int64
		for rows.Next() {
			if err := rows.Scan(&id, &digest, &state, &sightings); err != nil {
				yield(idbridge.Mark{}, fault(op, err))
				return
			}
			m := idbridge.Mark{ID: unpack(string(id)), State: linkState(state), Sightings: int(sightings)}
			copy(m.Digest[:], digest)
			if !yield(m, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(idbridge.Mark{}, fault(op, err))
		}
	}
}

// linkState is idbridge.LinkState(b) without an allocation for the states that are known.
func linkState(b []byte) idbridge.LinkState {
	for _, known := range [...]idbridge.LinkState{idbridge.LinkActive, idbridge.LinkInactive, idbridge.LinkMissing} {
		if string(b) == string(known) {
			return known
		}
	}
	return idbridge.LinkState(b)
}
