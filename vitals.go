package idbridge

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ended returns the runs of some kinds that are over, newest first.
func (d *diagnosis) ended(kinds ...RunKind) []Run {
	var out []Run
	for i := range d.Runs {
		if r := &d.Runs[i]; r.State != RunRunning && slices.Contains(kinds, r.Kind) {
			out = append(out, *r)
		}
	}
	return out
}

// listings returns the last complete listing and those before it that it may be measured by.
func (d *diagnosis) listings() (last *Run, before []Run) {
	for i := range d.Runs {
		r := &d.Runs[i]
		switch {
		case r.Kind == ApplyRun && last != nil && r.Counts.Suspended+r.Counts.Purged+r.Counts.Inactive > 0:
			return last, before
		case r.Kind == ApplyRun && r.State == RunDone && r.Counts.Suspended+r.Counts.Purged+r.Counts.Inactive > 0:
			return nil, nil // approved since the last listing
		case !r.Complete || r.Kind != FullRun && r.Kind != ChangesRun || r.State == RunRunning || r.State == RunFailed || r.State == RunInterrupted:
		case last == nil:
			last = r
		default:
			before = append(before, *r)
		}
	}
	return last, before
}

func (d *diagnosis) has(name string) bool {
	return slices.ContainsFunc(d.found, func(h Health) bool { return h.Name == name })
}

func (d *diagnosis) at(t time.Time) string { return t.In(d.Now.Location()).Format(stamp) }

// median returns the middle value of some runs, 0 for none.
func median(runs []Run, of func(Run) int) int {
	all := make([]int, len(runs))
	for i := range runs {
		all[i] = of(runs[i])
	}
	slices.Sort(all)
	if len(all) == 0 {
		return 0
	}
	return all[len(all)/2]
}

// count writes a number and what it counts.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// span writes a duration for a person: 3d, 1h30m.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
