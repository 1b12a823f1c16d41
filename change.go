package idbridge

import "time"

// Change is one thing a directory says while it is listened to.
//
//sumtype:decl
type Change interface{ change() }

// Present says: this record is there, and shows this.
type Present struct{ Record Record }

// GoneWhy is the reason a directory gives for a Gone.
type GoneWhy uint8

// The reasons.
const (
	Deleted   GoneWhy = iota + 1 // the directory says it was deleted
	LeftScope                    // still there, outside base or filter
)

// Gone says: the directory itself reports that this record was deleted or left the scope. Absence is not Gone.
type Gone struct {
	ID  ExternalID
	Why GoneWhy
}

// Unusable says: something is there but cannot be used. It is quarantined and never counts as absent. ID.ID is "" when
// the id itself is missing or shared.
type Unusable struct {
	ID      ExternalID
	Locator string
	Why     error
}

// Members says who is in a group. When Whole is not OK the members are unknown, not none.
type Members struct {
	Group   ExternalID
	Name    string // the group's DN, as role rules name it
	Members []ExternalID
	Whole   Support
	// Unresolved is how many names in the list lead to nobody in scope: people of elsewhere, or people in scope until they
	// were moved or renamed.
	Unresolved int
}

// Checkpoint ends a listing. A Scan that ends without one did not end.
type Checkpoint struct {
	Cursor   Cursor
	Complete bool
	Proof    Proof
}

func (Present) change()    {}
func (Gone) change()       {}
func (Unusable) change()   {}
func (Members) change()    {}
func (Checkpoint) change() {}

// Cursor is a directory's own bookmark, opaque to all but its provider; "" means from the beginning.
type Cursor string

// Proof is the evidence that a listing was complete. Every step that rests on absence carries one.
type Proof struct {
	Feed       string        `json:"feed"`   // how the listing was read: "listing"
	Server     string        `json:"server"` // identity of the server that answered
	ResultCode int           `json:"resultCode"`
	Entries    int           `json:"entries"` // as received, before mapping
	Pages      int           `json:"pages"`
	Groups     int           `json:"groups"`
	References int           `json:"references"` // referrals seen and not followed
	Unusable   int           `json:"unusable"`
	LastPage   bool          `json:"lastPage"`        // the last page's cookie was empty
	CanaryPre  bool          `json:"canaryPre"`       // the canary was readable before
	CanaryPost bool          `json:"canaryPost"`      // and after
	Canary     []Attribute   `json:"canary"`          // attributes that the canary showed
	Took       time.Duration `json:"took"`            // nanoseconds
	Doubt      string        `json:"doubt,omitempty"` // why the listing is not complete, for a person
}
