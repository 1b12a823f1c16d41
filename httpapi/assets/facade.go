package assets

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
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

// Base is the path below which the API lies.
const Base = "/api/rest/management"

// The permissions that this API asks for. A superuser's key must carry them, too.
const (
	keysGenerate = "keys.generate"
	keysAdmin    = "keys.admin"
	usersRead    = "users.read"
	usersAdmin   = "users.admin"
)

// resolver proves who is asking.
type resolver interface {
	// Resolve proves the credentials of a request that the surface looks at. Errors: *problem.Problem, as credential.Resolver
	// has them.
	Resolve(r *http.Request, s credential.Surface) (credential.Caller, error)
}

// hasher turns a password into what the store keeps of it.
type hasher interface {
	// Hash returns the PHC string of a password. Error: Unavailable when too many are hashed at once.
	Hash(ctx context.Context, password idbridge.Secret) (idbridge.Secret, error)
}

// Config is everything a Facade needs. Store, Resolver and Hasher are required; the rest has defaults.
type Config struct {
	Store    Store
	Resolver resolver
	Hasher   hasher
	// Roles says which roles give a permission. Default: API_KEY_GENERATION and ADMIN give keys.generate. ADMIN alone makes a
	// superuser, whatever stands here.
	Roles map[string][]idbridge.Role
	// KnownRoles may be granted beside the built-in ones and those that somebody has already.
	KnownRoles []idbridge.Role
	// Owned names the attributes that a directory owns and does not take from the store. An edit of one is a 409.
	Owned map[string][]idbridge.Attribute
	// NewKeyDisabled makes keys that a client has to enable: the strict reading of the documentation. Default: new keys work.
	NewKeyDisabled bool
	// TrustedProxies may name the client's address in X-Forwarded-For. Default: none.
	TrustedProxies []netip.Prefix

	Log    *slog.Logger     // default: none
	Random io.Reader        // keys are drawn from it; default crypto/rand.Reader
	Now    func() time.Time // default time.Now
}

// Facade is the users API of the Asset Manager. Safe for concurrent use.
type Facade struct {
	config  Config
	audited *rate.Limiter // audit rows of failed sign-ins
}

var _ facade.Facade = (*Facade)(nil)

const auditedPerSecond = 20 // rows of failed sign-ins; what is beyond is in the log only

// New makes a Facade. Error: Invalid when a part is missing.
func New(c Config) (*Facade, error) {
	var faults []error
	for name, missing := range map[string]bool{"store": c.Store == nil, "resolver": c.Resolver == nil, "hasher": c.Hasher == nil} {
		if missing {
			faults = append(faults, &idbridge.Error{Kind: idbridge.Invalid, Msg: "assets: no " + name})
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if c.Roles == nil {
		c.Roles = map[string][]idbridge.Role{keysGenerate: {idbridge.Admin, idbridge.APIKeyGeneration}}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Facade{config: c, audited: rate.NewLimiter(auditedPerSecond, auditedPerSecond)}, nil
}

// Name returns assets.
func (f *Facade) Name() string { return "assets" }

const keyPattern = Base + "/user/{name}/apikey"

// Mount registers the routes.
func (f *Facade) Mount(mux facade.Mux) {
	mux.HandleFunc("GET "+Base+"/users", f.handler(f.list))
	mux.HandleFunc("GET "+Base+"/user/{name}", f.handler(f.read))
	mux.HandleFunc("DELETE "+Base+"/user/{name}", f.handler(f.remove))
	mux.HandleFunc("POST "+Base+"/user/add", f.handler(f.add))
	mux.HandleFunc("POST "+Base+"/user/update", f.handler(f.update))
	mux.HandleFunc("GET "+keyPattern, f.handler(f.key))
	mux.HandleFunc("DELETE "+keyPattern, f.handler(f.removeKey))
}

// Owns tells whether a path is below the API.
func (f *Facade) Owns(path string) bool { return path == Base || strings.HasPrefix(path, Base+"/") }

// Changing tells whether a GET of the pattern changes something.
func (f *Facade) Changing(pattern string) bool { return pattern == "GET "+keyPattern }

// Refuse writes an error of the given status in this API's shape.
func (f *Facade) Refuse(w http.ResponseWriter, r *http.Request, status int) {
	x := f.exchange(w, r)
	if status == http.StatusMethodNotAllowed && strings.HasSuffix(r.URL.Path, "/apikey") {
		w.Header().Set("Allow", "DELETE, GET")
	}
	x.fail(statusProblem(status))
}
