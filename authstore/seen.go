package authstore

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/idbridge/idbridge"
)

// seen remembers in memory when sessions were used.
type seen struct {
	mu   sync.Mutex
	last map[int64]int64 // microseconds
}

// TouchSession notes the use of a session. It is kept in memory and written at most once a minute, and by Close.
func (s *Store) TouchSession(id int64, at time.Time) {
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	if s.seen.last == nil {
		s.seen.last = map[int64]int64{}
	}
	if old, ok := s.seen.last[id]; ok && old >= micros(at) || !ok && len(s.seen.last) >= usesMost {
		return
	}
	s.seen.last[id] = micros(at)
}

// latest returns when a session was used last, as far as the row or the memory of this process knows.
func (n *seen) latest(session *idbridge.UserSession) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at := moment(n.last[session.ID]); at.After(session.Seen) {
		return at
	}
	return session.Seen
}

// keepSeen writes the uses of sessions every minute, and once more when the context ends.
func (s *Store) keepSeen(ctx context.Context) {
	for pause(ctx, usesEvery) == nil {
		s.writeSeen(ctx)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	s.writeSeen(last)
}

// writeSeen writes what is in memory. It moves no revision: nobody's rights change. A use is forgotten only when it was
// written, so that no session looks idle meanwhile.
func (s *Store) writeSeen(ctx context.Context) {
	s.seen.mu.Lock()
	ids := slices.Sorted(maps.Keys(s.seen.last))
	taken := maps.Clone(s.seen.last)
	s.seen.mu.Unlock()
	for chunk := range slices.Chunk(ids, usesChunk) {
		err := s.tx(ctx, "write session uses", "store.seen", func(t *tx) error {
			for _, id := range chunk { // another process may have seen a later use
				if _, err := t.ExecContext(ctx, `UPDATE session SET seen = $2 WHERE id = $1 AND seen < $2`, id, taken[id]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			s.log.WarnContext(ctx, "uses of sessions were not written", "error", err)
			return
		}
		s.seen.forget(chunk, taken)
	}
}

// forget drops what was written, unless it was used again since.
func (n *seen) forget(ids []int64, written map[int64]int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		if n.last[id] == written[id] {
			delete(n.last, id)
		}
	}
}
