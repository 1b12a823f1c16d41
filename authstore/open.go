package authstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/idbridge/idbridge"
)

const (
	defaultCacheSize = 20_000
	closeWait        = 5 * time.Second
)

// Store is the memory of the bridge. It is safe for concurrent use.
type Store struct {
	write, read *sqlx.DB // one writer and several readers on SQLite; the same pool on PostgreSQL
	postgres    bool
	lock        *os.File // SQLite: the flock that keeps a second daemon out
	schema      idbridge.Schema
	unique      []idbridge.Attribute // of the schema, sorted
	outward     map[string][]idbridge.Attribute
	rules       []idbridge.RoleRule // of the config; nil: not known
	now         func() time.Time
	log         *slog.Logger
	holder      string
	cache       *cache
	feed        *feed
	uses        *uses
	seen        *seen
	box         *secretBox
	bell        *bell
	keepMoves   int64  // revisions whose moves are kept
	release     string // of this program, for messages
	path        string // SQLite: of the file
	patience    *patience
	*watch
	stop       context.CancelFunc
	background *sync.WaitGroup
}

// Open opens the store, migrates its schema and starts the background work. Errors: Invalid (settings), Locked (another
// daemon has the SQLite file), Conflicting (the schema is newer than this program), Unavailable with a hint.
func Open(ctx context.Context, c Config, o Options) (*Store, error) {
	if faults := c.Validate(); len(faults) > 0 {
		return nil, fmt.Errorf("open store: %w", errors.Join(faults...))
	}
	s := &Store{now: o.Now, log: o.Log, schema: o.Schema, outward: o.Outward, rules: o.RoleRules, holder: o.Holder, uses: &uses{}, seen: &seen{}, bell: &bell{}, keepMoves: movesKept, background: &sync.WaitGroup{}, patience: &patience{}}
	s.release, s.watch = o.Release, &watch{}
	s.fill(o)
	var err error
	if s.box, err = newBox(c.SecretKey); err != nil {
		return nil, fault("open store", err)
	}
	if path, ok := strings.CutPrefix(c.URL, sqliteScheme); ok {
		err = s.openSQLite(path)
	} else {
		s.postgres = true
		err = s.openPostgres(c)
	}
	if err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		return nil, fault("open store", errors.Join(err, s.closeFiles()))
	}
	return s, nil
}

// fill gives every option that was left out its default.
func (s *Store) fill(o Options) {
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.schema == nil {
		s.schema = idbridge.CoreSchema()
	}
	s.unique = uniqueOf(s.schema)
	if s.holder == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "unnamed"
		}
		s.holder = fmt.Sprintf("%s/%d/%s", host, os.Getpid(), rand.Text()[:8])
	}
	size := o.CacheSize
	if size <= 0 {
		size = defaultCacheSize
	}
	s.cache = newCache(size)
	s.feed = newFeed()
}

func uniqueOf(schema idbridge.Schema) []idbridge.Attribute {
	var out []idbridge.Attribute
	for _, a := range slices.Sorted(maps.Keys(schema)) {
		if schema[a].Unique {
			out = append(out, a)
		}
	}
	return out
}

// With returns the same open store under another config: attributes, outward flows and role rules. Both may be used side
// by side while work under the old config comes to its end; either one's Close closes the store for both.
func (s *Store) With(o Options) *Store {
	other := *s
	other.outward, other.rules = o.Outward, o.RoleRules
	if o.Schema != nil {
		other.schema, other.unique = o.Schema, uniqueOf(o.Schema)
	}
	return &other
}

// start migrates and begins the background work.
func (s *Store) start(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if err := s.recognise(ctx); err != nil {
		return err
	}
	if err := s.feed.begin(ctx, s); err != nil {
		return err
	}
	if err := s.closeSecrets(ctx); err != nil {
		return err
	}
	s.putMark(ctx)
	if err := s.expectMark(ctx); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.background.Go(func() { s.flushUses(background) })
	s.background.Go(func() { s.keepSeen(background) })
	if s.postgres {
		s.background.Go(func() { s.feed.run(background, s) })
		s.background.Go(func() { s.patience.watch(background, s.feed) })
	} else {
		s.background.Go(func() { s.keepMark(background) })
	}
	return nil
}

// Close writes what waits in memory and closes the database. The store must not be used afterwards.
func (s *Store) Close() error {
	s.stop()
	s.background.Wait()
	last, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	s.putMark(last)
	return s.closeFiles()
}

func (s *Store) closeFiles() error {
	var errs []error
	if s.read != nil && s.read != s.write {
		errs = append(errs, s.read.Close())
	}
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close()) // the kernel ends the flock with the file
	}
	return errors.Join(errs...)
}

// Ping tells whether the database answers. Error: Unavailable.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.Revision(ctx)
	return err
}

// Revision returns the number that moves with every committed change of users, links, roles and keys.
func (s *Store) Revision(ctx context.Context) (int64, error) {
	var n int64
	err := s.read.QueryRowContext(ctx, `SELECT value FROM revision WHERE id = 1`).Scan(&n)
	return n, fault("read revision", err)
}
