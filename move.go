package idbridge

import "time"

// MoveKind says what a move is about.
type MoveKind = string

// The kinds of moves. Whoever keeps answers forgets what a move names and asks again.
const (
	MoveUser    MoveKind = "user"    // what a user is or may do: details, suspension, his links to directories
	MoveGone    MoveKind = "gone"    // the user was deleted with all that was his
	MoveGrant   MoveKind = "grant"   // he has a role now
	MoveRevoke  MoveKind = "revoke"  // he has a role no more, at least not from there
	MoveKey     MoveKind = "key"     // a key was made, changed, rotated or revoked
	MoveSession MoveKind = "session" // sessions of the user ended
	MoveImport  MoveKind = "import"  // users were made, by a run; none is named
	MoveAll     MoveKind = "all"     // too much to name, or an older copy of the store was put in place: forget everything
)

// Move is one change of users, keys, roles or sessions, for those who follow them. It has no secret and no attribute value.
// All moves of one transaction have the same revision.
type Move struct {
	Revision    int64     `json:"revision"`
	At          time.Time `json:"at"`
	Kind        MoveKind  `json:"kind"`
	User        UserID    `json:"user,omitempty"`
	Role        Role      `json:"role,omitempty"`
	Application string    `json:"application,omitempty"`
	Key         KeyID     `json:"keyId,omitempty"`
}
