package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/idbridge/idbridge"
)

// The outcomes of an attribute, as Explain names them.
const (
	outcomeNothing   = "nothing"
	outcomeStore     = "store"     // the store takes the directory's value
	outcomeDirectory = "directory" // the directory takes the store's
	outcomeBase      = "base"      // only what both sides last agreed on moves
	outcomeConflict  = "conflict"  // both sides changed it, and a policy decided
	outcomeHeld      = "held"      // waits for a person
	outcomeWithheld  = "withheld"
	outcomeKept      = "kept" // could not be read, or nothing was decided about the record
)

// Explain says what a run would do now about one record, attribute by attribute, and why; also why nothing is done. It is
// decided by the code that decides in a run, which is followed on its way. Every mapped attribute is there, sorted.
// Situation, Why, Steps, Withheld and Attributes are set, and what the subject itself says: Link, State, Sightings, Since,
// Backoff. Where the record is and how it was linked is for the caller to add.
func Explain(p *Policy, s idbridge.Subject, o Observed, now time.Time) idbridge.ExplainedRecord {
	t := trace{}
	d := decide(p, &s, &o, now, &t)
	x := idbridge.ExplainedRecord{
		Link: s.ID, Situation: d.Situation, Why: cmp.Or(reasonOf(&d), plainly(d.Situation)), Steps: d.Steps, Withheld: d.Withheld, Backoff: s.Backoff,
	}
	if s.Link != nil {
		x.State, x.Sightings, x.Since = s.Link.State, s.Link.Sightings, s.Link.Since
	}
	w := work{p: p, s: &s, o: &o, now: now}
	if s.User != nil {
		w.user = s.User
	}
	mapped := slices.Clone(w.attributes())
	if _, ok := p.Rules[idbridge.Active]; ok {
		mapped = append(mapped, idbridge.Active)
		slices.Sort(mapped)
	}
	x.Attributes = make([]idbridge.ExplainedAttribute, 0, len(mapped))
	for _, a := range mapped {
		one := w.sidesOf(a)
		if told := t[a]; told != nil {
			one.Outcome, one.Why, one.Becomes = told.Outcome, told.Why, told.Becomes
		}
		if one.Outcome == "" {
			one.Outcome, one.Why = untold(&one, reasonOf(&d))
		}
		if d.Back && one.Outcome != outcomeNothing && one.Outcome != outcomeKept {
			one.Why += "; not done, since the record shows an older state than before"
		}
		x.Attributes = append(x.Attributes, one)
	}
	return x
}

// untold is the answer about an attribute at which the decision did not arrive.
func untold(x *idbridge.ExplainedAttribute, why string) (outcome, reason string) {
	switch {
	case x.Known && len(x.Directory) == 0 && len(x.Store) == 0:
		return outcomeNothing, "empty on both sides"
	case why == "":
		return outcomeKept, "the record does not speak of it"
	}
	return outcomeKept, "not compared: " + why
}

// reasonOf says why a record ends where it ends, as far as the decision has words for it.
func reasonOf(d *idbridge.Decision) string {
	why := cmp.Or(d.Unusable, d.Why)
	for i := range d.Steps {
		if s := &d.Steps[i]; s.ID == d.ID && s.Side == idbridge.StoreSide && s.Verb != idbridge.Update {
			why = cmp.Or(why, s.Why)
		}
	}
	return why
}

// plainly says what a situation means when there is nothing more to say about it.
func plainly(s idbridge.Situation) string {
	switch s { //nolint:exhaustive // the others have a reason of their own
	case idbridge.Unchanged:
		return "both sides hold what they last agreed on"
	case idbridge.Updated:
		return "the sides differ, or what they last agreed on does: see the attributes"
	case idbridge.Created:
		return "a new record that matches nobody"
	case idbridge.Linked:
		return "a new record that matches one user"
	case idbridge.Suspended:
		return "suspended since the record went missing"
	}
	return ""
}

// sidesOf shows what the three of them hold.
func (w *work) sidesOf(a idbridge.Attribute) idbridge.ExplainedAttribute {
	rule := w.p.Rules[a]
	x := idbridge.ExplainedAttribute{Attribute: a, Flow: string(rule.Flow)}
	if rule.Flow == Both {
		x.OnConflict = string(cmp.Or(rule.OnConflict, PreferDirectory))
	}
	if w.s.Link != nil {
		x.Base = w.s.Link.Base[a]
	}
	if w.user != nil {
		x.Store = w.user.Profile[a]
	}
	if r := w.o.Record; r != nil && r.Profile != nil {
		x.Directory, x.Known = w.seen(a)
	}
	if c := w.openConflict(a); c != nil {
		x.Conflict = c.ID
	}
	return x
}

// trace follows a decision, attribute by attribute. A nil trace costs a comparison.
type trace map[idbridge.Attribute]*idbridge.ExplainedAttribute

// tell notes what becomes of an attribute. What is told last counts.
func (w *work) tell(a idbridge.Attribute, outcome, why string, becomes idbridge.Values) {
	if w.trace != nil {
		(*w.trace)[a] = &idbridge.ExplainedAttribute{Outcome: outcome, Why: why, Becomes: becomes}
	}
}

func (w *work) traceUnknown(a idbridge.Attribute) {
	if w.trace == nil {
		return
	}
	why := "the record does not speak of it"
	switch {
	case slices.Contains(w.o.Record.Unknown, a):
		why = "not readable in this run: kept"
	case slices.Contains(w.o.Unknown, a):
		why = "nobody shows it in this run, which may be a lost right: kept"
	}
	w.tell(a, outcomeKept, why, nil)
}

func (w *work) traceConflict(s *sides, why string) {
	if w.trace != nil {
		w.tell(s.a, outcomeConflict, "changed on both sides; "+why+", and the other value is kept in a conflict row", (*w.trace)[s.a].Becomes)
	}
}

// traceActive says what follows from the directory's word about letting the user in.
func (w *work) traceActive(want idbridge.LinkState) {
	if _, mapped := w.p.Rules[idbridge.Active]; w.trace == nil || !mapped {
		return
	}
	_, known := w.seenActive()
	switch state := w.s.Link.State; {
	case !known:
		w.traceUnknown(idbridge.Active)
	case state == want:
		w.tell(idbridge.Active, outcomeNothing, "access through this directory is "+string(state)+", as it says", nil)
	default:
		w.tell(idbridge.Active, outcomeStore, "access through this directory becomes "+string(want)+", as it says", nil)
	}
}
