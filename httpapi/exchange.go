package httpapi

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/facade"
)

// exchange is one request and its answer while it is served: what the log line, the metric and the problem need. It is
// the ResponseWriter that handlers see.
type exchange struct {
	http.ResponseWriter
	id      string
	route   string // pattern, never the path
	who     credential.Caller
	from    netip.Addr
	started time.Time
	status  int
	octets  int64
	cause   error // of a problem, for the log
	hot     bool
	dialect dialect
	good    prometheus.Observer // of the hot route's good answers
	facade  facade.Facade       // whose route it is; nil for the API's own
}

// WriteHeader notes the status.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= http.StatusOK {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write counts the octets.
func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(b)
	x.octets += int64(n)
	return n, err //nolint:wrapcheck // a ResponseWriter hands the connection's error on
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }
