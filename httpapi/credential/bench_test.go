package credential_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"testing"

	"github.com/idbridge/idbridge/httpapi/credential"
)

// BenchmarkKey is the hot path: a good key in X-API-KEY.
func BenchmarkKey(b *testing.B) {
	bed := newBed(b)
	h := http.Header{"X-Api-Key": {bed.keys["ann"].Native()}, "User-Agent": {"x"}, "Content-Type": {"application/json"}}
	from := netip.MustParseAddr("192.0.2.1")
	r := &http.Request{Header: h, Method: http.MethodPost, URL: &url.URL{Path: "/"}, Host: "id.example.org"}
	surface := credential.Native()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bed.res.ResolveAt(r, &surface, from, bed.now); err != nil {
			b.Fatal(err)
		}
	}
}
