package plan

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// Decide says which steps one record needs, from what the store knows (s) and what this run saw (o). It asks nobody and
// changes nothing it is given; the same arguments give the same decision. Profiles in the decision may share their
// values with s and o.
//
//	seen in this run            not linked                        linked
//	unusable                    quarantined                       quarantined; values, state and access stay
//	shown                       created, linked or held           state and attributes merged
//	gone (the directory's word) nothing                           suspended at once
//	absent, with proof          nothing                           missed, then suspended, then purged
//	none of these               skipped                           skipped
func Decide(p *Policy, s idbridge.Subject, o Observed, now time.Time) idbridge.Decision {
	return decide(p, &s, &o, now, nil)
}

// decide is Decide; t follows each attribute when somebody wants an explanation, and is nil otherwise.
func decide(p *Policy, s *idbridge.Subject, o *Observed, now time.Time, t *trace) idbridge.Decision {
	var room [16]idbridge.Attribute // on the stack, as all of the work is
	w := work{p: p, s: s, o: o, now: now, mapped: room[:0], trace: t}
	w.d.ID = s.ID
	w.d.Situation = idbridge.Unchanged
	if s.Link != nil {
		w.d.Read.Link = s.Link.Version
		w.base = s.Link.Base
	}
	if s.User != nil {
		w.take(s.User)
	}
	w.decide()
	if w.d.Name == "" {
		w.d.Name = w.name()
	}
	return w.d
}

// work is one decision while it is made.
type work struct {
	p   *Policy
	s   *idbridge.Subject
	o   *Observed
	now time.Time
	d   idbridge.Decision

	user *idbridge.User   // the linked user, or the one that is being linked
	base idbridge.Profile // of the link; nil on the first link
	open bool             // something waits: the digest stays zero, so that the next run decides again

	older bool   // the record shows an older version than it showed before
	trace *trace // nil: nobody asks why

	before, after     idbridge.Profile // of the store step
	outBefore, outFor idbridge.Profile // of the directory step
	stepWhy, outWhy   string
	yielded           []idbridge.Step // by which absent users give up unique values
	mapped            []idbridge.Attribute
}

func (w *work) take(u *idbridge.User) {
	w.user = u
	w.d.User = u.ID
	w.d.Read.User = u.Revision
	w.d.Name = u.UserName()
}

func (w *work) decide() {
	link := w.s.Link
	switch {
	case link != nil && w.s.User == nil:
		w.skip("the linked user is not there")
	case link != nil && link.Sent != 0:
		w.skip("a change sent to the directory is not settled yet")
	case w.s.ID.ID == "":
		w.quarantine("the record shows no id")
	case w.o.Unusable != "":
		w.quarantine(w.o.Unusable)
	case w.o.Record != nil:
		w.shown(w.o.Record)
	case w.o.Gone != 0:
		w.gone()
	case w.o.Absent != nil:
		w.absent()
	default:
		w.skip("not seen, and nothing proves that it is gone")
	}
}

// shown decides about a record that is there.
func (w *work) shown(r *idbridge.Record) {
	link := w.s.Link
	if link != nil && r.Order != 0 && r.Order < link.Order {
		w.skip("older than what was seen before")
		return
	}
	if r.Profile == nil {
		w.contentless(r)
		return
	}
	if why := w.unusable(r); why != "" {
		w.quarantine(why)
		return
	}
	if link == nil {
		w.newcomer()
		return
	}
	w.older = link.State != idbridge.LinkMissing && idbridge.Earlier(r.Version, link.Seen)
	w.state()
	w.merge()
	w.assemble(idbridge.Update)
	w.settle(r)
	if w.d.Back {
		w.backwards(r)
	}
}

// backwards leaves alone a record that shows an older state than it showed before: a directory that was put back from a
// backup, or a replica that is behind, must not bring back what was changed since. The steps stay in the decision for who
// approves them; see Allowed.
func (w *work) backwards(r *idbridge.Record) {
	w.d.Situation = idbridge.Skipped
	w.say("shows an older state (" + r.Version + ") than it showed before (" + w.s.Link.Seen +
		"): left alone until it shows a newer one, or somebody approves the plan")
}

// contentless decides about a record that is there but shows nothing: only the counting of its absence ends.
func (w *work) contentless(r *idbridge.Record) {
	link := w.s.Link
	if link == nil {
		w.skip("shown without its content")
		return
	}
	w.state()
	w.situate()
	if link.Sightings == 0 && len(w.d.Steps) == 0 && (r.Locator == "" || r.Locator == link.Locator) {
		return
	}
	w.d.Seen = w.lastSeen()
	if r.Locator != "" {
		w.d.Seen.Locator = r.Locator
	}
	if len(w.d.Steps) == 0 {
		w.d.Seen.Digest = link.Digest
	}
}

// unusable says why a record cannot be used, or "". An attribute that could not be read does not count.
func (w *work) unusable(r *idbridge.Record) string {
	for _, a := range w.p.Required {
		if v, known := w.seen(a); known && len(v) == 0 || !known && w.s.Link == nil {
			return string(a) + " is missing"
		}
	}
	for _, a := range w.attributes() {
		v := r.Profile[a]
		spec := w.p.Schema[a]
		if len(v) > 1 && spec.Single && len(w.p.Schema.Normal(a, v)) > 1 {
			return string(a) + " shows several values and takes one"
		}
		if spec.Match == idbridge.Octets {
			continue
		}
		for _, x := range v {
			if !utf8.ValidString(x) || strings.IndexByte(x, 0) >= 0 {
				return string(a) + " holds octets that are not text"
			}
		}
	}
	return ""
}

// seen returns what the record shows of an attribute. known is false when that could not be found out: the attribute is
// not spoken of, the server hid it, or it is absent in a run where absence may as well be a lost right.
func (w *work) seen(a idbridge.Attribute) (v idbridge.Values, known bool) {
	r := w.o.Record
	v, known = r.Profile[a]
	if known {
		v = usable(v)
	}
	hidden := slices.Contains(r.Unknown, a) || len(v) == 0 && slices.Contains(w.o.Unknown, a)
	if hidden {
		return nil, failpoint.Mutant("errorempty")
	}
	return v, known
}

// usable leaves out values that are blank: they say nothing.
func usable(v idbridge.Values) idbridge.Values {
	for _, x := range v {
		if blank(x) {
			out := slices.DeleteFunc(slices.Clone(v), blank)
			if len(out) == 0 {
				return nil
			}
			return out
		}
	}
	return v
}

func blank(v string) bool {
	return v == "" || (v[0] == ' ' || v[0] < '!' || v[0] >= utf8.RuneSelf) && strings.TrimSpace(v) == ""
}

// attributes returns the mapped attributes but Active, sorted.
func (w *work) attributes() []idbridge.Attribute {
	if len(w.mapped) == 0 {
		for a := range w.p.Rules {
			if a != idbridge.Active {
				w.mapped = append(w.mapped, a)
			}
		}
		slices.Sort(w.mapped)
	}
	return w.mapped
}

// assemble makes the steps out of what the merge collected. verb is Update, or Linking for a first link.
func (w *work) assemble(verb idbridge.Verb) {
	w.d.Steps = append(w.d.Steps, w.yielded...)
	if w.after != nil || verb == idbridge.Linking {
		w.d.Steps = append(w.d.Steps, idbridge.Step{
			ID: w.s.ID, User: w.user.ID, Side: idbridge.StoreSide, Verb: verb, Before: w.before, After: w.after,
			Locator: w.o.Record.Locator, Why: w.stepWhy,
		})
	}
	if w.outFor != nil {
		w.d.Steps = append(w.d.Steps, idbridge.Step{
			ID: w.s.ID, User: w.user.ID, Side: idbridge.DirectorySide, Verb: idbridge.Update, Before: w.outBefore, After: w.outFor,
			Locator: w.o.Record.Locator, Author: w.o.Author, Why: w.outWhy,
		})
		w.open = true
	}
}

// settle names the situation of a linked record and says what the link remembers: the digest only when nothing is open.
func (w *work) settle(r *idbridge.Record) {
	link := w.s.Link
	w.situate()
	now := idbridge.Observation{Locator: r.Locator, Version: r.Version, Order: r.Order, Digest: w.o.Digest}
	if now.Locator == "" {
		now.Locator = link.Locator
	}
	if w.older && !w.d.Back {
		now.Version = link.Seen // nothing in it is older; what counts as older stays
	}
	if r.Order == 0 {
		now.Order = link.Order
	}
	still := w.d.Empty()
	if len(w.d.Withheld) > 0 || len(w.s.Listed) > 0 {
		w.d.Listed = len(w.d.Withheld) > 0 && listed(w.s.Listed, w.d.Withheld)
		still = w.d.Empty() && w.d.Listed == (len(w.s.Listed) > 0)
	}
	switch {
	case w.open:
		now.Digest = idbridge.Digest{}
	case still && now.Digest.IsZero():
		now.Digest = link.Digest // nobody computed one; what was settled stays settled
	}
	if still && now.Digest == link.Digest && now.Locator == link.Locator && now.Order == link.Order && link.Sightings == 0 {
		return
	}
	w.d.Seen = now
}

func (w *work) situate() {
	for i := range w.d.Steps {
		switch w.d.Steps[i].Verb {
		case idbridge.Suspend:
			w.d.Situation = idbridge.Suspended
			return
		case idbridge.Restore:
			w.d.Situation = idbridge.Restored
			return
		case idbridge.Create, idbridge.Linking, idbridge.Update, idbridge.Miss, idbridge.Purge, idbridge.Join, idbridge.Leave:
		}
	}
	held := false
	for i := range w.s.Open {
		held = held || !slices.Contains(w.d.Closed, w.s.Open[i].ID)
	}
	for i := range w.d.Conflicts {
		held = held || w.d.Conflicts[i].Winner == idbridge.NoWinner
	}
	switch {
	case len(w.d.Steps) > 0 || len(w.d.Base) > 0 || len(w.d.Closed) > 0:
		w.d.Situation = idbridge.Updated
	case held:
		w.d.Situation = idbridge.HeldBack
	}
}

// listed tells whether the store's quarantine rows say exactly this.
func listed(rows, now []idbridge.Withheld) bool {
	if len(rows) != len(now) {
		return false
	}
	for i := range now {
		if !slices.Contains(rows, now[i]) {
			return false
		}
	}
	return true
}

// lastSeen is what the link remembers already, without its digest: whatever comes next is decided.
func (w *work) lastSeen() idbridge.Observation {
	return idbridge.Observation{Locator: w.s.Link.Locator, Version: w.s.Link.Seen, Order: w.s.Link.Order}
}

// skip leaves the record alone in this run.
func (w *work) skip(why string) {
	w.d.Situation = idbridge.Skipped
	w.say(why)
}

// quarantine keeps the last good state of a record that is there but cannot be used. It is present, so the counting of
// its absence ends.
func (w *work) quarantine(why string) { w.shelve(idbridge.Quarantined, why) }

// hold leaves a record to a person.
func (w *work) hold(why string) { w.shelve(idbridge.HeldBack, why) }

func (w *work) shelve(as idbridge.Situation, why string) {
	w.d.Situation = as
	if w.s.Link == nil && w.o.Record != nil && w.o.Record.Locator != "" {
		why = w.o.Record.Locator + ": " + why // nothing else tells people who it is
	}
	w.d.Unusable = why
	rows := append([]idbridge.Withheld{{Why: why}}, w.d.Withheld...)
	w.d.Listed = listed(w.s.Listed, rows)
	link := w.s.Link
	if link == nil {
		return
	}
	if w.d.Listed && link.Digest.IsZero() && link.Sightings == 0 {
		return
	}
	w.d.Seen = w.lastSeen()
	if r := w.o.Record; r != nil && r.Locator != "" {
		w.d.Seen.Locator = r.Locator
	}
}

// say adds a reason for people.
func (w *work) say(why string) {
	if w.d.Why != "" {
		w.d.Why += "; "
	}
	w.d.Why += why
}

// name is what people call a record that has no user.
func (w *work) name() string {
	if r := w.o.Record; r != nil {
		if n := r.Profile[idbridge.UserName].First(); n != "" {
			return n
		}
		if r.Locator != "" {
			return r.Locator
		}
	}
	if w.s.Link != nil && w.s.Link.Locator != "" {
		return w.s.Link.Locator
	}
	return w.s.ID.ID
}
