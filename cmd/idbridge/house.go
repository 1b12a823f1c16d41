package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/configs"
	"github.com/idbridge/idbridge/providers/ldap"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/schedule"
)

// house is the rooms introduced to each other: one store, one engine, the directories.
type house struct {
	cfg      *configs.Config
	store    *authstore.Store
	engine   *engine.Engine
	rooms    []room // in the order of the config
	getenv   func(string) string
	log      *slog.Logger
	lead     *lead
	schedule *schedule.Scheduler // nil outside serve
	outbox   *pusher
	busy     *sync.WaitGroup // work that goes on though its request ended
}

// room is one directory with what its runs need.
type room struct {
	name   string
	ldap   *ldap.Directory
	target engine.Target
	gate   chan struct{} // holds a token while a run or a push works on the directory
}

// openHouse opens the store and introduces the rooms. Errors: Locked when another process holds the store, Unavailable,
// Invalid.
func openHouse(ctx context.Context, cfg *configs.Config, log *slog.Logger, getenv func(string) string) (*house, error) {
	store, err := authstore.Open(ctx, cfg.Store, storeOptions(cfg, log, holder()))
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	h := &house{cfg: cfg, store: store, log: log, getenv: getenv, lead: &lead{store: store, log: log}, busy: &sync.WaitGroup{}}
	h.engine = &engine.Engine{Store: store, Log: log}
	if err := h.furnish(nil); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	h.outbox = newPusher(h)
	return h, nil
}

// storeOptions is what the store has to know of a config.
func storeOptions(cfg *configs.Config, log *slog.Logger, holder string) authstore.Options {
	return authstore.Options{Log: log, Schema: cfg.Schema, Outward: cfg.Outward, RoleRules: cfg.Roles, Holder: holder, Release: version}
}

// furnish makes the rooms that the config names. A room that was there before keeps its gate, so that what still goes on
// in it and what begins exclude each other.
func (h *house) furnish(before []room) error {
	for i := range h.cfg.Directories {
		d := &h.cfg.Directories[i]
		directory, err := ldap.New(d.LDAP, h.log)
		if err != nil {
			return fmt.Errorf("directory %q: %w", d.Name, err)
		}
		r := room{
			name: d.Name, ldap: directory, gate: make(chan struct{}, 1),
			target: engine.Target{Directory: directory, Policy: d.Policy, Mode: d.Mode},
		}
		for j := range before {
			if before[j].name == r.name {
				r.gate = before[j].gate
			}
		}
		h.rooms = append(h.rooms, r)
	}
	return nil
}

// now is the time of the engine's clock.
func (h *house) now() time.Time {
	if h.engine.Now != nil {
		return h.engine.Now()
	}
	return time.Now()
}

// close gives the lease back and closes the store.
func (h *house) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := h.lead.close(ctx)
	h.busy.Wait()
	return errors.Join(err, h.store.Close())
}

// room returns the directory with that name; with "" the only one. Errors: NotFound, Invalid.
func (h *house) room(name string) (*room, error) {
	if name == "" && len(h.rooms) == 1 {
		return &h.rooms[0], nil
	}
	for i := range h.rooms {
		if h.rooms[i].name == name {
			return &h.rooms[i], nil
		}
	}
	names := make([]string, len(h.rooms))
	for i := range h.rooms {
		names[i] = h.rooms[i].name
	}
	if name == "" {
		return nil, invalid("which directory?", fmt.Sprintf("name one of %v", names))
	}
	return nil, &idbridge.Error{
		Kind: idbridge.NotFound, Msg: fmt.Sprintf("there is no directory %q", name), Hint: fmt.Sprintf("the config has %v", names),
	}
}

// work does something with a directory under the lead, alone. f's context ends when the lease is lost.
func (h *house) work(ctx context.Context, r *room, f func(ctx context.Context, epoch int64) error) error {
	select {
	case r.gate <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.gate }()
	epoch, held, err := h.lead.take(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(held, cancel)
	defer stop()
	return f(ctx, epoch)
}

// run does one run of a directory, and sees to the confirming listing that absence asks for.
func (h *house) run(ctx context.Context, r *room, o engine.RunOptions) (report engine.Report, err error) {
	err = h.work(ctx, r, func(ctx context.Context, epoch int64) error {
		o.Epoch = epoch
		report, err = h.engine.Run(ctx, r.target, o)
		return err
	})
	if h.schedule != nil && !report.Confirm.IsZero() {
		err = errors.Join(err, h.schedule.Confirm(r.name, report.Confirm))
	}
	return report, err
}

// wake tells the pusher that an edit waits.
func (h *house) wake() { h.outbox.wake() }
