package engine

import (
	"iter"
	"log/slog"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// Store is all that the engine asks of the store. Every call is one round trip or one transaction.
type Store interface {
	memory
	committer
	plans
	runs
	history
}

// Mode says how far a run of a directory may go.
type Mode string

// The modes.
const (
	Observe  Mode = "observe" // read and show; nothing is stored but the run's row
	PlanOnly Mode = "plan"    // make the plan, keep it, wait for a person
	ApplyAll Mode = "apply"   // make the effects, unless a guard holds them
)

// Engine does runs. It may do several at once for different directories, never two for one directory.
type Engine struct {
	Store    Store
	Now      func() time.Time // default time.Now
	Log      *slog.Logger     // default: silent
	Writers  int              // directory steps in flight, default 8; more is faster and harder on the directory
	SpoolDir string           // where a run keeps what does not fit into memory, default os.TempDir()
	Progress func(Progress)   // told now and then how far a run is; called from the run's goroutines, one at a time
}

// Target is the directory of a run with its settings.
type Target struct {
	Directory idbridge.Directory
	Policy    *plan.Policy
	Mode      Mode // default ApplyAll
	// MaxFailedWrites is the least number of failed directory steps after which a run writes no more, default 8; the limit
	// is the larger of it and one per cent of the steps.
	MaxFailedWrites int
}

// RunOptions say what kind of run is wanted.
type RunOptions struct {
	Kind   idbridge.RunKind      // default FullRun, PlanRun when dry
	Slot   time.Time             // scheduled time; zero for a run by hand
	Author string                // schedule, cli, or a user's name
	Epoch  int64                 // of the lease under which the run works
	DryRun bool                  // make and keep the plan, change nothing else
	Watch  watcher               // shown the plan before its first effect; nil: nobody watches
	Only   []idbridge.ExternalID // these records alone, fetched by id; nothing follows from absence. With DryRun in mode
	// observe nothing is kept but the run's row; in the other modes the plan is kept, and supersedes one that waits.
}

// watcher is shown what a run is about to do, after the guards have spoken and before the first effect.
type watcher interface {
	// Planned may read as many of the decisions that change something as it likes; they are valid until it returns. An error
	// ends the run before any effect.
	Planned(p idbridge.Plan, decisions iter.Seq2[idbridge.Decision, error]) error
}

// Stage is where a run is.
type Stage string

// The stages, in order.
const (
	Listening Stage = "listening" // reading the directory
	Deciding  Stage = "deciding"
	Writing   Stage = "writing" // making the effects
)

// Progress is how far a run is.
type Progress struct {
	Directory string
	Stage     Stage
	Done      int // records read, records decided, or decisions committed
	Of        int // 0: not known
}

// Report is what a run did.
type Report struct {
	Run      idbridge.Run
	Plan     idbridge.Plan // Hash is "" when the run had nothing to decide upon
	Held     bool          // a plan, or a part of it, waits for a person
	Confirm  time.Time     // when a second listing may prove absence; zero when nobody is missing for the first time
	Stale    []string      // what was left out because it moved, by name
	Settled  int           // steps of earlier runs that were settled first
	Messages []string      // what a person should know besides, in order
	// Alarm is what a listing complains about, without numbers that change each time: "held: removals", "failed: unavailable",
	// "incomplete: size limit"; "" for nothing. AlarmChanged tells that it is another one than after the last listing.
	Alarm        string
	AlarmChanged bool
}

// now returns the time of the engine's clock, in UTC.
func (e *Engine) now() time.Time {
	if e.Now == nil {
		return time.Now().UTC() //nolint:forbidigo // the edge: nobody gave a clock
	}
	return e.Now().UTC()
}

func (e *Engine) log() *slog.Logger {
	if e.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return e.Log
}

func (e *Engine) writers() int {
	if e.Writers <= 0 {
		return 8
	}
	return e.Writers
}
