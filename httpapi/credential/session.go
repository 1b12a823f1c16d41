package credential

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// The readable cookie that clients echo, and the header they echo it in.
const (
	XSRFCookie = "XSRF-TOKEN"
	XSRFHeader = "X-Xsrf-Token"
)

// Begin signs a proved caller in on a surface with a cookie: it makes a session with a fresh id, ends the one that the
// caller had there, so that no id outlives a login or a change of privilege, and sets the session cookie and XSRF-TOKEN.
// The session is put into the caller. Errors: *problem.Problem, 401 for nobody and for a user who was suspended meanwhile, 503.
func (v *Resolver) Begin(w http.ResponseWriter, r *http.Request, caller *Caller, s Surface) (idbridge.UserSession, error) {
	before := caller.Session
	one, id, err := v.Start(r, caller, s.sessions(), false)
	if err != nil {
		return one, err
	}
	if before != nil && before.Surface == one.Surface {
		if err := v.end(r.Context(), before.ID, caller.Name(), "a new session took its place"); err != nil {
			return one, err
		}
	}
	v.setCookies(w, r, &s, id.Reveal())
	return one, nil
}

// Start makes a session without a cookie: surface says where it is good, single that it ends the user's other single ones
// there. It returns the session and its secret id, of which the store has a digest only.
func (v *Resolver) Start(r *http.Request, caller *Caller, surface string, single bool) (idbridge.UserSession, idbridge.Secret, error) {
	if caller.How == Nobody || v.config.Sessions == nil {
		return idbridge.UserSession{}, idbridge.Secret{}, Refuse("no session without a proof")
	}
	var random [sessionIDLen + 16]byte
	if _, err := io.ReadFull(v.config.Random, random[:]); err != nil {
		return idbridge.UserSession{}, idbridge.Secret{}, problem.New(problem.Internal, "").Because(fmt.Errorf("draw a session id: %w", err))
	}
	digest := sha256.Sum256(random[:sessionIDLen])
	now := v.now()
	how := string(caller.How)
	if caller.Session != nil && (caller.How == BySession || caller.How == ByToken) {
		how = caller.Session.How // how it was proved in the first place
	}
	one, err := v.config.Sessions.NewSession(r.Context(), idbridge.UserSession{
		Digest: digest[:], Context: uuid([16]byte(random[sessionIDLen:])), User: caller.User(), Surface: surface, How: how, Single: single,
		Key: caller.Key, Created: now, Seen: now, Expires: now.Add(idbridge.SessionLife), Address: v.Address(r).String(), Agent: agent(r),
	}, idbridge.SessionsMost)
	switch idbridge.KindOf(err) {
	case idbridge.NotFound, idbridge.Forbidden, idbridge.Unauthentic: // he was let in, and suspended since
		return one, idbridge.Secret{}, Refuse("user may not sign in any more: " + err.Error())
	}
	if err != nil {
		return one, idbridge.Secret{}, problem.From(err)
	}
	kept := one
	caller.Session = &kept
	return one, idbridge.NewSecret(base64.RawURLEncoding.EncodeToString(random[:sessionIDLen])), nil
}

// End ends the session that the request's cookie names, also one whose user is suspended, and expires the cookies. Without
// a session it only expires them. Errors: *problem.Problem, 503; the cookies are expired all the same.
func (v *Resolver) End(w http.ResponseWriter, r *http.Request, s Surface, reason string) error {
	v.expireCookies(w, r, &s)
	if v.config.Sessions == nil {
		return nil
	}
	digest, found, err := v.presented(r, &s)
	if err != nil || !found {
		return err
	}
	one, access, err := v.config.Sessions.SessionAccess(r.Context(), digest)
	switch {
	case err == nil && one.Surface == s.sessions():
		return v.end(r.Context(), one.ID, access.UserName, reason)
	case err == nil, idbridge.KindOf(err) == idbridge.NotFound, idbridge.KindOf(err) == idbridge.Unauthentic:
		return nil
	}
	return problem.From(err)
}

func (v *Resolver) end(ctx context.Context, id int64, by, reason string) error {
	err := v.config.Sessions.EndSession(ctx, id, by, reason)
	if err == nil || idbridge.KindOf(err) == idbridge.NotFound {
		return nil
	}
	return problem.From(err)
}

// CheckXSRF compares the echo of XSRF-TOKEN with the session of the caller. An echo that is sent must be right; demand says
// that it must be sent, and counts only for callers whom a cookie alone proved. A header credential without a live session
// has nothing to echo. Error: *problem.Problem, 403.
func (v *Resolver) CheckXSRF(r *http.Request, caller *Caller, s Surface, demand bool) error {
	echo := r.Header[XSRFHeader]
	if len(echo) == 0 && (!demand || caller.How != BySession) || caller.Session == nil {
		return nil
	}
	var want string
	if cookies := r.CookiesNamed(v.cookieName(r, &s)); len(cookies) == 1 {
		want = xsrf(cookies[0].Value)
	}
	if len(echo) != 1 || want == "" || !hmac.Equal([]byte(echo[0]), []byte(want)) {
		return problem.New(problem.Forbidden, "The header X-XSRF-TOKEN does not belong to the session.")
	}
	return nil
}

// xsrf binds the readable token to the session: who sees it learns nothing of the id, and who has no id cannot make one.
func xsrf(id string) string {
	mac := hmac.New(sha256.New, []byte(id))
	_, _ = mac.Write([]byte("idbridge XSRF-TOKEN")) // never fails
	return hex.EncodeToString(mac.Sum(nil))
}

// cookieName returns the name under which the session cookie of a surface travels on this connection.
func (v *Resolver) cookieName(r *http.Request, s *Surface) string {
	if v.overTLS(r) {
		return "__Host-" + s.CookieName
	}
	return s.CookieName
}

func (v *Resolver) overTLS(r *http.Request) bool { return v.config.secure || r.TLS != nil }

func (v *Resolver) setCookies(w http.ResponseWriter, r *http.Request, s *Surface, id string) {
	site := http.SameSiteLaxMode
	if s.CookieName == ConsoleCookie {
		site = http.SameSiteStrictMode
	}
	secure := v.overTLS(r) // scripts read and echo XSRF-TOKEN, so it is not HttpOnly
	http.SetCookie(w, &http.Cookie{Name: v.cookieName(r, s), Value: id, Path: "/", Secure: secure, HttpOnly: true, SameSite: site})
	http.SetCookie(w, &http.Cookie{Name: XSRFCookie, Value: xsrf(id), Path: "/", Secure: secure, SameSite: site})
}

func (v *Resolver) expireCookies(w http.ResponseWriter, r *http.Request, s *Surface) {
	past := time.Unix(1, 0)
	secure := v.overTLS(r)
	http.SetCookie(w, &http.Cookie{
		Name: v.cookieName(r, s), Path: "/", Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1, Expires: past,
	})
	http.SetCookie(w, &http.Cookie{
		Name: XSRFCookie, Path: "/", Secure: secure, SameSite: http.SameSiteLaxMode, MaxAge: -1, Expires: past,
	})
}

// maxAgent bounds what is kept of a client's description of itself.
const maxAgent = 200

func agent(r *http.Request) string {
	text := r.UserAgent()
	if len(text) > maxAgent || hasControl(text) {
		return ""
	}
	return text
}

// uuid makes a version 4 UUID of random octets (RFC 9562).
func uuid(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
