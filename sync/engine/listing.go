package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// decideAll decides about everything a listing showed, and, if it was complete, about what it did not show.
func (r *pass) decideAll(ctx context.Context, o *observer) error {
	r.unchanged(o.unchanged)
	r.claims.drop()
	if err := r.settleClaims(o); err != nil {
		return err
	}
	r.unknown = r.unknowns(o)
	if err := r.decidePeople(ctx, o); err != nil {
		return err
	}
	if o.tooManyUnnamed() {
		o.end.Complete, r.row.Complete = false, false
		o.end.Proof.Doubt = fmt.Sprintf("%d records show no id of their own: who is missing may be one of them", o.namelessN)
	}
	if o.end.Complete {
		if err := r.decideMissing(ctx, o); err != nil {
			return err
		}
	} else {
		r.row.State = idbridge.RunIncomplete
		r.row.Error = o.end.Proof.Doubt
		if r.row.Error == "" {
			r.row.Error = "the listing is not complete"
		}
		r.row.Hint = "what was shown is merged; nothing follows from what was not"
	}
	if err := r.decideGroups(ctx, o); err != nil {
		return err
	}
	r.row.Counts.Quarantined += o.namelessN
	for i, u := range o.nameless {
		if i < namelessShown {
			r.say("left out: %s: %v", u.Locator, u.Why)
		}
		r.e.log().Warn("record without an id", "directory", r.name, "run", r.row.ID, "locator", u.Locator)
	}
	if more := o.namelessN - namelessShown; more > 0 {
		r.say("left out: %d more like these", more)
	}
	r.tell(Deciding, r.decided, r.decided)
	return nil
}

// namelessShown is how many records without a usable id a report names; the log has more.
const namelessShown = 3

// settleClaims reads the spool once more when several records show one unique value.
func (r *pass) settleClaims(o *observer) error {
	if len(r.claims.contested) == 0 {
		return nil
	}
	for s, err := range r.staged(o) {
		if err != nil {
			return err
		}
		for _, a := range o.unique {
			for _, v := range r.p.Schema.Normal(a, s.Record.Profile[a]) {
				r.claims.by(a, v, s.Record.ID.ID)
			}
		}
	}
	return nil
}

// staged reads back what waits to be decided, in the order of the listing.
func (r *pass) staged(o *observer) func(yield func(staged, error) bool) {
	return func(yield func(staged, error) bool) {
		if r.names == nil {
			r.names = map[string]string{}
		}
		for frame, err := range o.people.frames() {
			var s staged
			if err == nil {
				s, err = readStaged(&reader{b: frame, names: r.names})
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

// unknowns names the attributes that this listing cannot tell from a lost right.
func (r *pass) unknowns(o *observer) []idbridge.Attribute {
	now := make(map[idbridge.Attribute]int, len(o.attrs))
	for i, a := range o.attrs {
		now[a] = o.holders[i]
	}
	out := plan.Unknowns(now, r.source.Holders, o.seen, o.end.Proof.Canary)
	for _, a := range out {
		if r.source.Holders[a] > 0 {
			r.say("%s was shown by %d records before and by %d now: it counts as unreadable, and values are kept", a, r.source.Holders[a], now[a])
		}
	}
	return out
}

// decideStaged decides about what was staged, in the order of the listing, and hands each batch's decisions to keep.
func (r *pass) decideStaged(ctx context.Context, o *observer, keep func([]decided) error) error {
	var batch []shown
	done := 0
	for s, err := range r.staged(o) {
		if err != nil {
			return err
		}
		e := o.index.find(s.Record.ID.ID)
		if !e.is(flagStaged) || s.Gone != 0 != e.is(flagGone) {
			continue // decided already, or something later was said about it
		}
		e.flags &^= flagStaged
		batch = append(batch, r.asShown(&s, e))
		if len(batch) < decideBatch {
			continue
		}
		if err := r.decideBatch(ctx, o, batch, keep); err != nil {
			return err
		}
		done += len(batch)
		r.tell(Deciding, done, o.people.count)
		batch = batch[:0]
	}
	return r.decideBatch(ctx, o, batch, keep)
}

// asShown makes an observation of what was staged.
func (r *pass) asShown(s *staged, e *entry) shown {
	one := shown{id: s.Record.ID, at: s.Record.Locator, observed: plan.Observed{
		Unusable: s.Unusable, Gone: s.Gone, Unknown: r.unknown, Author: r.authors[s.Record.ID],
	}}
	switch {
	case e.is(flagTwice):
		one.observed.Unusable = "two records show the same id"
	case s.Unusable == "" && s.Gone == 0:
		rec := s.Record
		one.observed.Record, one.observed.Digest = &rec, s.Digest
	}
	return one
}

// decideBatch decides about some records, together with those whose unique values they take over, and puts the decisions
// aside.
func (r *pass) decideBatch(ctx context.Context, o *observer, batch []shown, keep func([]decided) error) error {
	if len(batch) == 0 {
		return nil
	}
	list, err := r.decideTogether(ctx, o, batch)
	if err != nil {
		return err
	}
	return keep(list)
}

// decideMissing decides about the links whose records a complete listing did not show.
func (r *pass) decideMissing(ctx context.Context, o *observer) error {
	var ids []idbridge.ExternalID
	proof := o.end.Proof
	moved := r.source.Scope != "" && r.source.Scope != r.p.Scope
	flush := func() error {
		batch := make([]shown, len(ids))
		for i, id := range ids {
			batch[i] = shown{id: id, observed: plan.Observed{Absent: &proof, Unknown: r.unknown, NewScope: moved}}
		}
		ids = ids[:0]
		return r.decideBatch(ctx, o, batch, r.keepAll)
	}
	hashed := false
	for n := range uint32(o.index.count) { //nolint:gosec // bounded by memory
		e := o.index.at(n)
		if !e.absent() {
			continue
		}
		id, ok := e.spelled()
		if !ok {
			hashed = true
			continue
		}
		if ids = append(ids, idbridge.ExternalID{Directory: r.name, ID: id}); len(ids) == decideBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if hashed {
		more, err := r.unspelled(ctx, o)
		if err != nil {
			return err
		}
		for len(more) > 0 {
			n := min(len(more), decideBatch-len(ids))
			ids, more = append(ids, more[:n]...), more[n:]
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// absent tells that a linked record was neither shown nor spoken of.
func (e *entry) absent() bool {
	return e.is(flagLinked) && !e.is(flagSeen) && !e.is(flagGone)
}

// unspelled reads the marks a second time for the absent ids that the index cannot spell.
func (r *pass) unspelled(ctx context.Context, o *observer) ([]idbridge.ExternalID, error) {
	var ids []idbridge.ExternalID
	for m, err := range r.e.Store.Marks(ctx, r.name) {
		if err != nil {
			return nil, fmt.Errorf("read the links of %q: %w", r.name, err)
		}
		if e := o.index.find(m.ID); e != nil && e.is(flagHashed) && e.absent() {
			ids = append(ids, idbridge.ExternalID{Directory: r.name, ID: m.ID})
		}
	}
	return ids, nil
}

// decideGroups decides about the groups whose lists differ, and, in a complete listing, about those it did not show.
func (r *pass) decideGroups(ctx context.Context, o *observer) error {
	for frame, err := range o.groups.frames() {
		if err != nil {
			return err
		}
		members, digest, err := readMembers(&reader{b: frame, names: r.names})
		if err != nil {
			return err
		}
		if !members.Whole.OK {
			if len(plan.GrantsOf(r.p, members.Name)) > 0 || len(o.known[members.Group.ID].Grants) > 0 { // of the others nobody asks
				r.say("the members of %s are unknown (%s): they are kept", members.Name, members.Whole.Reason)
			}
			continue
		}
		if err := r.decideGroup(ctx, o, &members, digest); err != nil {
			return err
		}
	}
	if !o.end.Complete {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(o.known)) {
		g := o.known[id]
		if o.seenGroups[id] || g.Members == 0 && g.Digest.IsZero() {
			continue
		}
		gone := idbridge.Members{Group: g.ID, Name: g.Name, Whole: idbridge.Support{OK: true}}
		if err := r.decideGroup(ctx, o, &gone, idbridge.Digest{}); err != nil {
			return err
		}
	}
	return nil
}

func (r *pass) decideGroup(ctx context.Context, o *observer, seen *idbridge.Members, digest idbridge.Digest) error {
	g, known := o.known[seen.Group.ID]
	if !known {
		g = idbridge.Group{ID: seen.Group, Name: seen.Name}
	}
	var old []string
	if known {
		var err error
		if old, err = r.e.Store.Members(ctx, g.ID); err != nil {
			return fmt.Errorf("read the members of %s: %w", g.ID, err)
		}
	}
	kept := keepUnseen(o, seen, old)
	if kept {
		digest = idbridge.Digest{} // who is kept is asked about in every run
	}
	decisions := plan.DecideGroup(r.p, g, seen, old, g.Digest, digest)
	if kept && known && g.Digest.IsZero() && g.Name == seen.Name && !slices.ContainsFunc(decisions, moves) {
		return nil
	}
	for _, d := range decisions {
		if err := r.keep(&decided{Decision: d}); err != nil {
			return err
		}
	}
	return nil
}

// keepUnseen lets people stay in a group whom this listing did not show, as long as the group names somebody who cannot
// be resolved: an entry that was moved or renamed is still in the list, under a name that leads nowhere. Their absence
// is not proved, and what it would take from them goes with their access. It tells whether it kept anybody.
func keepUnseen(o *observer, seen *idbridge.Members, old []string) bool {
	if seen.Unresolved == 0 {
		return false
	}
	named := make(map[string]bool, len(seen.Members))
	for _, m := range seen.Members {
		named[m.ID] = true
	}
	kept := false
	for _, id := range old {
		if e := o.index.find(id); e != nil && e.absent() && !named[id] {
			seen.Members = append(seen.Members, idbridge.ExternalID{Directory: seen.Group.Directory, ID: id})
			kept = true
		}
	}
	return kept
}

// moves tells whether a group's decision moves anybody.
func moves(d idbridge.Decision) bool { return len(d.Steps) > 0 }
