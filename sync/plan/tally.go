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
	Pushed     bool                // a push: no percentages; scope and the last-admin rule stay
	Undo       bool                // the reverse of a run: rests on no listing, and percentages count all the same
	Admins     []idbridge.Subject  // what the store knows about Tally.AdminRecords; without it the guard errs to the safe side
	Restored   time.Time           // Source.Restored: when the store was found to be an older copy; zero when it is not

	now time.Time // of Tally.Plan
}

// Tally adds up what a whole run would do, in memory that does not grow with the number of decisions, apart from groups
// that lose members and administrators that are hit. Not safe for concurrent use.
type Tally struct {
	p         *Policy
	counts    idbridge.Counts
	decisions int
	sum       summer

	removed  removals
	absences int    // decisions that rest on a listing's silence
	doubt    string // why one of them should not
	changed  int    // linked records whose user would change
	writes   int    // directory steps that no signed-in person asked for
	effects  int    // steps and conflicts: what a person would want to look at
	back     int    // records that show an older state than before
	rivals   int    // new records with the login or e-mail of somebody who has another one
	given    int    // roles that groups give
	silenced int    // keys that would be refused

	groups map[string]*moved
	admins admins
}

// moved is what happens to the members of one group.
type moved struct {
	name         string
	joined, left int
	members      int // afterwards; known once the group's last decision was added
	known        bool
}

// NewTally returns an empty Tally.
func NewTally(p *Policy) *Tally {
	return &Tally{p: p, sum: newSummer()}
}

// Unchanged counts n records whose digest was equal, so that nothing was decided about them.
func (t *Tally) Unchanged(n int) {
	t.counts.Seen += n
	t.counts.Unchanged += n
}

// Add counts one decision, of a record or of a group. The order does not matter. It keeps nothing of d.
func (t *Tally) Add(d *idbridge.Decision) {
	if !d.Empty() {
		t.decisions++
		t.sum.add(d)
	}
	t.effects += len(d.Steps) + len(d.Conflicts)
	if isGroup(d) {
		t.addGroup(d)
		return
	}
	t.situate(d)
	c := &t.counts
	if d.Back { // the guards see what it would do; the counts do not, since it waits for a person
		t.back++
		c = &idbridge.Counts{}
	}
	c.Conflicts += len(d.Conflicts)
	c.Withheld += len(d.Withheld)
	c.Silenced += d.Keys
	t.silenced += d.Keys
	if d.Rival != (idbridge.ExternalID{}) {
		t.rivals++
	}
	if d.Proof != nil && d.Proof.Feed != Tombstone && len(d.Steps) > 0 {
		t.absences++
		if doubt := Doubt(d.Proof); doubt != "" && t.doubt == "" {
			t.doubt = doubt
		}
	}
	updates := false
	for i := range d.Steps {
		s := &d.Steps[i]
		switch {
		case s.Side == idbridge.DirectorySide:
			c.Sent++
			if s.Author == "" {
				t.writes++
			}
		case s.Verb == idbridge.Update:
			c.Pulls += len(s.After)
			updates = updates || s.ID == d.ID
		case s.Verb == idbridge.Linking:
			c.Pulls += len(s.After)
		case s.Verb == idbridge.Suspend, s.Verb == idbridge.Purge, s.Verb == idbridge.Restore:
			t.access(d, s)
		}
	}
	if updates {
		t.changed++
	}
}

// situate counts where the record ended.
func (t *Tally) situate(d *idbridge.Decision) {
	c := &t.counts
	switch d.Situation {
	case idbridge.Missed:
		c.Missing++
		return
	case idbridge.Purged:
		c.Purged++
		return
	case idbridge.Suspended:
		for i := range d.Steps {
			s := &d.Steps[i]
			switch {
			case s.Verb == idbridge.Suspend && s.State == idbridge.LinkInactive:
				c.Inactive++
				c.Seen++
			case s.Verb == idbridge.Suspend:
				c.Suspended++
			}
		}
		return
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
	case idbridge.Skipped:
		c.Skipped++
	case idbridge.Unchanged:
		c.Unchanged++
	}
	c.Seen++
}

// access counts a step that gives or ends access. A new user who starts inactive loses nothing.
func (t *Tally) access(d *idbridge.Decision, s *idbridge.Step) {
	switch {
	case s.Verb == idbridge.Purge:
		t.removed.purged++
	case s.Verb == idbridge.Suspend && s.State == idbridge.LinkMissing:
		t.removed.absent++
	case s.Verb == idbridge.Suspend && s.Was == idbridge.LinkActive:
		t.removed.inactive++
	}
	if s.Verb != idbridge.Restore {
		t.admins.end(d)
	} else if d.Admin {
		t.admins.back = append(t.admins.back, hit{id: d.ID.ID, user: d.User, name: d.Name})
	}
}

// addGroup counts the steps of a group's decision. A member who leaves and joins in one breath stays.
func (t *Tally) addGroup(d *idbridge.Decision) {
	g := t.groups[d.ID.ID]
	if g == nil {
		g = &moved{name: d.Name}
		if t.groups == nil {
			t.groups = map[string]*moved{}
		}
		t.groups[d.ID.ID] = g
	}
	for i := range d.Steps {
		s := &d.Steps[i]
		switch s.Verb {
		case idbridge.Join:
			t.counts.Granted += len(s.Grants)
			again := i > 0 && d.Steps[i-1].ID == s.ID
			if !again {
				t.given += len(s.Grants)
				t.counts.Admins += adminGrants(s)
			}
			if again || s.Why == rulesChanged {
				break
			}
			t.counts.Joined++
			g.joined++
		case idbridge.Leave:
			t.counts.Revoked += len(s.Grants)
			if s.Why == rulesChanged {
				break
			}
			t.counts.Left++
			g.left++
		case idbridge.Create, idbridge.Linking, idbridge.Update, idbridge.Suspend, idbridge.Restore, idbridge.Miss, idbridge.Purge:
		}
		t.admins.move(s)
	}
	if d.Group != nil {
		g.members, g.known = d.Group.Members, true
	}
}

// adminGrants counts the grants of the global role ADMIN in a step.
func adminGrants(s *idbridge.Step) (n int) {
	for i := range s.Grants {
		if s.Grants[i].Role == idbridge.Admin && s.Grants[i].Application == "" {
			n++
		}
	}
	return n
}

func isGroup(d *idbridge.Decision) bool {
	return d.Group != nil || len(d.Steps) > 0 && (d.Steps[0].Verb == idbridge.Join || d.Steps[0].Verb == idbridge.Leave)
}

// AdminRecords returns the records, sorted, that join or leave a group whose members may administer. The engine asks the
// store for their Subjects and hands them over as Facts.Admins. There are a thousand at most: more than that is held anyway.
func (t *Tally) AdminRecords() []idbridge.ExternalID {
	ids := t.admins.records()
	return ids[:min(len(ids), adminsAsked)]
}

// Plan closes the sums into a plan's header: counts, hash, and the verdict of each guard. The hash is the same for the
// same decisions in any order and at any time.
func (t *Tally) Plan(run idbridge.RunID, facts Facts, now time.Time) idbridge.Plan {
	facts.now = now
	p := idbridge.Plan{
		Hash: t.sum.hex(t.p.Directory, t.decisions), Run: run, Directory: t.p.Directory, State: idbridge.PlanReady,
		Counts: t.counts, Verdicts: t.verdicts(&facts), Proof: facts.Proof, Decisions: t.decisions, Created: now,
	}
	if p.Held() {
		p.State = idbridge.PlanHeld
	}
	return p
}
