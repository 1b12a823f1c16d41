package idbridge

import "time"

// UserFilter selects a page of users, by ascending id. The zero filter is the first page of everybody.
type UserFilter struct {
	After     UserID   // only larger ids
	Limit     int      // at most; 0 lets the store choose
	Query     string   // part of a user name, display name or e-mail; "" for any
	Directory string   // linked to this directory; "" for any
	Kind      UserKind // "" for any
}

// NewUser is a user to be made in the store.
type NewUser struct {
	Kind    UserKind
	Profile Profile
	By      string // who makes it, for the audit
}

// UserEdit sets attributes of one user. An attribute with no values is cleared; one that is absent is kept.
type UserEdit struct {
	User       UserID
	Set        Profile
	By         string // who edits, for the audit
	IfRevision int64  // the revision the editor looked at; 0 for any
}

// RoleCount is a role that is granted to somebody, and to how many.
type RoleCount struct {
	Role        Role   `json:"role"`
	Application string `json:"application,omitempty"` // "" is global
	Users       int    `json:"users"`
}

// RunFilter selects a page of runs, newest first.
type RunFilter struct {
	Directory string // "" for any
	Before    RunID  // only smaller ids; 0 for the newest
	Limit     int
}

// ConflictFilter selects a page of conflicts, by ascending id.
type ConflictFilter struct {
	Open      bool       // only those that wait for a person
	User      UserID     // 0 for any
	Attribute Attribute  // "" for any
	After     ConflictID // only larger ids
	Limit     int
}

// AuditFilter selects a page of audit rows, newest first.
type AuditFilter struct {
	Before int64 // only smaller ids; 0 for the newest
	Limit  int
	User   UserID // 0 for any
}

// QuarantineRow is one record, or one value of it, that cannot be used. Its last good state is kept.
type QuarantineRow struct {
	Link      ExternalID `json:"link"`
	Locator   string     `json:"locator,omitempty"`
	User      UserID     `json:"user,omitempty"`
	Attribute Attribute  `json:"attribute,omitempty"` // "" when the whole record is unusable
	Value     string     `json:"value,omitempty"`
	Why       string     `json:"why"`
	Since     time.Time  `json:"since"`
	Attempts  int        `json:"attempts,omitempty"` // writes that the directory refused in a row
	Until     time.Time  `json:"until,omitzero"`     // it is not asked again before
}

// StatusCounts says how much of a directory waits for somebody.
type StatusCounts struct {
	Quarantined int `json:"quarantined"`
	Conflicts   int `json:"conflicts"` // open
	Held        int `json:"held"`      // plans
	Pending     int `json:"pending"`   // edits on their way to the directory
	InDoubt     int `json:"inDoubt"`   // sent steps nobody knows the end of
	Waiting     int `json:"waiting"`   // records whose writes the directory refuses, left alone for a while

	PendingSince time.Time `json:"pendingSince,omitzero"` // of the oldest pending edit; zero: none, or not known
}

// Resolution is a person's decision about a conflict that waits.
type Resolution struct {
	Conflict ConflictID
	Winner   Winner // StoreWinner, DirectoryWinner, or ValueWinner
	Value    Values // of ValueWinner; none clears the attribute on both sides
	By       string
}
