package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/httpapi/assets"
	"github.com/idbridge/idbridge/httpapi/controlroom"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/dashboards"
	"github.com/idbridge/idbridge/httpapi/facade"
	"github.com/idbridge/idbridge/httpapi/imaging"
	"github.com/idbridge/idbridge/httpapi/password"
	"github.com/idbridge/idbridge/httpapi/publish"
	"github.com/idbridge/idbridge/httpapi/token"
)

// front is what all doors of the API share: one resolver, so that failed sign-ins at any of them count together, one
// place for password hashes, one mint.
type front struct {
	house    *house
	resolver *credential.Resolver
	hasher   *password.Hasher
	tokens   *token.ControlRoom
	gives    map[string][]idbridge.Role // permission → roles that give it
}

func (h *house) newFront(c *httpapi.Config) *front {
	f := &front{house: h, hasher: password.New(), tokens: token.NewControlRoom(h.store, h.cfg.HTTP.Facades.TokenTTL, time.Now), gives: rolesThatGive(h.cfg.Permissions)}
	config := credential.Config{
		Store: h.store, Sessions: h.store, Passwords: h.store, Hasher: f.hasher, Limits: c.Limits, Trusted: c.TrustedProxies, PublicURL: c.PublicURL,
	}
	if slices.Contains(h.cfg.HTTP.Facades.Names, "controlroom") {
		config.Tokens = f.tokens
	}
	for i := range c.Directories {
		if c.Directories[i].Login != nil {
			config.Doors = append(config.Doors, credential.Door{Name: c.Directories[i].Name, Auth: c.Directories[i].Login})
		}
	}
	f.resolver = credential.New(config)
	return f
}

// rolesThatGive turns role → permissions round.
func rolesThatGive(more map[idbridge.Role][]httpapi.Permission) map[string][]idbridge.Role {
	out := map[string][]idbridge.Role{}
	for _, table := range []map[idbridge.Role][]httpapi.Permission{httpapi.DefaultPermissions(), more} {
		for role, permissions := range table {
			for _, p := range permissions {
				if !slices.Contains(out[string(p)], role) {
					out[string(p)] = append(out[string(p)], role)
				}
			}
		}
	}
	return out
}

// facades makes those that the config names. dashboards comes before imaging: where both speak at /rest, both give its
// answer.
func (f *front) facades() ([]facade.Facade, error) {
	var out []facade.Facade
	for _, name := range []string{"dashboards", "imaging", "assets", "controlroom", "publish"} {
		if !slices.Contains(f.house.cfg.HTTP.Facades.Names, name) {
			continue
		}
		one, err := f.facade(name)
		if err != nil {
			return nil, fmt.Errorf("facade %s: %w", name, err)
		}
		out = append(out, one)
	}
	return out, nil
}

func (f *front) facade(name string) (facade.Facade, error) {
	h, c := f.house, &f.house.cfg.HTTP
	switch name {
	case "imaging":
		return imaging.New(imaging.Config{Store: h.store, Resolver: f.resolver, Version: version, Log: h.log})
	case "dashboards":
		return dashboards.New(dashboards.Config{
			Store: h.store, Resolver: f.resolver, Prefixes: c.Facades.Prefixes, APIUser: c.Facades.APIUser, SecurityMode: c.Facades.SecurityMode,
			AdminBootstrap: c.Facades.AdminBootstrap, BehindProxy: len(c.TrustedProxies) > 0, Version: version, Log: h.log,
		})
	case "assets":
		return assets.New(assets.Config{
			Store: h.store, Resolver: f.resolver, Hasher: f.hasher, Roles: f.gives, KnownRoles: h.knownRoles(), Owned: h.owned(),
			NewKeyDisabled: c.Facades.NewKeyDisabled, TrustedProxies: c.TrustedProxies, Log: h.log,
		})
	case "controlroom":
		return controlroom.New(controlroom.Config{
			Store: h.store, Resolver: f.resolver, Tokens: f.tokens, Roles: f.gives, Directories: h.names(), LicenseFeatures: c.Facades.Licenses, Log: h.log,
		})
	case "publish":
		return publish.New(publish.Config{
			Store: h.store, Resolver: f.resolver, Roles: f.gives[string(httpapi.SettingsAdmin)], AllowLoopback: c.Facades.AllowLoopback,
			Version: version, Log: h.log,
		})
	}
	return nil, invalid(fmt.Sprintf("there is no facade %q", name), "see http.facades in `idbridge config example`")
}

// knownRoles are those that the config names.
func (h *house) knownRoles() []idbridge.Role {
	var out []idbridge.Role
	for _, rule := range h.cfg.Roles {
		if !slices.Contains(out, rule.Role) {
			out = append(out, rule.Role)
		}
	}
	for role := range h.cfg.Permissions {
		if !slices.Contains(out, role) {
			out = append(out, role)
		}
	}
	slices.Sort(out)
	return out
}

// owned names the attributes that each directory owns and does not take from the store.
func (h *house) owned() map[string][]idbridge.Attribute {
	out := map[string][]idbridge.Attribute{}
	for i := range h.rooms {
		r := &h.rooms[i]
		for a := range r.target.Policy.Rules {
			if !slices.Contains(h.cfg.Outward[r.name], a) {
				out[r.name] = append(out[r.name], a)
			}
		}
		slices.Sort(out[r.name])
	}
	return out
}

func (h *house) names() []string {
	out := make([]string, len(h.rooms))
	for i := range h.rooms {
		out[i] = h.rooms[i].name
	}
	return out
}
