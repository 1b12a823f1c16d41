package authstore

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestHistoryUsesItsIndex asks SQLite, which takes a partial index only for a condition that it recognises.
func TestHistoryUsesItsIndex(t *testing.T) {
	s, err := Open(t.Context(), Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "i.db")}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var id, parent, unused int
	var plan string
	err = s.read.QueryRow(`EXPLAIN QUERY PLAN SELECT `+changeColumns+` FROM run_change`+changesOfUser, 1, 10).Scan(&id, &parent, &unused, &plan)
	if err != nil || !strings.Contains(plan, "run_change_user") {
		t.Errorf("plan %q, %v", plan, err)
	}
}
