package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/idbridge/idbridge"
)

// Lets tells whether the record of a holder, as this run saw it, no longer shows the value that the store says he holds:
// the engine then puts Yield{Link: h.Link} into the Observed of the record that wants the value. A record that was not
// seen, and an attribute that could not be read, let nothing go.
func Lets(p *Policy, h idbridge.Holder, o *Observed) bool {
	if o == nil || o.Record == nil || o.Record.ID != h.Link || o.Unusable != "" {
		return false
	}
	w := work{p: p, o: o}
	v, known := w.seen(h.Attribute)
	return known && !slices.Contains(p.Schema.Normal(h.Attribute, v), h.Value)
}

// free returns the values that the user may take. One that another user holds is withheld and listed, unless its holder
// lets it go in this very run.
func (w *work) free(a idbridge.Attribute, v idbridge.Values) idbridge.Values {
	spec := w.p.Schema[a]
	if !spec.Unique || len(w.s.Holders) == 0 {
		return v
	}
	var out idbridge.Values
	for i, x := range v {
		h := w.blocker(a, spec.Match.Normal(x))
		ok := h == nil
		if !ok {
			w.withhold(idbridge.Withheld{Attribute: a, Value: x, Holder: h.User, Why: holds(h)})
		}
		switch {
		case ok && out != nil:
			out = append(out, x)
		case !ok && out == nil:
			out = append(make(idbridge.Values, 0, len(v)), v[:i]...)
		}
	}
	if out == nil {
		return v
	}
	return out
}

// owns tells whether the user has the value already; nobody can take from him what is his.
func (w *work) owns(a idbridge.Attribute, normal string) bool {
	return w.user != nil && slices.Contains(w.p.Schema.Normal(a, w.user.Profile[a]), normal)
}

func holds(h *idbridge.Holder) string {
	var b strings.Builder
	if h.User == 0 {
		b.WriteString("another record shows it")
	} else {
		b.WriteString("held by user ")
		b.WriteString(strconv.FormatInt(int64(h.User), 10))
	}
	if h.Link.ID != "" {
		b.WriteString(", record ")
		b.WriteString(h.Link.ID)
	}
	return b.String()
}

// blocker returns who keeps a unique value, or nil when everybody else who holds or wants it lets it go.
func (w *work) blocker(a idbridge.Attribute, normal string) *idbridge.Holder {
	var yielding []*idbridge.Holder
	for i := range w.s.Holders {
		h := &w.s.Holders[i]
		if h.Attribute != a || h.Value != normal || h.Link == w.s.ID || h.User != 0 && h.User == w.d.User || w.owns(a, normal) {
			continue
		}
		if w.yield(h) == nil {
			return h
		}
		yielding = append(yielding, h)
	}
	for _, h := range yielding {
		if !w.release(h) {
			return h
		}
	}
	return nil
}

func (w *work) yield(h *idbridge.Holder) *Yield {
	i := slices.IndexFunc(w.o.Yields, func(y Yield) bool { return y.Link == h.Link })
	if i < 0 || h.Link.ID == "" {
		return nil
	}
	return &w.o.Yields[i]
}

// release takes over a value whose holder lets it go: by a decision of his own in this run, to which this one is then tied;
// or because he is absent for good, and gives it up by a step of this decision.
func (w *work) release(h *idbridge.Holder) bool {
	if w.yield(h).Gone {
		return w.giveUp(h)
	}
	if !slices.Contains(w.d.Tied, h.Link) {
		w.d.Tied = append(w.d.Tied, h.Link)
	}
	return true
}

// giveUp plans that an absent holder lets a value go, so that the same login under a new id is a new user at once, who
// inherits nothing. Of several values only that one goes; when they are not known the value stays with its holder.
func (w *work) giveUp(h *idbridge.Holder) bool {
	i := slices.IndexFunc(w.s.Candidates, func(c idbridge.Candidate) bool { return c.User.ID == h.User })
	has := idbridge.Values{h.Value}
	switch {
	case i >= 0:
		has = w.s.Candidates[i].User.Profile[h.Attribute]
	case !w.p.Schema[h.Attribute].Single:
		return false
	}
	rest := idbridge.Values{}
	for _, v := range has {
		if w.p.Schema[h.Attribute].Match.Normal(v) != h.Value {
			rest = append(rest, v)
		}
	}
	at := slices.IndexFunc(w.yielded, func(s idbridge.Step) bool { return s.User == h.User })
	if at < 0 {
		at = len(w.yielded)
		w.yielded = append(w.yielded, idbridge.Step{
			ID: h.Link, User: h.User, Side: idbridge.StoreSide, Verb: idbridge.Update,
			Why: "gives up to a new record what a missing one held",
		})
	}
	put(&w.yielded[at].Before, h.Attribute, has)
	put(&w.yielded[at].After, h.Attribute, rest)
	return true
}

// review lists a new record and the absent one whose login or e-mail it has, for a person to look at: as a rule two
// people, sometimes one who was deleted and made again, or a directory that gave out new ids.
func (w *work) review() {
	for i := range w.yielded {
		old := &w.yielded[i]
		if _, login := old.After[idbridge.UserName]; !login && i > 0 {
			continue
		}
		w.d.Rival = old.ID
		w.d.Why = fmt.Sprintf("has the %s of user %d, whose record %s is gone: a new person, who inherits nothing; look whether it is the same one",
			words(old.After), old.User, old.ID.ID)
	}
}

// words names the attributes of a profile.
func words(p idbridge.Profile) string {
	list := p.Attributes()
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = string(a)
	}
	return strings.Join(out, " and ")
}

// outranked returns the directory that takes precedence for the attribute and holds a value of it, or "".
func (w *work) outranked(s *sides) string {
	order := w.p.Precedence[s.a]
	mine := slices.Index(order, w.p.Directory)
	if mine <= 0 {
		return ""
	}
	if w.s.Link == nil { // his other links are not known before he is linked; the next run knows them
		if len(s.store) > 0 && !w.local() {
			return order[0]
		}
		return ""
	}
	for _, higher := range order[:mine] {
		for i := range w.s.Others {
			o := &w.s.Others[i]
			if o.ID.Directory == higher && o.State != idbridge.LinkMissing && len(o.Base[s.a]) > 0 {
				return higher
			}
		}
	}
	return ""
}

func (w *work) local() bool {
	i := slices.IndexFunc(w.s.Candidates, func(c idbridge.Candidate) bool { return c.User.ID == w.d.User })
	return i < 0 || w.s.Candidates[i].Local
}

func (w *work) withholdFor(s *sides, higher string) {
	w.withhold(idbridge.Withheld{Attribute: s.a, Value: s.dir.String(), Why: higher + " takes precedence"})
}

func (w *work) withhold(h idbridge.Withheld) {
	w.open = true
	w.tell(h.Attribute, outcomeWithheld, h.Why, nil)
	if !slices.Contains(w.d.Withheld, h) {
		w.d.Withheld = append(w.d.Withheld, h)
	}
}
