package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// painter writes plans for a person: aligned, and coloured on a terminal.
type painter struct {
	out     io.Writer
	colour  bool
	limit   int   // decisions written at most; 0 for all
	reverse bool  // an undo is shown
	names   namer // who the members of a group are; nil: their ids are shown
}

// namer knows whom records belong to.
type namer interface {
	Subjects(ctx context.Context, directory string, ids []idbridge.ExternalID, shown []idbridge.Profile) ([]idbridge.Subject, error)
}

// members returns the user names of those whom a group's decision moves, by external id. Who is not known yet is missing.
func (p *painter) members(d *idbridge.Decision) (map[string]string, error) {
	var ids []idbridge.ExternalID
	for i := range d.Steps {
		if v := d.Steps[i].Verb; v == idbridge.Join || v == idbridge.Leave {
			ids = append(ids, d.Steps[i].ID)
		}
	}
	if p.names == nil || len(ids) == 0 {
		return map[string]string{}, nil
	}
	subjects, err := p.names.Subjects(context.Background(), ids[0].Directory, ids, make([]idbridge.Profile, len(ids)))
	if err != nil {
		return nil, fmt.Errorf("names of members: %w", err)
	}
	out := make(map[string]string, len(ids))
	for i := range subjects {
		if u := subjects[i].User; u != nil {
			out[ids[i].ID] = u.UserName()
		}
	}
	return out, nil
}

const (
	colourGreen  = "32"
	colourYellow = "33"
	colourRed    = "31"
	colourCyan   = "36"
	colourDim    = "2"
	colourBold   = "1"
)

func (p *painter) paint(code, text string) string {
	if !p.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Planned writes a plan's decisions, up to the limit, and says how many more there are.
func (p *painter) Planned(header idbridge.Plan, decisions iter.Seq2[idbridge.Decision, error]) error {
	shown := 0
	for d, err := range decisions {
		if err != nil {
			return err
		}
		lines := plan.Lines(&d)
		if len(lines) == 0 {
			continue
		}
		if p.limit > 0 && shown >= p.limit {
			fmt.Fprintf(p.out, "  %s\n", p.paint(colourDim, fmt.Sprintf("… and %d more", header.Decisions-shown)))
			break
		}
		shown++
		names, err := p.members(&d)
		if err != nil {
			return err
		}
		for i := range lines {
			if name, ok := names[lines[i].Name]; ok {
				lines[i].Name = name
			}
			p.line(&lines[i])
		}
	}
	return nil
}

func (p *painter) line(l *plan.Line) {
	code := map[plan.Sign]string{
		plan.Gives: colourGreen, plan.Changes: colourCyan, plan.Takes: colourRed, plan.Attends: colourYellow,
	}[l.Sign]
	var what strings.Builder
	if l.Attribute != "" {
		fmt.Fprintf(&what, "%-12s ", l.Attribute)
	}
	switch {
	case l.Before != "" && l.After != "":
		what.WriteString(l.Before + " → " + l.After)
	case l.After != "":
		what.WriteString(l.After)
	case l.Before != "" && l.Attribute != "":
		what.WriteString(l.Before + " → (empty)")
	case l.Before != "":
		what.WriteString(l.Before)
	}
	if way := p.way(l); way != "" {
		what.WriteString("   " + p.paint(colourDim, way))
	}
	why := ""
	if l.Why != "" {
		why = "   " + p.paint(colourDim, l.Why)
	}
	fmt.Fprintf(p.out, "  %s %s %s%s%s\n", p.paint(code, string(l.Sign)), p.paint(code, fmt.Sprintf("%-9s", l.Verb)), fmt.Sprintf("%-18s ", clean(l.Name)),
		what.String(), why)
}

// way says where a change goes. A reverse comes from neither side.
func (p *painter) way(l *plan.Line) string {
	switch {
	case p.reverse && l.Attribute != "":
		return "in the " + string(l.To)
	case l.To == idbridge.DirectorySide:
		return "store → directory"
	case l.To == idbridge.StoreSide && l.Attribute != "":
		return "directory → store"
	}
	return ""
}

// clean keeps what a directory says from steering the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '�'
		}
		return r
	}, s)
}

// verdicts writes what the guards said: those that hold something with what most often looks like it, the others in a line.
func (p *painter) verdicts(all []idbridge.Verdict) {
	var fine []string
	for i := range all {
		v := &all[i]
		if v.Held == idbridge.HoldNothing {
			if v.Count > 0 && v.Limit > 0 {
				fine = append(fine, fmt.Sprintf("%s %d of %d (limit %d%s) ok", v.Guard, v.Count, v.Of, v.Limit, exception(v.Override)))
			}
			continue
		}
		fmt.Fprintf(p.out, "%s %s: %d of %d, limit %d%s — holds %s\n  %s\n", p.paint(colourRed, "Guard"), v.Guard, v.Count, v.Of, v.Limit,
			exception(v.Override), v.Held, clean(v.Why))
		for _, cause := range v.Causes {
			fmt.Fprintf(p.out, "  · %s\n", cause)
		}
		if len(v.Names) > 0 {
			fmt.Fprintf(p.out, "  administrators: %s\n", clean(strings.Join(v.Names, ", ")))
		}
	}
	if len(fine) > 0 {
		fmt.Fprintf(p.out, "Guards: %s\n", strings.Join(fine, " · "))
	}
}

// exception says that a limit is the config's exception, whose and for how long.
func exception(o *idbridge.Override) string {
	if o == nil {
		return ""
	}
	return fmt.Sprintf(", by %s until %s: %s", o.By, day(o.Until), o.Why)
}

// countText says what a run did or would do, in one line.
func countText(c *idbridge.Counts) string {
	var parts []string
	add := func(n int, one, many string) {
		switch n {
		case 0:
		case 1:
			parts = append(parts, "1 "+one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	add(c.Created, "created", "created")
	add(c.Linked, "linked", "linked")
	add(c.Updated, "updated", "updated")
	add(c.Restored, "restored", "restored")
	add(c.Missing, "missing for the first time", "missing for the first time")
	add(c.Suspended, "suspended", "suspended")
	add(c.Inactive, "suspended as inactive", "suspended as inactive")
	add(c.Purged, "purged", "purged")
	add(c.Joined, "joined a group", "joined groups")
	add(c.Left, "left a group", "left groups")
	add(c.Granted, "grant", "grants")
	add(c.Revoked, "grant taken back", "grants taken back")
	add(c.Silenced, "key refused from now on", "keys refused from now on")
	add(c.Conflicts, "conflict", "conflicts")
	add(c.Held, "record held", "records held")
	add(c.Withheld, "value withheld", "values withheld")
	add(c.Quarantined, "quarantined", "quarantined")
	add(c.Skipped, "skipped", "skipped")
	add(c.Settled, "change written to the directory", "changes written to the directory")
	add(c.Refused, "change refused by the directory", "changes refused by the directory")
	add(c.InDoubt, "change in doubt", "changes in doubt")
	add(c.Stale, "moved meanwhile", "moved meanwhile")
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}
