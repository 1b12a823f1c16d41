package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/time/rate"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/strict"
)

const (
	leaksPerSecond = 5
	leaksBurst     = 50
	leakReporter   = "leak report" // who disables, in the audit
)

func newLeakLimit() *rate.Limiter { return rate.NewLimiter(leaksPerSecond, leaksBurst) }

// leakQuestion and leakAnswer describe /keys/report-leak in the document.
type leakQuestion struct {
	Key string `json:"key" doc:"As it was found, in any rendering." maxLength:"1024"`
}

type leakAnswer struct {
	Status string `json:"status" enum:"accepted"`
}

// reportLeak takes a key that somebody found where it should not be. The answer is the same whatever is sent: it tells
// nobody whether a key is one. A key that is good is disabled, and its owner's administrators are told.
func (s *Server) reportLeak(w http.ResponseWriter, r *http.Request) {
	x, ok := w.(*exchange)
	if !ok {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	if !s.leaks.AllowN(x.started, 1) {
		s.problem(x, problem.New(problem.RateLimited, "").After(time.Second))
		return
	}
	if err := s.config.Store.Ping(r.Context()); err != nil { // before the input is looked at: it does not decide what is answered
		s.problem(x, err)
		return
	}
	if err := s.leaked(r.Context(), x, readLeak(x, r)); err != nil {
		s.config.Log.LogAttrs(r.Context(), slog.LevelError, "report of a leaked key could not be followed", slog.String("request", x.id), slog.Any("cause", err))
	}
	x.Header()["Content-Type"] = s.headers.json
	x.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(x, "{\"status\":\"accepted\"}\n") // a client that went away
}

// readLeak returns the key that a report names; what cannot be read names none.
func readLeak(w http.ResponseWriter, r *http.Request) idbridge.Secret {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHotBody))
	if err != nil {
		return idbridge.Secret{}
	}
	var key string
	err = strict.Members(body, func(name string, value []byte) error {
		if name == "key" {
			key, _ = strict.Text(value)
		}
		return nil
	})
	if err != nil {
		return idbridge.Secret{}
	}
	return idbridge.NewSecret(key)
}

// leaked disables a key that is still one, and alerts.
func (s *Server) leaked(ctx context.Context, x *exchange, text idbridge.Secret) error {
	key, access, code, err := s.inspect(ctx, text, x.started)
	if err != nil || code == codeNotFound {
		return err
	}
	ctx = context.WithoutCancel(ctx) // also when the reporter hangs up
	state := key.State(x.started)
	if state != idbridge.KeyRevoked && state != idbridge.KeyRotated {
		if err = s.config.Store.SetKeyEnabled(ctx, key.ID, false, leakReporter); idbridge.KindOf(err) == idbridge.Conflicting {
			err = nil // it ended meanwhile
		}
	}
	s.config.Log.LogAttrs(ctx, slog.LevelWarn, "a key was reported as leaked and is disabled", slog.String("request", x.id), slog.String("key", string(key.ID)),
		slog.Int64("user", int64(key.User)), slog.String("state", string(state)), slog.String("address", x.from.String()))
	return errors.Join(err, s.config.Store.AddAudit(ctx, idbridge.Audit{
		At: s.config.Now(), Actor: leakReporter, Action: "key.leak", Target: string(key.ID), User: key.User, Result: "ok",
		Reason: "was " + string(state) + ", of " + access.UserName, Address: x.from.String(), Request: x.id,
	}))
}

func (s *Server) leakRoute() {
	path := base + "/keys/report-leak"
	s.mux.HandleFunc("POST "+path, s.reportLeak)
	registry := s.api.OpenAPI().Components.Schemas
	responses := s.responses(reflect.TypeFor[leakAnswer](), http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable)
	responses["202"] = responses["200"]
	delete(responses, "200")
	s.api.OpenAPI().AddOperation(&huma.Operation{
		Method: http.MethodPost, Path: path, OperationID: "report-leak", Tags: []string{"keys"}, Security: []map[string][]string{},
		Summary: "Report a key that was found where it should not be; the answer is always the same",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: registry.Schema(reflect.TypeFor[leakQuestion](), true, "")},
		}},
		Responses: responses,
	})
}
