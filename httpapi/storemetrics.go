package httpapi

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/idbridge/idbridge"
)

const scrapeLimit = 5 * time.Second

// storeCollector asks the store when it is scraped. What cannot be read is left out, and idbridge_store_up says 0.
type storeCollector struct {
	store       Store
	doctor      doctor
	directories []string
	totals      runTotals
	trips       guardTrips

	up, records, links, complete, took, running, waiting, runs, effects, held, tripped *prometheus.Desc
	health, leaseAge, leaseLeft, fresh, unsealed                                       *prometheus.Desc
}

func newStoreCollector(c *Config) *storeCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("idbridge_"+name, help, labels, nil)
	}
	k := &storeCollector{
		store: c.Store, doctor: c.Doctor,
		up:       desc("store_up", "1 when the store answers."),
		records:  desc("records", "Records in the last complete listing.", "directory"),
		links:    desc("links", "Records that are tied to a user and not missing.", "directory"),
		complete: desc("last_complete_run_timestamp_seconds", "When the last complete run ended; absent before the first.", "directory"),
		took:     desc("last_scan_seconds", "How long the last complete run took that listed the whole directory.", "directory"),
		running:  desc("run_under_way", "1 while a run works on the directory.", "directory"),
		waiting: desc("waiting", "What waits: conflicts open, records or values quarantined, plans held, edits pending in the outbox, steps in_doubt, "+
			"records in backoff after the directory refused their writes.", "directory", "what"),
		runs: desc("runs_total", "Runs that ended, by kind and state, as the store keeps them.", "directory", "kind", "state"),
		effects: desc("effects_total", "What runs did, added up over the rows of the runs that the store keeps; dry runs have no effects.",
			"directory", "effect"),
		held:      desc("guard_held", "1 for each guard that holds a plan, or a part of it, that waits now.", "directory", "guard"),
		tripped:   desc("guard_trips_total", "Plans that a guard stopped, or a part of which.", "directory", "guard"),
		health:    desc("health", "Findings about a directory, the store or the audit: 0 green, 1 yellow, 2 red.", "directory", "name"),
		leaseAge:  desc("lease_age_seconds", "How long the process that leads the runs has led them; absent when nobody leads."),
		leaseLeft: desc("lease_left_seconds", "Until the lease runs out unless it is renewed; 0 when nobody leads."),
		fresh:     desc("feed_up", "1 while changes by other processes are seen in time, so that cached rights may answer."),
		unsealed:  desc("audit_unsealed_rows", "Audit rows that wait for their block."),
	}
	for i := range c.Directories {
		k.directories = append(k.directories, c.Directories[i].Name)
	}
	return k
}

// Describe names the metrics.
func (k *storeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		k.up, k.records, k.links, k.complete, k.took, k.running, k.waiting, k.runs, k.effects, k.held, k.tripped, k.health, k.leaseAge,
		k.leaseLeft, k.fresh, k.unsealed,
	} {
		out <- d
	}
}

// scrape is one reading on its way out.
type scrape struct{ out chan<- prometheus.Metric }

func (s scrape) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s scrape) counter(d *prometheus.Desc, n int, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

// Collect reads the store, within scrapeLimit.
func (k *storeCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	s := scrape{out}
	if err := k.store.Ping(ctx); err != nil {
		s.gauge(k.up, 0)
		return
	}
	s.gauge(k.up, 1)
	for _, name := range k.directories {
		k.directory(ctx, s, name)
	}
	k.pulse(ctx, s)
	k.plans(ctx, s)
	k.findings(ctx, s)
	k.counters(ctx, s)
}

func (k *storeCollector) directory(ctx context.Context, s scrape, name string) {
	source, population, counts, err := k.store.Status(ctx, name)
	if err != nil {
		return
	}
	s.gauge(k.records, float64(source.Records), name)
	s.gauge(k.links, float64(population.Links), name)
	if !source.Complete.IsZero() {
		s.gauge(k.complete, seconds(source.Complete), name)
	}
	for _, w := range [...]struct {
		what string
		n    int
	}{
		{"conflicts", counts.Conflicts},
		{"quarantined", counts.Quarantined},
		{"held", counts.Held},
		{"pending", counts.Pending},
		{"in_doubt", counts.InDoubt},
		{"backoff", counts.Waiting},
	} {
		s.gauge(k.waiting, float64(w.n), name, w.what)
	}
	const few = 50
	runs, err := k.store.Runs(ctx, idbridge.RunFilter{Directory: name, Limit: few})
	if err != nil {
		return
	}
	running, scanned := 0.0, false
	for i := range runs {
		r := &runs[i]
		if r.State == idbridge.RunRunning {
			running = 1
		} else if !scanned && r.Kind == idbridge.FullRun && r.Complete {
			scanned = true
			s.gauge(k.took, r.Ended.Sub(r.Started).Seconds(), name)
		}
	}
	s.gauge(k.running, running, name)
}

// seconds is a time as Prometheus has it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (k *storeCollector) pulse(ctx context.Context, s scrape) {
	p, err := k.store.Pulse(ctx)
	if err != nil {
		return
	}
	s.gauge(k.leaseLeft, p.LeaseLeft.Seconds())
	if p.Holder != "" {
		s.gauge(k.leaseAge, p.LeaseAge.Seconds())
	}
	fresh := 0.0
	if p.Fresh {
		fresh = 1
	}
	s.gauge(k.fresh, fresh)
	s.gauge(k.unsealed, float64(p.Unsealed))
}

func (k *storeCollector) plans(ctx context.Context, s scrape) {
	latest, err := k.store.Plans(ctx, "", "")
	if err != nil {
		return
	}
	now := map[guardSeries]struct{}{}
	for i := range latest {
		if latest[i].State == idbridge.PlanHeld {
			for g := range heldBy(&latest[i]) {
				now[g] = struct{}{}
			}
		}
	}
	for g := range now {
		s.gauge(k.held, 1, g.directory, g.guard)
	}
	k.trips.read(latest, func(sum map[guardSeries]int) {
		for g, n := range sum {
			s.counter(k.tripped, n, g.directory, g.guard)
		}
	})
}

// findings shows the worst colour of each name.
func (k *storeCollector) findings(ctx context.Context, s scrape) {
	if k.doctor == nil {
		return
	}
	found, err := k.doctor.Health(ctx)
	if err != nil {
		return
	}
	type series struct{ what, name string }
	worst := map[series]int{}
	for i := range found {
		x := series{found[i].What, found[i].Name}
		worst[x] = max(worst[x], severity(found[i].Colour))
	}
	for x, n := range worst {
		s.gauge(k.health, float64(n), x.what, x.name)
	}
}

func (k *storeCollector) counters(ctx context.Context, s scrape) {
	_ = k.totals.read(ctx, k.store, func(sum *runSum) { // what cannot be read is left out
		for x, n := range sum.runs {
			s.counter(k.runs, n, x.directory, string(x.kind), string(x.state))
		}
		for x, n := range sum.effects {
			s.counter(k.effects, n, x.directory, x.effect)
		}
	})
}
