package idbridge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	overdueAfter   = 3                  // intervals without a complete listing
	unscheduledAge = 7 * 24 * time.Hour // the same, where no listing is scheduled
	pendingAge     = time.Hour          // an edit goes out within seconds
	shrunkTo       = 0.70               // of the records usually listed
	shrunkLeast    = 5                  // fewer missing are the daily life of a small company
	shortTo        = 0.25               // of the time that a run usually takes
	shortRecords   = 0.90               // of the records, in so short a run
	stamp          = "2006-01-02 15:04 MST"
)

// diagnosis is one look at a directory.
type diagnosis struct {
	Vitals

	found []Health
	told  bool // the alarm was told
}

func (d *diagnosis) add(c Colour, name, why, fix string) {
	d.found = append(d.found, Health{Colour: c, What: d.Directory, Name: name, Why: why, Fix: fix})
}

// sorted puts what is red first, each colour in the order of HealthNames.
func (d *diagnosis) sorted() []Health {
	worst := map[Colour]int{Red: 0, Yellow: 1, Green: 2}
	place := map[string]int{}
	for i, n := range HealthNames() {
		place[n.Name] = i
	}
	slices.SortStableFunc(d.found, func(a, b Health) int {
		return cmp.Or(cmp.Compare(worst[a.Colour], worst[b.Colour]), cmp.Compare(place[a.Name], place[b.Name]))
	})
	return d.found
}

// because returns the alarm as the end of a sentence, or else what stands in for it; the second time nothing.
func (d *diagnosis) because(otherwise string) string {
	why := cmp.Or(d.Source.Alarm, otherwise)
	if d.told || why == "" {
		return ""
	}
	d.told = true
	return ": " + why
}

func (d *diagnosis) check() string { return "idbridge check " + d.Directory }
func (d *diagnosis) sync() string  { return "idbridge sync --once " + d.Directory }

func (d *diagnosis) restored() {
	if !d.Source.Restored.IsZero() {
		d.add(Red, "restored", "the store is an older copy of itself, found "+d.at(d.Source.Restored)+
			"; nothing is removed or written until somebody accepts it", "idbridge restore")
	}
}

// failing looks at the last run that read the directory, and at the last that wrote to it: a good push says nothing about
// the listings.
func (d *diagnosis) failing() {
	for _, kinds := range [][]RunKind{{FullRun, ChangesRun}, {PushRun, ApplyRun}} {
		runs := d.ended(kinds...)
		n := slices.IndexFunc(runs, func(r Run) bool { return r.State != RunFailed })
		if n < 0 {
			n = len(runs)
		}
		if n == 0 {
			continue
		}
		why := "the last run failed"
		if n > 1 {
			why = fmt.Sprintf("the last %d runs failed", n)
		}
		if kinds[0] == PushRun {
			why = strings.Replace(why, "run", "write", 1)
		}
		why += d.because(runs[0].Error)
		if runs[0].Hint != "" {
			why += " (" + runs[0].Hint + ")"
		}
		if d.Retry.After(d.Now) {
			why += "; tried again " + d.at(d.Retry)
		}
		d.add(Red, "failing", why, d.check())
		return
	}
}

// shrunk compares the last complete listing with those before it, back to the last plan with removals that somebody
// approved: what he saw is the measure from then on.
func (d *diagnosis) shrunk() {
	last, before := d.listings()
	usual := median(before, func(r Run) int { return r.Counts.Seen })
	if last == nil || len(before) == 0 {
		return
	}
	seen := last.Counts.Seen
	few := float64(seen) < shrunkTo*float64(usual) && usual-seen >= shrunkLeast
	if few || seen == 0 && usual > 0 {
		d.add(Red, "shrunk", fmt.Sprintf("the last complete listing showed %s, those before usually %d%s", count(seen, "record", "records"),
			usual, d.because("")), fmt.Sprintf("idbridge runs %d", last.ID))
	}
}

// short finds a run that was over too soon to have seen everything, where shrunk does not say so already.
func (d *diagnosis) short() {
	last, before := d.listings()
	if last == nil || len(before) == 0 || d.has("shrunk") {
		return
	}
	usual := median(before, func(r Run) int { return r.Counts.Seen })
	took := last.Ended.Sub(last.Started)
	long := time.Duration(median(before, func(r Run) int { return int(r.Ended.Sub(r.Started)) }))
	fewer := float64(last.Counts.Seen) < shortRecords*float64(usual) && usual-last.Counts.Seen >= shrunkLeast
	if fewer && float64(took) < shortTo*float64(long) {
		d.add(Red, "short", fmt.Sprintf("the last run took %s with %s, those before usually %s with %d%s", took.Round(time.Millisecond),
			count(last.Counts.Seen, "record", "records"), long.Round(time.Millisecond), usual, d.because("")), fmt.Sprintf("idbridge runs %d", last.ID))
	}
}

func (d *diagnosis) held() {
	if d.Source.Held == "" && d.Counts.Held == 0 {
		return
	}
	if d.Source.Held == "" {
		d.add(Yellow, "held", count(d.Counts.Held, "plan waits", "plans wait")+" for approval"+d.because(""), "idbridge status")
		return
	}
	hash := d.Source.Held[:min(len(d.Source.Held), 12)]
	d.add(Yellow, "held", "plan "+hash+" is held"+d.because(""), "idbridge approve "+hash+" | idbridge discard "+hash)
}

func (d *diagnosis) incomplete() {
	if runs := d.ended(FullRun, ChangesRun); len(runs) > 0 && runs[0].State == RunIncomplete {
		d.add(Yellow, "incomplete", "the last listing was not complete, so nothing was derived from absence"+d.because(runs[0].Error), d.check())
	}
}

// overdue is the dead-man alarm: it goes off by the mere lack of complete listings, whatever else is known.
func (d *diagnosis) overdue() {
	since, first := d.Source.Complete, d.Since
	if first.IsZero() && len(d.Runs) > 0 {
		first = d.Runs[len(d.Runs)-1].Started
	}
	never := since.IsZero()
	if never {
		since = first
	}
	age := d.Now.Sub(since)
	if since.IsZero() {
		d.add(Yellow, "overdue", "the directory was never listed"+d.because(""), d.sync())
		return
	}
	told := "no complete listing since " + d.at(since)
	if never {
		told = "never listed completely, since " + d.at(since)
	}
	switch {
	case d.Interval <= 0:
		if age > unscheduledAge {
			d.add(Yellow, "overdue", told+", and none is scheduled"+d.because(""), d.sync())
		}
	case never && age > d.Interval, age > overdueAfter*d.Interval:
		d.add(Red, "overdue", fmt.Sprintf("%s; one is due every %s at the latest%s", told, span(d.Interval), d.because("")), d.check())
	}
}

func (d *diagnosis) interrupted() {
	if runs := d.ended(FullRun, ChangesRun); len(runs) > 0 && runs[0].State == RunInterrupted {
		d.add(Yellow, "interrupted", "the last run was cut off; the next one goes on from there"+d.because(runs[0].Error), d.sync())
	}
}

func (d *diagnosis) inDoubt() {
	if n := d.Counts.InDoubt; n > 0 {
		d.add(Yellow, "indoubt", count(n, "change", "changes")+" may or may not have reached the directory; the next run reads them back", d.sync())
	}
}

func (d *diagnosis) pending() {
	if d.Counts.Pending > 0 && !d.Counts.PendingSince.IsZero() && d.Now.Sub(d.Counts.PendingSince) > pendingAge {
		d.add(Yellow, "pending", fmt.Sprintf("%s for the way to the directory, the oldest since %s",
			count(d.Counts.Pending, "edit waits", "edits wait"), d.at(d.Counts.PendingSince)), d.sync())
	}
}

// waits tells what waits for a person, or for a better answer of the directory.
func (d *diagnosis) waits() {
	if n := d.Counts.Waiting; n > 0 {
		d.add(Yellow, "waiting", "the directory refused to write "+count(n, "record", "records")+"; an edit of the user, or time, tries again", "idbridge status --quarantine")
	}
	if n := d.Counts.Conflicts; n > 0 {
		d.add(Yellow, "conflicts", count(n, "conflict waits", "conflicts wait")+" for a person", "idbridge conflicts")
	}
	if n := d.Counts.Quarantined; n > 0 {
		d.add(Yellow, "quarantined", count(n, "record or value", "records or values")+" cannot be used; the last good ones stay", "idbridge status --quarantine")
	}
}

// overrides are yellow as long as they are written, so that nobody forgets them.
func (d *diagnosis) overrides() {
	all := slices.Clone(d.Overrides)
	for _, o := range d.Expired {
		if !slices.Contains(all, o) {
			all = append(all, o)
		}
	}
	lines := make([]string, len(all))
	for i, o := range all {
		lines[i] = fmt.Sprintf("guard %s lets %d pass until %s, by %s: %s", o.Guard, o.Limit, d.at(o.Until), o.By, o.Why)
		if !o.Until.After(d.Now) || slices.Contains(d.Expired, o) {
			lines[i] = fmt.Sprintf("the exception of guard %s by %s is over since %s: remove it from the config", o.Guard, o.By, d.at(o.Until))
		}
	}
	if len(lines) > 0 {
		d.add(Yellow, "override", strings.Join(lines, "; "), "idbridge config show")
	}
}
