package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// Reverse decides how to take back what one run did to one record and its user, and names what cannot be taken back.
// changes are those that the run kept of this record (Link), in the order in which they were made, without joins and
// leaves; created tells that the run made the user. s is what the store knows now; rec is the record as it is now, nil
// when the directory does not show it.
//
//	the run changed              goes back
//	an attribute, flow both      to what the changed side had before, on both sides, so that they agree
//	an attribute, flow out       as for both
//	an attribute, flow in, once  in the store alone, as an override; the base stays the directory's
//	the link's state             to what it was; a Miss is forgotten
//	(made the user)              the user goes, and his record stays out
//	a link, a purge              never; the refusal says what to do instead
//
// Conflict rows that the run left stay as they are: they keep the values of both sides. Refused is what somebody changed
// since, on either side. The directory side is written by compare-and-set, as any step.
// A value that another user holds now is refused when s.Holders tells: the caller asks the store about the values of
// RunChange.Before, and leaves out who is reversed in the same batch, since two who swapped their addresses swap back. What
// s.Holders does not tell, the commit finds out, and withholds.
func Reverse(
	p *Policy, changes []idbridge.RunChange, s idbridge.Subject, rec *idbridge.Record, created bool, now time.Time,
) (idbridge.Decision, []idbridge.Refusal) {
	u := undoing{work: work{p: p, s: &s, o: &Observed{Record: rec}, now: now}, changes: changes}
	u.d.ID, u.d.Situation, u.d.Name = s.ID, idbridge.Unchanged, s.ID.ID
	if s.Link != nil {
		u.d.Read.Link = s.Link.Version
		u.base = s.Link.Base
	}
	if s.User != nil {
		u.take(s.User)
	}
	if u.ready() {
		if created {
			u.unmake()
		} else {
			u.access()
			u.values()
		}
	}
	return u.d, u.refused
}

// undoing is one reverse while it is decided.
type undoing struct {
	work
	changes []idbridge.RunChange
	refused []idbridge.Refusal
}

func (u *undoing) refuse(a idbridge.Attribute, why string) {
	u.refused = append(u.refused, idbridge.Refusal{Link: u.s.ID, User: u.d.User, Name: u.d.Name, Attribute: a, Why: why})
}

// ready refuses everything when there is nothing to work on. What is never taken back is named here.
func (u *undoing) ready() bool {
	for i := range u.changes {
		c := &u.changes[i]
		switch {
		case c.Verb == idbridge.Purge:
			u.refuse("", "the user was purged, and nobody keeps what he was: make him anew (idbridge user add), or put back a backup")
			return false
		case c.Verb == idbridge.Linking && u.s.User != nil:
			u.refuse("", "a link is not taken back: if it is the wrong person, delete the user (idbridge user delete), whose record then stays out")
		}
	}
	switch link := u.s.Link; {
	case link == nil || u.s.User == nil:
		u.refuse("", "the user is gone, or has this record no more")
	case slices.ContainsFunc(u.changes, func(c idbridge.RunChange) bool { return c.User != 0 && c.User != u.s.User.ID }):
		u.refuse("", "the record belongs to another user now")
	case link.Sent != 0:
		u.refuse("", "a change sent to the directory is not settled yet: let a run end it, then undo")
	default:
		return true
	}
	return false
}

// unmake takes back a new user whom nobody has touched since. His purge leaves a tombstone, so that his record stays out.
func (u *undoing) unmake() {
	switch {
	case u.s.User.Revision > 1:
		u.refuse("", "the user was edited since he was made: delete him by hand if he shall go (idbridge user delete)")
	case u.s.Keys > 0:
		u.refuse("", "the user has "+count(u.s.Keys, "key")+": delete him by hand if they may stop (idbridge user delete)")
	case u.s.Manual > 0:
		u.refuse("", "the user has "+count(u.s.Manual, "role")+" granted by hand: revoke first (idbridge role revoke)")
	case len(u.s.Others) > 0:
		u.refuse("", "the user is linked to another directory too: delete him by hand if he shall go (idbridge user delete)")
	default:
		u.d.Situation = idbridge.Purged
		u.d.Admin = u.s.Privileged && u.p.may(u.s, u.s.Link.State)
		u.d.Steps = append(u.d.Steps, idbridge.Step{
			ID: u.s.ID, User: u.d.User, Side: idbridge.StoreSide, Verb: idbridge.Purge, Before: u.user.Profile,
			Locator: u.s.Link.Locator, Why: u.why() + " made the user",
		})
		u.d.Seen = u.lastSeen()
	}
}

// why names the run that is taken back.
func (u *undoing) why() string {
	if len(u.changes) == 0 {
		return "undo: the run"
	}
	return fmt.Sprintf("undo: run %d", u.changes[0].Run)
}

// access takes back what the run did to the link's state.
func (u *undoing) access() {
	var was, made idbridge.LinkState
	missed := false
	for i := range u.changes {
		switch c := &u.changes[i]; c.Verb { //nolint:exhaustive // the others change no state
		case idbridge.Suspend, idbridge.Restore:
			if made == "" {
				was = c.Was
			}
			made = c.State
		case idbridge.Miss:
			missed = true
		}
	}
	link := u.s.Link
	switch {
	case made == "" && missed && link.State != idbridge.LinkMissing && link.Sightings > 0 && u.o.Record == nil:
		u.d.Seen = u.lastSeen() // the count of its absence begins anew
	case made == "" || was == "" || was == made || link.State == was: // nothing happened, or it is as it was
	case link.State != made:
		u.refuse("", "his access changed since: the link is "+string(link.State)+" now")
	default:
		u.setState(was)
	}
}

// setState brings the link back to a state, unless the directory would end that in the next run.
func (u *undoing) setState(to idbridge.LinkState) {
	link := u.s.Link
	if r := u.o.Record; r != nil && r.Profile != nil {
		switch now := u.active(); {
		case to == idbridge.LinkMissing:
			u.refuse("", "the directory shows the record, so the next run would let him in again: suspend the user by hand")
			return
		case to == idbridge.LinkActive && !now:
			u.refuse("", "the directory says inactive still, so the next run would end his access again: change it there")
			return
		case to == idbridge.LinkInactive && now:
			u.refuse("", "the directory says active, so the next run would let him in again: change it there")
			return
		}
	}
	step := idbridge.Step{
		ID: u.s.ID, User: u.d.User, Side: idbridge.StoreSide, Verb: idbridge.Restore, State: to, Was: link.State,
		Locator: link.Locator, Why: u.why() + " ended his access",
	}
	u.d.Situation = idbridge.Restored
	if to != idbridge.LinkActive {
		step.Verb, step.Why = idbridge.Suspend, u.why()+" gave him access"
		u.d.Situation = idbridge.Suspended
	}
	u.d.Steps = append(u.d.Steps, step)
	u.d.Seen = u.lastSeen()
	if to == idbridge.LinkMissing {
		u.d.Seen.Sightings = proved
	}
	u.ends(to)
}

// trail is what a run did to one attribute, over all of its changes.
type trail struct {
	before idbridge.Values // on the side that changed first
	left   idbridge.Values // on both sides: what one of them took last is what the other one had
}

// values takes back attribute values.
func (u *undoing) values() {
	trails := map[idbridge.Attribute]*trail{}
	var order []idbridge.Attribute
	for i := range u.changes {
		c := &u.changes[i]
		if c.Verb != idbridge.Update {
			continue
		}
		for a, v := range c.After {
			t := trails[a]
			if t == nil {
				t = &trail{before: usable(c.Before[a])}
				trails[a] = t
				order = append(order, a)
			}
			t.left = usable(v)
		}
	}
	slices.Sort(order)
	for _, a := range order {
		if a != idbridge.Active {
			u.attribute(a, trails[a])
		}
	}
	why := u.why() + " changed it"
	if u.after != nil {
		u.stepWhy = why
	}
	if u.outFor != nil {
		u.outWhy = why
	}
	if u.after == nil && u.outFor == nil {
		return
	}
	u.assemble(idbridge.Update)
	if u.d.Seen == (idbridge.Observation{}) {
		u.d.Seen = u.lastSeen()
	}
	if u.d.Situation == idbridge.Unchanged {
		u.d.Situation = idbridge.Updated
	}
}

// attribute takes back one attribute, or says why not.
func (u *undoing) attribute(a idbridge.Attribute, t *trail) {
	rule, mapped := u.p.Rules[a]
	if !mapped {
		u.refuse(a, "the config maps it no more")
		return
	}
	if u.o.Record == nil || u.o.Record.Profile == nil {
		u.refuse(a, "the directory does not show the record now")
		return
	}
	dir, known := u.seen(a)
	if !known {
		u.refuse(a, "the directory does not show it now, so nobody can tell whether it changed")
		return
	}
	store, schema := usable(u.user.Profile[a]), u.p.Schema
	alone := rule.Flow == In || rule.Flow == Once || !u.p.Writable // the directory keeps its value
	if schema.Equal(a, store, t.before) && (alone || schema.Equal(a, dir, t.before)) {
		return // as it was already
	}
	switch {
	case failpoint.Mutant("blindundo"): // the mistake: what somebody changed since is overwritten
	case !schema.Equal(a, store, t.left):
		u.refuse(a, "changed since in the store: "+said(store))
		return
	case rule.Flow != Once && !schema.Equal(a, dir, t.left):
		u.refuse(a, "changed since in the directory: "+said(dir))
		return
	}
	if why := u.impossible(a, t.before, alone); why != "" {
		u.refuse(a, why)
		return
	}
	to := t.before
	if to == nil {
		to = idbridge.Values{}
	}
	if !schema.Equal(a, store, to) {
		put(&u.before, a, store)
		put(&u.after, a, to)
	}
	if !alone && !schema.Equal(a, dir, to) {
		put(&u.outBefore, a, dir)
		put(&u.outFor, a, to)
	}
}

// impossible says why an attribute cannot have these values again, "" when it can.
func (u *undoing) impossible(a idbridge.Attribute, to idbridge.Values, alone bool) string {
	if len(to) == 0 && slices.Contains(u.p.Required, a) {
		return "it was empty before, and a user must have one"
	}
	if b := u.s.Backoff; !alone && b != nil && b.Until.After(u.now) {
		return "the directory refused to write this record, and is not asked again before " + clock(b.Until) + ": " + b.Why
	}
	if !u.p.Schema[a].Unique {
		return ""
	}
	for _, v := range u.p.Schema.Normal(a, to) {
		if h := u.blocker(a, v); h != nil {
			return "its value from before is taken now: " + holds(h)
		}
	}
	return ""
}

// said shows values in a sentence.
func said(v idbridge.Values) string {
	if len(v) == 0 {
		return "it is empty now"
	}
	return "it is " + show(v) + " now"
}

// clock spells a time in a sentence.
func clock(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }
