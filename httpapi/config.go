package httpapi

import (
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/facade"
	"github.com/idbridge/idbridge/sync/plan"
)

// Directory is what the API knows about one directory.
type Directory struct {
	Name   string
	Policy *plan.Policy           // how its attributes flow; required
	Login  idbridge.Authenticator // checks passwords; nil when it cannot
}

// Config is everything a Server needs. Store is required; the rest has defaults.
type Config struct {
	Store       Store
	Pusher      pusher    // nil: edits wait for the next run
	Runner      runner    // nil: runs cannot be started here
	Timetable   timetable // nil: nothing runs by itself here
	Explainer   explainer // nil: 503 with a hint, as for the next two
	Planner     planner   // approves, discards, undoes
	Doctor      doctor    // finds what is wrong, for administrators and metrics
	Directories []Directory
	Facades     []facade.Facade // other systems' APIs, mounted beside the native one in this order. Default: none, their paths are 404
	Schema      idbridge.Schema // default idbridge.CoreSchema

	// Permissions adds to what roles may do; the built-in roles keep what DefaultPermissions gives them.
	Permissions map[idbridge.Role][]Permission
	// KeysPerUser is how many keys a user may have that are good: the primary one and others with names. Default 1. More keys
	// are more to lose track of.
	KeysPerUser int
	// PublicURL is how clients reach the API; https turns HSTS on. Default: none, links are relative.
	PublicURL string
	// TrustedProxies may name the client's address in X-Forwarded-For. Default: none. Too wide a list lets anybody choose the
	// address that his failures are counted under.
	TrustedProxies []netip.Prefix
	// Resolver proves credentials; share it with the facades, so that failed sign-ins at all doors count together. Default: one
	// over Store, Directories and Limits, without tokens of the Control Room.
	Resolver *credential.Resolver
	// Limits bound failed sign-ins, unless Resolver is given.
	Limits credential.Limits
	// StaleAfter marks answers as stale when the last good run of the user's directory is older. 0: never.
	StaleAfter time.Duration
	// Metrics takes the API's own metrics and those of the store. Default: a registry of its own.
	Metrics *prometheus.Registry

	Version string           // shown in the OpenAPI document; default "dev"
	Log     *slog.Logger     // default: none
	Now     func() time.Time // default time.Now
}

// Validate returns every fault of the settings, without touching anything.
func (c *Config) Validate() []error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, &idbridge.Error{Kind: idbridge.Invalid, Msg: fmt.Sprintf(format, args...)})
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			fault("public URL must be http or https with a host and nothing but a path")
		}
	}
	for role, permissions := range c.Permissions {
		for _, p := range permissions {
			if !p.known() {
				fault("role %s has the unknown permission %q", role, p)
			}
		}
	}
	seen := map[string]bool{}
	for i := range c.Directories {
		d := &c.Directories[i]
		if d.Name == "" || d.Policy == nil {
			fault("directory %d has no name or no policy", i+1)
		}
		if seen[d.Name] {
			fault("directory %q comes twice", d.Name)
		}
		seen[d.Name] = true
	}
	return faults
}

func (c *Config) withDefaults() {
	if c.Schema == nil {
		c.Schema = idbridge.CoreSchema()
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.KeysPerUser < 1 {
		c.KeysPerUser = 1
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}
