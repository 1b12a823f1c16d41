package plan

import (
	"math"
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// How far the holders of an attribute may fall from one complete listing to the next before it counts as a lost right.
const (
	holdersFloor = 5
	holdersShare = 0.30
)

// Unknowns returns the attributes that a listing cannot tell from a lost right, sorted: nobody shows them, or their
// holders fell by more than the larger of 5 and 30 %. Such an attribute keeps its values: absent is not empty. shown has
// every mapped attribute with the number of records that showed a value now, before the same of the last complete
// listing (nil for none), records is how many records were shown, canary what the canary entry showed.
func Unknowns(shown, before map[idbridge.Attribute]int, records int, canary []idbridge.Attribute) []idbridge.Attribute {
	if failpoint.Mutant("errorempty") { // the mistake: what cannot be read is taken for empty
		return nil
	}
	var out []idbridge.Attribute
	for a, n := range shown {
		if unknown(n, before[a], records, slices.Contains(canary, a)) {
			out = append(out, a)
		}
	}
	for a := range before {
		if _, ok := shown[a]; !ok && !slices.Contains(canary, a) {
			out = append(out, a)
		}
	}
	slices.Sort(out)
	return out
}

func unknown(shown, before, records int, canary bool) bool {
	switch {
	case records > 0 && shown >= records:
		return false // nobody lacks it
	case shown == 0 && !canary:
		return true
	}
	return before-shown > limit(before, holdersFloor, holdersShare)
}

// limit is the larger of a floor and a share of n.
func limit(n, floor int, share float64) int {
	return max(floor, int(math.Floor(share*float64(n)+1e-9)))
}
