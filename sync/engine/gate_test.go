package engine_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestGate brings back each mistake of the table and lets the property tests look for it. One that must be found and is
// not is a failure: then the tests have gone blind. "Survives" is expected where only false conflicts can follow: under
// hold nothing is lost without the record of what was sent.
//
//	merge           mistakes in the order of reading, sending and settling
//	coming, going   the other rules: one mistake each
func TestGate(t *testing.T) {
	if testing.Short() && os.Getenv("REQUIRE_ALL") != "1" {
		t.Skip("takes minutes")
	}
	const hold, directory = "^TestMerge$/^hold$", "^TestMerge$/^directory$"
	const existence, sqlite = "^TestExistence$", "^TestMergeOverSQLite$"
	both := []string{hold, directory}
	gate := []struct {
		mutant string
		dies   []string // tests that must fail
	}{
		{"lww", both},
		{"blind", both},
		{"nover", both},
		{"basefirst", both},
		{"settlealways", both},
		{"nofold", both},
		{"readbackbase", both},
		{"nosent", []string{directory}},
		{"settlever", []string{directory}},
		{"pullnobase", []string{directory}},
		{"noid", []string{directory}},
		{"undoblind", both},
		{"miscount", both},
		{"nosent+blind", []string{directory}},
		{"errorempty", []string{existence}},
		{"partialcomplete", []string{existence}},
		{"joinbydn", []string{existence}},
		{"cursorfirst", []string{existence}},
		{"lateguard", []string{existence}},
		{"groupempty", []string{existence}},
		{"groupkept", []string{existence}},
		{"nover+", []string{sqlite}}, // the store's own preconditions
		{"settlever+", []string{sqlite}},
	}
	binary := mutants(t)
	if out, err := run(t, binary, "", directory, "2000"); err != nil {
		t.Fatalf("the tests fail without any mutant:\n%s", out)
	}
	slots := make(chan struct{}, 2)
	for _, c := range gate {
		for _, name := range c.dies {
			t.Run(c.mutant+" "+strings.NewReplacer("^", "", "$", "", "/", " ").Replace(name), func(t *testing.T) {
				t.Parallel()
				slots <- struct{}{}
				defer func() { <-slots }()
				out, err := run(t, binary, c.mutant, name, "200000")
				if err == nil {
					t.Fatalf("the mutant survived:\n%s", out)
				}
				// A panic, a timeout or a missing test is no discovery.
				found := regexp.MustCompile(`failed after (\d+) tests: (.*)`).FindStringSubmatch(out)
				if found == nil {
					t.Fatalf("the mutant broke the test instead of being found: %v\n%s", err, tail(out))
				}
				t.Logf("died: %s", found[2])
			})
		}
	}
}

// mutants builds this package's tests with the mistakes in them.
func mutants(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "mutants.test")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "test", "-c", "-tags", "mutants", "-o", binary, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// run runs one test with one mutant, for at most two minutes.
func run(t *testing.T, binary, mutant, name, sequences string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.run", name, "-rapid.shrinktime", "0s", "-test.timeout", "2m")
	cmd.Env = append(os.Environ(), "MUTANT="+mutant, "IDBRIDGE_SEQUENCES="+sequences)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = errors.Join(err, ctx.Err())
	}
	return string(out), err
}

func tail(s string) string {
	const most = 4000
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}
