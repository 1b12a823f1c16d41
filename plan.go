package idbridge

import (
	"slices"
	"time"
)

// PlanState is where a plan is in its life.
type PlanState string

// The states of a plan.
const (
	PlanReady     PlanState = "ready" // made, not applied (dry run, mode plan)
	PlanHeld      PlanState = "held"  // a guard stopped it, or a part of it
	PlanApplied   PlanState = "applied"
	PlanDiscarded PlanState = "discarded"
)

// Plan is the header of what a run would do; its decisions are rows of their own, read by key range.
type Plan struct {
	Hash      string    `json:"hash"` // hex; the same for the same decisions in any order
	Run       RunID     `json:"run"`
	Directory string    `json:"directory"`
	State     PlanState `json:"state"`
	Counts    Counts    `json:"counts"`
	Verdicts  []Verdict `json:"verdicts"`
	Proof     Proof     `json:"proof"`
	Decisions int       `json:"decisions"` // those that change something
	Created   time.Time `json:"created"`
	Decided   time.Time `json:"decided,omitzero"`
	By        string    `json:"by,omitempty"`      // who approved or discarded
	Undoes    RunID     `json:"undoes,omitempty"`  // the run whose reverse this plan is; 0 for an ordinary plan
	Refused   []Refusal `json:"refused,omitempty"` // of an undo plan: what cannot be reversed
}

// Removals is how many people lose access or are deleted by the plan, as its removals guard counted them: what a person
// types to approve it.
func (p *Plan) Removals() int {
	for i := range p.Verdicts {
		if p.Verdicts[i].Guard == "removals" {
			return p.Verdicts[i].Count
		}
	}
	return p.Counts.Suspended + p.Counts.Inactive + p.Counts.Purged
}

// AdminsHit names the administrators whom the plan hits or makes, sorted, each once: their number is confirmed apart.
func (p *Plan) AdminsHit() []string {
	var out []string
	for i := range p.Verdicts {
		out = append(out, p.Verdicts[i].Names...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Refusal is a part of a run that cannot be reversed.
type Refusal struct {
	Link      ExternalID `json:"link"`
	User      UserID     `json:"user,omitempty"`
	Name      string     `json:"name"`
	Attribute Attribute  `json:"attribute,omitempty"` // "" when it is not about one
	Why       string     `json:"why"`
}

// Held tells whether a guard stopped any part of the plan.
func (p *Plan) Held() bool {
	for i := range p.Verdicts {
		if p.Verdicts[i].Held != HoldNothing {
			return true
		}
	}
	return false
}

// Hold says how much of a plan a guard stops.
type Hold string

// What is held.
const (
	HoldNothing    Hold = ""
	HoldAttributes Hold = "attributes" // attribute steps only, so that a leaver's access still ends
	HoldCreations  Hold = "creations"  // new users, and what else their decisions do
	HoldGrants     Hold = "grants"     // memberships that come with a role; those that go still go
	HoldGroup      Hold = "group"      // what happens to the group in Verdict.About
	HoldAll        Hold = "all"
)

// Verdict is one guard's answer about a whole plan.
type Verdict struct {
	Guard    string    `json:"guard"` // by the names of package sync/plan
	Count    int       `json:"count"`
	Of       int       `json:"of"`
	Limit    int       `json:"limit"`
	About    string    `json:"about,omitempty"` // id of the group that a members verdict is about
	Held     Hold      `json:"held,omitempty"`
	Why      string    `json:"why,omitempty"`      // what was found and what to do, one sentence
	Causes   []string  `json:"causes,omitempty"`   // what most often looks like this, likeliest first; only when held
	Names    []string  `json:"names,omitempty"`    // administrators that the plan hits, by login
	Override *Override `json:"override,omitempty"` // the config's exception that set Limit
}

// Override is a config's exception from one guard of one directory: it has an end, and says who made it and why.
type Override struct {
	Guard string    `json:"guard"`
	Limit int       `json:"limit"` // instead of the guard's own; above it the guard holds all the same
	Until time.Time `json:"until"`
	By    string    `json:"by"`
	Why   string    `json:"why"`
}

// Counts adds up a run. Records seen end in exactly one of the first group.
type Counts struct {
	Seen        int `json:"seen"`
	Unchanged   int `json:"unchanged"`
	Created     int `json:"created"`
	Linked      int `json:"linked"`
	Updated     int `json:"updated"`
	Restored    int `json:"restored"`
	Held        int `json:"held"`
	Quarantined int `json:"quarantined"`
	Skipped     int `json:"skipped"`
	Inactive    int `json:"inactive"` // present, suspended because the directory says active=false

	Missing   int `json:"missing"`   // absent, first sighting
	Suspended int `json:"suspended"` // absent, proved
	Purged    int `json:"purged"`
	Conflicts int `json:"conflicts"`
	Withheld  int `json:"withheld"`
	Joined    int `json:"joined"`
	Left      int `json:"left"`
	Granted   int `json:"granted"`
	Revoked   int `json:"revoked"`
	Pulls     int `json:"pulls"` // attributes changed in the store
	Sent      int `json:"sent"`  // directory steps that went on the wire
	Settled   int `json:"settled"`
	Refused   int `json:"refused"`
	InDoubt   int `json:"inDoubt"`
	Admins    int `json:"admins"`   // of Granted, grants of ADMIN
	Silenced  int `json:"silenced"` // keys that are refused from now on, because their owner lost access or was purged
	Stale     int `json:"stale"`    // decisions not committed because something moved; planned again
}

// AddUp tells whether every record seen ended in exactly one situation.
func (c *Counts) AddUp() bool {
	return c.Seen == c.Unchanged+c.Created+c.Linked+c.Updated+c.Restored+c.Held+c.Quarantined+c.Skipped+c.Inactive
}

// RunID names a run for ever.
type RunID int64

// RunState is where a run is in its life.
type RunState string

// The states of a run.
const (
	RunRunning     RunState = "running"
	RunDone        RunState = "done"
	RunHeld        RunState = "held"       // a plan, or a part of it, waits for approval
	RunIncomplete  RunState = "incomplete" // the listing did not end, or is not complete; changes were applied, absence was not
	RunFailed      RunState = "failed"
	RunInterrupted RunState = "interrupted" // its daemon died or lost the lease
)

// RunKind says what made a run.
type RunKind string

// The kinds of runs.
const (
	FullRun    RunKind = "full"
	ChangesRun RunKind = "changes"
	PushRun    RunKind = "push"  // edits made in the store on their way to the directory
	PlanRun    RunKind = "plan"  // dry
	ApplyRun   RunKind = "apply" // an approved plan
	UndoRun    RunKind = "undo"  // dry: the reverse of an earlier run, as a plan
)

// Run is one pass over one directory.
type Run struct {
	ID        RunID     `json:"id"`
	Directory string    `json:"directory"`
	Kind      RunKind   `json:"kind"`
	Slot      time.Time `json:"slot,omitzero"` // scheduled time; zero for a manual run
	Author    string    `json:"author"`        // schedule, a user name, or cli
	State     RunState  `json:"state"`
	Complete  bool      `json:"complete"` // rests on a complete listing
	Started   time.Time `json:"started"`
	Ended     time.Time `json:"ended,omitzero"`
	Counts    Counts    `json:"counts"`
	Plan      string    `json:"plan,omitempty"` // hash
	Error     string    `json:"error,omitempty"`
	Hint      string    `json:"hint,omitempty"`
	Epoch     int64     `json:"epoch"`
}
