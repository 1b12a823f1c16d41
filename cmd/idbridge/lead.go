package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/idbridge/idbridge"
)

// The lease: short enough that a successor takes over soon, long enough that a slow database does not cost the lead.
const (
	leaseTime  = 15 * time.Second
	leaseRenew = 5 * time.Second
	leaseSlack = time.Second // the holder stops that long before the lease can be somebody else's
)

// leaseStore is what a lead needs of the store.
type leaseStore interface {
	Lead(ctx context.Context, ttl time.Duration) (int64, error)
	Renew(ctx context.Context, epoch int64, ttl time.Duration) error
	Resign(ctx context.Context, epoch int64) error
}

// lead holds the lease under which this process may commit what runs decide. It is taken at the first run and given back
// when the house closes.
type lead struct {
	store leaseStore
	log   *slog.Logger

	mu    sync.Mutex
	epoch int64              // 0: not held
	held  context.Context    //nolint:containedctx // ends when the lease is lost; runs hang on it
	drop  context.CancelFunc // ends held
	until time.Time          // on the local monotonic clock: not trusted longer
	done  chan struct{}      // closed when the renewal has ended
}

// take returns the epoch and a context that ends when the lease is lost, taking the lease first if need be. Error:
// Locked when another process leads.
func (l *lead) take(ctx context.Context) (int64, context.Context, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch != 0 && l.held.Err() == nil {
		return l.epoch, l.held, nil
	}
	start := time.Now()
	epoch, err := l.store.Lead(ctx, leaseTime)
	if err != nil {
		return 0, nil, fmt.Errorf("take the lead: %w", err)
	}
	held, drop := context.WithCancel(context.WithoutCancel(ctx))
	l.epoch, l.held, l.drop, l.until, l.done = epoch, held, drop, start.Add(leaseTime-leaseSlack), make(chan struct{})
	go l.keep(held, drop, epoch, l.done)
	return epoch, held, nil
}

// keep renews until the lease is lost or given back. A renewal that nobody answers in time is a loss.
func (l *lead) keep(held context.Context, drop context.CancelFunc, epoch int64, done chan<- struct{}) {
	defer close(done)
	defer drop()
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for {
		select {
		case <-held.Done():
			return
		case <-tick.C:
		}
		start := time.Now()
		l.mu.Lock()
		until := l.until
		l.mu.Unlock()
		ctx, cancel := context.WithDeadline(held, until)
		err := l.store.Renew(ctx, epoch, leaseTime)
		cancel()
		switch {
		case err == nil:
			l.mu.Lock()
			l.until = start.Add(leaseTime - leaseSlack)
			l.mu.Unlock()
		case held.Err() != nil:
			return
		case idbridge.KindOf(err) == idbridge.Locked || time.Now().After(until):
			l.log.Warn("lead lost", "epoch", epoch, "error", err.Error())
			return
		default:
			l.log.Warn("lead not renewed, trying again", "epoch", epoch, "error", err.Error())
		}
	}
}

// wait takes the lead, waiting for it while another process has it.
func (l *lead) wait(ctx context.Context) error {
	said := false
	for {
		_, _, err := l.take(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if idbridge.KindOf(err) != idbridge.Locked && idbridge.KindOf(err) != idbridge.Unavailable {
			return err
		}
		if !said {
			l.log.Info("standing by: another process leads the runs")
			said = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(leaseRenew + rand.N(50*time.Millisecond)): //nolint:gosec // spreading, nothing to guess
		}
	}
}

// close gives the lease back, so that a successor need not wait for its end.
func (l *lead) close(ctx context.Context) error {
	l.mu.Lock()
	epoch, drop, done, held := l.epoch, l.drop, l.done, l.held
	l.epoch = 0
	l.mu.Unlock()
	if epoch == 0 {
		return nil
	}
	lost := held.Err() != nil
	drop()
	<-done
	if lost {
		return nil //nolint:nilerr // a lost lease is nobody's to give back
	}
	return l.store.Resign(ctx, epoch)
}
