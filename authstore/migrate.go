package authstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/idbridge/idbridge"
)

//go:embed migrations/*.sql
var migrations embed.FS // embed needs a package variable; nothing writes it

const (
	migrateLock = 0x69646272 // "idbr"; any number that nobody else uses in this database
	migrateWait = 2 * time.Minute
	migratePoll = 200 * time.Millisecond
)

// migrate brings the schema to this program's version. On PostgreSQL one process at a time does it. Error: Conflicting
// when the schema is newer: goose alone would do nothing and call it a success.
func (s *Store) migrate(ctx context.Context) error {
	if !s.postgres {
		return s.up(ctx, goose.DialectSQLite3)
	}
	if err := s.checkServer(ctx); err != nil {
		return err
	}
	lock, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("lock migrations: %w", err)
	}
	defer lock.Rollback() //nolint:errcheck // it wrote nothing; its end is what frees the lock
	if _, err := lock.ExecContext(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
		return fmt.Errorf("lock migrations: %w", err)
	}
	waiting, cancel := context.WithTimeout(ctx, migrateWait)
	defer cancel()
	for got := false; !got; {
		// Polled: a waiter inside pg_advisory_xact_lock holds a snapshot that CREATE INDEX CONCURRENTLY waits for.
		if err := lock.QueryRowContext(ctx, `SELECT pg_try_advisory_xact_lock($1)`, migrateLock).Scan(&got); err != nil {
			return fmt.Errorf("lock migrations: %w", err)
		}
		if got {
			break
		}
		if err := pause(waiting, migratePoll); err != nil {
			if ctx.Err() != nil {
				return err
			}
			return &idbridge.Error{
				Kind: idbridge.Locked, Msg: "another process migrates the store", Hint: "wait for it; look for its transaction in pg_stat_activity",
			}
		}
	}
	return s.up(ctx, goose.DialectPostgres)
}

func (s *Store) up(ctx context.Context, dialect goose.Dialect) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	provider, err := goose.NewProvider(dialect, s.write.DB, oneDialect{files, s.foreign()}, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if current > target {
		return s.mayWork(ctx, current, target)
	}
	if _, err := provider.Up(ctx); err != nil {
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			return fmt.Errorf("migrate to version %d: %w", partial.Failed.Source.Version, partial.Err)
		}
		return fmt.Errorf("migrate: %w", err)
	}
	return s.stamp(ctx, target)
}

// foreign is the ending of migration files that are for the other database.
func (s *Store) foreign() string {
	if s.postgres {
		return ".sqlite.sql"
	}
	return ".postgres.sql"
}

// oneDialect hides the files of the other database: goose refuses two files of one version.
type oneDialect struct {
	fs.FS
	foreign string
}

// Glob implements fs.GlobFS, by which goose finds the files.
func (o oneDialect) Glob(pattern string) ([]string, error) {
	all, err := fs.Glob(o.FS, pattern)
	return slices.DeleteFunc(all, func(name string) bool { return strings.HasSuffix(name, o.foreign) }), err
}

// pause waits, or ends with the context.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait: %w", ctx.Err())
	}
}
