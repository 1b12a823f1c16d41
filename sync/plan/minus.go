package plan

import (
	"slices"

	"github.com/idbridge/idbridge"
)

// Minus returns what newer does that older would not: the steps, values, conflicts and withheld values of newer that older
// lacks. It is for showing what a change of the config does to people, and not for committing: what the two decisions have
// in common is left out. A group in several decisions is subtracted by each of its older ones in turn.
func Minus(newer, older *idbridge.Decision) idbridge.Decision {
	d := *newer
	if older == nil {
		return d
	}
	d.Steps, d.Conflicts, d.Withheld = nil, nil, nil
	for i := range newer.Steps {
		if s, ok := minusStep(&newer.Steps[i], older.Steps); ok {
			d.Steps = append(d.Steps, s)
		}
	}
	for _, c := range newer.Conflicts {
		if !slices.ContainsFunc(older.Conflicts, func(x idbridge.Conflict) bool {
			return x.Attribute == c.Attribute && x.Winner == c.Winner && same(x.Store, c.Store) && same(x.Directory, c.Directory)
		}) {
			d.Conflicts = append(d.Conflicts, c)
		}
	}
	for _, h := range newer.Withheld {
		if !slices.Contains(older.Withheld, h) {
			d.Withheld = append(d.Withheld, h)
		}
	}
	if newer.Unusable == older.Unusable {
		d.Unusable = ""
	}
	d.Base = minusProfile(newer.Base, older.Base)
	if len(d.Steps) == 0 && len(d.Conflicts) == 0 && len(d.Withheld) == 0 && d.Unusable == "" && newer.Situation == older.Situation {
		d.Situation, d.Why = idbridge.Unchanged, ""
	}
	return d
}

// minusStep returns the part of a step that none of the others does; ok is false when nothing is left.
func minusStep(s *idbridge.Step, others []idbridge.Step) (left idbridge.Step, ok bool) {
	left = *s
	for i := range others {
		o := &others[i]
		if o.ID != s.ID || o.Side != s.Side || o.Verb != s.Verb || o.State != s.State || o.Group != s.Group {
			continue
		}
		switch s.Verb {
		case idbridge.Join, idbridge.Leave:
			if left.Grants = minus(s.Grants, o.Grants); len(left.Grants) == 0 {
				return left, false
			}
		case idbridge.Create, idbridge.Linking, idbridge.Update:
			left.After = minusProfile(s.After, o.After)
			if len(left.After) == 0 {
				return left, false
			}
			left.Before = within(s.Before, left.After)
			if s.Verb != idbridge.Update { // the user comes in both; only what he is differs
				left.Verb = idbridge.Update
			}
		case idbridge.Suspend, idbridge.Restore, idbridge.Miss, idbridge.Purge:
			return left, false
		}
		break
	}
	return left, true
}

// minusProfile returns the attributes of p that q lacks or has with other values.
func minusProfile(p, q idbridge.Profile) idbridge.Profile {
	var out idbridge.Profile
	for a, v := range p {
		if w, ok := q[a]; !ok || !same(v, w) {
			put(&out, a, v)
		}
	}
	return out
}

// within returns the attributes of p that q has.
func within(p, q idbridge.Profile) idbridge.Profile {
	var out idbridge.Profile
	for a := range q {
		if v, ok := p[a]; ok {
			put(&out, a, v)
		}
	}
	return out
}
