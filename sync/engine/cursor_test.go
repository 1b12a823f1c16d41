package engine_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
)

// TestI14CursorHonesty: the bookmark of a directory is never ahead of what is stored: not when a run dies between two steps,
// is held, fails or is cut short; and a store that was put back from an older copy catches up with the directory instead
// of writing its old values over newer ones.
func TestI14CursorHonesty(t *testing.T) {
	t.Parallel()
	t.Run("runs that die", func(t *testing.T) { check(t, 1, existence) })
	t.Run("an older copy of the store", func(t *testing.T) {
		for seed := range uint64(60) {
			olderCopy(t, rand.New(rand.NewPCG(seed, 14)))
		}
	})
}

// olderCopy lets people edit and runs go on, puts the store back as it was at some moment, and lets runs go on.
func olderCopy(t *testing.T, chance *rand.Rand) {
	t.Helper()
	s := newScene(4)
	s.run(t)
	n := 0
	live := func(times int) {
		for range times {
			id := "r" + strconv.Itoa(1+chance.IntN(4))
			n++
			value := idbridge.Values{"v" + strconv.Itoa(n)}
			switch chance.IntN(5) {
			case 0, 1:
				s.editDirectory(s.entries[id], title, value)
			case 2, 3:
				s.editStore(s.users[s.links[id].User], title, value)
			default:
				s.run(t)
			}
		}
	}
	live(1 + chance.IntN(10))
	copied := s.copyStore()
	live(1 + chance.IntN(20))
	shown := map[string]string{}
	for id, e := range s.entries {
		shown[id] = e.profile[title].First()
	}
	copied.entries, copied.dirGroups, copied.changes = s.entries, s.dirGroups, s.changes
	waiting := map[string]string{} // edits of the copy on their way
	for id, l := range copied.links {
		if v := copied.users[l.User].Profile[title].First(); v != l.Base[title].First() && shown[id] == l.Base[title].First() {
			waiting[id] = v
		}
	}
	*s.world = *copied
	s.epoch++
	for range 3 {
		s.run(t)
	}
	for id := range shown {
		want := shown[id]
		if v, ok := waiting[id]; ok {
			want = v
		}
		if got := s.both(id); got[0] != want || got[1] != want {
			t.Fatalf("%s showed %q; store and directory hold %q, want %q", id, shown[id], got, want)
		}
	}
	image := s.image()
	if s.run(t); s.image() != image {
		t.Fatal("it does not come to rest")
	}
}

// A store that is known to be an older copy writes nothing at all until somebody accepts it: no run, no push, no approved
// plan has an effect.
func TestRestoredStoreWaits(t *testing.T) {
	s := newScene(3)
	s.run(t)
	s.editDirectory(s.entries["r1"], title, idbridge.Values{"new"})
	s.editStore(s.users[s.links["r2"].User], title, idbridge.Values{"new"})
	dry := s.dry(t)
	s.source.Restored = s.now
	data := s.data()
	rep := s.run(t)
	if !rep.Held || rep.Alarm != "held: restored" {
		t.Errorf("%+v", rep)
	}
	if rep, err := s.engine.Push(t.Context(), s.target, s.epoch, 10); err != nil || !rep.Held || rep.Run.ID != 0 {
		t.Errorf("push: %v %+v", err, rep)
	}
	for _, hash := range []string{dry.Plan.Hash, rep.Plan.Hash} {
		if s.plans[hash].State == idbridge.PlanDiscarded {
			s.plans[hash].State = idbridge.PlanReady
		}
		if _, err := s.engine.Apply(t.Context(), s.target, hash, "ann", s.epoch); idbridge.KindOf(err) != idbridge.Held {
			t.Errorf("apply: %v", err)
		}
	}
	if s.data() != data || s.modifies != 0 {
		t.Error("something was done")
	}
	s.source.Restored = time.Time{}
	if c := s.run(t).Run.Counts; c.Updated != 2 {
		t.Errorf("accepted: %+v", c)
	}
}

// A record that shows an older state than before is left alone until a person approves it.
func TestOlderRecordWaits(t *testing.T) {
	s := newScene(30)
	s.policy.Limits.Back = 2
	version := func(id string, n int) { s.entries[id].version = fmt.Sprintf("202601010000%02dZ", n) }
	for id := range s.entries {
		version(id, 20)
	}
	s.run(t)
	s.editDirectory(s.entries["r1"], title, idbridge.Values{"older"})
	version("r1", 10)
	s.editDirectory(s.entries["r2"], title, idbridge.Values{"newer"})
	version("r2", 30)
	rep := s.run(t)
	if s.title("r1") != "tr1" || s.title("r2") != "newer" || rep.Held || !rep.Run.Counts.AddUp() {
		t.Errorf("%q %q %+v", s.title("r1"), s.title("r2"), rep.Run.Counts)
	}
	dry := s.dry(t)
	if c := s.apply(t, dry.Plan.Hash).Run.Counts; s.title("r1") != "older" || c.Updated != 1 {
		t.Errorf("approved: %q %+v", s.title("r1"), c)
	}
	for _, id := range []string{"r3", "r4", "r5"} {
		s.editDirectory(s.entries[id], title, idbridge.Values{"older"})
		version(id, 10)
	}
	if rep := s.run(t); !rep.Held || s.title("r3") != "tr3" {
		t.Errorf("%+v", rep.Plan.Verdicts)
	} else if s.apply(t, rep.Plan.Hash); s.title("r3") != "older" {
		t.Errorf("approved: %q", s.title("r3"))
	}
}
