package engine

import (
	"fmt"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// miscounted says which numbers of a run do not add up, nil when they do.
func miscounted(c *idbridge.Counts) error {
	return &idbridge.Error{
		Kind: idbridge.Internal,
		Msg: fmt.Sprintf("the counters of the run do not add up: %d records seen, but %d unchanged + %d created + %d linked + %d updated "+
			"+ %d restored + %d held + %d quarantined + %d skipped + %d inactive are %d", c.Seen, c.Unchanged, c.Created, c.Linked,
			c.Updated, c.Restored, c.Held, c.Quarantined, c.Skipped, c.Inactive, ended(c)),
		Hint: "this is a fault of the program: what was done is in the list of changes of the run; report it with the run's row",
	}
}

// ended is the number of records that ended in a situation.
func ended(c *idbridge.Counts) int {
	return c.Unchanged + c.Created + c.Linked + c.Updated + c.Restored + c.Held + c.Quarantined + c.Skipped + c.Inactive
}

// countPlanned counts what a plan that is not carried out would do, by the same hands that count what was done. The row
// says by its kind or state that it was not.
func (r *pass) countPlanned() error {
	for phase := range r.phases {
		for d, err := range r.kept(phase) {
			if err != nil {
				return err
			}
			o := idbridge.Outcome{}
			if d.DirectoryStep() != nil {
				o.Sent = 1 // it would be
			}
			r.situation(&d)
			r.effects(&d.Decision, &o)
		}
	}
	r.giveUpAll()
	return nil
}

// countHeld counts the records of a plan of which nothing at all is done.
func (r *pass) countHeld() error {
	for phase := range r.phases {
		for d, err := range r.kept(phase) {
			if err != nil {
				return err
			}
			if d.present && !isGroupPart(&d.Decision) && d.Group == nil {
				r.row.Counts.Held++
			}
		}
	}
	r.giveUpAll()
	return nil
}

// situation counts where a record ended. Each record seen is counted exactly once in the first group of Counts.
func (r *pass) situation(d *decided) {
	c := &r.row.Counts
	if failpoint.Mutant("miscount") && d.Situation == idbridge.Updated { // the mistake: an effect that nobody counts
		return
	}
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
	case idbridge.Restored:
		if !d.present { // only by an undo: his access returns while the directory still hides him
			c.Seen++
			c.Restored++
			return
		}
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
	c.Silenced += d.Keys
	for i := range d.Steps {
		s := &d.Steps[i]
		switch {
		case s.Side == idbridge.DirectorySide:
			continue
		case s.Verb == idbridge.Join:
			c.Joined++
			c.Granted += len(s.Grants)
			c.Admins += admins(s.Grants)
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

// admins counts the grants that let somebody administer.
func admins(grants []idbridge.Grant) (n int) {
	for i := range grants {
		if grants[i].Role == idbridge.Admin {
			n++
		}
	}
	return n
}
