package authstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/lib/pq"
)

// lineage says where a PostgreSQL store lies. An empty text or 0 is not known.
type lineage struct {
	cluster  string // the server's system identifier: another one after a dump was loaded into another server
	object   string // oids of the database and of a table: others after a dump was loaded, even into the same server
	timeline int64  // one more after each promotion and each recovery to a point in time
}

// readLineage asks the server. What the store's role may not ask, or a server does not tell, stays unknown; the store works
// without it, and says so in its log.
func (s *Store) readLineage(ctx context.Context) (lineage, error) {
	var out lineage
	old := s.place.Load()
	for _, q := range [...]struct {
		what  string
		known bool // or never asked; what was refused once is not asked again, for the server logs each time
		query string
		dest  any
	}{
		{"system identifier", old == nil || old.cluster != "", `SELECT system_identifier::text FROM pg_control_system()`, &out.cluster},
		{"oids", old == nil || old.object != "", `SELECT oid::text || '/' || 'installation'::regclass::oid::text FROM pg_database WHERE datname = current_database()`, &out.object},
		{"timeline", old == nil || old.timeline != 0, `SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint`, &out.timeline},
	} {
		if !q.known {
			continue
		}
		err := s.write.QueryRowContext(ctx, q.query).Scan(q.dest)
		var refused *pq.Error
		if errors.As(err, &refused) && (refused.Code.Class() == "42" || refused.Code.Class() == "0A" || refused.Code.Class() == "55") {
			s.log.WarnContext(ctx, "a restored store may go unnoticed: the server does not tell", "what", q.what, "error", err)
			continue
		}
		if err != nil {
			return out, fmt.Errorf("ask for %s: %w", q.what, err)
		}
	}
	s.place.Store(&out)
	return out, nil
}

// differs tells whether the row of installation has to be written.
func (l *lineage) differs(me *self) bool {
	return l.cluster != "" && l.cluster != me.cluster || l.object != "" && l.object != me.object || l.timeline != 0 && l.timeline != me.timeline
}

// compare tells what a place other than the one that was noted means.
func (l *lineage) compare(me *self) finding {
	for _, one := range [...]struct{ was, is, why string }{
		{me.cluster, l.cluster, "the store lies on another PostgreSQL server than before: it was restored or copied"},
		{me.object, l.object, "the store's tables were made anew since it was last open: a dump was loaded"},
	} {
		if one.was != "" && one.is != "" && one.was != one.is {
			return finding{why: one.why}
		}
	}
	switch {
	case me.timeline == 0 || l.timeline == 0 || me.timeline == l.timeline:
		return finding{}
	case l.timeline < me.timeline:
		return finding{why: fmt.Sprintf("the server is on timeline %d, before it was on %d: an older base backup was started", l.timeline, me.timeline)}
	default:
		return finding{leapOnly: true, why: fmt.Sprintf(
			"the server went from timeline %d to %d: a standby was promoted, or it was recovered to a point in time", me.timeline, l.timeline)}
	}
}

// moved tells whether a running daemon's server is another one now: then it looks closer.
func (s *Store) moved(ctx context.Context) error {
	before := s.place.Load()
	now, err := s.readLineage(ctx)
	if err != nil || before != nil && *before == now {
		return err
	}
	return s.recognise(ctx)
}
