package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/schedule"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestYear lives through 2027 in Paris: every nightly run once, right on time, and the hourly ones between; none twice,
// none left out.
func TestYear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timing := corp(t, "30 2 * * *", "5 * * * *", "Europe/Paris")
		w := open(t, "2027-01-01T00:00:00+01:00", timing)
		w.run(t)
		time.Sleep(365 * 24 * time.Hour)
		synctest.Wait()
		w.mustStop(t)
		count := map[idbridge.RunKind]int{}
		days := map[string]int{}
		for i, job := range w.runs.started {
			count[job.Kind]++
			if behind := w.runs.when[i].Sub(job.Slot); behind < 0 || behind > 30*time.Second {
				t.Errorf("%v started %v after its slot", job, behind)
			}
			if job.Kind == idbridge.FullRun {
				days[job.Slot.In(zone(t, "Europe/Paris")).Format(time.DateOnly)]++
			}
		}
		if count[idbridge.FullRun] != 365 || len(days) != 365 || count[idbridge.ChangesRun] != 365*24 {
			t.Errorf("%v runs on %d days", count, len(days))
		}
		if days["2027-03-28"] != 1 || days["2027-10-31"] != 1 {
			t.Errorf("28 March %d, 31 October %d", days["2027-03-28"], days["2027-10-31"])
		}
		if w.runs.refused > 0 || w.log.Len() > 0 {
			t.Errorf("%d refused\n%s", w.runs.refused, w.log)
		}
	})
}

// TestClockSet moves the clock by an hour, either way, and back: no slot twice, and after a jump ahead one run for all
// that was missed.
func TestClockSet(t *testing.T) {
	for _, row := range []struct {
		name   string
		by     []time.Duration
		missed schedule.Missed
		ran    int // in an hour before, an hour after each move
	}{
		{"not at all", nil, schedule.RunOnce, 7},
		{"ahead", []time.Duration{time.Hour}, schedule.RunOnce, 7 + 1 + 6},
		{"ahead, skip", []time.Duration{time.Hour}, schedule.Skip, 6 + 6},
		{"back", []time.Duration{-time.Hour}, schedule.RunOnce, 7 + 0},
		{"back and ahead", []time.Duration{-time.Hour, time.Hour}, schedule.RunOnce, 7 + 0 + 1 + 6},
		{"a year ahead and back", []time.Duration{8760 * time.Hour, -8760 * time.Hour}, schedule.RunOnce, 7 + 1 + 6 + 6},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				timing := corp(t, "", "*/10 * * * *", "UTC")
				timing.Missed = row.missed
				w := open(t, "2027-06-01T10:05:00Z", timing)
				w.run(t)
				time.Sleep(time.Hour)
				for _, by := range row.by {
					w.set(by)
					time.Sleep(time.Hour)
				}
				synctest.Wait()
				w.mustStop(t)
				if got := len(w.runs.started); got != row.ran {
					t.Errorf("%d runs, want %d: %v", got, row.ran, w.runs.when)
				}
			})
		})
	}
}

// TestSuspend sleeps eight hours through a nightly slot: it runs once, within half a minute after waking, or not at all.
func TestSuspend(t *testing.T) {
	for missed, want := range map[schedule.Missed]int{schedule.RunOnce: 1, schedule.Skip: 0} {
		synctest.Test(t, func(t *testing.T) {
			timing := corp(t, "15 3 * * *", "", "UTC")
			w := open(t, "2027-06-01T23:00:00Z", timing)
			timing.Missed = missed
			w.Timings[0] = timing
			w.runs.taken[fmt.Sprintf("corp full %d", time.Date(2027, 6, 1, 3, 15, 0, 0, time.UTC).Unix())] = true
			w.run(t)
			time.Sleep(time.Hour)
			w.set(8 * time.Hour)
			time.Sleep(31 * time.Second)
			synctest.Wait()
			w.mustStop(t)
			if got := len(w.runs.started); got != want {
				t.Errorf("%s: %d runs, want %d", missed, got, want)
			}
		})
	}
}

// TestRestart starts twice within one slot: the second daemon asks, the store says that it ran, nothing else happens.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timing := corp(t, "15 3 * * *", "", "UTC")
		timing.Missed = schedule.RunOnce
		w := open(t, "2027-06-01T12:00:00Z", timing)
		w.run(t)
		time.Sleep(time.Minute)
		w.mustStop(t)
		again := &schedule.Scheduler{Runs: w.runs, Timings: w.Timings, Now: w.now}
		w.Scheduler = again
		w.run(t)
		time.Sleep(time.Minute)
		synctest.Wait()
		if next := w.Next("corp"); !next.Equal(time.Date(2027, 6, 2, 3, 15, 0, 0, time.UTC)) {
			t.Errorf("next is %v", next)
		}
		w.mustStop(t)
		if len(w.runs.started) != 1 || w.runs.refused != 1 {
			t.Errorf("%d runs, %d refused", len(w.runs.started), w.runs.refused)
		}
	})
}

// TestOverlap has runs of 25 minutes every 10: never two at once, and the slots that passed fold into one.
func TestOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timing := corp(t, "", "*/10 * * * *", "UTC")
		timing.Missed = schedule.RunOnce
		other := timing
		other.Directory = "hr"
		w := open(t, "2027-06-01T09:59:00Z", timing, other)
		w.runs.taken[fmt.Sprintf("corp changes %d", time.Date(2027, 6, 1, 9, 50, 0, 0, time.UTC).Unix())] = true
		w.runs.taken[fmt.Sprintf("hr changes %d", time.Date(2027, 6, 1, 9, 50, 0, 0, time.UTC).Unix())] = true
		w.runs.work = func(_ context.Context, job schedule.Job) error {
			if job.Directory == "corp" {
				time.Sleep(25 * time.Minute)
			}
			return nil
		}
		w.run(t)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		stopped := w.stop
		go func() { _ = stopped() }()
		time.Sleep(time.Hour)
		var got []string
		hr := 0
		for _, job := range w.runs.jobs() {
			if job.Directory == "hr" {
				hr++
				continue
			}
			got = append(got, job.Slot.Format("15:04"))
		}
		if want := "10:00 10:20 10:50 11:10 11:40"; strings.Join(got, " ") != want {
			t.Errorf("slots %v, want %s", got, want)
		}
		if hr != 12 {
			t.Errorf("the other directory ran %d times, want 12", hr)
		}
	})
}

// TestFailure panics and fails: the schedule lives, slows down to eight times its usual distance, tells so once, and is
// back at once after a success.
func TestFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, "2027-06-01T09:59:30Z", corp(t, "", "* * * * *", "UTC"))
		broken := true
		w.runs.work = func(context.Context, schedule.Job) error {
			switch {
			case len(w.runs.jobs()) == 2:
				panic("a mistake")
			case broken:
				return &idbridge.Error{Kind: idbridge.Unavailable, Msg: "no answer", Hint: "is it up?"}
			}
			return nil
		}
		w.run(t)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		for i, minutes := range []time.Duration{1, 2, 4, 8, 8, 8, 8} {
			gap, least := w.runs.when[i+1].Sub(w.runs.when[i]), minutes*time.Minute
			if gap < least || gap > least+least/5+30*time.Second {
				t.Fatalf("pause %d is %v, want %v and a fifth at most", i, gap, least)
			}
		}
		slow, is := w.Slowed("corp")
		if n := len(w.runs.jobs()); !is || slow.Failures != n || slow.Why != "no answer" || !slow.Since.Equal(w.runs.when[0]) || !slow.Next.After(w.now()) {
			t.Errorf("%v %+v after %d runs", is, slow, n)
		}
		if n := strings.Count(w.log.String(), "slowed down"); n != 2 { // by the panic, and when the reason changed
			t.Errorf("told %d times that it is slow", n)
		}
		if log := w.log.String(); !strings.Contains(log, "a mistake") || !strings.Contains(log, "scheduler_test.go") || !strings.Contains(log, `hint="is it up?"`) {
			t.Errorf("log:\n%.600s", log)
		}
		broken = false
		before := len(w.runs.jobs())
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(w.runs.jobs()) - before; n < 30 {
			t.Errorf("%d runs in the hour after it is mended", n)
		}
		if _, is := w.Slowed("corp"); is || !strings.Contains(w.log.String(), "back to normal") {
			t.Error("a success does not end the slowing down")
		}
		w.mustStop(t)
	})
}

// TestNotFailures: a slot that ran, a held plan and a busy directory do not slow the schedule down; a busy directory is
// asked again for the same slot.
func TestNotFailures(t *testing.T) {
	for kind, want := range map[idbridge.Kind]int{idbridge.Exists: 60, idbridge.Held: 60, idbridge.Locked: 120, idbridge.Unavailable: 9} {
		synctest.Test(t, func(t *testing.T) {
			w := open(t, "2027-06-01T09:59:59Z", corp(t, "", "* * * * *", "UTC"))
			calls := 0
			w.Runs = starts(func(context.Context, schedule.Job) error {
				calls++
				return &idbridge.Error{Kind: kind}
			})
			w.run(t)
			time.Sleep(time.Hour)
			synctest.Wait()
			w.mustStop(t)
			if calls < want-2 || calls > want+2 {
				t.Errorf("%v: %d calls, want about %d", kind, calls, want)
			}
		})
	}
}

type starts func(context.Context, schedule.Job) error

func (f starts) Start(ctx context.Context, job schedule.Job) error { return f(ctx, job) }

// TestKick runs now, once for several kicks of a kind, after the run that is under way, also in a pause.
func TestKick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, "2027-06-01T10:00:30Z", corp(t, "0 0 1 1 *", "", "UTC"))
		w.FirstWait = time.Hour
		w.runs.work = func(context.Context, schedule.Job) error { time.Sleep(5 * time.Minute); return errors.New("broken") }
		w.run(t)
		synctest.Wait()
		for range 3 {
			if err := w.Kick("corp", idbridge.FullRun, "mia"); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n := len(w.runs.jobs()); n != 1 {
			t.Fatalf("%d runs at once after a kick", n)
		}
		if err := errors.Join(w.Kick("corp", idbridge.FullRun, "mia"), w.Kick("corp", idbridge.FullRun, "noa")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if n := len(w.runs.jobs()); n != 2 {
			t.Errorf("%d runs after more kicks", n)
		}
		if job := w.runs.jobs()[0]; job.Author != "mia" || !job.Slot.IsZero() {
			t.Errorf("%+v", job)
		}
		if err := w.Kick("corpse", idbridge.FullRun, "mia"); !errors.Is(err, idbridge.NotFound) {
			t.Errorf("unknown directory: %v", err)
		}
		w.mustStop(t)
	})
}

// TestConfirm: absence asks for a second listing at T. It comes at T, or a full run that starts later serves; a failed
// one is asked for again.
func TestConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, "2027-06-01T10:00:00Z", corp(t, "15 12 * * *", "", "UTC"))
		fail := false
		w.runs.work = func(context.Context, schedule.Job) error {
			if fail {
				fail = false
				return errors.New("no answer")
			}
			return nil
		}
		w.run(t)
		at := w.now().Add(10 * time.Minute)
		for _, ask := range []time.Time{at, at.Add(time.Hour), at} {
			if err := w.Confirm("corp", ask); err != nil {
				t.Fatal(err)
			}
		}
		if !w.Next("corp").Equal(at.Round(0)) {
			t.Errorf("next is %v", w.Next("corp"))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if jobs := w.runs.jobs(); len(jobs) != 1 || jobs[0].Author != schedule.ByAbsence || jobs[0].Kind != idbridge.FullRun || !w.runs.when[0].Equal(at) {
			t.Fatalf("%+v at %v", jobs, w.runs.when)
		}
		fail = true
		if err := w.Confirm("corp", w.now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(w.runs.jobs()); n != 3 {
			t.Errorf("%d runs after a failed confirmation, want 3", n)
		}
		if err := w.Confirm("corp", time.Date(2027, 6, 1, 12, 14, 50, 0, time.UTC)); err != nil {
			t.Fatal(err)
		}
		if err := w.Confirm("hr", w.now()); !errors.Is(err, idbridge.NotFound) {
			t.Errorf("unknown directory: %v", err)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		w.mustStop(t)
		if n := len(w.runs.jobs()); n != 5 {
			t.Errorf("%d runs, want the confirmation and the nightly one", n)
		}
	})
}

// TestFullCoversChanges: due together, only the full one runs.
func TestFullCoversChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, "2027-06-01T02:59:00Z", corp(t, "0 3 * * *", "*/10 * * * *", "UTC"))
		w.run(t)
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		w.mustStop(t)
		jobs := w.runs.jobs()
		if len(jobs) != 2 || jobs[0].Kind != idbridge.FullRun || jobs[1].Kind != idbridge.ChangesRun {
			t.Errorf("%+v", jobs)
		}
	})
}

// TestLimit cancels a run that takes too long, says so, and goes on.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timing := corp(t, "", "0 * * * *", "UTC")
		timing.Limit, timing.Missed = 10*time.Minute, schedule.RunOnce
		w := open(t, "2027-06-01T09:59:00Z", timing)
		w.runs.taken[fmt.Sprintf("corp changes %d", time.Date(2027, 6, 1, 9, 0, 0, 0, time.UTC).Unix())] = true
		w.runs.work = func(ctx context.Context, _ schedule.Job) error {
			<-ctx.Done()
			time.Sleep(90 * time.Second) // finishing its step
			return fmt.Errorf("listing: %w", ctx.Err())
		}
		w.run(t)
		time.Sleep(170 * time.Minute)
		synctest.Wait()
		w.mustStop(t)
		if n := len(w.runs.jobs()); n != 3 {
			t.Errorf("%d runs", n)
		}
		log := w.log.String()
		for _, want := range []string{"took longer than 10m0s", "does not end", "directory=corp", "slot=2027-06-01T10:00:00Z"} {
			if !strings.Contains(log, want) {
				t.Errorf("the log lacks %q:\n%s", want, log)
			}
		}
	})
}

// TestStop ends with a run under way: one that ends in time is waited for and is no failure; one that does not is named.
func TestStop(t *testing.T) {
	for name, row := range map[string]struct {
		takes time.Duration
		named bool
	}{"in time": {5 * time.Second, false}, "late": {time.Minute, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := open(t, "2027-06-01T09:59:59Z", corp(t, "0 10 * * *", "", "UTC"))
				var ended atomic.Bool
				w.runs.work = func(ctx context.Context, _ schedule.Job) error {
					<-ctx.Done()
					time.Sleep(row.takes)
					ended.Store(true)
					return ctx.Err()
				}
				w.run(t)
				time.Sleep(time.Minute)
				err := w.stop()
				switch {
				case row.named && (err == nil || !strings.Contains(err.Error(), "corp") || ended.Load()):
					t.Errorf("late: %v, ended %v", err, ended.Load())
				case !row.named && (err != nil || !ended.Load()):
					t.Errorf("in time: %v, ended %v", err, ended.Load())
				case !row.named && strings.Contains(w.log.String(), "ERROR"):
					t.Errorf("an error line for a stop:\n%s", w.log)
				}
				time.Sleep(2 * time.Minute)
			})
		})
	}
}

// TestFirstWait spreads the first runs, within the bound.
func TestFirstWait(t *testing.T) {
	waits := map[time.Duration]bool{}
	for range 8 {
		synctest.Test(t, func(t *testing.T) {
			timing := corp(t, "", "* * * * *", "UTC")
			timing.Missed = schedule.RunOnce
			w := open(t, "2027-06-01T10:00:00Z", timing)
			w.FirstWait = 5 * time.Minute
			begin := w.now()
			w.run(t)
			time.Sleep(6 * time.Minute)
			synctest.Wait()
			w.mustStop(t)
			first := w.runs.when[0].Sub(begin)
			if first < 0 || first > 5*time.Minute+30*time.Second {
				t.Errorf("the first run came after %v", first)
			}
			waits[first] = true
		})
	}
	if len(waits) < 2 {
		t.Errorf("eight daemons waited the same: %v", waits)
	}
}
