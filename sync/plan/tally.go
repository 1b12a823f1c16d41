package plan

import (
	"time"

	"github.com/idbridge/idbridge"
)

// Facts are what the guards must know besides the decisions.
type Facts struct {
	Proof      idbridge.Proof      // of the listing
	Complete   bool                // the run rests on a complete listing, so absence was derived
	First      bool                // first import: creations are what it is for
	Population idbridge.Population // before the run
	Records    int                 // of the last complete listing
	Scope      string              // config hash now: Policy.Scope
	Known      string              // config hash that the store has; "" before the first run
	Pushed     bool                // a push: no percentages, the last-admin rule stays
	Admins     []idbridge.Subject  // what the store knows about Tally.AdminRecords; without it the guard errs to the safe side
}

// Tally adds up what a whole run would do, in memory that does not grow with the number of decisions, apart from groups
// that lose members and administrators that are hit. Not safe for concurrent use.
type Tally struct {
	p *Policy
}

// NewTally returns an empty Tally.
func NewTally(p *Policy) *Tally { return &Tally{p: p} }

// Unchanged counts n records whose digest was equal, so that nothing was decided about them.
func (t *Tally) Unchanged(n int) {}

// Add counts one decision, of a record or of a group. The order does not matter. It keeps nothing of d.
func (t *Tally) Add(d *idbridge.Decision) {}

// AdminRecords returns the records, sorted, that join or leave a group whose members may administer. The engine asks the
// store for their Subjects and hands them over as Facts.Admins.
func (t *Tally) AdminRecords() []idbridge.ExternalID { return nil }

// Plan closes the sums into a plan's header: counts, hash, and the verdict of each guard. The hash is the same for the
// same decisions in any order and at any time.
func (t *Tally) Plan(run idbridge.RunID, facts Facts, now time.Time) idbridge.Plan {
	return idbridge.Plan{}
}

// Allowed returns what may be committed of d under the plan's verdicts: all of it, the part that gives and ends access,
// or nothing.
func Allowed(p idbridge.Plan, d idbridge.Decision) (idbridge.Decision, bool) { return d, true }
