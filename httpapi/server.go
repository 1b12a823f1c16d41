package httpapi

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/time/rate"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/password"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/token"
	"github.com/idbridge/idbridge/sync/plan"
)

// Server is the HTTP side of the bridge. Safe for concurrent use.
type Server struct {
	config    Config
	roles     map[Permission][]idbridge.Role
	policies  map[string]*plan.Policy // by directory
	resolver  *credential.Resolver
	mux       *router
	api       huma.API
	hot       map[string]hotHandler // by path: the routes that pass the router by
	document  document
	measures  *measures
	audited   *rate.Limiter // audit rows of failed sign-ins
	explained *rate.Limiter // explanations
	leaks     *rate.Limiter // reports of leaked keys
	random    io.Reader     // keys are drawn from it
	sealing   []byte        // of answers that are kept for a moment
	hasher    *password.Hasher
	tokens    *token.Roles
	follows   *follows
	exchanges sync.Pool
	buffers   sync.Pool
	headers   fixedHeaders
	prefix    string // of request ids
	count     atomic.Uint64
}

// fixedHeaders are header values that all answers share, so that setting one allocates nothing. Nobody appends to them.
type fixedHeaders struct {
	nosniff, vary, noStore, json, hsts, policy []string
}

const auditedPerSecond = 20 // rows of failed sign-ins; what is beyond is in the log only

// New makes a Server. Error: Invalid with every fault of the config.
func New(c Config) (*Server, error) {
	if faults := c.Validate(); len(faults) > 0 {
		return nil, fmt.Errorf("http api: %w", errors.Join(faults...))
	}
	if c.Store == nil {
		return nil, &idbridge.Error{Kind: idbridge.Invalid, Msg: "http api: no store"}
	}
	c.withDefaults()
	s := &Server{
		config: c, roles: rolesOf(c.Permissions), mux: &router{ServeMux: http.NewServeMux()}, hot: map[string]hotHandler{},
		audited: rate.NewLimiter(auditedPerSecond, auditedPerSecond), explained: newExplainLimit(), leaks: newLeakLimit(), random: rand.Reader,
	}
	s.policies = map[string]*plan.Policy{}
	for i := range c.Directories {
		s.policies[c.Directories[i].Name] = c.Directories[i].Policy
	}
	s.hasher, s.tokens, s.follows = password.New(), token.NewRoles(c.Store, s.issuer(), c.Now), newFollows()
	if s.resolver = c.Resolver; s.resolver == nil {
		s.resolver = credential.New(credential.Config{
			Store: c.Store, Sessions: c.Store, Passwords: c.Store, Hasher: s.hasher, Doors: c.doors(), Limits: c.Limits, Trusted: c.TrustedProxies,
			PublicURL: c.PublicURL, Now: c.Now,
		})
	}
	s.exchanges.New = func() any { return new(exchange) }
	s.buffers.New = func() any { return new(buffer) }
	s.headers = fixedHeaders{
		nosniff: []string{"nosniff"}, vary: []string{"Authorization, X-API-KEY, Cookie, Accept"}, noStore: []string{"no-store"},
		json: []string{"application/json"}, policy: []string{fmt.Sprintf(`"failures";q=%d;w=60`, s.resolver.Limiter().PerAddress())},
	}
	if u, err := url.Parse(c.PublicURL); err == nil && u.Scheme == "https" {
		s.headers.hsts = []string{"max-age=31536000"}
	}
	var seed [5]byte
	if _, err := io.ReadFull(s.random, seed[:]); err != nil {
		return nil, fmt.Errorf("http api: read random octets: %w", err)
	}
	s.prefix = hex.EncodeToString(seed[:]) + "-"
	s.sealing = make([]byte, 32)
	if _, err := io.ReadFull(s.random, s.sealing); err != nil {
		return nil, fmt.Errorf("http api: read random octets: %w", err)
	}
	var err error
	if s.measures, err = newMeasures(c.Metrics, &s.config); err != nil {
		return nil, fmt.Errorf("http api: %w", err)
	}
	s.api = newHuma(s.mux, c.Version, c.PublicURL)
	s.routes()
	if err = s.mountFacades(); err != nil {
		return nil, fmt.Errorf("http api: %w", err)
	}
	if err = addExamples(s.api); err != nil {
		return nil, fmt.Errorf("http api: %w", err)
	}
	if s.document, err = newDocument(s.api); err != nil {
		return nil, fmt.Errorf("http api: %w", err)
	}
	return s, nil
}

func (c *Config) doors() []credential.Door {
	var doors []credential.Door
	for i := range c.Directories {
		if c.Directories[i].Login != nil {
			doors = append(doors, credential.Door{Name: c.Directories[i].Name, Auth: c.Directories[i].Login})
		}
	}
	return doors
}

// Handler returns the API, health and OpenAPI included; metrics have a listener of their own.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// serve is the way of every request: headers that all answers share, the route, the log line and the metric.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	x, ok := s.exchanges.Get().(*exchange)
	if !ok {
		x = new(exchange)
	}
	*x = exchange{ResponseWriter: w, id: s.requestID(r), started: s.config.Now(), from: credential.Address(r, s.config.TrustedProxies)}
	h := w.Header()
	h["X-Request-Id"] = []string{x.id}
	h["X-Content-Type-Options"] = s.headers.nosniff
	h["Vary"] = s.headers.vary
	h["Cache-Control"] = s.headers.noStore
	if s.headers.hsts != nil {
		h["Strict-Transport-Security"] = s.headers.hsts
	} else if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	defer s.finish(x, r)
	if hot, ok := s.hot[r.URL.Path]; ok && r.Method == hot.method {
		x.hot, x.route = true, hot.route
		hot.serve(x, r)
		return
	}
	s.route(x, r)
}

// finish turns a panic into a 500, then writes log line and metric. It gives the exchange back.
func (s *Server) finish(x *exchange, r *http.Request) {
	if fault := recover(); fault != nil {
		if fault == http.ErrAbortHandler { //nolint:errorlint // compared as net/http does
			panic(fault)
		}
		s.config.Log.LogAttrs(r.Context(), slog.LevelError, "handler panicked", slog.String("request", x.id),
			slog.String("route", x.route), slog.String("stack", string(debug.Stack())))
		switch {
		case x.status != 0:
		case x.facade != nil:
			x.facade.Refuse(x, r, http.StatusInternalServerError)
		default:
			s.problem(x, problem.New(problem.Internal, ""))
		}
	}
	if x.status == 0 {
		x.status = http.StatusOK
	}
	took := s.config.Now().Sub(x.started)
	s.measures.served(x, r.Method, took)
	s.logExchange(x, r, took)
	*x = exchange{}
	s.exchanges.Put(x)
}

// route finds the handler. What no pattern matches, 404 and 405 alike, is answered in the API's own shape.
func (s *Server) route(x *exchange, r *http.Request) {
	if p := r.URL.Path; p == "" || p[0] != '/' || p != "/" && p != strings.TrimSuffix(path.Clean(p), "/") && p != path.Clean(p)+"/" ||
		strings.ContainsRune(p, 0) {
		s.unmatched(x, r, http.StatusNotFound, "") // the router would redirect
		return
	}
	h, pattern := s.mux.Handler(r)
	if pattern != "" {
		x.route = pattern
		s.mux.ServeHTTP(x, r)
		return
	}
	x.route = "unmatched"
	var probe probe
	h.ServeHTTP(&probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		s.unmatched(x, r, probe.status, probe.Header().Get("Allow"))
		return
	}
	s.unmatched(x, r, http.StatusNotFound, "")
}

// probe takes the router's own answer to a request without a route and keeps status and headers.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header {
	if p.header == nil {
		p.header = http.Header{}
	}
	return p.header
}

func (p *probe) Write(b []byte) (int, error) { return len(b), nil }

func (p *probe) WriteHeader(status int) { p.status = status }

// requestID returns the client's X-Request-Id when it looks like a trace id or UUID, else a fresh one.
func (s *Server) requestID(r *http.Request) string {
	if given := r.Header["X-Request-Id"]; len(given) == 1 && harmless(given[0]) {
		return given[0]
	}
	var b [40]byte
	return string(strconv.AppendUint(append(b[:0], s.prefix...), s.count.Add(1), 36))
}

// harmless lets hexadecimal digits and dashes through: what comes back in answers and goes into the log is no place for
// whatever a client may send.
func harmless(id string) bool {
	if len(id) < 16 || len(id) > 36 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') && c != '-' {
			return false
		}
	}
	return true
}
