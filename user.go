package idbridge

import "time"

// UserID names a user of the store for ever: 1 … 2⁵³−1, never reused.
type UserID int64

// UserKind tells people from services.
type UserKind string

// The kinds of users.
const (
	Person  UserKind = "person"
	Service UserKind = "service" // an application: made by an administrator, never synced, no password
)

// User is one person, or one service, in the store.
type User struct {
	ID        UserID
	Kind      UserKind
	Profile   Profile // every attribute the store holds; never Active, which belongs to the links
	Suspended bool    // by an administrator; a run never lifts it
	Revision  int64   // moves with every change of profile, suspension or links
	Created   time.Time
	Updated   time.Time
}

// UserName returns the login name.
func (u *User) UserName() string { return u.Profile[UserName].First() }

// LinkState says what a link lets its user do.
type LinkState string

// The states of a link. Only LinkActive lets the user in.
const (
	LinkActive   LinkState = "active"
	LinkInactive LinkState = "inactive" // the directory says active=false
	LinkMissing  LinkState = "missing"  // absence proved: suspended, purged after the grace period
)

// Link ties a record to a user and remembers what both sides last agreed on.
type Link struct {
	ID        ExternalID
	User      UserID
	Locator   string
	Base      Profile
	State     LinkState
	Digest    Digest    // of the last settled observation; zero while anything is open
	Seen      string    // Record.Version of that observation
	Order     int64     // Record.Order of the last observation
	Version   int64     // moves with every change of the row; what a plan read must still hold at commit
	Sightings int       // complete listings in a row without the record
	Since     time.Time // first of those, or when State changed
	Sent      SentID    // open directory step, 0 for none
}

// Mark is the little that a run keeps in memory about each link.
type Mark struct {
	ID        string // ExternalID.ID
	Digest    Digest
	State     LinkState
	Sightings int
	Version   int64 // Link.Version before the directory is read; 0: not known
}

// Subject is all that the store knows about one record when its steps are decided.
type Subject struct {
	ID         ExternalID
	Link       *Link       // nil: not linked
	User       *User       // the linked user; nil when not linked
	Others     []Link      // the user's links to other directories
	Privileged bool        // the linked user may administer
	Tombstone  bool        // its user was deleted in the store: do not re-create
	Admins     int         // grants of ADMIN that the user holds, from wherever
	Open       []Conflict  // conflicts of this link that wait for a person
	Listed     []Withheld  // quarantine rows of this link as they are; Attribute "" and Why for a whole record
	Candidates []Candidate // for unlinked records: users that hold an equal unique value
	Holders    []Holder    // who holds the unique values that the record shows, other than User
	Keys       int         // keys of the linked user that are enabled and neither revoked nor expired
	Manual     int         // roles granted to the linked user by hand; asked for an undo, and of no weight elsewhere
	Backoff    *Backoff    // the directory refused writes of this record; nil: it did not
	Flips      []Flip      // attributes that changed direction in consecutive runs
}

// Backoff says how often in a row the directory refused to write a record, and until when it is not asked again. An edit
// of the user in the store ends it.
type Backoff struct {
	Attempts int       `json:"attempts"`
	Until    time.Time `json:"until"`
	Why      string    `json:"why"` // the directory's words
}

// Flip counts how often an attribute of a record changed the direction in which it travels, in consecutive runs. From
// FlipLimit on the attribute is withheld: a directory that rewrites what is written to it would go on for ever.
type Flip struct {
	Attribute Attribute `json:"attribute"`
	Count     int       `json:"count"`
}

// FlipLimit is the number of changes of direction from which an attribute is withheld until somebody edits it.
const FlipLimit = 3

// Candidate is a user whom a link rule may link a new record to.
type Candidate struct {
	User       User
	By         Attribute // the attribute with the equal value
	Local      bool      // has no link at all
	Linked     bool      // already linked to another record of the same directory
	Privileged bool      // may administer
}

// Holder tells that another user holds a unique value.
type Holder struct {
	Attribute Attribute
	Value     string // normalised
	User      UserID
	Link      ExternalID // that user's link in the same directory; zero for none
}
