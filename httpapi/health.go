package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/idbridge/idbridge/httpapi/problem"
)

// health answers /livez, which says that the process serves, and /readyz, which says that the store answers too. Old data
// does not make it unready.
func (s *Server) health() {
	s.mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { s.status(w, "alive") })
	s.mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := s.config.Store.Ping(ctx); err != nil {
			if x, ok := w.(*exchange); ok {
				s.problem(x, problem.New(problem.Unavailable, "").Because(err))
			}
			return
		}
		s.status(w, "ready")
	})
}

func (s *Server) status(w http.ResponseWriter, word string) {
	w.Header()["Content-Type"] = s.headers.json
	_, _ = w.Write([]byte(`{"status":"` + word + `"}` + "\n")) // a client that went away
}
