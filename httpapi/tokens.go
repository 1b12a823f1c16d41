package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/token"
)

// ownIssuer is the claim iss where no public URL is known.
const ownIssuer = "idbridge"

type tokenInput struct {
	Body struct {
		Audience   string `json:"aud" minLength:"1" maxLength:"200" doc:"Who the token is for; others must refuse it."`
		TTLSeconds int64  `json:"ttl,omitempty" minimum:"1" maximum:"300" doc:"Seconds, default 300. Nothing ends the token sooner."`
	}
}

type tokenOutput struct {
	Body struct {
		Token     string     `json:"token" doc:"A JWT, EdDSA, to be checked with /.well-known/jwks.json."`
		Type      string     `json:"type" enum:"idbridge-role+jwt"`
		ID        string     `json:"jti"`
		Audience  string     `json:"aud"`
		ExpiresAt *time.Time `json:"expiresAt"`
		Revision  int64      `json:"revision" doc:"Of the store, when the roles were read."`
	}
}

// mintToken makes a role token: what the caller may do everywhere, as of now, for one audience. A key that carries only some
// of its user's rights gets none, since the token says nothing about scopes.
func (s *Server) mintToken(ctx context.Context, who *credential.Caller, in *tokenInput) (*tokenOutput, error) {
	if err := whole(who); err != nil {
		return nil, err
	}
	roles := globalRoles(&who.Access)
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	text, made, err := s.tokens.Mint(ctx, token.Role{
		User: who.User(), Audience: in.Body.Audience, Roles: names, Admin: who.Has(idbridge.Admin), Revision: who.Access.Revision,
	}, time.Duration(in.Body.TTLSeconds)*time.Second)
	if err != nil {
		return nil, err
	}
	out := &tokenOutput{}
	out.Body.Token, out.Body.Type, out.Body.ID, out.Body.Audience = text.Reveal(), token.RoleType, made.ID, made.Audience
	out.Body.ExpiresAt, out.Body.Revision = moment(made.Expires), made.Revision
	return out, nil
}

func (s *Server) issuer() string {
	if s.config.PublicURL == "" {
		return ownIssuer
	}
	return s.config.PublicURL
}

// keySet answers with the keys that role tokens are checked by.
func (s *Server) keySet(x *exchange, r *http.Request) error {
	set, err := s.tokens.JWKS(r.Context())
	if err != nil {
		return err
	}
	h := x.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "max-age=300")
	_, _ = x.Write(set) // a client that went away
	return nil
}

// discover answers where everything is.
func (s *Server) discover(x *exchange, _ *http.Request) error {
	root := strings.TrimSuffix(s.config.PublicURL, "/")
	b := s.buffer()
	defer s.release(b)
	b.b = append(b.b, `{"issuer":`...)
	b.b = appendText(b.b, s.issuer())
	for _, e := range [...][2]string{
		{"api", base}, {"jwks_uri", "/.well-known/jwks.json"}, {"token_endpoint", base + "/tokens"}, {"introspection_endpoint", "/oauth2/introspect"},
		{"revocation_endpoint", "/oauth2/revoke"}, {"openapi", "/openapi.json"},
	} {
		b.b = append(append(append(b.b, `,"`...), e[0]...), `":`...)
		b.b = appendText(b.b, root+e[1])
	}
	h := x.Header()
	h["Content-Type"] = s.headers.json
	h.Set("Cache-Control", "max-age=300")
	_, _ = x.Write(append(b.b, "}\n"...)) // a client that went away
	return nil
}

func (s *Server) tokenRoutes() {
	register(s, operation{
		method: http.MethodPost, path: "/tokens", id: "mint-token", summary: "A signed token about one's own roles, to be checked offline", tag: "tokens",
		status: http.StatusCreated, errors: []int{http.StatusForbidden},
	}, s.mintToken)
	s.quick(http.MethodGet, "/.well-known/jwks.json", nativeDialect, s.keySet)
	s.quick(http.MethodGet, "/.well-known/idbridge", nativeDialect, s.discover)
	for path, d := range map[string][2]string{
		"/.well-known/jwks.json": {"application/jwk-set+json", "The keys of role tokens (RFC 7517)"},
		"/.well-known/idbridge":  {"application/json", "Issuer and endpoints"},
	} {
		op := &huma.Operation{
			Method: http.MethodGet, Path: path, OperationID: operationName(path), Tags: []string{"tokens"}, Summary: d[1],
			Security: []map[string][]string{}, Responses: s.responses(nil, http.StatusServiceUnavailable),
		}
		op.Responses["200"].Content = map[string]*huma.MediaType{d[0]: {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}}
		s.api.OpenAPI().AddOperation(op)
	}
}
