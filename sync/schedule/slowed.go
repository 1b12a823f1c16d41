package schedule

import (
	"time"

	"github.com/idbridge/idbridge"
)

// Slowed says that a directory's runs fail again and again, so that it is asked more seldom than its specs say. It never
// ends by itself in silence: every slot after Next is tried, and one success brings the schedule back.
type Slowed struct {
	Since    time.Time // end of the first failed run
	Failures int       // in a row
	Next     time.Time // nothing but kicks starts before
	Why      string    // of the last failure; safe for a stranger
}

const (
	// firstPause is the shortest pause, and the first one where no spec gives a measure.
	firstPause = time.Minute
	// longestPause and mostBeats bound the pauses: the shorter of an hour and eight times the usual distance of two runs.
	longestPause = time.Hour
	mostBeats    = 8
	// refusedPause is the first pause after the directory refused our own sign-in. Directories lock an account after five
	// to ten wrong passwords within half an hour or so; three an hour stay below.
	refusedPause = 20 * time.Minute
	// jitterShare of a pause is added at most, so that daemons that fail together do not come back together.
	jitterShare = 5
)

// pauseAfter is the pause after so many failures in a row: none after the first, since one failure is no pattern, then 2,
// 4, 8 beats; an hour at most. A refused sign-in slows down at once.
func pauseAfter(failures int, beat time.Duration, refused bool) time.Duration {
	switch {
	case failures < 1:
		return 0
	case refused:
		return min(refusedPause<<min(failures-1, 10), longestPause)
	case failures < 2:
		return 0
	}
	bound := longestPause
	if beat > 0 {
		bound = max(firstPause, min(longestPause, mostBeats*beat))
	}
	return min(max(firstPause, beat)<<min(failures-1, 10), bound)
}

// beat returns the usual distance of two runs: the smallest of the next few, 0 without a spec.
func (t *timetable) beat(now time.Time) time.Duration {
	var least time.Duration
	for i := range t.lines {
		slots := t.lines[i].spec.NextN(now, 4)
		for k := 1; k < len(slots); k++ {
			if d := slots[k].Sub(slots[k-1]); least == 0 || d < least {
				least = d
			}
		}
	}
	return least
}

// failed counts a failure and sets the pause; jitter is between 0 and 1.
func (t *timetable) failed(end ending, now time.Time, jitter float64) {
	if t.failures == 0 {
		t.slowed.Since = now
	}
	t.failures++
	pause := pauseAfter(t.failures, t.beat(now), end.how == wasRefused)
	pause += time.Duration(float64(pause) / jitterShare * jitter)
	t.pause = now.Add(pause)
	t.slowed.Failures, t.slowed.Next, t.slowed.Why = t.failures, t.pause, end.why
	if pause == 0 {
		t.slowed.Next = time.Time{}
	}
}

// Slowed tells whether a directory is asked more seldom than its specs say, and why. It is false after a first failure,
// which changes nothing, and for an unknown directory.
func (s *Scheduler) Slowed(directory string) (Slowed, bool) {
	s.open()
	d, ok := s.desks[directory]
	if !ok {
		return Slowed{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.table.slowed, !d.table.slowed.Next.IsZero()
}

// The span over which Interval looks ahead.
const (
	intervalSpan = 3 * 7 * 24 * time.Hour
	intervalMost = 40_000 // slots; one a minute for three weeks is less
)

// Interval returns the longest time between two scheduled full listings of a directory in the next three weeks, so that
// nights and weekends count; between the next two where they are rarer. Without a spec for full listings the one for
// changes counts, whose runs are full listings too. 0: none is scheduled.
func (s *Scheduler) Interval(directory string) time.Duration {
	s.open()
	d, ok := s.desks[directory]
	if !ok {
		return 0
	}
	now := s.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if age := now.Sub(d.intervalAt); d.intervalAt.IsZero() || age < 0 || age > 24*time.Hour {
		d.interval, d.intervalAt = longestGap(d.listing, now), now
	}
	return d.interval
}

// longestGap looks at each slot until now + intervalSpan, and one further.
func longestGap(spec Spec, now time.Time) time.Duration {
	if spec.every > 0 {
		return spec.every
	}
	var longest time.Duration
	at := spec.Next(now)
	for range intervalMost {
		next := spec.Next(at)
		if at.IsZero() || next.IsZero() {
			break
		}
		longest = max(longest, next.Sub(at))
		if at = next; at.After(now.Add(intervalSpan)) {
			break
		}
	}
	return longest
}

// whyOf returns the words of an error that a stranger may read.
func whyOf(err error) string {
	var e *idbridge.Error
	if asError(err, &e) && e.Msg != "" {
		return e.Msg
	}
	return idbridge.KindOf(err).Error()
}
