package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
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
