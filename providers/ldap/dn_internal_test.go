package ldap

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func TestCanonicalDN(t *testing.T) {
	for _, same := range [][]string{
		{"uid=a,dc=b", "UID=A,DC=B", "uid=a, dc=b", " uid = a ,dc= b", "uid=\\61,dc=b"},
		{"cn=a  b,dc=c", "cn=A B,dc=C", "cn= a b ,dc=c"},
		{`cn=a\,b,dc=c`, `cn=A\2cB,dc=c`},
		{`cn=a\+b,dc=c`, `cn=a\2Bb,dc=c`},
		{"cn=a+sn=b,dc=c", "sn=B+cn=A,dc=c"},
		{"cn=Müller,dc=c", "cn=MÜLLER,dc=c", `cn=M\c3\bcller,dc=c`, "cn=Mu\u0308ller,dc=c"},
		{"", ""},
	} {
		for _, s := range same[1:] {
			if a, b := canonicalDN(same[0]), canonicalDN(s); a != b {
				t.Errorf("%q is %q, %q is %q", same[0], a, s, b)
			}
		}
	}
	for _, pair := range [][2]string{
		{"uid=a,dc=b", "uid=a,dc=b,dc=c"}, {`cn=a\,dc=b,dc=c`, "cn=a,dc=b,dc=c"}, {`cn=a\+sn=b,dc=c`, "cn=a+sn=b,dc=c"},
		{"uid=a,dc=b", "cn=a,dc=b"}, {"no dn", "No DN"}, {`cn=a\,b,dc=c`, `cn=a\\,b=c,dc=c`},
	} {
		if a, b := canonicalDN(pair[0]), canonicalDN(pair[1]); a == b {
			t.Errorf("%q and %q are both %q", pair[0], pair[1], a)
		}
	}
}

func TestBelow(t *testing.T) {
	for _, c := range []struct {
		dn, base string
		want     bool
	}{
		{"uid=a,ou=people,dc=b", "OU=People,DC=b", true}, {"ou=people,dc=b", "ou=people,dc=b", true},
		{"uid=a,ou=xpeople,dc=b", "ou=people,dc=b", false}, {`uid=a\,ou=people,dc=b`, "ou=people,dc=b", false},
		{"uid=a,dc=b", "", true}, {"dc=b", "ou=people,dc=b", false},
	} {
		if got := below(canonicalDN(c.dn), canonicalDN(c.base)); got != c.want {
			t.Errorf("%q below %q: %t", c.dn, c.base, got)
		}
	}
}

// FuzzDN: any value in a name, escaped by go-ldap, is one name whatever its case; the canonical form is idempotent in
// effect, keeps the value, and two names that go-ldap tells apart without case stay apart.
func FuzzDN(f *testing.F) {
	for _, v := range []string{"a", `,+"\<>;#=`, " lead", "trail ", "#x", "Ünï", "\x00", "a,b", `\`, "a  b", "İ"} {
		f.Add(v, "b")
	}
	f.Fuzz(func(t *testing.T, v, w string) {
		dn := func(v string) string { return fmt.Sprintf("cn=%s,ou=x,dc=y", ldap.EscapeDN(v)) }
		parsed, err := ldap.ParseDN(dn(v))
		if err != nil || v == "" {
			t.Skip()
		}
		if got := parsed.RDNs[0].Attributes[0].Value; got == v {
			if parts := nameParts(dn(v)); len(parts) != 1 || parts[0].value != v {
				t.Fatalf("%q: %v", v, parts)
			}
		}
		if a, b := canonicalDN(dn(v)), canonicalDN(strings.Replace(dn(v), ",ou=x,dc=y", " , OU=X,  DC=Y", 1)); a != b {
			t.Fatalf("%q: %q and %q", v, a, b)
		}
		if !below(canonicalDN(dn(v)), "ou=x,dc=y") {
			t.Fatalf("%q is not below its own parent: %q", v, canonicalDN(dn(v)))
		}
		other, err := ldap.ParseDN(dn(w))
		if err != nil || w == "" {
			return
		}
		if parsed.EqualFold(other) && canonicalDN(dn(v)) != canonicalDN(dn(w)) {
			t.Fatalf("go-ldap says that %q and %q are the same", dn(v), dn(w))
		}
	})
}

func TestIndex(t *testing.T) {
	x := newIndex(true)
	for i := range 5000 {
		id := fmt.Sprintf("%08x-0000-4000-8000-%012x", i*7919, i)
		if i%3 == 0 {
			id = fmt.Sprintf("employee %d", i)
		}
		if !x.add(id, fmt.Sprintf("uid=u%d,ou=people,dc=b", i), fmt.Sprintf("u%d", i)) {
			t.Fatalf("%d was there already", i)
		}
	}
	for i := range 5000 {
		want := fmt.Sprintf("%08x-0000-4000-8000-%012x", i*7919, i)
		if i%3 == 0 {
			want = fmt.Sprintf("employee %d", i)
		}
		if got, ok := x.id(fmt.Sprintf("UID=U%d, ou=people,dc=b", i)); !ok || got != want {
			t.Fatalf("%d: %q, %t", i, got, ok)
		}
		if got, ok := x.idOfLogin(fmt.Sprintf("U%d", i)); !ok || got != want {
			t.Fatalf("login %d: %q, %t", i, got, ok)
		}
	}
	if id, ok := x.id("uid=nobody,ou=people,dc=b"); ok {
		t.Errorf("nobody is %q", id)
	}
	if x.add("employee 3", "uid=again,dc=b", "u3") {
		t.Error("an id that comes twice is not noticed")
	}
	if got, _ := x.id("uid=again,dc=b"); got != "employee 3" {
		t.Errorf("the second name of an id: %q", got)
	}
	if id, ok := x.idOfLogin("u3"); ok {
		t.Errorf("a login of two entries is %q", id)
	}
}

// TestIndexAllocates: a name costs no garbage.
func TestIndexAllocates(t *testing.T) {
	x := newIndex(false)
	x.add("a", "uid=u1,ou=people,dc=example,dc=org", "")
	if n := testing.AllocsPerRun(100, func() { x.hashDN("uid=u1, OU=People,dc=example,dc=org") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
