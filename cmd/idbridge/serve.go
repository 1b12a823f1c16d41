package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/schedule"
)

func (w *world) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run on the schedules, push edits, serve the API, until interrupted", Args: cobra.NoArgs,
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			if w.remote {
				return &idbridge.Error{Kind: idbridge.Locked, Msg: "a daemon serves this store already", Hint: "see `idbridge status`"}
			}
			cfg, err := w.load()
			if err != nil {
				return err
			}
			h, err := openHouse(cmd.Context(), cfg, w.logger(cfg.Log.Level, cfg.Log.Format), w.getenv)
			if err != nil {
				return err
			}
			w.house, w.ours = h, true
			listeners, err := h.listen()
			if err != nil {
				return err
			}
			return h.serve(cmd.Context(), listeners)
		}),
	}
}

// listeners are the sockets of a daemon. Those that the config does not want are nil.
type listeners struct {
	api, metrics, control net.Listener
}

// listen opens every socket before anything runs, so that a taken port is an error at once.
func (h *house) listen() (l listeners, err error) {
	open := func(name, address string) (net.Listener, error) {
		listener, err := net.Listen("tcp", address) //nolint:noctx // at once; it ends by Close
		if err != nil {
			return nil, &idbridge.Error{
				Kind: idbridge.Unavailable, Msg: fmt.Sprintf("listen for %s on %s", name, address),
				Hint: "is the port taken, or the address not this machine's? see " + name + ".listen in the config", Err: err,
			}
		}
		return listener, nil
	}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.api, err = open("http", h.cfg.HTTP.Listen); err != nil {
		return l, err
	}
	if h.cfg.Metrics.Listen != "" {
		if l.metrics, err = open("metrics", h.cfg.Metrics.Listen); err != nil {
			return l, err
		}
	}
	if path := socketPath(h.cfg.Store.URL); path != "" {
		if l.control, err = listenSocket(path); err != nil {
			return l, err
		}
	}
	return l, nil
}

func (l *listeners) close() {
	for _, one := range []net.Listener{l.api, l.metrics, l.control} {
		if one != nil {
			one.Close()
		}
	}
}

// serve runs until ctx ends: the API at once, runs and pushes as soon as this process leads. It stops in the order: no
// new runs, the running step finished or abandoned, requests drained.
func (h *house) serve(ctx context.Context, l listeners) error {
	api, err := h.api()
	if err != nil {
		l.close()
		return err
	}
	h.schedule = &schedule.Scheduler{Runs: starter{h}, Timings: h.cfg.Timings(), Log: h.log}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return api.Serve(ctx, l.api) })
	if l.metrics != nil {
		group.Go(func() error { return api.ServeMetrics(ctx, l.metrics) })
	}
	if l.control != nil {
		group.Go(func() error { return h.control(ctx, l.control) })
	}
	group.Go(func() error { return h.conduct(ctx) })
	group.Go(func() error { return h.watchdog(ctx) })
	h.log.Info("serving", "http", l.api.Addr().String(), "directories", len(h.rooms))
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady) // outside systemd there is nobody to tell
	err = group.Wait()
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// conduct leads the runs: it waits for the lead, then runs schedule and pusher until it is lost or ctx ends.
func (h *house) conduct(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := h.lead.wait(ctx); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // asked to end while waiting
			}
			return err
		}
		if err := h.greet(ctx); err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return h.schedule.Run(ctx) })
		group.Go(func() error { return h.outbox.serve(ctx) })
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// greet sees to what a restart must not forget: a directory that was never listed completely is listed now, and one with
// people missing for the first time is listed again after the wait.
func (h *house) greet(ctx context.Context) error {
	for i := range h.rooms {
		r := &h.rooms[i]
		source, _, _, err := h.store.Status(ctx, r.name)
		if err != nil {
			return fmt.Errorf("status of %q: %w", r.name, err)
		}
		if source.Complete.IsZero() {
			err = h.schedule.Kick(r.name, idbridge.FullRun, schedule.BySchedule)
		} else if runs, bad := h.store.Runs(ctx, idbridge.RunFilter{Directory: r.name, Limit: 1}); bad != nil {
			err = bad
		} else if len(runs) > 0 && runs[0].Counts.Missing > 0 {
			err = h.schedule.Confirm(r.name, runs[0].Started.Add(r.target.Policy.ConfirmAfter))
		}
		if err != nil {
			return fmt.Errorf("first run of %q: %w", r.name, err)
		}
	}
	return nil
}

// watchdog feeds systemd's watchdog from a look at the store, so that a daemon that cannot work is restarted.
func (h *house) watchdog(ctx context.Context) error {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return nil // a malformed WATCHDOG_USEC is systemd's affair
	}
	tick := time.NewTicker(every / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if h.store.Ping(ctx) == nil {
				_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
			}
		}
	}
}

// starter does the schedule's jobs.
type starter struct{ house *house }

// Start does one run and returns when it has ended.
func (s starter) Start(ctx context.Context, job schedule.Job) error {
	r, err := s.house.room(job.Directory)
	if err != nil {
		return err
	}
	_, err = s.house.run(ctx, r, engine.RunOptions{Kind: job.Kind, Slot: job.Slot, Author: job.Author})
	return err
}

// kicker starts runs for the API.
type kicker struct{ house *house }

// Start asks the schedule for a run now; its id is not known yet.
func (k kicker) Start(_ context.Context, directory string, kind idbridge.RunKind, author string) (idbridge.RunID, error) {
	if k.house.schedule == nil {
		return 0, &idbridge.Error{Kind: idbridge.Unavailable, Msg: "runs are not started here"}
	}
	return 0, k.house.schedule.Kick(directory, kind, author)
}

// api builds the HTTP API over the house.
func (h *house) api() (*httpapi.Server, error) {
	c := h.cfg.API()
	c.Store, c.Pusher, c.Runner, c.Version, c.Log = h.store, h.outbox, kicker{h}, version, h.log
	for i := range c.Directories {
		r, err := h.room(c.Directories[i].Name)
		if err != nil {
			return nil, err
		}
		c.Directories[i].Login = r.ldap
	}
	return httpapi.New(c)
}
