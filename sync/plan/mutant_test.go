package plan_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMutantsDie builds the tests with the mutants in and switches on one after the other. Each mistake must be noticed
// by the golden plans, and, where it can be seen in one decision, by the properties too.
func TestMutantsDie(t *testing.T) {
	if testing.Short() && os.Getenv("REQUIRE_ALL") != "1" || os.Getenv("MUTANT") != "" { // in the child it would call itself
		t.Skip("builds the tests again")
	}
	binary := filepath.Join(t.TempDir(), "plan.test")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-tags", "mutants", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	run := func(mutant, tests string) error {
		cmd := exec.CommandContext(t.Context(), binary, "-test.run", tests, "-rapid.nofailfile", "-rapid.shrinktime=0s")
		cmd.Env = append(os.Environ(), "MUTANT="+mutant)
		return cmd.Run()
	}
	golden, properties := "TestDecideGolden|TestDecideGroup|TestUnknowns", "TestPlanApplyPlan"
	guards, undo := "TestOverrides|TestAllowed", "TestUndoGolden"
	if err := run("none", strings.Join([]string{golden, properties, guards, undo}, "|")); err != nil {
		t.Fatalf("no mutant, and still: %v", err)
	}
	for mutant, tests := range map[string][]string{
		"lww":             {golden, properties},
		"nofold":          {golden, properties},
		"pullnobase":      {golden}, // the next decision heals it by folding; the engine's property test sees what comes between
		"errorempty":      {golden, properties},
		"partialcomplete": {golden, properties},
		"groupempty":      {golden},
		"pingpong":        {golden},
		"backapplied":     {guards},
		"grantslip":       {guards},
		"overrideforever": {guards},
		"blindundo":       {undo},
	} {
		for _, one := range tests {
			if run(mutant, one) == nil {
				t.Errorf("%s survives %s", mutant, one)
			}
		}
	}
}
