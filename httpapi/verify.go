package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// The codes of /keys/verify. A wrong secret is NOT_FOUND. A key that is not valid yet is DISABLED, one whose successor has
// taken over is REVOKED. RATE_LIMITED is what a bad key becomes when its address brought too many; a good one never does.
const (
	codeValid        = "VALID"
	codeNotFound     = "NOT_FOUND"
	codeDisabled     = "DISABLED"
	codeExpired      = "EXPIRED"
	codeRevoked      = "REVOKED"
	codeUserDisabled = "USER_DISABLED"
	codeIPDenied     = "IP_DENIED"
	codeRateLimited  = "RATE_LIMITED"
	codeScope        = "SCOPE"
	codeRole         = "ROLE"
)

// inspect finds out whose key a text is and whether it works. The time does not tell an unknown id from a wrong secret.
// Error: the store's, other than NotFound.
func (s *Server) inspect(ctx context.Context, text idbridge.Secret, at time.Time) (idbridge.Key, idbridge.Access, string, error) {
	k, ok := idbridge.ParseKeyText(text.Reveal())
	if !ok {
		return idbridge.Key{}, idbridge.Access{}, codeNotFound, nil
	}
	key, access, err := s.config.Store.KeyAccess(ctx, k.ID())
	if err != nil && idbridge.KindOf(err) != idbridge.NotFound {
		return key, access, "", err
	}
	if !s.resolver.Matches(k, &key) || err != nil {
		return idbridge.Key{}, idbridge.Access{}, codeNotFound, nil //nolint:nilerr // the answer says it
	}
	switch key.State(at) {
	case idbridge.KeyRevoked, idbridge.KeyRotated:
		return key, access, codeRevoked, nil
	case idbridge.KeyDisabled, idbridge.KeyPending:
		return key, access, codeDisabled, nil
	case idbridge.KeyExpired:
		return key, access, codeExpired, nil
	case idbridge.KeyActive:
	}
	if !access.Exists || !access.May {
		return key, access, codeUserDisabled, nil
	}
	return key, access, codeValid, nil
}

// verification is what /keys/verify is asked: whose key is this, and does it reach so far?
type verification struct {
	key                      idbridge.Secret
	ip, scope, role, appName string
	from                     netip.Addr // ip, read; zero when it was not told
}

func readVerification(body []byte) (verification, error) {
	var v verification
	var key string
	err := members(body, "body", func(name string, value []byte) string {
		switch name {
		case "key":
			return text(value, &key)
		case "ip":
			if fault := text(value, &v.ip); fault != "" {
				return fault
			}
			from, err := netip.ParseAddr(v.ip)
			if err != nil {
				return "expected an IP address"
			}
			v.from = from.Unmap().WithZone("")
			return ""
		case "scope":
			return text(value, &v.scope)
		case "role":
			return text(value, &v.role)
		case "application":
			return text(value, &v.appName)
		}
		return unknownMember
	})
	v.key = idbridge.NewSecret(key)
	if err == nil && key == "" {
		err = problem.New(problem.Invalid, "").At("body.key", "expected a key")
	}
	return v, err
}

// verify answers whose key it is. The answer is 200 whatever the key; what is wrong with it stands in code.
func (s *Server) verify(r *http.Request, x *exchange, body, out []byte) ([]byte, error) {
	v, err := readVerification(body)
	if err != nil {
		return out, err
	}
	ctx, at := r.Context(), x.started
	key, access, code, err := s.inspect(ctx, v.key, at)
	if err != nil {
		return out, err
	}
	if code == codeValid {
		switch {
		case !key.Admits(v.from):
			code = codeIPDenied
		case v.scope != "" && !slices.Contains(key.Scopes, credential.AllScopes) && !slices.Contains(key.Scopes, v.scope):
			code = codeScope
		case v.role != "" && !access.Has(idbridge.Role(v.role), v.appName):
			code = codeRole
		}
	}
	if code == codeRevoked && key.State(at) == idbridge.KeyRotated {
		s.auditReuse(ctx, x, &key, v.ip)
	}
	if code != codeValid {
		return s.appendInvalid(ctx, out, s.limited(code, &v, at), &access, at)
	}
	s.config.Store.Touch(key.ID, v.ip, at)
	out = append(out, `{"valid":true,"code":"VALID","keyId":`...)
	out = appendText(out, string(key.ID))
	out = append(out, `,"user":{"id":`...)
	out = strconv.AppendInt(out, int64(access.User), 10)
	out = append(out, `,"userName":`...)
	out = appendText(out, access.UserName)
	out = append(out, `},"admin":`...)
	out = strconv.AppendBool(out, access.Has(idbridge.Admin, ""))
	out = append(out, `,"roles":`...)
	out = appendRoles(out, access.Grants, v.appName)
	out = append(out, `,"scopes":[`...)
	for i, scope := range key.Scopes {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendText(out, scope)
	}
	out = append(out, `],"expiresAt":`...)
	out = appendTime(out, key.Expires)
	return append(s.appendAsOf(out, &access, access.Revision, at), '}'), nil
}

// appendInvalid says that a key does not work, and nothing about whose it is.
func (s *Server) appendInvalid(ctx context.Context, out []byte, code string, a *idbridge.Access, at time.Time) ([]byte, error) {
	revision := a.Revision
	if revision == 0 {
		var err error
		if revision, err = s.config.Store.Revision(ctx); err != nil {
			return out, err
		}
	}
	out = append(out, `{"valid":false,"code":"`...)
	out = append(out, code...)
	out = append(out, `","revision":`...)
	out = strconv.AppendInt(out, revision, 10)
	out = append(out, `,"asOf":`...)
	return append(appendTime(out, at), '}'), nil
}

// appendRoles appends the names of the roles that hold everywhere, and on the application when one is named, each once.
func appendRoles(out []byte, grants []idbridge.Grant, application string) []byte {
	holds := func(g *idbridge.Grant) bool {
		return g.Application == "" || application != "" && g.Application == application
	}
	out = append(out, '[')
	n := 0
	for i := range grants {
		if !holds(&grants[i]) {
			continue
		}
		again := false
		for j := 0; j < i && !again; j++ {
			again = grants[j].Role == grants[i].Role && holds(&grants[j])
		}
		if again {
			continue
		}
		if n > 0 {
			out = append(out, ',')
		}
		n++
		out = appendText(out, string(grants[i].Role))
	}
	return append(out, ']')
}

// limited counts bad keys under the address that brought them, and says so instead of what is wrong when there were too many.
func (s *Server) limited(code string, v *verification, at time.Time) string {
	switch code {
	case codeScope, codeRole: // the key is good
		return code
	}
	if !v.from.IsValid() {
		return code
	}
	counter := s.resolver.Limiter()
	network := v.from.String()
	if p, err := v.from.Prefix(64); err == nil && v.from.Is6() { // what one client owns, as at the door
		network = p.String()
	}
	wait := counter.Wait(network, "", at)
	counter.Failed(network, "", at)
	if wait > 0 {
		return codeRateLimited
	}
	return code
}

// auditReuse notes that a key was presented whose successor has taken over.
func (s *Server) auditReuse(ctx context.Context, x *exchange, key *idbridge.Key, address string) {
	if !s.audited.AllowN(s.config.Now(), 1) {
		return
	}
	err := s.config.Store.AddAudit(ctx, idbridge.Audit{
		At: s.config.Now(), Actor: x.who.Name(), Action: credential.RefusedReuse, Target: string(key.ID), User: key.User, Result: "refused",
		Reason: "replaced by " + string(key.ReplacedBy), Address: address, Request: x.id,
	})
	if err != nil {
		s.config.Log.LogAttrs(ctx, slog.LevelWarn, "audit row not written", slog.String("request", x.id), slog.Any("cause", err))
	}
}
