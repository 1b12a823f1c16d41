package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/idbridge/idbridge"
)

// alarm notes what a listing complains about, and logs it once: when it begins, when the reason becomes another one, and
// when it ends. A run that was told to stop says nothing about the directory.
func (r *pass) alarm(ctx context.Context, cause error) error {
	listing := (r.o.Kind == idbridge.FullRun || r.o.Kind == idbridge.ChangesRun) && len(r.o.Only) == 0
	if !listing || r.o.DryRun || r.t.Mode == Observe || r.row.State == idbridge.RunInterrupted {
		return nil
	}
	r.report.Alarm = r.complaint(cause)
	changed, err := r.e.Store.Alarm(ctx, r.name, r.report.Alarm)
	if err != nil {
		return fmt.Errorf("note the alarm of %q: %w", r.name, err)
	}
	r.report.AlarmChanged = changed
	if !changed {
		return nil
	}
	log := r.e.log().With("directory", r.name, "run", r.row.ID)
	if r.report.Alarm == "" {
		log.InfoContext(ctx, "alarm ended")
		return nil
	}
	about := []any{"reason", r.report.Alarm}
	if r.row.Error != "" {
		about = append(about, "error", r.row.Error)
	}
	if r.row.Hint != "" {
		about = append(about, "hint", r.row.Hint)
	}
	for i := range r.header.Verdicts {
		if v := &r.header.Verdicts[i]; v.Held != idbridge.HoldNothing {
			about = append(about, "guard", v.Guard, "why", v.Why, "causes", strings.Join(v.Causes, "; "))
		}
	}
	log.WarnContext(ctx, "alarm", about...)
	return nil
}

// complaint is a short reason that stays the same as long as the trouble does.
func (r *pass) complaint(cause error) string {
	if idbridge.KindOf(cause) == idbridge.Incomplete {
		return "incomplete: the listing broke off"
	}
	if cause != nil {
		return "failed: " + idbridge.KindOf(cause).Error()
	}
	var parts []string
	if !r.row.Complete {
		doubt := r.facts.Proof.Doubt
		if doubt == "" {
			doubt = "the listing is not complete"
		}
		parts = append(parts, "incomplete: "+lasting(doubt))
	}
	var held []string
	for i := range r.header.Verdicts {
		if v := &r.header.Verdicts[i]; v.Held != idbridge.HoldNothing && !slices.Contains(held, v.Guard) {
			held = append(held, v.Guard)
		}
	}
	if len(held) > 0 {
		slices.Sort(held)
		parts = append(parts, "held: "+strings.Join(held, ", "))
	}
	return strings.Join(parts, "; ")
}

// lasting takes out of a reason what changes each time: numbers, and what follows a colon or stands in brackets.
func lasting(text string) string {
	if at := strings.IndexAny(text, ":([{"); at > 0 {
		text = text[:at]
	}
	words := strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == '\t' || c == '\n' })
	words = slices.DeleteFunc(words, func(w string) bool { return strings.ContainsAny(w, "0123456789") })
	return strings.Join(words, " ")
}
