package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

const (
	explainEvents = 10 // of a user's history
	explainRuns   = 5  // of his directories
)

func (w *world) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain USER [ATTRIBUTE]",
		Short: "Say why a user is as he is: where found, in scope, matched, each attribute's three sides, access, what was not done",
		Args:  cobra.RangeArgs(1, 2),
		RunE: w.inHouse(func(ctx context.Context, h *house, args []string) error {
			user, err := h.find(ctx, args[0])
			if err != nil {
				return err
			}
			e, err := h.Explain(ctx, user.ID)
			if err != nil {
				return err
			}
			if len(args) == 2 {
				if _, known := h.cfg.Schema[idbridge.Attribute(args[1])]; !known {
					return invalid(fmt.Sprintf("there is no attribute %q", args[1]), "known: "+joinAttributes(h.cfg.Schema))
				}
				only(&e, idbridge.Attribute(args[1]))
			}
			return w.print(e, func(out io.Writer) { writeExplanation(out, &e) })
		}),
	}
}

// only leaves one attribute in an explanation.
func only(e *idbridge.Explanation, a idbridge.Attribute) {
	for i := range e.Records {
		r := &e.Records[i]
		r.Attributes = slices.DeleteFunc(r.Attributes, func(x idbridge.ExplainedAttribute) bool { return x.Attribute != a })
	}
	e.Open = slices.DeleteFunc(e.Open, func(c idbridge.Conflict) bool { return c.Attribute != a })
	e.Events = slices.DeleteFunc(e.Events, func(x idbridge.Event) bool { return x.Attribute != "" && x.Attribute != a })
}

// Explain says why a user is as he is: it asks his directories about him now and decides about him as a run would, but
// writes nothing. A directory that cannot be asked is named in its part; the rest is told all the same.
func (h *house) Explain(ctx context.Context, id idbridge.UserID) (idbridge.Explanation, error) {
	user, err := h.store.User(ctx, id)
	if err != nil {
		return idbridge.Explanation{}, fmt.Errorf("user %d: %w", id, err)
	}
	e := idbridge.Explanation{User: user.ID, Name: user.UserName(), Kind: user.Kind, At: h.now()}
	access, err := h.store.Access(ctx, id)
	if err != nil {
		return e, fmt.Errorf("access of %q: %w", e.Name, err)
	}
	e.Access = idbridge.ExplainedAccess{May: access.May, Why: access.Why}
	if access.May {
		e.Access.Why = "active"
	}
	if e.Grants, err = h.store.Grants(ctx, id); err != nil {
		return e, fmt.Errorf("grants of %q: %w", e.Name, err)
	}
	if e.Keys, err = h.store.Keys(ctx, id); err != nil {
		return e, fmt.Errorf("keys of %q: %w", e.Name, err)
	}
	if e.Open, err = h.store.Conflicts(ctx, idbridge.ConflictFilter{Open: true, User: id, Limit: 100}); err != nil {
		return e, fmt.Errorf("conflicts of %q: %w", e.Name, err)
	}
	if e.Events, err = h.store.History(ctx, id, explainEvents); err != nil {
		return e, fmt.Errorf("history of %q: %w", e.Name, err)
	}
	links, err := h.store.Links(ctx, id)
	if err != nil {
		return e, fmt.Errorf("links of %q: %w", e.Name, err)
	}
	for i := range links {
		if err := h.explainLink(ctx, &e, &links[i]); err != nil {
			return e, err
		}
	}
	return e, h.explainWaiting(ctx, &e)
}

// explainLink adds one record of the user, the last runs of its directory, and what a held plan would do to it.
func (h *house) explainLink(ctx context.Context, e *idbridge.Explanation, l *idbridge.Link) error {
	r, unknown := h.room(l.ID.Directory)
	if unknown != nil {
		e.Records = append(e.Records, idbridge.ExplainedRecord{
			Link: l.ID, State: l.State, Error: "the config has no directory of that name any more", Since: l.Since,
		})
		return nil //nolint:nilerr // it is told in the record itself
	}
	record, err := h.engine.Explain(ctx, r.target, e.User, l.ID)
	if err != nil {
		return fmt.Errorf("explain %q in %q: %w", e.Name, r.name, err)
	}
	record.Linked = linkedText(e.Events, r.name)
	e.Records = append(e.Records, record)
	runs, err := h.store.Runs(ctx, idbridge.RunFilter{Directory: r.name, Limit: explainRuns})
	if err != nil {
		return fmt.Errorf("runs of %q: %w", r.name, err)
	}
	e.Runs = append(e.Runs, runs...)
	e.NotDone = append(e.NotDone, leftUndone(&record)...)
	return h.explainHeld(ctx, e, l)
}

// linkedText finds in a user's history how his record was linked.
func linkedText(events []idbridge.Event, directory string) string {
	for i := range slices.Backward(events) {
		x := &events[i]
		if x.What == string(idbridge.Linking) || x.What == string(idbridge.Create) {
			text := x.What + " " + day(x.At)
			if x.Why != "" {
				text += " (" + x.Why + ")"
			}
			return text
		}
	}
	return "before the history that is kept of " + directory
}

// leftUndone says what a run would leave undone about a record now.
func leftUndone(r *idbridge.ExplainedRecord) []string {
	var out []string
	if r.Error != "" {
		out = append(out, r.Link.Directory+" could not be asked: "+r.Error)
	}
	if r.Why != "" && (r.Situation == idbridge.HeldBack || r.Situation == idbridge.Quarantined || r.Situation == idbridge.Skipped) {
		out = append(out, string(r.Situation)+" in "+r.Link.Directory+": "+r.Why)
	}
	for i := range r.Withheld {
		x := &r.Withheld[i]
		if x.Attribute != "" {
			out = append(out, fmt.Sprintf("%s %q is withheld: %s", x.Attribute, x.Value, x.Why))
		}
	}
	if b := r.Backoff; b != nil {
		out = append(out, fmt.Sprintf("the directory refused %d writes in a row (%s): not asked again before %s", b.Attempts, b.Why, day(b.Until)))
	}
	return out
}

// explainHeld looks for the user in the plan that waits.
func (h *house) explainHeld(ctx context.Context, e *idbridge.Explanation, l *idbridge.Link) error {
	source, err := h.store.Source(ctx, l.ID.Directory)
	if err != nil || source.Held == "" {
		return err
	}
	held, err := h.store.Plan(ctx, source.Held)
	if idbridge.KindOf(err) == idbridge.NotFound || err == nil && held.State != idbridge.PlanHeld {
		return nil // decided, or pruned
	}
	if err != nil {
		return fmt.Errorf("plan %s: %w", short(source.Held), err)
	}
	for d, err := range h.store.Decisions(ctx, held.Hash) {
		if err != nil {
			return fmt.Errorf("plan %s: %w", short(held.Hash), err)
		}
		if d.ID != l.ID {
			continue
		}
		for _, line := range plan.Lines(&d) {
			e.NotDone = append(e.NotDone, fmt.Sprintf("held plan %s would %s %s", short(held.Hash), line.Verb, planWords(&line)))
		}
	}
	return nil
}

// planWords says what a line would do, without its name.
func planWords(l *plan.Line) string {
	text := string(l.Attribute)
	if l.Before != "" || l.After != "" {
		text += " " + l.Before + " → " + l.After
	}
	if l.Why != "" {
		text += " (" + l.Why + ")"
	}
	return text
}

// explainWaiting adds edits on their way.
func (h *house) explainWaiting(ctx context.Context, e *idbridge.Explanation) error {
	pending, err := h.store.Pending(ctx, e.User)
	if err != nil {
		return fmt.Errorf("edits of %q: %w", e.Name, err)
	}
	for i := range pending {
		e.NotDone = append(e.NotDone, fmt.Sprintf("an edit of %s, %s, is on its way to %s", pending[i].Author, day(pending[i].At), pending[i].Link.Directory))
	}
	return nil
}

func writeExplanation(out io.Writer, e *idbridge.Explanation) {
	if len(e.Records) == 0 {
		fmt.Fprintf(out, "1 found     in the store only: %s %s, id %d, of no directory\n", e.Kind, clean(e.Name), e.User)
	}
	for i := range e.Records {
		writeExplainedRecord(out, &e.Records[i])
	}
	fmt.Fprintf(out, "5 access    %s\n", e.Access.Why)
	for i := range e.Grants {
		fmt.Fprintf(out, "            role %s\n", grantText(&e.Grants[i]))
	}
	for i := range e.Keys {
		fmt.Fprintf(out, "            key %s, %s, since %s\n", e.Keys[i].ID, keyWord(&e.Keys[i]), day(e.Keys[i].Created))
	}
	for _, text := range e.NotDone {
		fmt.Fprintf(out, "not done    %s\n", clean(text))
	}
	for i := range e.Runs {
		r := &e.Runs[i]
		fmt.Fprintf(out, "run %-7d %s  %s %s  %s\n", r.ID, day(r.Started), r.Kind, r.State, countText(&r.Counts))
	}
	for i := range e.Events {
		fmt.Fprintf(out, "event       %s\n", eventText(&e.Events[i]))
	}
}

func writeExplainedRecord(out io.Writer, r *idbridge.ExplainedRecord) {
	where := "nowhere on the server"
	if r.Scope.Found {
		where = r.Scope.Locator
		if r.Scope.Version != "" {
			where += "  version " + r.Scope.Version
		}
	}
	if r.Error != "" {
		where = "not known: " + r.Error
	}
	fmt.Fprintf(out, "1 found     %s  %s  {%s}; linked: %s\n", r.Link.Directory, clean(where), clean(r.Link.ID), clean(r.Linked))
	fmt.Fprintf(out, "2 in scope  %s\n", clean(scopeText(&r.Scope)))
	fmt.Fprintf(out, "3 matched   %s; %s", r.Matched, r.State)
	if r.Sightings > 0 {
		fmt.Fprintf(out, "; missing in %d complete listings since %s", r.Sightings, day(r.Since))
	}
	fmt.Fprintf(out, "; a run now: %s", r.Situation)
	if r.Why != "" {
		fmt.Fprintf(out, " (%s)", clean(r.Why))
	}
	fmt.Fprintln(out)
	for i := range r.Attributes {
		a := &r.Attributes[i]
		shown := "directory " + quoted(a.Directory)
		if !a.Known {
			shown = "directory not known"
		}
		fmt.Fprintf(out, "4 %-9s base %s · %s · store %s → %s: %s", a.Attribute, quoted(a.Base), shown, quoted(a.Store), a.Outcome, clean(a.Why))
		if len(a.Becomes) > 0 {
			fmt.Fprintf(out, " → %s", quoted(a.Becomes))
		}
		if a.Conflict != 0 {
			fmt.Fprintf(out, "; conflict %d", a.Conflict)
		}
		fmt.Fprintln(out)
	}
}

func scopeText(s *idbridge.Scope) string {
	switch {
	case !s.Found:
		return "no: it was not found anywhere"
	case s.InBase.OK && s.InFilter.OK:
		return "yes: " + s.InFilter.Reason + ", " + s.InBase.Reason
	case !s.InBase.OK:
		return "no: " + s.InBase.Reason
	}
	return "no: " + s.InFilter.Reason
}

func quoted(v idbridge.Values) string {
	if len(v) == 0 {
		return "(empty)"
	}
	return `"` + plan.Printable(v.String()) + `"`
}

func eventText(x *idbridge.Event) string {
	text := day(x.At) + "  " + x.Actor + "  " + x.What
	if x.Attribute != "" {
		text += fmt.Sprintf("  %s %s → %s", x.Attribute, x.Before, x.After)
	}
	if x.Run != 0 {
		text += fmt.Sprintf("  (run %d)", x.Run)
	}
	if x.Why != "" {
		text += "  " + x.Why
	}
	return clean(text)
}
