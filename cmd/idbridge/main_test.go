package main

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/idbridge/idbridge/internal/testserver"
)

// server is the one PostgreSQL server of this test process; each test gets a database of its own in it. A test that stops
// the server or moves it starts its own.
var server struct {
	sync.Once
	address string
	stop    func() error
	err     error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.stop != nil {
		if err := server.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// freshPostgres returns the URL of an empty database.
func freshPostgres(t testing.TB) string {
	t.Helper()
	testserver.Need(t, "initdb")
	server.Do(func() { server.address, server.stop, server.err = testserver.StartPostgres(os.TempDir()) })
	if server.err != nil {
		t.Fatalf("start PostgreSQL: %v", server.err)
	}
	address, err := testserver.PostgresDatabase(server.address)
	if err != nil {
		t.Fatalf("make database: %v", err)
	}
	return address
}
