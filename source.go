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
	Alarm     string            // what the last run complained about, without numbers that change each time; "" for nothing
	Restored  time.Time         // when it was found that this store is an older copy, and nobody accepted it yet; zero: it is not
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
	Keys     int // keys that work, of users linked to the directory
}

// RunChange is one change that a run made, as it is kept to be shown and reversed. Creations have a row only where they
// are asked for one by one: Store.Created has the users that a run made.
type RunChange struct {
	ID     int64      `json:"id"`
	Run    RunID      `json:"run"` // 0: an edit by a person, for his history
	Link   ExternalID `json:"link"`
	User   UserID     `json:"user,omitempty"`
	Side   Side       `json:"side"`
	Verb   Verb       `json:"verb"`
	Group  ExternalID `json:"group,omitzero"`
	Was    LinkState  `json:"was,omitempty"`
	State  LinkState  `json:"state,omitempty"`
	Before Profile    `json:"before,omitempty"`
	After  Profile    `json:"after,omitempty"`
	Grants []Grant    `json:"grants,omitempty"` // that came with a Join, or went with a Leave
	Author string     `json:"author,omitempty"` // DirectorySide: who made the edit that travelled
	Why    string     `json:"why,omitempty"`    // of the step; of a Linking, by which rule
	At     time.Time  `json:"at"`
}
