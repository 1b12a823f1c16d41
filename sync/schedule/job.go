package schedule

import (
	"context"
	"time"

	"github.com/idbridge/idbridge"
)

// Job is one run that is due.
type Job struct {
	Directory string
	Kind      idbridge.RunKind // FullRun or ChangesRun; a kick may ask for another
	Slot      time.Time        // the instant that named it; zero for a kick
	Author    string           // BySchedule, ByAbsence, or who kicked
}

// The authors of jobs that nobody kicked.
const (
	BySchedule = "schedule"
	ByAbsence  = "absence" // the confirming listing
)

// starter does runs. Start returns when the run has ended. Errors with a meaning here: Exists, the slot ran already, on
// this daemon or another; Held, the run ended and waits for a person; Locked, another daemon or command has the
// directory. Every other error counts as a failure. Start ends soon after ctx does.
type starter interface {
	Start(ctx context.Context, job Job) error
}

// Missed says what becomes of slots that passed while nobody could run them.
type Missed string

// The rules for missed slots.
const (
	RunOnce Missed = "run_once" // the latest of them is run, once; the default
	Skip    Missed = "skip"     // they are left out
)

// Timing is when one directory runs. A zero Spec never fires; kicks and confirmations work without any.
type Timing struct {
	Directory string
	Full      Spec
	Changes   Spec
	Missed    Missed        // "" is RunOnce
	Limit     time.Duration // how long a run may last; 0 is the Scheduler's
}
