package httpapi

import (
	"sync"

	"github.com/idbridge/idbridge"
)

// guardTrips counts the plans that each guard stopped, from the plans that the store keeps: each once, when it is first
// seen among the latest.
type guardTrips struct {
	mu   sync.Mutex
	seen map[tripped]struct{}
	sum  map[guardSeries]int
}

type tripped struct {
	run  idbridge.RunID
	hash string
}

type guardSeries struct{ directory, guard string }

// read counts what is new in the latest plans and hands the sums to use, which must not keep them.
func (k *guardTrips) read(latest []idbridge.Plan, use func(map[guardSeries]int)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sum == nil {
		k.sum = map[guardSeries]int{}
	}
	seen := make(map[tripped]struct{}, len(latest))
	for i := range latest {
		p := &latest[i]
		id := tripped{p.Run, p.Hash}
		seen[id] = struct{}{}
		if _, known := k.seen[id]; !known {
			for s := range heldBy(p) {
				k.sum[s]++
			}
		}
	}
	k.seen = seen
	use(k.sum)
}

// heldBy returns the guards that stopped a plan, or a part of it; each once, however many groups it is about.
func heldBy(p *idbridge.Plan) map[guardSeries]struct{} {
	out := map[guardSeries]struct{}{}
	for i := range p.Verdicts {
		if p.Verdicts[i].Held != idbridge.HoldNothing {
			out[guardSeries{p.Directory, p.Verdicts[i].Guard}] = struct{}{}
		}
	}
	return out
}
