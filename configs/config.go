package configs

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/providers/ldap"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
	"github.com/idbridge/idbridge/sync/schedule"
)

// Config is the whole file, in the words of the rooms that use it. It is not changed once loaded.
type Config struct {
	File        string // as given to Load
	Store       authstore.Config
	HTTP        HTTP
	Metrics     Metrics
	Log         Log
	Zone        *time.Location // of all schedules, default UTC
	Schema      idbridge.Schema
	Directories []Directory // in the order of the file
	Roles       []idbridge.RoleRule
	Permissions map[idbridge.Role][]httpapi.Permission // beyond those of the built-in roles
	Retention   authstore.Retention                    // how long what is over is kept; zero for ever
	Outward     map[string][]idbridge.Attribute        // per directory: what it may receive from the store, sorted

	root *value
}

// HTTP is where the API listens.
type HTTP struct {
	Listen    string // host:port, default 127.0.0.1:8080
	PublicURL string // as people see it, without a slash at the end; "" for none
	// TrustedProxies are believed when they name the client's address.
	TrustedProxies []netip.Prefix
	StaleAfter     time.Duration // 0: never
	KeysPerUser    int           // at least 1
	Facades        Facades
}

// Facades says which other systems' APIs are spoken, and how.
type Facades struct {
	Names          []string      // imaging, dashboards, assets, controlroom, publish; in the order of the file
	Prefixes       []string      // of dashboards; none: its own default
	APIUser        string        // dashboards: ignore or enforce
	SecurityMode   string        // dashboards: default, ldap, saml or integrated
	AdminBootstrap string        // dashboards: loopback, anywhere or off; "": its own default
	NewKeyDisabled bool          // assets
	TokenTTL       time.Duration // controlroom
	Licenses       []string      // controlroom
	AllowLoopback  bool          // publish
}

// Metrics is where the metrics listen.
type Metrics struct {
	Listen string // host:port; "" serves none, the default
}

// Log says what is logged and how.
type Log struct {
	Level  slog.Level
	Format string // text or json
}

// Directory is one directory with all that its rooms need.
type Directory struct {
	Name   string
	LDAP   ldap.Config
	Policy *plan.Policy
	Mode   engine.Mode
	Timing schedule.Timing
}

// Directory returns a directory by its name.
func (c *Config) Directory(name string) (Directory, bool) {
	for i := range c.Directories {
		if c.Directories[i].Name == name {
			return c.Directories[i], true
		}
	}
	return Directory{}, false
}

// API returns the settings of the API; the rooms that it talks to are added by whoever starts it.
func (c *Config) API() httpapi.Config {
	out := httpapi.Config{
		Schema: c.Schema, Permissions: c.Permissions, PublicURL: c.HTTP.PublicURL, TrustedProxies: c.HTTP.TrustedProxies, StaleAfter: c.HTTP.StaleAfter,
		KeysPerUser: c.HTTP.KeysPerUser,
	}
	for i := range c.Directories {
		out.Directories = append(out.Directories, httpapi.Directory{Name: c.Directories[i].Name, Policy: c.Directories[i].Policy})
	}
	return out
}

// Timings returns when each directory runs.
func (c *Config) Timings() []schedule.Timing {
	out := make([]schedule.Timing, len(c.Directories))
	for i := range c.Directories {
		out[i] = c.Directories[i].Timing
	}
	return out
}
