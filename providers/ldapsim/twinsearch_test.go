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

func filters() []string {
	return []string{
		"(objectClass=*)", "(objectClass=person)", "(objectClass=INETORGPERSON)", "(objectClass=martian)", "(objectClass=top)",
		"(cn=anna ek)", "(cn=  ANNA   EK )", "(CN=Anna Eiche)", "(cn;lang-de=anna eiche)", "(cn;lang-de=anna ek)", "(name=ek)",
		"(2.5.4.4=ek)", "(surname=Ek)", "(shoeSize=42)", "(!(shoeSize=42))", "(!(cn=anna ek))", "(!(title=*))", "(title=*)",
		"(|(shoeSize=42)(uid=bo))", "(&(shoeSize=42)(uid=bo))", "(!(&(shoeSize=42)(uid=nobody)))", "(&)", "(|)",
		"(&(objectClass=person)(|(uid=a*)(uid=b*))(!(mail=*al*)))", "(mail=BO@example.org)", "(mail=*@EXAMPLE.org)",
		"(cn=*)", "(cn=a*)", "(cn=*k)", "(cn=*n*e*)", "(cn=An*a Ek)", "(cn=a*a*a*a)", "(cn=* *)", "(cn=anna *)", "(cn=anna  *ek)",
		"(telephoneNumber=+33476-000001)", "(telephoneNumber=*33 4*)", "(telephoneNumber=*4 7 6*)",
		"(manager=CN=anna ek, OU=people,DC=example,DC=org)", "(manager=anna)", "(manager=*)", "(manager=cn=anna*)",
		"(member=" + bo + ")", "(uid>=b)", "(uid<=b)", "(createTimestamp>=20000101000000Z)", "(createTimestamp<=20000101000000Z)",
		"(createTimestamp=*)", "(entryDN=" + anna + ")", "(hasSubordinates=TRUE)", "(hasSubordinates=FALSE)", "(employeeNumber=7)",
		"(structuralObjectClass=inetOrgPerson)", "(entryUUID=zzz)", "(!(entryUUID=zzz))", "(cn~=anna ek)", "(jpegPhoto=*)",
		"(jpegPhoto=x)", "(cn=c,d + e)", `(cn=c\2cd \2b e)`, `(cn=\2a)`, "(ou:dn:=people)", "(ou:dn:=deep)", "(cn:caseExactMatch:=Anna Ek)",
		"(cn:caseExactMatch:=anna ek)", "(cn:2.5.13.5:=Anna Ek)", "(:caseIgnoreMatch:=ek)", "(:dn:caseIgnoreMatch:=deeper)",
		"(cn:noSuchMatch:=x)", "(ou:dn:2.5.13.5:=deep)", "(title=chief engineer)", "(title=chief*engineer)", "(cn=bo ål)", "(cn=BO ÅL)",
		"(sn=\\c3\\85l)", "(sn=\\ff)", "(sn=\\ff*)", "(userPassword=*)", "(mail=a*b*c*)", "(displayName=)",
		"(employeeNumber:1.2.840.113556.1.4.803:=3)", "(cn=anna ek*)", "(cn=*anna ek)", "(cn=an*an*)", "(subschemaSubentry=cn=Subschema)",
		"(entryDN=*)", "(entryCSN>=20000101000000.000000Z#000000#000#000000)", "(creatorsName=cn=nobody)",
	}
}

func found(t *testing.T, c *ldap.Conn, req *ldap.SearchRequest) string {
	t.Helper()
	res, err := c.Search(req)
	code := codeOf(t, err)
	out := fmt.Sprintf("code %d\n", code)
	var e *ldap.Error
	if errors.As(err, &e) && e.MatchedDN != "" {
		out += "matched " + e.MatchedDN + "\n"
	}
	if res == nil {
		return out
	}
	entries := slices.Clone(res.Entries) // a server may list in any order
	slices.SortFunc(entries, func(a, b *ldap.Entry) int { return strings.Compare(a.DN, b.DN) })
	for _, e := range entries {
		if req.SizeLimit > 0 {
			out += "an entry\n" // which one is the server's choice
			continue
		}
		out += e.DN + "\n"
		lines := []string{}
		for _, a := range e.Attributes {
			v := slices.Clone(a.Values)
			if slices.Contains([]string{"userPassword", "entryUUID", "entryCSN", "createTimestamp", "modifyTimestamp", "contextCSN"}, a.Name) {
				v = []string{"…"}
			}
			lines = append(lines, fmt.Sprintf("  %s %q\n", a.Name, v))
		}
		slices.Sort(lines)
		out += strings.Join(lines, "")
	}
	return out
}

// TestTwinSearch asks a real slapd and ours the same questions.
func TestTwinSearch(t *testing.T) {
	real := testserver.Slapd(t, testserver.SlapdOptions{LDIF: seedLDIF})
	theirs := signedIn(t, real.URL)
	ours := signedIn(t, start(t, ldapsim.Config{Rights: []ldapsim.Right{{Who: syncDN, Level: ldapsim.Edit}}}).URL())
	ask := func(name string, req *ldap.SearchRequest) {
		t.Helper()
		if diff := cmp.Diff(found(t, theirs, req), found(t, ours, req)); diff != "" {
			t.Errorf("%s (-slapd +ours):\n%s", name, diff)
		}
	}
	for _, f := range filters() {
		ask(f, ldap.NewSearchRequest("dc=example,dc=org", ldap.ScopeWholeSubtree, 0, 0, 0, false, f, []string{"1.1"}, nil))
	}
	for _, base := range []string{
		"dc=example,dc=org", people, anna, "CN=anna  ek,ou=People, dc=example,dc=org", "ou=deep," + people, "cn=nobody," + people,
		"cn=x,cn=nobody," + people, "dc=example,dc=com", "dc=org", "", "x", "foo=bar," + people, "cn=Subschema,dc=example,dc=org",
	} {
		for scope := range 4 {
			if base == "" && scope == 0 {
				continue // the rootDSE; ours offers less
			}
			ask(fmt.Sprintf("%q scope %d", base, scope),
				ldap.NewSearchRequest(base, scope, 0, 0, 0, false, "(objectClass=*)", []string{"1.1"}, nil))
		}
	}
	for _, attrs := range [][]string{
		nil, {"*"}, {"1.1"}, {"cn"}, {"CN", "SN"}, {"commonName"}, {"2.5.4.3"}, {"cn;lang-de"}, {"name"}, {"cn", "1.1"}, {"*", "1.1"},
		{"shoeSize"}, {"entryUUID"}, {"entryDN", "hasSubordinates", "subschemaSubentry"}, {"*", "entryCSN"}, {"cn", "cn"}, {"mail", "*"},
	} {
		for _, typesOnly := range []bool{false, true} {
			ask(fmt.Sprintf("%v %v", attrs, typesOnly),
				ldap.NewSearchRequest(people, ldap.ScopeWholeSubtree, 0, 0, 0, typesOnly, "(sn=*)", attrs, nil))
		}
	}
	for limit := range 12 {
		ask(fmt.Sprint("size limit ", limit),
			ldap.NewSearchRequest("dc=example,dc=org", ldap.ScopeWholeSubtree, 0, limit, 0, false, "(objectClass=*)", []string{"1.1"}, nil))
	}
	odd := ldap.NewControlString("1.2.3.4", true, "")
	ask("critical unknown", ldap.NewSearchRequest(anna, 0, 0, 0, 0, false, "(objectClass=*)", []string{"1.1"}, []ldap.Control{odd}))
	odd.Criticality = false
	ask("unknown", ldap.NewSearchRequest(anna, 0, 0, 0, 0, false, "(objectClass=*)", []string{"1.1"}, []ldap.Control{odd}))
	anonymous(t, real.URL, start(t, ldapsim.Config{}).URL())
}

func anonymous(t *testing.T, theirs, ours string) {
	t.Helper()
	a, b := dial(t, theirs), dial(t, ours)
	for _, base := range []string{"dc=example,dc=org", "cn=nobody,dc=example,dc=org", "cn=Subschema"} {
		req := ldap.NewSearchRequest(base, 0, 0, 0, 0, false, "(objectClass=*)", []string{"cn"}, nil)
		if diff := cmp.Diff(found(t, a, req), found(t, b, req)); diff != "" {
			t.Errorf("anonymous at %q (-slapd +ours):\n%s", base, diff)
		}
	}
	for _, x := range []act{
		{"modify", modify(anna, put("title", "x"))}, {"add", add("cn=x,"+people, "objectClass", "person", "cn", "x", "sn", "x")},
		{"delete", del(anna)}, {"compare", compare(anna, "sn", "ek")}, {"rename", rename(anna, "cn=b", true, "")},
	} {
		errA, errB := x.do(a), x.do(b)
		if codeOf(t, errA) != codeOf(t, errB) {
			t.Errorf("anonymous %s: slapd says %v, ours %v", x.name, errA, errB)
		}
	}
}

// TestTwinPaging walks pages on both.
func TestTwinPaging(t *testing.T) {
	real := testserver.Slapd(t, testserver.SlapdOptions{LDIF: seedLDIF})
	sim := start(t, ldapsim.Config{})
	walk := func(c *ldap.Conn, size uint32, most int) string {
		out := ""
		var seen []string
		defer func() {
			slices.Sort(seen)
			if len(slices.Compact(seen)) < len(seen) {
				t.Error("an entry came twice")
			}
		}()
		page := ldap.NewControlPaging(size)
		for range 30 {
			req := ldap.NewSearchRequest("dc=example,dc=org", ldap.ScopeWholeSubtree, 0, most, 0, false, "(objectClass=*)",
				[]string{"1.1"}, []ldap.Control{page})
			res, err := c.Search(req)
			out += fmt.Sprintf("code %d", codeOf(t, err))
			if res == nil {
				return out
			}
			for _, e := range res.Entries {
				seen = append(seen, e.DN)
			}
			out += fmt.Sprintf(" %d entries", len(res.Entries))
			back, ok := ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
			if !ok {
				return out + " bare\n"
			}
			out += fmt.Sprintf(" more=%v\n", len(back.Cookie) > 0)
			if len(back.Cookie) == 0 || err != nil {
				return out
			}
			page.SetCookie(back.Cookie)
		}
		return out
	}
	theirs, ours := signedIn(t, real.URL), signedIn(t, sim.URL())
	for _, size := range []uint32{1, 3, 4, 6, 12, 13, 100} {
		for _, most := range []int{0, 2, 5, 12} {
			if diff := cmp.Diff(walk(theirs, size, most), walk(ours, size, most)); diff != "" {
				t.Errorf("pages of %d, limit %d (-slapd +ours):\n%s", size, most, diff)
			}
		}
	}
	garbage := func(c *ldap.Conn, cookie string) int {
		page := ldap.NewControlPaging(3)
		page.SetCookie([]byte(cookie))
		_, err := c.Search(ldap.NewSearchRequest(people, 2, 0, 0, 0, false, "(objectClass=*)", []string{"1.1"}, []ldap.Control{page}))
		return codeOf(t, err)
	}
	for _, cookie := range []string{"x", "12345678"} {
		if want, got := garbage(theirs, cookie), garbage(ours, cookie); want != got {
			t.Errorf("cookie %q: slapd says %d, ours %d", cookie, want, got)
		}
	}
}

// TestTwinControls checks the guarded write on both.
func TestTwinControls(t *testing.T) {
	real := testserver.Slapd(t, testserver.SlapdOptions{LDIF: seedLDIF})
	theirs, ours := signedIn(t, real.URL), signedIn(t, start(t, ldapsim.Config{}).URL())
	for _, filter := range []string{"(sn=ek)", "(sn=x)", "(!(title=*))", "(shoeSize=1)", "(!(shoeSize=1))", "(entryCSN=x)"} {
		f, err := ldap.CompileFilter(filter)
		if err != nil {
			t.Fatal(err)
		}
		guard := rawControl{"1.3.6.1.1.12", true, string(f.Bytes())}
		for name, do := range map[string]func(*ldap.Conn) error{
			"modify": func(c *ldap.Conn) error {
				m := ldap.NewModifyRequest(anna, []ldap.Control{guard})
				m.Replace("description", []string{filter})
				return c.Modify(m)
			},
			"rename": func(c *ldap.Conn) error {
				return c.ModifyDN(ldap.NewModifyDNWithControlsRequest(anna, "cn=Anna Ek", true, "", []ldap.Control{guard}))
			},
			"delete": func(c *ldap.Conn) error {
				return c.Del(ldap.NewDelRequest("ou=deep,"+people, []ldap.Control{guard}))
			},
			"add": func(c *ldap.Conn) error {
				a := ldap.NewAddRequest("cn=x,"+people, []ldap.Control{guard})
				a.Attribute("objectClass", []string{"person"})
				a.Attribute("sn", []string{"x"})
				err := c.Add(a)
				if err == nil {
					err = c.Del(ldap.NewDelRequest("cn=x,"+people, nil))
				}
				return err
			},
		} {
			errTheirs, errOurs := do(theirs), do(ours)
			if codeOf(t, errTheirs) != codeOf(t, errOurs) {
				t.Errorf("%s if %s: slapd says %v, ours %v", name, filter, errTheirs, errOurs)
			}
		}
	}
	if diff := cmp.Diff(readBack(t, theirs), readBack(t, ours)); diff != "" {
		t.Errorf("pre- and post-read (-slapd +ours):\n%s", diff)
	}
}
