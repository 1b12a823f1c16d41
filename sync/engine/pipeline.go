package engine

import (
	"context"
	"sync"

	"github.com/idbridge/idbridge"
)

// pipeline hands changes to one other goroutine, in order and in batches, so that decoding and digesting run side by
// side. wait must be called; it is safe on a nil pipeline.
type pipeline struct {
	batch  []idbridge.Change
	weight int // of batch: groups with thousands of members must not pile up
	queue  chan []idbridge.Change
	failed chan struct{}
	done   sync.WaitGroup
	err    error // of the other goroutine; read after wait, or after failed was closed
}

func newPipeline(take func(idbridge.Change) error) *pipeline {
	p := &pipeline{queue: make(chan []idbridge.Change, 4), failed: make(chan struct{})}
	p.done.Go(func() {
		for batch := range p.queue {
			for _, c := range batch {
				if p.err != nil {
					break // keep taking batches, so that nobody waits for ever
				}
				if p.err = take(c); p.err != nil {
					close(p.failed)
				}
			}
		}
	})
	return p
}

// push adds one change; it waits when the other goroutine is behind.
func (p *pipeline) push(ctx context.Context, c idbridge.Change) error {
	if p.batch == nil {
		p.batch = make([]idbridge.Change, 0, pipelineBatch)
	}
	p.batch = append(p.batch, c)
	p.weight++
	if m, ok := c.(idbridge.Members); ok {
		p.weight += len(m.Members) / membersHeavy
	}
	if p.weight < pipelineBatch {
		return nil
	}
	return p.send(ctx)
}

func (p *pipeline) send(ctx context.Context) error {
	select {
	case p.queue <- p.batch:
		p.batch, p.weight = nil, 0
		return nil
	case <-p.failed:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait ends the pipeline after everything pushed was taken, and returns the first error.
func (p *pipeline) wait() error {
	if p == nil {
		return nil
	}
	if len(p.batch) > 0 {
		select {
		case p.queue <- p.batch:
		case <-p.failed:
		}
		p.batch = nil
	}
	close(p.queue)
	p.done.Wait()
	return p.err
}
