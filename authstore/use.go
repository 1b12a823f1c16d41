package authstore

import (
	"context"
	"sync"
	"time"

	"github.com/idbridge/idbridge"
)

const (
	usesEvery = time.Minute
	usesMost  = 100_000 // keys noted between two flushes; what is beyond is forgotten rather than kept in memory
	usesChunk = 500     // rows of one transaction, so that nobody waits long behind it
)

// uses remembers in memory when and from where keys were used.
type uses struct {
	mu   sync.Mutex
	last map[idbridge.KeyID]use
}

type use struct {
	at    time.Time
	addr  string
	times int64
}

// Touch notes the use of a key. It is kept in memory and written at most once a minute, and by Close.
func (s *Store) Touch(id idbridge.KeyID, addr string, at time.Time) {
	s.uses.mu.Lock()
	defer s.uses.mu.Unlock()
	if s.uses.last == nil {
		s.uses.last = map[idbridge.KeyID]use{}
	}
	old, known := s.uses.last[id]
	if !known && len(s.uses.last) >= usesMost {
		return
	}
	old.times++
	if !known || old.at.Before(at) {
		old.at, old.addr = at, addr
	}
	s.uses.last[id] = old
}

// flushUses writes the uses every minute, and once more when the context ends. On its way it forgets what is kept for a
// short time only.
func (s *Store) flushUses(ctx context.Context) {
	for pause(ctx, usesEvery) == nil {
		s.writeUses(ctx)
		if err := s.forgetReplays(ctx); err != nil {
			s.log.WarnContext(ctx, "old requests were not forgotten", "error", err)
		}
		if err := s.pruneMoves(ctx); err != nil {
			s.log.WarnContext(ctx, "the log of changes was not cut", "error", err)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	s.writeUses(last)
}

func (s *Store) writeUses(ctx context.Context) {
	s.uses.mu.Lock()
	taken := s.uses.last
	s.uses.last = nil
	s.uses.mu.Unlock()
	some := make(map[idbridge.KeyID]use, min(len(taken), usesChunk))
	write := func() {
		if err := s.tx(ctx, "write key uses", "", func(t *tx) error { return t.putUses(ctx, some) }); err != nil {
			s.log.WarnContext(ctx, "uses of keys were not written", "error", err)
		}
		clear(some)
	}
	for id, u := range taken {
		some[id] = u
		if len(some) == usesChunk {
			write()
		}
	}
	if len(some) > 0 {
		write()
	}
}

// putUses adds uses to those that are written. Another process may have written a later one of the same key.
func (t *tx) putUses(ctx context.Context, some map[idbridge.KeyID]use) error {
	b := newBatch(updateRows, "keys", "id", "last_used:n last_address uses:n")
	for id, u := range some {
		b.add(pack(string(id)), micros(u.at), prose(u.addr), u.times)
	}
	const (
		set = `UPDATE keys SET uses = keys.uses + v.uses, last_used = CASE WHEN keys.last_used < v.last_used THEN v.last_used ELSE keys.last_used END,
			last_address = CASE WHEN keys.last_used < v.last_used THEN v.last_address ELSE keys.last_address END`
		where = ` WHERE keys.id = v.id`
	)
	if t.s.postgres {
		args := make([]any, len(b.cols))
		for i, c := range b.cols {
			args[i] = b.array(i, c.kind)
		}
		_, err := t.ExecContext(ctx, set+` FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[]) AS v (id, last_used, last_address, uses)`+
			where, args...)
		return err
	}
	stmt, err := t.PrepareContext(ctx, set+` FROM (SELECT $1 AS id, $2 AS last_used, $3 AS last_address, $4 AS uses) AS v`+where)
	if err != nil {
		return err
	}
	defer stmt.Close() //nolint:errcheck // nothing is lost
	for i := 0; i < len(b.rows); i += len(b.cols) {
		if _, err := stmt.ExecContext(ctx, b.rows[i:i+len(b.cols)]...); err != nil {
			return err
		}
	}
	return nil
}
