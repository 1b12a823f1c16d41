package plan_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// TestExplain asks why, case by case. The subject: base, store and directory of one attribute.
func TestExplain(t *testing.T) {
	const a = idbridge.Attribute("email")
	for _, c := range []struct {
		name             string
		rule             plan.Rule
		base, store, dir string // "" is empty
		change           func(*plan.Policy, *idbridge.Subject, *plan.Observed)
		outcome, becomes string
		why              string
	}{
		{"same", plan.Rule{Flow: plan.Both}, "a", "a", "a", nil, "nothing", "", "equal on both sides"},
		{"empty", plan.Rule{Flow: plan.Both}, "", "", "", nil, "nothing", "", "equal on both sides"},
		{"spelling", plan.Rule{Flow: plan.Both}, "a", "A", "a", nil, "nothing", "", "equal on both sides but for the spelling"},
		{"respelled", plan.Rule{Flow: plan.Both}, "a", "a", "A", nil, "store", "A", "the directory spells it in another way"},
		{"folds", plan.Rule{Flow: plan.Both}, "a", "b", "b", nil, "base", "", "equal on both sides: only what"},
		{"pull", plan.Rule{Flow: plan.Both}, "a", "a", "b", nil, "store", "b", "only the directory's value changed"},
		{"push", plan.Rule{Flow: plan.Both}, "a", "b", "a", nil, "directory", "b", "only the store's value changed"},
		{"conflict", plan.Rule{Flow: plan.Both}, "a", "b", "c", nil, "conflict", "c", "changed on both sides; on_conflict: directory"},
		{"conflict, store", plan.Rule{Flow: plan.Both, OnConflict: plan.PreferStore}, "a", "b", "c", nil, "conflict", "b", "on_conflict: store"},
		{"conflict, hold", plan.Rule{Flow: plan.Both, OnConflict: plan.HoldConflict}, "a", "b", "c", nil, "held", "", "waits for a person"},
		{"override", plan.Rule{Flow: plan.In}, "a", "b", "a", nil, "nothing", "",
			"overridden in the store: flow in, and the directory's value did not change"},
		{"override ends", plan.Rule{Flow: plan.In}, "a", "b", "c", nil, "conflict", "c", "the directory owns the attribute (flow in)"},
		{"out", plan.Rule{Flow: plan.Out}, "a", "a", "b", nil, "conflict", "a", "the store owns the attribute (flow out)"},
		{"out, first", plan.Rule{Flow: plan.Out}, "-", "", "b", nil, "store", "b", "both sides were empty before"},
		{"once", plan.Rule{Flow: plan.Once}, "a", "a", "b", nil, "nothing", "", "flow once"},
		{"once, first", plan.Rule{Flow: plan.Once}, "", "", "b", nil, "store", "b", "flow once: the directory's first value"},
		{"readonly", plan.Rule{Flow: plan.Both}, "a", "b", "a", func(p *plan.Policy, _ *idbridge.Subject, _ *plan.Observed) { p.Writable = false },
			"held", "", "the directory takes no changes"},
		{"hidden", plan.Rule{Flow: plan.Both}, "a", "b", "", func(_ *plan.Policy, _ *idbridge.Subject, o *plan.Observed) {
			o.Record.Unknown = []idbridge.Attribute{a}
		},
			"kept", "", "not readable in this run: kept"},
		{"lost right", plan.Rule{Flow: plan.Both}, "a", "b", "", func(_ *plan.Policy, _ *idbridge.Subject, o *plan.Observed) { o.Unknown = []idbridge.Attribute{a} },
			"kept", "", "may be a lost right"},
		{"not spoken of", plan.Rule{Flow: plan.Both}, "a", "b", "", func(_ *plan.Policy, _ *idbridge.Subject, o *plan.Observed) { delete(o.Record.Profile, a) },
			"kept", "", "does not speak of it"},
		{"taken", plan.Rule{Flow: plan.Both}, "a", "a", "b", func(_ *plan.Policy, s *idbridge.Subject, _ *plan.Observed) {
			s.Holders = []idbridge.Holder{{Attribute: a, Value: "b", User: 8}}
		}, "withheld", "", "held by user 8"},
		{"outranked", plan.Rule{Flow: plan.Both}, "a", "a", "b", func(p *plan.Policy, s *idbridge.Subject, _ *plan.Observed) {
			p.Precedence = map[idbridge.Attribute][]string{a: {"hr", "corp"}}
			s.Others = []idbridge.Link{{ID: idbridge.ExternalID{Directory: "hr"}, State: idbridge.LinkActive, Base: idbridge.Profile{a: {"z"}}}}
		}, "withheld", "", "hr takes precedence"},
		{"backed off", plan.Rule{Flow: plan.Both}, "a", "b", "a", func(_ *plan.Policy, s *idbridge.Subject, _ *plan.Observed) {
			s.Backoff = &idbridge.Backoff{Attempts: 2, Until: noon.Add(1), Why: "no"}
		}, "withheld", "", "the directory refused it 2 times (no)"},
		{"flips", plan.Rule{Flow: plan.Both}, "a", "b", "a", func(_ *plan.Policy, s *idbridge.Subject, _ *plan.Observed) {
			s.Flips = []idbridge.Flip{{Attribute: a, Count: 3}}
		}, "withheld", "", "something rewrites it"},
		{"unusable", plan.Rule{Flow: plan.Both}, "a", "a", "b", func(_ *plan.Policy, _ *idbridge.Subject, o *plan.Observed) { o.Unusable = "shown twice" },
			"kept", "", "not compared: shown twice"},
		{"not asked", plan.Rule{Flow: plan.Both}, "a", "a", "b", func(_ *plan.Policy, _ *idbridge.Subject, o *plan.Observed) { o.Record = nil },
			"kept", "", "nothing proves that it is gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &plan.Policy{
				Directory: "corp", Schema: idbridge.CoreSchema(), Writable: true,
				Rules: map[idbridge.Attribute]plan.Rule{a: c.rule, "userName": {Flow: plan.In}},
			}
			s := idbridge.Subject{
				ID: record(1), User: &idbridge.User{ID: 7, Profile: idbridge.Profile{"userName": {"ada"}, a: values(c.store)}},
				Link: &idbridge.Link{ID: record(1), User: 7, State: idbridge.LinkActive, Base: idbridge.Profile{"userName": {"ada"}, a: values(c.base)}},
			}
			if c.base == "-" {
				delete(s.Link.Base, a)
			}
			o := plan.Observed{Record: &idbridge.Record{ID: record(1), Profile: idbridge.Profile{"userName": {"ada"}, a: values(c.dir)}}}
			if c.change != nil {
				c.change(p, &s, &o)
			}
			x := plan.Explain(p, s, o, noon)
			i := slices.IndexFunc(x.Attributes, func(x idbridge.ExplainedAttribute) bool { return x.Attribute == a })
			if len(x.Attributes) != 2 || i < 0 {
				t.Fatalf("attributes %+v", x.Attributes)
			}
			got := x.Attributes[i]
			if got.Outcome != c.outcome || got.Becomes.String() != c.becomes || !strings.Contains(got.Why, c.why) || got.Flow != string(c.rule.Flow) {
				t.Errorf("%+v", got)
			}
			if got.Store.String() != c.store || c.base != "-" && got.Base.String() != c.base {
				t.Errorf("sides: %+v", got)
			}
		})
	}
}

// TestExplainProperty: an explanation is the decision, with a reason for each mapped attribute; what it says becomes of a
// side is what the steps do.
func TestExplainProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		s := drawSubject(t, p)
		o := drawObserved(t, p, &s)
		d := plan.Decide(p, s, o, noon)
		x := plan.Explain(p, s, o, noon)
		if x.Why == "" {
			t.Fatalf("%s without a reason: %+v", x.Situation, d)
		}
		if diff := cmp.Diff(d.Steps, x.Steps) + cmp.Diff(d.Withheld, x.Withheld); diff != "" || d.Situation != x.Situation {
			t.Fatalf("another decision:\n%s", diff)
		}
		var names []idbridge.Attribute
		for _, a := range x.Attributes {
			names = append(names, a.Attribute)
			if a.Why == "" || a.Outcome == "" {
				t.Fatalf("no reason: %+v", a)
			}
			side := map[string]idbridge.Side{"store": idbridge.StoreSide, "directory": idbridge.DirectorySide}[a.Outcome]
			moves := ""
			for i := range d.Steps {
				if v, ok := d.Steps[i].After[a.Attribute]; ok && d.Steps[i].ID == d.ID {
					moves = string(d.Steps[i].Side)
					if a.Outcome != "conflict" && d.Steps[i].Side != side || !slices.Equal(v, a.Becomes) {
						t.Fatalf("the step %+v, explained as %+v", d.Steps[i], a)
					}
				}
			}
			if moves == "" && (side != "" || a.Outcome == "conflict") && a.Attribute != idbridge.Active {
				t.Fatalf("no step, explained as %+v", a)
			}
		}
		if want := slices.Sorted(maps.Keys(p.Rules)); !slices.Equal(names, want) {
			t.Fatalf("attributes %v, want %v", names, want)
		}
	})
}
