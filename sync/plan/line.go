package plan

import "github.com/idbridge/idbridge"

// Sign says at a glance what a line means.
type Sign string

// The signs.
const (
	Gives      Sign = "+" // somebody, or something, comes
	Changes    Sign = "~"
	Takes      Sign = "-"
	Attends    Sign = "!" // wants a person's eye: conflict, held, quarantined, withheld
	Uneventful Sign = " "
)

// Line is one thing a person reads of a decision. It is data: cmd aligns and colours it.
type Line struct {
	Sign      Sign
	Verb      string             // create, update, conflict, held …
	Name      string             // who: login or group
	Attribute idbridge.Attribute // "" when it is not about one
	Before    string             // printable, shortened
	After     string
	To        idbridge.Side // where it goes; "" when nowhere
	Why       string
}

// Lines returns what a person reads of a decision, sorted by attribute within each step.
func Lines(d *idbridge.Decision) []Line { return nil }
