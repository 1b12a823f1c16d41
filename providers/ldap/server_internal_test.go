package ldap

import "testing"

// TestElsewhere: references to the server's own naming contexts, as Active Directory sends them (recorded from Samba
// 4.17), lead nowhere else; all others do.
func TestElsewhere(t *testing.T) {
	s := &server{contexts: []string{
		"DC=ad,DC=example,DC=org", "CN=Configuration,DC=ad,DC=example,DC=org", "CN=Schema,CN=Configuration,DC=ad,DC=example,DC=org",
		"DC=DomainDnsZones,DC=ad,DC=example,DC=org",
	}}
	for uri, want := range map[string]int{
		"ldap://ad.example.org/CN=Configuration,DC=ad,DC=example,DC=org":                       0,
		"ldap://DomainDnsZones.ad.example.org/DC=DomainDnsZones,dc=AD,DC=example,DC=org??base": 0,
		"ldap://child.ad.example.org/DC=child,DC=ad,DC=example,DC=org":                         1,
		"ldap://other/DC=ad,DC=example,DC=org":                                                 1, // the searched base itself, on another server
		"ldap://other/":                                                                        1,
		"ldap://other":                                                                         1,
		"":                                                                                     1,
		"://":                                                                                  1,
		"ldap://other/ou=x,DC=ad,DC=example,DC=org":                                            1,
	} {
		if n := s.elsewhere("dc=ad,dc=example,dc=org", []string{uri}); n != want {
			t.Errorf("%q: %d", uri, n)
		}
	}
	if n := s.elsewhere("ou=people,dc=ad,dc=example,dc=org", []string{"ldap://x/CN=Configuration,DC=ad,DC=example,DC=org"}); n != 1 {
		t.Errorf("outside of the base: %d", n)
	}
}
