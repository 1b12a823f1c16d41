package engine_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/idbridge/idbridge/sync/plan"
)

// The tests of this package that are called by a number are the guarantees of docs/guarantees.md, one sentence each. The
// five below ask the machine of TestMerge one question each; TestMerge asks it all of them, in more sequences, and TestGate
// shows for each that it is noticed when it is broken.

func promised(t *testing.T, guarantee string) {
	t.Helper()
	t.Parallel()
	for _, c := range []struct {
		flow plan.Flow
		on   plan.OnConflict
	}{{plan.Both, plan.HoldConflict}, {plan.Both, plan.PreferDirectory}, {plan.Both, plan.PreferStore}} {
		t.Run(string(c.on), func(t *testing.T) {
			check(t, 1, func(rt *rapid.T) { mergeFor(rt, c.flow, c.on, guarantee) })
		})
	}
}

// TestI01Convergence: once nobody edits any more, both sides hold the same values after a few runs, or a conflict waits
// that says exactly what each side holds.
func TestI01Convergence(t *testing.T) { promised(t, "converged") }

// TestI02NoLostUpdate: a value that a person wrote disappears only when somebody who could see it replaced it, or when it
// lies in a conflict row from which it can be brought back; also when runs die, overlap or are undone late.
func TestI02NoLostUpdate(t *testing.T) { promised(t, "lost") }

// TestI03NoInvention: every value on either side was written by a person, never made up by a run.
func TestI03NoInvention(t *testing.T) { promised(t, "invented") }

// TestI04Fixpoint: a run without edits since the last one writes nothing to the directory and changes no row.
func TestI04Fixpoint(t *testing.T) { promised(t, "fixpoint") }

// TestI05ConflictRow: every conflict leaves a row with the values of both sides and the base, and one that waits for a
// person says exactly what both sides hold.
func TestI05ConflictRow(t *testing.T) {
	promised(t, "row")
	t.Run("three values", func(t *testing.T) {
		for on, winner := range map[plan.OnConflict]string{
			plan.HoldConflict: "", plan.PreferDirectory: "directory", plan.PreferStore: "store",
		} {
			s := newScene(1)
			s.policy.Rules[title] = plan.Rule{Flow: plan.Both, OnConflict: on}
			s.run(t)
			s.contradict("r1", "in the store", "in the directory")
			s.run(t)
			if len(s.conflicts) != 1 {
				t.Fatalf("%s: %d rows", on, len(s.conflicts))
			}
			c := s.conflicts[0]
			if c.Base.First() != "tr1" || c.Store.First() != "in the store" || c.Directory.First() != "in the directory" || string(c.Winner) != winner {
				t.Errorf("%s: %+v", on, c)
			}
			if waits := c.Closed.IsZero(); waits != (on == plan.HoldConflict) {
				t.Errorf("%s: waits: %v", on, waits)
			}
			if on == plan.HoldConflict && (s.title("r1") != "in the store" || s.shows("r1") != "in the directory") {
				t.Errorf("under hold something was resolved: %q", s.both("r1"))
			}
		}
	})
}

// TestI06BaseHonesty: what both sides are said to agree on is what they really agreed on: it moves only with an effect that
// was acknowledged or read back, or when both hold the same, and nothing stays half sent.
func TestI06BaseHonesty(t *testing.T) { promised(t, "base") }
