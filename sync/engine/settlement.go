package engine

import (
	"errors"
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// end is how a directory step ended, as far as its answer tells.
type end uint8

const (
	endSettled end = iota + 1 // done; the base moves
	endMoved                  // something else was there: read back, then decide again
	endRefused                // the directory will not take it: the record is quarantined
	endDoubt                  // it may have happened: stays open until it is read back
	endStop                   // misconfigured: nothing was done, and nothing more shall be tried
)

// ending reads the answer to a directory step.
//
//	nil                          settled   the server has it
//	Conflicting, NotFound        moved     nothing was done
//	Refused, Exists, Forbidden   refused   nothing was done, and nothing would be next time
//	Invalid, Unauthentic         stop
//	Unknown, Unavailable, other  doubt     whatever is not understood may have happened
func ending(err error) end {
	if err == nil {
		return endSettled
	}
	switch idbridge.KindOf(err) {
	case idbridge.Conflicting, idbridge.NotFound:
		return endMoved
	case idbridge.Refused, idbridge.Exists, idbridge.Forbidden:
		return endRefused
	case idbridge.Invalid, idbridge.Unauthentic:
		return endStop
	case idbridge.Internal, idbridge.Unknown, idbridge.Unavailable, idbridge.Incomplete, idbridge.Held, idbridge.Locked:
	}
	return endDoubt
}

// acknowledged settles a step that the directory says it made. The base becomes what came back where that equals what
// was sent, for the server's spelling; otherwise what was sent, and the next plan sees the other value as an edit made
// in the directory.
func acknowledged(schema idbridge.Schema, sent idbridge.SentID, step *idbridge.Step, rec *idbridge.Record) idbridge.Settlement {
	base := make(idbridge.Profile, len(step.After))
	for a, want := range step.After {
		got, shown := rec.Profile[a]
		if shown && (schema.Equal(a, got, want) || failpoint.Mutant("readbackbase")) {
			want = got
		}
		base[a] = want
	}
	return idbridge.Settlement{
		Sent: sent, ID: step.ID, How: idbridge.SentSettled, Base: base, Seen: glimpse(step, rec),
	}
}

// readBack settles a step by what the record shows now. redo tells that it shows exactly what was there before: the step
// may be still on its way, so it is made once more instead of being given up. Otherwise a late arrival could bring our
// older value back over a newer edit. What cannot be read now stays in doubt.
func readBack(schema idbridge.Schema, sent idbridge.SentID, step *idbridge.Step, rec *idbridge.Record) (s idbridge.Settlement, redo bool) {
	base := idbridge.Profile{}
	before := 0
	for a, want := range step.After {
		if rec.Profile == nil || slices.Contains(rec.Unknown, a) { // there, but not readable: nobody can say
			return idbridge.Settlement{Sent: sent, ID: step.ID, How: idbridge.SentInDoubt, Seen: glimpse(step, rec)}, false
		}
		got := rec.Profile[a]
		switch {
		case schema.Equal(a, got, want):
			base[a] = want
			if len(got) == len(want) {
				base[a] = got
			}
		case schema.Equal(a, got, step.Before[a]):
			before++
		case !schema[a].Single:
			if part, ok := landed(schema[a].Match, step.Before[a], want, got); ok {
				base[a] = part
			}
		}
	}
	s = idbridge.Settlement{Sent: sent, ID: step.ID, How: idbridge.SentRefused, Seen: glimpse(step, rec)}
	if before == len(step.After) && before > 0 {
		return s, true
	}
	if len(base) > 0 {
		s.How, s.Base = idbridge.SentSettled, base
	}
	return s, false
}

// landed returns the base of a set of which a part shows what the step did, value by value: what was added and is there
// is agreed on, and what was removed and is not there. What somebody else added or removed is not in it. ok is false when
// nothing of the step shows.
func landed(m idbridge.Match, before, after, now idbridge.Values) (base idbridge.Values, ok bool) {
	has := func(set idbridge.Values, v string) bool {
		n := m.Normal(v)
		return slices.ContainsFunc(set, func(x string) bool { return m.Normal(x) == n })
	}
	base = idbridge.Values{}
	adds, removes := false, false
	for _, v := range before {
		if !has(after, v) && !has(now, v) {
			removes = true
			continue
		}
		base = append(base, v)
	}
	for _, v := range after {
		if has(before, v) {
			continue
		}
		adds = true
		if has(now, v) {
			base, ok = append(base, v), true
		}
	}
	return base, ok || !adds && removes
}

// glimpse is what a settlement writes about the record: never a digest, because whether everything about the record is
// settled is for a decision to say, under its own precondition.
func glimpse(step *idbridge.Step, rec *idbridge.Record) idbridge.Observation {
	o := idbridge.Observation{Locator: rec.Locator, Version: rec.Version, Order: rec.Order}
	if o.Locator == "" {
		o.Locator = step.Locator
	}
	return o
}

// reason returns what an operator may read about an error: the message with the server's own words.
func reason(err error) string {
	var e *idbridge.Error
	if errors.As(err, &e) && e.Msg != "" {
		return e.Error()
	}
	return err.Error()
}
