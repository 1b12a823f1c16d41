package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/idbridge/idbridge"
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
// new runs, the running step finished or abandoned, requests drained. SIGHUP reloads the config.
func (h *house) serve(ctx context.Context, l listeners) error {
	p, err := newProcess(h)
	if err != nil {
		l.close()
		return err
	}
	api := p.inForce.Load().api
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return api.ServeHandler(ctx, l.api, p) })
	if l.metrics != nil {
		group.Go(func() error { return api.ServeHandler(ctx, l.metrics, http.HandlerFunc(p.metrics)) })
	}
	if l.control != nil {
		group.Go(func() error { return p.control(ctx, l.control) })
	}
	group.Go(func() error { return p.conduct(ctx) })
	group.Go(func() error { return p.hangups(ctx) })
	group.Go(func() error { return p.watchdog(ctx) })
	h.log.Info("serving", "http", l.api.Addr().String(), "directories", len(h.rooms))
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady) // outside systemd there is nobody to tell
	err = group.Wait()
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// greet sees to what a restart must not forget: a directory that was never listed completely is listed now, and one with
// people missing for the first time is listed again after the wait, and one whose scope changed, or that again names, is
// listed to see what follows.
func (h *house) greet(ctx context.Context, again []string) error {
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
	changed, err := h.changedScope(ctx)
	if err != nil {
		return fmt.Errorf("compare scopes: %w", err)
	}
	for _, name := range append(changed, again...) {
		if err := h.schedule.Kick(name, idbridge.FullRun, schedule.BySchedule); err != nil {
			return fmt.Errorf("look at the changed scope of %q: %w", name, err)
		}
	}
	return nil
}

// watchdog feeds systemd's watchdog as long as the schedule's loops come round and the store answers, so that a daemon
// that cannot work is restarted.
func (p *process) watchdog(ctx context.Context) error {
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
		}
		h := p.house()
		if stuck := h.schedule.Stuck(); len(stuck) > 0 {
			h.log.Error("the schedule stands still: the watchdog is not fed", "directories", stuck)
			continue
		}
		if h.store.Ping(ctx) == nil {
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		}
	}
}
