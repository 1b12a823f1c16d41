package ldap

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
)

// Config is what an administrator says about one LDAP directory.
//
//	name: corp
//	urls: [ldaps://dc1.example.org]
//	bind: {dn: "cn=idbridge,ou=services,dc=example,dc=org", password_file: /run/secrets/corp}
//	base_dn: dc=example,dc=org
//	map: {userName: uid, email: mail}
type Config struct {
	Name string
	// URLs of the servers: ldap://host:389, ldaps://host:636, ldapi://%2Frun%2Fslapd%2Fldapi. The first one is used.
	URLs []string
	Bind Bind
	TLS  TLS
	// BaseDN is where people and groups are looked for, the whole tree below it.
	BaseDN string
	Users  Search
	Groups Groups
	// IDAttribute is the attribute that never changes while the entry lives; default entryUUID.
	IDAttribute string
	// Canary is the DN of an entry that the bind DN can read; it is read before and after each listing, and a listing
	// whose canary cannot be read is never complete. Default: the entry of the bind DN, else the base.
	Canary string
	// PageSize is the number of entries in one answer of a listing; default 1,000. Larger saves round trips, smaller
	// keeps below a server's limit.
	PageSize int
	Timeouts Timeouts
	Schema   idbridge.Schema // default idbridge.CoreSchema
	Map      []mapping.Field
}

// Bind is how the program signs in.
type Bind struct {
	DN       string
	Password idbridge.Secret
}

// TLS is how the connection is protected.
type TLS struct {
	// StartTLS upgrades an ldap:// connection before anything else is said.
	StartTLS bool
	// CAFile has the certificates (PEM) that may sign the server's; default: those of the system.
	CAFile string
	// ServerName is the name the certificate must have; default: the host of the URL.
	ServerName string
	// CertFile and KeyFile are a client certificate (PEM) for servers that ask for one.
	CertFile, KeyFile string
	// InsecureSkipVerify takes any certificate: whoever is on the way can read and change everything.
	InsecureSkipVerify bool
	// AllowCleartextBind sends the password over ldap:// without TLS: whoever is on the way can read it.
	AllowCleartextBind bool
}

// Search is where and how people are looked for.
type Search struct {
	Base   string // default BaseDN
	Filter string // default (objectClass=inetOrgPerson)
}

// Groups is where and how groups are looked for.
type Groups struct {
	Base   string // default BaseDN
	Filter string // "" means: no groups are read
	Member string // attribute with the members; default: member, uniqueMember and memberUid, whichever the group has
}

// Timeouts bound every call. Zero means the default.
type Timeouts struct {
	Dial    time.Duration // connecting, and as much again for TLS; default 10 s
	Request time.Duration // one request and its answer; default 60 s
	Idle    time.Duration // a listing in which nothing arrives; default 60 s
}

const (
	defaultDial    = 10 * time.Second
	defaultRequest = 60 * time.Second
	defaultPage    = 1000
	maxPage        = 100_000
)

// withDefaults fills what is not set.
func (c Config) withDefaults() Config {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&c.IDAttribute, "entryUUID")
	set(&c.Users.Base, c.BaseDN)
	set(&c.Users.Filter, "(objectClass=inetOrgPerson)")
	set(&c.Groups.Base, c.BaseDN)
	if c.PageSize == 0 {
		c.PageSize = defaultPage
	}
	if c.Timeouts.Dial == 0 {
		c.Timeouts.Dial = defaultDial
	}
	if c.Timeouts.Request == 0 {
		c.Timeouts.Request = defaultRequest
	}
	if c.Timeouts.Idle == 0 {
		c.Timeouts.Idle = defaultRequest
	}
	if c.Schema == nil {
		c.Schema = idbridge.CoreSchema()
	}
	return c
}

// Validate says everything that is wrong with the settings, without touching the network or a file.
func (c *Config) Validate() []error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if c.Name == "" {
		fault("name", "required")
	}
	faults = append(faults, c.validateURLs()...)
	d := c.withDefaults()
	for key, dn := range map[string]string{
		"base_dn": c.BaseDN, "users.base": c.Users.Base, "groups.base": c.Groups.Base, "bind.dn": c.Bind.DN, "canary": c.Canary,
	} {
		if _, err := ldap.ParseDN(dn); err != nil {
			fault(key, "%q is not a distinguished name: %v", dn, err)
		}
	}
	if c.BaseDN == "" {
		fault("base_dn", "required; for example dc=example,dc=org")
	}
	for key, filter := range map[string]string{"users.filter": d.Users.Filter, "groups.filter": d.Groups.Filter} {
		if filter == "" {
			continue
		}
		if _, err := ldap.CompileFilter(filter); err != nil {
			fault(key, "%q is not a filter: %v", filter, err)
		}
	}
	if (c.Bind.DN == "") != c.Bind.Password.IsEmpty() {
		fault("bind", "dn and password belong together; leave out both to read as anonymous")
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		fault("tls", "cert_file and key_file belong together")
	}
	if c.PageSize < 0 || c.PageSize > maxPage {
		fault("page_size", "%d is not between 1 and %d", c.PageSize, maxPage)
	}
	if c.Timeouts.Dial < 0 || c.Timeouts.Request < 0 || c.Timeouts.Idle < 0 {
		fault("timeouts", "must not be negative")
	}
	faults = append(faults, c.validateMap(d)...)
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return faults
}

func (c *Config) validateMap(d Config) []error {
	if _, err := mapping.New(d.Schema, c.Map); err != nil {
		var joined interface{ Unwrap() []error }
		if errors.As(err, &joined) {
			return joined.Unwrap()
		}
		return []error{err}
	}
	for _, f := range c.Map {
		if f.Attribute == idbridge.UserName {
			return nil
		}
	}
	return []error{errors.New("map: userName is required; for OpenLDAP usually uid")}
}

func (c *Config) validateURLs() []error {
	if len(c.URLs) == 0 {
		return []error{errors.New("urls: required; for example ldaps://ldap.example.org")}
	}
	var faults []error
	for i, raw := range c.URLs {
		e, err := parseURL(raw)
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("urls[%d]: %w", i, err))
		case c.TLS.StartTLS && e.scheme == "ldaps":
			faults = append(faults, fmt.Errorf("urls[%d]: start_tls is for ldap://; ldaps:// is protected from the first byte", i))
		case e.scheme == "ldap" && !c.TLS.StartTLS && !c.Bind.Password.IsEmpty() && !c.TLS.AllowCleartextBind:
			faults = append(faults, fmt.Errorf("urls[%d]: ldap:// would send the password in clear text; use ldaps://, or set start_tls: true", i))
		}
	}
	return faults
}

// Scope is a hash over everything that decides which people the directory shows and how: bases, filters, mapping, id
// attribute. Not the URL, not the password.
func (c *Config) Scope() string {
	d := c.withDefaults()
	var b strings.Builder
	for _, s := range []string{
		"ldap/1", canonicalDN(d.Users.Base), d.Users.Filter, strings.ToLower(d.IDAttribute),
		canonicalDN(d.Groups.Base), d.Groups.Filter, strings.ToLower(d.Groups.Member),
	} {
		fmt.Fprintf(&b, "%q\n", s)
	}
	var lines []string
	for _, f := range d.Map {
		s := d.Schema[f.Attribute]
		line := fmt.Sprintf("%q %q %q %s %t", f.Attribute, strings.ToLower(f.From), f.Form, s.Match, s.Single)
		if f.Expr+f.Else != "" {
			line += fmt.Sprintf(" expr %q else %q", f.Expr, f.Else)
		}
		lines = append(lines, line+"\n")
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(b.String() + strings.Join(lines, "")))
	return hex.EncodeToString(sum[:16])
}

// endpoint is one server's address.
type endpoint struct {
	scheme string // ldap, ldaps, ldapi
	host   string // for the certificate
	addr   string // host:port, or the socket's path
}

func parseURL(raw string) (endpoint, error) {
	if rest, ok := strings.CutPrefix(raw, "ldapi://"); ok {
		path, err := url.PathUnescape(strings.TrimSuffix(rest, "/"))
		if err != nil || !strings.HasPrefix(path, "/") {
			return endpoint{}, fmt.Errorf("%q: write the socket's path with %%2F for each slash, as ldapi://%%2Frun%%2Fslapd%%2Fldapi", raw)
		}
		return endpoint{scheme: "ldapi", host: "localhost", addr: path}, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return endpoint{}, fmt.Errorf("%q is not a URL", raw)
	}
	port := map[string]string{"ldap": "389", "ldaps": "636"}[u.Scheme]
	switch {
	case port == "":
		return endpoint{}, fmt.Errorf("%q: must begin with ldap://, ldaps:// or ldapi://", raw)
	case u.Hostname() == "":
		return endpoint{}, fmt.Errorf("%q: has no host", raw)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return endpoint{}, fmt.Errorf("%q: only scheme, host and port belong here", raw)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	host := u.Hostname()
	if strings.Contains(host, ":") {
		return endpoint{scheme: u.Scheme, host: host, addr: "[" + host + "]:" + port}, nil
	}
	return endpoint{scheme: u.Scheme, host: host, addr: host + ":" + port}, nil
}
