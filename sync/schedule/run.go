package schedule

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/idbridge/idbridge"
)

// outcome is how a job ended, as far as the timetable cares.
type outcome uint8

const (
	wentWell   outcome = iota
	wasDone            // the slot ran already
	wasLocked          // another has the directory; it did not begin
	wasStopped         // the daemon stops
	wentWrong
	wasRefused // the directory does not let us in
)

// ending is an outcome with its reason.
type ending struct {
	how outcome
	why string
}

// do makes one run, with a limit in time, and logs how it failed. A panic is a failure like any other: the schedule lives.
func (s *Scheduler) do(ctx context.Context, job Job, limit time.Duration) ending {
	cause := &idbridge.Error{
		Kind: idbridge.Unavailable, Msg: fmt.Sprintf("the run took longer than %s and was cancelled", limit),
		Hint: "is the server slow, or the limit too short for this directory?",
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, cause)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.guarded(limited, job) }()
	err := s.await(limited, job, done)
	switch {
	case ctx.Err() != nil || limited.Err() == nil:
	case err == nil:
		err = context.Cause(limited) // a run that keeps silent about its cancellation did not do its work either
	default:
		err = fmt.Errorf("%w: %w", context.Cause(limited), err)
	}
	return s.report(ctx, job, err)
}

// await waits for the run. One that does not end after its cancellation is named every minute, and still waited for:
// two runs of one directory would be worse.
func (s *Scheduler) await(limited context.Context, job Job, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-limited.Done():
	}
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			s.Log.Error("cancelled run does not end", "directory", job.Directory, "kind", string(job.Kind))
		}
	}
}

func asError(err error, e **idbridge.Error) bool { return errors.As(err, e) }

// guarded turns a panic into an error.
func (s *Scheduler) guarded(ctx context.Context, job Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &idbridge.Error{Kind: idbridge.Internal, Msg: "the run panicked", Err: fmt.Errorf("%v\n%s", p, debug.Stack())}
		}
	}()
	return s.Runs.Start(ctx, job)
}

// report classifies and logs.
func (s *Scheduler) report(ctx context.Context, job Job, err error) ending {
	log := s.Log.With("directory", job.Directory, "kind", string(job.Kind), "author", job.Author)
	if !job.Slot.IsZero() {
		log = log.With("slot", job.Slot.Format(time.RFC3339))
	}
	switch {
	case err == nil:
		return ending{how: wentWell}
	case ctx.Err() != nil:
		log.Info("run stopped with the daemon")
		return ending{how: wasStopped}
	}
	switch idbridge.KindOf(err) {
	case idbridge.Exists:
		log.Debug("slot ran already")
		return ending{how: wasDone}
	case idbridge.Held:
		return ending{how: wentWell}
	case idbridge.Locked:
		log.Info("directory is busy elsewhere", "error", err.Error())
		return ending{how: wasLocked}
	default:
		log.Error("run failed", "error", err.Error(), "hint", idbridge.HintOf(err))
	}
	if idbridge.KindOf(err) == idbridge.Unauthentic {
		return ending{wasRefused, whyOf(err)}
	}
	return ending{wentWrong, whyOf(err)}
}
