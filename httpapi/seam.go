package httpapi

import (
	"context"
	"time"

	"github.com/idbridge/idbridge"
)

// pusher brings an edit that is stored already to the user's directories. It returns when they have it, with the trouble
// when they have not, or when ctx ends; the edit stays queued then.
type pusher interface {
	Push(ctx context.Context, user idbridge.UserID) error
}

// runner starts runs.
type runner interface {
	// Start begins a run and returns its id without waiting for its end; 0 when the id is not known yet. Errors: NotFound for
	// an unknown directory, Locked when one is under way or another daemon leads.
	Start(ctx context.Context, directory string, kind idbridge.RunKind, author string) (idbridge.RunID, error)
}

// timetable knows when directories run.
type timetable interface {
	// Next returns when the directory's next scheduled run is due; zero for never.
	Next(directory string) time.Time
}

// explainer says why a user is as he is. It asks his directories now, and writes nothing.
type explainer interface {
	// Explain returns everything about one user. A directory that does not answer is named in its part. Error: NotFound.
	Explain(ctx context.Context, user idbridge.UserID) (idbridge.Explanation, error)
}

// planner does with plans what a person decided. by is his user name, for run and audit.
type planner interface {
	// Approve applies the plan with that hash and returns the run that did it. When ctx ends first the work goes on, and the
	// run is returned as it is then: running. Errors: NotFound, Conflicting (applied or discarded already), Held (a guard
	// objects that did not when the plan was made), Locked, Invalid (the directory's mode).
	Approve(ctx context.Context, hash, by string) (Applied, error)
	// Discard closes the plan without applying it. Errors: NotFound, Conflicting.
	Discard(ctx context.Context, hash, by string) error
	// Undo makes the reverse of a run as a plan that waits, and returns its header; nothing else is done. The Hash is "" when
	// there is nothing to reverse. Errors: NotFound, Conflicting, Locked, Unavailable.
	Undo(ctx context.Context, run idbridge.RunID, by string) (idbridge.Plan, error)
}

// Applied is what became of an approved plan.
type Applied struct {
	Run   idbridge.Run
	Stale []string // names of records that moved since the plan was made, and were left out
}

// doctor says how the bridge is.
type doctor interface {
	// Health returns the findings about every directory, the store and the audit, worst first.
	Health(ctx context.Context) ([]idbridge.Health, error)
}
