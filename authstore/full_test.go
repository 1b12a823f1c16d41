package authstore

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
)

// TestFullDisk lets the database run out of pages, which is what SQLite reports of a full disk: the transaction is undone as a
// whole, the error says what to do, and with space everything goes on.
func TestFullDisk(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "full.db")}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	add := func(login string, size int) error {
		_, err := s.AddUser(ctx, idbridge.NewUser{Profile: idbridge.Profile{
			idbridge.UserName: {login}, idbridge.DisplayName: {strings.Repeat("x", size)},
		}})
		return err
	}
	if err := add("ann", 10); err != nil {
		t.Fatal(err)
	}
	before, err := s.Digests(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.write.Exec(`PRAGMA max_page_count = 1`); err != nil { // it stays at what is in use
		t.Fatal(err)
	}
	err = add("bob", 1<<20)
	if idbridge.KindOf(err) != idbridge.Unavailable || !strings.Contains(idbridge.HintOf(err), "free space") {
		t.Fatalf("error %v, hint %q", err, idbridge.HintOf(err))
	}
	if a, err := s.AccessByName(ctx, "ann"); err != nil || !a.May {
		t.Errorf("reading with a full disk: %+v, %v", a, err)
	}
	after, err := s.Digests(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for table := range before {
		if before[table] != after[table] {
			t.Errorf("%s changed", table)
		}
	}
	if _, err := s.write.Exec(`PRAGMA max_page_count = 1000000`); err != nil {
		t.Fatal(err)
	}
	if err := add("bob", 1<<20); err != nil {
		t.Error(err)
	}
}
