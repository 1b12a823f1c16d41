package httpapi

import (
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// routes registers everything. The hot routes are plain handlers and enter the document by hand.
func (s *Server) routes() {
	s.health()
	s.openapi()
	s.meRoutes()
	s.userRoutes()
	s.roleRoutes()
	s.runRoutes()
	s.conflictRoutes()
	s.planRoutes()
	s.directoryRoutes()
	s.explainRoutes()
	s.keyRoutes()
	s.tokenRoutes()
	s.auditRoutes()
	s.applicationRoutes()
	s.passwordRoutes()
	s.changeRoutes()
	s.oauthRoutes()
	s.proxyRoutes()
	s.hotRoute(hotSpec{path: "/keys/verify", need: []Permission{KeysVerify}}, s.verify)
	s.hotRoute(hotSpec{path: "/check", query: true}, s.check)
	s.hotRoute(hotSpec{path: "/check/batch", most: maxBatchBody}, s.checkBatch)
	describe[verifyQuestion, verifyAnswer](s, "/keys/verify", "verify-key", "Whose key is this?", []Permission{KeysVerify}, nil)
	describe[checkQuestion, checkAnswer](s, "/check", "check", "What may this user do? About oneself anybody may ask.", []Permission{RolesCheck},
		[]int{http.StatusConflict})
	s.api.OpenAPI().Paths[base+"/check"].Post.Parameters = []*huma.Param{{
		Name: "explain", In: "query", Schema: &huma.Schema{Type: huma.TypeBoolean}, Description: "Adds paths: where each grant of the role comes from.",
	}}
	describe[batchQuestion, batchAnswer](s, "/check/batch", "check-batch", "Up to 1000 checks on one snapshot, answered in their order", []Permission{RolesCheck},
		[]int{http.StatusConflict})
	for _, path := range []string{"/livez", "/readyz"} {
		s.api.OpenAPI().AddOperation(&huma.Operation{
			Method: http.MethodGet, Path: path, OperationID: path[1:], Tags: []string{"health"}, Summary: "Health", Security: []map[string][]string{},
			Responses: s.responses(reflect.TypeFor[statusAnswer](), http.StatusServiceUnavailable),
		})
	}
}

// The types below describe the hot routes in the document; the routes themselves append their JSON by hand.

type statusAnswer struct {
	Status string `json:"status"`
}

type verifyQuestion struct {
	Key         string `json:"key" doc:"In any rendering." maxLength:"1024"`
	IP          string `json:"ip,omitempty" doc:"Where the key was presented." format:"ip" maxLength:"64"`
	Scope       string `json:"scope,omitempty" maxLength:"1024"`
	Role        string `json:"role,omitempty" maxLength:"1024"`
	Application string `json:"application,omitempty" maxLength:"1024"`
}

type verifyAnswer struct {
	Valid         bool            `json:"valid"`
	Code          string          `json:"code" enum:"VALID,NOT_FOUND,DISABLED,EXPIRED,REVOKED,USER_DISABLED,IP_DENIED,SCOPE,ROLE,RATE_LIMITED"`
	KeyID         idbridge.KeyID  `json:"keyId,omitempty"`
	User          *verifiedUser   `json:"user,omitempty"`
	Admin         bool            `json:"admin,omitempty"`
	Roles         []idbridge.Role `json:"roles,omitempty"`
	Scopes        []string        `json:"scopes,omitempty"`
	ExpiresAt     *time.Time      `json:"expiresAt,omitempty" nullable:"true"`
	Revision      int64           `json:"revision"`
	AsOf          time.Time       `json:"asOf"`
	DirectoryAsOf *time.Time      `json:"directoryAsOf,omitempty" nullable:"true" doc:"The last good run of the user's directory."`
	Stale         bool            `json:"stale,omitempty"`
}

type verifiedUser struct {
	ID       idbridge.UserID `json:"id"`
	UserName string          `json:"userName"`
}

type checkQuestion struct {
	User        any    `json:"user,omitempty" doc:"A user's id or name; or else key."`
	Key         string `json:"key,omitempty" maxLength:"1024"`
	Role        string `json:"role" maxLength:"1024"`
	Application string `json:"application,omitempty" maxLength:"1024"`
	MinRevision int64  `json:"minRevision,omitempty" minimum:"0" doc:"Wait up to 2 s until the store has reached it."`
}

type checkAnswer struct {
	Allowed       bool       `json:"allowed"`
	Reason        string     `json:"reason" doc:"granted, no-role, no-user, no-key, or why the user may not act."`
	Revision      int64      `json:"revision"`
	AsOf          time.Time  `json:"asOf"`
	DirectoryAsOf *time.Time `json:"directoryAsOf" doc:"The last good run of the user's directory; null for a local user."`
	Stale         bool       `json:"stale" doc:"Told, not turned into a denial."`
	Paths         []pathView `json:"paths,omitempty" nullable:"false" doc:"With explain=true: every grant that gives the role here."`
}

// describe enters a hot route into the document.
func describe[Q, A any](s *Server, path, id, summary string, need []Permission, more []int) {
	errors := append([]int{
		http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable,
	}, more...)
	registry := s.api.OpenAPI().Components.Schemas
	s.api.OpenAPI().AddOperation(&huma.Operation{
		Method: http.MethodPost, Path: base + path, OperationID: id, Summary: summary, Tags: []string{"checks"}, Description: permissionText(need),
		Security: security(),
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: registry.Schema(reflect.TypeFor[Q](), true, id+"Question")},
		}},
		Responses: s.responses(reflect.TypeFor[A](), errors...),
	})
}

// responses describes a good answer, nil for one without a body, and the problems.
func (s *Server) responses(answer reflect.Type, errors ...int) map[string]*huma.Response {
	registry := s.api.OpenAPI().Components.Schemas
	out := map[string]*huma.Response{"200": {Description: "OK"}}
	if answer != nil {
		out["200"].Content = map[string]*huma.MediaType{"application/json": {Schema: registry.Schema(answer, true, "")}}
	}
	for _, status := range errors {
		out[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{
			problem.MediaType: {Schema: registry.Schema(reflect.TypeFor[problem.Problem](), true, "")},
		}}
	}
	return out
}
