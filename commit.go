package idbridge

import "github.com/idbridge/idbridge/internal/failpoint"

// SentID names one directory step that was recorded before it went on the wire.
type SentID int64

// Sent is a directory step that was recorded as sent and is not settled yet.
type Sent struct {
	ID   SentID
	Run  RunID
	Step Step
}

// Settled is how a sent step ended.
type Settled string

// The ends of a sent step.
const (
	SentSettled Settled = "settled"  // the directory holds the values: the base moves
	SentRefused Settled = "refused"  // nothing was done, or something else is there now: the base stays
	SentInDoubt Settled = "in doubt" // nobody knows; stays open until it is read back
)

// Settlement ends a sent step in the store.
type Settlement struct {
	Sent      SentID
	ID        ExternalID
	How       Settled
	Base      Profile // base moves, only with SentSettled
	Conflicts []Conflict
	Seen      Observation // what the directory showed afterwards; zero Digest unless nothing is open
	Unusable  string      // the directory's reason for a permanent refusal; quarantines the link
}

// Outcome is what became of one decision in a commit.
type Outcome struct {
	User     UserID
	Sent     SentID     // of the directory step, recorded in the same transaction
	Stale    bool       // nothing of it was done: something moved since it was decided
	Withheld []Withheld // unique values that were taken in the meantime
	Unusable string     // with Stale: the database cannot keep what was decided; the record is quarantined with this reason
}

// MayCommit is the precondition of every decision's commit: what the plan read still holds, and no sent step is open.
// It is the one function that SQLite, PostgreSQL and the test's store ask. Error: Conflicting.
func MayCommit(read, now Versions, open SentID) error {
	if failpoint.Mutant("nover") {
		return nil
	}
	if open != 0 {
		return &Error{Kind: Conflicting, Msg: "a change sent to the directory is not settled yet"}
	}
	if read != now {
		return &Error{Kind: Conflicting, Msg: "changed since it was planned"}
	}
	return nil
}

// MaySettle is the precondition of a settlement: the very step that was sent is still the open one. The user's revision
// does not count: an acknowledged effect moves the base whatever was edited meanwhile. sentRevision is the user's
// revision when it was sent, now his revision at present. Error: Conflicting.
func MaySettle(sent, open SentID, sentRevision, now int64) error {
	if failpoint.Mutant("settlever") && sentRevision != now {
		return &Error{Kind: Conflicting, Msg: "user changed since the step was sent"}
	}
	if failpoint.Mutant("noid") && open != 0 {
		return nil
	}
	if open == 0 || sent != open {
		return &Error{Kind: Conflicting, Msg: "the step is settled already"}
	}
	return nil
}

// MayLead is the precondition of every transaction of a run: the daemon that runs still leads. Error: Locked.
func MayLead(mine, now int64) error {
	if mine != now {
		return &Error{Kind: Locked, Msg: "another daemon leads the runs now"}
	}
	return nil
}
