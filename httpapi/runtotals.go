package httpapi

import (
	"context"
	"sync"

	"github.com/idbridge/idbridge"
)

const (
	totalsPage = 500
	totalsDeep = 20_000 // runs that are read when a process counts for the first time
)

// runTotals adds up the rows of ended runs. Nothing is counted beside the rows: each is read once, when it is found ended,
// so that a scrape reads what is new and no more. After a restart the sums begin with what the store keeps, as counters may.
type runTotals struct {
	mu      sync.Mutex
	through idbridge.RunID              // every run up to here is in sum or in open
	open    map[idbridge.RunID]struct{} // found running
	sum     runSum
}

// runSum is how many runs ended how, and what they did.
type runSum struct {
	runs    map[runSeries]int
	effects map[effectSeries]int
}

type runSeries struct {
	directory string
	kind      idbridge.RunKind
	state     idbridge.RunState
}

type effectSeries struct{ directory, effect string }

func newRunSum() runSum {
	return runSum{map[runSeries]int{}, map[effectSeries]int{}}
}

// add counts one ended run. What a dry one would do is no effect.
func (s *runSum) add(r *idbridge.Run) {
	s.runs[runSeries{r.Directory, r.Kind, r.State}]++
	if r.Kind == idbridge.PlanRun || r.Kind == idbridge.UndoRun {
		return
	}
	for _, e := range effectsOf(&r.Counts) {
		s.effects[effectSeries{r.Directory, e.name}] += e.n
	}
}

func (s *runSum) merge(more runSum) {
	for k, n := range more.runs {
		s.runs[k] += n
	}
	for k, n := range more.effects {
		s.effects[k] += n
	}
}

type effect struct {
	name string
	n    int
}

// effectsOf names what a run did, as the metric does.
func effectsOf(c *idbridge.Counts) [19]effect {
	return [...]effect{
		{"created", c.Created},
		{"linked", c.Linked},
		{"updated", c.Updated},
		{"restored", c.Restored},
		{"suspended", c.Suspended},
		{"inactive", c.Inactive},
		{"purged", c.Purged},
		{"joined", c.Joined},
		{"left", c.Left},
		{"granted", c.Granted},
		{"revoked", c.Revoked},
		{"admins", c.Admins},
		{"silenced", c.Silenced},
		{"pulls", c.Pulls},
		{"sent", c.Sent},
		{"settled", c.Settled},
		{"refused", c.Refused},
		{"conflicts", c.Conflicts},
		{"stale", c.Stale},
	}
}

// read brings the sums up to date and hands them to use, which must not keep them.
func (k *runTotals) read(ctx context.Context, store history, use func(*runSum)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sum.runs == nil {
		k.sum, k.open = newRunSum(), map[idbridge.RunID]struct{}{}
	}
	for id := range k.open {
		r, err := store.Run(ctx, id)
		switch {
		case idbridge.KindOf(err) == idbridge.NotFound:
			delete(k.open, id) // pruned
		case err != nil:
			return err
		case r.State != idbridge.RunRunning:
			k.sum.add(&r)
			delete(k.open, id)
		}
	}
	if err := k.readNew(ctx, store); err != nil {
		return err
	}
	use(&k.sum)
	return nil
}

// readNew counts the runs after through, newest first. On an error none is counted, so that the next scrape does it again.
func (k *runTotals) readNew(ctx context.Context, store history) error {
	sum, newest, before := newRunSum(), k.through, idbridge.RunID(0)
	var open []idbridge.RunID
	for range totalsDeep / totalsPage {
		list, err := store.Runs(ctx, idbridge.RunFilter{Before: before, Limit: totalsPage})
		if err != nil {
			return err
		}
		known := false
		for i := range list {
			r := &list[i]
			if known = r.ID <= k.through; known {
				break
			}
			newest, before = max(newest, r.ID), r.ID
			if r.State == idbridge.RunRunning {
				open = append(open, r.ID)
				continue
			}
			sum.add(r)
		}
		if known || len(list) < totalsPage {
			break
		}
	}
	k.sum.merge(sum)
	k.through = newest
	for _, id := range open {
		k.open[id] = struct{}{}
	}
	return nil
}
