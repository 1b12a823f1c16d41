package ldap_test

import (
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldap"
)

func TestAuthenticate(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: person("uid=anna", "anna", "userPassword", "right") +
		person("uid=star*", "star*", "userPassword", "right") + person(`uid=o\28dd\29`, "o(dd)", "userPassword", "right") +
		person("uid=twin", "twin", "userPassword", "right") +
		testserver.Entry("uid=twin,ou=more,dc=example,dc=org", "objectClass", "inetOrgPerson", "uid", "twin", "cn", "x", "sn", "x", "userPassword", "right") +
		person("uid=nopassword", "nopassword")})
	p := newProxy(t, srv)
	cfg := settings(srv)
	cfg.URLs, cfg.TLS = []string{p.url}, ldap.TLS{AllowCleartextBind: true}
	d := directory(t, cfg)
	records := complete(t, session(t, d)).records
	for _, login := range []string{"anna", "ANNA", "star*", "o(dd)"} {
		id, err := d.Authenticate(t.Context(), login, "right")
		if err != nil || id != records[strings.ToLower(login)].ID {
			t.Errorf("%s: %v, %v", login, id, err)
		}
	}
	for _, c := range [][2]string{
		{"anna", "wrong"}, {"anna", "righ"}, {"nobody", "right"}, {"*", "right"}, {"ann*", "right"}, {"anna)(uid=*", "right"},
		{"*)(objectClass=*", "right"}, {`\2a`, "right"}, {"twin", "right"}, {"nopassword", "right"}, {"anna\x00", "right"}, {"\xff", "right"},
	} {
		id, err := d.Authenticate(t.Context(), c[0], c[1])
		if idbridge.KindOf(err) != idbridge.Unauthentic || id != (idbridge.ExternalID{}) {
			t.Errorf("%q %q: %v, %v", c[0], c[1], id, err)
		}
	}
	before := p.connections.Load()
	for _, c := range [][2]string{{"anna", ""}, {"", "right"}, {"", ""}} {
		if _, err := d.Authenticate(t.Context(), c[0], c[1]); idbridge.KindOf(err) != idbridge.Unauthentic {
			t.Errorf("%q %q: %v", c[0], c[1], err)
		}
	}
	if n := p.connections.Load(); n != before {
		t.Error("an empty login or password reached the wire")
	}
	cfg.Bind.Password = idbridge.NewSecret("wrong")
	_, err := directory(t, cfg).Authenticate(t.Context(), "anna", "right")
	wantFault(t, err, idbridge.Unavailable, "cannot check passwords now") // our own password says nothing about Anna's
	srv.Stop()
	_, err = d.Authenticate(t.Context(), "anna", "right")
	wantFault(t, err, idbridge.Unavailable, "cannot check passwords now")
}
