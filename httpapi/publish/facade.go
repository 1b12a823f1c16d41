package publish

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/facade"
	"github.com/idbridge/idbridge/httpapi/imaging"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/rest"
)

// store is what the facade asks of the store.
type store interface {
	rest.Auditor
	settings
	// User reads a user. Error: NotFound.
	User(ctx context.Context, id idbridge.UserID) (idbridge.User, error)
	// Ping tells whether the store answers.
	Ping(ctx context.Context) error
}

// settings keeps the target.
type settings interface {
	// Setting reads what is kept under a name, when and by whom. Error: NotFound.
	Setting(ctx context.Context, name string) (value []byte, at time.Time, by string, err error)
	// PutSetting keeps a value under a name, and audits it.
	PutSetting(ctx context.Context, name string, value []byte, by string) error
	// DeleteSetting forgets it. Error: NotFound.
	DeleteSetting(ctx context.Context, name, by string) error
}

// Config is everything a Facade needs. Store and Resolver are required.
type Config struct {
	Store    store
	Resolver rest.Resolver
	// Roles have the permission settings.admin beside ADMIN. Default: none.
	Roles []idbridge.Role
	// AllowLoopback lets the test dial this machine. Default false: with it, whoever may change the settings can look at ports
	// that are open to local programs only.
	AllowLoopback bool
	// TrustedRoots are the authorities that the target's certificate is held against. Default: the system's.
	TrustedRoots *x509.CertPool
	Version      string           // of the server; default "dev"
	Log          *slog.Logger     // default: none
	Now          func() time.Time // default time.Now
}

// Facade is both sides of the publish settings. Safe for concurrent use.
type Facade struct {
	config  Config
	tester  *Tester
	profile *imaging.Facade
	target  *rest.Gate // who publishes to us
	console *rest.Gate // who sets where to publish to
}

var _ facade.Facade = (*Facade)(nil)

const (
	verifyPath   = "/api/v1/publish/verify"
	settingsPath = "/api/v1/settings/publish-target"
	testPath     = settingsPath + "/test"
	permission   = "settings.admin"
)

// New makes a Facade. Error: Invalid when a part is missing.
func New(c Config) (*Facade, error) {
	if c.Store == nil || c.Resolver == nil {
		return nil, &idbridge.Error{Kind: idbridge.Invalid, Msg: "publish: no store or no resolver"}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	profile, err := imaging.New(imaging.Config{Store: c.Store, Resolver: c.Resolver, Version: c.Version, Log: c.Log, Now: c.Now})
	if err != nil {
		return nil, err
	}
	return &Facade{
		config: c, profile: profile, tester: NewTester(TesterConfig{Loopback: c.AllowLoopback, Roots: c.TrustedRoots}),
		target:  rest.NewGate(c.Resolver, c.Store, credential.Surface{Name: "publish", Key: true, Bearer: true}, c.Log, c.Now),
		console: rest.NewGate(c.Resolver, c.Store, credential.Native(), c.Log, c.Now),
	}, nil
}

// Name returns publish.
func (f *Facade) Name() string { return "publish" }

// Mount registers every route.
func (f *Facade) Mount(mux facade.Mux) {
	f.profile.MountProfile(mux)
	mux.HandleFunc("POST "+verifyPath, f.verify)
	mux.HandleFunc("GET "+settingsPath, f.admin(f.read))
	mux.HandleFunc("PUT "+settingsPath, f.admin(f.save))
	mux.HandleFunc("DELETE "+settingsPath, f.admin(f.remove))
	mux.HandleFunc("POST "+testPath, f.admin(f.test))
}

// Owns tells whether a path is this facade's to answer.
func (f *Facade) Owns(path string) bool {
	return imaging.OwnsProfile(path) || isConsole(path) || path == verifyPath || strings.HasPrefix(path, verifyPath+"/")
}

func isConsole(path string) bool {
	return path == settingsPath || strings.HasPrefix(path, settingsPath+"/")
}

// Refuse writes an error: as a problem for the settings, which are native routes, else as the target words it.
func (f *Facade) Refuse(w http.ResponseWriter, r *http.Request, status int) {
	if isConsole(r.URL.Path) {
		writeProblem(w, problem.New(problem.OfStatus(status), ""))
		return
	}
	rest.Refuse(w, status)
}

// Changing tells whether a GET of a pattern changes something; none does.
func (f *Facade) Changing(string) bool { return false }

// mayAdminister tells whether a caller may change the settings.
func (f *Facade) mayAdminister(who *credential.Caller) bool {
	return who.Scoped(permission) && (who.Has(idbridge.Admin) || slices.ContainsFunc(f.config.Roles, who.Has))
}
