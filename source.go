package idbridge

import "time"

// Lead is what a run holds while it works: its own row and the epoch under which it may commit.
type Lead struct {
	Run       RunID
	Directory string
	Epoch     int64
}

// Group is a group as the store knows it.
type Group struct {
	ID      ExternalID
	Name    string
	Digest  Digest
	Members int
	Grants  []Grant // distinct roles that its members have through it now, without user; nil: not asked
}

// Source is what a run leaves behind about a directory, besides its effects.
type Source struct {
	Cursor    Cursor
	Server    string            // identity of the server the cursor came from
	Scope     string            // config hash the store's links rest on; "" before the first run
	Complete  time.Time         // end of the last complete run; zero for never
	Runs      int               // complete runs so far
	Records   int               // records of the last complete listing
	Held      string            // hash of the plan that waits for a person, "" for none
	Holders   map[Attribute]int // records that showed each attribute, in the last complete listing
	LastStart time.Time         // start of the last complete listing
	Canary    string            // id of the record that served as canary
}

// Edit is one user's change in the store on its way to a directory.
type Edit struct {
	ID     int64
	Link   ExternalID
	User   UserID
	Author string
	At     time.Time
}

// Population is how many there are, for the guards.
type Population struct {
	Links    int // that are active or inactive
	Admins   int // users that can sign in and have the role ADMIN, over all directories
	AdminIDs []UserID
}
