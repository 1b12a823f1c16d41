package rest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/idbridge/idbridge/internal/testserver"
)

// postgres is the one PostgreSQL server of this test process; each test gets a database of its own in it.
var postgres struct {
	sync.Once
	address string
	stop    func() error
	err     error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if postgres.stop != nil {
		if err := postgres.stop(); err != nil {
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

// onSQLite returns the URL of an empty store of the test's own.
func onSQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "idbridge.db")
}

// onBoth runs a test over both databases.
func onBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, onSQLite(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		testserver.Need(t, "initdb")
		postgres.Do(func() { postgres.address, postgres.stop, postgres.err = testserver.StartPostgres(os.TempDir()) })
		if postgres.err != nil {
			t.Fatalf("start PostgreSQL: %v", postgres.err)
		}
		address, err := testserver.PostgresDatabase(postgres.address)
		if err != nil {
			t.Fatalf("make database: %v", err)
		}
		test(t, address)
	})
}
