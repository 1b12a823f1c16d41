package httpapi

import (
	"net/http"
	"slices"
)

// router is the ServeMux, with a list of what was registered, so that a test can hold it against the document.
type router struct {
	*http.ServeMux

	patterns []string
}

// HandleFunc registers a handler.
func (m *router) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.HandleFunc(pattern, handler)
}

// Routes returns every route that is served, as method and path, sorted.
func (s *Server) Routes() []string {
	return slices.Sorted(slices.Values(s.mux.patterns))
}
