package schedule_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/idbridge/idbridge/sync/schedule"
)

// TestStuck: a run that outlives its cancellation is a schedule that stands still; one that takes its time, a quiet night
// and a schedule that has ended are not.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timing := corp(t, "0 * * * *", "", "UTC")
		timing.Limit = 10 * time.Minute
		w := open(t, "2027-06-01T09:59:00Z", timing)
		w.runs.work = func(ctx context.Context, _ schedule.Job) error {
			if len(w.runs.jobs()) == 3 {
				time.Sleep(3 * time.Hour)
				return errors.New("late")
			}
			select {
			case <-time.After(9 * time.Minute):
			case <-ctx.Done():
			}
			return nil
		}
		never := func() {
			t.Helper()
			if stuck := w.Stuck(); len(stuck) != 0 {
				t.Fatalf("at %s: %v stand still", w.now().Format("15:04"), stuck)
			}
		}
		never()
		w.run(t)
		for range 2 * 60 { // two runs of nine minutes and the quiet between them
			time.Sleep(time.Minute)
			synctest.Wait()
			never()
		}
		time.Sleep(30 * time.Minute) // the third one, limit and grace are over
		synctest.Wait()
		if stuck := w.Stuck(); len(stuck) != 1 || stuck[0] != "corp" {
			t.Errorf("stuck: %v", stuck)
		}
		time.Sleep(4 * time.Hour)
		w.mustStop(t)
		never()
	})
}
