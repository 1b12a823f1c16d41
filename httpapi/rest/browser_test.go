package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/remote"

	"github.com/idbridge/idbridge/internal/testserver"
)

// visit is a request as the server saw it, and its answer.
type visit struct {
	what   string // METHOD path
	site   string // Sec-Fetch-Site
	cookie bool   // the session cookie came with it
	status int
}

// witness is the server of a bed, with a word about every request below /rest.
func witness(t *testing.T, b *bed) (*httptest.Server, chan visit) {
	t.Helper()
	seen := make(chan visit, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner := httptest.NewRecorder()
		b.handler.ServeHTTP(inner, r)
		for name, values := range inner.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(inner.Code)
		_, _ = w.Write(inner.Body.Bytes())
		if strings.HasPrefix(r.URL.Path, "/rest") {
			_, err := r.Cookie("idbridge_rest")
			seen <- visit{r.Method + " " + r.URL.Path, r.Header.Get("Sec-Fetch-Site"), err == nil, inner.Code}
		}
	}))
	t.Cleanup(server.Close)
	return server, seen
}

// browser is a tab of a real browser.
type browser struct {
	t    *testing.T
	ctx  context.Context // chromedp keeps the tab in it
	seen chan visit
}

func (w *browser) open(address string) {
	w.t.Helper()
	var err error
	for range 50 { // the page before may still be on its way, and crosses this one
		if err = chromedp.Do(w.ctx, chromedp.Navigate(address)); err == nil || !strings.Contains(err.Error(), "ERR_ABORTED") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		w.t.Fatalf("%s: %v", address, err)
	}
}

func (w *browser) text(script string) string {
	w.t.Helper()
	got, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatalf("%s: %v", script, err)
	}
	return got
}

// saw waits for the server to have seen exactly that next.
func (w *browser) saw(want visit) {
	w.t.Helper()
	select {
	case got := <-w.seen:
		if got != want {
			w.t.Errorf("the server saw %+v, want %+v", got, want)
		}
	case <-w.ctx.Done():
		w.t.Fatalf("the server never saw %+v", want)
	}
}

const fetched = `fetch(%q, %s).then(async r => r.status + " " + await r.text(), e => "blocked")`

// TestBrowser holds the rules of cookies, CSRF and other sites in the browser that makes them.
func TestBrowser(t *testing.T) {
	b := newBed(t)
	b.person("jdoe")
	server, seen := witness(t, b)
	here := "http://localhost:" + port(t, server.URL)
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>elsewhere</title>")
	}))
	t.Cleanup(pages.Close)
	elsewhere := map[string]string{ // a page of another site, and one of another origin of the same site
		"cross-site": "http://evil.localhost:" + port(t, pages.URL), "same-site": "http://localhost:" + port(t, pages.URL),
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ctx, cancel = remote.NewAllocator(ctx, testserver.Chromium(t).URL)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	w := &browser{t, ctx, seen}
	w.signsIn(here)
	for site, page := range elsewhere {
		w.isTempted(here, site, page)
	}
	w.becomesAdministrator(here)
	w.signsOut()
}

// signsIn: Basic once, the cookie from then on, out of the reach of scripts.
func (w *browser) signsIn(here string) {
	t := w.t
	t.Helper()
	w.open(here + "/livez")
	if got := w.text(fmt.Sprintf(fetched, "/rest/user", fmt.Sprintf(`{headers: {Authorization: %q}}`, basic("jdoe", "pw-jdoe")))); !strings.HasPrefix(got, `200 {"href":"user","name":"jdoe"`) {
		t.Fatal(got)
	}
	w.saw(visit{"GET /rest/user", "same-origin", false, 200})
	if jar := w.text(`document.cookie`); !strings.HasPrefix(jar, "XSRF-TOKEN=") || strings.Contains(jar, "idbridge") {
		t.Errorf("scripts see %q", jar)
	}
	if got := w.text(fmt.Sprintf(fetched, "/rest/ping", "{}")); got != `200 "pong"` {
		t.Errorf("the cookie alone: %s", got)
	}
	w.saw(visit{"GET /rest/ping", "same-origin", true, 200})
	if got := w.text(fmt.Sprintf(fetched, "/rest/ping", `{headers: {"X-XSRF-TOKEN": document.cookie.split("=")[1]}}`)); got != `200 "pong"` {
		t.Errorf("the echo: %s", got)
	}
	w.saw(visit{"GET /rest/ping", "same-origin", true, 200})
	if got := w.text(fmt.Sprintf(fetched, "/rest/ping", `{headers: {"X-XSRF-TOKEN": "0"}}`)); got != `403 {"error":"forbidden"}` {
		t.Errorf("a wrong echo: %s", got)
	}
	w.saw(visit{"GET /rest/ping", "same-origin", true, 403})
}

// isTempted: what a page of another origin tries comes to nothing.
func (w *browser) isTempted(here, site, page string) {
	t := w.t
	t.Helper()
	for _, path := range []string{"/rest/user/logout", "/rest/user/login"} { // the cookie goes with a link that is followed, so the site must decide
		w.open(page)
		w.text(fmt.Sprintf(`location.href = %q, ""`, here+path))
		w.saw(visit{"GET " + path, site, true, 403})
	}
	w.open(page)
	w.text(fmt.Sprintf(`new Promise(done => { const i = new Image(); i.onload = i.onerror = () => done(""); i.src = %q })`, here+"/rest/logout"))
	w.saw(visit{"GET /rest/logout", site, site == "same-site", 403})
	if got := w.text(fmt.Sprintf(fetched, here+"/rest/user/admin-role", `{method: "PUT", credentials: "include"}`)); got != "blocked" {
		t.Errorf("%s: PUT %s", site, got)
	}
	w.saw(visit{"OPTIONS /rest/user/admin-role", site, false, 405}) // the browser asks first, and is told no
	if got := w.text(fmt.Sprintf(fetched, here+"/rest/user", `{credentials: "include"}`)); got != "blocked" {
		t.Errorf("%s: reads %s", site, got)
	}
	if got := <-w.seen; got.what != "GET /rest/user" {
		t.Errorf("%+v", got)
	}
}

// becomesAdministrator: by a page of ours, with a new session.
func (w *browser) becomesAdministrator(here string) {
	t := w.t
	t.Helper()
	w.open(here + "/livez")
	if got := w.text(fmt.Sprintf(fetched, "/rest/user/admin-role", "{}")); got != `200 {"href":"user/admin-role","exists":false,"securityMode":"default"}` {
		t.Errorf("after all that: %s", got)
	}
	w.saw(visit{"GET /rest/user/admin-role", "same-origin", true, 200})
	if got := w.text(fmt.Sprintf(fetched, "/rest/user/admin-role", `{method: "PUT"}`)); got != `200 {"href":"user/admin-role","exists":true,"securityMode":"default"}` {
		t.Errorf("the first administrator: %s", got)
	}
	w.saw(visit{"PUT /rest/user/admin-role", "same-origin", true, 200})
	if got := w.text(fmt.Sprintf(fetched, "/rest/user", "{}")); !strings.Contains(got, `"administrator":true`) {
		t.Errorf("with the new session: %s", got)
	}
	w.saw(visit{"GET /rest/user", "same-origin", true, 200})
}

// signsOut: a 401 that offers Basic makes a browser ask its user, so the script is not answered; the cookies are gone all the
// same.
func (w *browser) signsOut() {
	t := w.t
	t.Helper()
	w.text(`window.left = new AbortController(), fetch("/rest/user/logout", {signal: left.signal}).catch(() => 0), ""`)
	w.saw(visit{"GET /rest/user/logout", "same-origin", true, 401})
	jar := w.text(`document.cookie`)
	for range 100 {
		if jar == "" {
			break
		}
		time.Sleep(20 * time.Millisecond)
		jar = w.text(`document.cookie`)
	}
	if jar != "" {
		t.Errorf("after the logout scripts see %q", jar)
	}
	w.text(`left.abort(), fetch("/rest/user", {signal: AbortSignal.timeout(1000)}).catch(() => 0), ""`)
	w.saw(visit{"GET /rest/user", "same-origin", false, 401})
}
