package publish_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/publish"
)

// imaging is a target as it should be, with what a test changes of it. by is METHOD PATH.
func imaging(t *testing.T, change map[string]http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	answers := map[string]string{
		"GET /api/user": `{"id":1,"username":"root","administrator":true,"roles":["ADMIN"]}`, "GET /api/": `{"apiVersion":"2.0.0","castVersion":null}`,
		"POST /api/v1/publish/verify": `{"status":"success","user":"root","admin":true}`,
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		by := r.Method + " " + r.URL.Path
		if f := change[by]; f != nil {
			f(w, r)
			return
		}
		_, _ = io.WriteString(w, answers[by])
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	return server, &asked
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = io.WriteString(w, body) }
}

func keyTarget(address string) *publish.Target {
	return &publish.Target{URL: address, Form: publish.KeyForm, APIKey: idbridge.NewSecret("SECRETKEY.0123456789")}
}

func passwordTarget(t *testing.T, address string) *publish.Target {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return &publish.Target{
		URL: address, Form: publish.PasswordForm, Username: "root", Password: idbridge.NewSecret("S3CRET"), ETLPort: port, ETLToken: idbridge.NewSecret("ETLTOKEN"),
	}
}

func TestReasons(t *testing.T) {
	flood := func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			if _, err := io.WriteString(w, strings.Repeat(" ", 1<<10)); err != nil {
				return
			}
		}
	}
	elsewhere := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/api/", http.StatusFound) }
	for name, c := range map[string]struct {
		change map[string]http.HandlerFunc
		want   publish.Reason
		says   string
	}{
		"good":                  {nil, "", ""},
		"base path":             {nil, "", ""},
		"401":                   {map[string]http.HandlerFunc{"GET /api/user": says(401, `{"error":"unauthorized"}`)}, publish.Unauthorized, `401 Unauthorized: {"error":"unauthorized"}`},
		"403":                   {map[string]http.HandlerFunc{"GET /api/user": says(403, `[{"error":"forbidden"}]`)}, publish.Forbidden, `403 Forbidden: [{"error":"forbidden"}]`},
		"403 later":             {map[string]http.HandlerFunc{"GET /api/": says(403, ``)}, publish.Forbidden, `403 Forbidden: `},
		"404":                   {map[string]http.HandlerFunc{"GET /api/user": says(404, ``)}, publish.NotImaging, `404 Not Found: `},
		"500":                   {map[string]http.HandlerFunc{"GET /api/user": says(500, `oops`)}, publish.Unreachable, `500 Internal Server Error: oops`},
		"503 later":             {map[string]http.HandlerFunc{"GET /api/": says(503, ``)}, publish.Unreachable, `503 Service Unavailable: `},
		"no administrator":      {map[string]http.HandlerFunc{"GET /api/user": says(200, `{"username":"x","administrator":false,"roles":["ADMIN"]}`)}, publish.NotAdmin, ""},
		"not said, role":        {map[string]http.HandlerFunc{"GET /api/user": says(200, `{"username":"x","roles":["ADMIN"]}`)}, "", ""},
		"not said, no role":     {map[string]http.HandlerFunc{"GET /api/user": says(200, `{"username":"x","roles":["VIEWER"]}`)}, publish.NotAdmin, ""},
		"HTML":                  {map[string]http.HandlerFunc{"GET /api/user": says(200, `<!doctype html>`)}, publish.NotImaging, ""},
		"array":                 {map[string]http.HandlerFunc{"GET /api/user": says(200, `[]`)}, publish.NotImaging, ""},
		"empty":                 {map[string]http.HandlerFunc{"GET /api/user": says(200, ``)}, publish.NotImaging, ""},
		"nobody":                {map[string]http.HandlerFunc{"GET /api/user": says(200, `{}`)}, publish.NotImaging, ""},
		"two members":           {map[string]http.HandlerFunc{"GET /api/user": says(200, `{"username":"x","administrator":false,"administrator":true}`)}, publish.NotImaging, ""},
		"redirect":              {map[string]http.HandlerFunc{"GET /api/user": elsewhere}, publish.NotImaging, ""},
		"redirect later":        {map[string]http.HandlerFunc{"GET /api/": elsewhere}, publish.NotImaging, ""},
		"flood":                 {map[string]http.HandlerFunc{"GET /api/user": flood}, publish.NotImaging, "an answer of more than 64 KiB"},
		"license invalid":       {map[string]http.HandlerFunc{"GET /api/": says(200, `{"apiVersion":"2.0.0","licenseValid":false}`)}, publish.LicenseInvalid, ""},
		"license valid":         {map[string]http.HandlerFunc{"GET /api/": says(200, `{"apiVersion":"2.0.0","licenseValid":true}`)}, "", ""},
		"no version":            {map[string]http.HandlerFunc{"GET /api/": says(200, `{}`)}, publish.NotImaging, ""},
		"verify says 403":       {map[string]http.HandlerFunc{"POST /api/v1/publish/verify": says(403, `{"error":"forbidden"}`)}, publish.Forbidden, ""},
		"verify says no admin":  {map[string]http.HandlerFunc{"POST /api/v1/publish/verify": says(200, `{"status":"success","admin":false}`)}, publish.NotAdmin, ""},
		"verify says something": {map[string]http.HandlerFunc{"POST /api/v1/publish/verify": says(200, `{"status":"failure"}`)}, publish.NotImaging, ""},
	} {
		server, asked := imaging(t, c.change)
		server.Start()
		tester := publish.NewTester(publish.TesterConfig{Loopback: true})
		for _, target := range []*publish.Target{keyTarget(server.URL), passwordTarget(t, server.URL)} {
			if target.Form == publish.KeyForm && strings.HasPrefix(name, "verify") {
				continue
			}
			reason, answered := tester.Test(t.Context(), target)
			if reason != c.want || c.says != "" && answered != c.says || reason == "" && answered != "" {
				t.Errorf("%s %s: %q %q", name, target.Form, reason, answered)
			}
		}
		if asked.Load() == 0 {
			t.Errorf("%s: nothing was asked", name)
		}
	}
}

func TestWhatIsSent(t *testing.T) {
	var seen []string
	note := func(w http.ResponseWriter, r *http.Request, body string) {
		seen = append(seen, fmt.Sprintf("%s %s %s%s%d", r.Method, r.URL.Path, r.Header["X-Api-Key"], r.Header["Authorization"], len(r.Header["Cookie"])))
		w.Header().Add("Set-Cookie", "a=b")
		_, _ = io.WriteString(w, body)
	}
	server, _ := imaging(t, map[string]http.HandlerFunc{
		"GET /base/api/user":          func(w http.ResponseWriter, r *http.Request) { note(w, r, `{"username":"r","administrator":true}`) },
		"GET /base/api/":              func(w http.ResponseWriter, r *http.Request) { note(w, r, `{"apiVersion":"1"}`) },
		"POST /api/v1/publish/verify": func(w http.ResponseWriter, r *http.Request) { note(w, r, `{"status":"success"}`) },
	})
	server.Start()
	tester := publish.NewTester(publish.TesterConfig{Loopback: true})
	for _, target := range []*publish.Target{keyTarget(server.URL), passwordTarget(t, server.URL)} {
		target.URL += "/base"
		if reason, answered := tester.Test(t.Context(), target); reason != "" {
			t.Errorf("%s %s", reason, answered)
		}
	}
	want := "GET /base/api/user [SECRETKEY.0123456789][]0; GET /base/api/ [SECRETKEY.0123456789][]0; " +
		"GET /base/api/user [][Basic cm9vdDpTM0NSRVQ=]0; GET /base/api/ [][Basic cm9vdDpTM0NSRVQ=]0; POST /api/v1/publish/verify [][Bearer ETLTOKEN]0"
	if got := strings.Join(seen, "; "); got != want {
		t.Errorf("sent\n%s\nwant\n%s", got, want)
	}
}

func TestSecretsThatAreEchoed(t *testing.T) {
	server, _ := imaging(t, map[string]http.HandlerFunc{"GET /api/user": func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(403)
		_, _ = io.WriteString(w, "you sent "+r.Header.Get("X-API-KEY"))
	}})
	server.Start()
	_, answered := publish.NewTester(publish.TesterConfig{Loopback: true}).Test(t.Context(), keyTarget(server.URL))
	if answered != "403 Forbidden: you sent ***" {
		t.Error(answered)
	}
}

func TestTLS(t *testing.T) {
	server, _ := imaging(t, nil)
	server.StartTLS()
	if reason, _ := publish.NewTester(publish.TesterConfig{Loopback: true}).Test(t.Context(), keyTarget(server.URL)); reason != publish.TLS {
		t.Errorf("an unknown authority: %q", reason)
	}
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	if reason, said := publish.NewTester(publish.TesterConfig{Loopback: true, Roots: roots}).Test(t.Context(), keyTarget(server.URL)); reason != "" {
		t.Errorf("a known authority: %q %s", reason, said)
	}
	plain, _ := imaging(t, nil)
	plain.Start()
	if reason, _ := publish.NewTester(publish.TesterConfig{Loopback: true}).Test(t.Context(), keyTarget(strings.Replace(plain.URL, "http", "https", 1))); reason != publish.TLS {
		t.Errorf("no TLS: %q", reason)
	}
	old, _ := imaging(t, nil)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10} // what must be refused
	old.StartTLS()
	if reason, _ := publish.NewTester(publish.TesterConfig{Loopback: true, Roots: roots}).Test(t.Context(), keyTarget(old.URL)); reason != publish.TLS {
		t.Errorf("old TLS: %q", reason)
	}
}

func TestSlowAndGone(t *testing.T) {
	release := make(chan struct{})
	hang := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	drip := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"username":`)
		_ = http.NewResponseController(w).Flush()
		hang(w, r)
	}
	for name, f := range map[string]http.HandlerFunc{"silent": hang, "drip": drip} {
		server, _ := imaging(t, map[string]http.HandlerFunc{"GET /api/user": f})
		server.Start()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond) // as the tester's own limit, and shorter
		reason, _ := publish.NewTester(publish.TesterConfig{Loopback: true}).Test(ctx, keyTarget(server.URL))
		cancel()
		if reason != publish.Unreachable {
			t.Errorf("%s: %q", name, reason)
		}
	}
	close(release)
	server, _ := imaging(t, nil)
	server.Start()
	server.Close()
	if reason, _ := publish.NewTester(publish.TesterConfig{Loopback: true}).Test(t.Context(), keyTarget(server.URL)); reason != publish.Unreachable {
		t.Errorf("gone: %q", reason)
	}
}

// names is a name server that gives every name one address.
func names(t *testing.T, to netip.Addr) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(resolved(buf[:n], to), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// resolved answers a question of DNS (RFC 1035): the address when its type is asked for, else nothing.
func resolved(question []byte, to netip.Addr) []byte {
	end := 12
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	kind := binary.BigEndian.Uint16(question[end+1:])
	out := append([]byte{}, question[:end+5]...)
	copy(out[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	raw := to.AsSlice()
	if (kind == 1) == to.Is4() && (kind == 1 || kind == 28) {
		out[7] = 1
		out = append(out, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 60, 0, byte(len(raw)))
		out = append(out, raw...)
	}
	return out
}

func TestAddressesThatAreNotDialled(t *testing.T) {
	server, asked := imaging(t, nil)
	server.Start()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{
		"127.0.0.1", "127.9.9.9", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "0.1.2.3", "169.254.169.254", "169.254.1.1", "[fe80::1]",
		"[fd00:ec2::254]", "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1", "[ff02::1]", "255.255.255.255", "2130706433",
		"[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[::127.0.0.1]", "0x7f000001", "127.1",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		reason, answered := publish.NewTester(publish.TesterConfig{}).Test(ctx, keyTarget("http://"+host+":"+u.Port()))
		cancel()
		if reason != publish.Unreachable || !strings.Contains(answered, "may not be dialled") && !strings.Contains(answered, "no such host") && !strings.Contains(answered, "lookup") {
			t.Errorf("%s: %q %s", host, reason, answered)
		}
	}
	for _, address := range []string{"169.254.169.254", "127.0.0.1", "fe80::1", "::1", "100.100.100.200"} {
		tester := publish.NewTester(publish.TesterConfig{Names: names(t, netip.MustParseAddr(address))})
		reason, answered := tester.Test(t.Context(), keyTarget("http://imaging.example.org:"+u.Port()))
		if reason != publish.Unreachable || !strings.Contains(answered, "may not be dialled") {
			t.Errorf("a name of %s: %q %s", address, reason, answered)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("%d requests got through", asked.Load())
	}
	// With loopback allowed the name leads there, and link-local stays forbidden.
	tester := publish.NewTester(publish.TesterConfig{Loopback: true, Names: names(t, netip.MustParseAddr("127.0.0.1"))})
	if reason, answered := tester.Test(t.Context(), keyTarget("http://imaging.example.org:"+u.Port())); reason != "" {
		t.Errorf("%q %s", reason, answered)
	}
	tester = publish.NewTester(publish.TesterConfig{Loopback: true})
	if _, answered := tester.Test(t.Context(), keyTarget("http://169.254.169.254")); !strings.Contains(answered, "may not be dialled") {
		t.Error(answered)
	}
}

func TestNoProxyIsUsed(t *testing.T) {
	server, asked := imaging(t, nil)
	server.Start()
	t.Setenv("HTTP_PROXY", server.URL)
	t.Setenv("http_proxy", server.URL)
	if _, answered := publish.NewTester(publish.TesterConfig{Loopback: true}).Test(t.Context(), keyTarget("http://169.254.169.254")); !strings.Contains(answered, "may not be dialled") || asked.Load() != 0 {
		t.Error(answered)
	}
}
