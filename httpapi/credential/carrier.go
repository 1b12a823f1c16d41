package credential

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/netip"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// sessionIDLen is the length of a session's secret id in octets: 256 bits.
const sessionIDLen = 32

// cookie looks at the session cookie. Alone it proves its user, or it is nobody's. Beside header credentials, which are
// proved by then, one that is not good is ignored, and one of another user is a contradiction.
func (v *Resolver) cookie(ctx context.Context, r *http.Request, s *Surface, from netip.Addr, now time.Time, caller *Caller) error {
	digest, found, err := v.presented(r, s)
	if err != nil || !found {
		return err
	}
	c, err := v.session(ctx, digest, s.sessions(), from, now)
	if err != nil {
		p := problem.From(err)
		if p.Status == http.StatusUnauthorized && caller.How != Nobody {
			return nil
		}
		if p.Status == http.StatusUnauthorized { // a stale cookie is no guess: it counts against nobody
			return err
		}
		return p
	}
	v.config.Sessions.TouchSession(c.Session.ID, now)
	switch {
	case caller.How == Nobody:
		*caller = c
	case caller.User() != c.User():
		return problem.New(problem.ConflictingCredentials, "")
	case caller.Session == nil:
		caller.Session = c.Session
	}
	return nil
}

// presented returns the digest of the session id in the request's cookie. An empty one, or one that cannot be an id, is
// not found. Error: 400 for a cookie that comes twice.
func (v *Resolver) presented(r *http.Request, s *Surface) (digest []byte, found bool, err error) {
	if len(r.Header["Cookie"]) == 0 {
		return nil, false, nil
	}
	cookies := r.CookiesNamed(v.cookieName(r, s))
	if len(cookies) > 1 {
		return nil, false, problem.New(problem.Malformed, "The session cookie comes twice.")
	}
	if len(cookies) == 0 {
		return nil, false, nil
	}
	id, err := base64.RawURLEncoding.Strict().DecodeString(cookies[0].Value)
	if err != nil || len(id) != sessionIDLen {
		return nil, false, nil //nolint:nilerr // an invented cookie is like none
	}
	sum := sha256.Sum256(id)
	return sum[:], true, nil
}

// session proves a session by the digest of its id. It is good on its own surface only, and as long as its user, and the
// key that it began with, are.
func (v *Resolver) session(ctx context.Context, digest []byte, surface string, from netip.Addr, now time.Time) (Caller, error) {
	one, access, err := v.config.Sessions.SessionAccess(ctx, digest)
	if err != nil {
		return Caller{}, sessionTrouble(&one, err)
	}
	if one.Surface != surface {
		return Caller{}, refuseSession(&one, "session of another surface")
	}
	c := Caller{How: BySession, Access: access, Expires: one.Expires, Session: &one}
	return c, v.standing(ctx, &c, from, now)
}

// token proves a JWT: its signature and claims, then the session that it names, then that session's user and key.
func (v *Resolver) token(ctx context.Context, text string, from netip.Addr, now time.Time, into *Caller) error {
	c, err := v.Token(ctx, text, from, now)
	if err != nil {
		return v.failed(err, network(from), "")
	}
	*into = c
	return nil
}

// Token proves a JWT that came in another way than a header, and counts no failure. Errors: *problem.Problem, 401 or 503.
func (v *Resolver) Token(ctx context.Context, text string, from netip.Addr, now time.Time) (Caller, error) {
	if v.config.Tokens == nil || v.config.Sessions == nil {
		return Caller{}, Refuse("tokens are not in use here")
	}
	id, user, expires, err := v.config.Tokens.Bearer(ctx, text, now)
	switch {
	case idbridge.KindOf(err) == idbridge.Unauthentic:
		return Caller{}, Refuse("token: " + err.Error())
	case err != nil:
		return Caller{}, problem.From(err)
	}
	one, access, err := v.config.Sessions.SessionByID(ctx, id)
	if err != nil {
		return Caller{}, sessionTrouble(&one, err)
	}
	if one.Surface != ControlSessions || one.User != user {
		return Caller{}, refuseSession(&one, "token of another session")
	}
	c := Caller{How: ByToken, Access: access, Expires: expires, Session: &one}
	if err := v.standing(ctx, &c, from, now); err != nil {
		return Caller{}, err
	}
	v.config.Sessions.TouchSession(id, now)
	return c, nil
}

// standing reads again what a session rests on: its user, and the key that it began with, whose scopes it has.
func (v *Resolver) standing(ctx context.Context, c *Caller, from netip.Addr, now time.Time) error {
	if !c.Access.Exists || !c.Access.May {
		return refuseSession(c.Session, "user is "+c.Access.Why)
	}
	if c.Session.Key == "" {
		return nil
	}
	key, access, err := v.store.KeyAccess(ctx, c.Session.Key)
	switch {
	case idbridge.KindOf(err) == idbridge.NotFound && err != nil:
		return refuseSession(c.Session, "the key that began the session is gone")
	case err != nil:
		return problem.From(err)
	case key.User != c.Session.User:
		return refuseSession(c.Session, "the key that began the session is another's")
	}
	if err := usable(&key, &access, from, now); err != nil {
		return err
	}
	c.Key, c.Scopes = key.ID, key.Scopes
	return nil
}

func refuseSession(s *idbridge.UserSession, why string) error {
	return refuse(&Refusal{Action: RefusedSignIn, Why: why, User: s.User, Key: s.Key})
}

// sessionTrouble turns the store's error into a 401 with its reason, or a 503.
func sessionTrouble(s *idbridge.UserSession, err error) error {
	switch idbridge.KindOf(err) {
	case idbridge.NotFound:
		return Refuse("unknown session")
	case idbridge.Unauthentic:
		return refuse(&Refusal{Action: RefusedSignIn, Why: "session is over: " + s.Reason, User: s.User, Key: s.Key, Ended: s.Reason})
	}
	return problem.From(err)
}
