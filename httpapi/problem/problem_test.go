package problem_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

func TestKinds(t *testing.T) {
	want := map[idbridge.Kind]struct {
		status int
		slug   problem.Slug
	}{
		idbridge.Internal: {500, problem.Internal}, idbridge.Invalid: {422, problem.Invalid}, idbridge.NotFound: {404, problem.NotFound},
		idbridge.Conflicting: {409, problem.Conflict}, idbridge.Exists: {409, problem.Exists}, idbridge.Forbidden: {403, problem.Forbidden},
		idbridge.Unauthentic: {401, problem.Unauthenticated}, idbridge.Unavailable: {503, problem.Unavailable}, idbridge.Unknown: {503, problem.Unavailable},
		idbridge.Incomplete: {503, problem.Unavailable}, idbridge.Held: {409, problem.Held}, idbridge.Locked: {409, problem.Busy}, idbridge.Refused: {422, problem.Invalid},
	}
	for k := idbridge.Internal; k <= idbridge.Refused; k++ {
		w, ok := want[k]
		if !ok {
			t.Fatalf("kind %v has no row", k)
		}
		err := fmt.Errorf("read user 9: %w", &idbridge.Error{Kind: k, Msg: "said to strangers", Hint: "for the operator", Err: errors.New("pq: secret")})
		p := problem.From(err)
		if p.Status != w.status || p.Code != w.slug || p.Type != "urn:idbridge:problem:"+string(w.slug) {
			t.Errorf("%v: %d %s", k, p.Status, p.Code)
		}
		b, _ := json.Marshal(p)
		if strings.Contains(string(b), "pq:") || strings.Contains(string(b), "operator\",") || strings.Contains(string(b), "read user 9") {
			t.Errorf("%v: %s", k, b)
		}
		if says := strings.Contains(string(b), "said to strangers"); says == (p.Status >= 500) {
			t.Errorf("%v: a 5xx is generic, everything else says why: %s", k, b)
		}
		if !strings.Contains(p.Error(), "pq: secret") {
			t.Errorf("%v: the log needs the cause: %s", k, p.Error())
		}
		if p.Status == 503 && p.GetHeaders().Get("Retry-After") == "" {
			t.Errorf("%v: no Retry-After", k)
		}
	}
}

func TestFrom(t *testing.T) {
	if p := problem.From(io.EOF); p.Status != 500 || p.Cause != io.EOF { //nolint:errorlint // the very one
		t.Errorf("%+v", p)
	}
	if p := problem.From(context.DeadlineExceeded); p.Status != 503 {
		t.Errorf("%+v", p)
	}
	made := problem.New(problem.LastAdmin, "").Because(io.EOF)
	if p := problem.From(fmt.Errorf("x: %w", made)); p != made || !errors.Is(p, io.EOF) {
		t.Errorf("%+v", p)
	}
	p := problem.New(problem.RateLimited, "").After(1500 * time.Millisecond)
	if got := p.GetHeaders().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %s", got)
	}
	if p := problem.New(problem.Internal, "database on fire").At("body", "x"); p.Errors != nil || strings.Contains(p.Detail, "fire") {
		t.Errorf("%+v", p)
	}
	for _, s := range []int{400, 401, 403, 404, 405, 408, 413, 415, 422, 500, 503} {
		if got := problem.New(problem.OfStatus(s), "").Status; got != s {
			t.Errorf("%d becomes %d", s, got)
		}
	}
}
