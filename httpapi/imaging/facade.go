package imaging

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/facade"
	"github.com/idbridge/idbridge/httpapi/rest"
)

// store is what the facade asks of the store.
type store interface {
	rest.Auditor
	// User reads a user. Error: NotFound.
	User(ctx context.Context, id idbridge.UserID) (idbridge.User, error)
	// Ping tells whether the store answers.
	Ping(ctx context.Context) error
}

// Config is everything a Facade needs. Store and Resolver are required.
type Config struct {
	Store    store
	Resolver rest.Resolver
	Version  string           // of the server; default "dev"
	Log      *slog.Logger     // default: none
	Now      func() time.Time // default time.Now
}

// Facade is CAST Imaging as clients with a key see it. Safe for concurrent use.
type Facade struct {
	config Config
	gate   *rest.Gate
}

var _ facade.Facade = (*Facade)(nil)

// New makes a Facade. Error: Invalid when a part is missing.
func New(c Config) (*Facade, error) {
	if c.Store == nil || c.Resolver == nil {
		return nil, &idbridge.Error{Kind: idbridge.Invalid, Msg: "imaging: no store or no resolver"}
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	surface := credential.Surface{Name: "imaging", Key: true, Basic: true, Cookie: true, CookieName: credential.RestCookie}
	return &Facade{config: c, gate: rest.NewGate(c.Resolver, c.Store, surface, c.Log, c.Now)}, nil
}

// Name returns imaging.
func (f *Facade) Name() string { return "imaging" }

// Mount registers every route. Where dashboards is on, too, mount it before: its answer to GET /rest is the one that clients of
// both take.
func (f *Facade) Mount(mux facade.Mux) {
	mux.HandleFunc("GET /rest", f.root)
	mux.HandleFunc("GET /rest/{$}", f.root)
	mux.HandleFunc("GET /rest/ready", f.ready)
	mux.HandleFunc("GET /rest/{path...}", f.nothing)
	f.MountProfile(mux)
}

// MountProfile registers only what says who the caller is and which version is spoken.
func (f *Facade) MountProfile(mux facade.Mux) {
	mux.HandleFunc("GET /api/user", f.user)
	mux.HandleFunc("GET /api", f.api)
	mux.HandleFunc("GET /api/{$}", f.api)
}

// Owns tells whether a path is this facade's to answer.
func (f *Facade) Owns(path string) bool {
	return path == "/rest" || strings.HasPrefix(path, "/rest/") || OwnsProfile(path)
}

// OwnsProfile tells whether a path is one of MountProfile.
func OwnsProfile(path string) bool {
	return path == "/api" || path == "/api/" || path == "/api/user" || path == "/api/user/"
}

// Refuse writes an error in the facade's shape.
func (f *Facade) Refuse(w http.ResponseWriter, _ *http.Request, status int) { rest.Refuse(w, status) }

// Changing tells whether a GET of a pattern changes something; none does.
func (f *Facade) Changing(string) bool { return false }
