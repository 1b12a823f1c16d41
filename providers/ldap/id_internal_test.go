package ldap

import (
	"slices"
	"strings"
	"testing"
)

// FuzzGUID: octets and text of an id are one to one, and its filter has no octet that is not escaped.
func FuzzGUID(f *testing.F) {
	f.Add("\x40\xfc\x29\x6b\x47\xca\x67\x10\xb3\x1d\x00\xdd\x01\x06\x62\xda")
	f.Add("\x0a\x00*()\\\xff\x80 \x7f\x0d&|!=")
	n := idName{"objectGUID", true}
	f.Fuzz(func(t *testing.T, octets string) {
		text, err := n.text([]string{octets})
		if err != nil {
			return
		}
		if len(octets) == guidOctets {
			packed, ok := packID(text)
			if !ok || guidText(octets) != text || unpackID(packed) != text {
				t.Errorf("%x is %s", octets, text)
			}
		}
		filter := n.filter(text)
		if len(filter) != len("(objectGUID=)")+3*guidOctets || strings.Count(filter, `\`) != guidOctets {
			t.Errorf("%x: %s", octets, filter)
		}
		if again, err := n.text([]string{text}); err != nil || again != text {
			t.Errorf("%s reads as %s, %v", text, again, err)
		}
	})
}

func TestParseRange(t *testing.T) {
	for options, want := range map[string][2]int{
		"range=0-1499": {0, 1500}, "Range=1500-*": {1500, 0}, "binary;range=3-3": {3, 4}, "range=0-*": {0, 0},
	} {
		if first, next, ok := parseRange(options); !ok || first != want[0] || next != want[1] {
			t.Errorf("%s: %d %d %t", options, first, next, ok)
		}
	}
	for _, options := range []string{"", "binary", "range=", "range=5", "range=5-4", "range=-1-4", "range=a-b", "lang-de", "range=1-99999999999999999999"} {
		if _, _, ok := parseRange(options); ok {
			t.Errorf("%q is taken for a range", options)
		}
	}
}

func TestDemandedClasses(t *testing.T) {
	for filter, want := range map[string]string{
		"(objectClass=inetOrgPerson)": "inetOrgPerson", "objectClass=person": "person",
		"(&(objectclass=person)(uid=*)(&(objectClass=mail)))": "person mail",
		"(|(objectClass=person)(objectClass=account))":        "", "(!(objectClass=person))": "",
		"(objectClass=*)": "", "(uid=person)": "", "(&(|(objectClass=a)(objectClass=b))(objectClass=c))": "c",
	} {
		if got := strings.Join(demandedClasses(filter), " "); got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
}

func TestMisfit(t *testing.T) {
	s := parseSchema([]string{
		"( 1 NAME 'text' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{4} )", "( 2 NAME 'sub' SUP text )", "( 3 NAME 'ia5' SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )",
		"( 4 NAME 'bool' SYNTAX '1.3.6.1.4.1.1466.115.121.1.7' )", "( 5 NAME 'int' SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )",
		"( 6 NAME 'time' SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 )", "( 7 NAME 'dn' SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
		"( 8 NAME 'phone' SYNTAX 1.3.6.1.4.1.1466.115.121.1.50 )", "( 9 NAME 'digits' SYNTAX 1.3.6.1.4.1.1466.115.121.1.36 )",
		"( 10 NAME 'country' SYNTAX 1.3.6.1.4.1.1466.115.121.1.11 )", "( 11 NAME 'octets' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )",
	}, nil)
	good := map[string][]string{
		"text": {"longer than four", "Ünïcödé"}, "sub": {"x"}, "ia5": {"a@b"}, "bool": {"TRUE"}, "int": {"-12", "0"},
		"time": {"20260102030405Z", "20260102030405.5+0100"}, "dn": {"cn=a,dc=b"}, "phone": {"+33 (4) 76-00"}, "digits": {"12 34"},
		"country": {"FR"}, "octets": {"\xff\x00"}, "unknown": {"\xff"},
	}
	bad := map[string][]string{
		"text": {"\xff"}, "sub": {"\xfe"}, "ia5": {"ä"}, "bool": {"true", "1"}, "int": {"1.5", "x", "+1", "1_000"}, "time": {"2026-01-02"},
		"dn": {"Berta"}, "phone": {"call me!", "ä"}, "digits": {"1-2"}, "country": {"FRA", "ä"},
	}
	for name, values := range good {
		for _, v := range values {
			if why := s.misfit(name, v); why != "" {
				t.Errorf("%s %q: wants %s", name, v, why)
			}
		}
	}
	for name, values := range bad {
		if i := slices.IndexFunc(values, func(v string) bool { return s.misfit(name, v) == "" }); i >= 0 {
			t.Errorf("%s takes %q", name, values[i])
		}
	}
}
