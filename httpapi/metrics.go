package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/idbridge/idbridge"
)

// measures are the API's own metrics, and the store's as they are found when somebody scrapes.
type measures struct {
	durations *prometheus.HistogramVec
	registry  *prometheus.Registry
}

// served names a series. Every member has few values: a client cannot invent one.
type served struct {
	route, method, status string
}

func newMeasures(registry *prometheus.Registry, c *Config) (*measures, error) {
	m := &measures{
		registry: registry,
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "idbridge_http_request_seconds", Help: "Time to answer a request, by route.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"route", "method", "status"}),
	}
	for _, collector := range []prometheus.Collector{m.durations, newStoreCollector(c)} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *measures) served(x *exchange, method string, took time.Duration) {
	if x.good != nil && x.status == http.StatusOK {
		x.good.Observe(took.Seconds())
		return
	}
	m.observer(served{x.route, knownMethod(method), statusText(x.status)}).Observe(took.Seconds())
}

func (m *measures) observer(key served) prometheus.Observer {
	return m.durations.WithLabelValues(key.route, key.method, key.status)
}

func statusText(status int) string {
	if status < http.StatusContinue || status > 599 {
		return "other"
	}
	return strconv.Itoa(status)
}

// MetricsHandler returns the handler of the metrics' own listener.
func (s *Server) MetricsHandler() http.Handler {
	return promhttp.HandlerFor(s.measures.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// storeCollector asks the store when it is scraped. What cannot be read is left out, and idbridge_store_up says 0.
type storeCollector struct {
	store       Store
	directories []string
	now         func() time.Time

	up, runs, records, age, waiting *prometheus.Desc
}

const (
	scrapeLimit = 5 * time.Second
	scrapeRuns  = 200
)

func newStoreCollector(c *Config) *storeCollector {
	k := &storeCollector{
		store: c.Store, now: c.Now,
		up:      prometheus.NewDesc("idbridge_store_up", "1 when the store answers.", nil, nil),
		runs:    prometheus.NewDesc("idbridge_runs", "Runs among the newest 200 of all directories, by state.", []string{"directory", "state"}, nil),
		records: prometheus.NewDesc("idbridge_records", "Records in the last complete listing.", []string{"directory"}, nil),
		age:     prometheus.NewDesc("idbridge_last_complete_run_age_seconds", "Age of the last complete run.", []string{"directory"}, nil),
		waiting: prometheus.NewDesc("idbridge_waiting",
			"What waits for somebody: conflicts open, records quarantined, plans held, edits pending in the outbox, steps in doubt.",
			[]string{"directory", "what"}, nil),
	}
	for i := range c.Directories {
		k.directories = append(k.directories, c.Directories[i].Name)
	}
	return k
}

// Describe names the metrics.
func (k *storeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{k.up, k.runs, k.records, k.age, k.waiting} {
		out <- d
	}
}

// Collect reads the store, within scrapeLimit.
func (k *storeCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if err := k.store.Ping(ctx); err != nil {
		gauge(k.up, 0)
		return
	}
	gauge(k.up, 1)
	for _, name := range k.directories {
		source, _, counts, err := k.store.Status(ctx, name)
		if err != nil {
			continue
		}
		gauge(k.records, float64(source.Records), name)
		if !source.Complete.IsZero() {
			gauge(k.age, k.now().Sub(source.Complete).Seconds(), name)
		}
		gauge(k.waiting, float64(counts.Conflicts), name, "conflicts")
		gauge(k.waiting, float64(counts.Quarantined), name, "quarantined")
		gauge(k.waiting, float64(counts.Held), name, "held")
		gauge(k.waiting, float64(counts.Pending), name, "pending")
		gauge(k.waiting, float64(counts.InDoubt), name, "in_doubt")
	}
	runs, err := k.store.Runs(ctx, idbridge.RunFilter{Limit: scrapeRuns})
	if err != nil {
		return
	}
	type series struct{ directory, state string }
	by := map[series]int{}
	for i := range runs {
		by[series{runs[i].Directory, string(runs[i].State)}]++
	}
	for s, n := range by {
		gauge(k.runs, float64(n), s.directory, s.state)
	}
}
