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
	at   time.Time
	addr string
}

// Touch notes the use of a key. It is kept in memory and written at most once a minute, and by Close.
func (s *Store) Touch(id idbridge.KeyID, addr string, at time.Time) {
	s.uses.mu.Lock()
	defer s.uses.mu.Unlock()
	if s.uses.last == nil {
		s.uses.last = map[idbridge.KeyID]use{}
	}
	if old, ok := s.uses.last[id]; ok && !old.at.Before(at) || !ok && len(s.uses.last) >= usesMost {
		return
	}
	s.uses.last[id] = use{at, addr}
}

// flushUses writes the uses every minute, and once more when the context ends.
func (s *Store) flushUses(ctx context.Context) {
	for pause(ctx, usesEvery) == nil {
		s.writeUses(ctx)
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
	rows := newBatch(updateRows, "keys", "id", "last_used:n last_address")
	write := func() {
		err := s.tx(ctx, "write key uses", "", func(t *tx) error {
			again := *rows // flush empties what it is given; a repeated transaction needs the rows again
			return t.flush(ctx, &again)
		})
		if err != nil {
			s.log.WarnContext(ctx, "uses of keys were not written", "error", err)
		}
		rows.rows = rows.rows[:0]
	}
	for id, u := range taken {
		rows.add(pack(string(id)), micros(u.at), prose(u.addr))
		if rows.len() == usesChunk {
			write()
		}
	}
	if rows.len() > 0 {
		write()
	}
}
