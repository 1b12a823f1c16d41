package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
)

// health is a colour with its reason and what to do.
type health struct {
	Colour string `json:"colour"` // green, yellow, red
	What   string `json:"what"`
	Why    string `json:"why"`
	Fix    string `json:"fix,omitempty"`
}

// shownDirectory is one directory's row of status.
type shownDirectory struct {
	Name     string                `json:"name"`
	Complete time.Time             `json:"lastComplete,omitzero"`
	Last     *idbridge.Run         `json:"lastRun,omitempty"`
	Next     time.Time             `json:"next,omitzero"`
	Records  int                   `json:"records"`
	Links    int                   `json:"links"`
	Held     string                `json:"heldPlan,omitempty"`
	Counts   idbridge.StatusCounts `json:"counts"`
}

func (w *world) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Health, directories, and what waits for a person", Args: cobra.NoArgs,
		RunE: w.inHouse(func(ctx context.Context, h *house, _ []string) error {
			var all []health
			var rooms []shownDirectory
			for i := range h.rooms {
				row, err := h.statusOf(ctx, &h.rooms[i])
				if err != nil {
					return err
				}
				rooms = append(rooms, row)
				all = append(all, row.health()...)
			}
			return w.print(map[string]any{"health": all, "directories": rooms}, func(out io.Writer) { w.writeStatus(out, all, rooms) })
		}),
	}
}

func (h *house) statusOf(ctx context.Context, r *room) (shownDirectory, error) {
	source, population, counts, err := h.store.Status(ctx, r.name)
	if err != nil {
		return shownDirectory{}, fmt.Errorf("status of %q: %w", r.name, err)
	}
	row := shownDirectory{
		Name: r.name, Complete: source.Complete, Records: source.Records, Links: population.Links, Held: source.Held, Counts: counts,
	}
	runs, err := h.store.Runs(ctx, idbridge.RunFilter{Directory: r.name, Limit: 1})
	if err != nil {
		return row, fmt.Errorf("runs of %q: %w", r.name, err)
	}
	if len(runs) > 0 {
		row.Last = &runs[0]
	}
	if h.schedule != nil {
		row.Next = h.schedule.Next(r.name)
	}
	return row, nil
}

// health says what a directory's row means, worst first.
func (d *shownDirectory) health() []health {
	var out []health
	add := func(colour, why, fix string) { out = append(out, health{colour, d.Name, why, fix}) }
	if d.Last != nil && d.Last.Error != "" {
		add("red", "last run: "+d.Last.Error, d.Last.Hint)
	}
	if d.Last == nil {
		add("yellow", "no run yet", "idbridge sync --once "+d.Name)
	} else if d.Complete.IsZero() {
		add("red", "no complete listing yet", "idbridge check")
	}
	if d.Held != "" {
		add("yellow", "plan "+short(d.Held)+" is held", "idbridge approve "+short(d.Held)+" | idbridge discard "+short(d.Held))
	}
	if d.Counts.Conflicts > 0 {
		add("yellow", fmt.Sprintf("%d conflicts wait for a person", d.Counts.Conflicts), "idbridge conflicts")
	}
	if d.Counts.InDoubt > 0 {
		add("yellow", fmt.Sprintf("%d changes may or may not have reached the directory", d.Counts.InDoubt), "the next run reads them back")
	}
	if d.Counts.Quarantined > 0 {
		add("yellow", fmt.Sprintf("%d records or values cannot be used", d.Counts.Quarantined), "see below")
	}
	if len(out) == 0 {
		add("green", "in order", "")
	}
	return out
}

func (w *world) writeStatus(out io.Writer, all []health, rooms []shownDirectory) {
	p := &painter{out: out, colour: w.terminal()}
	code := map[string]string{"green": colourGreen, "yellow": colourYellow, "red": colourRed}
	fmt.Fprintln(out, "# Health")
	for _, h := range all {
		fix := ""
		if h.Fix != "" {
			fix = " → " + h.Fix
		}
		fmt.Fprintf(out, "%s %-12s %s%s\n", p.paint(code[h.Colour], fmt.Sprintf("%-7s", h.Colour)), h.What, clean(h.Why), fix)
	}
	fmt.Fprintln(out, "# Directories")
	table := w.table("name", "last complete", "last run", "next", "records", "linked", "quarantined", "conflicts", "pending")
	for i := range rooms {
		d := &rooms[i]
		last := ""
		if d.Last != nil {
			last = day(d.Last.Started) + " " + string(d.Last.State)
		}
		table.row(d.Name, day(d.Complete), last, day(d.Next), d.Records, d.Links, d.Counts.Quarantined, d.Counts.Conflicts, d.Counts.Pending)
	}
	_ = table.print() // to the same writer as the lines before
}
