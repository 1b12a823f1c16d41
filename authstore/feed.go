package authstore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	feedPoll    = 250 * time.Millisecond
	feedTrust   = 750 * time.Millisecond // without proof for so long, every check reads the database
	sourcesPoll = 20                     // every so many polls the times of the last good runs are read, too
)

// feed keeps the cache honest while other processes write to the same PostgreSQL database: it polls the revision, and a
// move that is not ours empties the cache. On SQLite nobody else writes, and the feed is always trusted.
type feed struct {
	base  time.Time    // of the monotonic readings below
	good  atomic.Int64 // start of the last poll that succeeded, nanoseconds after base
	alone bool         // SQLite

	mu   sync.Mutex
	last int64              // revision of the last poll
	ours map[int64]struct{} // our commits since

	complete atomic.Pointer[map[string]time.Time] // per directory, end of its last complete run
}

func newFeed() *feed {
	base := time.Now() //nolint:forbidigo // only differences to it count, and no test moves them
	return &feed{base: base, ours: map[int64]struct{}{}}
}

// begin takes the first reading.
func (f *feed) begin(ctx context.Context, s *Store) error {
	f.alone = !s.postgres
	if err := f.poll(ctx, s); err != nil {
		return err
	}
	return f.readSources(ctx, s)
}

// trusted tells whether the cache may answer.
func (f *feed) trusted() bool {
	return f.alone || int64(time.Since(f.base))-f.good.Load() < int64(feedTrust)
}

// silent says how long nothing has been heard of the database.
func (f *feed) silent() time.Duration {
	return time.Duration(int64(time.Since(f.base)) - f.good.Load())
}

// own notes a revision that this process made. It is called after the commit: noted before, a number that was rolled back
// could hide somebody else's change.
func (f *feed) own(revision int64) {
	if f.alone {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if revision > f.last {
		f.ours[revision] = struct{}{}
	}
}

// poll reads the revision and empties the cache when somebody else moved it.
func (f *feed) poll(ctx context.Context, s *Store) error {
	start := int64(time.Since(f.base))
	ctx, cancel := context.WithTimeout(ctx, 2*feedTrust)
	defer cancel()
	revision, err := s.Revision(ctx)
	if err != nil {
		return err
	}
	// A leap may hide that commits are gone: whoever leapt knew less than we do.
	if known := f.newest(); known > 0 && (revision < known || revision >= known+leapStep) {
		if err := s.fellBack(ctx, known); err != nil {
			return err
		}
	}
	if f.seen(revision) {
		s.cache.drop(&touched{all: true})
		if err := s.readRestored(ctx); err != nil {
			return err
		}
	}
	f.good.Store(start)
	s.bell.ring(revision)
	return nil
}

// newest returns the highest revision that this process saw or made.
func (f *feed) newest() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	newest := f.last
	for r := range f.ours {
		newest = max(newest, r)
	}
	return newest
}

// seen takes note of a revision and tells whether anybody else had a part in getting there.
func (f *feed) seen(revision int64) (foreign bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	foreign = revision < f.last
	for r := f.last + 1; r <= revision && !foreign; r++ {
		_, mine := f.ours[r]
		foreign = !mine
	}
	f.last = revision
	for r := range f.ours {
		if r <= revision {
			delete(f.ours, r)
		}
	}
	return foreign
}

// run polls until the context ends.
func (f *feed) run(ctx context.Context, s *Store) {
	broken := false
	for n := 1; pause(ctx, feedPoll) == nil; n++ {
		err := f.poll(ctx, s)
		if err == nil && n%sourcesPoll == 0 {
			if err = f.readSources(ctx, s); err == nil {
				err = s.moved(ctx)
			}
		}
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != broken {
			broken = err != nil
			if broken {
				s.log.WarnContext(ctx, "store cannot be polled, cache is not used", "error", err)
			} else {
				s.log.InfoContext(ctx, "store answers again")
			}
		}
	}
}

// readSources reads when each directory was complete last.
func (f *feed) readSources(ctx context.Context, s *Store) error {
	rows, err := s.read.QueryContext(ctx, `SELECT directory, complete FROM source`)
	if err != nil {
		return fmt.Errorf("read sources: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has what matters
	times := map[string]time.Time{}
	for rows.Next() {
		var directory string
		var at int64
		if err := rows.Scan(&directory, &at); err != nil {
			return fmt.Errorf("read sources: %w", err)
		}
		times[directory] = moment(at)
	}
	f.complete.Store(&times)
	return rows.Err()
}
