// Package schedule says when. It reads cron texts, knows what daylight saving does to them, and starts the runs of each
// directory, one at a time.
//
//	Parse ─▶ Spec.Next ─▶ timetable (what is due now?) ─▶ Scheduler's loop ─▶ Start(ctx, Job)
//	                         ▲ Confirm at T, Kick now                            └▶ Exists: that slot ran already
//
// A slot is the instant a spec names; the store makes sure that each starts at most once, whatever the clock does and
// however many daemons there are. The loop sleeps 30 seconds at most and looks at the wall clock each time, so a clock
// that was set or a machine that slept is noticed.
//
// Runs that fail in a row slow their directory down: 2, 4, 8 times the usual distance of two runs, an hour at most, and a
// refused sign-in at once to three an hour, below what locks an account. Slowed tells of it; one success ends it; nothing
// stops for good.
package schedule
