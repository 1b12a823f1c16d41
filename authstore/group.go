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
	return id, err
}

// Groups returns the directory's groups by id, with what their members have through them, but without the members.
//
// After a crash in the middle of a group some members have a role that others lack. A role that the group gives counts only
// when every linked member has it, one that it gives no longer counts as long as anybody has it: so the next run completes
// both.
func (s *Store) Groups(ctx context.Context, directory string) ([]idbridge.Group, error) {
	var out []idbridge.Group
	err := s.view(ctx, fmt.Sprintf("read groups of %q", directory), func(q queryer) (err error) {
		if out, err = readGroups(ctx, q, directory); err != nil || len(out) == 0 {
			return err
		}
		return groupGrants(ctx, q, directory, out)
	})
	return out, err
}

func readGroups(ctx context.Context, q queryer, directory string) ([]idbridge.Group, error) {
	rows, err := q.QueryContext(ctx, `SELECT g.id, g.name, g.digest, COUNT(m.member) FROM directory_group g
		LEFT JOIN membership m ON m.directory = g.directory AND m.group_id = g.id
		WHERE g.directory = $1 GROUP BY g.id, g.name, g.digest ORDER BY g.id`, directory)
	return collect(rows, err, func(r *sql.Rows) (idbridge.Group, error) {
		g := idbridge.Group{ID: idbridge.ExternalID{Directory: directory}, Grants: []idbridge.Grant{}}
		var digest []byte
		err := r.Scan(&g.ID.ID, &g.Name, &digest, &g.Members)
		g.ID.ID, g.Name = unpack(g.ID.ID), unpack(g.Name)
		copy(g.Digest[:], digest)
		return g, err
	})
}

func groupGrants(ctx context.Context, q queryer, directory string, groups []idbridge.Group) error {
	type counted struct {
		group string
		grant idbridge.Grant
		users int
		given int // 1: the group gives it still
		all   int // linked members
	}
	rows, err := q.QueryContext(ctx, `SELECT h.group_id, h.role, h.application, h.users,
		(SELECT COUNT(*) FROM group_role r WHERE r.directory = $1 AND r.group_id = h.group_id AND r.role = h.role AND r.application = h.application),
		(SELECT COUNT(*) FROM membership m JOIN links l ON l.directory = m.directory AND l.id = m.member
			WHERE m.directory = $1 AND m.group_id = h.group_id)
		FROM (SELECT group_id, role, application, COUNT(*) AS users FROM grants WHERE directory = $1 GROUP BY group_id, role, application) AS h
		ORDER BY h.group_id, h.role, h.application`, directory)
	found, err := collect(rows, err, func(r *sql.Rows) (c counted, err error) {
		err = r.Scan(&c.group, &c.grant.Role, &c.grant.Application, &c.users, &c.given, &c.all)
		c.group, c.grant.Directory = unpack(c.group), directory
		return c, err
	})
	if err != nil {
		return fmt.Errorf("read grants: %w", err)
	}
	at := make(map[string]*idbridge.Group, len(groups))
	for i := range groups {
		at[groups[i].ID.ID] = &groups[i]
	}
	for _, c := range found {
		if g := at[c.group]; g != nil && (c.given == 0 || c.users >= c.all) {
			c.grant.Group, c.grant.GroupName = c.group, g.Name
			g.Grants = append(g.Grants, c.grant)
		}
	}
	return nil
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
		rows, err := s.read.QueryContext(ctx, `SELECT id, digest, state, sightings, version FROM links WHERE directory = $1`, directory)
		if err != nil {
			yield(idbridge.Mark{}, fault(op, err))
			return
		}
		defer rows.Close() //nolint:errcheck // rows.Err has what matters
		var id, digest, state sql.RawBytes
		var sightings, version int64
		for rows.Next() {
			if err := rows.Scan(&id, &digest, &state, &sightings, &version); err != nil {
				yield(idbridge.Mark{}, fault(op, err))
				return
			}
			m := idbridge.Mark{ID: unpack(string(id)), State: linkState(state), Sightings: int(sightings), Version: version}
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
