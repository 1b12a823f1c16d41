package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
)

// scrape reads the metrics as Prometheus does.
func (b *bed) scrape() string {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.api.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		b.t.Fatalf("scrape: %d %s", w.Code, w.Body.String())
	}
	return w.Body.String()
}

func (b *bed) wantMetrics(lines ...string) {
	b.t.Helper()
	got := b.scrape()
	for _, line := range lines {
		if !strings.Contains(got, "\n"+line+"\n") {
			b.t.Errorf("metrics lack %s; there is:\n%s", line, similar(got, line))
		}
	}
}

// similar returns the lines of the same metric.
func similar(got, line string) string {
	name, _, _ := strings.Cut(strings.Fields(line)[0], "{")
	var out []string
	for l := range strings.SplitSeq(got, "\n") {
		if strings.HasPrefix(l, name) {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

func (b *bed) end(run idbridge.Run, source *idbridge.Source) {
	b.t.Helper()
	run.Directory = "corp"
	if err := b.store.EndRun(b.t.Context(), b.lead, run, source); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) begin(kind idbridge.RunKind) idbridge.RunID {
	b.t.Helper()
	id, err := b.store.BeginRun(b.t.Context(), idbridge.Run{Directory: "corp", Kind: kind, Author: "test", Epoch: b.lead.Epoch})
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

func TestMetrics(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(...func(*httpapi.Config)) *bed) {
		h := &house{health: []idbridge.Health{
			{Colour: idbridge.Red, What: "corp", Name: "overdue"}, {Colour: idbridge.Yellow, What: "corp", Name: "held"}, {Colour: idbridge.Green, What: "audit", Name: "ok"},
		}}
		b := h.movesInto(open(h.furnish))
		b.person("boss", idbridge.Admin)
		b.wantMetrics(
			`idbridge_store_up 1`, `idbridge_feed_up 1`, `idbridge_run_under_way{directory="corp"} 1`, `idbridge_links{directory="corp"} 1`, `idbridge_records{directory="corp"} 0`,
			`idbridge_health{directory="corp",name="overdue"} 2`, `idbridge_health{directory="corp",name="held"} 1`, `idbridge_health{directory="audit",name="ok"} 0`,
			`idbridge_waiting{directory="corp",what="held"} 0`, `idbridge_waiting{directory="corp",what="backoff"} 0`,
		)
		for _, absent := range []string{"idbridge_runs_total", "idbridge_last_complete_run", "idbridge_guard_held", "idbridge_guard_trips", "idbridge_last_scan"} {
			if got := b.scrape(); strings.Contains(got, "\n"+absent) {
				t.Errorf("before anything ended: %s", similar(got, absent))
			}
		}

		// The run that was seen running ends, and others before and after it are counted once, however often one looks.
		started := time.Now().Add(-90 * time.Second)
		b.end(idbridge.Run{
			ID: b.lead.Run, Kind: idbridge.FullRun, State: idbridge.RunDone, Complete: true, Started: started, Ended: time.Now(),
			Counts: idbridge.Counts{Created: 3, Suspended: 2, Silenced: 4, Pulls: 7},
		}, &idbridge.Source{Complete: time.Unix(1790000000, 0), Records: 12})
		b.end(idbridge.Run{ID: b.begin(idbridge.PlanRun), Kind: idbridge.PlanRun, State: idbridge.RunDone, Counts: idbridge.Counts{Created: 100}}, nil)
		under := b.begin(idbridge.FullRun)
		b.end(idbridge.Run{ID: b.begin(idbridge.PushRun), Kind: idbridge.PushRun, State: idbridge.RunFailed, Counts: idbridge.Counts{Sent: 5, Refused: 1}}, nil)
		want := []string{
			`idbridge_runs_total{directory="corp",kind="full",state="done"} 1`, `idbridge_runs_total{directory="corp",kind="plan",state="done"} 1`,
			`idbridge_runs_total{directory="corp",kind="push",state="failed"} 1`, `idbridge_run_under_way{directory="corp"} 1`,
			`idbridge_effects_total{directory="corp",effect="created"} 3`, `idbridge_effects_total{directory="corp",effect="suspended"} 2`,
			`idbridge_effects_total{directory="corp",effect="silenced"} 4`, `idbridge_effects_total{directory="corp",effect="pulls"} 7`,
			`idbridge_effects_total{directory="corp",effect="sent"} 5`, `idbridge_effects_total{directory="corp",effect="refused"} 1`,
			`idbridge_effects_total{directory="corp",effect="purged"} 0`, `idbridge_last_complete_run_timestamp_seconds{directory="corp"} 1.79e+09`,
			`idbridge_records{directory="corp"} 12`,
		}
		b.wantMetrics(want...)
		b.wantMetrics(want...)
		b.end(idbridge.Run{ID: under, Kind: idbridge.FullRun, State: idbridge.RunIncomplete, Counts: idbridge.Counts{Created: 1}}, nil)
		b.wantMetrics(
			`idbridge_runs_total{directory="corp",kind="full",state="incomplete"} 1`, `idbridge_effects_total{directory="corp",effect="created"} 4`,
			`idbridge_run_under_way{directory="corp"} 0`,
		)

		b.savePlan(heldHash, 1)
		held := []string{
			`idbridge_guard_held{directory="corp",guard="removals"} 1`, `idbridge_guard_trips_total{directory="corp",guard="removals"} 1`,
			`idbridge_waiting{directory="corp",what="held"} 1`,
		}
		b.wantMetrics(held...)
		b.wantMetrics(held...)
		b.savePlan("fedcba9876543210", 1) // supersedes the one before
		b.wantMetrics(held[0], `idbridge_guard_trips_total{directory="corp",guard="removals"} 2`, held[2])
		if err := b.store.ClosePlan(t.Context(), "fedcba9876543210", idbridge.PlanDiscarded, "boss"); err != nil {
			t.Fatal(err)
		}
		b.wantMetrics(`idbridge_guard_trips_total{directory="corp",guard="removals"} 2`)
		if got := b.scrape(); strings.Contains(got, "\nidbridge_guard_held") || strings.Contains(got, `guard_trips_total{directory="corp",guard="creations"}`) {
			t.Errorf("%s", similar(got, "idbridge_guard"))
		}

		// The audit and the lease.
		if strings.Contains(b.scrape(), "\nidbridge_audit_unsealed_rows 0\n") {
			t.Error("nothing is unsealed")
		}
		for range 3 {
			if _, err := b.store.Seal(t.Context(), b.lead.Epoch); err != nil {
				t.Fatal(err)
			}
		}
		b.wantMetrics(`idbridge_audit_unsealed_rows 0`)
		if !strings.Contains(b.scrape(), "\nidbridge_lease_age_seconds ") {
			t.Error("no leader")
		}
		if err := b.store.Resign(t.Context(), b.lead.Epoch); err != nil {
			t.Fatal(err)
		}
		b.wantMetrics(`idbridge_lease_left_seconds 0`)
		if strings.Contains(b.scrape(), "\nidbridge_lease_age_seconds ") {
			t.Error("nobody leads, and yet there is an age")
		}
		h.err = &idbridge.Error{Kind: idbridge.Unavailable, Msg: "gone"}
		if strings.Contains(b.scrape(), "\nidbridge_health{") {
			t.Error("nobody knows, and yet there is health")
		}
	})
}

// TestRunsAreCountedFromTheRows holds that a second process counts the same.
func TestRunsAreCountedFromTheRows(t *testing.T) {
	b := newBed(t)
	for i := range 7 {
		b.end(idbridge.Run{ID: b.begin(idbridge.FullRun), Kind: idbridge.FullRun, State: idbridge.RunDone, Counts: idbridge.Counts{Updated: i}}, nil)
		if i%3 == 0 {
			b.scrape()
		}
	}
	other, err := httpapi.New(httpapi.Config{Store: b.store, Directories: []httpapi.Directory{{Name: "corp", Policy: policy()}}, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	for _, api := range []*httpapi.Server{b.api, other} {
		w := httptest.NewRecorder()
		api.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		for _, want := range []string{`idbridge_runs_total{directory="corp",kind="full",state="done"} 7`, fmt.Sprintf(`idbridge_effects_total{directory="corp",effect="updated"} %d`, 0+1+2+3+4+5+6)} {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: %s", want, similar(w.Body.String(), want))
			}
		}
	}
}
