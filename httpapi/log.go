package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
)

// logExchange writes one line about a request. The fields are a closed list: no path, no query, no header and no body ever
// gets here. Good answers of the hot routes are debug, a fault of ours is an error, the rest is info.
func (s *Server) logExchange(x *exchange, r *http.Request, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case x.status >= http.StatusInternalServerError && x.status != http.StatusServiceUnavailable:
		level = slog.LevelError
	case x.status >= http.StatusInternalServerError:
		level = slog.LevelWarn
	case x.hot && x.status < http.StatusBadRequest:
		level = slog.LevelDebug
	}
	ctx := r.Context()
	if !s.config.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request", x.id), slog.String("method", knownMethod(r.Method)), slog.String("route", x.route), slog.Int("status", x.status),
		slog.Int64("octets", x.octets), slog.Duration("took", took), slog.String("address", x.from.String()),
	}
	if x.who.How != credential.Nobody {
		attrs = append(attrs, slog.Int64("user", int64(x.who.User())), slog.String("how", string(x.who.How)))
		if x.who.Key != "" {
			attrs = append(attrs, slog.String("key", string(x.who.Key)))
		}
	}
	if x.cause != nil && ctx.Err() == nil {
		attrs = append(attrs, slog.String("cause", x.cause.Error()))
		if hint := idbridge.HintOf(x.cause); hint != "" {
			attrs = append(attrs, slog.String("hint", hint))
		}
	}
	s.config.Log.LogAttrs(ctx, level, "request served", attrs...)
}

// knownMethod keeps a client from writing into log and metrics by inventing methods.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// auditRefusal writes the true reason of a failed sign-in, at most auditedPerSecond times a second.
func (s *Server) auditRefusal(ctx context.Context, x *exchange, cause error) {
	if !s.audited.AllowN(s.config.Now(), 1) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	row := idbridge.Audit{
		At: s.config.Now(), Actor: "anonymous", Action: credential.RefusedSignIn, Target: "http", Result: "refused",
		Address: x.from.String(), Request: x.id,
	}
	if cause != nil {
		row.Reason = cause.Error()
	}
	var refusal *credential.Refusal
	if errors.As(cause, &refusal) {
		row.Action, row.User = refusal.Action, refusal.User
		if refusal.Key != "" {
			row.Target = string(refusal.Key)
		}
	}
	err := s.config.Store.AddAudit(ctx, row)
	if err != nil {
		s.config.Log.LogAttrs(ctx, slog.LevelWarn, "audit row not written", slog.String("request", x.id), slog.Any("cause", err))
	}
}
