package engine

import (
	"context"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// convoy commits batches of new users two at a time, in order: while the store writes one, the next is made ready, and a
// database of its own processes works on both. Only creations travel so: nothing else of the run can depend on them, and
// none goes to the directory.
type convoy struct {
	r       *pass
	ahead   bool
	waiting chan stored // the batch on its way; nil for none
}

// stored is a batch with the store's answer.
type stored struct {
	list     []decided
	outcomes []idbridge.Outcome
	err      error
}

// commit makes one batch durable. Its outcome may be counted only with a later call, or by end.
func (c *convoy) commit(ctx context.Context, list []decided) error {
	if !c.ahead || !onlyCreates(list) {
		if err := c.end(ctx); err != nil {
			return err
		}
		return c.r.commit(ctx, list)
	}
	if err := failpoint.Hit("engine.batch.before"); err != nil {
		return err
	}
	before := c.waiting
	c.waiting = make(chan stored, 1)
	go func(answer chan<- stored) {
		outcomes, err := c.r.store(ctx, list, c.r.e.Store.Commit)
		answer <- stored{list, outcomes, err}
	}(c.waiting)
	return c.arrive(ctx, before)
}

// end waits for the batch on its way and counts it.
func (c *convoy) end(ctx context.Context) error {
	last := c.waiting
	c.waiting = nil
	return c.arrive(ctx, last)
}

func (c *convoy) arrive(ctx context.Context, answer <-chan stored) error {
	if answer == nil {
		return nil
	}
	s := <-answer
	if s.err != nil {
		return s.err
	}
	if err := failpoint.Hit("engine.batch.after"); err != nil {
		return err
	}
	c.r.arrived(ctx, s.list, s.outcomes)
	return nil
}

// onlyCreates tells that a batch makes users and nothing else.
func onlyCreates(list []decided) bool {
	for i := range list {
		if len(list[i].Steps) != 1 || list[i].Steps[0].Verb != idbridge.Create {
			return false
		}
	}
	return len(list) > 0
}
