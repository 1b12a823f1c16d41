package authstore

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/idbridge/idbridge"
)

const (
	sqliteReaders = 4
	ownerOnly     = 0o600 // the file holds digests of keys
)

// openSQLite takes the lock and opens one writer and several readers on the file.
func (s *Store) openSQLite(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("find database: %w", err)
	}
	if s.path, err = filepath.EvalSymlinks(path); err != nil { // its mark lies beside the file itself
		s.path = path // not there yet
	}
	if err := s.takeLock(path + ".lock"); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, ownerOnly) // SQLite would make it readable for everybody
	if err != nil {
		return openFault("database", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	if s.write, err = sqlx.Open("sqlite", sqliteDSN(path, "immediate")); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sqlx.Open("sqlite", sqliteDSN(path, "deferred", "query_only(1)")); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	s.read.SetMaxOpenConns(sqliteReaders)
	s.read.SetMaxIdleConns(sqliteReaders)
	return nil
}

// sqliteDSN carries every PRAGMA, so that each connection of a pool has them.
func sqliteDSN(path, lock string, more ...string) string {
	pragmas := append([]string{
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-16384)",
		"wal_autocheckpoint(8000)", "temp_store(2)", "journal_size_limit(67108864)",
	}, more...)
	query := url.Values{"_txlock": {lock}, "_pragma": pragmas}
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	return "file:" + escaped + "?" + query.Encode()
}

// How long a taken lock is waited for.
const (
	lockTries = 20
	lockPause = 25 * time.Millisecond
)

// takeLock locks the file for this process as long as the store is open. Errors: Locked, Invalid where the file system
// cannot lock.
func (s *Store) takeLock(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, ownerOnly)
	if err != nil {
		return openFault("lock file", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	// One who ends just now, or a child of his that has not come to its own program yet, lets go within the moment.
	for try := 0; try < lockTries && errors.Is(err, syscall.EWOULDBLOCK); try++ {
		time.Sleep(lockPause)
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err == nil {
		s.lock = f
		pid := strconv.Itoa(os.Getpid()) + "\n" // for the next one's message alone
		return errors.Join(f.Truncate(0), writeAt(f, pid))
	}
	pid := make([]byte, 16)
	n, _ := f.ReadAt(pid, 0)
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return &idbridge.Error{
			Kind: idbridge.Locked, Msg: "another process has the store open", Err: fmt.Errorf("lock %s: %w", path, err),
			Hint: "process " + strings.TrimSpace(string(pid[:n])) + " holds it: stop that one, or let it do the work",
		}
	}
	return &idbridge.Error{
		Kind: idbridge.Invalid, Msg: "the store lies on a file system that cannot lock files", Err: fmt.Errorf("lock %s: %w", path, err),
		Hint: "put the SQLite file on a local disk, or use PostgreSQL",
	}
}

func writeAt(f *os.File, text string) error {
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		return fmt.Errorf("write lock file: %w", err)
	}
	return nil
}

func openFault(what string, err error) error {
	out := &idbridge.Error{Kind: idbridge.Unavailable, Msg: "the store cannot be opened", Err: fmt.Errorf("open %s: %w", what, err)}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		out.Kind, out.Hint = idbridge.Invalid, "create the folder of the database first"
	case errors.Is(err, fs.ErrPermission):
		out.Kind, out.Hint = idbridge.Invalid, "let this user write into the folder of the database"
	case errors.Is(err, syscall.ENOSPC):
		out.Msg, out.Hint = "the store's disk is full", "free space where the database lies"
	case errors.Is(err, syscall.EISDIR):
		out.Kind, out.Hint = idbridge.Invalid, "the store url names a folder; name a file in it"
	}
	return out
}
