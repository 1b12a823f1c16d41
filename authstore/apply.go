package authstore

import (
	"encoding/json"
	"fmt"

	"github.com/idbridge/idbridge"
)

// apply changes links and users in memory as one admitted decision says, and notes the rows that hang on it.
func (c *commit) apply(i int) error {
	d := &c.decisions[i]
	if ofGroup(d) {
		return c.applyGroup(d)
	}
	link, user := c.subject(d)
	var before idbridge.Link
	if link != nil {
		before = link.Link
	}
	for k := range d.Steps {
		step := &d.Steps[k]
		if step.Side != idbridge.StoreSide {
			continue
		}
		var err error
		if link, user, err = c.step(i, step, link, user); err != nil {
			return err
		}
	}
	if link == nil {
		c.guard(i, d)
		return nil
	}
	if link.gone {
		c.w.ward.say(d.ID.ID, d.Seen.Locator)
		return nil
	}
	switch {
	case len(d.Base) == 0:
	case len(link.Base) == 0 && len(c.out[i].Withheld) == 0:
		link.Base = d.Base // nobody changes either
		if c.texts != nil {
			link.text = &c.texts[i]
		}
	default:
		link.Base = link.Base.Clone()
		if link.Base == nil {
			link.Base = idbridge.Profile{}
		}
		c.mergeAllowed(i, user, link.Base, d.Base, false)
	}
	link.observe(&d.Seen)
	if len(c.out[i].Withheld) > 0 {
		link.Digest = idbridge.Digest{}
	}
	if step := d.DirectoryStep(); step != nil {
		if err := c.sent(i, step, link, user); err != nil {
			return err
		}
	}
	if !link.fresh && !sameLink(&before, &link.Link) {
		link.Version++
		link.dirty = true
	}
	c.guard(i, d)
	c.contend(i, d, user)
	return nil
}

// step makes one store step and returns link and user as they are after it.
func (c *commit) step(i int, step *idbridge.Step, link *linkedRow, user *userRecord) (*linkedRow, *userRecord, error) {
	switch step.Verb {
	case idbridge.Create:
		user = c.create(i, step)
		link = c.newLink(step, user) // no audit row: the user's own row says when, the link's where from
	case idbridge.Linking:
		done := c.change(i, step, user)
		link = c.newLink(step, user)
		user.access = true
		c.w.change(c.lead.Run, &done, user.ID, "", string(link.State))
		c.t.note(c.auditRow("link", user, step.Why))
	case idbridge.Update:
		changed := user
		if other := c.yielder(step, user); other != nil {
			changed = other
			c.reopen(step.ID, other)
			c.t.note(c.auditRow("user.yield", other, step.Why+": "+c.decisions[i].ID.ID))
		}
		before := changed.Profile
		done := c.change(i, step, changed)
		if changed == user && !link.isFresh() {
			c.pulled(&done, before, user.Profile, user)
		}
		c.w.change(c.lead.Run, &done, changed.ID, "", "")
	case idbridge.Suspend, idbridge.Restore:
		c.setState(step, link, user)
	case idbridge.Miss:
		if link.Sightings == 0 {
			link.Since = moment(c.t.now)
		}
	case idbridge.Purge:
		c.w.change(c.lead.Run, step, user.ID, string(link.State), "")
		c.t.note(c.auditRow("user.purge", user, step.Why))
		link.gone, user.gone = true, true
	case idbridge.Join, idbridge.Leave: // of a group decision
	default:
		return nil, nil, fmt.Errorf("step %q on the store side of %s", step.Verb, step.ID)
	}
	return link, user, nil
}

// yielder returns another user than the decision's whom a step changes: an absent one who lets a unique value go. nil for
// none.
func (c *commit) yielder(step *idbridge.Step, user *userRecord) *userRecord {
	if step.Verb != idbridge.Update || step.Side != idbridge.StoreSide || step.User == 0 || user != nil && step.User == user.ID {
		return nil
	}
	return c.users[step.User]
}

// reopen has the record of a user who let a value go decided again, if it ever comes back: it shows what it showed, and its
// user has less.
func (c *commit) reopen(id idbridge.ExternalID, other *userRecord) {
	l := c.links[id.ID]
	if l == nil || l.User != other.ID || l.Digest.IsZero() {
		return
	}
	l.Digest = idbridge.Digest{} // its version stays: the user's revision tells whoever read both, and the absence found in this run still counts
	l.dirty = true
}

// create makes the user of a new record.
func (c *commit) create(i int, step *idbridge.Step) *userRecord {
	at := moment(c.t.now)
	user := &userRecord{fresh: true, User: idbridge.User{
		ID: c.out[i].User, Kind: idbridge.Person, Profile: step.After, Revision: 1, Created: at, Updated: at,
	}}
	if len(c.out[i].Withheld) > 0 || !storable(step.After) {
		user.Profile = make(idbridge.Profile, len(step.After))
		c.mergeAllowed(i, user, user.Profile, step.After, true)
	} else if c.texts != nil {
		user.text = &c.texts[i]
	}
	c.users[user.ID] = user
	return user
}

// storable tells whether a profile can be a user's as it is: nothing empty, and nothing that belongs to the link.
func storable(p idbridge.Profile) bool {
	for a, v := range p {
		if len(v) == 0 || a == idbridge.Active {
			return false
		}
	}
	return p != nil
}

// newLink ties the step's record to a user.
func (c *commit) newLink(step *idbridge.Step, user *userRecord) *linkedRow {
	state := step.State
	if state == "" {
		state = idbridge.LinkActive
		if !step.After.IsActive() {
			state = idbridge.LinkInactive
		}
	}
	link := &linkedRow{fresh: true, Link: idbridge.Link{
		ID: step.ID, User: user.ID, Locator: step.Locator, State: state, Version: 1, Since: moment(c.t.now),
	}}
	c.links[step.ID.ID] = link
	c.w.linked = append(c.w.linked, step.ID.ID)
	return link
}

// change applies a step's attributes to a user, and returns the step as it was done: without what is withheld.
func (c *commit) change(i int, step *idbridge.Step, user *userRecord) idbridge.Step {
	if user.before == nil || user.fresh { // never into a map that belongs to the decision
		if !user.fresh {
			user.before = user.Profile
		}
		user.Profile = user.Profile.Clone()
		if user.Profile == nil {
			user.Profile = idbridge.Profile{}
		}
	}
	done := *step
	done.After = c.mergeAllowed(i, user, user.Profile, step.After, true)
	user.dirty = true
	return done
}

// mergeAllowed merges what the user's bids leave of set, and returns that. In a base an empty set is kept: it says that both
// sides agree on nothing.
func (c *commit) mergeAllowed(i int, user *userRecord, p, set idbridge.Profile, remove bool) idbridge.Profile {
	if len(c.out[i].Withheld) == 0 {
		merge(p, set, remove)
		return set
	}
	who := int64(user.ID)
	if user.fresh {
		who = int64(-1 - i)
	}
	rest := make(idbridge.Profile, len(set))
	for a, v := range set {
		if v, ok := c.claims.left(i, who, a, c.s.schema[a].Match, v); ok {
			rest[a] = v
		}
	}
	merge(p, rest, remove)
	return rest
}

// left returns what the bids of a decision leave a user of an attribute's values.
func (b *bidding) left(decision int, who int64, a idbridge.Attribute, match idbridge.Match, v idbridge.Values) (idbridge.Values, bool) {
	for k := range b.bids {
		if one := &b.bids[k]; one.decision == decision && one.who == who && one.attribute == a && len(one.lost) > 0 {
			return one.allowed(match, v)
		}
	}
	return v, true
}

// setState ends or gives back access through a link.
func (c *commit) setState(step *idbridge.Step, link *linkedRow, user *userRecord) {
	state := step.State
	if state == "" {
		state = idbridge.LinkActive
		if step.Verb == idbridge.Suspend {
			state = idbridge.LinkMissing
		}
	}
	if link.State == state {
		return
	}
	c.w.change(c.lead.Run, step, user.ID, string(link.State), string(state))
	link.State, link.Since = state, moment(c.t.now)
	user.access = true
	action := "user.suspend"
	if step.Verb == idbridge.Restore {
		action = "user.restore"
	}
	c.t.note(c.auditRow(action, user, step.Why))
}

// observe writes what the run saw into the link; nothing when it says nothing. The place of an absent record is kept.
func (l *linkedRow) observe(seen *idbridge.Observation) {
	if *seen == (idbridge.Observation{}) {
		return
	}
	if seen.Locator != "" {
		l.Locator, l.Seen, l.Order = seen.Locator, seen.Version, seen.Order
	}
	l.Digest, l.Sightings = seen.Digest, seen.Sightings
}

func (l *linkedRow) isFresh() bool { return l == nil || l.fresh }

func sameLink(x, y *idbridge.Link) bool {
	return x.State == y.State && x.Digest == y.Digest && x.Sightings == y.Sightings && x.Sent == y.Sent && x.Since.Equal(y.Since) &&
		x.Seen == y.Seen && x.Order == y.Order && x.Locator == y.Locator && len(differing(x.Base, y.Base)) == 0 && len(x.Base) == len(y.Base)
}

// sent records the decision's directory step before it goes on the wire.
func (c *commit) sent(i int, step *idbridge.Step, link *linkedRow, user *userRecord) error {
	out := *step
	out.User = user.ID
	text, err := json.Marshal(&out) //nolint:musttag // only this package reads it, by the same type
	if err != nil {
		return fmt.Errorf("step for %s: %w", step.ID, err)
	}
	c.w.sent = append(c.w.sent, sentRow{outcome: i, link: link, user: user, step: string(text)})
	link.Sent = -1 // the number is given when all are counted; link.Version moves for it in any case
	link.Digest = idbridge.Digest{}
	return nil
}

// guard writes what the decision says about the record's quarantine: nothing said clears it.
func (c *commit) guard(i int, d *idbridge.Decision) {
	if d.Listed && len(c.out[i].Withheld) == 0 || d.ID.ID == "" && d.Unusable == "" {
		return
	}
	var rows []idbridge.Withheld
	if d.Unusable != "" {
		rows = append(rows, idbridge.Withheld{Why: d.Unusable})
	}
	rows = append(rows, d.Withheld...)
	rows = append(rows, c.out[i].Withheld...)
	locator := d.Seen.Locator
	if locator == "" && len(d.Steps) > 0 {
		locator = d.Steps[0].Locator
	}
	if len(rows) > 0 && locator == "" && d.ID.ID == "" {
		locator = d.Name
	}
	c.w.ward.say(d.ID.ID, locator, rows...)
}

// contend notes the decision's conflicts, opened and closed.
func (c *commit) contend(i int, d *idbridge.Decision, user *userRecord) {
	for _, one := range d.Conflicts {
		if user != nil && one.ID == 0 && one.Winner == idbridge.DirectoryWinner && len(c.out[i].Withheld) > 0 &&
			c.s.schema.Equal(one.Attribute, user.Profile[one.Attribute], one.Store) {
			continue // his value stays, since the other one is withheld: nothing is lost, and no run shall say so again
		}
		if one.Link == (idbridge.ExternalID{}) {
			one.Link = d.ID
		}
		if one.User == 0 && user != nil {
			one.User = user.ID
		}
		c.w.conflicts = append(c.w.conflicts, one)
	}
	c.w.closed = append(c.w.closed, d.Closed...)
}

func (c *commit) auditRow(action string, user *userRecord, why string) idbridge.Audit {
	return idbridge.Audit{
		Actor: "directory:" + c.lead.Directory, Action: action, Target: user.UserName(), User: user.ID, Reason: why, Run: c.lead.Run,
	}
}
