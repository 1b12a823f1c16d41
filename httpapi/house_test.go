package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/httpapi"
)

// house stands for what the daemon does for the API: it decides plans in the real store, and says what a test told it.
type house struct {
	mu          sync.Mutex
	store       *authstore.Store
	lead        idbridge.Lead
	err         error
	state       idbridge.RunState // of runs that apply plans
	stale       []string
	explanation idbridge.Explanation
	health      []idbridge.Health
	next        time.Time
	undo        idbridge.Plan
	calls       []string
}

// furnish lets the bed's API use the house.
func (h *house) furnish(c *httpapi.Config) {
	c.Explainer, c.Planner, c.Doctor, c.Timetable = h, h, h, h
}

// movesInto gives the house the store of a bed.
func (h *house) movesInto(b *bed) *bed {
	h.store, h.lead = b.store, b.lead
	return b
}

func (h *house) say(format string, args ...any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, fmt.Sprintf(format, args...))
	return h.err
}

func (h *house) said() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := strings.Join(h.calls, "; ")
	h.calls = nil
	return out
}

func (h *house) Next(string) time.Time { return h.next }

func (h *house) Explain(_ context.Context, user idbridge.UserID) (idbridge.Explanation, error) {
	err := h.say("explain %d", user)
	e := h.explanation
	e.User = user
	return e, err
}

func (h *house) Health(context.Context) ([]idbridge.Health, error) { return h.health, h.err }

func (h *house) Approve(ctx context.Context, hash, by string) (httpapi.Applied, error) {
	if err := h.say("approve %s by %s", hash, by); err != nil {
		return httpapi.Applied{}, err
	}
	run := idbridge.Run{Directory: "corp", Kind: idbridge.ApplyRun, Author: by, Started: time.Now(), Epoch: h.lead.Epoch, Plan: hash}
	var err error
	if run.ID, err = h.store.BeginRun(ctx, run); err != nil {
		return httpapi.Applied{}, err
	}
	if err := h.store.ClosePlan(ctx, hash, idbridge.PlanApplied, by); err != nil {
		return httpapi.Applied{}, err
	}
	run.State = h.state
	if run.State != idbridge.RunRunning {
		run.Counts = idbridge.Counts{Seen: 2, Updated: 2, Suspended: 3}
		if err := h.store.EndRun(ctx, h.lead, run, nil); err != nil {
			return httpapi.Applied{}, err
		}
	}
	return httpapi.Applied{Run: run, Stale: h.stale}, nil
}

func (h *house) Discard(ctx context.Context, hash, by string) error {
	if err := h.say("discard %s by %s", hash, by); err != nil {
		return err
	}
	return h.store.ClosePlan(ctx, hash, idbridge.PlanDiscarded, by)
}

func (h *house) Undo(ctx context.Context, run idbridge.RunID, by string) (idbridge.Plan, error) {
	if err := h.say("undo %d by %s", run, by); err != nil {
		return idbridge.Plan{}, err
	}
	p := h.undo
	p.Undoes = run
	if p.Hash == "" {
		return p, nil
	}
	return p, h.store.SavePlan(ctx, p, func(func(idbridge.Decision, error) bool) {})
}

var (
	moments = regexp.MustCompile(`"20\d\d-[0-9T:.+-]+Z?"`)
	epochs  = regexp.MustCompile(`"took":\d+`)
)

// wordless reads a body and leaves out the lines of decisions, which package plan words and tests.
func wordless(t testing.TB, body []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	if m, ok := v.(map[string]any); ok {
		items, _ := m["items"].([]any)
		for i := range items {
			if item, ok := items[i].(map[string]any); ok {
				delete(item, "lines")
			}
		}
	}
	return v
}

// example holds an answer against the example in the document, times apart. With UPDATE_GOLDEN it is written.
func (a *answer) example(operation string) *answer {
	a.t.Helper()
	text := moments.ReplaceAllString(a.body, `"2026-11-21T14:15:00Z"`)
	text = epochs.ReplaceAllString(text, `"took":4100000000`)
	var got bytes.Buffer
	if err := json.Indent(&got, []byte(text), "", "  "); err != nil {
		a.t.Fatal(err)
	}
	file := filepath.Join("examples", operation+".json")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		a.t.Fatal(err)
	}
	if !reflect.DeepEqual(wordless(a.t, got.Bytes()), wordless(a.t, want)) {
		a.t.Errorf("the example of %s is not what is answered:\n%s", operation, got.String())
	}
	return a
}
