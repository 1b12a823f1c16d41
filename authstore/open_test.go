package authstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
)

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		url, password, want string
	}{
		{"sqlite:x.db", "", ""},
		{"sqlite:/var/lib/x.db", "", ""},
		{"postgres://u@h/d?sslmode=disable", "pw", ""},
		{"postgres://u@h1,h2:5433/d?sslmode=verify-full", "", ""},
		{"", "", "store url is missing"},
		{"sqlite:", "", "names no file"},
		{"sqlite://x.db", "", "slashes"},
		{"sqlite::memory:", "", "would forget"},
		{"sqlite:x.db", "pw", "has no password"},
		{"mysql://u@h/d", "", "neither sqlite"},
		{"postgres://u@h/d", "", "no sslmode"},
		{"postgres://u@h/d?sslmode=prefer", "", "unknown sslmode"},
		{"postgres://h/d?sslmode=require", "", "no user"},
		{"postgres://u@h/?sslmode=require", "", "no database"},
		{"postgres://u@/d?sslmode=require", "", "no host"},
		{"postgres://u:s3cr%zz@h/d?sslmode=require", "", "cannot be parsed"},
	} {
		faults := authstore.Config{URL: c.url, Password: idbridge.NewSecret(c.password)}.Validate()
		text := fmt.Sprint(faults)
		switch {
		case c.want == "" && len(faults) > 0:
			t.Errorf("%s: %v", c.url, faults)
		case c.want != "" && (len(faults) == 0 || !strings.Contains(text, c.want)):
			t.Errorf("%s: %v, want %q", c.url, faults, c.want)
		case strings.Contains(text, "s3cr"):
			t.Errorf("%s: the fault shows the password: %v", c.url, faults)
		}
		for _, f := range faults {
			if idbridge.KindOf(f) != idbridge.Invalid || idbridge.HintOf(f) == "" {
				t.Errorf("%s: fault %v has no hint", c.url, f)
			}
		}
	}
}

// wantOpen tries to open a store and wants an error of a kind whose hint holds a text.
func wantOpen(t *testing.T, c authstore.Config, kind idbridge.Kind, hint string) {
	t.Helper()
	s, err := authstore.Open(t.Context(), c, authstore.Options{})
	if err == nil {
		t.Fatal(s.Close(), "it opened")
	}
	if idbridge.KindOf(err) != kind || !strings.Contains(idbridge.HintOf(err), hint) {
		t.Errorf("%v is %v, hint %q; want %v, %q", err, idbridge.KindOf(err), idbridge.HintOf(err), kind, hint)
	}
	if strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestOpenFaultsOfSQLite(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "not.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	wantOpen(t, authstore.Config{URL: "sqlite:" + file}, idbridge.Unavailable, "backup")
	wantOpen(t, authstore.Config{URL: "sqlite:" + dir}, idbridge.Invalid, "folder")
	wantOpen(t, authstore.Config{URL: "sqlite:" + filepath.Join(dir, "no", "x.db")}, idbridge.Invalid, "create the folder")
	wantOpen(t, authstore.Config{URL: "oracle:x"}, idbridge.Invalid, "sqlite:")

	b := newBed(t, "sqlite:"+filepath.Join(dir, "odd name?#%41.db"))
	b.create("ann")
	wantOpen(t, authstore.Config{URL: b.url}, idbridge.Locked, fmt.Sprint(os.Getpid()))
	info, err := os.Stat(filepath.Join(dir, "odd name?#%41.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file %v, %v", info, err)
	}
}

func TestOpenFaultsOfPostgres(t *testing.T) {
	address := freshPostgres(t)
	ask(t, "postgres", address, `DO $$ BEGIN CREATE ROLE locked NOLOGIN PASSWORD 'x'; EXCEPTION WHEN duplicate_object THEN NULL; END $$`)
	wantOpen(t, authstore.Config{URL: strings.Replace(address, "idbridge@", "locked@", 1), Password: idbridge.NewSecret("wr0ng")},
		idbridge.Unavailable, "pg_hba.conf")
	wantOpen(t, authstore.Config{URL: strings.Replace(address, "/idb_", "/none_", 1)}, idbridge.Unavailable, "createdb")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	wantOpen(t, authstore.Config{URL: "postgres://u@" + closed + "/d?sslmode=disable"}, idbridge.Unavailable, "PostgreSQL runs")
	wantOpen(t, authstore.Config{URL: strings.Replace(address, "disable", "require", 1)}, idbridge.Unavailable, "sslmode")
}

// ask runs a statement beside the store and returns its rows as text.
func ask(t testing.TB, driver, address, query string) []string {
	t.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// driver returns the driver and the address to reach the bed's database without the store.
func (b *bed) driver() (name, address string) {
	if path, ok := strings.CutPrefix(b.url, "sqlite:"); ok {
		return "sqlite", "file:" + path
	}
	return "postgres", b.url
}

func TestNewerSchemaIsRefused(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		name, address := b.driver()
		ask(t, name, address, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`)
		if err := b.Resign(t.Context(), b.lead.Epoch); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := authstore.Open(t.Context(), authstore.Config{URL: b.url}, authstore.Options{})
		wantKind(t, err, idbridge.Conflicting)
		if !strings.Contains(err.Error(), "9999") || idbridge.HintOf(err) == "" {
			t.Errorf("error %v, hint %q", err, idbridge.HintOf(err))
		}
		ask(t, name, address, `DELETE FROM goose_db_version WHERE version_id = 9999`)
		b.open()
	})
}

func TestBothDatabasesHaveTheSameColumns(t *testing.T) {
	lite, pg := newBed(t, databases(t)["sqlite"](t)), newBed(t, freshPostgres(t))
	name, address := lite.driver()
	// An INTEGER PRIMARY KEY is SQLite's own row id: 64 bits, as BIGINT.
	here := ask(t, name, address, `SELECT m.name || '.' || c.name || ' ' || CASE WHEN c.pk = 1 AND c.type = 'INTEGER' THEN 'bigint' ELSE lower(c.type) END FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE 'goose%'`)
	name, address = pg.driver()
	there := ask(t, name, address, `SELECT table_name || '.' || column_name || ' ' || data_type FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name NOT LIKE 'goose%'`)
	slices.Sort(here)
	slices.Sort(there)
	if diff := cmp.Diff(here, there); diff != "" {
		t.Errorf("columns (-sqlite +postgres):\n%s", diff)
	}
	tables := map[string]bool{}
	for _, c := range here {
		table, _, _ := strings.Cut(c, ".")
		tables[table] = true
		if kind := c[strings.LastIndexByte(c, ' ')+1:]; !slices.Contains([]string{"text", "bigint", "boolean", "bytea"}, kind) {
			t.Errorf("%s has a type of its own", c)
		}
	}
	digests := must(lite.Digests(t.Context()))(t)
	if len(digests) != len(tables) {
		t.Errorf("digests of %d tables, there are %d", len(digests), len(tables))
	}
}

func TestProcessesMigrateOneAfterTheOther(t *testing.T) {
	address := freshPostgres(t)
	var wg sync.WaitGroup
	errs := make(chan error, 4)
	for range 4 {
		wg.Go(func() {
			s, err := authstore.Open(context.Background(), authstore.Config{URL: address}, authstore.Options{})
			if err == nil {
				err = s.Close()
			}
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}

// TestReopen: what was committed is there after a restart, what was not is not.
func TestReopen(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := b.Commit(ctx, b.lead, []idbridge.Decision{creation("x", profile("userName", "x"))})
		if err == nil {
			t.Fatal("committed under a context that was over")
		}
		before := must(b.Digests(t.Context()))(t)
		b.reopen()
		after := must(b.Digests(t.Context()))(t)
		for table := range before {
			if table != "lease" && table != "runs" && before[table] != after[table] {
				t.Errorf("%s changed", table)
			}
		}
		if u := must(b.User(t.Context(), id))(t); u.UserName() != "ann" {
			t.Errorf("user %+v", u)
		}
		if _, err := b.UserByName(t.Context(), "x"); idbridge.KindOf(err) != idbridge.NotFound {
			t.Errorf("user of a cancelled commit: %v", err)
		}
	})
}

// TestLostDatabase: without the database nothing is guessed, neither from the cache.
func TestLostDatabase(t *testing.T) {
	b := newBed(t, freshPostgres(t))
	ctx := t.Context()
	id := b.create("ann")[0]
	must(b.Access(ctx, id))(t)
	name := b.url[strings.LastIndexByte(b.url, '/')+1 : strings.LastIndexByte(b.url, '?')]
	admin := strings.Replace(b.url, name, "postgres", 1)
	ask(t, "postgres", admin, `ALTER DATABASE `+name+` ALLOW_CONNECTIONS false`)
	waitFor(t, func() bool {
		ask(t, "postgres", admin, `SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE datname = '`+name+`'`)
		_, err := b.Access(ctx, id)
		return err != nil
	})
	_, err := b.AddUser(ctx, idbridge.NewUser{Profile: profile("userName", "x")})
	wantKind(t, err, idbridge.Unavailable)
	wantKind(t, b.Ping(ctx), idbridge.Unavailable)
	ask(t, "postgres", admin, `ALTER DATABASE `+name+` ALLOW_CONNECTIONS true`)
	waitFor(t, func() bool { a, err := b.Access(ctx, id); return err == nil && a.May })
}

func TestLeaseRunsOut(t *testing.T) {
	b := newBed(t, freshPostgres(t))
	ctx := t.Context()
	if err := b.Renew(ctx, b.lead.Epoch, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return b.Renew(ctx, b.lead.Epoch, time.Millisecond) != nil })
	wantKind(t, b.Renew(ctx, b.lead.Epoch, time.Hour), idbridge.Locked)
	_, err := b.Commit(ctx, b.lead, []idbridge.Decision{creation("x", profile("userName", "x"))})
	wantKind(t, err, idbridge.Locked)
}
