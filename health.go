package idbridge

import "time"

// Colour says how bad something is.
type Colour string

// The colours, best first.
const (
	Green  Colour = "green"
	Yellow Colour = "yellow" // waits for a person, or will be bad
	Red    Colour = "red"    // a promise is not kept now
)

// Health is one finding about the bridge: what it is about, why, and what to do.
type Health struct {
	Colour Colour `json:"colour"`
	What   string `json:"what"` // a directory's name, store, or audit
	Name   string `json:"name"` // stable, for metrics and alert rules: held, overdue, shrunk …
	Why    string `json:"why"`
	Fix    string `json:"fix,omitempty"`
}

// Vitals are what the health of a directory is read from.
type Vitals struct {
	Directory string
	Now       time.Time
	Interval  time.Duration // longest time between two scheduled full listings; 0: none is scheduled
	Since     time.Time     // when the directory was first known here; zero: as old as the oldest of Runs
	Source    Source
	Counts    StatusCounts
	Runs      []Run      // the latest, newest first, at least the last ten
	Overrides []Override // of the guards, as the config has them, those that are over too
	Expired   []Override // more of them, of which the caller knows that they are over
	Retry     time.Time  // until when the schedule leaves the directory alone after failures; zero: it does not
}

// HealthName is one of the names that a finding may have, for metrics, alert rules and docs.
type HealthName struct {
	Name  string
	Worst Colour // the worst colour it comes in
	Means string
}

// HealthNames lists every name that Diagnose gives, in the order in which it tells them.
func HealthNames() []HealthName {
	return []HealthName{
		{"restored", Red, "the store is an older copy of itself; nothing is removed or written until somebody accepts it"},
		{"failing", Red, "the last run failed"},
		{"overdue", Red, "no complete listing for three intervals, or none ever"},
		{"shrunk", Red, "the last complete listing showed far fewer records than those before"},
		{"short", Red, "the last run ended far sooner than those before, with fewer records"},
		{"held", Yellow, "a guard holds a plan, or a part of it"},
		{"incomplete", Yellow, "the last listing was not complete, so nothing was derived from absence"},
		{"interrupted", Yellow, "the last run was cut off by a crash or a lost lease"},
		{"indoubt", Yellow, "changes may or may not have reached the directory"},
		{"pending", Yellow, "edits wait unusually long for their way to the directory"},
		{"waiting", Yellow, "the directory refused to write records, and they wait to be tried again"},
		{"conflicts", Yellow, "attributes changed on both sides wait for a person"},
		{"quarantined", Yellow, "records or values cannot be used"},
		{"override", Yellow, "the config makes an exception from a guard, or still has one that is over"},
		{"ok", Green, "nothing of all that"},
	}
}

// Diagnose says how a directory fares: what is red first, then what is yellow, or one green finding. Each name comes at
// most once. What the last run complained about (Source.Alarm) is told once, in the finding that it explains best. It is
// pure.
func Diagnose(v Vitals) []Health {
	d := &diagnosis{Vitals: v}
	for _, look := range [...]func(*diagnosis){
		(*diagnosis).restored, (*diagnosis).failing, (*diagnosis).shrunk, (*diagnosis).short, (*diagnosis).held,
		(*diagnosis).incomplete, (*diagnosis).overdue, (*diagnosis).interrupted, (*diagnosis).inDoubt, (*diagnosis).pending,
		(*diagnosis).waits, (*diagnosis).overrides,
	} {
		look(d)
	}
	if len(d.found) == 0 {
		d.add(Green, "ok", "in order", "")
	}
	return d.sorted()
}
