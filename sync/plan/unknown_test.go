package plan_test

import (
	"slices"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

func TestUnknowns(t *testing.T) {
	type counts = map[idbridge.Attribute]int
	for _, c := range []struct {
		name          string
		shown, before counts
		records       int
		canary        []idbridge.Attribute
		want          []idbridge.Attribute
	}{
		{"all show it", counts{"email": 100}, counts{"email": 100}, 100, nil, nil},
		{"nobody shows it", counts{"email": 0, "phone": 0, "userName": 100}, counts{"email": 90}, 100, nil, []idbridge.Attribute{"email", "phone"}},
		{"only the canary shows it", counts{"email": 0}, counts{"email": 3}, 100, []idbridge.Attribute{"email"}, nil},
		{"only the canary shows it, and many did", counts{"email": 0}, counts{"email": 90}, 100, []idbridge.Attribute{"email"}, []idbridge.Attribute{"email"}},
		{"one shows it, and few did", counts{"email": 1}, counts{"email": 6}, 100, nil, nil},
		{"one shows it, and more did", counts{"email": 1}, counts{"email": 7}, 100, nil, []idbridge.Attribute{"email"}},
		{"30 % fewer", counts{"email": 70}, counts{"email": 100}, 100, nil, nil},
		{"31 % fewer", counts{"email": 69}, counts{"email": 100}, 100, nil, []idbridge.Attribute{"email"}},
		{"fewer people, all show it", counts{"email": 50}, counts{"email": 100}, 50, nil, nil},
		{"first listing", counts{"email": 1}, nil, 100, nil, nil},
		{"nobody at all", counts{"email": 0}, counts{"email": 100}, 0, nil, []idbridge.Attribute{"email"}},
		{"shown before, not mapped now", counts{}, counts{"email": 100}, 100, nil, []idbridge.Attribute{"email"}},
	} {
		if got := plan.Unknowns(c.shown, c.before, c.records, c.canary); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestLets: a holder lets a value go only when his record was read and shows another one.
func TestLets(t *testing.T) {
	p := &plan.Policy{Directory: "corp", Schema: idbridge.CoreSchema()}
	h := idbridge.Holder{Attribute: "email", Value: "a@x", User: 9, Link: record(1)}
	shows := func(p idbridge.Profile) *plan.Observed {
		return &plan.Observed{Record: &idbridge.Record{ID: record(1), Profile: p}}
	}
	hidden := shows(idbridge.Profile{"email": {}})
	hidden.Unknown = []idbridge.Attribute{"email"}
	broken := shows(idbridge.Profile{"email": {"b@x"}})
	broken.Unusable = "shown twice"
	other := shows(idbridge.Profile{"email": {"b@x"}})
	other.Record.ID = record(2)
	for _, c := range []struct {
		name string
		o    *plan.Observed
		want bool
	}{
		{"not seen", nil, false},
		{"absent", &plan.Observed{Absent: &goodProof}, false},
		{"still shows it", shows(idbridge.Profile{"email": {"A@x", "c@x"}}), false},
		{"shows another", shows(idbridge.Profile{"email": {"b@x"}}), true},
		{"shows none", shows(idbridge.Profile{"email": {}}), true},
		{"does not speak of it", shows(idbridge.Profile{}), false},
		{"could not be read", hidden, false},
		{"cannot be used", broken, false},
		{"another record", other, false},
	} {
		if got := plan.Lets(p, h, c.o); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
