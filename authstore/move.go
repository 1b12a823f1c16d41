package authstore

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"github.com/idbridge/idbridge"
)

const (
	movesPerTx = 100     // a transaction that moves more says so in one row: followers ask again, and an import stays fast
	movesKept  = 100_000 // revisions whose moves are kept
	movesSlack = 1_000   // how far beyond that the log grows before it is cut
	movesFloor = "move"  // the counter with the newest revision whose moves are gone
)

// Moves returns what moved after the revision since, oldest first, whole revisions: whoever goes on after the last one of the
// answer misses nothing and sees nothing twice; an answer of fewer than limit reaches to now. There may be more than limit
// when one revision has more. oldest is the smallest since that can still be answered without a gap: for an older one, and for one beyond now (of a store that was
// put back), the moves are worth nothing, and the asker must begin anew at now.
func (s *Store) Moves(ctx context.Context, since int64, limit int) (moves []idbridge.Move, oldest, now int64, err error) {
	limit = page(limit)
	err = s.view(ctx, "read moves", func(q queryer) error {
		err := q.QueryRowContext(ctx, `SELECT c.value, r.value FROM counter c, revision r WHERE c.name = $1 AND r.id = 1`, movesFloor).
			Scan(&oldest, &now)
		if err != nil || since < oldest || since >= now {
			return err
		}
		// The revision that the last row of the page belongs to is read to its end.
		rows, err := q.QueryContext(ctx, `SELECT revision, at, kind, user_id, role, application, key_id FROM moves WHERE revision > $1
			AND revision <= COALESCE((SELECT MAX(revision) FROM (SELECT revision FROM moves WHERE revision > $1 ORDER BY revision, seq LIMIT $2) AS p), 0)
			ORDER BY revision, seq`, since, limit)
		moves, err = collect(rows, err, func(r *sql.Rows) (m idbridge.Move, err error) {
			var at int64
			var key string
			err = r.Scan(&m.Revision, &at, &m.Kind, &m.User, &m.Role, &m.Application, &key)
			m.At, m.Key = moment(at), idbridge.KeyID(unpack(key))
			return m, err
		})
		return err
	})
	return moves, oldest, now, err
}

// move notes what a transaction moves, for those who follow; the revision is given in the end.
func (t *tx) move(m idbridge.Move) {
	if len(t.moves) <= movesPerTx { // one more tells that there are too many
		t.moves = append(t.moves, m)
	}
}

// allMoves returns the moves of the transaction: those noted, and one for each user whom the cache forgets and none of them
// names.
func (t *tx) allMoves() []idbridge.Move {
	all := []idbridge.Move{{Kind: idbridge.MoveAll}}
	if t.touched.all || len(t.moves) > movesPerTx {
		return all
	}
	moves := make([]idbridge.Move, 0, len(t.moves))
	users, seen := map[idbridge.UserID]bool{}, map[idbridge.Move]bool{}
	add := func(m idbridge.Move) {
		if !seen[m] && len(moves) <= movesPerTx {
			seen[m] = true
			moves = append(moves, m)
		}
	}
	for _, m := range t.moves {
		users[m.User] = users[m.User] || m.Key == ""
		add(m)
	}
	for _, id := range t.touched.users {
		if !users[id] {
			add(idbridge.Move{Kind: idbridge.MoveUser, User: id})
		}
	}
	if len(moves) > movesPerTx {
		return all
	}
	return moves
}

// writeMoves writes them under the transaction's revision.
func (t *tx) writeMoves(ctx context.Context, revision int64) error {
	rows := newBatch(addRows, "moves", "revision:n seq:n", "at:n kind user_id:n role application key_id")
	for i, m := range t.allMoves() {
		rows.add(revision, int64(i), t.now, m.Kind, int64(m.User), string(m.Role), m.Application, pack(string(m.Key)))
	}
	return t.flush(ctx, rows)
}

// pruneMoves cuts the log where it is longer than it shall be. Who follows from before is told so.
func (s *Store) pruneMoves(ctx context.Context) error {
	var floor, now int64
	err := s.read.QueryRowContext(ctx, `SELECT c.value, r.value FROM counter c, revision r WHERE c.name = $1 AND r.id = 1`, movesFloor).
		Scan(&floor, &now)
	for err == nil && now-floor > s.keepMoves+s.keepMoves/(movesKept/movesSlack) {
		next := now - s.keepMoves
		var row int64 // a leap leaves wide gaps in the revisions: rows are what takes time
		var found bool
		found, err = one(s.read.QueryRowContext(ctx, `SELECT revision FROM moves WHERE revision > $1 ORDER BY revision, seq LIMIT 1 OFFSET $2`,
			floor, pruneRows), &row)
		if err != nil {
			break
		}
		if found {
			next = min(next, row)
		}
		floor = next
		err = s.tx(ctx, "prune moves", "", func(t *tx) error {
			if _, err := t.ExecContext(ctx, `UPDATE counter SET value = $2 WHERE name = $1 AND value < $2`, movesFloor, next); err != nil {
				return fmt.Errorf("move the end of the log: %w", err)
			}
			_, err := t.ExecContext(ctx, `DELETE FROM moves WHERE revision <= $1`, next)
			return err
		})
	}
	return err
}

// bell tells those who wait for a revision that it is there. The cache has forgotten what moved when it rings.
type bell struct {
	mu   sync.Mutex
	at   int64
	rung chan struct{} // closed at the next ring; nil while nobody waits
}

func (b *bell) ring(revision int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if revision <= b.at {
		return
	}
	b.at = revision
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}

// wait returns nil when the revision is there, or what is closed at the next ring.
func (b *bell) wait(revision int64) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at >= revision {
		return nil
	}
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

// WaitRevision returns once the store has reached a revision and every answer of this process knows it. It costs nothing
// while it waits. Error: the context's, when that ends first.
func (s *Store) WaitRevision(ctx context.Context, least int64) error {
	if s.bell.wait(least) == nil {
		return nil
	}
	if s.postgres {
		if err := s.feed.poll(ctx, s); err != nil {
			return fault("wait for a revision", err)
		}
	}
	for {
		rung := s.bell.wait(least)
		if rung == nil {
			return nil
		}
		select {
		case <-rung:
		case <-ctx.Done():
			return fmt.Errorf("wait for revision %d: %w", least, ctx.Err())
		}
	}
}
