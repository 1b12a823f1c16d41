package idbridge

import (
	"time"
)

// Side is where a step has its effect.
type Side string

// The sides.
const (
	StoreSide     Side = "store"
	DirectorySide Side = "directory"
)

// Verb is what a step does.
type Verb string

// The verbs.
const (
	Create  Verb = "create"  // a new user for a new record
	Linking Verb = "link"    // a new record and an existing user
	Update  Verb = "update"  // attribute values, on either side
	Suspend Verb = "suspend" // access ends: the record is missing or inactive
	Restore Verb = "restore" // access that a Suspend took returns
	Miss    Verb = "miss"    // first sighting of absence; nothing but the count changes
	Purge   Verb = "purge"   // the user goes for good after the grace period
	Join    Verb = "join"    // a member entered a group, with the grants its rules give
	Leave   Verb = "leave"   // a member left a group, with the grants that go
)

// Versions are what a plan read and what must still hold when it is committed.
type Versions struct {
	User int64 // User.Revision, 0 for none
	Link int64 // Link.Version, 0 for none
}

// Step is one effect for one user, as data: it can be printed, stored, compared and approved. It holds no code.
type Step struct {
	ID      ExternalID `json:"id"`
	User    UserID     `json:"user,omitempty"` // 0: not known before the commit
	Side    Side       `json:"side"`
	Verb    Verb       `json:"verb"`              // a Create may be followed by a Suspend: a new record that the directory says is inactive
	Before  Profile    `json:"before,omitempty"`  // touched attributes as they are
	After   Profile    `json:"after,omitempty"`   // touched attributes as they shall be
	State   LinkState  `json:"state,omitempty"`   // Suspend and Restore: what the link becomes
	Was     LinkState  `json:"was,omitempty"`     // Suspend and Restore: what the link is; "" when this very decision makes it
	Group   ExternalID `json:"group,omitzero"`    // Join and Leave
	Grants  []Grant    `json:"grants,omitempty"`  // Join: given; Leave: taken
	Locator string     `json:"locator,omitempty"` // where the record was last seen; a hint, never a key
	Author  string     `json:"author,omitempty"`  // who made the edit that travels
	Why     string     `json:"why,omitempty"`
}

// Situation is where a record or user of a run ends; each ends in exactly one.
type Situation string

// The situations.
const (
	Unchanged   Situation = "unchanged"
	Created     Situation = "created"
	Linked      Situation = "linked"
	Updated     Situation = "updated" // at least one effect on either side, or a base moved
	Restored    Situation = "restored"
	HeldBack    Situation = "held"        // waits for a person: ambiguous link, tombstone, open conflict and nothing else
	Quarantined Situation = "quarantined" // cannot be used; last good state kept
	Skipped     Situation = "skipped"     // not decided in this run, with a reason
	Missed      Situation = "missing"     // absent, not proved yet
	Suspended   Situation = "suspended"   // by absence, or because the directory says active=false
	Purged      Situation = "purged"
)

// Withheld is one value that could not be taken over while the rest of the record was.
type Withheld struct {
	Attribute Attribute `json:"attribute"`
	Value     string    `json:"value"`
	Holder    UserID    `json:"holder,omitempty"` // who has it
	Why       string    `json:"why"`
}

// Decision is everything a run does about one record, or about a part of one group: committed together or not at all.
type Decision struct {
	ID        ExternalID   `json:"id"` // of the record, or of the group
	User      UserID       `json:"user,omitempty"`
	Name      string       `json:"name"` // login, or the group's name, for people
	Situation Situation    `json:"situation"`
	Read      Versions     `json:"read"`
	Steps     []Step       `json:"steps,omitempty"`
	Base      Profile      `json:"base,omitempty"`      // base moves that hold as soon as the store steps are committed
	Conflicts []Conflict   `json:"conflicts,omitempty"` // to be opened, or recorded as decided
	Closed    []ConflictID `json:"closed,omitempty"`    // open conflicts that are settled by equality
	Withheld  []Withheld   `json:"withheld,omitempty"`
	Unusable  string       `json:"unusable,omitempty"` // Quarantined, and a HeldBack newcomer: why
	Listed    bool         `json:"listed,omitempty"`   // Withheld and Unusable are what the store's quarantine rows say already
	Tied      []ExternalID `json:"tied,omitempty"`     // records whose decision lets a unique value go that this one takes: same batch
	Keys      int          `json:"keys,omitempty"`     // keys that are refused once this is committed
	Rival     ExternalID   `json:"rival,omitzero"`     // of a new record: the other record whose user has its login or e-mail; a pair for a person to review
	Back      bool         `json:"back,omitempty"`     // the record shows an older state than it showed before: never done without approval
	Admin     bool         `json:"admin,omitempty"`    // his user may administer, and loses or regains access by this decision
	Seen      Observation  `json:"seen"`
	Group     *GroupSeen   `json:"group,omitempty"` // set on the last decision of a group
	Why       string       `json:"why,omitempty"`   // also when nothing is done
	Proof     *Proof       `json:"proof,omitempty"` // present on every Miss, Suspend for absence, and Purge
}

// Observation is what a commit writes into the link about the record seen.
type Observation struct {
	Locator   string `json:"locator,omitempty"`
	Version   string `json:"version,omitempty"`
	Order     int64  `json:"order,omitempty"`
	Digest    Digest `json:"digest,omitzero"` // zero while anything is open, so that the next run decides again
	Sightings int    `json:"sightings,omitempty"`
}

// GroupSeen is what a commit writes into the group.
type GroupSeen struct {
	Name    string `json:"name"`
	Digest  Digest `json:"digest"`
	Members int    `json:"members"`
}

// Phase orders the commits of a run: everything that grants comes before anything that revokes or suspends.
type Phase uint8

// The phases, in order.
const (
	PhaseGive  Phase = iota // create, link, restore, updates
	PhaseJoin               // memberships and grants that come
	PhaseLeave              // memberships and grants that go
	PhaseTake               // suspensions
	PhasePurge
)

// Phases is their number.
const Phases = 5

// Phase returns the phase of the decision: the latest of its steps'.
func (d *Decision) Phase() Phase {
	p := PhaseGive
	for i := range d.Steps {
		switch d.Steps[i].Verb {
		case Join:
			p = max(p, PhaseJoin)
		case Leave:
			p = max(p, PhaseLeave)
		case Suspend, Miss:
			p = max(p, PhaseTake)
		case Purge:
			p = max(p, PhasePurge)
		case Create, Linking, Update, Restore:
		}
	}
	return p
}

// DirectoryStep returns the decision's step on the directory side, or nil. There is at most one.
func (d *Decision) DirectoryStep() *Step {
	for i := range d.Steps {
		if d.Steps[i].Side == DirectorySide {
			return &d.Steps[i]
		}
	}
	return nil
}

// Empty tells that committing the decision would change nothing. What a person may want to know of it (Situation, Why,
// values that stay withheld) can be there all the same.
func (d *Decision) Empty() bool {
	return len(d.Steps) == 0 && len(d.Base) == 0 && len(d.Conflicts) == 0 && len(d.Closed) == 0 &&
		(d.Listed || len(d.Withheld) == 0 && d.Unusable == "") && d.Group == nil && d.Seen == (Observation{})
}

// ConflictID names a conflict of the store.
type ConflictID int64

// Winner says which side a conflict went to.
type Winner string

// The winners. NoWinner waits for a person.
const (
	NoWinner        Winner = ""
	DirectoryWinner Winner = "directory"
	StoreWinner     Winner = "store"
	ValueWinner     Winner = "value" // a person gave a third value
)

// Conflict is one attribute that both sides changed, differently. The values of both sides and the base are kept, also
// when a policy decided at once, so that a person can see and reverse it.
type Conflict struct {
	ID        ConflictID `json:"id,omitempty"` // in a Decision: 0 opens a row, else this open row gets these values
	Link      ExternalID `json:"link"`
	User      UserID     `json:"user,omitempty"`
	Name      string     `json:"name,omitempty"`
	Attribute Attribute  `json:"attribute"`
	Base      Values     `json:"base"`
	Store     Values     `json:"store"`
	Directory Values     `json:"directory"`
	Winner    Winner     `json:"winner,omitempty"`
	Why       string     `json:"why,omitempty"` // the policy or flow that decided
	Opened    time.Time  `json:"opened,omitzero"`
	Closed    time.Time  `json:"closed,omitzero"` // zero while it waits
	By        string     `json:"by,omitempty"`    // who decided: policy, equality, or a user name
}
