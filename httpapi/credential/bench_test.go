package credential_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

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

// BenchmarkStoredKey and BenchmarkCookie are the same over the real store, on a cache hit.
func BenchmarkStoredKey(b *testing.B) {
	h := newHome(b)
	h.repeat(b, "X-Api-Key", h.keys["ann"].Native())
}

func BenchmarkCookie(b *testing.B) {
	h := newHome(b)
	cookies, _ := h.in(rest(), "Authorization", basic("ann", "pw-ann"))
	h.repeat(b, "Cookie", cookies)
}

func BenchmarkToken(b *testing.B) {
	h := newHome(b)
	who := h.admits("ann", request("X-Api-Key", h.keys["ann"].Plain()), rest())
	one, _, err := h.res.Start(request(), &who, credential.ControlSessions, false)
	if err != nil {
		b.Fatal(err)
	}
	text, err := h.tokens.Mint(h.ctx, h.ids["ann"], one.ID)
	if err != nil {
		b.Fatal(err)
	}
	h.repeat(b, "X-Authorization", text.Reveal())
}

func (h *home) repeat(b *testing.B, headers ...string) {
	r, s, from := request(headers...), rest(), netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.res.ResolveAt(r, &s, from, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
