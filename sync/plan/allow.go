package plan

import (
	"github.com/idbridge/idbridge"
)

// Allowed returns what may be committed of d under the plan's verdicts: all of it, the part that gives and ends access,
// or nothing (false). What is left out is decided again by the next run: the digest in it is zero.
func Allowed(p idbridge.Plan, d idbridge.Decision) (idbridge.Decision, bool) {
	attributes := false
	for i := range p.Verdicts {
		v := &p.Verdicts[i]
		switch v.Held {
		case idbridge.HoldNothing:
		case idbridge.HoldAttributes:
			attributes = true
		case idbridge.HoldCreations:
			if makes(&d, idbridge.Create) {
				return idbridge.Decision{}, false
			}
		case idbridge.HoldGroup:
			if isGroup(&d) && v.About == d.ID.ID {
				return idbridge.Decision{}, false
			}
		case idbridge.HoldAll:
			return idbridge.Decision{}, false
		default: // a hold that this release does not know
			return idbridge.Decision{}, false
		}
	}
	if attributes {
		return access(d)
	}
	return d, true
}

// access cuts the attribute steps of a linked record out of a decision. A conflict that waits for a person stays; one
// that a policy decided goes with the step that would have overwritten a value.
func access(d idbridge.Decision) (idbridge.Decision, bool) {
	held := 0
	for i := range d.Steps {
		if attributeStep(&d, &d.Steps[i]) {
			held++
		}
	}
	if held == 0 {
		return d, true
	}
	newcomer := makes(&d, idbridge.Create) || makes(&d, idbridge.Linking)
	steps := make([]idbridge.Step, 0, len(d.Steps)-held)
	for i := range d.Steps {
		if !attributeStep(&d, &d.Steps[i]) {
			steps = append(steps, d.Steps[i])
		}
	}
	d.Steps, d.Closed = steps, nil
	var conflicts []idbridge.Conflict
	for _, c := range d.Conflicts {
		if c.Winner == idbridge.NoWinner || newcomer && c.Winner == idbridge.DirectoryWinner {
			conflicts = append(conflicts, c)
		}
	}
	d.Conflicts = conflicts
	if !newcomer {
		d.Base = onlyActive(d.Base)
		d.Tied = nil
	}
	d.Seen.Digest = idbridge.Digest{}
	return d, len(d.Steps) > 0 || len(d.Conflicts) > 0
}

func attributeStep(d *idbridge.Decision, s *idbridge.Step) bool {
	return s.Verb == idbridge.Update && (s.ID == d.ID || s.Side == idbridge.DirectorySide)
}

func onlyActive(base idbridge.Profile) idbridge.Profile {
	if v, ok := base[idbridge.Active]; ok {
		return idbridge.Profile{idbridge.Active: v}
	}
	return nil
}

func makes(d *idbridge.Decision, verb idbridge.Verb) bool {
	for i := range d.Steps {
		if d.Steps[i].Verb == verb {
			return true
		}
	}
	return false
}
