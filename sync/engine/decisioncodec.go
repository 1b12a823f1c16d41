package engine

import (
	"time"

	"github.com/idbridge/idbridge"
)

// appendDecision writes a decision as a frame.
func appendDecision(b []byte, d *idbridge.Decision) []byte {
	w := writer{b}
	w.id(d.ID)
	w.int(int64(d.User))
	w.text(d.Name)
	w.text(string(d.Situation))
	w.int(d.Read.User)
	w.int(d.Read.Link)
	w.length(len(d.Steps) + 1)
	for i := range d.Steps {
		w.step(&d.Steps[i])
	}
	w.profile(d.Base)
	w.length(len(d.Conflicts) + 1)
	for i := range d.Conflicts {
		w.conflict(&d.Conflicts[i])
	}
	w.length(len(d.Closed) + 1)
	for _, c := range d.Closed {
		w.int(int64(c))
	}
	w.length(len(d.Withheld) + 1)
	for _, h := range d.Withheld {
		w.text(string(h.Attribute))
		w.text(h.Value)
		w.int(int64(h.Holder))
		w.text(h.Why)
	}
	w.text(d.Unusable)
	w.length(len(d.Tied) + 1)
	for _, x := range d.Tied {
		w.id(x)
	}
	rival := d.Rival != (idbridge.ExternalID{})
	w.byte(bit(d.Admin) | bit(d.Listed)<<1 | bit(d.Back)<<2 | bit(rival)<<3)
	if rival {
		w.id(d.Rival)
	}
	w.int(int64(d.Keys))
	w.id(d.Rival)
	w.text(d.Seen.Locator)
	w.text(d.Seen.Version)
	w.int(d.Seen.Order)
	w.raw(d.Seen.Digest[:])
	w.int(int64(d.Seen.Sightings))
	w.group(d.Group)
	w.text(d.Why)
	w.proof(d.Proof)
	return w.b
}

// readDecision is the inverse of appendDecision, but that empty lists come back as nil.
func readDecision(r *reader) (d idbridge.Decision, err error) {
	d.ID = r.id()
	d.User = idbridge.UserID(r.int())
	d.Name = r.text()
	d.Situation = idbridge.Situation(r.name())
	d.Read = idbridge.Versions{User: r.int(), Link: r.int()}
	d.Steps = list(r, (*reader).step)
	d.Base = r.profile()
	d.Conflicts = list(r, (*reader).conflict)
	d.Closed = list(r, func(r *reader) idbridge.ConflictID { return idbridge.ConflictID(r.int()) })
	d.Withheld = list(r, func(r *reader) idbridge.Withheld {
		return idbridge.Withheld{
			Attribute: idbridge.Attribute(r.name()), Value: r.text(),
			Holder: idbridge.UserID(r.int()), Why: r.name(),
		}
	})
	d.Unusable = r.text()
	d.Tied = list(r, (*reader).id)
	flags := r.byte()
	d.Admin, d.Listed, d.Back = flags&1 != 0, flags&2 != 0, flags&4 != 0
	if flags&8 != 0 {
		d.Rival = r.id()
	}
	d.Keys = int(r.int())
	d.Rival = r.id()
	d.Seen = idbridge.Observation{
		Locator: r.text(), Version: r.text(), Order: r.int(),
		Digest: r.digest(), Sightings: int(r.int()),
	}
	d.Group = r.group()
	d.Why = r.name()
	d.Proof = r.proof()
	return d, r.end()
}

func list[T any](r *reader, item func(*reader) T) []T {
	n, isNil := r.count()
	if isNil || n == 0 {
		return nil
	}
	out := make([]T, n)
	for i := range out {
		out[i] = item(r)
	}
	return out
}

func (w *writer) step(s *idbridge.Step) {
	w.id(s.ID)
	w.int(int64(s.User))
	w.text(string(s.Side))
	w.text(string(s.Verb))
	w.profile(s.Before)
	w.profile(s.After)
	w.text(string(s.State))
	w.text(string(s.Was))
	w.id(s.Group)
	w.length(len(s.Grants) + 1)
	for i := range s.Grants {
		w.grant(&s.Grants[i])
	}
	w.text(s.Locator)
	w.text(s.Author)
	w.text(s.Why)
}

func (r *reader) step() idbridge.Step {
	return idbridge.Step{
		ID: r.id(), User: idbridge.UserID(r.int()), Side: idbridge.Side(r.name()), Verb: idbridge.Verb(r.name()),
		Before: r.profile(), After: r.profile(), State: idbridge.LinkState(r.name()),
		Was: idbridge.LinkState(r.name()), Group: r.id(),
		Grants: list(r, (*reader).grant), Locator: r.text(), Author: r.name(), Why: r.name(),
	}
}

func (w *writer) grant(g *idbridge.Grant) {
	w.int(int64(g.User))
	w.text(string(g.Role))
	w.text(g.Application)
	w.text(g.Directory)
	w.text(g.Group)
	w.text(g.GroupName)
	w.text(g.By)
	w.time(g.Since)
}

func (r *reader) grant() idbridge.Grant {
	return idbridge.Grant{
		User: idbridge.UserID(r.int()), Role: idbridge.Role(r.name()), Application: r.name(), Directory: r.name(),
		Group: r.name(), GroupName: r.name(), By: r.name(), Since: r.time(),
	}
}

func (w *writer) conflict(c *idbridge.Conflict) {
	w.int(int64(c.ID))
	w.id(c.Link)
	w.int(int64(c.User))
	w.text(c.Name)
	w.text(string(c.Attribute))
	w.values(c.Base)
	w.values(c.Store)
	w.values(c.Directory)
	w.text(string(c.Winner))
	w.text(c.Why)
	w.time(c.Opened)
	w.time(c.Closed)
	w.text(c.By)
}

func (r *reader) conflict() idbridge.Conflict {
	return idbridge.Conflict{
		ID: idbridge.ConflictID(r.int()), Link: r.id(), User: idbridge.UserID(r.int()), Name: r.text(),
		Attribute: idbridge.Attribute(r.name()), Base: r.values(), Store: r.values(), Directory: r.values(),
		Winner: idbridge.Winner(r.name()), Why: r.name(), Opened: r.time(), Closed: r.time(), By: r.name(),
	}
}

func (w *writer) group(g *idbridge.GroupSeen) {
	if g == nil {
		w.byte(0)
		return
	}
	w.byte(1)
	w.text(g.Name)
	w.raw(g.Digest[:])
	w.int(int64(g.Members))
}

func (r *reader) group() *idbridge.GroupSeen {
	if r.byte() == 0 {
		return nil
	}
	return &idbridge.GroupSeen{Name: r.text(), Digest: r.digest(), Members: int(r.int())}
}

func (w *writer) proof(p *idbridge.Proof) {
	if p == nil {
		w.byte(0)
		return
	}
	w.byte(1)
	w.text(p.Feed)
	w.text(p.Server)
	for _, n := range []int{p.ResultCode, p.Entries, p.Pages, p.Groups, p.References, p.Unusable} {
		w.int(int64(n))
	}
	for _, b := range []bool{p.LastPage, p.CanaryPre, p.CanaryPost} {
		w.byte(bit(b))
	}
	w.length(len(p.Canary) + 1)
	for _, a := range p.Canary {
		w.text(string(a))
	}
	w.int(int64(p.Took))
	w.text(p.Doubt)
}

func (r *reader) proof() *idbridge.Proof {
	if r.byte() == 0 {
		return nil
	}
	p := &idbridge.Proof{Feed: r.name(), Server: r.name()}
	for _, n := range []*int{&p.ResultCode, &p.Entries, &p.Pages, &p.Groups, &p.References, &p.Unusable} {
		*n = int(r.int())
	}
	for _, b := range []*bool{&p.LastPage, &p.CanaryPre, &p.CanaryPost} {
		*b = r.byte() == 1
	}
	p.Canary = list(r, func(r *reader) idbridge.Attribute { return idbridge.Attribute(r.name()) })
	p.Took = time.Duration(r.int())
	p.Doubt = r.text()
	return p
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}
