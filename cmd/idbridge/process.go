package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/configs"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/sync/schedule"
)

// process is a serving idbridge: sockets, store and lead stay, the house changes with the config.
type process struct {
	inForce atomic.Pointer[regime]
	moved   chan struct{} // holds a token when another regime is in force
}

// regime is one config at work.
type regime struct {
	house *house
	api   *httpapi.Server
	again []string // directories to list at once: their scope changed, or a plan that rests on another scope waits
}

// newRegime brings a house to work: its schedule and its API.
func newRegime(h *house) (*regime, error) {
	h.schedule = &schedule.Scheduler{Runs: starter{h}, Timings: h.cfg.Timings(), Log: h.log}
	api, err := h.api()
	if err != nil {
		return nil, err
	}
	return &regime{house: h, api: api}, nil
}

func newProcess(h *house) (*process, error) {
	r, err := newRegime(h)
	if err != nil {
		return nil, err
	}
	p := &process{moved: make(chan struct{}, 1)}
	p.inForce.Store(r)
	return p, nil
}

func (p *process) house() *house { return p.inForce.Load().house }

// ServeHTTP answers under the config in force.
func (p *process) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.inForce.Load().api.Handler().ServeHTTP(w, r)
}

// metrics answers with the metrics of the config in force.
func (p *process) metrics(w http.ResponseWriter, r *http.Request) {
	p.inForce.Load().api.MetricsHandler().ServeHTTP(w, r)
}

// hangups reloads the config on each SIGHUP until ctx ends.
func (p *process) hangups(ctx context.Context) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	defer signal.Stop(signals)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-signals:
		}
		h := p.house()
		if err := p.reload(ctx); err != nil {
			h.log.Error("config not reloaded: the old one stays in force", "config", h.cfg.File, "error", err.Error(), "hint", idbridge.HintOf(err))
		}
	}
}

// reload reads the config again and puts it in force, once no run is under way. Any fault leaves the old one in force.
// A directory whose base, filter or mapping changed is listed at once: the scope guard then holds what would happen to
// people, for somebody to look at.
func (p *process) reload(ctx context.Context) error {
	old := p.house()
	cfg, err := configs.Load(old.cfg.File, old.getenv)
	if err != nil {
		return err
	}
	if err := samePlace(old.cfg, cfg); err != nil {
		return err
	}
	h, err := old.under(cfg)
	if err != nil {
		return err
	}
	next, err := newRegime(h)
	if err != nil {
		return err
	}
	next.again = moved(old, h)
	for i := range old.rooms { // a run that goes on comes to its end first
		select {
		case old.rooms[i].gate <- struct{}{}:
			defer func() { <-old.rooms[i].gate }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.inForce.Store(next)
	h.outbox.house.Store(h)
	select {
	case p.moved <- struct{}{}:
	default: // the token of the reload before is there still
	}
	old.log.Info("config reloaded", "config", cfg.File, "directories", len(h.rooms))
	return nil
}

// moved names the directories that are new in a house or have another scope there.
func moved(old, now *house) []string {
	var out []string
	for i := range now.rooms {
		r := &now.rooms[i]
		was, err := old.room(r.name)
		if err != nil || was.target.Policy.Scope != r.target.Policy.Scope {
			out = append(out, r.name)
		}
	}
	return out
}

// samePlace refuses what a running process cannot change.
func samePlace(old, now *configs.Config) error {
	for _, x := range [...]struct{ key, was, is string }{
		{"store.url", old.Store.URL, now.Store.URL},
		{"http.listen", old.HTTP.Listen, now.HTTP.Listen},
		{"metrics.listen", old.Metrics.Listen, now.Metrics.Listen},
	} {
		if x.was != x.is {
			return invalid(fmt.Sprintf("%s changed from %q to %q", x.key, x.was, x.is), "that needs a restart; nothing of the new config is in force")
		}
	}
	return nil
}

// under returns the house of another config over the same store and lead.
func (h *house) under(cfg *configs.Config) (*house, error) {
	other := *h
	other.cfg, other.rooms, other.schedule = cfg, nil, nil
	other.store = h.store.With(storeOptions(cfg, h.log, ""))
	engine := *h.engine
	engine.Store = other.store
	other.engine = &engine
	if err := other.furnish(h.rooms); err != nil {
		return nil, err
	}
	return &other, nil
}

// changedScope names the rooms whose links rest on another scope than the config's.
func (h *house) changedScope(ctx context.Context) ([]string, error) {
	var out []string
	for i := range h.rooms {
		source, err := h.store.Source(ctx, h.rooms[i].name)
		if err != nil {
			return nil, err
		}
		if source.Scope != "" && source.Scope != h.rooms[i].target.Policy.Scope {
			out = append(out, h.rooms[i].name)
		}
	}
	return out, nil
}

// conduct leads the runs until ctx ends. Whatever goes wrong, a database that is away above all, it says so and begins
// again: a daemon that answers requests must not end because its runs cannot go on.
func (p *process) conduct(ctx context.Context) error {
	for ctx.Err() == nil {
		err := p.reign(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		p.house().log.Error("runs stand still, trying again", "error", err.Error(), "hint", idbridge.HintOf(err))
		select {
		case <-ctx.Done():
		case <-time.After(leaseRenew):
		}
	}
	return nil
}

// reign waits for the lead, then runs schedule, pusher and the keeping of the store until another config is in force, one
// of them gives up, or ctx ends.
func (p *process) reign(ctx context.Context) error {
	if err := p.house().lead.wait(ctx); err != nil {
		return err
	}
	now := p.inForce.Load()
	h := now.house
	if err := h.greet(ctx, now.again); err != nil {
		return err
	}
	reign, end := context.WithCancel(ctx)
	defer end()
	group, inner := errgroup.WithContext(reign)
	group.Go(func() error { return h.schedule.Run(inner) })
	group.Go(func() error { return h.outbox.serve(inner) })
	group.Go(func() error { return h.seal(inner) })
	group.Go(func() error { return h.prune(inner) })
	group.Go(func() error {
		select {
		case <-p.moved:
			end()
		case <-inner.Done():
		}
		return nil
	})
	return group.Wait()
}
