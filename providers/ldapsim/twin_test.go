package ldapsim_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

// seedLDIF is what both twins hold besides the base and the containers.
const seedLDIF = `dn: cn=Anna Ek,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: Anna Ek
cn;lang-de: Anna Eiche
sn: Ek
uid: aek
mail: anna@example.org
telephoneNumber: +33 4 76 00 00 01
displayName: Anna Ek
employeeNumber: 7

dn: cn=Bo Ål,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: Bo Ål
sn: Ål
uid: bo
mail: bo@example.org
mail: bo.al@example.org
title: Chief  Engineer
manager: cn=Anna Ek,ou=people,dc=example,dc=org

dn: cn=c\2Cd \2B e,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: c,d + e
sn: d
uid: cde

dn: ou=deep,ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: deep

dn: ou=deeper,ou=deep,ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: deeper

dn: uid=leaf+cn=Leaf,ou=deeper,ou=deep,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: leaf
cn: Leaf
sn: Leaf

dn: cn=team,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: team
member: cn=Anna Ek,ou=people,dc=example,dc=org
member: cn=Bo Ål,ou=people,dc=example,dc=org
`

const frameLDIF = `dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=more,dc=example,dc=org
objectClass: organizationalUnit
ou: more

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: cn=sync,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: sync
userPassword: Sync.Pw.123

`

const (
	syncDN       = "cn=sync,dc=example,dc=org"
	syncPassword = "Sync.Pw.123"
	people       = "ou=people,dc=example,dc=org"
	anna         = "cn=Anna Ek," + people
	bo           = "cn=Bo Ål," + people
)

func start(t *testing.T, cfg ldapsim.Config) *ldapsim.Server {
	t.Helper()
	if cfg.LDIF == "" {
		cfg.LDIF = frameLDIF + seedLDIF
	}
	s, err := ldapsim.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func dial(t *testing.T, url string) *ldap.Conn {
	t.Helper()
	c, err := ldap.DialURL(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func signedIn(t *testing.T, url string) *ldap.Conn {
	t.Helper()
	c := dial(t, url)
	if err := c.Bind(syncDN, syncPassword); err != nil {
		t.Fatal(err)
	}
	return c
}

// codeOf is the server's result code, 200 for a connection that is gone, or -1 with what went wrong.
func codeOf(t *testing.T, err error) int {
	t.Helper()
	var e *ldap.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return int(e.ResultCode)
	case strings.Contains(err.Error(), "unable to read LDAP response packet"):
		return ldap.ErrorNetwork
	}
	t.Errorf("no result code: %v", err)
	return -1
}

// dump lists everything that users can see, as text.
func dump(t *testing.T, c *ldap.Conn) string {
	t.Helper()
	res, err := c.Search(ldap.NewSearchRequest("dc=example,dc=org", ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=*)",
		[]string{"*", "structuralObjectClass", "entryDN", "hasSubordinates", "subschemaSubentry"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range res.Entries {
		lines := []string{}
		for _, a := range e.Attributes {
			if a.Name == "userPassword" {
				continue
			}
			for _, v := range a.Values {
				lines = append(lines, fmt.Sprintf("  %s: %q", a.Name, v))
			}
		}
		slices.Sort(lines)
		all = append(all, e.DN+"\n"+strings.Join(lines, "\n"))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func modify(dn string, edit ...func(*ldap.ModifyRequest)) func(*ldap.Conn) error {
	return func(c *ldap.Conn) error {
		m := ldap.NewModifyRequest(dn, nil)
		for _, e := range edit {
			e(m)
		}
		return c.Modify(m)
	}
}

func put(a string, v ...string) func(*ldap.ModifyRequest) {
	return func(m *ldap.ModifyRequest) { m.Add(a, v) }
}

func drop(a string, v ...string) func(*ldap.ModifyRequest) {
	return func(m *ldap.ModifyRequest) { m.Delete(a, v) }
}

func replace(a string, v ...string) func(*ldap.ModifyRequest) {
	return func(m *ldap.ModifyRequest) { m.Replace(a, v) }
}

func raise(a, v string) func(*ldap.ModifyRequest) {
	return func(m *ldap.ModifyRequest) { m.Increment(a, v) }
}

func add(dn string, pairs ...string) func(*ldap.Conn) error {
	return func(c *ldap.Conn) error {
		a := ldap.NewAddRequest(dn, nil)
		for i := 0; i < len(pairs); i += 2 {
			a.Attribute(pairs[i], strings.Split(pairs[i+1], "|"))
		}
		return c.Add(a)
	}
}

func del(dn string) func(*ldap.Conn) error {
	return func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest(dn, nil)) }
}

func rename(dn, rdn string, deleteOld bool, superior string) func(*ldap.Conn) error {
	return func(c *ldap.Conn) error { return c.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, deleteOld, superior)) }
}

func compare(dn, a, v string) func(*ldap.Conn) error {
	return func(c *ldap.Conn) error {
		yes, err := c.Compare(dn, a, v)
		if err == nil && yes {
			return &ldap.Error{ResultCode: 6, Err: errors.New("true")}
		}
		if err == nil {
			return &ldap.Error{ResultCode: 5, Err: errors.New("false")}
		}
		return err
	}
}

func bind(dn, password string) func(*ldap.Conn) error {
	return func(c *ldap.Conn) error {
		_, err := c.SimpleBind(&ldap.SimpleBindRequest{Username: dn, Password: password, AllowEmptyPassword: true})
		if again := c.Bind(syncDN, syncPassword); again != nil {
			return again
		}
		return err
	}
}

type act struct {
	name string
	do   func(*ldap.Conn) error
}

// acts are done in this order: each begins with what the ones before it left.
func acts() []act {
	return slices.Concat(editActs(), schemaActs(), addActs(), compareActs(), nameActs(), spellingActs())
}

// editActs are changes of values.
func editActs() []act {
	return []act{
		{"add a value", modify(anna, put("title", "Boss"))},
		{"add it again in other case", modify(anna, put("title", "  bOSS "))},
		{"add two equal values", modify(anna, put("description", "x", "X"))},
		{"add to single-valued", modify(anna, put("displayName", "Second"))},
		{"add nothing", modify(anna, put("title"))},
		{"delete stale old, add new", modify(anna, drop("title", "Manager"), put("title", "Chief"))},
		{"delete old in other case, add new", modify(anna, drop("title", "BOSS"), put("title", "Chief"))},
		{"case alone", modify(anna, drop("title", "chief"), put("title", "CHIEF"))},
		{"delete value twice", modify(anna, drop("title", "chief", "CHIEF"))},
		{"inner blanks", modify(bo, drop("title", "chief engineer"), put("title", "Engineer"))},
		{"delete absent attribute", modify(anna, drop("description"))},
		{"delete absent value", modify(anna, drop("mail", "none@example.org"))},
		{"replace by nothing when absent", modify(anna, replace("description"))},
		{"replace by empty text", modify(anna, replace("description", ""))},
		{"replace with empty mail", modify(anna, replace("mail", ""))},
		{"mail not ascii", modify(anna, replace("mail", "ä@example.org"))},
		{"invalid utf-8", modify(anna, replace("description", "\xff\xfe"))},
		{"replace mail by two", modify(anna, replace("mail", "a@example.org", "b@example.org"))},
		{"replace with equal twice", modify(anna, replace("mail", "a@example.org", "A@example.org"))},
		{"telephone spelling", modify(anna, put("telephoneNumber", "+33476-000001"))},
		{"telephone with letters", modify(anna, put("telephoneNumber", "call me"))},
		{"telephone with underscore", modify(anna, put("telephoneNumber", "a_b"))},
		{"empty telephone", modify(anna, replace("telephoneNumber", ""))},
	}
}

// schemaActs are changes that the schema has an opinion about.
func schemaActs() []act {
	return []act{
		{"unknown attribute", modify(anna, put("shoeSize", "42"))},
		{"not allowed by class", modify(anna, put("dc", "x"))},
		{"required dropped", modify(anna, drop("sn"))},
		{"naming value dropped", modify(anna, drop("cn", "Anna Ek"))},
		{"naming attribute replaced", modify(anna, replace("cn", "Other"))},
		{"second name beside the RDN", modify(anna, put("cn", "Annie"))},
		{"tagged value", modify(anna, put("title;lang-fr", "Chef"))},
		{"unknown option", modify(anna, put("title;x-odd", "Chef"))},
		{"entryUUID", modify(anna, replace("entryUUID", "00000000-0000-4000-8000-000000000000"))},
		{"modifyTimestamp", modify(anna, replace("modifyTimestamp", "20200101000000Z"))},
		{"photo", modify(anna, put("jpegPhoto", "\xff\xd8\xff\xe0\x00\x10JFIF\x00rest\xff\xd9"))},
		{"photo added again", modify(anna, put("jpegPhoto", "\xff\xd8\xff\xe0\x00\x10JFIF\x00rest2\xff\xd9"))},
		{"photo deleted by value", modify(anna, drop("jpegPhoto", "\xff\xd8\xff\xe0\x00\x10JFIF\x00rest\xff\xd9"))},
		{"photo that is none", modify(bo, put("jpegPhoto", "hello"))},
		{"photo replaced", modify(anna, replace("jpegPhoto", "\xff\xd8\xff\xe0\x00\x10JFIF\x00new\xff\xd9"))},
		{"increment text", modify(anna, raise("employeeNumber", "1"))},
		{"increment absent", modify(anna, raise("description", "1"))},
		{"manager not a DN", modify(bo, replace("manager", "Anna"))},
		{"manager kept in order", modify(bo, replace("manager", "CN=Anna   Ek,OU=people, dc=EXAMPLE,dc=org", "cn=x \\+ y,dc=example,dc=org"))},
		{"manager back", modify(bo, replace("manager", anna))},
		{"manager respelled", modify(bo, drop("manager", "CN=anna ek, OU=People,dc=example,dc=org"), put("manager", anna))},
		{"member empty", modify("cn=team,ou=groups,dc=example,dc=org", replace("member"))},
		{"member out", modify("cn=team,ou=groups,dc=example,dc=org", drop("member", "cn=BO ÅL,"+people))},
		{"last member out", modify("cn=team,ou=groups,dc=example,dc=org", drop("member", anna))},
		{"class unknown", modify(anna, put("objectClass", "martian"))},
		{"class structural foreign", modify(anna, put("objectClass", "device"))},
		{"class auxiliary needs", modify(anna, put("objectClass", "dcObject"))},
		{"class auxiliary with need", modify(anna, put("objectClass", "uidObject"))},
		{"class dropped", modify(anna, drop("objectClass", "inetOrgPerson"))},
		{"class weaker", modify(bo, replace("objectClass", "person"))},
		{"modify nobody", modify("cn=Nobody,"+people, put("title", "x"))},
		{"modify bad DN", modify("Nobody", put("title", "x"))},
		{"modify unknown RDN type", modify("foo=bar,"+people, put("title", "x"))},
		{"modify outside", modify("cn=x,dc=example,dc=com", put("title", "x"))},
		{"modify by respelled DN", modify("CN=anna  EK , ou=PEOPLE,dc=example, dc=org", replace("title", "Found"))},
		{"all or nothing", modify(anna, replace("title", "Half"), drop("description"))},
	}
}

// addActs are new entries.
func addActs() []act {
	return []act{
		{"add", add("cn=New,"+people, "objectClass", "inetOrgPerson", "cn", "New", "sn", "N")},
		{"add again", add("cn=new,"+people, "objectClass", "inetOrgPerson", "cn", "New", "sn", "N")},
		{"add without parent", add("cn=New,ou=nowhere,"+people, "objectClass", "inetOrgPerson", "cn", "New", "sn", "N")},
		{"add without class", add("cn=N2,"+people, "cn", "N2", "sn", "N")},
		{"add without structural", add("cn=N2,"+people, "objectClass", "uidObject", "cn", "N2", "uid", "N")},
		{"add without required", add("cn=N2,"+people, "objectClass", "inetOrgPerson", "cn", "N2")},
		{"add unknown class", add("cn=N2,"+people, "objectClass", "martian", "cn", "N2")},
		{"add unknown attribute", add("cn=N2,"+people, "objectClass", "inetOrgPerson", "cn", "N2", "sn", "N", "shoe", "1")},
		{"add not allowed", add("cn=N2,"+people, "objectClass", "inetOrgPerson", "cn", "N2", "sn", "N", "dc", "1")},
		{"add name missing among values", add("cn=N2,"+people, "objectClass", "inetOrgPerson", "cn", "Other", "sn", "N")},
		{"add name attribute missing", add("uid=n2,"+people, "objectClass", "inetOrgPerson", "cn", "Other", "sn", "N")},
		{"add two single", add("cn=N2,"+people, "objectClass", "inetOrgPerson", "cn", "N2", "sn", "N", "displayName", "a|b")},
		{"add equal values", add("cn=N2,"+people, "objectClass", "inetOrgPerson", "cn", "N2", "sn", "N|n")},
		{"add attribute twice", add("cn=N2,"+people, "objectClass", "inetOrgPerson", "cn", "N2", "sn", "N", "sn", "M")},
		{"add empty value", add("cn=N2,"+people, "objectClass", "inetOrgPerson", "cn", "N2", "sn", "")},
		{"add with entryUUID", add("cn=N2,"+people, "objectClass", "inetOrgPerson", "cn", "N2", "sn", "N", "entryUUID", "00000000-0000-4000-8000-000000000000")},
		{"add outside", add("cn=N2,dc=example,dc=com", "objectClass", "inetOrgPerson", "cn", "N2", "sn", "N")},
		{"add bad DN", add("N2,"+people, "objectClass", "inetOrgPerson", "cn", "N2", "sn", "N")},
		{"add odd DN", add(`cn=\#a\, \"b\" \\ \3B\<c\>\=\20,`+people, "objectClass", "inetOrgPerson", "cn", `#a, "b" \ ;<c>= `, "sn", "N")},
		{"add under odd type spelling", add("CN=Upper,OU=People,DC=example,DC=org", "objectClass", "INETORGPERSON", "CN", "Upper", "SN", "U")},
		{"add two-valued RDN", add("uid=two+cn=Two,"+people, "objectClass", "inetOrgPerson", "cn", "Two", "sn", "T", "uid", "two")},
		{"find it in other order", modify("cn=two+uid=TWO,"+people, put("title", "t"))},
		{"group of nobody", add("cn=void,ou=groups,dc=example,dc=org", "objectClass", "groupOfNames", "cn", "void", "member", "")},
	}
}

// compareActs are comparisons.
func compareActs() []act {
	return []act{
		{"compare true", compare(anna, "sn", "eK")},
		{"compare false", compare(anna, "sn", "x")},
		{"compare absent", compare(anna, "description", "x")},
		{"compare unknown", compare(anna, "shoeSize", "x")},
		{"compare nobody", compare("cn=Nobody,"+people, "sn", "x")},
		{"compare outside", compare("cn=x,dc=example,dc=com", "sn", "x")},
		{"compare bad DN", compare("x", "sn", "x")},
		{"compare not a DN", compare(bo, "manager", "x")},
		{"compare photo", compare(anna, "jpegPhoto", "x")},
		{"compare telephone", compare(anna, "telephoneNumber", "+33-476000001")},
		{"compare class", compare(anna, "objectClass", "person")},
	}
}

// nameActs are new names, and the ends of entries.
func nameActs() []act {
	return []act{
		{"rename", rename("cn=New,"+people, "cn=Newer", true, "")},
		{"rename keeping", rename("cn=Newer,"+people, "cn=Newest", false, "")},
		{"rename to itself", rename("cn=Newest,"+people, "cn=NEWEST", true, "")},
		{"rename to taken", rename("cn=Newest,"+people, "cn=Anna Ek", true, "")},
		{"rename nobody", rename("cn=Nobody,"+people, "cn=x", true, "")},
		{"rename bad", rename("cn=Newest,"+people, "x", true, "")},
		{"rename two RDNs", rename("cn=Newest,"+people, "cn=a,cn=b", true, "")},
		{"rename to not allowed", rename("cn=Newest,"+people, "dc=x", false, "")},
		{"rename dropping required", rename("cn=Bo Ål,"+people, "uid=bo", true, "")},
		{"rename to other type", rename("cn=c\\,d \\+ e,"+people, "uid=cde", false, "")},
		{"move", rename("cn=Newest,"+people, "cn=Newest", true, "ou=deep,"+people)},
		{"move to nowhere", rename(anna, "cn=Anna Ek", true, "ou=nowhere,"+people)},
		{"move below itself", rename("ou=deep,"+people, "ou=deep", true, "ou=deeper,ou=deep,"+people)},
		{"move outside", rename(anna, "cn=Anna Ek", true, "dc=example,dc=com")},
		{"move a tree", rename("ou=deep,"+people, "ou=deepest", true, "ou=more,dc=example,dc=org")},
		{"rename the suffix", rename("dc=example,dc=org", "dc=other", true, "")},
		{"swap RDN value with another kept", rename(anna, "cn=Annie", true, "")},
		{"delete a tree", del("ou=deepest,ou=more,dc=example,dc=org")},
		{"delete", del("cn=newest,ou=deepest,ou=more,dc=example,dc=org")},
		{"delete again", del("cn=Newest,ou=deepest,ou=more,dc=example,dc=org")},
		{"delete bad DN", del("newest")},
		{"delete outside", del("cn=x,dc=example,dc=com")},
		{"rename outside", rename("cn=x,dc=example,dc=com", "cn=y", true, "")},
		{"add top", add("dc=com", "objectClass", "domain", "dc", "com")},
		{"add below a person", add("cn=Below,"+bo, "objectClass", "inetOrgPerson", "cn", "Below", "sn", "B")},
		{"modify the rootDSE", modify("", put("description", "x"))},
		{"modify the schema", modify("cn=Subschema", put("description", "x"))},
		{"add with tagged RDN value only", add("cn=Tag,"+people, "objectClass", "inetOrgPerson", "cn;lang-de", "Tag", "sn", "N")},
	}
}

// spellingActs are values that are equal, or not quite, and signing in.
func spellingActs() []act {
	return []act{
		{"many changes of one attribute", modify(bo, put("description", "1"), put("description", "2"), drop("description", "1"), put("description", "1"))},
		{"replace then delete", modify(bo, replace("description", "x", "y"), drop("description", "x"), put("description", "z"))},
		{"delete all then add", modify(bo, drop("description"), put("description", "again"))},
		{"turkish and sharp s", modify(bo, replace("description", "straße", "STRASSE", "İstanbul", "istanbul"))},
		{"composed and not", modify(bo, replace("title", "Cafe\u0301", "Café"))},
		{"full width", modify(bo, put("description", "ｆｕｌｌ"), put("description", "full"))},
		{"no-break blank", modify(bo, replace("title", "a\u00a0b", "a b"))},
		{"tab", modify(bo, replace("title", "a\tb", "a b"))},
		{"blank only", modify(bo, replace("title", " "))},
		{"labeledURI case", modify(bo, replace("labeledURI", "http://A", "http://a"))},
		{"postal address", modify(bo, replace("postalAddress", "1 Road$Town", "1 ROAD $ town"))},
		{"mail blanks", modify(bo, replace("mail", "a @example.org", "A  @example.org"))},
		{"seeAlso twice", modify(bo, replace("seeAlso", "cn=a,dc=b", "CN=A , DC=B"))},
		{"preferredDeliveryMethod", modify(bo, replace("preferredDeliveryMethod", "any"))},
		{"destinationIndicator", modify(bo, replace("destinationIndicator", "ä"))},
		{"x121Address", modify(bo, replace("x121Address", "12 34", "1234"))},
		{"certificate", modify(bo, replace("userCertificate", "junk"))},
		{"password by replace", modify(bo, replace("userPassword", "new"))},
		{"password by delete and add", modify(bo, drop("userPassword", "new"), put("userPassword", "newer"))},
		{"password of bo", bind(bo, "newer")},
		{"password of bo, old", bind(bo, "new")},
		{"bind wrong", bind(syncDN, "wrong")},
		{"bind unknown", bind("cn=nobody,dc=example,dc=org", "x")},
		{"bind without password", bind(syncDN, "")},
		{"bind bad DN", bind("nobody", "x")},
		{"bind anonymous", bind("", "")},
	}
}

// TestTwin does the same to a real slapd and to ours: each operation must end with the same code and leave the same tree.
func TestTwin(t *testing.T) {
	real := testserver.Slapd(t, testserver.SlapdOptions{LDIF: seedLDIF})
	theirs := signedIn(t, real.URL)
	ours := signedIn(t, start(t, ldapsim.Config{}).URL())
	if diff := cmp.Diff(dump(t, theirs), dump(t, ours)); diff != "" {
		t.Fatalf("they begin differently (-slapd +ours):\n%s", diff)
	}
	for _, a := range acts() {
		errTheirs, errOurs := a.do(theirs), a.do(ours)
		if want, got := codeOf(t, errTheirs), codeOf(t, errOurs); want != got {
			t.Errorf("%s: slapd says %d (%v), ours %d (%v)", a.name, want, errTheirs, got, errOurs)
		}
		if diff := cmp.Diff(dump(t, theirs), dump(t, ours)); diff != "" {
			t.Errorf("%s: the trees differ (-slapd +ours):\n%s", a.name, diff)
		}
	}
}
