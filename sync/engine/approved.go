package engine

import (
	"slices"

	"github.com/idbridge/idbridge"
)

// asApproved returns the part of a fresh decision that was approved, and whether something approved is missing in it that
// is not made already. s and rec (nil: not there) are what the fresh decision rests on.
func asApproved(
	schema idbridge.Schema, approved, fresh *idbridge.Decision, s *idbridge.Subject, rec *idbridge.Record,
) (left idbridge.Decision, stale bool) {
	left = *fresh
	left.Steps, left.Base, left.Conflicts, left.Tied = nil, nil, nil, nil
	for i := range approved.Steps {
		want := &approved.Steps[i]
		got := matching(want, fresh.Steps)
		if got == nil {
			stale = stale || !made(schema, want, s, rec)
			continue
		}
		step, missing := shared(schema, want, got)
		stale = stale || missing
		if step != nil {
			left.Steps = append(left.Steps, *step)
		}
	}
	if stale && newcomer(approved) {
		return idbridge.Decision{ID: fresh.ID, User: fresh.User, Name: fresh.Name}, true // as approved, or not at all
	}
	out := leftOut(fresh, &left)
	for a, v := range fresh.Base { // a base moves with its step, or with what it was approved to become
		if was, ok := approved.Base[a]; ok && !out[a] && schema.Equal(a, v, was) {
			if left.Base == nil {
				left.Base = idbridge.Profile{}
			}
			left.Base[a] = v
		}
	}
	for _, c := range fresh.Conflicts {
		same := func(x idbridge.Conflict) bool { return x.Attribute == c.Attribute && x.Winner == c.Winner }
		if !out[c.Attribute] && slices.ContainsFunc(approved.Conflicts, same) {
			left.Conflicts = append(left.Conflicts, c)
		}
	}
	left.Tied = fresh.Tied
	if len(left.Steps) != len(fresh.Steps) || len(left.Base) != len(fresh.Base) || len(left.Conflicts) != len(fresh.Conflicts) || stale {
		left.Seen.Digest = idbridge.Digest{}
	}
	return left, stale
}

// leftOut names the attributes that fresh would change and left does not.
func leftOut(fresh, left *idbridge.Decision) map[idbridge.Attribute]bool {
	out := map[idbridge.Attribute]bool{}
	for i := range fresh.Steps {
		s := &fresh.Steps[i]
		for a := range s.After {
			kept := matching(s, left.Steps)
			if kept == nil {
				out[a] = true
			} else if _, ok := kept.After[a]; !ok {
				out[a] = true
			}
		}
	}
	return out
}

// newcomer tells whether a decision makes a link.
func newcomer(d *idbridge.Decision) bool {
	return slices.ContainsFunc(d.Steps, func(s idbridge.Step) bool {
		return s.Verb == idbridge.Create || s.Verb == idbridge.Linking
	})
}

// made tells that a step's effect is there already.
func made(schema idbridge.Schema, step *idbridge.Step, s *idbridge.Subject, rec *idbridge.Record) bool {
	switch step.Verb {
	case idbridge.Create, idbridge.Linking:
		return s.Link != nil
	case idbridge.Purge:
		return s.Link == nil
	case idbridge.Suspend, idbridge.Restore:
		return s.Link != nil && s.Link.State == step.State
	case idbridge.Miss:
		return rec == nil && s.Link != nil && s.Link.Sightings > 0
	case idbridge.Update:
		for a, v := range step.After {
			switch {
			case step.Side == idbridge.DirectorySide && (rec == nil || !schema.Equal(a, rec.Profile[a], v)):
				return false
			case step.Side == idbridge.StoreSide && (s.User == nil || step.ID != s.ID || !schema.Equal(a, s.User.Profile[a], v)):
				return false
			}
		}
		return true
	case idbridge.Join, idbridge.Leave:
	}
	return false
}

// matching finds the fresh step that does what the approved one does.
func matching(want *idbridge.Step, steps []idbridge.Step) *idbridge.Step {
	for i := range steps {
		s := &steps[i]
		if s.ID == want.ID && s.Side == want.Side && s.Verb == want.Verb && s.State == want.State && s.Group == want.Group {
			return s
		}
	}
	return nil
}

// shared returns the fresh step cut down to the attributes that change as approved. A new user is made as approved or not
// at all.
func shared(schema idbridge.Schema, want, got *idbridge.Step) (s *idbridge.Step, missing bool) {
	out := *got
	out.Before, out.After = idbridge.Profile{}, idbridge.Profile{}
	for a, v := range got.After {
		approved, ok := want.After[a]
		if !ok {
			continue
		}
		if !schema.Equal(a, v, approved) || !schema.Equal(a, got.Before[a], want.Before[a]) {
			continue
		}
		out.After[a] = v
		if b, ok := got.Before[a]; ok {
			out.Before[a] = b
		}
	}
	missing = len(out.After) != len(want.After)
	switch {
	case want.Verb == idbridge.Purge:
		out.Before = got.Before
		return &out, false
	case want.Verb == idbridge.Create && (missing || len(out.After) != len(got.After)):
		return nil, true
	case want.Verb == idbridge.Update && len(out.After) == 0:
		return nil, true
	}
	return &out, missing
}
