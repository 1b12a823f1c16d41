package testserver_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/idbridge/idbridge/internal/testserver"
)

func sqlOpen(t *testing.T, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", address+"&connect_timeout=5")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func count(ctx context.Context, db *sql.DB) (n int, err error) {
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM people`).Scan(&n)
	return n, err
}

// silent insists that nothing comes over the connection: lib/pq itself waits without an end for a server that is paused,
// whatever the context says, so the question is asked beside it.
func silent(t *testing.T, db *sql.DB) {
	t.Helper()
	answer := make(chan error, 1)
	go func() {
		_, err := count(context.Background(), db)
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Errorf("an answer: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	t.Cleanup(func() { <-answer })
}

func soon(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestPostgresServer(t *testing.T) {
	s := testserver.NewPostgresServer(t)
	if _, err := s.SQL(`CREATE TABLE people (name text); INSERT INTO people VALUES ('anna')`); err != nil {
		t.Fatal(err)
	}
	db := sqlOpen(t, s.URL())
	if n, err := count(t.Context(), db); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	silent(t, db)
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if n, err := count(soon(t, 20*time.Second), db); n != 1 || err != nil {
		t.Error("resumed:", n, err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := count(soon(t, 5*time.Second), db); err == nil || s.PID() != 0 {
		t.Error("a dead server answers")
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if n, err := count(soon(t, 20*time.Second), db); n != 1 || err != nil {
		t.Error("started again:", n, err)
	}
}

func TestPostgresStandby(t *testing.T) {
	s := testserver.NewPostgresServer(t)
	standby := s.Standby(t, true)
	if _, err := s.SQL(`CREATE TABLE people (name text); INSERT INTO people VALUES ('anna')`); err != nil {
		t.Fatal(err)
	}
	hole := testserver.NewBlackHole(t, s.Addr())
	db := sqlOpen(t, hole.URL(s.URL()))
	if n, err := count(t.Context(), db); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	hole.Point(standby.Addr())
	if _, err := db.ExecContext(soon(t, 20*time.Second), `INSERT INTO people VALUES ('berta')`); err != nil {
		t.Fatal("write to the promoted one:", err)
	}
	if n, err := count(t.Context(), db); n != 2 || err != nil {
		t.Error(n, err)
	}
}

func TestBlackHole(t *testing.T) {
	s := testserver.NewPostgresServer(t)
	if _, err := s.SQL(`CREATE TABLE people (name text)`); err != nil {
		t.Fatal(err)
	}
	hole := testserver.NewBlackHole(t, s.Addr())
	db := sqlOpen(t, hole.URL(s.URL()))
	if n, err := count(t.Context(), db); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	hole.Drop()
	silent(t, db)
	hole.Resume()
	if _, err := count(soon(t, 20*time.Second), db); err != nil {
		t.Error("resumed:", err)
	}
	hole.Forget()
	silent(t, db)
	if _, err := count(soon(t, 20*time.Second), sqlOpen(t, hole.URL(s.URL()))); err != nil {
		t.Error("a new connection:", err)
	}
	hole.Cut()
	if _, err := count(soon(t, 20*time.Second), db); err != nil {
		t.Error("after a cut:", err)
	}
}

func TestPgBouncer(t *testing.T) {
	s := testserver.NewPostgresServer(t)
	if _, err := s.SQL(`CREATE TABLE people (name text); INSERT INTO people VALUES ('anna')`); err != nil {
		t.Fatal(err)
	}
	db := sqlOpen(t, testserver.StartPgBouncer(t, s.URL()))
	db.SetMaxOpenConns(1)
	if n, err := count(soon(t, 20*time.Second), db); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	other := sqlOpen(t, testserver.StartPgBouncer(t, s.URL()))
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), `LOCK TABLE people`); err != nil {
		t.Fatal(err)
	}
	if _, err := count(soon(t, 300*time.Millisecond), other); err == nil {
		t.Error("the lock of a transaction does not hold")
	}
}
