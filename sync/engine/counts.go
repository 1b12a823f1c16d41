package engine

import "github.com/idbridge/idbridge"

// situation counts where a record ended. Each record seen is counted exactly once in the first group of Counts.
func (r *pass) situation(d *decided) {
	c := &r.row.Counts
	if d.counted || d.Group != nil || isGroupPart(&d.Decision) {
		return
	}
	switch d.Situation { //nolint:exhaustive // the others need a record that is there
	case idbridge.Missed:
		c.Missing++
		return
	case idbridge.Purged:
		c.Purged++
		return
	case idbridge.Suspended:
		switch {
		case d.present:
			c.Inactive++
		case len(d.Steps) > 0: // otherwise he has been for a while
			c.Suspended++
		}
		return
	}
	if !d.present {
		return // absent, and nothing new about it
	}
	switch d.Situation { //nolint:exhaustive // the others were counted above
	case idbridge.Created:
		c.Created++
	case idbridge.Linked:
		c.Linked++
	case idbridge.Updated:
		c.Updated++
	case idbridge.Restored:
		c.Restored++
	case idbridge.HeldBack:
		c.Held++
	case idbridge.Quarantined:
		c.Quarantined++
	case idbridge.Unchanged:
		c.Unchanged++
	default:
		c.Skipped++
	}
}

// effects counts what a committed decision did.
func (r *pass) effects(d *idbridge.Decision, o *idbridge.Outcome) {
	c := &r.row.Counts
	c.Conflicts += len(d.Conflicts)
	c.Withheld += len(d.Withheld) + len(o.Withheld)
	for i := range d.Steps {
		s := &d.Steps[i]
		switch {
		case s.Side == idbridge.DirectorySide:
			continue
		case s.Verb == idbridge.Join:
			c.Joined++
			c.Granted += len(s.Grants)
		case s.Verb == idbridge.Leave:
			c.Left++
			c.Revoked += len(s.Grants)
		case s.Verb == idbridge.Update:
			c.Pulls += len(s.After)
		}
	}
	if o.Sent != 0 {
		c.Sent++
	}
}

// isGroupPart tells whether a decision is about a group's members.
func isGroupPart(d *idbridge.Decision) bool {
	for i := range d.Steps {
		if v := d.Steps[i].Verb; v == idbridge.Join || v == idbridge.Leave {
			return true
		}
	}
	return false
}
