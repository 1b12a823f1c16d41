package plan

import (
	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// Allowed returns what may be committed of d under the plan's verdicts: all of it, the part that gives and ends access,
// or nothing (false). What is left out is decided again by the next run: the digest in it is zero.
//
// A record that shows an older state than before (Decision.Back) is left alone, below the guard's limit too, unless a
// person approved the plan: then the caller has set Plan.By before it asks.
func Allowed(p idbridge.Plan, d idbridge.Decision) (idbridge.Decision, bool) {
	attributes, grants, admins := false, false, false
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
		case idbridge.HoldGrants:
			admins = !failpoint.Mutant("grantslip") // the mistake: a held role is given all the same
			grants = grants || v.Guard != GuardAdminGrants
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
	if d.Back && p.By == "" && !failpoint.Mutant("backapplied") { // the mistake: what is older wins
		return alone(&d), true
	}
	if admins && isGroup(&d) {
		return withoutGrants(d, !grants)
	}
	if attributes {
		return access(d)
	}
	return d, true
}

// alone returns a decision that does nothing, and leaves the quarantine as it is.
func alone(d *idbridge.Decision) idbridge.Decision {
	return idbridge.Decision{
		ID: d.ID, User: d.User, Name: d.Name, Situation: d.Situation, Read: d.Read, Listed: true, Back: true, Why: d.Why,
	}
}

// withoutGrants cuts the joins that give a role out of a group's decision, or those that give ADMIN. Who leaves a group
// leaves it, and who stays keeps what he had: the join that follows his own leave gives nothing new. The group's digest is
// zero, so that the next run decides about it again.
func withoutGrants(d idbridge.Decision, adminsOnly bool) (idbridge.Decision, bool) {
	steps := make([]idbridge.Step, 0, len(d.Steps))
	gives := false
	for i := range d.Steps {
		s := &d.Steps[i]
		brings := len(s.Grants) > 0 && (!adminsOnly || adminGrants(s) > 0)
		gives = gives || brings
		kept := i > 0 && d.Steps[i-1].Verb == idbridge.Leave && d.Steps[i-1].ID == s.ID
		if s.Verb == idbridge.Join && brings && !kept {
			continue
		}
		steps = append(steps, *s)
	}
	if !gives {
		return d, true
	}
	d.Steps = steps
	if d.Group != nil {
		g := *d.Group
		g.Digest = idbridge.Digest{}
		d.Group = &g
	}
	return d, len(d.Steps) > 0
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
