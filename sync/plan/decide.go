package plan

import (
	"time"

	"github.com/idbridge/idbridge"
)

// Decide says which steps one record needs, from what the store knows (s) and what this run saw (o). It asks nobody and
// changes nothing it is given; the same arguments give the same decision.
func Decide(p *Policy, s idbridge.Subject, o Observed, now time.Time) idbridge.Decision {
	return idbridge.Decision{ID: s.ID}
}

// Lets tells whether the record r of a holder, as this run saw it, no longer shows the value that the store says he
// holds: the engine then puts Yield{Link: h.Link} into the Observed of the record that wants the value. r nil: not seen.
func Lets(p *Policy, h idbridge.Holder, r *idbridge.Record) bool { return false }

// Unknowns returns the attributes that a listing cannot tell from a lost right, sorted: nobody shows them, or their
// holders fell by more than the larger of 5 and 30 %. Such an attribute keeps its values: absent is not empty. shown has
// every mapped attribute with the number of records that showed a value now, before the same of the last complete
// listing (nil for none), records is how many records were shown, canary what the canary entry showed.
func Unknowns(shown, before map[idbridge.Attribute]int, records int, canary []idbridge.Attribute) []idbridge.Attribute {
	return nil
}
