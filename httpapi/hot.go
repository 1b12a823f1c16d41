package httpapi

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/strict"
)

// hotHandler is a hot route's pattern and what serves it.
type hotHandler struct {
	method, route string
	serve         http.HandlerFunc
}

// maxHotBody bounds the question on a hot route.
const maxHotBody = 16 << 10

// hotSpec is a hot route: where it is and what it takes.
type hotSpec struct {
	path  string // below base
	need  []Permission
	most  int64 // octets of a question; 0: maxHotBody
	query bool  // answer reads the query itself; else there must be none
}

// hotRoute serves a question that other programs ask all the time: the caller is proved, the body is read into a pooled
// buffer, answer appends the JSON to another. On a cache hit nothing here reads the database, reflects, or writes a row.
func (s *Server) hotRoute(h hotSpec, answer func(r *http.Request, x *exchange, body, out []byte) ([]byte, error)) {
	if h.most == 0 {
		h.most = maxHotBody
	}
	s.quick(http.MethodPost, base+h.path, nativeDialect, func(x *exchange, r *http.Request) error { return s.hotAnswer(x, r, &h, answer) })
}

// quick registers a route that passes the router by. An error of handle is answered in the dialect.
func (s *Server) quick(method, path string, in dialect, handle func(x *exchange, r *http.Request) error) {
	route := method + " " + path
	good := s.measures.observer(served{route, method, "200"})
	serve := func(w http.ResponseWriter, r *http.Request) {
		x, ok := w.(*exchange)
		if !ok {
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
		x.good, x.dialect = good, in
		if err := handle(x, r); err != nil {
			s.problem(x, err)
		}
	}
	s.mux.HandleFunc(route, serve)
	s.hot[path] = hotHandler{method, route, serve}
}

func (s *Server) hotAnswer(
	x *exchange, r *http.Request, h *hotSpec, answer func(r *http.Request, x *exchange, body, out []byte) ([]byte, error),
) error {
	if err := s.authenticate(x, r); err != nil {
		return err
	}
	if err := s.mayAny(&x.who, h.need); err != nil {
		return err
	}
	if err := acceptable(r); err != nil {
		return err
	}
	if r.URL.RawQuery != "" && !h.query {
		return problem.New(problem.Invalid, "").At("query", "unknown query parameter")
	}
	in, out := s.buffer(), s.buffer()
	defer s.release(in)
	defer s.release(out)
	var err error
	if in.b, err = readBody(x, r, in.b, h.most); err != nil {
		return err
	}
	if out.b, err = answer(r, x, in.b, out.b); err != nil {
		return err
	}
	x.Header()["Content-Type"] = s.headers.json
	_, _ = x.Write(append(out.b, '\n')) // a client that went away
	return nil
}

// readBody appends the request's body, of most octets, to b. Errors: 413, 408, 400.
func readBody(w http.ResponseWriter, r *http.Request, b []byte, most int64) ([]byte, error) {
	if r.ContentLength > most {
		return b, problem.New(problem.TooLarge, "")
	}
	if r.ContentLength == 0 || r.Body == nil {
		return b, problem.New(problem.Malformed, "request body is required")
	}
	body := r.Body
	if r.ContentLength < 0 {
		body = http.MaxBytesReader(w, r.Body, most)
	}
	if cap(b) == 0 {
		b = make([]byte, 0, 512)
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return b, bodyTrouble(err)
		}
	}
}

func bodyTrouble(err error) error {
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return problem.New(problem.TooLarge, "")
	}
	var slow interface{ Timeout() bool }
	if errors.As(err, &slow) && slow.Timeout() {
		return problem.New(problem.Timeout, "")
	}
	return problem.New(problem.Malformed, "The body ended too early.").Because(err)
}

// members reads a flat question strictly; at is where it stands. set gets each member and returns what is wrong with its
// value, "" for nothing.
func members(body []byte, at string, set func(name string, value []byte) (fault string)) error {
	var p *problem.Problem
	err := strict.Members(body, func(name string, value []byte) error {
		if fault := set(name, value); fault != "" {
			if p == nil {
				p = problem.New(problem.Invalid, "")
			}
			p.At(place(at+"."+name), fault)
		}
		return nil
	})
	var fault *strict.Fault
	switch {
	case errors.As(err, &fault):
		return problem.New(problem.Malformed, "").At(at, fault.Error())
	case err != nil:
		return err
	case p != nil:
		return p
	}
	return nil
}

const (
	unknownMember = "unexpected property"
	notText       = "expected string"
	tooLong       = "expected a shorter string"
	maxText       = 1024
)

// text reads a member that must be a string, and not too long.
func text(value []byte, into *string) (fault string) {
	s, ok := strict.Text(value)
	switch {
	case !ok:
		return notText
	case len(s) > maxText:
		return tooLong
	}
	*into = s
	return ""
}

// appendAsOf appends what every hot answer ends with: how current it is. at is the moment of the answer.
func (s *Server) appendAsOf(b []byte, a *idbridge.Access, revision int64, at time.Time) []byte {
	b = append(b, `,"revision":`...)
	b = strconv.AppendInt(b, revision, 10)
	b = append(b, `,"asOf":`...)
	b = appendTime(b, at)
	b = append(b, `,"directoryAsOf":`...)
	b = appendTime(b, a.AsOf)
	b = append(b, `,"stale":`...)
	return strconv.AppendBool(b, s.stale(a, at))
}

// stale tells whether the last good run of the user's directory is longer ago than the config lets pass.
func (s *Server) stale(a *idbridge.Access, at time.Time) bool {
	return s.config.StaleAfter > 0 && !a.AsOf.IsZero() && at.Sub(a.AsOf) > s.config.StaleAfter
}

// appendTime appends RFC 3339 in UTC, null for never.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, time.RFC3339)
	return append(b, '"')
}
