package plan_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// TestUndoGolden reverses the run of each archive in testdata/undo: what it did, what store and directory hold now, and
// the plan that follows. Run with -update to write the plans anew, and read the diff.
func TestUndoGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/undo/*.txtar")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d archives found, want at least 25; %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, sections := unpack(string(raw))
			c := parseCase(t, sections)
			changes, created := parseRun(t, sections["run"], c.subject.ID)
			d, refused := plan.Reverse(&c.policy, changes, c.subject, c.observed.Record, created, noon)
			got := print(&d, c.observed.Digest)
			for _, r := range refused {
				got += strings.TrimRight(fmt.Sprintf("refused %s %s", r.Name, r.Attribute), " ") + ": " + r.Why + "\n"
			}
			if *update {
				text := head
				for _, name := range []string{"policy", "run", "base", "store", "directory", "more"} {
					if body, ok := sections[name]; ok {
						text += "-- " + name + " --\n" + body
					}
				}
				if err := os.WriteFile(file, []byte(text+"-- plan --\n"+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(sections["plan"], got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// parseRun reads what the run did, a change a line.
func parseRun(t *testing.T, section string, id idbridge.ExternalID) (changes []idbridge.RunChange, created bool) {
	t.Helper()
	each(section, func(key, value string) {
		words := strings.Fields(key)
		before, after, _ := strings.Cut(value, "→")
		c := idbridge.RunChange{Run: 4711, Link: id, User: 7, Side: idbridge.StoreSide, Verb: idbridge.Verb(words[0])}
		switch words[0] {
		case "created":
			created = true
			return
		case "store", "directory":
			a := idbridge.Attribute(words[1])
			c.Side, c.Verb = idbridge.Side(words[0]), idbridge.Update
			c.Before, c.After = idbridge.Profile{a: values(before)}, idbridge.Profile{a: values(after)}
		case "suspend", "restore":
			c.Was, c.State = idbridge.LinkState(strings.TrimSpace(before)), idbridge.LinkState(strings.TrimSpace(after))
		case "miss", "link", "purge":
		case "other":
			c.User, c.Verb = 99, idbridge.Miss
		default:
			t.Fatalf("what is %q?", key)
		}
		changes = append(changes, c)
	})
	return changes, created
}

// TestUndoProperty: what a run did to a record goes back, both sides agree or the store overrides, the next run has nothing
// to do about it, and a second undo neither.
func TestUndoProperty(t *testing.T) {
	undone := 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		p.Writable = true
		s := drawSubject(t, p)
		o := drawObserved(t, p, &s)
		s.Holders, s.Backoff, s.Flips, o.Unknown = nil, nil, nil, nil
		if s.Link == nil || o.Record == nil {
			return
		}
		changes := runOver(p, &s, &o)
		if s.Link == nil || o.Record == nil {
			return
		}
		d, refused := plan.Reverse(p, changes, deep(s), o.Record, false, noon)
		apply(p, &s, &o, &d)
		again, still := plan.Reverse(p, changes, deep(s), o.Record, false, noon)
		if len(again.Steps) > 0 || len(still) > len(refused) {
			t.Fatalf("undone twice: %+v %+v", again.Steps, still)
		}
		next := plan.Decide(p, s, o, noon)
		for i := range d.Steps {
			for a, want := range d.Steps[i].After {
				undone++
				store, dir := s.User.Profile[a], o.Record.Profile[a]
				if flow := p.Rules[a].Flow; flow != plan.In && flow != plan.Once && !p.Schema.Equal(a, store, dir) {
					t.Fatalf("%s: store %q, directory %q", a, store, dir)
				}
				if !p.Schema.Equal(a, store, want) || !p.Schema.Equal(a, first(changes, a), want) {
					t.Fatalf("%s: %q is not what was before: %q", a, store, first(changes, a))
				}
				for k := range next.Steps {
					if _, moves := next.Steps[k].After[a]; moves {
						t.Fatalf("%s: the next run would change it: %+v", a, next.Steps[k])
					}
				}
			}
		}
		for _, r := range refused {
			if r.Attribute != "" && !strings.Contains(r.Why, "must have one") && !strings.Contains(r.Why, "does not show it now") {
				t.Fatalf("refused though nobody changed anything: %+v", r)
			}
		}
	})
	if undone < 100 {
		t.Errorf("only %d attributes were undone", undone)
	}
}

// runOver makes the effects of one run, and returns what is kept of them.
func runOver(p *plan.Policy, s *idbridge.Subject, o *plan.Observed) []idbridge.RunChange {
	var changes []idbridge.RunChange
	for range 6 {
		d := plan.Decide(p, *s, *o, noon)
		if d.Empty() {
			break
		}
		for i := range d.Steps {
			if x := &d.Steps[i]; x.ID == s.ID {
				changes = append(changes, idbridge.RunChange{
					Run: 1, Link: x.ID, User: x.User, Side: x.Side, Verb: x.Verb, Was: x.Was, State: x.State, Before: x.Before, After: x.After,
				})
			}
		}
		apply(p, s, o, &d)
	}
	return changes
}

// first returns what the side that changed first had of an attribute.
func first(changes []idbridge.RunChange, a idbridge.Attribute) idbridge.Values {
	i := slices.IndexFunc(changes, func(c idbridge.RunChange) bool { _, ok := c.After[a]; return ok })
	return changes[i].Before[a]
}

// TestUndoGroup: who joined leaves and who left joins, unless he moved since or the roles did.
func TestUndoGroup(t *testing.T) {
	p := guardPolicy()
	group := idbridge.ExternalID{Directory: "corp", ID: "g1"}
	admin := []idbridge.Grant{{Role: idbridge.Admin, Directory: "corp", Group: "g1", GroupName: adminDN}}
	change := func(i int, verb idbridge.Verb) idbridge.RunChange {
		return idbridge.RunChange{Run: 4711, Link: record(i), User: idbridge.UserID(i + 1), Verb: verb, Side: idbridge.StoreSide, Group: group, Grants: admin}
	}
	changes := []idbridge.RunChange{
		change(1, idbridge.Join),                            // in still
		change(2, idbridge.Join),                            // left since
		change(3, idbridge.Leave),                           // out still
		change(4, idbridge.Leave),                           // in again
		change(5, idbridge.Leave), change(5, idbridge.Join), // his roles changed
	}
	g := idbridge.Group{ID: group, Name: adminDN, Digest: shownDigest, Members: 3}
	list, refused := plan.ReverseGroup(p, g, changes, []string{"r5", "r4", "r1"})
	got := ""
	for i := range list {
		if list[i].Group != nil {
			t.Error("the group's digest moves")
		}
		for _, s := range list[i].Steps {
			got += fmt.Sprintf("%s %s %d; ", s.Verb, s.ID.ID, len(s.Grants))
		}
	}
	for _, r := range refused {
		got += "refused " + r.Name + "; "
	}
	if want := "join r3 1; leave r1 1; refused r2; refused r4; refused r5; "; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	none := &plan.Policy{Directory: "corp"}
	if list, refused := plan.ReverseGroup(none, g, changes[2:3], nil); len(list) != 0 || len(refused) != 1 {
		t.Errorf("a role came back that no rule gives: %+v %+v", list, refused)
	}
	if got := planOf(p, list, facts(1000, 0)); got.Counts.Joined != 1 || got.Counts.Left != 1 || got.Counts.Admins != 1 {
		t.Errorf("the guards do not see it: %+v", got.Counts)
	}
}

// TestUndoGroupParts: no decision has more steps than a batch takes.
func TestUndoGroupParts(t *testing.T) {
	var changes []idbridge.RunChange
	var members []string
	for i := range 1200 {
		changes = append(changes, idbridge.RunChange{Run: 1, Link: record(i), Verb: idbridge.Join})
		members = append(members, record(i).ID)
	}
	list, _ := plan.ReverseGroup(guardPolicy(), idbridge.Group{ID: idbridge.ExternalID{Directory: "corp", ID: "g"}, Name: "cn=g"}, changes, members)
	steps := 0
	for i := range list {
		steps += len(list[i].Steps)
		if len(list[i].Steps) > 500 {
			t.Errorf("%d steps in one decision", len(list[i].Steps))
		}
	}
	if steps != 1200 {
		t.Errorf("%d steps", steps)
	}
}

// TestUndoGuards: an undo that takes people away is held like any plan, and an empty listing is not asked for.
func TestUndoGuards(t *testing.T) {
	var list []idbridge.Decision
	p := guardPolicy()
	p.Schema, p.Rules = idbridge.CoreSchema(), map[idbridge.Attribute]plan.Rule{"userName": {Flow: plan.In}}
	for i := range 6 {
		s := idbridge.Subject{
			ID: record(i), User: &idbridge.User{ID: idbridge.UserID(i + 1), Revision: 1, Profile: idbridge.Profile{"userName": {"u"}}},
			Link: &idbridge.Link{ID: record(i), User: idbridge.UserID(i + 1), State: idbridge.LinkActive},
		}
		d, refused := plan.Reverse(p, nil, s, nil, true, noon)
		if len(refused) > 0 {
			t.Fatalf("%+v", refused)
		}
		list = append(list, d)
	}
	tally := plan.NewTally(p)
	for i := range list {
		tally.Add(&list[i])
	}
	f := facts(20, 0)
	f.Undo = true
	got := tally.Plan(1, f, noon)
	if v := verdict(t, &got, plan.GuardRemovals); v.Held != idbridge.HoldAll || v.Count != 6 {
		t.Errorf("%+v", v)
	}
	for _, v := range got.Verdicts {
		if v.Guard == plan.GuardEmpty || v.Guard == plan.GuardComplete {
			t.Errorf("%s asks for a listing", v.Guard)
		}
	}
}
