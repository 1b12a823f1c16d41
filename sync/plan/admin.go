package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/idbridge/idbridge"
)

// endedMost is how many ended records a Tally remembers, to tell that somebody who joins the administrators is not on
// his way out. Beyond it nobody who joins counts.
const endedMost = 1000

// adminsAsked is about how many administrators who come or go the store is asked; adminsNamed is how many a verdict names.
const (
	adminsAsked = 1000
	adminsNamed = 100
)

// admins keeps what a plan does to those who may administer.
type admins struct {
	lost  []hit // lose their access
	back  []hit // regain it
	moves map[idbridge.ExternalID]*adminMove
	ended map[string]bool // records whose access ends, administrators or not
	many  bool            // more than endedMost of them
}

type hit struct {
	id   string
	user idbridge.UserID
	name string
}

// adminMove is what a plan's group decisions do to one record's ADMIN grants.
type adminMove struct{ given, taken int }

// end notes that a record's access ends.
func (a *admins) end(d *idbridge.Decision) {
	if d.Admin {
		a.lost = append(a.lost, hit{id: d.ID.ID, user: d.User, name: d.Name})
	}
	if len(a.ended) >= endedMost {
		a.many = true
		return
	}
	if a.ended == nil {
		a.ended = map[string]bool{}
	}
	a.ended[d.ID.ID] = true
}

// move notes a step that gives or takes the global role ADMIN.
func (a *admins) move(s *idbridge.Step) {
	for i := range s.Grants {
		if s.Grants[i].Role != idbridge.Admin || s.Grants[i].Application != "" {
			continue
		}
		m := a.moves[s.ID]
		if m == nil {
			m = &adminMove{}
			if a.moves == nil {
				a.moves = map[idbridge.ExternalID]*adminMove{}
			}
			a.moves[s.ID] = m
		}
		if s.Verb == idbridge.Join {
			m.given++
		} else {
			m.taken++
		}
	}
}

// balance tells who, of those who can sign in and administer, would not any longer, sorted by name, and how many others
// would. What is not known counts against the plan: a loss is believed, a gain is not.
func (a *admins) balance(p *Policy, facts *Facts) (lost []string, gained int) {
	able := func(id idbridge.UserID) bool {
		ids := facts.Population.AdminIDs
		return id == 0 || len(ids) == 0 || slices.Contains(ids, id)
	}
	byRecord, users := map[string]bool{}, map[idbridge.UserID]bool{}
	note := func(h hit) {
		if byRecord[h.id] || h.user != 0 && users[h.user] || !able(h.user) {
			return
		}
		byRecord[h.id], users[h.user] = true, true
		lost = append(lost, h.name)
	}
	slices.SortFunc(a.lost, func(x, y hit) int { return cmp.Compare(x.id, y.id) })
	for _, h := range a.lost {
		note(h)
	}
	for _, id := range a.records() {
		if m := a.moves[id]; m.taken > 0 && m.given == 0 {
			if h, ok := leaver(p, facts, id, m.taken); ok {
				note(h)
			}
		}
	}
	slices.Sort(lost)
	fresh := map[idbridge.UserID]bool{}
	for _, h := range a.back {
		fresh[h.user] = !byRecord[h.id]
	}
	for id, m := range a.moves {
		if s := subject(facts, id); m.given > 0 && m.taken == 0 && s != nil && s.User != nil && !a.many && !a.ended[id.ID] &&
			p.may(s, s.Link.State) && s.Admins == 0 && !s.Privileged {
			fresh[s.User.ID] = !users[s.User.ID]
		}
	}
	for _, ok := range fresh {
		if ok {
			gained++
		}
	}
	return lost, gained
}

// hit names the administrators who lose access, sorted. What they lose by leaving a group is in balance.
func (a *admins) hit() []string {
	var out []string
	for i := range a.lost {
		out = append(out, a.lost[i].name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fresh names those who become administrators by joining a group, sorted. Who is one already does not count; who is not
// known does.
func (a *admins) fresh(facts *Facts) []string {
	var out []string
	for _, id := range a.records() {
		if m := a.moves[id]; m.given == 0 || m.taken > 0 {
			continue
		}
		s := subject(facts, id)
		switch {
		case s == nil || s.User == nil:
			out = append(out, id.ID)
		case s.Admins == 0 && !s.Privileged:
			out = append(out, cmp.Or(s.User.UserName(), id.ID))
		}
	}
	slices.Sort(out)
	return out
}

// records returns whose ADMIN grants move, sorted.
func (a *admins) records() []idbridge.ExternalID {
	return slices.SortedFunc(maps.Keys(a.moves), func(x, y idbridge.ExternalID) int { return cmp.Compare(x.ID, y.ID) })
}

// leaver tells who loses the role by leaving a group; ok is false when he could not use it anyway, or has it from elsewhere.
func leaver(p *Policy, facts *Facts, id idbridge.ExternalID, taken int) (h hit, ok bool) {
	s := subject(facts, id)
	switch {
	case s == nil:
		return hit{id: id.ID, name: id.ID}, true
	case s.Link == nil || s.User == nil || !p.may(s, s.Link.State) || s.Admins > taken:
		return hit{}, false
	}
	return hit{id: id.ID, user: s.User.ID, name: cmp.Or(s.User.UserName(), id.ID)}, true
}

func subject(facts *Facts, id idbridge.ExternalID) *idbridge.Subject {
	for i := range facts.Admins {
		if facts.Admins[i].ID == id {
			return &facts.Admins[i]
		}
	}
	return nil
}
