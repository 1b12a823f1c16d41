package idbridge_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
)

// noon is when the tests look.
func noon() time.Time { return time.Date(2027, 6, 1, 12, 0, 0, 0, time.UTC) }

// listed is a run of some kind and state that ended so many hours before noon, and saw so many records in a minute.
func listed(id idbridge.RunID, kind idbridge.RunKind, state idbridge.RunState, hours, seen int) idbridge.Run {
	end := noon().Add(-time.Duration(hours) * time.Hour)
	return idbridge.Run{
		ID: id, Directory: "corp", Kind: kind, State: state, Complete: state == idbridge.RunDone || state == idbridge.RunHeld,
		Started: end.Add(-time.Minute), Ended: end, Counts: idbridge.Counts{Seen: seen, Unchanged: seen},
	}
}

// well are the vitals of a directory in order: a good listing an hour for ten hours.
func well() idbridge.Vitals {
	v := idbridge.Vitals{Directory: "corp", Now: noon(), Interval: time.Hour, Source: idbridge.Source{Complete: noon().Add(-time.Hour), Records: 1000, Runs: 50}}
	for i := range 10 {
		v.Runs = append(v.Runs, listed(idbridge.RunID(50-i), idbridge.FullRun, idbridge.RunDone, i+1, 1000+i%3))
	}
	return v
}

// sick is one way of not being well, and what is said about it.
type sick struct {
	name  string // the test's
	how   func(*idbridge.Vitals)
	found string // names with their colours, in order
	says  string // in the first
	fix   string
}

func last(r idbridge.Run) func(*idbridge.Vitals) {
	return func(v *idbridge.Vitals) { v.Runs = append([]idbridge.Run{r}, v.Runs...) }
}

func failed(err string) idbridge.Run {
	r := listed(60, idbridge.FullRun, idbridge.RunFailed, 0, 0)
	r.Error, r.Hint = err, "raise the server's limit"
	return r
}

func sicknesses() []sick {
	red, yellow := func(names string) string { return "red " + names }, func(names string) string { return "yellow " + names }
	merger := idbridge.Override{Guard: "removals", Limit: 300, Until: noon().Add(48 * time.Hour), By: "ann", Why: "merger"}
	over := merger
	over.Until = noon().Add(-48 * time.Hour)
	return []sick{
		{"well", func(*idbridge.Vitals) {}, "green ok", "in order", ""},
		{"a first run under way", func(v *idbridge.Vitals) {
			*v = idbridge.Vitals{Directory: "corp", Now: noon(), Interval: time.Hour, Runs: []idbridge.Run{listed(1, idbridge.FullRun, idbridge.RunRunning, 0, 0)}}
		}, "green ok", "", ""},
		{"never tried", func(v *idbridge.Vitals) { v.Runs, v.Source = nil, idbridge.Source{} }, yellow("overdue"), "was never listed", "idbridge sync --once corp"},
		{"never complete for an interval", func(v *idbridge.Vitals) {
			v.Source, v.Runs = idbridge.Source{}, []idbridge.Run{listed(2, idbridge.FullRun, idbridge.RunIncomplete, 0, 9), listed(1, idbridge.FullRun, idbridge.RunIncomplete, 2, 9)}
		}, "red overdue, yellow incomplete", "never listed completely", "idbridge check corp"},
		{"never complete, known since", func(v *idbridge.Vitals) {
			v.Source.Complete, v.Runs, v.Since = time.Time{}, nil, noon().Add(-2*time.Hour)
		}, red("overdue"), "2027-06-01 10:00 UTC", "idbridge check corp"},
		{"two intervals late", func(v *idbridge.Vitals) { v.Source.Complete = noon().Add(-3 * time.Hour) }, "green ok", "", ""},
		{"three intervals late", func(v *idbridge.Vitals) { v.Source.Complete = noon().Add(-3*time.Hour - time.Second) }, red("overdue"), "one is due every 1h at the latest", "idbridge check corp"},
		{"three nights late, with the reason", func(v *idbridge.Vitals) {
			v.Interval, v.Source.Complete, v.Source.Alarm = 24*time.Hour, noon().Add(-80*time.Hour), "size limit reached"
		}, red("overdue"), "every 1d at the latest: size limit reached", "idbridge check corp"},
		{"not scheduled", func(v *idbridge.Vitals) { v.Interval, v.Source.Complete = 0, noon().Add(-6*24*time.Hour) }, "green ok", "", ""},
		{"not scheduled for a week", func(v *idbridge.Vitals) { v.Interval, v.Source.Complete = 0, noon().Add(-8*24*time.Hour) }, yellow("overdue"), "none is scheduled", "idbridge sync --once corp"},
		{"failed", last(failed("size limit 1000 reached")), red("failing"), "the last run failed: size limit 1000 reached (raise the server's limit)", "idbridge check corp"},
		{"failed three times", func(v *idbridge.Vitals) {
			v.Retry = noon().Add(10 * time.Minute)
			for range 3 {
				last(failed("no answer"))(v)
			}
		}, red("failing"), "the last 3 runs failed: no answer (raise the server's limit); tried again 2027-06-01 12:10 UTC", "idbridge check corp"},
		{"failed, and overdue: the cause once", func(v *idbridge.Vitals) {
			last(failed("code 4"))(v)
			v.Source.Alarm, v.Source.Complete = "size limit reached", noon().Add(-9*time.Hour)
		}, "red failing, red overdue", "the last run failed: size limit reached", "idbridge check corp"},
		{"a dry run failed", last(listed(60, idbridge.PlanRun, idbridge.RunFailed, 0, 0)), "green ok", "", ""},
		{"a push after a failed run", func(v *idbridge.Vitals) {
			last(failed("no answer"))(v)
			last(listed(61, idbridge.PushRun, idbridge.RunDone, 0, 0))(v)
		}, red("failing"), "the last run failed", "idbridge check corp"},
		{"a push failed", last(listed(61, idbridge.PushRun, idbridge.RunFailed, 0, 0)), red("failing"), "the last write failed", "idbridge check corp"},
		{"incomplete", last(listed(60, idbridge.FullRun, idbridge.RunIncomplete, 0, 400)), yellow("incomplete"), "was not complete", "idbridge check corp"},
		{"interrupted", last(listed(60, idbridge.ChangesRun, idbridge.RunInterrupted, 0, 400)), yellow("interrupted"), "was cut off", "idbridge sync --once corp"},
		{"interrupted, and made good", func(v *idbridge.Vitals) {
			last(listed(60, idbridge.FullRun, idbridge.RunInterrupted, 0, 400))(v)
			last(listed(61, idbridge.FullRun, idbridge.RunDone, 0, 1000))(v)
		}, "green ok", "", ""},
		{"shrunk", last(listed(60, idbridge.FullRun, idbridge.RunHeld, 0, 690)), red("shrunk"), "showed 690 records, those before usually 1001", "idbridge runs 60"},
		{"emptied", last(listed(60, idbridge.FullRun, idbridge.RunHeld, 0, 0)), red("shrunk"), "showed 0 records", "idbridge runs 60"},
		{"a little smaller", last(listed(60, idbridge.FullRun, idbridge.RunDone, 0, 720)), "green ok", "", ""},
		{"three of a small company", func(v *idbridge.Vitals) {
			for i := range v.Runs {
				v.Runs[i].Counts.Seen = 7
			}
			last(listed(60, idbridge.FullRun, idbridge.RunDone, 0, 4))(v)
		}, "green ok", "", ""},
		{"shrunk, approved", func(v *idbridge.Vitals) {
			last(listed(60, idbridge.FullRun, idbridge.RunHeld, 0, 500))(v)
			r := listed(61, idbridge.ApplyRun, idbridge.RunDone, 0, 0)
			r.Counts.Suspended = 500
			last(r)(v)
		}, "green ok", "", ""},
		{"shrunk, approved, and listed since", func(v *idbridge.Vitals) {
			r := listed(61, idbridge.ApplyRun, idbridge.RunDone, 0, 0)
			r.Counts.Suspended = 500
			last(r)(v)
			last(listed(62, idbridge.FullRun, idbridge.RunDone, 0, 500))(v)
		}, "green ok", "", ""},
		{"short", func(v *idbridge.Vitals) {
			r := listed(60, idbridge.FullRun, idbridge.RunDone, 0, 880)
			r.Started = r.Ended.Add(-10 * time.Second)
			last(r)(v)
		}, red("short"), "took 10s with 880 records, those before usually 1m0s with 1001", "idbridge runs 60"},
		{"fast", func(v *idbridge.Vitals) {
			r := listed(60, idbridge.FullRun, idbridge.RunDone, 0, 1000)
			r.Started = r.Ended.Add(-time.Second)
			last(r)(v)
		}, "green ok", "", ""},
		{"held", func(v *idbridge.Vitals) {
			v.Source.Held, v.Source.Alarm, v.Counts.Held = "8f3a0123456789ab", "too many removals", 1
		}, yellow("held"), "plan 8f3a01234567 is held: too many removals", "idbridge approve 8f3a01234567 | idbridge discard 8f3a01234567"},
		{"an older plan held", func(v *idbridge.Vitals) { v.Counts.Held = 2 }, yellow("held"), "2 plans wait", "idbridge status"},
		{"conflicts", func(v *idbridge.Vitals) { v.Counts.Conflicts = 1 }, yellow("conflicts"), "1 conflict waits", "idbridge conflicts"},
		{"quarantined", func(v *idbridge.Vitals) { v.Counts.Quarantined = 3 }, yellow("quarantined"), "3 records or values cannot be used", "idbridge status --quarantine"},
		{"waiting", func(v *idbridge.Vitals) { v.Counts.Waiting = 3 }, yellow("waiting"), "refused to write 3 records", "idbridge status --quarantine"},
		{"in doubt", func(v *idbridge.Vitals) { v.Counts.InDoubt = 2 }, yellow("indoubt"), "2 changes may or may not", "idbridge sync --once corp"},
		{"pending", func(v *idbridge.Vitals) { v.Counts.Pending, v.Counts.PendingSince = 2, noon().Add(-2*time.Hour) }, yellow("pending"), "2 edits wait for the way to the directory, the oldest since 2027-06-01 10:00", "idbridge sync --once corp"},
		{"pending for a minute", func(v *idbridge.Vitals) { v.Counts.Pending, v.Counts.PendingSince = 2, noon().Add(-time.Minute) }, "green ok", "", ""},
		{"restored", func(v *idbridge.Vitals) { v.Source.Restored = noon().Add(-time.Hour) }, red("restored"), "an older copy of itself, found 2027-06-01 11:00", "idbridge restore"},
		{"an exception", func(v *idbridge.Vitals) { v.Overrides = []idbridge.Override{merger} }, yellow("override"), "guard removals lets 300 pass until 2027-06-03 12:00 UTC, by ann: merger", "idbridge config show"},
		{"exceptions, one of them over, told twice", func(v *idbridge.Vitals) {
			v.Overrides, v.Expired = []idbridge.Override{merger, over}, []idbridge.Override{over}
		}, yellow("override"), "the exception of guard removals by ann is over since 2027-05-30", "idbridge config show"},
		{"everything", func(v *idbridge.Vitals) {
			last(failed("x"))(v)
			v.Source.Restored, v.Source.Held, v.Counts.Conflicts, v.Source.Complete = noon(), "8f", 1, noon().Add(-9*time.Hour)
		}, "red restored, red failing, red overdue, yellow held, yellow conflicts", "", "idbridge restore"},
	}
}

// TestDiagnose reads: with these vitals, these findings, red before yellow, each name once and the cause once.
func TestDiagnose(t *testing.T) {
	for _, row := range sicknesses() {
		v := well()
		row.how(&v)
		found := idbridge.Diagnose(v)
		names := make([]string, len(found))
		seen := map[string]bool{}
		for i, f := range found {
			names[i] = string(f.Colour) + " " + f.Name
			if f.What != "corp" || f.Why == "" || f.Fix == "" && f.Colour != idbridge.Green || seen[f.Name] {
				t.Errorf("%s: %+v", row.name, f)
			}
			seen[f.Name] = true
		}
		if got := strings.Join(names, ", "); got != row.found {
			t.Errorf("%s: %s, want %s", row.name, got, row.found)
			continue
		}
		if !strings.Contains(found[0].Why, row.says) || found[0].Fix != row.fix && row.fix != "" {
			t.Errorf("%s: %q → %q, want %q → %q", row.name, found[0].Why, found[0].Fix, row.says, row.fix)
		}
		all := ""
		for _, f := range found {
			all += f.Why + "\n"
		}
		if a := v.Source.Alarm; a != "" && strings.Count(all, a) != 1 {
			t.Errorf("%s: the cause is not told once:\n%s", row.name, all)
		}
	}
}

// TestHealthNames: each documented name is produced by some case in its worst colour, no other is, and each that can be
// red has an alert rule.
func TestHealthNames(t *testing.T) {
	seen := map[string]idbridge.Colour{}
	for _, row := range sicknesses() {
		v := well()
		row.how(&v)
		for _, f := range idbridge.Diagnose(v) {
			if seen[f.Name] != idbridge.Red {
				seen[f.Name] = f.Colour
			}
		}
	}
	rules, err := os.ReadFile("docs/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]idbridge.Colour{}
	for _, n := range idbridge.HealthNames() {
		documented[n.Name] = n.Worst
		if n.Means == "" {
			t.Errorf("%s means nothing", n.Name)
		}
		if n.Worst == idbridge.Red && !strings.Contains(string(rules), `idbridge_health{name="`+n.Name+`"} == 2`) {
			t.Errorf("docs/alerts.yaml has no rule for %s", n.Name)
		}
	}
	if !maps.Equal(seen, documented) {
		t.Errorf("found %v, documented %v", slices.Sorted(maps.Keys(seen)), slices.Sorted(maps.Keys(documented)))
	}
}

// TestDiagnoseIsPure: the same vitals give the same findings, and are not changed.
func TestDiagnoseIsPure(t *testing.T) {
	v := well()
	v.Overrides = []idbridge.Override{{Guard: "ids", Until: noon().Add(-time.Hour)}}
	v.Expired = []idbridge.Override{{Guard: "keys", Until: noon().Add(-time.Hour)}}
	a, b := idbridge.Diagnose(v), idbridge.Diagnose(v)
	if !slices.Equal(a, b) || len(v.Overrides) != 1 || len(v.Runs) != 10 || v.Runs[0].ID != 50 {
		t.Errorf("%v, then %v", a, b)
	}
}
