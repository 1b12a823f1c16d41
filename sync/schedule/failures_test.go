package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/schedule"
)

// odd is one way in which runs go wrong for a day.
type odd struct {
	name  string
	work  func(ctx context.Context) error
	least int // runs that begin in 24 hours, hourly
	most  int
	says  string // in the log
	red   bool   // slowed down at the end
}

func odds() []odd {
	return []odd{
		{name: "no error and no result", work: func(context.Context) error { return nil }, least: 25, most: 25},
		{name: "panics", work: func(context.Context) error { panic("a mistake") }, least: 18, most: 25, says: "the run panicked", red: true},
		{name: "panics with nothing", work: func(context.Context) error { panic(nil) }, least: 18, most: 25, says: "the run panicked", red: true},
		{
			name: "hangs until it is cancelled", work: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			least: 16, most: 25, says: "the run took longer than 10m0s and was cancelled", red: true,
		},
		{
			name: "hangs, and says nothing when it is cancelled", work: func(ctx context.Context) error { <-ctx.Done(); return nil },
			least: 16, most: 25, says: "the run took longer than 10m0s and was cancelled", red: true,
		},
		{
			name: "hangs beyond its cancellation", work: func(context.Context) error { time.Sleep(3 * time.Hour); return errors.New("late") },
			least: 5, most: 8, says: "cancelled run does not end", red: true,
		},
		{name: "overlaps the next tick", work: func(context.Context) error { time.Sleep(9 * time.Minute); return nil }, least: 25, most: 25},
		{name: "fails", work: func(context.Context) error { return errors.New("no answer") }, least: 18, most: 25, says: "no answer", red: true},
	}
}

// TestN25: whatever goes wrong with every run of a day (no result, a panic, a hang, an overlap), the schedule survives: one
// run at a time, no slot twice, a hanging run is cancelled and reported so, and health is red once three complete listings
// are due. Then it is mended, and within the hour all is as before.
func TestN25(t *testing.T) {
	for _, row := range odds() {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				timing := corp(t, "0 * * * *", "", "UTC")
				timing.Limit, timing.Missed = 10*time.Minute, schedule.RunOnce
				w := open(t, "2027-06-01T09:59:00Z", timing)
				begin, mended := w.now(), false
				w.runs.work = func(ctx context.Context, _ schedule.Job) error {
					if mended {
						return nil
					}
					return row.work(ctx)
				}
				w.run(t)
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				w.onceEach(t)
				if n := len(w.runs.jobs()); n < row.least || n > row.most {
					t.Errorf("%d runs, want %d to %d", n, row.least, row.most)
				}
				if log := w.log.String(); !strings.Contains(log, row.says) {
					t.Errorf("the log lacks %q:\n%.500s", row.says, log)
				}
				if slow, is := w.Slowed("corp"); is != row.red || is && (slow.Failures < 5 || slow.Next.IsZero() || slow.Why == "") {
					t.Errorf("slowed %v: %+v", is, slow)
				}
				found := idbridge.Diagnose(idbridge.Vitals{
					Directory: "corp", Now: w.now(), Interval: w.Interval("corp"), Source: idbridge.Source{Complete: begin},
				})
				if found[0].Name != "overdue" || found[0].Colour != idbridge.Red {
					t.Errorf("a day without a complete listing: %+v", found)
				}
				mended = true
				before := len(w.runs.jobs())
				time.Sleep(6 * time.Hour) // three of them for the run that is under way
				synctest.Wait()
				if n := len(w.runs.jobs()) - before; n < 3 {
					t.Errorf("%d runs after it is mended", n)
				}
				if _, is := w.Slowed("corp"); is {
					t.Error("still slow")
				}
				w.mustStop(t)
			})
		})
	}
}

// onceEach holds that no slot ran twice.
func (w *world) onceEach(t *testing.T) {
	t.Helper()
	seen := map[string]bool{}
	for _, job := range w.runs.jobs() {
		key := fmt.Sprintf("%s %s %s", job.Directory, job.Kind, job.Slot)
		if seen[key] && !job.Slot.IsZero() {
			t.Errorf("%s ran twice", key)
		}
		seen[key] = true
	}
}

// TestN25TwoDaemons: two daemons that share a store for a day do one run at a time, no scheduled time twice, and leave none
// out.
func TestN25TwoDaemons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, "2027-06-01T09:59:00Z", corp(t, "*/20 * * * *", "", "UTC"))
		w.runs.work = func(context.Context, schedule.Job) error { time.Sleep(time.Minute); return nil }
		shared := starts(func(ctx context.Context, job schedule.Job) error {
			w.runs.mu.Lock()
			busy := w.runs.busy[job.Directory]
			w.runs.mu.Unlock()
			if busy {
				return &idbridge.Error{Kind: idbridge.Locked, Msg: "another daemon leads"}
			}
			return w.runs.Start(ctx, job)
		})
		w.Runs = shared
		other := &schedule.Scheduler{Runs: shared, Timings: w.Timings, Now: func() time.Time { return w.now().Add(7 * time.Second) }}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- other.Run(ctx) }()
		w.run(t)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		w.mustStop(t)
		w.onceEach(t)
		if n := len(w.runs.jobs()); n != 72 {
			t.Errorf("%d runs, want 72", n)
		}
	})
}

// TestF23Bind: a directory that refuses our password is asked three times an hour at most from the first refusal on.
func TestF23Bind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, "2027-06-01T09:59:00Z", corp(t, "0 3 * * *", "* * * * *", "UTC"))
		w.runs.work = func(context.Context, schedule.Job) error {
			return fmt.Errorf("run: %w", &idbridge.Error{Kind: idbridge.Unauthentic, Msg: "the directory refuses the bind password", Err: errors.New("code 49")})
		}
		w.run(t)
		time.Sleep(12 * time.Hour)
		synctest.Wait()
		w.mustStop(t)
		for i, at := range w.runs.when {
			n := 0
			for _, other := range w.runs.when[i:] {
				if other.Sub(at) < time.Hour {
					n++
				}
			}
			if n > 3 {
				t.Errorf("%d binds within an hour of %v", n, at)
			}
		}
		if n := len(w.runs.jobs()); n < 10 || n > 14 {
			t.Errorf("%d binds in twelve hours", n)
		}
		if slow, is := w.Slowed("corp"); !is || slow.Why != "the directory refuses the bind password" {
			t.Errorf("%v %+v", is, slow)
		}
		if _, is := w.Slowed("hr"); is {
			t.Error("an unknown directory is slow")
		}
	})
}

// TestF17: when the clock is set, summer time begins or ends, or the machine sleeps, each scheduled time runs at most once,
// and the nightly one exactly once, also when it was slept through or jumped over.
func TestF17(t *testing.T) {
	for _, row := range []struct {
		name, start string
		at          time.Duration // after the start
		by          time.Duration
		nights      int
	}{
		{"an hour ahead, over the slot", "2027-06-01T20:00:00+02:00", 6 * time.Hour, time.Hour, 1},
		{"an hour back, after the slot", "2027-06-01T20:00:00+02:00", 7 * time.Hour, -time.Hour, 1},
		{"an hour back, before the slot", "2027-06-01T20:00:00+02:00", 6 * time.Hour, -time.Hour, 1},
		{"suspended for eight hours, over the slot", "2027-06-01T20:00:00+02:00", 3 * time.Hour, 8 * time.Hour, 1},
		{"an hour skipped in spring", "2027-03-27T20:00:00+01:00", 0, 0, 1},
		{"an hour twice in autumn", "2027-10-30T20:00:00+02:00", 0, 0, 1},
		{"an hour back in the hour that comes twice", "2027-10-30T20:00:00+02:00", 7 * time.Hour, -time.Hour, 1},
		{"suspended over the hour skipped", "2027-03-27T20:00:00+01:00", 2 * time.Hour, 8 * time.Hour, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				timing := corp(t, "30 2 * * *", "*/15 * * * *", "Europe/Paris")
				timing.Missed = schedule.RunOnce
				w := open(t, row.start, timing)
				earlier := timing.Full.Last(w.now())
				w.runs.taken[fmt.Sprintf("corp full %d", earlier.Unix())] = true
				w.run(t)
				time.Sleep(row.at)
				w.set(row.by)
				time.Sleep(22*time.Hour - row.at - max(0, row.by))
				synctest.Wait()
				w.mustStop(t)
				w.onceEach(t)
				nights, last := 0, time.Time{}
				for i, job := range w.runs.jobs() {
					if job.Kind == idbridge.FullRun {
						nights++
						if behind := w.runs.when[i].Sub(job.Slot); behind < 0 || row.by <= 0 && behind > 30*time.Second {
							t.Errorf("the nightly run began %v after its slot", behind)
						}
					}
					if !last.IsZero() && row.by == 0 && job.Slot.Sub(last) > 15*time.Minute {
						t.Errorf("nothing between %v and %v", last, job.Slot)
					}
					last = job.Slot
				}
				if nights != row.nights {
					t.Errorf("%d nightly runs, want %d", nights, row.nights)
				}
			})
		})
	}
}

// TestInterval: the longest wait between two full listings, over nights, weekends and the change of clocks.
func TestInterval(t *testing.T) {
	for _, row := range []struct {
		full, changes string
		want          time.Duration
	}{
		{"15 3 * * *", "*/2 * * * *", 25 * time.Hour}, // the clocks go back within three weeks
		{"", "*/2 * * * *", 2 * time.Minute},
		{"0 8-18 * * 1-5", "", 63 * time.Hour}, // Friday 18:00 to Monday 8:00, and an hour
		{"0 0 1 1 *", "", 366 * 24 * time.Hour},
		{"@every 7h", "", 7 * time.Hour},
		{"", "", 0},
	} {
		w := open(t, "2027-10-20T12:00:00+02:00", corp(t, row.full, row.changes, "Europe/Paris"))
		if got := w.Interval("corp"); got != row.want {
			t.Errorf("%q %q: %v, want %v", row.full, row.changes, got, row.want)
		}
		if w.Interval("hr") != 0 {
			t.Error("an unknown directory has an interval")
		}
	}
}

// TestF18Cron: a schedule that can never come, or cannot be read, is refused with its reason and never panics.
func TestF18Cron(t *testing.T) {
	for _, text := range []string{"TZ=UTC", "CRON_TZ=", "0 0 31 2 *", strings.Repeat("0,", 5120) + "0 * * * *", "*/61 * * * *", "@every -1s"} {
		if _, err := schedule.Parse(text, nil); idbridge.KindOf(err) != idbridge.Invalid || len(err.Error()) > 300 {
			t.Errorf("%.20q: %.300v", text, err)
		}
	}
}
