package controlroom

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// errorView is an error. Message is always there, details is a text or null.
type errorView struct {
	Code    string  `json:"code"`
	Details *string `json:"details"`
	Message string  `json:"message"`
}

// The failures that have a code of the Control Room's own, and the one that it has no code for.
const (
	badLogin   problem.Slug = "UM1110"
	loginTwice problem.Slug = "UM1114"
	badToken   problem.Slug = "UM1117"
	badEscape  problem.Slug = "invalid-json-escape"
)

func answer(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away
	return nil
}

// handler turns what an operation returns into an answer.
func (f *Facade) handler(op func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := op(w, r); err != nil {
			f.fail(w, r, err)
		}
	}
}

// fail writes an error, and keeps the true reason of a failed sign-in.
func (f *Facade) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.From(err)
	if p.Status == http.StatusUnprocessableEntity { // this API has one status for what cannot be taken
		p = malformed(p.Detail).Because(err)
	}
	if p.Status == http.StatusUnauthorized || p.Status == http.StatusTooManyRequests {
		f.audit(w, r, p)
	}
	h := w.Header()
	for name, values := range p.GetHeaders() {
		if name != "Www-Authenticate" {
			h[name] = values
		}
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="idbridge"`)
	}
	if p.Status >= http.StatusInternalServerError {
		f.config.Log.LogAttrs(r.Context(), slog.LevelWarn, "control room cannot answer", slog.Int("status", p.Status), slog.Any("cause", p.Cause),
			slog.String("request", h.Get("X-Request-Id")))
	}
	if err := answer(w, p.Status, viewError(p)); err != nil {
		f.config.Log.LogAttrs(r.Context(), slog.LevelError, "error not written", slog.Any("cause", err))
	}
}

func viewError(p *problem.Problem) *errorView {
	switch p.Code {
	case badLogin:
		return &errorView{Code: string(p.Code), Message: "Invalid user name or credentials"}
	case badToken:
		return &errorView{Code: string(p.Code), Message: "The token is missing or not valid"}
	case loginTwice:
		why := "A newer login of the same user ended this session."
		return &errorView{Code: string(p.Code), Details: &why, Message: "You are logged in twice"}
	}
	v := &errorView{Code: string(p.Code), Message: p.Title}
	if p.Detail != "" {
		v.Details = &p.Detail
	}
	return v
}

// audit keeps the true reason of a failure, at most auditedPerSecond times a second.
func (f *Facade) audit(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
	if !f.audited.AllowN(f.config.Now(), 1) {
		return
	}
	row := idbridge.Audit{
		At: f.config.Now(), Actor: "anonymous", Action: credential.RefusedSignIn, Target: "controlroom", Result: "refused",
		Address: f.config.Resolver.Address(r).String(), Request: w.Header().Get("X-Request-Id"),
	}
	var why *credential.Refusal
	switch {
	case errors.As(p.Cause, &why):
		row.Action, row.Reason, row.User = why.Action, why.Why, why.User
	case p.Cause != nil:
		row.Reason = p.Cause.Error()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Second)
	defer cancel()
	if err := f.config.Store.AddAudit(ctx, row); err != nil {
		f.config.Log.LogAttrs(ctx, slog.LevelWarn, "audit row not written", slog.Any("cause", err))
	}
}

// refuse is the answer to a credential that fails, with a code of this API; the cause stays for the audit.
func refuse(code problem.Slug, cause error) error {
	p := problem.New(problem.Unauthenticated, "").Because(cause)
	p.Code = code
	return p
}

// as gives a 401 the code that this API has for it; other errors stay as they are.
func as(code problem.Slug, err error) error {
	p := problem.From(err)
	if p.Status != http.StatusUnauthorized {
		return p
	}
	var why *credential.Refusal
	if code == badToken && errors.As(p.Cause, &why) && why.Ended == idbridge.EndedByLogin {
		code = loginTwice
	}
	return refuse(code, p.Cause)
}

func malformed(detail string) *problem.Problem { return problem.New(problem.Malformed, detail) }

// statusProblem is the problem for a status that the router decided on.
func statusProblem(status int) *problem.Problem {
	p := problem.New(problem.OfStatus(status), "")
	p.Status = status
	return p
}
