package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
)

type moved struct {
	Revision int64
	Changes  []idbridge.Move
}

func (a *answer) moved() moved {
	a.t.Helper()
	var m moved
	if err := json.Unmarshal([]byte(a.want(200).body), &m); err != nil {
		a.t.Fatal(err)
	}
	return m
}

func (b *bed) revision() int64 {
	b.t.Helper()
	n, err := b.store.Revision(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func TestPollForChanges(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(...func(*httpapi.Config)) *bed) {
		b := open()
		ann := b.person("ann")
		b.service("app", idbridge.SuperConsumer)
		now := b.revision()
		if m := b.as("app", "GET", "/api/v1/changes", "").moved(); m.Revision != now || len(m.Changes) != 0 {
			t.Errorf("%+v at %d", m, now)
		}
		quiet := b.as("app", "GET", fmt.Sprintf("/api/v1/changes?since=%d", now), "")
		if m := quiet.moved(); m.Revision != now || len(m.Changes) != 0 {
			t.Errorf("%+v at %d", m, now)
		}
		b.as("app", "GET", fmt.Sprintf("/api/v1/changes?since=%d", now), "", "If-None-Match", quiet.header.Get("ETag")).want(304)
		b.as("app", "GET", fmt.Sprintf("/api/v1/changes?since=%d&wait=1", now), "", "If-None-Match", quiet.header.Get("ETag")).want(304)
		waited := make(chan moved, 1)
		go func() { waited <- b.as("app", "GET", fmt.Sprintf("/api/v1/changes?since=%d&wait=30", now), "").moved() }()
		if err := b.store.GrantRole(t.Context(), ann, "VIEWER", "Wiki", "test"); err != nil {
			t.Fatal(err)
		}
		m := <-waited
		if len(m.Changes) == 0 || m.Revision <= now {
			t.Fatalf("%+v", m)
		}
		if c := m.Changes[0]; c.Kind != idbridge.MoveGrant || c.User != ann || c.Role != "VIEWER" || c.Application != "Wiki" || c.Revision <= now {
			t.Errorf("%+v", c)
		}
		if again := b.as("app", "GET", fmt.Sprintf("/api/v1/changes?since=%d", m.Revision), "").moved(); len(again.Changes) != 0 {
			t.Errorf("seen twice: %+v", again)
		}
		b.as("app", "GET", fmt.Sprintf("/api/v1/changes?since=%d", m.Revision+1000), "").problem(410, "since-too-old")
		for _, query := range []string{"?since=x", "?since=-1", "?wait=31", "?wait=1.5", "?more=1"} {
			b.as("app", "GET", "/api/v1/changes"+query, "").problem(422, "invalid")
		}
		b.as("app", "GET", "/api/v1/changes?since=1&since=2", "").problem(400, "malformed")
	})
}

// events reads a stream and hands on each event: its id and its data.
func (b *bed) events(ctx context.Context, path string, headers ...string) <-chan [2]string {
	b.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+path, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("X-API-KEY", b.keys["app"].Plain())
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.client.Do(req) //nolint:bodyclose // below, when the stream ends
	if err != nil {
		b.t.Fatal(err)
	}
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		b.t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	out := make(chan [2]string, 1000)
	go func() {
		defer close(out)
		defer res.Body.Close()
		var event [2]string
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			line := lines.Text()
			switch {
			case strings.HasPrefix(line, "id: "):
				event[0] = line[4:]
			case strings.HasPrefix(line, "data: "):
				event[1] = line[6:]
			case line == "" && event[0] != "":
				out <- event
				event = [2]string{}
			}
		}
	}()
	return out
}

func take(t *testing.T, from <-chan [2]string) [2]string {
	t.Helper()
	select {
	case e, ok := <-from:
		if !ok {
			t.Fatal("the stream ended")
		}
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no event")
	}
	return [2]string{}
}

// TestStreamResumes: whoever goes on after the last event that he got sees every revision once, also at another server.
func TestStreamResumes(t *testing.T) {
	b := newBed(t)
	ann := b.person("ann")
	b.service("app", idbridge.SuperConsumer)
	since := b.revision()
	grant := func(i int) {
		if err := b.store.GrantRole(t.Context(), ann, idbridge.Role(fmt.Sprintf("R%02d", i)), "", "test"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := b.events(ctx, fmt.Sprintf("/api/v1/changes?since=%d", since))
	var roles []string
	last := ""
	note := func(e [2]string) {
		var m moved
		if err := json.Unmarshal([]byte(e[1]), &m); err != nil || fmt.Sprint(m.Revision) != e[0] {
			t.Fatalf("%q: %v", e, err)
		}
		for _, c := range m.Changes {
			if c.Kind == idbridge.MoveGrant {
				roles = append(roles, string(c.Role))
			}
		}
		last = e[0]
	}
	for i := range 5 {
		grant(i)
		note(take(t, first))
	}
	cancel()
	for range first { // until it is closed
	}
	for i := 5; i < 10; i++ {
		grant(i)
	}
	other := newBed(t, func(c *httpapi.Config) { c.Store = b.store })
	other.keys["app"] = b.keys["app"]
	second, cancel2 := context.WithCancel(t.Context())
	defer cancel2()
	rest := other.events(second, "/api/v1/changes?since=0", "Last-Event-ID", last)
	for range 5 {
		note(take(t, rest))
	}
	if got := strings.Join(roles, " "); got != "R00 R01 R02 R03 R04 R05 R06 R07 R08 R09" {
		t.Error(got)
	}
	// It ends when the caller may no longer see it.
	if err := b.store.RevokeRole(t.Context(), b.ids["app"], idbridge.SuperConsumer, "", "test"); err != nil {
		t.Fatal(err)
	}
	for range rest { // until it is closed
	}
	b.as("app", "GET", "/api/v1/changes", "", "Accept", "text/event-stream").problem(403, "forbidden")
}

func TestStreamEndsWithItsKey(t *testing.T) {
	b := newBed(t)
	b.service("app", idbridge.SuperConsumer)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events := b.events(ctx, "/api/v1/changes")
	if err := b.store.RevokeKey(t.Context(), b.keys["app"].ID(), "test", "test"); err != nil {
		t.Fatal(err)
	}
	for e := range events {
		t.Errorf("%q", e)
	}
	if ctx.Err() != nil {
		t.Error("it ended by itself, or not at all")
	}
}

func TestWaitersAreCounted(t *testing.T) {
	b := newBed(t)
	b.service("app", idbridge.SuperConsumer)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 20 {
		b.events(ctx, "/api/v1/changes")
	}
	if a := b.as("app", "GET", "/api/v1/changes", ""); a.header.Get("Retry-After") == "" {
		t.Errorf("%d", a.status)
	} else {
		a.problem(429, "rate-limited")
	}
	b.as("app", "GET", "/api/v1/whoami", "").want(200)
}
