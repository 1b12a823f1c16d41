package assets

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// exchange is one request and its answer while it is served.
type exchange struct {
	f      *Facade
	w      http.ResponseWriter
	r      *http.Request
	query  query
	format format
	faults []error // of query and format, told to who proved himself
	who    credential.Caller
}

// exchange reads what an answer's form depends on.
func (f *Facade) exchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{f: f, w: w, r: r}
	var err error
	if x.query, err = parseQuery(r.URL.RawQuery); err != nil {
		x.faults = append(x.faults, err)
	}
	if x.format, err = formatOf(x.query, r.Header); err != nil {
		x.faults = append(x.faults, err)
	}
	return x
}

func (x *exchange) ctx() context.Context { return x.r.Context() }

// handler is the way of every request: its form, who asks, then the operation.
func (f *Facade) handler(op func(x *exchange) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := f.exchange(w, r)
		if err := x.serve(op); err != nil { //nolint:contextcheck // the request in the exchange has it
			x.fail(err) //nolint:contextcheck // as above
		}
	}
}

func (x *exchange) serve(op func(x *exchange) error) error {
	if x.r.Method == http.MethodHead && x.f.Changing("GET "+patternPath(x.r)) {
		return problem.New(problem.MethodNotAllowed, "").With("Allow", "DELETE, GET")
	}
	var err error
	x.who, err = x.f.config.Resolver.Resolve(x.r, credential.Surface{Name: "assets", Bearer: true, Basic: true})
	if err == nil && x.who.How == credential.Nobody {
		err = credential.Refuse("no credential")
	}
	if err != nil {
		x.audit(err)
		return err
	}
	if len(x.faults) > 0 {
		return x.faults[0]
	}
	return op(x)
}

// patternPath returns the path of the pattern that the router found.
func patternPath(r *http.Request) string {
	for i := range len(r.Pattern) {
		if r.Pattern[i] == '/' {
			return r.Pattern[i:]
		}
	}
	return ""
}

// by is who acts, for the audit.
func (x *exchange) by() string { return x.who.Name() }

// superuser tells whether the caller is an administrator whose credential carries the permission.
func (x *exchange) superuser(permission string) bool {
	return x.who.Has(idbridge.Admin) && x.who.Scoped(permission)
}

// self tells whether the name is the caller's own.
func (x *exchange) self(name string) bool {
	return idbridge.CaseIgnore.Normal(name) == idbridge.CaseIgnore.Normal(x.who.Name())
}

// may tells whether one of the caller's roles gives the permission and his credential carries it.
func (x *exchange) may(permission string) bool {
	if !x.who.Scoped(permission) {
		return false
	}
	for _, role := range x.f.config.Roles[permission] {
		if x.who.Has(role) {
			return true
		}
	}
	return false
}

// named finds the user of the path for somebody who may act on him: a superuser on everybody, everybody on himself. About
// another's name nobody else learns anything.
func (x *exchange) named(name, permission string) (idbridge.User, error) {
	if err := lookUp(name); err != nil {
		return idbridge.User{}, err
	}
	if !x.superuser(permission) && !x.self(name) {
		return idbridge.User{}, problem.New(problem.Forbidden, "Only a superuser may do this.")
	}
	u, err := x.f.config.Store.UserByName(x.ctx(), name)
	if idbridge.KindOf(err) == idbridge.NotFound && err != nil {
		return u, notFound(name)
	}
	return u, err
}

// whole refuses a key that carries only some of its user's rights.
func (x *exchange) whole() error {
	if x.who.Whole() {
		return nil
	}
	return problem.New(problem.Forbidden, "The key's scopes do not allow this.")
}

// audit keeps the true reason of a failed sign-in, at most auditedPerSecond times a second.
func (x *exchange) audit(err error) {
	p := problem.From(err)
	if p.Status != http.StatusUnauthorized && p.Status != http.StatusTooManyRequests || !x.f.audited.AllowN(x.f.config.Now(), 1) {
		return
	}
	row := idbridge.Audit{
		At: x.f.config.Now(), Actor: "anonymous", Action: credential.RefusedSignIn, Target: "assets", Result: "refused",
		Address: credential.Address(x.r, x.f.config.TrustedProxies).String(), Request: x.w.Header().Get("X-Request-Id"),
	}
	var why *credential.Refusal
	switch {
	case errors.As(err, &why):
		row.Action, row.Reason, row.User = why.Action, why.Why, why.User
	case p.Cause != nil:
		row.Reason = p.Cause.Error()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.ctx()), time.Second)
	defer cancel()
	if err := x.f.config.Store.AddAudit(ctx, row); err != nil {
		x.f.config.Log.LogAttrs(ctx, slog.LevelWarn, "audit row not written", slog.Any("cause", err))
	}
}
