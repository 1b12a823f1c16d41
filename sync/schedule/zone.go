package schedule

import "time"

// maxZones bounds the search over changes of the clock; five years have about ten.
const maxZones = 64

// Next returns the first slot after t, in the spec's zone; the zero time when none comes.
func (s Spec) Next(t time.Time) time.Time {
	switch {
	case s.every > 0:
		return s.multiple(t)
	case s.times == nil:
		return time.Time{}
	}
	t = t.Round(0).In(s.zone)
	if s.hourly {
		return s.nextReal(t)
	}
	return s.nextWall(t)
}

// Last returns the latest slot that is not after t, zero when there was none within six years.
func (s Spec) Last(t time.Time) time.Time {
	var early int64 = -1
	for _, back := range []time.Duration{time.Hour, 25 * time.Hour, 32 * 24 * time.Hour, 367 * 24 * time.Hour, 6 * 366 * 24 * time.Hour} {
		if n := s.Next(t.Add(-back)); !n.IsZero() && !n.After(t) {
			early = int64(back / time.Second)
			break
		}
	}
	if early < 0 {
		return time.Time{}
	}
	late := int64(0) // Next(t-early s) ≤ t < Next(t-late s): halve until they meet
	for early-late > 1 {
		mid := (early + late) / 2
		if n := s.Next(t.Add(-time.Duration(mid) * time.Second)); !n.IsZero() && !n.After(t) {
			early = mid
		} else {
			late = mid
		}
	}
	return s.Next(t.Add(-time.Duration(early) * time.Second))
}

// multiple is Next of @every.
func (s Spec) multiple(t time.Time) time.Time {
	period := int64(s.every / time.Second)
	unix := t.Unix()
	n := unix / period
	if unix%period < 0 {
		n--
	}
	return time.Unix((n+1)*period, 0).In(s.zone)
}

// nextWall follows the clock on the wall. The digits that the wall clock has reached so far only grow: while an hour is
// repeated they stand still at the end of its first passing. The next digits are mapped to the first instant that shows
// them or, when the clock jumps over them, to the jump.
func (s Spec) nextWall(t time.Time) time.Time {
	reached := digits(t)
	start, _ := t.ZoneBounds()
	end := stretch(t)
	if !start.IsZero() {
		if before := digits(start.Add(-1)).Add(1); before.After(reached) {
			reached = before.Add(-1)
		}
	}
	next := s.ask(reached)
	if next.IsZero() {
		return time.Time{}
	}
	for range maxZones {
		at := next.Add(-offset(t)).In(s.zone)
		if at.Before(t) {
			at = t // the jump went over it; t is the first moment after
		}
		if end.IsZero() || at.Before(end) {
			return at
		}
		t = end.In(s.zone)
		end = stretch(t)
	}
	return time.Time{}
}

// nextReal follows real time: each stretch between two changes of the clock is asked for itself.
func (s Spec) nextReal(t time.Time) time.Time {
	for range maxZones {
		end := stretch(t)
		next := s.ask(digits(t))
		if next.IsZero() {
			return time.Time{}
		}
		at := next.Add(-offset(t)).In(s.zone)
		if end.IsZero() || at.Before(end) {
			return at
		}
		// The first moment of the next stretch may itself be a slot, so the question is asked just before it.
		t = end.In(s.zone)
		if next = s.ask(digits(t).Add(-1)); next.Equal(digits(t)) {
			return t
		}
	}
	return time.Time{}
}

// stretch returns a moment after t up to which the offset stays, zero for ever. In years after 2037 ZoneBounds (Go 1.26)
// gives the last day of a leap year an end that has passed; three days on it is right again.
func stretch(t time.Time) time.Time {
	_, end := t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		return t.Add(72 * time.Hour)
	}
	return end
}

// ask is the parser's Next over digits.
func (s Spec) ask(digits time.Time) (next time.Time) {
	defer func() {
		if recover() != nil {
			next = time.Time{}
		}
	}()
	return s.times.Next(digits)
}

// digits returns what the wall clock shows at t, as if it were UTC.
func digits(t time.Time) time.Time { return t.Add(offset(t)).UTC() }

func offset(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}
