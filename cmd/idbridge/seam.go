package main

import (
	"context"
	"fmt"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/schedule"
)

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

// decider does with plans what a person decided over the API.
type decider struct{ house *house }

// Approve applies a plan. When ctx ends first the work goes on, and the run is returned as it is then.
func (d decider) Approve(ctx context.Context, hash, by string) (httpapi.Applied, error) {
	h := d.house
	p, err := h.store.Plan(ctx, hash)
	if err != nil {
		return httpapi.Applied{}, err
	}
	r, err := h.room(p.Directory)
	if err != nil {
		return httpapi.Applied{}, err
	}
	type end struct {
		report engine.Report
		err    error
	}
	ended := make(chan end, 1)
	work := context.WithoutCancel(ctx)
	h.busy.Go(func() { // it ends with the lead, which the house gives back when it closes
		var e end
		e.err = h.work(work, r, func(work context.Context, epoch int64) (err error) {
			e.report, err = h.engine.Apply(work, r.target, p.Hash, by, epoch)
			return err
		})
		ended <- e
	})
	select {
	case e := <-ended:
		return httpapi.Applied{Run: e.report.Run, Stale: e.report.Stale}, e.err
	case <-ctx.Done():
	}
	read, cancel := context.WithTimeout(work, 2*time.Second)
	defer cancel()
	runs, err := h.store.Runs(read, idbridge.RunFilter{Directory: r.name, Limit: 1})
	if err != nil || len(runs) == 0 {
		return httpapi.Applied{}, ctx.Err()
	}
	return httpapi.Applied{Run: runs[0]}, nil
}

// Discard closes a plan.
func (d decider) Discard(ctx context.Context, hash, by string) error {
	if err := d.house.engine.Discard(ctx, hash, by); err != nil {
		return fmt.Errorf("discard plan %q: %w", hash, err)
	}
	return nil
}

// Undo makes the reverse of a run as a plan.
func (d decider) Undo(ctx context.Context, run idbridge.RunID, by string) (idbridge.Plan, error) {
	report, err := d.house.undo(ctx, run, by)
	return report.Plan, err
}

// api builds the HTTP API over the house.
func (h *house) api() (*httpapi.Server, error) {
	c := h.cfg.API()
	c.Store, c.Pusher, c.Runner, c.Version, c.Log = h.store, h.outbox, kicker{h}, version, h.log
	c.Explainer, c.Planner, c.Doctor, c.Timetable = h, decider{h}, h, h.schedule
	for i := range c.Directories {
		r, err := h.room(c.Directories[i].Name)
		if err != nil {
			return nil, err
		}
		c.Directories[i].Login = r.ldap
	}
	f := h.newFront(&c)
	c.Resolver = f.resolver
	var err error
	if c.Facades, err = f.facades(); err != nil {
		return nil, err
	}
	return httpapi.New(c)
}
