package engine_test

import (
	"context"
	"iter"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/sync/engine"
)

// paused is a real store as one worker sees it: every call is one step.
type paused struct {
	*authstore.Store
	v      *view
	before func()                                         // told before decisions are committed
	after  func(lead idbridge.Lead, d *idbridge.Decision) // told of each that was
}

var _ engine.Store = (*paused)(nil)

func (p *paused) Marks(ctx context.Context, directory string) iter.Seq2[idbridge.Mark, error] {
	p.v.pause()
	return p.Store.Marks(ctx, directory)
}

func (p *paused) Subjects(
	ctx context.Context, directory string, ids []idbridge.ExternalID, shown []idbridge.Profile,
) ([]idbridge.Subject, error) {
	p.v.pause()
	return p.Store.Subjects(ctx, directory, ids, shown)
}

func (p *paused) Source(ctx context.Context, directory string) (idbridge.Source, error) {
	p.v.pause()
	return p.Store.Source(ctx, directory)
}

func (p *paused) Commit(ctx context.Context, lead idbridge.Lead, decisions []idbridge.Decision) ([]idbridge.Outcome, error) {
	p.v.pauseAt("commit")
	p.before()
	out, err := p.Store.Commit(ctx, lead, decisions)
	for i := range out {
		if !out[i].Stale {
			p.after(lead, &decisions[i])
		}
	}
	return out, err
}

func (p *paused) Settle(ctx context.Context, lead idbridge.Lead, settlements []idbridge.Settlement) error {
	p.v.pauseAt("settle")
	return p.Store.Settle(ctx, lead, settlements)
}

func (p *paused) OpenSent(ctx context.Context, directory string) ([]idbridge.Sent, error) {
	p.v.pause()
	return p.Store.OpenSent(ctx, directory)
}

func (p *paused) Outbox(ctx context.Context, directory string, limit int) ([]idbridge.Edit, error) {
	p.v.pause()
	return p.Store.Outbox(ctx, directory, limit)
}

func (p *paused) AckOutbox(ctx context.Context, lead idbridge.Lead, ids []int64) error {
	p.v.pause()
	return p.Store.AckOutbox(ctx, lead, ids)
}

func (p *paused) EndRun(ctx context.Context, lead idbridge.Lead, run idbridge.Run, source *idbridge.Source) error {
	p.v.pause()
	return p.Store.EndRun(ctx, lead, run, source)
}
