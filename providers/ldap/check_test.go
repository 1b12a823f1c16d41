package ldap_test

import (
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldap"
)

// found returns the finding of a name.
func found(t *testing.T, findings []ldap.Finding, name string) ldap.Finding {
	t.Helper()
	for _, f := range findings {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no finding %q in %+v", name, findings)
	return ldap.Finding{}
}

func TestCheck(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 700, 3), SizeLimit: 500})
	log, text := logTo()
	d, err := ldap.New(settings(srv), log)
	if err != nil {
		t.Fatal(err)
	}
	findings := d.Check(t.Context())
	f := found(t, findings, "listing")
	if f.Level != ldap.Fail || !strings.Contains(f.Text, "Size Limit Exceeded") || !strings.Contains(f.Fix, "olcLimits") {
		t.Errorf("a size limit: %+v", f)
	}
	if err := srv.SetSizeLimit(0); err != nil {
		t.Fatal(err)
	}
	findings = d.Check(t.Context())
	for _, f := range findings {
		if f.Level == ldap.Fail {
			t.Errorf("%+v", f)
		}
	}
	for name, want := range map[string]string{
		"dns": "127.0.0.1", "tcp": "takes connections", "tls": "0 days left", "bind": "cn=sync", "server": "OpenLDAP; naming contexts",
		"paging": "offered", "assertion": "offered", "post-read": "offered", "base": "can be read", "listing": "700 people", "groups": "3 groups",
		"canary": "before and after", "entry": "uid=u0000000", "id": "entryUUID ", "index": "a search by entryUUID", "write": "unknown until the first write",
	} {
		if f := found(t, findings, name); !strings.Contains(f.Text, want) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if n, err := srv.Writes(); n != 0 || err != nil {
		t.Errorf("a check wrote %d times, %v", n, err)
	}
	if strings.Contains(text.String(), srv.SyncPassword) {
		t.Error("the password is in the log")
	}
}

func TestCheckFindsFaults(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 20, 1) + person("uid=zz", "zz", "audio", "\xff")})
	for name, c := range map[string]struct {
		change  func(*ldap.Config)
		finding string
		words   string
	}{
		"dns":       {func(c *ldap.Config) { c.URLs = []string{"ldaps://no-such-host.invalid"} }, "dns", "cannot be resolved"},
		"tcp":       {func(c *ldap.Config) { c.URLs = []string{"ldaps://127.0.0.1:1"} }, "tcp", "nothing listens"},
		"tls":       {func(c *ldap.Config) { c.TLS.CAFile = "" }, "connect", "ca_file"},
		"bind":      {func(c *ldap.Config) { c.Bind.Password = idbridge.NewSecret("no") }, "bind", "bind.dn"},
		"base":      {func(c *ldap.Config) { c.BaseDN = "ou=nowhere,dc=example,dc=org" }, "base", "base_dn"},
		"attribute": {func(c *ldap.Config) { c.Map[1].From = "gvenName" }, "schema", "knows no attribute gvenName"},
		"id":        {func(c *ldap.Config) { c.IDAttribute = "noID" }, "unusable", "no noID"},
		"filter":    {func(c *ldap.Config) { c.Users.Filter = "(objectClass=device)" }, "listing", "shows nobody"},
		"canary":    {func(c *ldap.Config) { c.Canary = "cn=gone,dc=example,dc=org" }, "canary", "no listing will count as complete"},
		"text":      {func(c *ldap.Config) { c.Map[1].From = "audio" }, "unusable", "not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := settings(srv)
			c.change(&cfg)
			f := found(t, directory(t, cfg).Check(t.Context()), c.finding)
			if f.Level == ldap.OK || !strings.Contains(f.Text+" | "+f.Fix, c.words) {
				t.Errorf("%+v", f)
			}
		})
	}
}
