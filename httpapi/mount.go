package httpapi

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/facade"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// mounting registers the routes of one facade: each is entered into the document, and its own errors are the facade's.
type mounting struct {
	s *Server
	f facade.Facade
}

// mountFacades mounts every facade. Error: Invalid for a route that cannot stand beside the others.
func (s *Server) mountFacades() (err error) {
	defer func() {
		if fault := recover(); fault != nil { // the router says so of patterns that contradict each other
			err = &idbridge.Error{Kind: idbridge.Invalid, Msg: fmt.Sprintf("facades: %v", fault)}
		}
	}()
	for _, f := range s.config.Facades {
		f.Mount(&mounting{s, f})
	}
	return nil
}

// HandleFunc registers a route of the facade.
func (m *mounting) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	if slices.Contains(m.s.mux.patterns, pattern) {
		return
	}
	method, path, ok := strings.Cut(pattern, " ")
	if !ok || !strings.HasPrefix(path, "/") {
		panic(fmt.Sprintf("pattern %q of %s needs a method and a path", pattern, m.f.Name()))
	}
	m.s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if x, ok := w.(*exchange); ok {
			x.facade = m.f
		}
		handler(w, r)
	})
	changing := method == http.MethodGet && m.f.Changing(pattern)
	if changing {
		m.s.mux.ServeMux.HandleFunc(http.MethodHead+" "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", http.MethodGet)
			m.f.Refuse(w, r, http.StatusMethodNotAllowed)
		})
	}
	m.document(method, path, changing)
}

// wildcard is a segment of a pattern that stands for others.
var wildcard = regexp.MustCompile(`\{([^}]*)\}`)

// document enters the route under the facade's own tag. Its bodies are the other system's affair: they are not described.
func (m *mounting) document(method, path string, changing bool) {
	op := &huma.Operation{
		Method: method, OperationID: operationName(m.f.Name(), method, path), Tags: []string{m.f.Name()},
		Summary: "As the system speaks it that " + m.f.Name() + " stands for", Deprecated: changing,
		Responses:  map[string]*huma.Response{"default": {Description: "In the dialect of the facade"}},
		Extensions: map[string]any{"x-facade": m.f.Name()},
	}
	path = strings.Replace(path, "{$}", "", 1)
	for _, found := range wildcard.FindAllStringSubmatch(path, -1) {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: strings.TrimSuffix(found[1], "..."), In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString},
		})
	}
	op.Path = strings.ReplaceAll(path, "...}", "}")
	m.s.api.OpenAPI().AddOperation(op)
}

// operationName makes an id of letters, digits and dashes, another one for every pattern.
func operationName(parts ...string) string {
	name := strings.NewReplacer("{$}", "slash", "...}", "-all", "{", "by-").Replace(strings.Join(parts, "-"))
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	return strings.Join(words, "-")
}

// facadeOf returns the facade that a path is below, nil for none.
func (s *Server) facadeOf(path string) facade.Facade {
	for _, f := range s.config.Facades {
		if f.Owns(path) {
			return f
		}
	}
	return nil
}

// unmatched says that no route serves a path, or not with this method: in the facade's words below a facade.
func (s *Server) unmatched(x *exchange, r *http.Request, status int, allow string) {
	if allow != "" {
		x.Header().Set("Allow", allow)
	}
	if f := s.facadeOf(r.URL.Path); f != nil {
		f.Refuse(x, r, status)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/oauth2/") {
		x.dialect = oauthDialect
	}
	s.problem(x, problem.New(problem.OfStatus(status), ""))
}
