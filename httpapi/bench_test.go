package httpapi_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
)

// BenchmarkHot measures the hot routes against an empty net/http handler in the same run, over loopback with 32
// connections each, and reports requests per second and the ratio.
func BenchmarkHot(b *testing.B) {
	bed := newBed(b, func(c *httpapi.Config) { c.Log = slog.New(slog.DiscardHandler) })
	bed.person("ann", "VIEWER")
	bed.service("app", idbridge.SuperConsumer)
	empty := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	check := []byte(`{"user":` + strconv.FormatInt(int64(bed.ids["ann"]), 10) + `,"role":"VIEWER"}`)
	verify := []byte(`{"key":"` + bed.keys["ann"].Native() + `"}`)
	key := bed.keys["app"].Native()
	for b.Loop() {
		var base, c, v [2][]float64
		for range 12 { // in turns, so that a busy machine is busy for all three
			note(&base, b, empty, "/", check, key)
			note(&c, b, bed.api.Handler(), "/api/v1/check", check, key)
			note(&v, b, bed.api.Handler(), "/api/v1/keys/verify", verify, key)
		}
		b.ReportMetric(median(base[0]), "empty/s")
		b.ReportMetric(median(c[0]), "check/s")
		b.ReportMetric(median(v[0]), "verify/s")
		b.ReportMetric(median(c[0])/median(base[0]), "check-ratio")
		b.ReportMetric(median(v[0])/median(base[0]), "verify-ratio")
		// The same per second of processor time, which says more on a machine that has other work.
		b.ReportMetric(median(c[1])/median(base[1]), "check-cpu-ratio")
		b.ReportMetric(median(v[1])/median(base[1]), "verify-cpu-ratio")
	}
}

func note(into *[2][]float64, b *testing.B, h http.Handler, path string, body []byte, key string) {
	b.Helper()
	perSecond, perCPU := rate(b, h, path, body, key)
	into[0], into[1] = append(into[0], perSecond), append(into[1], perCPU)
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// cpu returns the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rate posts over 32 connections for half a second and returns requests a second, and per
// second of processor time. The client writes raw bytes, so that what
// is measured is the server.
func rate(b *testing.B, h http.Handler, path string, body []byte, key string) (perSecond, perCPU float64) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go server.Serve(l)
	defer server.Close()
	request := []byte("POST " + path + " HTTP/1.1\r\nHost: x\r\nX-API-KEY: " + key + "\r\nContent-Type: application/json\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + string(body))
	const connections, span = 32, 500 * time.Millisecond
	var wg sync.WaitGroup
	counts := make([]int, connections)
	start, used := time.Now(), cpu(b)
	for i := range connections {
		wg.Go(func() {
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			buf := make([]byte, 4096)
			for time.Since(start) < span {
				if _, err := conn.Write(request); err != nil {
					b.Error(err)
					return
				}
				if n, err := readAnswer(conn, buf); err != nil || !bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 200")) {
					b.Errorf("%v %s", err, buf[:n])
					return
				}
				counts[i]++
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(start).Seconds(), float64(total) / (cpu(b) - used).Seconds()
}

// readAnswer reads one answer: its head, and as many octets as Content-Length says.
func readAnswer(r io.Reader, buf []byte) (int, error) {
	n := 0
	for {
		m, err := r.Read(buf[n:])
		n += m
		if err != nil {
			return n, err
		}
		head := bytes.Index(buf[:n], []byte("\r\n\r\n"))
		if head < 0 {
			continue
		}
		length := 0
		if at := bytes.Index(buf[:head], []byte("Content-Length: ")); at >= 0 {
			for _, c := range buf[at+16 : head] {
				if c < '0' || c > '9' {
					break
				}
				length = length*10 + int(c-'0')
			}
		}
		if n >= head+4+length {
			return n, nil
		}
	}
}

// BenchmarkHandlers measures one request each without the network.
func BenchmarkHandlers(b *testing.B) {
	bed := newBed(b, func(c *httpapi.Config) { c.Log = slog.New(slog.DiscardHandler) })
	bed.person("ann", "VIEWER")
	bed.service("app", idbridge.SuperConsumer)
	h := bed.api.Handler()
	for name, body := range map[string]string{
		"check":       `{"user":` + strconv.FormatInt(int64(bed.ids["ann"]), 10) + `,"role":"VIEWER"}`,
		"keys/verify": `{"key":"` + bed.keys["ann"].Native() + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			w := &discard{header: http.Header{}}
			r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "/api/v1/"+name, nil)
			if err != nil {
				b.Fatal(err)
			}
			r.RemoteAddr = "127.0.0.1:9"
			r.Header.Set("X-API-KEY", bed.keys["app"].Native())
			r.Header.Set("Content-Type", "application/json")
			reader := bytes.NewReader([]byte(body))
			r.ContentLength = int64(len(body))
			for b.Loop() {
				reader.Reset([]byte(body))
				r.Body = io.NopCloser(reader)
				w.status = 200
				h.ServeHTTP(w, r)
				if w.status != 200 {
					b.Fatal(w.status)
				}
			}
		})
	}
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }
