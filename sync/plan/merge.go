package plan

import (
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// merge compares base, store and directory of every mapped attribute.
func (w *work) merge() {
	for _, a := range w.attributes() {
		rule := w.p.Rules[a]
		dir, known := w.seen(a)
		if !known {
			w.unknown(a)
			w.traceUnknown(a)
			continue
		}
		side := sides{a: a, rule: rule, store: usable(w.user.Profile[a]), dir: dir}
		side.base, side.based = w.base[a]
		side.base = usable(side.base)
		if w.older && !w.d.Back && rule.Flow != Once {
			w.d.Back = !w.p.Schema.Equal(a, side.base, dir)
		}
		switch {
		case rule.Flow == Once:
			w.once(&side)
		case w.p.Schema.Equal(a, side.store, dir):
			w.equal(&side)
		default:
			w.unequal(&side)
		}
	}
}

// sides is one attribute as the three of them hold it.
type sides struct {
	a                idbridge.Attribute
	rule             Rule
	base, store, dir idbridge.Values
	based            bool   // the base says something, if only that both sides were empty
	why              string // of what is done, for who asks
}

// unknown keeps an attribute that could not be read. When there is something to keep, the record is decided again, since
// its digest looks as if the attribute were empty.
func (w *work) unknown(a idbridge.Attribute) {
	if _, spoken := w.o.Record.Profile[a]; !spoken && !slices.Contains(w.o.Record.Unknown, a) {
		return
	}
	if len(w.base[a]) == 0 && len(w.user.Profile[a]) == 0 {
		return // nothing to keep, and nothing that waits to go out
	}
	w.open = true
	w.say(string(a) + " could not be read and keeps its values")
}

// once takes the directory's first value, and never looks again.
func (w *work) once(s *sides) {
	if len(s.base) > 0 || len(s.dir) == 0 {
		w.tell(s.a, outcomeNothing, "flow once: only the directory's first value counts", nil)
		return
	}
	if len(s.store) == 0 {
		s.why = "flow once: the directory's first value"
		w.pull(s)
		return
	}
	w.moveBase(s.a, s.dir)
	w.tell(s.a, outcomeBase, "flow once: the store has a value already", nil)
}

// equal folds: what both sides hold is the base, whatever it was. A spelling that the equality rule does not see is never
// a conflict.
func (w *work) equal(s *sides) {
	if c := w.openConflict(s.a); c != nil {
		w.d.Closed = append(w.d.Closed, c.ID)
	}
	w.tell(s.a, outcomeNothing, "equal on both sides", nil)
	if failpoint.Mutant("nofold") {
		return
	}
	switch {
	case len(s.dir) == 0 && len(s.store) == 0:
		if len(s.base) > 0 || !s.based && s.rule.Flow == Out {
			w.fold(s, idbridge.Values{})
		}
	case same(s.dir, s.store):
		if !s.based || !same(s.base, s.dir) {
			w.fold(s, s.dir)
		}
	default:
		w.respell(s)
	}
}

func (w *work) fold(s *sides, v idbridge.Values) {
	w.moveBase(s.a, v)
	w.tell(s.a, outcomeBase, "equal on both sides: only what they last agreed on is noted", nil)
}

// respell follows the directory in spellings that the equality rule does not see, unless the store owns the attribute.
// It never writes one to the directory: to both sides the value is the same, and a server that keeps to its own spelling
// would be written to in every run.
//
//	flow       the directory respelled it   then
//	both, in   since the base               store := directory
//	both, in   no                           nothing; the store may spell it as it likes
//	out        either                       only the base is folded
func (w *work) respell(s *sides) {
	byDir := !same(s.base, s.dir)
	switch {
	case byDir && s.rule.Flow != Out && w.p.Schema[s.a].Match != idbridge.Boolean:
		s.why = "the directory spells it in another way"
		w.pull(s)
	case w.p.Schema.Equal(s.a, s.base, s.dir):
		w.tell(s.a, outcomeNothing, "equal on both sides but for the spelling", nil)
	case s.rule.Flow == Out:
		w.fold(s, s.store)
	default:
		w.fold(s, s.dir)
	}
}

// unequal decides an attribute whose sides differ, by the table in README.md.
func (w *work) unequal(s *sides) {
	byDir := !w.p.Schema.Equal(s.a, s.base, s.dir)
	byStore := !w.p.Schema.Equal(s.a, s.base, s.store)
	if len(w.s.Flips) > 0 && w.flips(s) {
		return
	}
	switch {
	case len(s.store) == 0 && slices.Contains(w.p.Required, s.a):
		s.why = "a user must have one, and the store has none" // never what anybody wanted to send out
		w.pull(s)
	case s.rule.Flow == In && !byDir:
		w.closeOpen(s, idbridge.StoreWinner, "an override in the store stays until the directory's value changes")
		w.say(string(s.a) + " is overridden in the store")
		w.tell(s.a, outcomeNothing, "overridden in the store: flow in, and the directory's value did not change", nil)
	case s.rule.Flow == Out && !s.based && len(s.store) == 0:
		s.why = "both sides were empty before, so what the directory has is copied" // and nothing is removed
		w.pull(s)
	case !byStore && s.rule.Flow != Out:
		w.closeOpen(s, idbridge.DirectoryWinner, "only the directory's value differs from the base now")
		s.why = "only the directory's value changed"
		w.pull(s)
	case !byDir:
		w.closeOpen(s, idbridge.StoreWinner, "only the store's value differs from the base now")
		s.why = "only the store's value changed"
		w.push(s)
	case s.rule.Flow == In:
		w.conflict(s, idbridge.DirectoryWinner, "the directory owns the attribute (flow in)")
	case s.rule.Flow == Out:
		w.conflict(s, idbridge.StoreWinner, "the store owns the attribute (flow out)")
	case s.rule.OnConflict == PreferStore:
		w.conflict(s, idbridge.StoreWinner, "on_conflict: store")
	case s.rule.OnConflict == HoldConflict:
		w.conflict(s, idbridge.NoWinner, "on_conflict: hold")
	default:
		w.conflict(s, idbridge.DirectoryWinner, "on_conflict: directory")
	}
}

// conflict settles an attribute that both sides changed. A row with all three values is kept whenever one of them is
// about to be overwritten, and not before, so that a value that has to wait makes one row and not one in every run.
func (w *work) conflict(s *sides, winner idbridge.Winner, why string) {
	if failpoint.Mutant("lww") { // the mistake: the last writer wins, and the loser is forgotten
		w.pull(s)
		return
	}
	if winner == idbridge.DirectoryWinner {
		if higher := w.outranked(s); higher != "" {
			if s.rule.Flow != Both || w.s.Link == nil {
				w.withholdFor(s, higher)
				return
			}
			winner, why = idbridge.StoreWinner, higher+" takes precedence"
		}
	}
	switch winner {
	case idbridge.DirectoryWinner:
		if w.pull(s) {
			w.row(s, winner, why)
			w.traceConflict(s, why)
		}
	case idbridge.StoreWinner:
		if w.push(s) {
			w.row(s, winner, why)
			w.traceConflict(s, why)
		}
	case idbridge.NoWinner, idbridge.ValueWinner:
		w.open = true
		w.say(string(s.a) + " was changed on both sides and waits for a person")
		w.tell(s.a, outcomeHeld, "changed on both sides, and waits for a person (on_conflict: hold)", nil)
		if c := w.openConflict(s.a); c == nil || !same(c.Store, s.store) || !same(c.Directory, s.dir) || !same(c.Base, s.base) {
			w.row(s, idbridge.NoWinner, why)
		}
	}
}

// row records a conflict; one that is open already gets the present values.
func (w *work) row(s *sides, winner idbridge.Winner, why string) {
	c := idbridge.Conflict{
		Link: w.s.ID, User: w.d.User, Name: w.d.Name, Attribute: s.a, Base: s.base, Store: s.store, Directory: s.dir,
		Winner: winner, Why: why, Opened: w.now,
	}
	if old := w.openConflict(s.a); old != nil {
		c.ID, c.Opened = old.ID, old.Opened
	}
	if winner != idbridge.NoWinner {
		c.Closed, c.By = w.now, "policy"
	}
	w.d.Conflicts = append(w.d.Conflicts, c)
}

// closeOpen ends a conflict that waits though one side has gone back to the base. Its row keeps the values it had.
func (w *work) closeOpen(s *sides, winner idbridge.Winner, why string) {
	if c := w.openConflict(s.a); c != nil {
		w.row(&sides{a: s.a, base: c.Base, store: c.Store, dir: c.Directory}, winner, why)
	}
}

func (w *work) openConflict(a idbridge.Attribute) *idbridge.Conflict {
	for i := range w.s.Open {
		if w.s.Open[i].Attribute == a && w.s.Open[i].Closed.IsZero() {
			return &w.s.Open[i]
		}
	}
	return nil
}

// pull lets the store take the directory's values, but those that another user holds and those of an attribute where
// another directory takes precedence. It tells whether the store's value is overwritten.
func (w *work) pull(s *sides) bool {
	if higher := w.outranked(s); higher != "" && !w.p.Schema.Equal(s.a, s.store, s.dir) {
		w.withholdFor(s, higher)
		return false
	}
	take := w.free(s.a, s.dir)
	if len(take) == 0 && len(s.dir) > 0 {
		return false
	}
	if take == nil {
		take = idbridge.Values{}
	}
	if !s.based || !same(s.base, take) {
		if !failpoint.Mutant("pullnobase") {
			w.moveBase(s.a, take)
		}
	}
	if same(take, s.store) {
		w.tell(s.a, outcomeBase, "the store has it already: only what both sides last agreed on is noted", nil)
		return false
	}
	put(&w.before, s.a, s.store)
	put(&w.after, s.a, take)
	w.tell(s.a, outcomeStore, s.why, take)
	return true
}

// push lets the directory take the store's values. The base stays until the directory has acknowledged them. It tells
// whether the directory's value is about to be overwritten.
func (w *work) push(s *sides) bool {
	w.open = true
	if !w.p.Writable {
		w.say(string(s.a) + " waits: the directory takes no changes")
		w.tell(s.a, outcomeHeld, "changed in the store only, and the directory takes no changes", nil)
		return false
	}
	if w.s.Backoff != nil && w.refusedBefore(s) {
		return false
	}
	store := s.store
	if store == nil {
		store = idbridge.Values{}
	}
	put(&w.outBefore, s.a, s.dir)
	put(&w.outFor, s.a, store)
	w.tell(s.a, outcomeDirectory, s.why, store)
	return true
}

func (w *work) moveBase(a idbridge.Attribute, v idbridge.Values) { put(&w.d.Base, a, v) }

func put(p *idbridge.Profile, a idbridge.Attribute, v idbridge.Values) {
	if *p == nil {
		*p = idbridge.Profile{}
	}
	(*p)[a] = v
}

// same tells whether two sets hold the same spellings. Order and repetition do not count.
func same(x, y idbridge.Values) bool {
	if len(x) <= 1 && len(y) <= 1 {
		return slices.Equal(x, y)
	}
	for _, v := range x {
		if !slices.Contains(y, v) {
			return false
		}
	}
	for _, v := range y {
		if !slices.Contains(x, v) {
			return false
		}
	}
	return true
}
