package configs

import (
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time zones work on a machine without them

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/httpapi"
	"github.com/idbridge/idbridge/sync/plan"
)

// builder turns values into the rooms' settings and checks what the shape of one key cannot.
type builder struct {
	*faults
	root   *value
	file   string
	getenv func(string) string
	now    time.Time
	cfg    *Config
}

func (b *builder) build() *Config {
	b.cfg = &Config{File: b.file, root: b.root, Zone: time.UTC, Outward: map[string][]idbridge.Attribute{}}
	b.store()
	b.http()
	b.log()
	b.zone()
	b.retention()
	b.schema()
	precedence := b.precedence()
	b.permissions()
	b.roles()
	names := map[string]place{}
	for _, v := range b.root.get("directories").list() {
		b.directory(v, names, precedence)
	}
	b.rolesKnow(names)
	b.precedenceKnows(names)
	if api := b.cfg.API(); len(b.list) == 0 { // what its Validate finds has a place in the file only as a whole
		for _, err := range api.Validate() {
			b.add(b.root.where("http"), "http", idbridge.HintOf(err), "%s", err.Error())
		}
	}
	return b.cfg
}

// list returns the items of a list, none for a nil one.
func (v *value) list() []*value {
	if v == nil {
		return nil
	}
	return v.items
}

func (b *builder) store() {
	v := b.root.get("store")
	b.cfg.Store = authstore.Config{URL: v.str("url"), Password: b.password(v, "IDBRIDGE_STORE_PASSWORD"), SecretKey: b.keyFile(v.get("secret_key_file"))}
	at := b.root.where("store", "url")
	if u, err := url.Parse(b.cfg.Store.URL); err == nil && u.User != nil {
		if _, has := u.User.Password(); has {
			b.add(at, "store.url", "move it to password_file beside url", "the URL holds a password")
			return
		}
	}
	if b.at("store") {
		return
	}
	for _, err := range b.cfg.Store.Validate() {
		var e *idbridge.Error
		if asError(err, &e) {
			b.add(at, "store.url", e.Hint, "%s", e.Msg)
			continue
		}
		b.add(at, "store.url", "", "%s", err.Error())
	}
}

func (b *builder) http() {
	b.cfg.HTTP = HTTP{Listen: b.root.str("http", "listen"), PublicURL: strings.TrimSuffix(b.root.str("http", "public_url"), "/")}
	b.cfg.Metrics.Listen = b.root.str("metrics", "listen")
	for _, name := range []string{"http", "metrics"} {
		v := b.root.get(name, "listen")
		if v == nil || v.bad {
			continue
		}
		if port, err := strconv.Atoi(v.text[strings.LastIndexByte(v.text, ':')+1:]); err != nil || port > 65535 {
			b.add(v.at, v.path, "0 to 65535; 0 takes a free one", "%q has no such port", v.text)
		}
	}
	b.cfg.HTTP.StaleAfter = b.root.duration("http", "stale_after")
	b.cfg.HTTP.KeysPerUser = int(b.root.number("keys", "max_per_user"))
	b.facades()
	for _, v := range b.root.get("http", "trusted_proxies").list() {
		p, err := netip.ParsePrefix(v.text)
		if one, single := netip.ParseAddr(v.text); err != nil && single == nil {
			p, err = one.Prefix(one.BitLen())
		}
		if v.bad || err != nil || p != p.Masked() {
			b.add(v.at, v.path, "write it like 10.0.0.0/8 or 127.0.0.1/32", "%q is no network", v.text)
			continue
		}
		b.cfg.HTTP.TrustedProxies = append(b.cfg.HTTP.TrustedProxies, p)
	}
	h, m := b.root.get("http", "listen"), b.root.get("metrics", "listen")
	if m.written() && !m.bad && m.text == h.text && !strings.HasSuffix(m.text, ":0") {
		b.add(m.at, m.path, "take another port", "is the API's address too")
	}
	if b.cfg.HTTP.PublicURL == "" {
		return
	}
	if u, err := url.Parse(b.cfg.HTTP.PublicURL); err != nil || u.User != nil || u.Host == "" {
		b.add(b.root.where("http", "public_url"), "http.public_url", "it must be a URL like https://id.example.org", "does not fit")
	}
}

func (b *builder) facades() {
	v := b.root.get("http")
	f := &b.cfg.HTTP.Facades
	for _, i := range v.get("facades").list() {
		switch {
		case i.bad:
		case slices.Contains(f.Names, i.text):
			b.add(i.at, i.path, "keep one of them", "%q comes twice", i.text)
		default:
			f.Names = append(f.Names, i.text)
		}
	}
	f.Prefixes = v.get("dashboards", "prefixes").texts()
	f.APIUser, f.SecurityMode = v.str("dashboards", "api_user"), v.str("dashboards", "security_mode")
	if f.SecurityMode == "" { // there is always a directory
		f.SecurityMode = "ldap"
	}
	f.AdminBootstrap = v.str("dashboards", "admin_bootstrap")
	f.NewKeyDisabled = !v.flag("assets", "new_key_enabled")
	f.TokenTTL, f.Licenses = v.duration("controlroom", "token_ttl"), v.get("controlroom", "license_features").texts()
	f.AllowLoopback = v.flag("publish", "allow_loopback")
}

func (b *builder) log() {
	b.cfg.Log.Format = b.root.str("log", "format")
	if level := b.root.str("log", "level"); level != "" {
		if err := b.cfg.Log.Level.UnmarshalText([]byte(level)); err != nil {
			b.cfg.Log.Level = slog.LevelInfo // the table has no other names
		}
	}
}

func (b *builder) zone() {
	v := b.root.get("timezone")
	if v == nil || v.bad {
		return
	}
	zone, err := time.LoadLocation(v.text)
	if err != nil || v.text == "Local" {
		b.add(v.at, v.path, "use an IANA name like Europe/Paris or UTC", "%q is no time zone", v.text)
		return
	}
	b.cfg.Zone = zone
}

func (b *builder) retention() {
	b.cfg.Retention = authstore.Retention{
		Runs: b.root.duration("retention", "runs"), Conflicts: b.root.duration("retention", "conflicts"), Audit: b.root.duration("retention", "audit"),
	}
}

func (b *builder) schema() {
	b.cfg.Schema = idbridge.CoreSchema()
	v := b.root.get("attributes")
	if v == nil {
		return
	}
	for _, a := range v.fields {
		name := idbridge.Attribute(a.name)
		if _, core := b.cfg.Schema[name]; core {
			b.add(a.key0, a.path, "remove it; userName, givenName, familyName, displayName, email and active are always there", "is declared already")
			continue
		}
		for known := range b.cfg.Schema {
			if strings.EqualFold(string(known), a.name) {
				b.add(a.key0, a.path, "names that differ in case alone get confused", "is like %q", known)
			}
		}
		match, _ := idbridge.ParseMatch(a.str("match"))
		b.cfg.Schema[name] = idbridge.Spec{Match: match, Single: a.flag("single"), Unique: a.flag("unique")}
	}
}

// attributes reads a list of attribute names below v, each of which must be in the schema.
func (b *builder) attributes(v *value) []idbridge.Attribute {
	var out []idbridge.Attribute
	for _, i := range v.list() {
		a := idbridge.Attribute(i.text)
		switch {
		case i.bad:
		case slices.Contains(out, a):
			b.add(i.at, i.path, "keep one of them", "%q comes twice", i.text)
		case b.knows(i, i.text):
			out = append(out, a)
		}
	}
	return out
}

// knows tells whether the schema has an attribute, and notes a fault when not.
func (b *builder) knows(v *value, name string) bool {
	if _, ok := b.cfg.Schema[idbridge.Attribute(name)]; ok {
		return true
	}
	var all []string
	for _, a := range b.cfg.Schema.Attributes() {
		all = append(all, string(a))
	}
	hint := "declare it under attributes, as " + name + ": {}"
	if best := nearest(name, all); best != "" {
		hint = "did you mean \"" + best + "\"?"
	}
	b.add(v.key0, v.path, hint, "no attribute is called %q", name)
	return false
}

func (b *builder) precedence() map[idbridge.Attribute][]string {
	out := map[idbridge.Attribute][]string{}
	v := b.root.get("precedence")
	if v == nil {
		return out
	}
	for _, a := range v.fields {
		if b.knows(a, a.name) {
			out[idbridge.Attribute(a.name)] = a.texts()
		}
	}
	return out
}

// precedenceKnows checks the directories' names, once they are all read.
func (b *builder) precedenceKnows(names map[string]place) {
	v := b.root.get("precedence")
	if v == nil {
		return
	}
	for _, a := range v.fields {
		seen := map[string]bool{}
		for _, i := range a.items {
			if !i.bad && seen[i.text] {
				b.add(i.at, i.path, "keep one of them", "%q comes twice", i.text)
			}
			seen[i.text] = true
			b.knowsDirectory(i, names)
		}
	}
}

func (b *builder) roles() {
	for _, v := range b.root.get("roles").list() {
		b.cfg.Roles = append(b.cfg.Roles, idbridge.RoleRule{
			Role: idbridge.Role(v.str("role")), Application: v.str("application"), Directory: v.str("directory"), Group: v.str("group"),
		})
	}
}

func (b *builder) permissions() {
	v := b.root.get("permissions")
	if v == nil {
		return
	}
	b.cfg.Permissions = map[idbridge.Role][]httpapi.Permission{}
	for _, role := range v.fields {
		for _, p := range role.texts() {
			b.cfg.Permissions[idbridge.Role(role.name)] = append(b.cfg.Permissions[idbridge.Role(role.name)], httpapi.Permission(p))
		}
	}
}

// rolesKnow checks the directories' names, once they are all read.
func (b *builder) rolesKnow(names map[string]place) {
	seen := map[idbridge.RoleRule]int{}
	for i, v := range b.root.get("roles").list() {
		if d := v.get("directory"); d != nil {
			b.knowsDirectory(d, names)
		}
		if first, twice := seen[b.cfg.Roles[i]]; twice && !b.at(v.path) {
			b.add(v.at, v.path, "remove it", "is the same as roles[%d]", first)
		}
		seen[b.cfg.Roles[i]] = i
	}
}

func (b *builder) knowsDirectory(v *value, names map[string]place) {
	if _, ok := names[v.text]; ok || v.bad {
		return
	}
	var all []string
	for n := range names {
		all = append(all, n)
	}
	slices.Sort(all)
	hint := "there are: " + strings.Join(all, ", ")
	if best := nearest(v.text, all); best != "" {
		hint = "did you mean \"" + best + "\"?"
	}
	b.add(v.at, v.path, hint, "no directory is called %q", v.text)
}

func (b *builder) access() plan.Access { return plan.Access(b.root.str("access")) }
