package httpapi

import (
	"context"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/token"
)

// oauthError is an error of RFC 6749, section 5.2.
type oauthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func oauthCode(p *problem.Problem) string {
	switch {
	case p.Code == problem.NotYours:
		return "unauthorized_client"
	case p.Code == problem.NotRevocable:
		return "unsupported_token_type"
	case p.Status == http.StatusUnauthorized:
		return "invalid_client"
	case p.Status == http.StatusForbidden:
		return "insufficient_scope"
	case p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable:
		return "temporarily_unavailable"
	case p.Status >= http.StatusInternalServerError:
		return "server_error"
	}
	return "invalid_request"
}

// oauthToken proves the caller and reads the form: token, and a hint that is not needed. Errors: 400, 401, 403, 413.
func (s *Server) oauthToken(x *exchange, r *http.Request, need []Permission) (idbridge.Secret, error) {
	if err := s.authenticate(x, r); err != nil {
		return idbridge.Secret{}, err
	}
	if err := s.mayAny(&x.who, need); err != nil {
		return idbridge.Secret{}, err
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" || len(r.Header["Content-Type"]) != 1 || r.URL.RawQuery != "" {
		return idbridge.Secret{}, problem.New(problem.Malformed, "")
	}
	in := s.buffer()
	defer s.release(in)
	if in.b, err = readBody(x, r, in.b, maxHotBody); err != nil {
		return idbridge.Secret{}, err
	}
	form, err := url.ParseQuery(string(in.b))
	if err != nil || len(form["token"]) != 1 || form["token"][0] == "" || len(form["token_type_hint"]) > 1 {
		return idbridge.Secret{}, problem.New(problem.Malformed, "")
	}
	return idbridge.NewSecret(form["token"][0]), nil
}

// introspect answers RFC 7662: what a token is good for, or exactly {"active":false}, whatever the reason.
func (s *Server) introspect(x *exchange, r *http.Request) error {
	text, err := s.oauthToken(x, r, []Permission{KeysVerify})
	if err != nil {
		return err
	}
	a, access, err := s.activity(r.Context(), text, x.started)
	if err != nil {
		return err
	}
	out := s.buffer()
	defer s.release(out)
	if a.sort != "" {
		out.b = s.appendActive(out.b, &a, &access)
	} else {
		out.b = append(out.b, `{"active":false}`...)
	}
	x.Header()["Content-Type"] = s.headers.json
	_, _ = x.Write(append(out.b, '\n')) // a client that went away
	return nil
}

// activity is what introspection tells of a good token besides its user; the zero activity is of a bad one.
type activity struct {
	sort            string // token_type
	scopes          []string
	issued, expires time.Time
}

// The token_type of what is no OAuth token.
const (
	apiKeyToken  = "api_key"
	controlToken = "controlroom"
)

// activity finds out what sort of token a text is, and whether it is good now. Which addresses a key may come from is not
// looked at when none is told, but refused: it is fail closed.
func (s *Server) activity(ctx context.Context, text idbridge.Secret, at time.Time) (activity, idbridge.Access, error) {
	if !credential.LooksLikeToken(text.Reveal()) {
		key, access, code, err := s.inspect(ctx, text, at)
		if err != nil || code != codeValid || !key.Admits(netip.Addr{}) {
			return activity{}, access, err
		}
		return activity{apiKeyToken, key.Scopes, key.Created, key.Expires}, access, nil
	}
	all := []string{credential.AllScopes}
	role, err := s.tokens.Read(ctx, text.Reveal(), "")
	if err == nil {
		access, err := s.config.Store.Access(ctx, role.User)
		if err != nil || !access.Exists || !access.May {
			return activity{}, access, err
		}
		return activity{token.RoleType, all, role.Issued, role.Expires}, access, nil
	}
	if idbridge.KindOf(err) != idbridge.Unauthentic {
		return activity{}, idbridge.Access{}, err
	}
	who, err := s.resolver.Token(ctx, text.Reveal(), netip.Addr{}, at)
	if p := problem.From(err); err != nil && p.Status >= http.StatusInternalServerError {
		return activity{}, idbridge.Access{}, p
	}
	if err != nil {
		return activity{}, idbridge.Access{}, nil //nolint:nilerr // the answer says it
	}
	if who.Key != "" {
		all = who.Scopes
	}
	return activity{controlToken, all, who.Session.Created, who.Expires}, who.Access, nil
}

func (s *Server) appendActive(b []byte, key *activity, a *idbridge.Access) []byte {
	b = append(b, `{"active":true,"sub":"`...)
	b = strconv.AppendInt(b, int64(a.User), 10)
	b = append(b, `","username":`...)
	b = appendText(b, a.UserName)
	b = append(b, `,"token_type":`...)
	b = appendText(b, key.sort)
	b = append(b, `,"iss":`...)
	b = appendText(b, s.issuer())
	b = append(b, `,"iat":`...)
	b = strconv.AppendInt(b, key.issued.Unix(), 10)
	if !key.expires.IsZero() {
		b = append(b, `,"exp":`...)
		b = strconv.AppendInt(b, key.expires.Unix(), 10)
	}
	b = append(b, `,"scope":`...)
	b = appendText(b, joined(key.scopes))
	b = append(b, `,"roles":`...)
	b = appendRoles(b, a.Grants, "")
	b = append(b, `,"admin":`...)
	b = strconv.AppendBool(b, a.Has(idbridge.Admin, ""))
	b = append(b, `,"revision":`...)
	b = strconv.AppendInt(b, a.Revision, 10)
	return append(b, '}')
}

// joined writes scopes as RFC 6749 has them: with a space between.
func joined(scopes []string) string {
	if len(scopes) == 1 {
		return scopes[0]
	}
	var b []byte
	for i, scope := range scopes {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, scope...)
	}
	return string(b)
}

// revokeToken answers RFC 7009: the key ends for good, and a token that nobody knows is none any more. A key that carries
// only some of its user's rights can end itself and nothing else.
func (s *Server) revokeToken(x *exchange, r *http.Request) error {
	text, err := s.oauthToken(x, r, nil)
	if err != nil {
		return err
	}
	if credential.LooksLikeToken(text.Reveal()) {
		return s.revokeJWT(x, r, text)
	}
	key, _, code, err := s.inspect(r.Context(), text, x.started)
	if err != nil {
		return err
	}
	own := key.User == x.who.User() && (x.who.Whole() || x.who.How == credential.ByKey && key.ID == x.who.Key)
	switch {
	case code == codeNotFound:
	case !own && !s.may(&x.who, KeysAdmin):
		return problem.New(problem.NotYours, "")
	default:
		if err := s.config.Store.RevokeKey(r.Context(), key.ID, by(&x.who), "revoked over oauth2"); err != nil {
			return err
		}
	}
	x.WriteHeader(http.StatusOK)
	return nil
}

// revokeJWT ends the session that a Control Room token belongs to. A role token is checked offline and cannot be taken back:
// it ends by itself within minutes, and RFC 7009 has an error for that.
func (s *Server) revokeJWT(x *exchange, r *http.Request, text idbridge.Secret) error {
	who, err := s.resolver.Token(r.Context(), text.Reveal(), x.from, x.started)
	if p := problem.From(err); err != nil && p.Status >= http.StatusInternalServerError {
		return p
	}
	if err != nil {
		if _, err := s.tokens.Read(r.Context(), text.Reveal(), ""); err == nil {
			return problem.New(problem.NotRevocable, "")
		}
		x.WriteHeader(http.StatusOK) // unknown, or over
		return nil
	}
	own := who.User() == x.who.User() && x.who.Whole()
	if !own && !s.may(&x.who, UsersAdmin) {
		return problem.New(problem.NotYours, "")
	}
	if err := s.config.Store.EndSession(r.Context(), who.Session.ID, by(&x.who), "revoked over oauth2"); err != nil {
		return err
	}
	x.WriteHeader(http.StatusOK)
	return nil
}

// introspection describes the answer in the document.
type introspection struct {
	Active    bool            `json:"active"`
	Subject   string          `json:"sub,omitempty" doc:"The user's id."`
	UserName  string          `json:"username,omitempty"`
	TokenType string          `json:"token_type,omitempty"`
	Issuer    string          `json:"iss,omitempty"`
	IssuedAt  int64           `json:"iat,omitempty"`
	Expires   int64           `json:"exp,omitempty"`
	Scope     string          `json:"scope,omitempty"`
	Roles     []idbridge.Role `json:"roles,omitempty" nullable:"false"`
	Admin     bool            `json:"admin,omitempty"`
	Revision  int64           `json:"revision,omitempty"`
}

func (s *Server) oauthRoutes() {
	s.quick(http.MethodPost, "/oauth2/introspect", oauthDialect, s.introspect)
	s.quick(http.MethodPost, "/oauth2/revoke", oauthDialect, s.revokeToken)
	s.describeOAuth("introspect", "What is this token good for? (RFC 7662)", []Permission{KeysVerify})
	s.describeOAuth("revoke", "End an own token (RFC 7009); 200 for unknown ones too", nil)
	registry := s.api.OpenAPI().Components.Schemas
	s.api.OpenAPI().Paths["/oauth2/introspect"].Post.Responses["200"].Content = map[string]*huma.MediaType{
		"application/json": {Schema: registry.Schema(reflect.TypeFor[introspection](), true, "")},
	}
}

func (s *Server) describeOAuth(name, summary string, need []Permission) {
	fault := &huma.Response{Description: "Error", Content: map[string]*huma.MediaType{
		"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[oauthError](), true, "")},
	}}
	text := &huma.Schema{Type: huma.TypeString}
	form := &huma.Schema{Type: huma.TypeObject, Required: []string{"token"}, Properties: map[string]*huma.Schema{"token": text, "token_type_hint": text}}
	s.api.OpenAPI().AddOperation(&huma.Operation{
		Method: http.MethodPost, Path: "/oauth2/" + name, OperationID: "oauth2-" + name, Tags: []string{"oauth2"}, Summary: summary,
		Description: permissionText(need), Security: security(),
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/x-www-form-urlencoded": {Schema: form}}},
		Responses:   map[string]*huma.Response{"200": {Description: "OK"}, "default": fault},
	})
}
