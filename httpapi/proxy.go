package httpapi

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// forProxy makes a problem one of the two that proxies understand: nobody is signed in, or he may not. What is neither, a
// store that does not answer for one, is a refusal with X-Auth-Error, never an admission.
func forProxy(h http.Header, p problem.Problem) problem.Problem {
	switch p.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return p
	case http.StatusBadRequest:
		h.Set("X-Auth-Error", string(p.Code))
		return *refusedByProxy(problem.Unauthenticated, &p)
	}
	h.Set("X-Auth-Error", string(p.Code))
	return *refusedByProxy(problem.Forbidden, &p)
}

func refusedByProxy(slug problem.Slug, p *problem.Problem) *problem.Problem {
	out := problem.New(slug, p.Title)
	out.Instance, out.Cause = p.Instance, p.Cause
	return out
}

// wanted is what a proxy's config asks of the caller; the zero wanted asks for a sign-in alone.
type wanted struct{ role, application, scope string }

func readWanted(r *http.Request) (wanted, error) {
	var w wanted
	for name, values := range r.URL.Query() {
		into := &w.role
		switch name {
		case "role":
		case "application":
			into = &w.application
		case "scope":
			into = &w.scope
		default:
			return w, problem.New(problem.Invalid, "")
		}
		if len(values) != 1 || values[0] == "" { // an empty role would let everybody in
			return w, problem.New(problem.Invalid, "")
		}
		*into = values[0]
	}
	return w, nil
}

// authorize answers a proxy: 200 with who it is, 401, or 403. There is no exemption by path, method or user agent.
func (s *Server) authorize(x *exchange, r *http.Request) error {
	w, err := readWanted(r)
	if err != nil {
		return err
	}
	if err := s.authenticate(x, r); err != nil {
		return err
	}
	who := &x.who
	switch {
	case w.scope == "" && !who.Whole(), w.scope != "" && !who.Scoped(w.scope):
		return problem.New(problem.Forbidden, "")
	case w.role != "" && !who.Access.Has(idbridge.Role(w.role), w.application):
		return problem.New(problem.Forbidden, "")
	}
	h := x.Header()
	h["X-Auth-User"] = []string{headerText(who.Name())}
	h["X-Auth-Roles"] = []string{headerRoles(who.Access.Grants, w.application)}
	h["X-Auth-Admin"] = []string{"false"}
	if who.Has(idbridge.Admin) && who.Scoped(string(SettingsAdmin)) {
		h["X-Auth-Admin"] = []string{"true"}
	}
	x.WriteHeader(http.StatusOK)
	return nil
}

// authorizeForwarded does the same for proxies that say in headers what they were asked. They are believed when the peer is
// a trusted proxy: then the method of the question itself decides whether a cookie may speak for a page of another site.
func (s *Server) authorizeForwarded(x *exchange, r *http.Request) error {
	if !s.trusts(r.RemoteAddr) {
		return s.authorize(x, r)
	}
	asked := r.Clone(r.Context())
	for name, into := range map[string]*string{"X-Forwarded-Method": &asked.Method, "X-Forwarded-Host": &asked.Host} {
		values := r.Header[name]
		if len(values) > 1 {
			return problem.New(problem.Malformed, "")
		}
		if len(values) == 1 && values[0] != "" {
			*into = values[0]
		}
	}
	return s.authorize(x, asked)
}

// trusts tells whether the peer is a trusted proxy.
func (s *Server) trusts(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, p := range s.config.TrustedProxies {
		if p.Contains(peer.Addr().Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// headerText makes a text fit for a header that others split at commas: what is not plain ASCII, a comma and a percent sign
// are written as %XX.
func headerText(s string) string {
	plain := func(c byte) bool { return c > ' ' && c < 0x7f && c != ',' && c != '%' || c == ' ' }
	for i := 0; ; i++ {
		if i == len(s) {
			return s
		}
		if !plain(s[i]) {
			break
		}
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// headerRoles lists the roles that hold everywhere, and on the application when one is named, each once.
func headerRoles(grants []idbridge.Grant, application string) string {
	var names []string
	seen := map[idbridge.Role]bool{}
	for i := range grants {
		g := &grants[i]
		if !seen[g.Role] && (g.Application == "" || application != "" && g.Application == application) {
			seen[g.Role] = true
			names = append(names, headerText(string(g.Role)))
		}
	}
	return strings.Join(names, ",")
}

func (s *Server) proxyRoutes() {
	s.quick(http.MethodGet, "/authz/nginx", proxyDialect, s.authorize)
	s.quick(http.MethodGet, "/authz/forward", proxyDialect, s.authorizeForwarded)
	for name, summary := range map[string]string{
		"nginx": "For auth_request of nginx", "forward": "For proxies that ask with X-Forwarded-Method, -Host and -Uri (Traefik, Caddy)",
	} {
		text := &huma.Schema{Type: huma.TypeString}
		op := &huma.Operation{
			Method: http.MethodGet, Path: "/authz/" + name, OperationID: "authz-" + name, Tags: []string{"proxies"}, Summary: summary,
			Description: "200 with X-Auth-User, X-Auth-Roles and X-Auth-Admin, or 401, or 403; nothing else.", Security: security(),
			Parameters: []*huma.Param{
				{Name: "role", In: "query", Schema: text, Description: "Absent: any signed-in user."},
				{Name: "application", In: "query", Schema: text}, {Name: "scope", In: "query", Schema: text, Description: "That a key must carry; absent: all rights."},
			},
			Responses: s.responses(nil, http.StatusUnauthorized, http.StatusForbidden),
		}
		s.api.OpenAPI().AddOperation(op)
	}
}
