package main

import (
	"context"
	"time"

	"github.com/idbridge/idbridge"
)

const (
	sealEvery  = time.Second // so long may an audit row wait for its block
	pruneEvery = time.Hour
)

// seal puts new audit rows into numbered blocks, as long as this process leads.
func (h *house) seal(ctx context.Context) error {
	return every(ctx, sealEvery, func() {
		epoch, _, err := h.lead.take(ctx)
		if err == nil {
			_, err = h.store.Seal(ctx, epoch)
		}
		if err != nil && ctx.Err() == nil && idbridge.KindOf(err) != idbridge.Locked {
			h.log.Warn("audit rows wait for their block", "error", err.Error())
		}
	})
}

// prune removes what is older than the config keeps.
func (h *house) prune(ctx context.Context) error {
	return every(ctx, pruneEvery, func() {
		done, err := h.store.Prune(ctx, h.cfg.Retention, false)
		switch {
		case err != nil && ctx.Err() == nil:
			h.log.Warn("old rows stay: not pruned", "error", err.Error())
		case err == nil && len(done) > 0:
			h.log.Info("pruned", "rows", done)
		}
	})
}

// every does something now and then until ctx ends.
func every(ctx context.Context, pause time.Duration, f func()) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		f()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
