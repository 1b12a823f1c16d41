package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/idbridge/idbridge"
)

const (
	pushPoll  = 2 * time.Second // an edit that another process made is found that soon
	pushBatch = 500
	pushPause = 30 * time.Second // after a push that failed: the directory is down, the outbox keeps
	bindPause = 20 * time.Minute // after a refused sign-in: directories lock an account after a few wrong passwords
)

// pusher brings edits made in the store to the directories, without waiting for a schedule.
type pusher struct {
	house atomic.Pointer[house] // the one in force; a changed config brings another
	token chan struct{}

	mu    sync.Mutex
	round chan struct{} // closed at the end of each round
}

func newPusher(h *house) *pusher {
	p := &pusher{token: make(chan struct{}, 1), round: make(chan struct{})}
	p.house.Store(h)
	return p
}

func (p *pusher) wake() {
	select {
	case p.token <- struct{}{}:
	default: // a token is there already
	}
}

// Push wakes the pusher and waits until no edit of the user is on its way any more, or ctx ends.
func (p *pusher) Push(ctx context.Context, user idbridge.UserID) error {
	for {
		p.mu.Lock()
		round := p.round
		p.mu.Unlock()
		pending, err := p.house.Load().store.Pending(ctx, user)
		if err != nil || len(pending) == 0 {
			return err
		}
		p.wake()
		select {
		case <-round:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// serve pushes until ctx ends.
func (p *pusher) serve(ctx context.Context) error {
	tick := time.NewTicker(pushPoll)
	defer tick.Stop()
	retry := map[string]time.Time{}
	for {
		h := p.house.Load()
		for i := range h.rooms {
			r := &h.rooms[i]
			if ctx.Err() != nil || time.Now().Before(retry[r.name]) || h.resting(r.name) {
				continue
			}
			if err := h.push(ctx, r); err != nil && ctx.Err() == nil {
				pause := pushPause
				if idbridge.KindOf(err) == idbridge.Unauthentic {
					pause = bindPause
				}
				retry[r.name] = time.Now().Add(pause)
				h.log.Warn("edits wait: the directory did not take them", "directory", r.name, "error", err.Error(), "hint", idbridge.HintOf(err))
			}
		}
		p.mu.Lock()
		close(p.round)
		p.round = make(chan struct{})
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-p.token:
		case <-tick.C:
		}
	}
}

// resting tells whether the schedule leaves a directory alone for now, since it refused us or fails again and again.
func (h *house) resting(directory string) bool {
	if h.schedule == nil {
		return false
	}
	slowed, ok := h.schedule.Slowed(directory)
	return ok && h.now().Before(slowed.Next)
}

// push pushes what waits for one directory. With nothing waiting it costs one look into the outbox.
func (h *house) push(ctx context.Context, r *room) error {
	waiting, err := h.store.Outbox(ctx, r.name, 1)
	if err != nil || len(waiting) == 0 {
		return err
	}
	return h.work(ctx, r, func(ctx context.Context, epoch int64) error {
		_, err := h.engine.Push(ctx, r.target, epoch, pushBatch)
		return err
	})
}
