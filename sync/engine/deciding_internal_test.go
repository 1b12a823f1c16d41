package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// A panic while one record is decided is that record's quarantine, with what its link needs to be committed.
func TestPanicIsOneRecords(t *testing.T) {
	r := &pass{e: &Engine{}} // without a policy nothing can be decided
	s := idbridge.Subject{
		ID:   idbridge.ExternalID{Directory: "corp", ID: "x"},
		Link: &idbridge.Link{Version: 3, Locator: "uid=x"}, User: &idbridge.User{ID: 7, Revision: 5},
	}
	d := r.decideOne(s, plan.Observed{Record: &idbridge.Record{ID: s.ID, Profile: idbridge.Profile{"a": {"b"}}}}, time.Time{})
	if d.Situation != idbridge.Quarantined || !strings.Contains(d.Unusable, "a fault of the program") {
		t.Errorf("%+v", d)
	}
	if d.Read != (idbridge.Versions{User: 5, Link: 3}) || d.User != 7 || !d.Seen.Digest.IsZero() {
		t.Errorf("%+v", d)
	}
}

// The table of ending's comment, and what is not in it.
func TestEnding(t *testing.T) {
	for kind, want := range map[idbridge.Kind]end{
		idbridge.Conflicting: endMoved, idbridge.NotFound: endMoved, idbridge.Refused: endRefused, idbridge.Exists: endRefused,
		idbridge.Forbidden: endRefused, idbridge.Invalid: endStop, idbridge.Unauthentic: endStop, idbridge.Unknown: endDoubt,
		idbridge.Unavailable: endDoubt, idbridge.Internal: endDoubt, idbridge.Locked: endDoubt,
	} {
		if got := ending(&idbridge.Error{Kind: kind}); got != want {
			t.Errorf("%v: %d, want %d", kind, got, want)
		}
	}
	if ending(nil) != endSettled {
		t.Error("no error is no success")
	}
}

func TestReadBack(t *testing.T) {
	const one, set = idbridge.Attribute("one"), idbridge.Attribute("set")
	schema := idbridge.Schema{one: {Single: true}, set: {}}
	step := func(a idbridge.Attribute, before, after idbridge.Values) *idbridge.Step {
		return &idbridge.Step{Before: idbridge.Profile{a: before}, After: idbridge.Profile{a: after}}
	}
	for name, c := range map[string]struct {
		step *idbridge.Step
		now  idbridge.Values
		base string // "refused", "redo", or the base
	}{
		"there":                       {step(one, idbridge.Values{"a"}, idbridge.Values{"b"}), idbridge.Values{"B"}, "B"},
		"not yet":                     {step(one, idbridge.Values{"a"}, idbridge.Values{"b"}), idbridge.Values{"a"}, "redo"},
		"something else":              {step(one, idbridge.Values{"a"}, idbridge.Values{"b"}), idbridge.Values{"c"}, "refused"},
		"cleared":                     {step(one, idbridge.Values{"a"}, idbridge.Values{}), nil, ""},
		"set, there beside another":   {step(set, idbridge.Values{"a"}, idbridge.Values{"a", "b"}), idbridge.Values{"a", "b", "c"}, "a, b"},
		"set, half of it":             {step(set, idbridge.Values{"a"}, idbridge.Values{"b", "c"}), idbridge.Values{"c"}, "c"},
		"set, not yet, beside other":  {step(set, idbridge.Values{"a"}, idbridge.Values{"a", "b"}), idbridge.Values{"a", "x"}, "refused"},
		"set, value taken away":       {step(set, idbridge.Values{"a", "b"}, idbridge.Values{"a"}), idbridge.Values{"a", "x"}, "a"},
		"set, replaced by other":      {step(set, idbridge.Values{"a"}, idbridge.Values{"b"}), idbridge.Values{"x"}, "refused"},
		"set, as it was, in capitals": {step(set, idbridge.Values{"a"}, idbridge.Values{"b"}), idbridge.Values{"A"}, "redo"},
	} {
		t.Run(name, func(t *testing.T) {
			a := set
			if _, ok := c.step.After[one]; ok {
				a = one
			}
			s, redo := readBack(schema, 1, c.step, &idbridge.Record{Profile: idbridge.Profile{a: c.now}})
			got := s.Base[a].String()
			switch {
			case redo:
				got = "redo"
			case s.How == idbridge.SentRefused:
				got = "refused"
			}
			if got != c.base {
				t.Errorf("got %s, want %s", got, c.base)
			}
		})
	}
}

// TestReadBackUnreadable: a record that is there but cannot be read is no answer; above all not that a value was cleared.
func TestReadBackUnreadable(t *testing.T) {
	const one = idbridge.Attribute("one")
	step := &idbridge.Step{Before: idbridge.Profile{one: {"a"}}, After: idbridge.Profile{one: {}}}
	for name, rec := range map[string]*idbridge.Record{
		"nothing is shown":          {},
		"the attribute is withheld": {Profile: idbridge.Profile{one: {}}, Unknown: []idbridge.Attribute{one}},
	} {
		s, redo := readBack(idbridge.Schema{one: {Single: true}}, 1, step, rec)
		if s.How != idbridge.SentInDoubt || redo || len(s.Base) != 0 {
			t.Errorf("%s: %+v, redo %t", name, s, redo)
		}
	}
}
