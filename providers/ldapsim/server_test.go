package ldapsim_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge/providers/ldapsim"
)

func trust(t *testing.T, s *ldapsim.Server) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.CACertPEM()) {
		t.Fatal("no certificate in CACertPEM")
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
}

func TestCompany(t *testing.T) {
	s := start(t, ldapsim.Config{LDIF: ldapsim.Company()})
	c := dial(t, s.URL())
	if err := c.Bind(ldapsim.CompanyBindDN, ldapsim.CompanyBindPassword); err != nil {
		t.Fatal(err)
	}
	res, err := c.Search(ldap.NewSearchRequest(ldapsim.CompanyBaseDN, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=inetOrgPerson)", nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(res.Entries); n < 38 || n > 45 {
		t.Errorf("%d people", n)
	}
	logins := map[string]bool{}
	for _, e := range res.Entries {
		uid := e.GetAttributeValue("uid")
		if uid == "" || logins[uid] || e.GetAttributeValue("mail") == "" || e.GetAttributeValue("userPassword") != "" {
			t.Errorf("%s: login %q twice or empty, no mail, or a password to read", e.DN, uid)
		}
		logins[uid] = true
		if _, err := ldap.ParseDN(e.DN); err != nil {
			t.Errorf("%s: %v", e.DN, err)
		}
		if err := dial(t, s.URL()).Bind(e.DN, ldapsim.CompanyUserPassword); err != nil {
			t.Errorf("%s cannot sign in: %v", e.DN, err)
		}
	}
	group, ok := s.Entry(ldapsim.CompanyAdminGroup)
	if !ok || !slices.ContainsFunc(group["member"], func(m string) bool { return strings.HasPrefix(m, "uid="+ldapsim.CompanyAdmin+",") }) {
		t.Errorf("the administrators' group holds %q", group["member"])
	}
}

func TestTLS(t *testing.T) {
	s := start(t, ldapsim.Config{})
	c, err := ldap.DialURL(s.TLSURL(), ldap.DialWithTLSConfig(trust(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind(syncDN, syncPassword); err != nil {
		t.Error(err)
	}
	p := dial(t, s.URL())
	if err := p.StartTLS(trust(t, s)); err != nil {
		t.Fatal(err)
	}
	who, err := p.WhoAmI(nil)
	if err != nil || who.AuthzID != "" {
		t.Errorf("before a bind: %v, %v", who, err)
	}
	if err := p.Bind("CN=Sync,DC=example,DC=org", syncPassword); err != nil {
		t.Error(err)
	}
	if who, err = p.WhoAmI(nil); err != nil || who.AuthzID != "dn:"+syncDN {
		t.Errorf("after it: %v, %v", who, err)
	}
	if err := p.StartTLS(trust(t, s)); err == nil {
		t.Error("TLS twice")
	}
}

func TestRootDSE(t *testing.T) {
	c := dial(t, start(t, ldapsim.Config{}).URL())
	res, err := c.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", []string{"*", "+"}, nil))
	if err != nil || len(res.Entries) != 1 {
		t.Fatal(err)
	}
	e := res.Entries[0]
	for name, want := range map[string]string{
		"objectClass": "OpenLDAProotDSE", "namingContexts": "dc=example,dc=org", "subschemaSubentry": "cn=Subschema",
		"supportedControl": "1.3.6.1.1.12", "supportedExtension": "1.3.6.1.4.1.1466.20037", "supportedLDAPVersion": "3",
	} {
		if !slices.Contains(e.GetAttributeValues(name), want) {
			t.Errorf("%s: %q", name, e.GetAttributeValues(name))
		}
	}
	if e.GetAttributeValue("vendorName") != "" {
		t.Error("slapd names no vendor")
	}
	res, err = c.Search(ldap.NewSearchRequest("cn=Subschema", ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=subschema)", []string{"attributeTypes"}, nil))
	if err != nil || len(res.Entries) != 1 || len(res.Entries[0].GetAttributeValues("attributeTypes")) < 80 {
		t.Errorf("schema: %v, %v", res, err)
	}
}

func TestPasswordModify(t *testing.T) {
	s := start(t, ldapsim.Config{})
	c := signedIn(t, s.URL())
	if err := s.Modify(bo, ldapsim.Mod{Verb: ldapsim.Put, Attribute: "userPassword", Values: []string{"first"}}); err != nil {
		t.Fatal(err)
	}
	_, err := c.PasswordModify(ldap.NewPasswordModifyRequest(bo, "wrong", "second"))
	if codeOf(t, err) != 53 {
		t.Errorf("wrong old password: %v", err)
	}
	if _, err = c.PasswordModify(ldap.NewPasswordModifyRequest(bo, "first", "second")); err != nil {
		t.Fatal(err)
	}
	if err = dial(t, s.URL()).Bind(bo, "first"); codeOf(t, err) != 49 {
		t.Errorf("the old one: %v", err)
	}
	if err = dial(t, s.URL()).Bind(bo, "second"); err != nil {
		t.Errorf("the new one: %v", err)
	}
	made, err := c.PasswordModify(ldap.NewPasswordModifyRequest(bo, "", ""))
	if err != nil || made.GeneratedPassword == "" {
		t.Fatalf("generate: %v, %v", made, err)
	}
	if err = dial(t, s.URL()).Bind(bo, made.GeneratedPassword); err != nil {
		t.Errorf("the generated one: %v", err)
	}
	if strings.Contains(s.Log(), "second") || strings.Contains(s.Log(), "SSHA") {
		t.Error("the log has passwords")
	}
}

func TestOperationalAttributes(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	s := start(t, ldapsim.Config{Now: func() time.Time { return at }})
	before, _ := s.Entry(anna)
	c := signedIn(t, s.URL())
	seen := map[string]bool{before["entryCSN"][0]: true}
	for range 20 { // the clock stands still, the CSN does not
		if err := modify(anna, replace("title", "x"))(c); err != nil {
			t.Fatal(err)
		}
		e, _ := s.Entry(anna)
		csn := e["entryCSN"][0]
		if seen[csn] {
			t.Fatalf("entryCSN %s twice: the same value again moves it too", csn)
		}
		seen[csn] = true
	}
	after, _ := s.Entry(anna)
	suffix, _ := s.Entry("dc=example,dc=org")
	if suffix["contextCSN"][0] != after["entryCSN"][0] || after["entryCSN"][0] <= before["entryCSN"][0] {
		t.Errorf("contextCSN %q, entryCSN %q after %q", suffix["contextCSN"], after["entryCSN"], before["entryCSN"])
	}
	if after["entryUUID"][0] != before["entryUUID"][0] || after["modifyTimestamp"][0] != "20261121090000Z" ||
		after["modifiersName"][0] != syncDN || after["createTimestamp"][0] != "20261121090000Z" {
		t.Errorf("after a modify: %v", after)
	}
	if err := s.Rename(anna, "cn=Anna Oak,ou=more,dc=example,dc=org"); err != nil {
		t.Fatal(err)
	}
	moved, _ := s.Entry("cn=Anna Oak,ou=more,dc=example,dc=org")
	if moved["entryUUID"][0] != before["entryUUID"][0] || moved["entryDN"][0] != "cn=Anna Oak,ou=more,dc=example,dc=org" {
		t.Errorf("after a move: %v", moved)
	}
	if err := s.Delete("cn=Anna Oak,ou=more,dc=example,dc=org"); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(anna, map[string][]string{"objectClass": {"person"}, "cn": {"Anna Ek"}, "sn": {"Ek"}}); err != nil {
		t.Fatal(err)
	}
	if again, _ := s.Entry(anna); again["entryUUID"][0] == before["entryUUID"][0] {
		t.Error("an id was given twice")
	}
}

func TestRights(t *testing.T) {
	s := start(t, ldapsim.Config{Rights: []ldapsim.Right{
		{Who: syncDN, Attributes: []string{"telephoneNumber"}, Level: ldapsim.None},
		{Who: syncDN, Under: "ou=deep," + people, Level: ldapsim.None},
		{Who: syncDN, Attributes: []string{"mail"}, Level: ldapsim.Edit},
		{Who: ldapsim.Users, Level: ldapsim.Read},
	}})
	c := signedIn(t, s.URL())
	res, err := c.Search(ldap.NewSearchRequest(people, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=inetOrgPerson)", nil, nil))
	if err != nil || len(res.Entries) != 3 {
		t.Fatalf("%d entries, %v", len(res.Entries), err)
	}
	for _, e := range res.Entries {
		if len(e.GetAttributeValues("telephoneNumber")) > 0 {
			t.Error("a hidden attribute is shown")
		}
	}
	for name, want := range map[string]struct {
		do   func(*ldap.Conn) error
		code int
	}{
		"write mail":     {modify(anna, replace("mail", "x@example.org")), 0},
		"write title":    {modify(anna, replace("title", "x")), 50},
		"delete":         {del(anna), 50},
		"add":            {add("cn=x,"+people, "objectClass", "person", "sn", "x"), 50},
		"rename":         {rename(anna, "cn=x", true, ""), 50},
		"hidden entry":   {modify("ou=deeper,ou=deep,"+people, put("description", "x")), 32},
		"compare hidden": {compare(anna, "telephoneNumber", "x"), 16},
	} {
		if err := want.do(c); codeOf(t, err) != want.code {
			t.Errorf("%s: %v, want %d", name, err, want.code)
		}
	}
	found, err := c.Search(ldap.NewSearchRequest(people, 2, 0, 0, 0, false, "(telephoneNumber=*)", nil, nil))
	if err != nil || len(found.Entries) != 0 {
		t.Errorf("found by what is hidden: %v, %v", found, err)
	}
}

func TestLogAndCounters(t *testing.T) {
	s := start(t, ldapsim.Config{})
	c := signedIn(t, s.URL())
	before := s.Count(ldapsim.OpModify)
	if err := modify(anna, drop("mail", "anna@example.org"), put("mail", "ännä"), put("mail", "new@example.org"))(c); err == nil {
		t.Error("a mail with umlauts")
	}
	if err := modify(anna, drop("mail", "anna@example.org"), put("mail", "new@example.org"))(c); err != nil {
		t.Fatal(err)
	}
	if err := s.Rename(bo, "cn=Bö,"+people); err != nil {
		t.Fatal(err)
	}
	if n := s.Count(ldapsim.OpModify) - before; n != 2 {
		t.Errorf("%d modifies counted", n)
	}
	writes := s.Writes()
	if len(writes) != 2 || writes[0].By != syncDN || writes[1].By != "" || writes[1].Op != ldapsim.OpModifyDN {
		t.Fatalf("writes: %+v", writes)
	}
	want := "dn: " + anna + "\nchangetype: modify\ndelete: mail\nmail: anna@example.org\n-\nadd: mail\nmail: new@example.org\n-\n"
	if diff := cmp.Diff(want, writes[0].LDIF); diff != "" {
		t.Error(diff)
	}
	twin := start(t, ldapsim.Config{})
	if err := twin.Apply(s.Log()); err != nil {
		t.Fatalf("replay the log: %v", err)
	}
	if diff := cmp.Diff(dump(t, c), dump(t, signedIn(t, twin.URL()))); diff != "" {
		t.Errorf("replayed:\n%s", diff)
	}
}

func TestLag(t *testing.T) {
	s := start(t, ldapsim.Config{})
	c := signedIn(t, s.URL())
	title := func() string {
		res, err := c.Search(ldap.NewSearchRequest(anna, 0, 0, 0, 0, false, "(objectClass=*)", []string{"title"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		return res.Entries[0].GetAttributeValue("title")
	}
	s.Lag(true)
	if err := modify(anna, replace("title", "New"))(c); err != nil {
		t.Fatal(err)
	}
	if got := title(); got != "" {
		t.Errorf("the replica shows %q at once", got)
	}
	s.Lag(false)
	if got := title(); got != "New" {
		t.Errorf("the replica shows %q in the end", got)
	}
}

func TestBadLDIF(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "no entry",
		"cn: x\n":                    "line 1",
		"dn: dc=x\nobjectClass dc\n": "line 2",
		"dn: dc=x\ndc:: %%%\n":       "line 2",
		"dn: dc=x\ndc:< file:///x\n": "URL",
		"dn: x\nobjectClass: top\n":  "invalid DN",
		"dn: dc=x\ndc: x\n":          "no objectClass",
		frameLDIF + "dn: cn=a,dc=b\nobjectClass: person\ncn: a\nsn: a\n":                       "no entry above",
		frameLDIF + "dn: ou=x,dc=example,dc=org\nobjectClass: organizationalUnit\nfoo: a\n":    "undefined",
		frameLDIF + "dn: ou=more,dc=example,dc=org\nobjectClass: organizationalUnit\nou: more": "exists",
		frameLDIF + "dn: ou=more,dc=example,dc=org\nchangetype: delete":                        "no entry",
	} {
		s, err := ldapsim.Start(ldapsim.Config{LDIF: text})
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	s := start(t, ldapsim.Config{})
	err := s.Add("cn=x,"+people, map[string][]string{"objectClass": {"person"}, "cn": {"x"}})
	var r *ldapsim.Result
	if !errors.As(err, &r) || r.Code != ldapsim.ClassViolation {
		t.Errorf("edit from Go: %v", err)
	}
}

// TestListingIsNoSnapshot edits between pages.
func TestListingIsNoSnapshot(t *testing.T) {
	s := start(t, ldapsim.Config{})
	c := signedIn(t, s.URL())
	page := ldap.NewControlPaging(2)
	req := ldap.NewSearchRequest(people, 2, 0, 0, 0, false, "(sn=*)", []string{"title"}, []ldap.Control{page})
	res, err := c.Search(req)
	if err != nil || len(res.Entries) != 2 {
		t.Fatal(err)
	}
	if err = s.Delete("cn=c\\2Cd \\2B e," + people); err != nil {
		t.Fatal(err)
	}
	page.SetCookie(ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging).Cookie)
	if _, err = signedIn(t, s.URL()).Search(req); codeOf(t, err) != 53 {
		t.Errorf("the cookie on another connection: %v", err)
	}
	if res, err = c.Search(req); err != nil || len(res.Entries) != 1 {
		t.Errorf("second page: %v, %v", res, err)
	}
}
