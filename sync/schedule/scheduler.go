package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/idbridge/idbridge"
)

// longestSleep is the longest wait between two looks at the wall clock.
const longestSleep = 30 * time.Second

// The defaults of a Scheduler's zero fields.
const (
	DefaultLimit = 6 * time.Hour
	DefaultGrace = 20 * time.Second
)

// Scheduler starts the runs of all directories. Fill the fields, then call Run once; Kick, Confirm and Next may be called
// at any time, from anywhere.
type Scheduler struct {
	// Runs does the work.
	Runs starter
	// Timings are one per directory.
	Timings []Timing
	// Log gets one line for each run that fails or is refused; nil is silent.
	Log *slog.Logger
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
	// FirstWait is the longest random wait before the first scheduled run, so that many daemons that start together do not
	// all ask one server at once; 0 is none. Kicks do not wait.
	FirstWait time.Duration
	// Limit is how long a run may last before it is cancelled, unless its Timing says so; 0 is DefaultLimit. Too short, and a large first import never
	// ends; too long, and a hanging one blocks its directory.
	Limit time.Duration
	// Grace is how long Run waits at its end for the runs it cancelled; 0 is DefaultGrace.
	Grace time.Duration

	once  sync.Once
	desks map[string]*desk
}

// desk is what the outside shares with one directory's loop.
type desk struct {
	mu    sync.Mutex
	table *timetable
	limit time.Duration
	busy  bool
	round time.Time     // when the loop last came round; zero while none is at work
	wake  chan struct{} // holds one token

	listing    Spec // that Interval is about
	interval   time.Duration
	intervalAt time.Time // when it was found
}

// open lays the desks, at the first call of any method.
func (s *Scheduler) open() {
	s.once.Do(func() {
		if s.Log == nil {
			s.Log = slog.New(slog.DiscardHandler)
		}
		if s.Now == nil {
			s.Now = time.Now
		}
		if s.Limit <= 0 {
			s.Limit = DefaultLimit
		}
		if s.Grace <= 0 {
			s.Grace = DefaultGrace
		}
		s.desks = make(map[string]*desk, len(s.Timings))
		for _, t := range s.Timings {
			d := &desk{table: newTimetable(t, s.now()), limit: t.Limit, wake: make(chan struct{}, 1)}
			if d.limit <= 0 {
				d.limit = s.Limit
			}
			if d.listing = t.Full; d.listing.IsZero() {
				d.listing = t.Changes
			}
			s.desks[t.Directory] = d
		}
	})
}

// now is the wall clock without the monotonic one, which stands still while the machine sleeps.
func (s *Scheduler) now() time.Time { return s.Now().Round(0) }

// Run starts what is due until ctx ends; then it starts nothing more, cancels the runs and waits for them. Error:
// Unavailable, naming the directories whose runs did not end within Grace.
func (s *Scheduler) Run(ctx context.Context) error {
	s.open()
	var all sync.WaitGroup
	for _, d := range s.desks {
		if s.FirstWait > 0 {
			d.mu.Lock()
			d.table.pause = s.now().Add(rand.N(s.FirstWait)) //nolint:gosec // spreading load, nothing to guess
			d.mu.Unlock()
		}
		all.Go(func() { s.loop(ctx, d) })
	}
	done := make(chan struct{})
	go func() { // ends with the last loop
		all.Wait()
		close(done)
	}()
	<-ctx.Done()
	timer := time.NewTimer(s.Grace)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return &idbridge.Error{
			Kind: idbridge.Unavailable, Msg: fmt.Sprintf("a run did not end within %s: %s", s.Grace, strings.Join(s.busy(), ", ")),
			Hint: "what it sent is settled by the next run",
		}
	}
}

// loop serves one directory: one job at a time.
func (s *Scheduler) loop(ctx context.Context, d *desk) {
	defer d.rest()
	for ctx.Err() == nil {
		now := s.now()
		d.mu.Lock()
		d.round = s.Now()
		job, ok := d.table.due(now)
		wait := d.table.wait(now)
		d.busy = ok
		d.mu.Unlock()
		if ok {
			s.note(d, job, s.do(ctx, job, d.limit))
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-d.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (d *desk) rest() {
	d.mu.Lock()
	d.round = time.Time{}
	d.mu.Unlock()
}

// Stuck names the directories whose loop stands still: it came round neither within two sleeps nor, when it works on a
// run, within that run's limit and grace. A watchdog that asks this restarts a program whose schedule died in silence.
func (s *Scheduler) Stuck() []string {
	s.open()
	var out []string
	for _, t := range s.Timings {
		d := s.desks[t.Directory]
		d.mu.Lock()
		patience := 2 * longestSleep
		if d.busy {
			patience += d.limit + s.Grace
		}
		if !d.round.IsZero() && s.Now().Sub(d.round) > patience {
			out = append(out, t.Directory)
		}
		d.mu.Unlock()
	}
	return out
}

// note writes down how a job ended, and tells when the schedule slows down and when it is back.
func (s *Scheduler) note(d *desk, job Job, end ending) {
	jitter := rand.Float64() //nolint:gosec // spreading load, nothing to guess
	d.mu.Lock()
	before := d.table.slowed
	d.busy = false
	d.table.ended(job, end, s.now(), jitter)
	after := d.table.slowed
	d.mu.Unlock()
	switch slow := !after.Next.IsZero(); {
	case slow && (before.Next.IsZero() || before.Why != after.Why):
		s.Log.Warn("schedule slowed down", "directory", job.Directory, "failures", after.Failures, "next", after.Next.Format(time.RFC3339), "why", after.Why)
	case !slow && !before.Next.IsZero():
		s.Log.Info("schedule is back to normal", "directory", job.Directory, "failures", before.Failures)
	}
}

// Kick asks for a run of a directory now, after the one that may be running; who is its author. Kicks of one kind that
// wait fold into one. Error: NotFound.
func (s *Scheduler) Kick(directory string, kind idbridge.RunKind, who string) error {
	return s.tell(directory, func(t *timetable) { t.kick(Job{Directory: directory, Kind: kind, Author: who}) })
}

// Confirm asks for a full run at a time, as absence does: what is missing must be missing twice. A full run that starts
// later anyway serves as well. Error: NotFound.
func (s *Scheduler) Confirm(directory string, at time.Time) error {
	return s.tell(directory, func(t *timetable) { t.ask(at) })
}

func (s *Scheduler) tell(directory string, change func(*timetable)) error {
	s.open()
	d, ok := s.desks[directory]
	if !ok {
		return &idbridge.Error{Kind: idbridge.NotFound, Msg: fmt.Sprintf("there is no directory %q", directory)}
	}
	d.mu.Lock()
	change(d.table)
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default: // a token is there already
	}
	return nil
}

// Next returns when the directory's next run is due that nobody kicked; zero for never or an unknown directory.
func (s *Scheduler) Next(directory string) time.Time {
	s.open()
	d, ok := s.desks[directory]
	if !ok {
		return time.Time{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.table.upcoming()
	if next.Before(d.table.pause) && !next.IsZero() {
		next = d.table.pause
	}
	return next
}

// busy returns the directories with a run at this moment, in the order of Timings.
func (s *Scheduler) busy() []string {
	var out []string
	for _, t := range s.Timings {
		d := s.desks[t.Directory]
		d.mu.Lock()
		if d.busy {
			out = append(out, t.Directory)
		}
		d.mu.Unlock()
	}
	return out
}
