package controlroom_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/idbridge/idbridge/internal/testserver"
)

// server is the one PostgreSQL server of this test process; each test gets a database of its own in it.
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
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// onBoth runs a test over both databases.
func onBoth(t *testing.T, test func(t *testing.T, b *bed)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, newBed(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		testserver.Need(t, "initdb")
		server.Do(func() { server.address, server.stop, server.err = testserver.StartPostgres(os.TempDir()) })
		if server.err != nil {
			t.Fatalf("start PostgreSQL: %v", server.err)
		}
		address, err := testserver.PostgresDatabase(server.address)
		if err != nil {
			t.Fatalf("make database: %v", err)
		}
		test(t, newBedAt(t, address))
	})
}
