package plan_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain raises rapid's hundred sequences, which let real mistakes pass. The command line still wins.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "2000"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
