package schedule_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/schedule"
)

// slots is a runner with the store's rule: a slot starts at most once. It writes down what ran, and fails the test when
// two runs of one directory overlap.
type slots struct {
	t    *testing.T
	now  func() time.Time
	work func(ctx context.Context, job schedule.Job) error

	mu      sync.Mutex
	taken   map[string]bool
	busy    map[string]bool
	started []schedule.Job
	when    []time.Time
	refused int
}

func (s *slots) Start(ctx context.Context, job schedule.Job) error {
	s.mu.Lock()
	if s.busy[job.Directory] {
		s.t.Errorf("two runs of %s at once", job.Directory)
	}
	key := fmt.Sprintf("%s %s %d", job.Directory, job.Kind, job.Slot.Unix())
	if !job.Slot.IsZero() && s.taken[key] {
		s.refused++
		s.mu.Unlock()
		return &idbridge.Error{Kind: idbridge.Exists, Msg: "the slot ran already"}
	}
	s.taken[key], s.busy[job.Directory] = true, true
	s.started, s.when = append(s.started, job), append(s.when, s.now())
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.busy[job.Directory] = false
		s.mu.Unlock()
	}()
	if s.work == nil {
		return nil
	}
	return s.work(ctx, job)
}

func (s *slots) jobs() []schedule.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]schedule.Job(nil), s.started...)
}

// world is one scheduler in a bubble, with a wall clock that can be set.
type world struct {
	*schedule.Scheduler
	runs *slots
	log  *bytes.Buffer
	stop func() error

	mu   sync.Mutex
	skew time.Duration
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.skew)
}

// set moves the wall clock, as a suspended machine or an administrator does; timers do not notice.
func (w *world) set(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skew += by
}

// open makes a world whose clock shows start; run starts it.
func open(t *testing.T, start string, timings ...schedule.Timing) *world {
	t.Helper()
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{log: &bytes.Buffer{}}
	w.skew = time.Until(at)
	w.runs = &slots{t: t, now: w.now, taken: map[string]bool{}, busy: map[string]bool{}}
	w.Scheduler = &schedule.Scheduler{Runs: w.runs, Timings: timings, Now: w.now, Log: slog.New(slog.NewTextHandler(w.log, nil))}
	return w
}

func (w *world) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	w.stop = func() error {
		cancel()
		err := <-ended
		synctest.Wait()
		return err
	}
}

func (w *world) mustStop(t *testing.T) {
	t.Helper()
	if err := w.stop(); err != nil {
		t.Error(err)
	}
}

func corp(t *testing.T, full, changes, in string) schedule.Timing {
	t.Helper()
	timing := schedule.Timing{Directory: "corp", Missed: schedule.Skip}
	if full != "" {
		timing.Full = parse(t, full, in)
	}
	if changes != "" {
		timing.Changes = parse(t, changes, in)
	}
	return timing
}
