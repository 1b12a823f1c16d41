package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// Resolver proves who asks. *credential.Resolver is one.
type Resolver interface {
	sessions
	// Resolve proves the credentials that the surface admits; nobody when there is none. Error: *problem.Problem.
	Resolve(r *http.Request, s credential.Surface) (credential.Caller, error)
	// Address returns the client's address.
	Address(r *http.Request) netip.Addr
	// Tell sets the headers that say how many failures are left.
	Tell(w http.ResponseWriter, r *http.Request)
}

// sessions makes and ends sessions and their cookies.
type sessions interface {
	// Begin gives the caller a fresh session in the place of the one he has, and sets its cookies. Error: *problem.Problem.
	Begin(w http.ResponseWriter, r *http.Request, caller *credential.Caller, s credential.Surface) (idbridge.UserSession, error)
	// End ends the session of the request's cookie and expires the cookies. Error: *problem.Problem, 503.
	End(w http.ResponseWriter, r *http.Request, s credential.Surface, reason string) error
	// CheckXSRF compares an echo of XSRF-TOKEN with the session. Error: *problem.Problem, 403.
	CheckXSRF(r *http.Request, caller *credential.Caller, s credential.Surface, demand bool) error
}

// Auditor keeps rows of the audit.
type Auditor interface {
	// AddAudit writes one row.
	AddAudit(ctx context.Context, a idbridge.Audit) error
}

// Gate lets callers in. Make it by NewGate. Safe for concurrent use.
type Gate struct {
	resolver Resolver
	auditor  Auditor
	surface  credential.Surface
	log      *slog.Logger
	now      func() time.Time
	audited  *rate.Limiter
	spare    *spare
}

const (
	auditedPerSecond = 20                      // rows of failed sign-ins; what is beyond is in the log only
	nobody           = "nothing was presented" // why a request without a credential is refused
)

// NewGate returns the gate of a surface. nil for log and now are none and time.Now.
func NewGate(v Resolver, a Auditor, s credential.Surface, log *slog.Logger, now func() time.Time) *Gate {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	return &Gate{
		resolver: v, auditor: a, surface: s, log: log, now: now,
		audited: rate.NewLimiter(auditedPerSecond, auditedPerSecond), spare: newSpare(),
	}
}

// Enter returns who asks. With the first answer he gets a session and its cookies: clients of these systems never call
// login, and drop their header as soon as they hold a cookie. false: the refusal is written.
func (g *Gate) Enter(w http.ResponseWriter, r *http.Request) (credential.Caller, bool) {
	caller, ok := g.Look(w, r)
	if !ok || !g.surface.Cookie || caller.Session != nil || !g.spare.take(caller.User(), g.now()) {
		return caller, ok
	}
	return caller, g.Renew(w, r, &caller)
}

// Look returns who asks and gives him nothing. false: the refusal is written.
func (g *Gate) Look(w http.ResponseWriter, r *http.Request) (credential.Caller, bool) {
	caller, err := g.Who(r)
	if err != nil {
		g.Fail(w, r, err)
		return credential.Caller{}, false
	}
	return caller, true
}

// Who returns who asks. Error: *problem.Problem, 401 for nobody.
func (g *Gate) Who(r *http.Request) (credential.Caller, error) {
	caller, err := g.resolver.Resolve(r, g.surface)
	if err == nil && caller.How == credential.Nobody {
		err = credential.Refuse(nobody)
	}
	if err == nil && g.surface.Cookie {
		err = g.resolver.CheckXSRF(r, &caller, g.surface, false)
	}
	if err != nil {
		return credential.Caller{}, err
	}
	return caller, nil
}

// Renew gives the caller a session with a new id, at a login and after a change of what he may do. false: the refusal is
// written.
func (g *Gate) Renew(w http.ResponseWriter, r *http.Request, caller *credential.Caller) bool {
	if _, err := g.resolver.Begin(w, r, caller, g.surface); err != nil {
		w.Header().Del("Set-Cookie")
		g.Fail(w, r, err)
		return false
	}
	return true
}

// Leave ends the session of the request's cookie. false: the store cannot end it, the refusal is written, and the client
// keeps its cookie to try again with.
func (g *Gate) Leave(w http.ResponseWriter, r *http.Request) bool {
	err := g.resolver.End(w, r, g.surface, idbridge.EndedByLogout)
	if err == nil || problem.From(err).Status < http.StatusInternalServerError {
		return true
	}
	w.Header().Del("Set-Cookie")
	g.Fail(w, r, err)
	return false
}

// Fail writes an error in the words of these systems. The true reason goes to log and audit.
func (g *Gate) Fail(w http.ResponseWriter, r *http.Request, err error) {
	p := g.Report(w, r, err)
	if p.Status == http.StatusUnprocessableEntity {
		Refuse(w, http.StatusBadRequest)
		return
	}
	Refuse(w, p.Status)
}

// Report tells log and audit the true reason of an error, sets the headers that do not depend on the dialect, and returns
// what is to be written.
func (g *Gate) Report(w http.ResponseWriter, r *http.Request, err error) *problem.Problem {
	p := problem.From(err)
	for _, v := range p.GetHeaders()["Retry-After"] {
		w.Header().Set("Retry-After", v)
	}
	switch {
	case p.Status == http.StatusUnauthorized, p.Status == http.StatusTooManyRequests:
		g.resolver.Tell(w, r)
		g.audit(w, r, err)
	case p.Status >= http.StatusInternalServerError:
		g.log.LogAttrs(r.Context(), slog.LevelWarn, "request cannot be answered", slog.String("surface", g.surface.Name),
			slog.Int("status", p.Status), slog.Any("cause", p.Cause), slog.String("request", w.Header().Get("X-Request-Id")))
	}
	return p
}

// Note writes a row of the audit; one that cannot be written is logged.
func (g *Gate) Note(w http.ResponseWriter, r *http.Request, a idbridge.Audit) {
	a.At, a.Request = g.now(), w.Header().Get("X-Request-Id")
	if from := g.resolver.Address(r); from.IsValid() {
		a.Address = from.String()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Second)
	defer cancel()
	if err := g.auditor.AddAudit(ctx, a); err != nil {
		g.log.LogAttrs(ctx, slog.LevelWarn, "audit row not written", slog.Any("cause", err))
	}
}

// audit keeps the true reason of a failed sign-in, at most auditedPerSecond times a second. Who presents nothing at all is
// no failure: browsers and clients ask so first.
func (g *Gate) audit(w http.ResponseWriter, r *http.Request, err error) {
	row := idbridge.Audit{Actor: "anonymous", Action: credential.RefusedSignIn, Target: g.surface.Name, Result: "refused"}
	var why *credential.Refusal
	switch {
	case errors.As(err, &why):
		row.Action, row.Reason, row.User = why.Action, why.Why, why.User
	case problem.From(err).Cause != nil:
		row.Reason = problem.From(err).Cause.Error()
	}
	if row.Reason == nobody || !g.audited.AllowN(g.now(), 1) {
		return
	}
	g.Note(w, r, row)
}
