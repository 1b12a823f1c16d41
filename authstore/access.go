package authstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/idbridge/idbridge"
)

// accessQuery reads all that a check needs about one user in one statement, so in one snapshot: his row, his links, his
// grants.
const accessQuery = `
SELECT 0, u.kind, u.user_name, '', '', '', CASE WHEN u.suspended THEN 1 ELSE 0 END, r.value
  FROM users u, revision r WHERE u.id = $1 AND r.id = 1
UNION ALL SELECT 1, l.directory, l.state, '', '', '', 0, 0 FROM links l WHERE l.user_id = $1
UNION ALL SELECT 2, g.role, g.application, g.directory, g.group_id, g.group_name, 0, g.since FROM grants g WHERE g.user_id = $1
ORDER BY 1, 2, 3, 4, 5`

// Access returns what the user may do now. A user who does not exist gives Exists false and no error. It reads the database
// only when the cache does not know.
func (s *Store) Access(ctx context.Context, id idbridge.UserID) (idbridge.Access, error) {
	a, err := s.access(ctx, id)
	return a.Access, err
}

func (s *Store) access(ctx context.Context, id idbridge.UserID) (access, error) {
	if !s.feed.trusted() {
		return s.readAccess(ctx, id)
	}
	a, epoch, found := s.cache.users.get(id)
	if !found {
		var err error
		if a, err = s.readAccess(ctx, id); err != nil {
			return a, err
		}
		if a.Exists {
			s.cache.users.put(id, a, epoch)
		}
	}
	if len(a.directories) > 0 {
		a.AsOf = s.feed.asOf(a.directories)
	}
	return a, nil
}

// AccessByName is Access for a login name, whatever its case.
func (s *Store) AccessByName(ctx context.Context, name string) (idbridge.Access, error) {
	folded := s.schema[idbridge.UserName].Match.Normal(name)
	if folded == "" {
		return idbridge.Access{}, nil
	}
	id, epoch, found := s.cache.names.get(folded)
	if found && s.feed.trusted() {
		a, err := s.access(ctx, id)
		if err != nil || a.Exists && a.folded == folded {
			return a.Access, err
		}
		s.cache.names.drop(folded) // renamed, or gone
		_, epoch, _ = s.cache.names.get(folded)
	}
	holder, err := claimHolder(ctx, s.read, idbridge.UserName, folded)
	if err != nil || holder == 0 {
		return idbridge.Access{}, fault("read access", err)
	}
	s.cache.names.put(folded, holder, epoch)
	return s.Access(ctx, holder)
}

// KeyAccess returns a key and what its owner may do now. It does not judge the key: ask State. While the store waits
// as an older copy, every key comes as one that is not enabled, with the reason. Error: NotFound.
func (s *Store) KeyAccess(ctx context.Context, id idbridge.KeyID) (idbridge.Key, idbridge.Access, error) {
	trusted := s.feed.trusted()
	k, epoch, found := s.cache.keys.get(id)
	if !found || !trusted {
		var err error
		if s.postgres { // what answers now may be an older copy, in which a revoked key is good
			err = s.feed.poll(ctx, s)
		}
		if err == nil {
			k, err = readKey(ctx, s.read, id)
		}
		if err != nil {
			return idbridge.Key{}, idbridge.Access{}, fault("read key", err)
		}
		if !found {
			s.cache.keys.put(id, k, epoch)
		}
	}
	if s.copied.Load() != 0 && k.Revoked.IsZero() { // it may be one that was revoked since
		k.Enabled, k.Reason = false, keysWait
	}
	a, err := s.access(ctx, k.User)
	if err == nil && !a.Exists { // purged: his keys went with him
		s.cache.keys.drop(id)
		return idbridge.Key{}, idbridge.Access{}, fault("read key", notFound("key"))
	}
	return k, a.Access, err
}

// accessRow is one row of what a check needs: of the user, of a link, or of a grant.
type accessRow struct {
	part, flag, n int64
	c             [5]string
}

// take adds a row to the picture; the user's own comes first.
func (a *access) take(row *accessRow) {
	c := &row.c
	switch row.part {
	case 0:
		a.Kind, a.UserName, a.Exists, a.May, a.Revision = idbridge.UserKind(c[0]), unpack(c[1]), true, row.flag == 0, row.n
		if !a.May {
			a.Why = "suspended"
		}
	case 1:
		a.directories = append(a.directories, c[0])
		if state := idbridge.LinkState(c[1]); state != idbridge.LinkActive && a.May {
			a.May, a.Why = false, string(state)
		}
	default:
		a.Grants = append(a.Grants, idbridge.Grant{
			User: a.User, Role: idbridge.Role(c[0]), Application: c[1], Directory: c[2], Group: unpack(c[3]), GroupName: unpack(c[4]),
			Since: moment(row.n),
		})
	}
}

// readAccess takes the picture of one user from the database.
func (s *Store) readAccess(ctx context.Context, id idbridge.UserID) (access, error) {
	a := access{Access: idbridge.Access{User: id}}
	rows, err := s.read.QueryContext(ctx, accessQuery, int64(id))
	if err != nil {
		return a, fault("read access", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has what matters
	for rows.Next() {
		var row accessRow
		c := &row.c
		if err := rows.Scan(&row.part, &c[0], &c[1], &c[2], &c[3], &c[4], &row.flag, &row.n); err != nil {
			return a, fault("read access", err)
		}
		a.take(&row)
	}
	if err := rows.Err(); err != nil {
		return a, fault("read access", err)
	}
	if !a.Exists {
		return access{Access: idbridge.Access{User: id}}, nil
	}
	a.folded = s.schema[idbridge.UserName].Match.Normal(a.UserName)
	a.AsOf = s.feed.asOf(a.directories)
	return a, nil
}

// AccessOf returns what users may do now, in a number of queries that does not depend on theirs. Whoever does not exist is not
// in the answer.
func (s *Store) AccessOf(ctx context.Context, ids []idbridge.UserID) (map[idbridge.UserID]idbridge.Access, error) {
	found := make(map[idbridge.UserID]*access, len(ids))
	for chunk := range slices.Chunk(ids, maxPage) {
		if err := s.accessOf(ctx, chunk, found); err != nil {
			return nil, fault("read access", err)
		}
	}
	out := make(map[idbridge.UserID]idbridge.Access, len(found))
	for id, a := range found {
		a.AsOf = s.feed.asOf(a.directories)
		out[id] = a.Access
	}
	return out, nil
}

func (s *Store) accessOf(ctx context.Context, ids []idbridge.UserID, found map[idbridge.UserID]*access) error {
	rows, err := s.read.QueryContext(ctx, `
SELECT 0, u.id, u.kind, u.user_name, '', '', '', CASE WHEN u.suspended THEN 1 ELSE 0 END, r.value
  FROM users u, revision r WHERE `+s.among("u.id", 1)+` AND r.id = 1
UNION ALL SELECT 1, l.user_id, l.directory, l.state, '', '', '', 0, 0 FROM links l WHERE `+s.among("l.user_id", 1)+`
UNION ALL SELECT 2, g.user_id, g.role, g.application, g.directory, g.group_id, g.group_name, 0, g.since FROM grants g
  WHERE `+s.among("g.user_id", 1)+` ORDER BY 1, 2, 3, 4, 5, 6`, numbers(s, ids))
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err has what matters
	for rows.Next() {
		var id idbridge.UserID
		var row accessRow
		if err := rows.Scan(&row.part, &id, &row.c[0], &row.c[1], &row.c[2], &row.c[3], &row.c[4], &row.flag, &row.n); err != nil {
			return err
		}
		if found[id] == nil {
			found[id] = &access{Access: idbridge.Access{User: id}}
		}
		found[id].take(&row)
	}
	return rows.Err()
}

// asOf returns the oldest of the directories' last good runs; zero for none, or when one never had one.
func (f *feed) asOf(directories []string) time.Time {
	times := f.complete.Load()
	if times == nil || len(directories) == 0 {
		return time.Time{}
	}
	oldest := (*times)[directories[0]]
	for _, d := range directories[1:] {
		if t := (*times)[d]; t.Before(oldest) {
			oldest = t
		}
	}
	return oldest
}

// setComplete notes the end of a complete run.
func (f *feed) setComplete(directory string, at time.Time) {
	for {
		old := f.complete.Load()
		next := map[string]time.Time{directory: at}
		if old != nil {
			for d, t := range *old {
				if d != directory {
					next[d] = t
				}
			}
		}
		if f.complete.CompareAndSwap(old, &next) {
			return
		}
	}
}

// claimHolder returns who holds a normalised unique value, 0 for nobody.
func claimHolder(ctx context.Context, q queryer, a idbridge.Attribute, normal string) (idbridge.UserID, error) {
	var id int64
	row := q.QueryRowContext(ctx, `SELECT user_id FROM claims WHERE attribute = $1 AND value = $2`, string(a), pack(normal))
	if _, err := one(row, &id); err != nil {
		return 0, fmt.Errorf("read holder of a value: %w", err)
	}
	return idbridge.UserID(id), nil
}
