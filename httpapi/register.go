package httpapi

import (
	"context"
	"mime"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// operation is a native route: where it is, who may use it, and how it is documented.
type operation struct {
	method, path string // path below base
	id, summary  string
	tag          string
	status       int          // of the good answer; 0: 200, or 204 without a body
	need         []Permission // any one of them; none: any signed-in user
	body         *huma.RequestBody
	errors       []int // beyond those that every route has
	accepted     bool  // may also answer 202, with the same body, when the work goes on
}

// exchangeKey carries the exchange through huma, which hands handlers a context and nothing else. register takes it out
// again; no handler asks the context who is calling.
type exchangeKey struct{}

// register is the one place where routes enter huma. It proves the caller and his permission before anything of the
// request is read, and turns every error of f into a problem.
func register[I, O any](s *Server, op operation, f func(ctx context.Context, who *credential.Caller, in *I) (*O, error)) {
	errors := append([]int{
		http.StatusBadRequest, http.StatusUnauthorized, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusTooManyRequests,
		http.StatusServiceUnavailable,
	}, op.errors...)
	if len(op.need) > 0 {
		errors = append(errors, http.StatusForbidden)
	}
	if op.method == http.MethodPost || op.method == http.MethodPatch {
		errors = append(errors, http.StatusRequestEntityTooLarge, http.StatusRequestTimeout)
	}
	h := huma.Operation{
		Method: op.method, Path: base + op.path, OperationID: op.id, Summary: op.summary, Tags: []string{op.tag}, DefaultStatus: op.status,
		RequestBody: op.body, Errors: errors, Security: security(), Description: permissionText(op.need),
		Middlewares: huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) { s.admit(ctx, op.need, next) }},
	}
	huma.Register(s.api, h, func(ctx context.Context, in *I) (*O, error) {
		x, ok := ctx.Value(exchangeKey{}).(*exchange)
		if !ok {
			return nil, problem.New(problem.Internal, "")
		}
		out, err := f(ctx, &x.who, in)
		if err == nil {
			return out, nil
		}
		p := *problem.From(err)
		p.Instance = x.id
		x.cause = p.Cause
		return nil, &p
	})
	if op.accepted {
		item := s.api.OpenAPI().Paths[base+op.path]
		goesOn := *item.Post.Responses["200"]
		goesOn.Description = "Accepted: the work goes on"
		item.Post.Responses["202"] = &goesOn
	}
}

func security() []map[string][]string {
	return []map[string][]string{{"key": {}}, {"bearer": {}}, {"basic": {}}}
}

func permissionText(need []Permission) string {
	if len(need) == 0 {
		return "Any signed-in user."
	}
	names := make([]string, len(need))
	for i, p := range need {
		names[i] = "`" + string(p) + "`"
	}
	return "Needs " + strings.Join(names, " or ") + "."
}

// admit lets a request on to huma when its caller is proved and permitted and its form is acceptable.
func (s *Server) admit(ctx huma.Context, need []Permission, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	x, ok := exchangeOf(ctx)
	if !ok {
		ctx.SetStatus(http.StatusInternalServerError)
		return
	}
	err := s.authenticate(x, r)
	if err == nil {
		err = s.mayAny(&x.who, need)
	}
	if err == nil {
		err = acceptable(r)
	}
	if err != nil {
		s.problem(x, err)
		return
	}
	next(huma.WithValue(ctx, exchangeKey{}, x))
}

// authenticate proves who is calling and notes it in the exchange. Errors: *problem.Problem; the true reason of a failure
// goes to the audit.
func (s *Server) authenticate(x *exchange, r *http.Request) error {
	surface := credential.Native()
	who, err := s.resolver.ResolveAt(r, &surface, x.from, x.started)
	if err != nil {
		p := problem.From(err)
		if p.Status == http.StatusUnauthorized || p.Status == http.StatusTooManyRequests {
			s.auditRefusal(r.Context(), x, p.Cause)
		}
		return p
	}
	if who.How == credential.Nobody {
		return credential.Refuse("no credential")
	}
	x.who = who
	return nil
}

// acceptable refuses what huma would let pass: a body without a media type or with a foreign one, and a query parameter
// that comes twice.
func acceptable(r *http.Request) error {
	if r.URL.RawQuery != "" {
		for _, values := range r.URL.Query() {
			if len(values) > 1 {
				return problem.New(problem.Malformed, "A query parameter comes twice.")
			}
		}
	}
	types := r.Header["Content-Type"]
	if len(types) > 1 {
		return problem.New(problem.Malformed, "The header Content-Type comes twice.")
	}
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if len(types) == 1 && jsonType(types[0], r.Method) {
		return nil
	}
	return problem.New(problem.UnsupportedMediaType, "")
}

// jsonType tells whether a media type is JSON in UTF-8: application/json, and on PATCH application/merge-patch+json.
func jsonType(value, method string) bool {
	if value == "application/json" {
		return true
	}
	media, params, err := mime.ParseMediaType(value)
	if err != nil {
		return false
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	return media == "application/json" || media == "application/merge-patch+json" && method == http.MethodPatch
}
