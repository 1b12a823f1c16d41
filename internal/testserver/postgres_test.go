package testserver_test

import (
	"database/sql"
	"testing"

	_ "github.com/lib/pq"

	"github.com/idbridge/idbridge/internal/testserver"
)

func TestPostgres(t *testing.T) {
	address := testserver.Postgres(t)
	other, err := testserver.PostgresDatabase(address)
	if err != nil {
		t.Fatal(err)
	}
	if other == address {
		t.Fatalf("both databases are %s", address)
	}
	for _, one := range []string{address, other} {
		db, err := sql.Open("postgres", one)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var n int
		if err := db.QueryRow(`SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n != 0 {
			t.Errorf("a fresh database has %d tables", n)
		}
	}
}
