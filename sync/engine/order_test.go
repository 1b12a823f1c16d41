package engine_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
)

// shuffled is a directory that lists what it has in any order. Its writes may come from several goroutines.
type shuffled struct {
	*careful
	order *rand.Rand
}

func (d *shuffled) Open(context.Context) (idbridge.Session, error) { return d, nil }

func (d *shuffled) Scan(ctx context.Context, since idbridge.Cursor) iter.Seq2[idbridge.Change, error] {
	var changes []idbridge.Change
	var end idbridge.Change
	for c, err := range d.careful.Scan(ctx, since) {
		if err != nil {
			panic(err)
		}
		if _, ok := c.(idbridge.Checkpoint); ok {
			end = c
		} else {
			changes = append(changes, c)
		}
	}
	if d.order != nil {
		d.order.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
	}
	return func(yield func(idbridge.Change, error) bool) {
		for _, c := range append(changes, end) {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// troubled is a world in which much happens at once: unique values that several want, swaps, edits on both sides, people
// who come and go, members who come before their records.
func troubled(order *rand.Rand, writers int) *scene {
	s := newScene(60)
	s.policy.Rules[idbridge.Email] = plan.Rule{Flow: plan.Both, OnConflict: plan.PreferDirectory}
	s.policy.Roles = []idbridge.RoleRule{{Role: "EDITOR", Directory: directoryName, Group: editors}}
	s.engine.Writers = writers
	s.target.Directory = &shuffled{careful: &careful{view: s.view}, order: order}
	for i := range 60 {
		id := fmt.Sprintf("r%d", i+1)
		s.entries[id].profile[idbridge.Email] = idbridge.Values{id + "@example.org"}
	}
	return s
}

func (s *scene) trouble() {
	swap := func(a idbridge.Attribute, x, y string) {
		e, f := s.entries[x], s.entries[y]
		ev, fv := e.profile[a], f.profile[a]
		s.editDirectory(e, a, fv)
		s.editDirectory(f, a, ev)
	}
	swap(idbridge.Email, "r1", "r2")
	swap(idbridge.UserName, "r3", "r4")
	for _, id := range []string{"r5", "r6", "n1", "n2"} { // one address for four
		if s.entries[id] == nil {
			s.entries[id] = &entry{id: id, dn: "uid=" + id, profile: idbridge.Profile{idbridge.UserName: {"l" + id}}}
		}
		s.editDirectory(s.entries[id], idbridge.Email, idbridge.Values{"Shared@example.org"})
	}
	for i := 10; i < 40; i++ {
		id := fmt.Sprintf("r%d", i)
		if i%2 == 0 {
			s.editDirectory(s.entries[id], title, idbridge.Values{"directory " + id})
		}
		if i%3 == 0 {
			s.editStore(s.users[s.links[id].User], title, idbridge.Values{"store " + id})
		}
	}
	delete(s.entries, "r50")
	s.dirGroups["g1"] = &dirGroup{dn: editors, members: []string{"r7", "n1", "r51"}}
}

// outcome is what a run left, told without the ids of users, which come in the order of the listing.
func (s *scene) outcome(rep *engine.Report) string {
	var b strings.Builder
	for _, id := range sortedKeys(s.links) {
		l := s.links[id]
		grants := 0
		for key := range s.grants {
			if key.user == l.User {
				grants++
			}
		}
		fmt.Fprintf(&b, "%s %v base %v %s missed %d grants %d digest %s\n", id, s.users[l.User].Profile, l.Base, l.State, l.Sightings, grants, l.Digest)
	}
	for _, id := range sortedKeys(s.entries) {
		fmt.Fprintf(&b, "%s shows %v\n", id, s.entries[id].profile)
	}
	var rows []string
	for _, c := range s.conflicts {
		rows = append(rows, fmt.Sprint(c.Link, c.Attribute, c.Base, c.Store, c.Directory, c.Winner))
	}
	slices.Sort(rows)
	fmt.Fprintf(&b, "%v\n%+v\n", rows, rep.Run.Counts)
	return b.String()
}

// TestI15OrderIndependence: what a run does depends neither on the order in which the directory lists its records and groups
// nor on the number of writers.
func TestI15OrderIndependence(t *testing.T) {
	want := ""
	for seed := range uint64(15) {
		writers := []int{1, 3, 16}[seed%3]
		var order *rand.Rand
		if seed > 0 {
			order = rand.New(rand.NewPCG(seed, 0))
		}
		s := troubled(order, writers)
		s.run(t)
		s.trouble()
		rep := s.run(t)
		got := s.outcome(&rep)
		if rep.Run.Counts.Settled < 5 || rep.Run.Counts.Conflicts < 5 {
			t.Fatalf("too little happened: %+v", rep.Run.Counts)
		}
		for range 2 {
			rep = s.run(t)
			got += s.outcome(&rep)
		}
		image := s.image()
		s.run(t)
		if s.image() != image {
			t.Fatalf("order %d: it does not come to rest", seed)
		}
		if want == "" {
			want = got
		} else if got != want {
			t.Fatalf("order %d, %d writers:\n%s\ninstead of\n%s", seed, writers, got, want)
		}
	}
}
