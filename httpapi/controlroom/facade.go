package controlroom

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/facade"
)

// keysGenerate is the permission that a login by key needs.
const keysGenerate = "keys.generate"

// store is what the API asks of the store.
type store interface {
	// User reads a user. Error: NotFound.
	User(ctx context.Context, id idbridge.UserID) (idbridge.User, error)
	// Links reads the records in directories that are linked to him.
	Links(ctx context.Context, id idbridge.UserID) ([]idbridge.Link, error)
	// Password reads the digest of a local password, empty for none. Error: NotFound.
	Password(ctx context.Context, userName string) (idbridge.UserID, idbridge.Secret, error)
	// EndSession ends a session, and with it its tokens. Error: NotFound.
	EndSession(ctx context.Context, id int64, by, reason string) error
	// AddAudit writes one row.
	AddAudit(ctx context.Context, a idbridge.Audit) error
}

// resolver proves who is asking. Errors of all its methods: *problem.Problem, as credential.Resolver has them.
type resolver interface {
	// ResolveAt proves the credentials in the headers of a request that the surface looks at.
	ResolveAt(r *http.Request, s *credential.Surface, from netip.Addr, now time.Time) (credential.Caller, error)
	// Login proves a user name and a password.
	Login(ctx context.Context, name string, password idbridge.Secret, from netip.Addr) (idbridge.Access, error)
	// Token proves a token and counts no failure.
	Token(ctx context.Context, text string, from netip.Addr, now time.Time) (credential.Caller, error)
	// Start makes a session without a cookie.
	Start(r *http.Request, caller *credential.Caller, surface string, single bool) (idbridge.UserSession, idbridge.Secret, error)
	// Address returns the client's address.
	Address(r *http.Request) netip.Addr
}

// mint makes tokens.
type mint interface {
	// Mint makes a token of a user's session. Error: Unavailable.
	Mint(ctx context.Context, user idbridge.UserID, session int64) (idbridge.Secret, error)
}

// Config is everything a Facade needs. Store, Resolver and Tokens are required; the rest has defaults. How long tokens live is
// the affair of Tokens.
type Config struct {
	Store    store
	Resolver resolver
	Tokens   mint
	// Roles says which roles give a permission; they are shown in the user's permissions. Default: API_KEY_GENERATION and ADMIN
	// give keys.generate.
	Roles map[string][]idbridge.Role
	// Directories may stand before a user name, as in CORP\bob, or behind it, as in bob@corp.
	Directories []string
	// LicenseFeatures are shown as the user's. Default: none.
	LicenseFeatures []string

	Log *slog.Logger     // default: none
	Now func() time.Time // default time.Now
}

// Facade is the authentication of a Control Room. Safe for concurrent use.
type Facade struct {
	config  Config
	audited *rate.Limiter // audit rows of failed sign-ins
}

var _ facade.Facade = (*Facade)(nil)

const auditedPerSecond = 20 // rows of failed sign-ins; what is beyond is in the log only

// New makes a Facade. Error: Invalid when a part is missing.
func New(c Config) (*Facade, error) {
	var faults []error
	for name, missing := range map[string]bool{"store": c.Store == nil, "resolver": c.Resolver == nil, "tokens": c.Tokens == nil} {
		if missing {
			faults = append(faults, &idbridge.Error{Kind: idbridge.Invalid, Msg: "controlroom: no " + name})
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if c.Roles == nil {
		c.Roles = map[string][]idbridge.Role{keysGenerate: {idbridge.Admin, idbridge.APIKeyGeneration}}
	}
	if c.LicenseFeatures == nil {
		c.LicenseFeatures = []string{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Facade{config: c, audited: rate.NewLimiter(auditedPerSecond, auditedPerSecond)}, nil
}

// Name returns controlroom.
func (f *Facade) Name() string { return "controlroom" }

// Mount registers the routes, below /v1 and /v2 alike.
func (f *Facade) Mount(mux facade.Mux) {
	for _, version := range [...]string{"/v1", "/v2"} {
		mux.HandleFunc("POST "+version+"/authentication", f.handler(f.login))
		mux.HandleFunc("GET "+version+"/authentication/token", f.handler(f.validate))
		mux.HandleFunc("POST "+version+"/authentication/token", f.handler(f.refresh))
		mux.HandleFunc("POST "+version+"/authentication/logout", f.handler(f.logout))
	}
}

// Owns tells whether a path is below the API.
func (f *Facade) Owns(path string) bool {
	return path == "/v1" || path == "/v2" || strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/v2/")
}

// Changing tells whether a GET of the pattern changes something: none does.
func (f *Facade) Changing(string) bool { return false }

// Refuse writes an error of the given status in this API's shape.
func (f *Facade) Refuse(w http.ResponseWriter, r *http.Request, status int) {
	f.fail(w, r, statusProblem(status))
}
