package ldap_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
	"github.com/idbridge/idbridge/providers/ldap"
)

func good() ldap.Config {
	return ldap.Config{
		Name: "corp", URLs: []string{"ldaps://ldap.example.org"}, BaseDN: "dc=example,dc=org",
		Bind: ldap.Bind{DN: "cn=sync,dc=example,dc=org", Password: idbridge.NewSecret("hunter2")}, Map: fields(),
	}
}

func TestValidate(t *testing.T) {
	g := good()
	if faults := g.Validate(); len(faults) != 0 {
		t.Fatalf("a good config: %v", faults)
	}
	for name, c := range map[string]struct {
		change func(*ldap.Config)
		words  string
	}{
		"no name":          {func(c *ldap.Config) { c.Name = "" }, "name: required"},
		"no url":           {func(c *ldap.Config) { c.URLs = nil }, "urls: required"},
		"odd scheme":       {func(c *ldap.Config) { c.URLs = []string{"https://x"} }, "must begin with ldap://"},
		"no host":          {func(c *ldap.Config) { c.URLs = []string{"ldaps://"} }, "has no host"},
		"path":             {func(c *ldap.Config) { c.URLs = []string{"ldaps://x/dc=y"} }, "only scheme, host and port"},
		"clear text":       {func(c *ldap.Config) { c.URLs = []string{"ldap://x"} }, "clear text"},
		"StartTLS on TLS":  {func(c *ldap.Config) { c.TLS.StartTLS = true }, "start_tls is for ldap://"},
		"socket":           {func(c *ldap.Config) { c.URLs = []string{"ldapi://var"} }, "%2F"},
		"no base":          {func(c *ldap.Config) { c.BaseDN = "" }, "base_dn: required"},
		"base no DN":       {func(c *ldap.Config) { c.BaseDN = "example.org" }, "not a distinguished name"},
		"filter":           {func(c *ldap.Config) { c.Users.Filter = "(uid=" }, "users.filter"},
		"group filter":     {func(c *ldap.Config) { c.Groups.Filter = "((x)" }, "groups.filter"},
		"half a bind":      {func(c *ldap.Config) { c.Bind.Password = idbridge.Secret{} }, "belong together"},
		"half a client":    {func(c *ldap.Config) { c.TLS.CertFile = "x" }, "key_file belong together"},
		"page":             {func(c *ldap.Config) { c.PageSize = -1 }, "page_size"},
		"no login":         {func(c *ldap.Config) { c.Map = c.Map[1:] }, "userName is required"},
		"unknown":          {func(c *ldap.Config) { c.Map[1].Attribute = "shoe" }, "map shoe: no such attribute"},
		"twice":            {func(c *ldap.Config) { c.Map[1].Attribute = idbridge.Email }, "mapped twice"},
		"name of a source": {func(c *ldap.Config) { c.Map[1].From = "given name" }, "cannot be the name"},
		"form":             {func(c *ldap.Config) { c.Map[1].Form = mapping.Lock }, "needs a boolean"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good()
			c.change(&cfg)
			faults := cfg.Validate()
			if len(faults) != 1 || !strings.Contains(faults[0].Error(), c.words) {
				t.Errorf("%v", faults)
			}
			if _, err := ldap.New(cfg, nil); idbridge.KindOf(err) != idbridge.Invalid {
				t.Errorf("made: %v", err)
			}
		})
	}
	all := ldap.Config{URLs: []string{"x://", "ldap://y"}, BaseDN: "no", PageSize: -1, Users: ldap.Search{Filter: "("}}
	if faults := all.Validate(); len(faults) < 6 {
		t.Errorf("not all faults at once: %v", faults)
	}
}

func TestScope(t *testing.T) {
	g := good()
	same := func(change func(*ldap.Config)) bool {
		cfg := good()
		cfg.Map = fields()
		change(&cfg)
		return cfg.Scope() == g.Scope()
	}
	for name, change := range map[string]func(*ldap.Config){
		"url":         func(c *ldap.Config) { c.URLs = []string{"ldaps://other"} },
		"password":    func(c *ldap.Config) { c.Bind.Password = idbridge.NewSecret("x") },
		"spelling":    func(c *ldap.Config) { c.BaseDN = "DC=Example, dc=org" },
		"a default":   func(c *ldap.Config) { c.IDAttribute = "entryUUID" },
		"page":        func(c *ldap.Config) { c.PageSize = 7 },
		"field order": func(c *ldap.Config) { c.Map[1], c.Map[2] = c.Map[2], c.Map[1] },
	} {
		if !same(change) {
			t.Errorf("%s changes the scope", name)
		}
	}
	for name, change := range map[string]func(*ldap.Config){
		"base":   func(c *ldap.Config) { c.BaseDN = "dc=other" },
		"filter": func(c *ldap.Config) { c.Users.Filter = "(uid=*)" },
		"groups": func(c *ldap.Config) { c.Groups.Filter = "(cn=*)" },
		"map":    func(c *ldap.Config) { c.Map[4].From = "email" },
		"else":   func(c *ldap.Config) { c.Map[3].Else = "givenName" },
		"expr":   func(c *ldap.Config) { c.Map[3].From, c.Map[3].Expr = "", "givenName" },
		"id":     func(c *ldap.Config) { c.IDAttribute = "employeeNumber" },
		"schema": func(c *ldap.Config) {
			c.Schema = idbridge.CoreSchema()
			c.Schema[idbridge.Email] = idbridge.Spec{Match: idbridge.CaseExact}
		},
	} {
		if same(change) {
			t.Errorf("%s does not change the scope", name)
		}
	}
}

func TestConfigHidesThePassword(t *testing.T) {
	g := good()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		if text := fmt.Sprintf(verb, g); strings.Contains(text, "hunter2") {
			t.Errorf("%s shows it: %s", verb, text)
		}
	}
}
