package schedule

import (
	"slices"
	"time"

	"github.com/idbridge/idbridge"
)

const (
	// late is how far behind its slot a run may start before the slot counts as missed. The loop itself is up to 30 seconds late.
	late = 90 * time.Second
	// setBack is how far the clock must go back to be noticed; less is a time server's daily work.
	setBack = time.Second
)

// timetable knows what is due for one directory. It is pure: the time comes in. It is not safe for concurrent use.
type timetable struct {
	directory string
	missed    Missed
	lines     []line // full before changes
	kicks     []Job
	confirm   time.Time // zero: nobody asks
	pause     time.Time // nothing but kicks starts before
	failures  int       // in a row
	slowed    Slowed    // what follows from them
	seen      time.Time // the latest look at the clock
}

// line is one spec and the next slot that is not done.
type line struct {
	kind idbridge.RunKind
	spec Spec
	next time.Time
}

// newTimetable begins at now. Under RunOnce the latest slot before now is due at once: it was missed while the daemon was
// down, or the store says that it ran.
func newTimetable(timing Timing, now time.Time) *timetable {
	t := &timetable{directory: timing.Directory, missed: timing.Missed, seen: now}
	for _, l := range []line{{kind: idbridge.FullRun, spec: timing.Full}, {kind: idbridge.ChangesRun, spec: timing.Changes}} {
		if l.spec.IsZero() {
			continue
		}
		if l.next = l.spec.Last(now); t.missed == Skip || l.next.IsZero() {
			l.next = l.spec.Next(now)
		}
		t.lines = append(t.lines, l)
	}
	return t
}

// due returns the job to start now, if any, and takes it off the table. Kicks come first, then the latest
// slot that has passed; earlier ones fold into it. A full run covers a confirmation and the changes that are due with it.
func (t *timetable) due(now time.Time) (Job, bool) {
	t.look(now)
	if len(t.kicks) > 0 {
		job := t.kicks[0]
		t.kicks = t.kicks[1:]
		if job.Kind == idbridge.FullRun {
			t.covered(now)
		}
		return job, true
	}
	if now.Before(t.pause) {
		return Job{}, false
	}
	if job, ok := t.slot(idbridge.FullRun, now); ok {
		return job, true
	}
	if !t.confirm.IsZero() && !t.confirm.After(now) {
		job := Job{Directory: t.directory, Kind: idbridge.FullRun, Slot: t.confirm, Author: ByAbsence}
		t.covered(now)
		return job, true
	}
	return t.slot(idbridge.ChangesRun, now)
}

// slot takes the latest slot of one kind that has passed.
func (t *timetable) slot(kind idbridge.RunKind, now time.Time) (Job, bool) {
	for i := range t.lines {
		l := &t.lines[i]
		if l.kind != kind || l.next.IsZero() || l.next.After(now) {
			continue
		}
		slot := l.spec.Last(now)
		l.next = l.spec.Next(now)
		if t.missed == Skip && now.Sub(slot) > late {
			continue
		}
		if kind == idbridge.FullRun {
			t.covered(now)
		}
		return Job{Directory: t.directory, Kind: kind, Slot: slot, Author: BySchedule}, true
	}
	return Job{}, false
}

// covered takes off the table what a full run that starts now does as well.
func (t *timetable) covered(now time.Time) {
	if !t.confirm.After(now) {
		t.confirm = time.Time{}
	}
	for i := range t.lines {
		if l := &t.lines[i]; l.kind == idbridge.ChangesRun && !l.next.After(now) {
			l.next = l.spec.Next(now)
		}
	}
}

// look notices a clock that was set back: the slots between are in front again, and the store knows which of them ran.
// Without this a clock that was a year ahead would silence the schedule for a year.
func (t *timetable) look(now time.Time) {
	if now.Before(t.seen.Add(-setBack)) {
		for i := range t.lines {
			t.lines[i].next = t.lines[i].spec.Next(now)
		}
		if longest := now.Add(longestPause + longestPause/jitterShare); t.pause.After(longest) {
			t.pause = longest
			t.slowed.Next = longest
		}
		if back := t.seen.Sub(now); !t.confirm.IsZero() {
			t.confirm = t.confirm.Add(-back)
		}
	}
	t.seen = now
}

// kick asks for a run now. The same kind is asked for once.
func (t *timetable) kick(job Job) {
	if !slices.ContainsFunc(t.kicks, func(k Job) bool { return k.Kind == job.Kind }) {
		t.kicks = append(t.kicks, job)
	}
}

// ask asks for a confirming full run at a time, or before; the earliest stands, since its run asks again for the rest.
func (t *timetable) ask(at time.Time) {
	if at = at.Round(0); t.confirm.IsZero() || at.Before(t.confirm) {
		t.confirm = at
	}
}

// ended takes note of how a job ended. A confirmation that failed is asked for again; a slot that another holder of the
// directory may still run is looked at again.
func (t *timetable) ended(job Job, end ending, now time.Time, jitter float64) {
	switch end.how {
	case wentWell:
		t.failures, t.pause, t.slowed = 0, time.Time{}, Slowed{}
	case wasDone, wasStopped:
	case wasLocked:
		t.pause = now.Add(longestSleep)
		t.again(job)
	case wentWrong, wasRefused:
		t.failed(end, now, jitter)
		if job.Author == ByAbsence {
			t.ask(now.Add(max(firstPause, t.pause.Sub(now)))) // a new slot: the store holds the old one
		}
	}
}

// again puts a job back that did not begin. A kick is not put back: whoever kicked reads the log.
func (t *timetable) again(job Job) {
	if job.Author == ByAbsence {
		t.ask(job.Slot)
		return
	}
	for i := range t.lines {
		if l := &t.lines[i]; l.kind == job.Kind && !job.Slot.IsZero() {
			l.next = job.Slot
		}
	}
}

// wait returns how long nothing is due, longestSleep at most.
func (t *timetable) wait(now time.Time) time.Duration {
	if len(t.kicks) > 0 {
		return 0
	}
	first := t.upcoming()
	if first.IsZero() {
		return longestSleep
	}
	if first.Before(t.pause) {
		first = t.pause
	}
	return max(0, min(first.Sub(now), longestSleep))
}

// upcoming returns when the next job that nobody kicked is due, zero for never.
func (t *timetable) upcoming() time.Time {
	first := t.confirm
	for _, l := range t.lines {
		if !l.next.IsZero() && (first.IsZero() || l.next.Before(first)) {
			first = l.next
		}
	}
	return first
}
