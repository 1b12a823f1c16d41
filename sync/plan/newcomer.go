package plan

import (
	"slices"
	"strconv"

	"github.com/idbridge/idbridge"
)

// newcomer decides about a record that is not linked.
//
//	candidates by the link rules                  then
//	none                                          create
//	one                                           link
//	one that may administer, or is a service      hold
//	one that is local, by e-mail alone            hold
//	several                                       hold
//	one that another record of this directory has create: a new person, who inherits nothing
func (w *work) newcomer() {
	if w.s.Tombstone {
		w.hold("its user was deleted in the store; create the user again by hand to let the record in")
		return
	}
	c, why := w.candidate()
	switch {
	case why != "":
		w.hold(why)
	case c != nil:
		w.link(c)
	default:
		w.create()
	}
}

// candidate returns the user to link to, nil for none, or why a person has to say.
func (w *work) candidate() (c *idbridge.Candidate, why string) {
	named := false
	for i := range w.s.Candidates {
		x := &w.s.Candidates[i]
		if !slices.Contains(w.linkBy(), x.By) || x.Linked {
			continue
		}
		if c != nil && c.User.ID != x.User.ID {
			return nil, "several users match: " + who(&c.User) + " by " + string(c.By) + ", " + who(&x.User) + " by " + string(x.By)
		}
		if c == nil {
			c = x
		}
		named = named || x.By == idbridge.UserName
	}
	switch {
	case c == nil:
		return nil, ""
	case c.User.Kind == idbridge.Service:
		return nil, who(&c.User) + " is a service user, which is never synced"
	case c.Privileged:
		return nil, who(&c.User) + " may administer, and is never linked unasked"
	case c.Local && !named:
		return nil, who(&c.User) + " is a local user, and is never linked by " + string(c.By) + " alone"
	}
	for i := range w.s.Candidates {
		if x := &w.s.Candidates[i]; x.Linked && slices.Contains(w.linkBy(), x.By) {
			return nil, who(&c.User) + " matches by " + string(c.By) + ", and " + who(&x.User) +
				", who has another record, by " + string(x.By)
		}
	}
	return c, ""
}

func (w *work) linkBy() []idbridge.Attribute {
	if w.p.LinkBy == nil {
		return []idbridge.Attribute{idbridge.UserName, idbridge.Email}
	}
	return w.p.LinkBy
}

func who(u *idbridge.User) string {
	return "user " + strconv.FormatInt(int64(u.ID), 10) + " (" + u.UserName() + ")"
}

// link ties the record to a user. There is no base: both sides count as empty before, so that values of one side are
// copied, unequal ones are conflicts, and nothing is removed.
func (w *work) link(c *idbridge.Candidate) {
	w.take(&c.User)
	w.merge()
	w.assemble(idbridge.Linking)
	w.first()
	w.d.Situation = idbridge.Linked
}

// create makes a new user from what the record shows.
func (w *work) create() {
	r := w.o.Record
	after := make(idbridge.Profile, len(w.attributes()))
	empty := false
	for _, a := range w.attributes() {
		v, known := w.seen(a)
		if len(v) == 0 {
			empty = empty || known && w.p.Rules[a].Flow == Out
			continue
		}
		if v = w.free(a, v); len(v) > 0 {
			after[a] = v
			w.tell(a, outcomeStore, "a new user has what his record shows", v)
		}
	}
	if len(after[idbridge.UserName]) == 0 {
		w.yielded, w.d.Tied = nil, nil
		w.quarantine(w.taken())
		return
	}
	w.review()
	w.d.Base = after // shared: what the store gets is what the directory shows
	if _, mapped := w.p.Rules[idbridge.Active]; mapped || empty {
		w.d.Base = w.withEmpty(after)
	}
	w.d.Steps = append(slices.Clip(w.yielded), idbridge.Step{
		ID: w.s.ID, Side: idbridge.StoreSide, Verb: idbridge.Create, After: after, Locator: r.Locator,
	})
	w.first()
	w.d.Situation = idbridge.Created
}

// taken says why a record that has a userName gets none.
func (w *work) taken() string {
	for _, h := range w.d.Withheld {
		if h.Attribute == idbridge.UserName {
			return "userName " + strconv.Quote(h.Value) + ": " + h.Why
		}
	}
	return "userName is missing"
}

// withEmpty returns the base of a new user where it is more than his profile: the directory's active, and the attributes
// that the store owns and both sides know to be empty.
func (w *work) withEmpty(after idbridge.Profile) idbridge.Profile {
	base := make(idbridge.Profile, len(after)+1)
	for a, v := range after {
		base[a] = v
	}
	for _, a := range w.attributes() {
		if v, known := w.seen(a); known && len(v) == 0 && w.p.Rules[a].Flow == Out {
			base[a] = idbridge.Values{}
		}
	}
	if v, known := w.seenActive(); known && len(v) > 0 {
		base[idbridge.Active] = v
	}
	return base
}

// first ends a decision that makes a link.
func (w *work) first() {
	r := w.o.Record
	if _, mapped := w.p.Rules[idbridge.Active]; mapped {
		if v, known := w.seenActive(); known && len(v) > 0 {
			w.moveBase(idbridge.Active, v)
		}
		if !w.active() {
			w.d.Steps = append(w.d.Steps, idbridge.Step{
				ID: w.s.ID, User: w.d.User, Side: idbridge.StoreSide, Verb: idbridge.Suspend, State: idbridge.LinkInactive,
				Locator: r.Locator, Why: "the directory says inactive",
			})
		}
	}
	w.d.Seen = idbridge.Observation{Locator: r.Locator, Version: r.Version, Order: r.Order}
	if !w.open {
		w.d.Seen.Digest = w.o.Digest
	}
}
