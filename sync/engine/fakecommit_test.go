package engine_test

import (
	"context"
	"slices"

	"github.com/idbridge/idbridge"
)

// Commit does what authstore does in one transaction.
func (v *view) Commit(_ context.Context, lead idbridge.Lead, decisions []idbridge.Decision) ([]idbridge.Outcome, error) {
	v.pauseAt("commit")
	if err := idbridge.MayLead(lead.Epoch, v.epoch); err != nil {
		return nil, err
	}
	out := make([]idbridge.Outcome, len(decisions))
	released := map[claim]idbridge.UserID{}
	for i := range decisions {
		d := &decisions[i]
		if out[i].Stale = !isGroup(d) && v.stale(d); !out[i].Stale {
			v.release(d, released)
		}
	}
	for v.keep(decisions, out, released) {
	}
	for i := range decisions {
		if !out[i].Stale {
			out[i] = v.commit(lead, &decisions[i], released)
		}
	}
	return out, nil
}

// claim is a unique value.
type claim struct {
	a     idbridge.Attribute
	value string
}

func isGroup(d *idbridge.Decision) bool {
	return d.Group != nil || len(d.Steps) > 0 && (d.Steps[0].Verb == idbridge.Join || d.Steps[0].Verb == idbridge.Leave)
}

// stale asks whether what the plan read still holds.
func (v *view) stale(d *idbridge.Decision) bool {
	var now idbridge.Versions
	var open idbridge.SentID
	id := d.User
	l := v.links[d.ID.ID]
	if l != nil {
		now.Link, open, id = l.Version, l.Sent, l.User
	}
	if u := v.users[id]; u != nil {
		now.User = u.Revision
	}
	return idbridge.MayCommit(d.Read, now, open) != nil
}

// release notes which unique values the decisions of one transaction let go, so that a swap is no collision.
func (v *view) release(d *idbridge.Decision, released map[claim]idbridge.UserID) {
	for i := range d.Steps {
		s := &d.Steps[i]
		if s.Side != idbridge.StoreSide || s.User == 0 {
			continue
		}
		for a, before := range s.Before {
			if !v.policy.Schema[a].Unique {
				continue
			}
			for _, x := range v.policy.Schema.Normal(a, before) {
				if !slices.Contains(v.policy.Schema.Normal(a, s.After[a]), x) {
					released[claim{a, x}] = s.User
				}
			}
		}
	}
}

// keep takes back one release of somebody who does not get what he wants instead, and so keeps what he has.
func (v *view) keep(decisions []idbridge.Decision, out []idbridge.Outcome, released map[claim]idbridge.UserID) bool {
	for i := range decisions {
		for k := range decisions[i].Steps {
			s := &decisions[i].Steps[k]
			if out[i].Stale || s.Side != idbridge.StoreSide || s.User == 0 {
				continue
			}
			var o idbridge.Outcome
			free := v.free(s.User, s.After, released, &o)
			for a, want := range s.After {
				if _, ok := free[a]; ok || len(want) == 0 {
					continue
				}
				for c, u := range released {
					if u == s.User && c.a == a {
						delete(released, c)
						return true
					}
				}
			}
		}
	}
	return false
}

// free leaves out the unique values that another user holds.
func (v *view) free(u idbridge.UserID, after idbridge.Profile, released map[claim]idbridge.UserID, o *idbridge.Outcome) idbridge.Profile {
	out := after.Clone()
	for a, values := range after {
		if !v.policy.Schema[a].Unique {
			continue
		}
		out[a] = slices.DeleteFunc(out[a], func(x string) bool {
			n := v.policy.Schema[a].Match.Normal(x)
			for _, id := range sortedKeys(v.users) {
				if id != u && released[claim{a, n}] != id && slices.Contains(v.policy.Schema.Normal(a, v.users[id].Profile[a]), n) {
					o.Withheld = append(o.Withheld, idbridge.Withheld{Attribute: a, Value: x, Holder: id, Why: "taken"})
					return true
				}
			}
			return false
		})
		if len(values) > 0 && len(out[a]) == 0 {
			delete(out, a)
		}
	}
	return out
}

func (v *view) commit(lead idbridge.Lead, d *idbridge.Decision, released map[claim]idbridge.UserID) (o idbridge.Outcome) {
	if v.commits != nil {
		v.commits(lead, d)
	}
	if isGroup(d) {
		v.committing = lead.Run
		v.commitGroup(d)
		return o
	}
	v.committing = lead.Run
	for i := range d.Steps {
		if s := &d.Steps[i]; s.Side == idbridge.StoreSide {
			if !v.make(d, s, released, &o) {
				return o
			}
		}
	}
	v.list(d)
	l := v.links[d.ID.ID]
	if l == nil {
		return o
	}
	o.User = l.User
	if len(o.Withheld) > 0 { // what the user did not get is not agreed on
		part := *d
		part.Base = d.Base.Clone()
		for _, h := range o.Withheld {
			delete(part.Base, h.Attribute)
		}
		part.Conflicts = slices.DeleteFunc(slices.Clone(d.Conflicts), func(c idbridge.Conflict) bool {
			return c.ID == 0 && c.Winner == idbridge.DirectoryWinner &&
				v.policy.Schema.Equal(c.Attribute, v.users[l.User].Profile[c.Attribute], c.Store)
		})
		d = &part
	}
	v.remember(l, d, len(o.Withheld) > 0)
	if len(o.Withheld) > 0 {
		l.Digest = idbridge.Digest{}
	}
	for i := range d.Steps {
		if s := &d.Steps[i]; s.Side == idbridge.DirectorySide {
			v.lastSent++
			o.Sent = v.lastSent
			v.sent = append(v.sent, &sentRow{
				Sent: idbridge.Sent{ID: o.Sent, Run: lead.Run, Step: *s}, link: d.ID.ID, revision: v.users[l.User].Revision,
			})
			l.Sent, l.Digest = o.Sent, idbridge.Digest{}
		}
	}
	return o
}

// make makes one store step; false when the decision as a whole was not possible.
func (v *view) make(d *idbridge.Decision, s *idbridge.Step, released map[claim]idbridge.UserID, o *idbridge.Outcome) bool {
	l := v.links[s.ID.ID]
	switch s.Verb {
	case idbridge.Create:
		after := v.free(0, s.After, released, o)
		if len(after[idbridge.UserName]) == 0 {
			v.quarantine[s.ID.ID] = []idbridge.Withheld{{Why: "the login is taken"}}
			return false
		}
		v.lastUser++
		u := &idbridge.User{ID: v.lastUser, Kind: idbridge.Person, Profile: after, Revision: 1, Created: v.now, Updated: v.now}
		v.users[u.ID] = u
		v.links[s.ID.ID] = &idbridge.Link{ID: s.ID, User: u.ID, State: idbridge.LinkActive, Since: v.now}
		o.User = u.ID
		v.made[u.ID] = v.committing
		v.grantMember(s.ID.ID, u.ID)
	case idbridge.Linking:
		v.links[s.ID.ID] = &idbridge.Link{ID: s.ID, User: s.User, State: idbridge.LinkActive, Since: v.now}
		after := v.free(s.User, s.After, released, o)
		v.update(v.users[s.User], after)
		v.note(s, s.User, after, "", idbridge.LinkActive)
		v.users[s.User].Revision++
		v.grantMember(s.ID.ID, s.User)
	case idbridge.Update:
		u := v.users[s.User]
		if u == nil && s.ID == d.ID {
			u = v.users[d.User]
		}
		if u == nil {
			return true // who should give something up is gone
		}
		after := v.free(u.ID, s.After, released, o)
		if s.ID != d.ID && l != nil && l.User == u.ID && !l.Digest.IsZero() { // who gave something up is decided again when he is back
			l.Digest = idbridge.Digest{}
			l.Version++
		}
		v.update(u, after)
		v.note(s, u.ID, after, "", "")
	case idbridge.Suspend, idbridge.Restore:
		v.note(s, l.User, nil, l.State, s.State)
		l.State, l.Since = s.State, v.now
		v.users[l.User].Revision++
	case idbridge.Miss:
		if l.Sightings == 0 {
			l.Since = v.now
		}
	case idbridge.Purge:
		v.note(s, l.User, nil, l.State, "")
		delete(v.users, l.User)
		delete(v.links, s.ID.ID)
		v.tombstones[s.ID.ID] = true
	case idbridge.Join, idbridge.Leave:
	}
	return true
}

func (v *view) update(u *idbridge.User, after idbridge.Profile) {
	if len(after) == 0 {
		return
	}
	u.Profile = u.Profile.Clone()
	for a, x := range after {
		if len(x) == 0 {
			delete(u.Profile, a)
		} else {
			u.Profile[a] = x
		}
	}
	u.Revision++
}

// remember writes what a decision says about the link. waits tells that a value of it is withheld.
func (v *view) remember(l *idbridge.Link, d *idbridge.Decision, waits bool) {
	before := *l
	l.Base = merged(l.Base, d.Base)
	if d.Seen != (idbridge.Observation{}) {
		l.Locator, l.Seen, l.Order, l.Digest, l.Sightings = d.Seen.Locator, d.Seen.Version, d.Seen.Order, d.Seen.Digest, d.Seen.Sightings
	}
	for i := range d.Conflicts {
		v.open(&d.Conflicts[i])
	}
	for _, id := range d.Closed {
		for i := range v.conflicts {
			if v.conflicts[i].ID == id {
				v.conflicts[i].Closed, v.conflicts[i].By = v.now, "equality"
			}
		}
	}
	if len(d.Base) > 0 || before.Digest != l.Digest || before.Locator != l.Locator || before.Sightings != l.Sightings ||
		before.State != l.State || len(d.Conflicts) > 0 || len(d.Closed) > 0 || len(d.Steps) > 0 && !waits {
		l.Version++
	}
}

func (v *view) open(c *idbridge.Conflict) {
	row := *c
	if row.ID == 0 {
		row.ID = idbridge.ConflictID(len(v.conflicts) + 1)
		v.conflicts = append(v.conflicts, row)
		return
	}
	v.conflicts[row.ID-1] = row
}

func (v *view) list(d *idbridge.Decision) {
	if d.Listed {
		return
	}
	rows := slices.Clone(d.Withheld)
	if d.Unusable != "" {
		rows = append(rows, idbridge.Withheld{Why: d.Unusable})
	}
	if len(rows) == 0 {
		delete(v.quarantine, d.ID.ID)
		return
	}
	v.quarantine[d.ID.ID] = rows
}

func (v *view) commitGroup(d *idbridge.Decision) {
	g := v.groups[d.ID.ID]
	if g == nil {
		g = &groupRow{Group: idbridge.Group{ID: d.ID, Name: d.Name}, members: map[string]bool{}}
		v.groups[d.ID.ID] = g
	}
	for i := range d.Steps {
		s := &d.Steps[i]
		if s.Verb == idbridge.Join {
			g.members[s.ID.ID] = true
		} else {
			delete(g.members, s.ID.ID)
		}
		l := v.links[s.ID.ID]
		if l == nil {
			continue
		}
		v.note(s, l.User, nil, "", "")
		for _, x := range s.Grants {
			key := grantKey{l.User, x.Role, d.ID.ID}
			if s.Verb == idbridge.Join {
				v.grants[key] = true
			} else {
				delete(v.grants, key)
			}
		}
	}
	if d.Group != nil {
		g.Name, g.Digest = d.Group.Name, d.Group.Digest
		if d.Group.Digest.IsZero() && d.Group.Members == 0 {
			delete(v.groups, d.ID.ID)
		}
	}
}

// grantMember gives a new link's user the grants that his memberships bring.
func (v *view) grantMember(record string, u idbridge.UserID) {
	for id, g := range v.groups {
		if !g.members[record] {
			continue
		}
		for _, rule := range v.policy.Roles {
			if rule.Group == g.Name {
				v.grants[grantKey{u, rule.Role, id}] = true
			}
		}
	}
}

// note keeps what a run did, to be reversed.
func (v *view) note(s *idbridge.Step, u idbridge.UserID, after idbridge.Profile, was, state idbridge.LinkState) {
	if after == nil {
		after = s.After
	}
	v.done = append(v.done, idbridge.RunChange{
		ID: int64(len(v.done) + 1), Run: v.committing, Link: s.ID, User: u, Side: s.Side, Verb: s.Verb, Group: s.Group,
		Was: was, State: state, Before: s.Before, After: after, Grants: s.Grants, Author: s.Author, Why: s.Why, At: v.now,
	})
}
