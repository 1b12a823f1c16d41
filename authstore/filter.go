package authstore

import (
	"time"

	"github.com/idbridge/idbridge"
)

// UserFilter selects users. The zero filter selects all, in pages of 100.
type UserFilter struct {
	After     idbridge.UserID   // those with a larger id
	Limit     int               // at most so many; default 100, cap 1,000
	Query     string            // login, display name or e-mail holds this text, whatever the case
	Directory string            // linked to a record of this directory
	Kind      idbridge.UserKind // people or services; "": both
}

// NewUser is a user made by a person, not by a run.
type NewUser struct {
	Kind    idbridge.UserKind // default Person
	Profile idbridge.Profile  // userName is required
	By      string            // who makes it
}

// UserEdit is a change of a user's details made in the store.
type UserEdit struct {
	User       idbridge.UserID
	Set        idbridge.Profile // attributes to change; one with no values is cleared
	By         string
	IfRevision int64 // Conflicting unless the user is at this revision; 0: any
}

// RoleCount says how many users have a role, from whatever source.
type RoleCount struct {
	Role        idbridge.Role `json:"role"`
	Application string        `json:"application,omitempty"`
	Users       int           `json:"users"`
}

// RunFilter selects runs, newest first.
type RunFilter struct {
	Directory string         // "": all
	Before    idbridge.RunID // those with a smaller id; 0: from the newest
	Limit     int            // default 100, cap 1,000
}

// ConflictFilter selects conflicts by id.
type ConflictFilter struct {
	Open      bool // only those that wait for a person
	User      idbridge.UserID
	Attribute idbridge.Attribute
	After     idbridge.ConflictID
	Limit     int // default 100, cap 1,000
}

// QuarantineRow is one record, or one value of it, that cannot be used.
type QuarantineRow struct {
	Link      idbridge.ExternalID
	Locator   string
	User      idbridge.UserID    // 0 when the record is not linked
	Attribute idbridge.Attribute // "" when the whole record is unusable
	Value     string             // the withheld value, normalised or as shown
	Why       string
	Since     time.Time
}

// StatusCounts says what waits in one directory.
type StatusCounts struct {
	Quarantined int `json:"quarantined"` // records
	Conflicts   int `json:"conflicts"`   // open
	Held        int `json:"held"`        // plans
	Pending     int `json:"pending"`     // edits on their way
	InDoubt     int `json:"inDoubt"`     // sent steps whose end nobody knows
}

// AuditFilter selects audit rows, newest first.
type AuditFilter struct {
	Before int64 // those with a smaller id; 0: from the newest
	Limit  int   // default 100, cap 1,000
	User   idbridge.UserID
}

const (
	defaultPage = 100
	maxPage     = 1000
)

// page returns the number of rows that a limit asks for.
func page(limit int) int {
	if limit <= 0 {
		return defaultPage
	}
	return min(limit, maxPage)
}
