package dashboards

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"slices"
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
	applications
	admins
}

type applications interface {
	// Applications reads all applications, by name.
	Applications(ctx context.Context) ([]idbridge.Application, error)
}

type admins interface {
	// RoleMembers reads who has a role, by user, after one.
	RoleMembers(ctx context.Context, role idbridge.Role, application string, after idbridge.UserID, limit int) ([]idbridge.Grant, error)
	// Access reads what a user may do now.
	Access(ctx context.Context, id idbridge.UserID) (idbridge.Access, error)
	// BootstrapAdmin makes the user administrator if there is none who may act. Errors: Conflicting, Forbidden, NotFound.
	BootstrapAdmin(ctx context.Context, user idbridge.UserID, by string) (already bool, err error)
}

// The security modes, as clients know them.
const (
	ModeDefault    = "default" // local passwords
	ModeLDAP       = "ldap"
	ModeSAML       = "saml"       // keys bring no ADMIN
	ModeIntegrated = "integrated" // somebody else decides who is administrator
)

// Where the first administrator may be made from.
const (
	BootstrapLoopback = "loopback" // this machine, without a proxy between
	BootstrapAnywhere = "anywhere" // with ModeSAML only
	BootstrapOff      = "off"
)

// Config is everything a Facade needs. Store and Resolver are required.
type Config struct {
	Store    store
	Resolver rest.Resolver
	// Prefixes are the paths below which the routes lie. Default /rest.
	Prefixes []string
	// APIUser says what becomes of X-API-USER: credential.IgnoreAPIUser (default; real clients send arbitrary names) or
	// credential.EnforceAPIUser.
	APIUser string
	// SecurityMode is one of the modes above. Default ModeDefault; the daemon derives it from the directories.
	SecurityMode string
	// AdminBootstrap is one of the places above. Default BootstrapLoopback, or BootstrapOff where BehindProxy: a proxy on
	// this machine makes everybody look local. With BootstrapAnywhere the first SAML user to ask is administrator.
	AdminBootstrap string
	// BehindProxy tells that proxies are trusted.
	BehindProxy bool
	Version     string           // of the server; default "dev"
	Log         *slog.Logger     // default: none
	Now         func() time.Time // default time.Now
}

// Validate returns every fault of the settings.
func (c *Config) Validate() []error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, &idbridge.Error{Kind: idbridge.Invalid, Msg: "dashboards: " + fmt.Sprintf(format, args...)})
	}
	for i, p := range c.Prefixes {
		if !strings.HasPrefix(p, "/") || p == "/" || p != path.Clean(p) || strings.ContainsAny(p, "{}%?# \\") || p == "/api" || strings.HasPrefix(p, "/api/") {
			fault("prefix %q must be a plain path such as /rest, not below /api", p)
		}
		if slices.Contains(c.Prefixes[:i], p) {
			fault("prefix %q comes twice", p)
		}
	}
	if !slices.Contains([]string{"", credential.IgnoreAPIUser, credential.EnforceAPIUser}, c.APIUser) {
		fault("api_user must be ignore or enforce")
	}
	if !slices.Contains([]string{"", ModeDefault, ModeLDAP, ModeSAML, ModeIntegrated}, c.SecurityMode) {
		fault("security_mode must be default, ldap, saml or integrated")
	}
	if !slices.Contains([]string{"", BootstrapLoopback, BootstrapAnywhere, BootstrapOff}, c.AdminBootstrap) {
		fault("admin_bootstrap must be loopback, anywhere or off")
	}
	if c.AdminBootstrap == BootstrapAnywhere && c.SecurityMode != ModeSAML {
		fault("admin_bootstrap: anywhere needs security_mode: saml")
	}
	return faults
}

func (c *Config) withDefaults() {
	if len(c.Prefixes) == 0 {
		c.Prefixes = []string{"/rest"}
	}
	if c.SecurityMode == "" {
		c.SecurityMode = ModeDefault
	}
	if c.AdminBootstrap == "" {
		c.AdminBootstrap = BootstrapLoopback
		if c.BehindProxy {
			c.AdminBootstrap = BootstrapOff
		}
	}
	if c.Version == "" {
		c.Version = "dev"
	}
}

// Facade is the user resource of the dashboards. Safe for concurrent use.
type Facade struct {
	config Config
	gate   *rest.Gate
}

var _ facade.Facade = (*Facade)(nil)

// New makes a Facade. Error: Invalid with the first fault of the config.
func New(c Config) (*Facade, error) {
	if c.Store == nil || c.Resolver == nil {
		return nil, &idbridge.Error{Kind: idbridge.Invalid, Msg: "dashboards: no store or no resolver"}
	}
	if faults := c.Validate(); len(faults) > 0 {
		return nil, faults[0]
	}
	c.withDefaults()
	surface := credential.Surface{
		Name: "dashboards", Key: true, Basic: true, Cookie: true, CookieName: credential.RestCookie, APIUser: c.APIUser,
	}
	return &Facade{config: c, gate: rest.NewGate(c.Resolver, c.Store, surface, c.Log, c.Now)}, nil
}

// Name returns dashboards.
func (f *Facade) Name() string { return "dashboards" }

// Mount registers every route below every prefix.
func (f *Facade) Mount(mux facade.Mux) {
	for _, p := range f.config.Prefixes {
		mux.HandleFunc("GET "+p, f.databases)
		mux.HandleFunc("GET "+p+"/{$}", f.databases)
		mux.HandleFunc("GET "+p+"/server", f.server)
		mux.HandleFunc("GET "+p+"/user", f.user)
		for _, at := range []string{p + "/user", p} {
			mux.HandleFunc("GET "+at+"/login", f.login)
			mux.HandleFunc("GET "+at+"/logout", f.logout)
			mux.HandleFunc("GET "+at+"/ping", f.ping)
		}
		mux.HandleFunc("GET "+p+"/user/admin-role", f.adminRole)
		mux.HandleFunc("PUT "+p+"/user/admin-role", f.bootstrap)
		mux.HandleFunc("GET "+p+"/{path...}", f.nothing)
	}
}

// Owns tells whether a path is below a prefix.
func (f *Facade) Owns(path string) bool {
	return slices.ContainsFunc(f.config.Prefixes, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
}

// Refuse writes an error in the facade's shape.
func (f *Facade) Refuse(w http.ResponseWriter, _ *http.Request, status int) { rest.Refuse(w, status) }

// Changing tells that login and logout change something.
func (f *Facade) Changing(pattern string) bool {
	return strings.HasPrefix(pattern, "GET ") && (strings.HasSuffix(pattern, "/login") || strings.HasSuffix(pattern, "/logout"))
}
