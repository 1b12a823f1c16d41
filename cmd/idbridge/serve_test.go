package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/idbridge/idbridge/internal/testserver"
)

// lines is a log that a test may read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serve starts a daemon in-process and returns its URL; the test's end stops it and checks that it ended well.
func (b *bridge) serve() string {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var out, errs lines
	done := make(chan int, 1)
	b.swap("log: {level: warn}", "log: {level: info}")
	go func() {
		done <- run(ctx, []string{"-c", b.config, "serve"}, func(string) string { return "" }, nil, &out, &errs)
	}()
	b.t.Cleanup(func() {
		cancel()
		select {
		case code := <-done:
			if code != 0 {
				b.t.Errorf("serve ended with %d\n%s", code, errs.String())
			}
		case <-time.After(30 * time.Second):
			b.t.Error("serve does not end")
		}
	})
	const mark = "msg=serving http="
	eventually(b.t, func() bool { return strings.Contains(errs.String(), mark) }, errs.String)
	_, rest, _ := strings.Cut(errs.String(), mark)
	address, _, _ := strings.Cut(rest, " ")
	return "http://" + address
}

// eventually waits for something that has to come soon; the time is a bound for the suite, not a measurement.
func eventually(t *testing.T, ok func() bool, why func() string) {
	t.Helper()
	for range 600 {
		if ok() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("did not happen: " + why())
}

// call makes one request with a key and returns status and JSON body.
func call(t *testing.T, key, method, url, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("X-Api-Key", key)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatalf("%s %s: %v\n%s", method, url, err, text)
		}
	}
	return resp.StatusCode, out
}

// TestServe: the daemon imports by itself, answers, brings an edit to slapd without a run, obeys commands given beside
// it, and refuses a key on the very next request.
func TestServe(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(50, "p000", "p001")})
		b := newBridge(t, slapd, url, settings{})
		b.sync(0)
		admin := strings.TrimSpace(b.must(0, "key", "new", "p000"))
		key := strings.TrimSpace(b.must(0, "key", "new", "p010"))
		api := b.serve() + "/api/v1"
		t.Cleanup(http.DefaultClient.CloseIdleConnections)

		if status, who := call(t, key, "GET", api+"/whoami", ""); status != 200 || !strings.Contains(mustJSON(t, who), `"p010"`) {
			t.Fatalf("whoami: %d %v", status, who)
		}
		runs := b.must(0, "-o", "json", "status")
		if status, me := call(t, key, "PATCH", api+"/me", `{"phone":"+44 7700 900123"}`); status != 200 {
			t.Fatalf("PATCH /me: %d %v", status, me)
		}
		eventually(t, func() bool {
			text, err := slapd.Search(personDN("p010"), "(objectClass=*)", "telephoneNumber")
			return err == nil && strings.Contains(text, "+44 7700 900123")
		}, func() string { return "the edit in slapd" })
		if now := b.must(0, "-o", "json", "status"); lastFull(t, now) != lastFull(t, runs) {
			t.Errorf("the edit took a full run to arrive\n%s\n%s", runs, now)
		}

		check := func(user string) bool {
			status, answer := call(t, admin, "POST", api+"/check", `{"user":"`+user+`","role":"ADMIN"}`)
			if status != 200 {
				t.Fatalf("check: %d %v", status, answer)
			}
			return answer["allowed"] == true
		}
		if !check("p001") {
			t.Error("p001 is no administrator")
		}
		if url == "" { // SQLite has one owner: a second daemon says so and leaves everything as it is
			b.says(75, []string{"another process has the store open", "stop that one"}, "serve")
			if status, _ := call(t, key, "GET", api+"/whoami", ""); status != 200 {
				t.Errorf("after a second daemon came by: %d", status)
			}
		}
		if url == "" { // on PostgreSQL the daemon leads, and a run beside it is refused
			b.modify("dn: " + adminGroup + "\nchangetype: modify\ndelete: member\nmember: " + personDN("p001") + "\n\n")
			b.must(0, "sync", "--once")
			if check("p001") {
				t.Error("the check after the run still says yes")
			}
		} else {
			b.must(75, "sync", "--once")
		}

		b.must(0, "user", "suspend", "p010", "--reason", "lost badge")
		if url == "" {
			if status, _ := call(t, key, "GET", api+"/whoami", ""); status != 401 {
				t.Errorf("a suspended user's key gives %d", status)
			}
		} else { // another process suspended: the daemon hears of it within a second
			eventually(t, func() bool {
				status, _ := call(t, key, "GET", api+"/whoami", "")
				return status == 401
			}, func() string { return "refusal of a suspended user's key" })
		}
		b.must(0, "user", "resume", "p010")
	})
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// lastFull returns when the last complete listing was.
func lastFull(t *testing.T, status string) string {
	t.Helper()
	var s struct {
		Directories []struct {
			Complete string `json:"lastComplete"`
		}
	}
	if err := json.Unmarshal([]byte(status), &s); err != nil || len(s.Directories) != 1 {
		t.Fatalf("%v: %s", err, status)
	}
	return s.Directories[0].Complete
}
