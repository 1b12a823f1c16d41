package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// TestMinus: what a new config does that the old one would not.
func TestMinus(t *testing.T) {
	step := func(verb idbridge.Verb, pairs ...string) idbridge.Step {
		s := idbridge.Step{ID: record(1), User: 7, Side: idbridge.StoreSide, Verb: verb}
		for _, one := range pairs {
			a, v, _ := strings.Cut(one, "=")
			before, after, _ := strings.Cut(v, ">")
			if s.After == nil {
				s.Before, s.After = idbridge.Profile{}, idbridge.Profile{}
			}
			s.Before[idbridge.Attribute(a)], s.After[idbridge.Attribute(a)] = values(before), values(after)
		}
		return s
	}
	one := func(as idbridge.Situation, steps ...idbridge.Step) idbridge.Decision {
		return idbridge.Decision{ID: record(1), User: 7, Name: "ada", Situation: as, Steps: steps}
	}
	held := one(idbridge.HeldBack)
	held.Unusable = "several users match"
	withheld := one(idbridge.Updated, step(idbridge.Update, "email=a>b"))
	withheld.Withheld = []idbridge.Withheld{{Attribute: "phone", Value: "1", Why: "taken"}}
	suspend := step(idbridge.Suspend)
	suspend.State, suspend.Was = idbridge.LinkMissing, idbridge.LinkActive
	join := idbridge.Step{ID: record(1), Side: idbridge.StoreSide, Verb: idbridge.Join, Group: record(9), Grants: []idbridge.Grant{{Role: "A"}, {Role: "B"}}}
	half := join
	half.Grants = join.Grants[:1]
	for _, c := range []struct {
		name         string
		newer, older idbridge.Decision
		want         string
	}{
		{"the same", withheld, withheld, ""},
		{"nothing before", one(idbridge.Suspended, suspend), one(idbridge.Unchanged), "suspend ada  active missing;"},
		{"suspended by both", one(idbridge.Suspended, suspend), one(idbridge.Suspended, suspend), ""},
		{"one attribute more", one(idbridge.Updated, step(idbridge.Update, "email=a>b", "phone=>1")),
			one(idbridge.Updated, step(idbridge.Update, "email=a>b")), "update ada phone  1;"},
		{"another value", one(idbridge.Updated, step(idbridge.Update, "email=a>b")), one(idbridge.Updated, step(idbridge.Update, "email=a>c")),
			"update ada email a b;"},
		{"created otherwise", one(idbridge.Created, step(idbridge.Create, "userName=>ada", "phone=>1")),
			one(idbridge.Created, step(idbridge.Create, "userName=>ada")), "update ada phone  1;"},
		{"held now", held, one(idbridge.Created, step(idbridge.Create, "userName=>ada")), "held ada   ;"},
		{"withheld now", withheld, one(idbridge.Updated, step(idbridge.Update, "email=a>b")), "withheld ada phone  1;"},
		{"one role more", one(idbridge.Updated, join), one(idbridge.Updated, half), "join r1   ada;"},
		{"no role more", one(idbridge.Updated, half), one(idbridge.Updated, join), ""},
	} {
		got, before := "", fmt.Sprintf("%+v %+v", c.newer, c.older)
		d := plan.Minus(&c.newer, &c.older)
		for _, l := range plan.Lines(&d) {
			got += strings.Join([]string{l.Verb, l.Name, string(l.Attribute), l.Before, l.After}, " ") + ";"
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if fmt.Sprintf("%+v %+v", c.newer, c.older) != before {
			t.Errorf("%s: the decision was changed", c.name)
		}
	}
	if d := plan.Minus(&withheld, nil); len(d.Steps) != 1 {
		t.Error("nothing to subtract, and something is gone")
	}
}
