package engine_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// TestMain sets the number of random sequences: 20,000 for one run of the suite, since rapid's default of 100 lets mistakes
// pass; IDBRIDGE_SEQUENCES=100000 in the night.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if err := flag.Set("rapid.nofailfile", "true"); err != nil { // the seed that is printed says as much
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if !given {
		all, err := strconv.Atoi(os.Getenv("IDBRIDGE_SEQUENCES"))
		if err != nil || all < 100 {
			all = sequences
		}
		if err := flag.Set("rapid.checks", strconv.Itoa(all/100)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
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
