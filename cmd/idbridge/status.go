package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/schedule"
)

// vitalRuns is how many of a directory's last runs its health is read from.
const vitalRuns = 20

// shownDirectory is one directory's row of status.
type shownDirectory struct {
	Name     string                `json:"name"`
	Complete time.Time             `json:"lastComplete,omitzero"`
	Last     *idbridge.Run         `json:"lastRun,omitempty"`
	Next     time.Time             `json:"next,omitzero"`
	Records  int                   `json:"records"`
	Links    int                   `json:"links"`
	Held     string                `json:"heldPlan,omitempty"`
	Alarm    string                `json:"alarm,omitempty"`
	Counts   idbridge.StatusCounts `json:"counts"`
}

func (w *world) statusCommand() *cobra.Command {
	var quarantine bool
	cmd := &cobra.Command{Use: "status", Short: "Health, directories, and what waits for a person", Args: cobra.NoArgs}
	cmd.Flags().BoolVar(&quarantine, "quarantine", false, "also list the records and values that cannot be used")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, _ []string) error {
		all, err := h.Health(ctx)
		if err != nil {
			return err
		}
		var rooms []shownDirectory
		for i := range h.rooms {
			row, err := h.statusOf(ctx, &h.rooms[i])
			if err != nil {
				return err
			}
			rooms = append(rooms, row)
		}
		var ill []idbridge.QuarantineRow
		for i := range h.rooms {
			if !quarantine {
				break
			}
			rows, err := h.store.Quarantine(ctx, h.rooms[i].name)
			if err != nil {
				return fmt.Errorf("quarantine of %q: %w", h.rooms[i].name, err)
			}
			ill = append(ill, rows...)
		}
		out := map[string]any{"health": all, "directories": rooms}
		if quarantine {
			out["quarantine"] = ill
		}
		return w.print(out, func(out io.Writer) { w.writeStatus(out, all, rooms, ill) })
	})
	return cmd
}

func (h *house) statusOf(ctx context.Context, r *room) (shownDirectory, error) {
	source, population, counts, err := h.store.Status(ctx, r.name)
	if err != nil {
		return shownDirectory{}, fmt.Errorf("status of %q: %w", r.name, err)
	}
	row := shownDirectory{
		Name: r.name, Complete: source.Complete, Records: source.Records, Links: population.Links, Held: source.Held, Alarm: source.Alarm,
		Counts: counts,
	}
	runs, err := h.store.Runs(ctx, idbridge.RunFilter{Directory: r.name, Limit: vitalRuns})
	if err != nil {
		return row, fmt.Errorf("runs of %q: %w", r.name, err)
	}
	if at := slices.IndexFunc(runs, looked); at >= 0 {
		row.Last = &runs[at]
	}
	if h.schedule != nil {
		row.Next = h.schedule.Next(r.name)
	}
	return row, nil
}

// looked tells whether a run read the directory to keep it equal. A dry one and a push say nothing about its health.
func looked(r idbridge.Run) bool {
	return r.Kind == idbridge.FullRun || r.Kind == idbridge.ChangesRun || r.Kind == idbridge.ApplyRun
}

// Health looks at every directory and at the store.
func (h *house) Health(ctx context.Context) ([]idbridge.Health, error) {
	var all []idbridge.Health
	for i := range h.rooms {
		v, err := h.vitals(ctx, &h.rooms[i])
		if err != nil {
			return nil, err
		}
		all = append(all, idbridge.Diagnose(v)...)
	}
	return all, nil
}

func (h *house) vitals(ctx context.Context, r *room) (idbridge.Vitals, error) {
	v := idbridge.Vitals{Directory: r.name, Now: h.now(), Overrides: r.target.Policy.Overrides}
	times := h.schedule
	if times == nil { // a command beside no daemon: the config says when runs would be
		times = &schedule.Scheduler{Timings: h.cfg.Timings()}
	}
	v.Interval = times.Interval(r.name)
	var err error
	if v.Source, _, v.Counts, err = h.store.Status(ctx, r.name); err != nil {
		return v, fmt.Errorf("status of %q: %w", r.name, err)
	}
	runs, err := h.store.Runs(ctx, idbridge.RunFilter{Directory: r.name, Limit: vitalRuns})
	if err != nil {
		return v, fmt.Errorf("runs of %q: %w", r.name, err)
	}
	v.Runs = slices.DeleteFunc(runs, func(r idbridge.Run) bool { return !looked(r) })
	if slowed, ok := times.Slowed(r.name); ok {
		v.Retry = slowed.Next
	}
	return v, nil
}

func (w *world) writeStatus(out io.Writer, all []idbridge.Health, rooms []shownDirectory, ill []idbridge.QuarantineRow) {
	p := &painter{out: out, colour: w.terminal()}
	code := map[idbridge.Colour]string{idbridge.Green: colourGreen, idbridge.Yellow: colourYellow, idbridge.Red: colourRed}
	fmt.Fprintln(out, "# Health")
	for _, h := range all {
		fix := ""
		if h.Fix != "" {
			fix = " → " + h.Fix
		}
		fmt.Fprintf(out, "%s %-12s %s%s\n", p.paint(code[h.Colour], fmt.Sprintf("%-7s", h.Colour)), h.What, clean(h.Why), fix)
	}
	fmt.Fprintln(out, "# Directories")
	table := w.table("name", "last complete", "last run", "next", "records", "linked", "quarantined", "waiting", "conflicts", "pending")
	for i := range rooms {
		d := &rooms[i]
		last := ""
		if d.Last != nil {
			last = day(d.Last.Started) + " " + string(d.Last.State)
		}
		table.row(d.Name, day(d.Complete), last, day(d.Next), d.Records, d.Links, d.Counts.Quarantined, d.Counts.Waiting, d.Counts.Conflicts,
			d.Counts.Pending)
	}
	_ = table.print() // to the same writer as the lines before
	for i := range ill {
		if i == 0 {
			fmt.Fprintln(out, "# Quarantine")
		}
		q := &ill[i]
		what := q.Locator
		if what == "" {
			what = q.Link.ID
		}
		if q.Attribute != "" {
			what += "  " + string(q.Attribute) + " " + q.Value
		}
		retry := ""
		if q.Attempts > 0 {
			retry = fmt.Sprintf("  tried %d times, again after %s", q.Attempts, day(q.Until))
		}
		fmt.Fprintf(out, "%s  since %s  %s: %s%s\n", q.Link.Directory, day(q.Since), clean(what), clean(q.Why), retry)
	}
}
