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
	Source    Source
	Counts    StatusCounts
	Runs      []Run // the latest, newest first, at least the last ten
	Expired   []Override
}
