package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

var (
	whole  = idbridge.Support{OK: true}
	groupG = idbridge.ExternalID{Directory: "corp", ID: "g1"}
)

func groupRules(rules ...idbridge.RoleRule) *plan.Policy {
	for i := range rules {
		rules[i].Directory = "corp"
	}
	return &plan.Policy{Directory: "corp", Limits: plan.DefaultLimits(), Roles: rules}
}

func members(ids string) []idbridge.ExternalID {
	var out []idbridge.ExternalID
	for id := range strings.FieldsSeq(ids) {
		out = append(out, idbridge.ExternalID{Directory: "corp", ID: id})
	}
	return out
}

// printGroup writes decisions one step a word: +a(ADMIN) joins and is given, -a() leaves.
func printGroup(list []idbridge.Decision) string {
	var b strings.Builder
	for i := range list {
		if i > 0 {
			b.WriteString(" | ")
		}
		for _, s := range list[i].Steps {
			sign := map[idbridge.Verb]string{idbridge.Join: "+", idbridge.Leave: "-"}[s.Verb]
			var roles []string
			for _, g := range s.Grants {
				roles = append(roles, string(g.Role)+g.Application)
			}
			fmt.Fprintf(&b, "%s%s(%s) ", sign, s.ID.ID, strings.Join(roles, ","))
		}
		if g := list[i].Group; g != nil {
			fmt.Fprintf(&b, "%s=%d", g.Name, g.Members)
		}
	}
	return b.String()
}

func TestDecideGroup(t *testing.T) {
	admin := idbridge.RoleRule{Role: idbridge.Admin, Group: "cn=a"}
	tester := idbridge.RoleRule{Role: "T", Application: "App", Group: "CN = A"}
	grant := idbridge.Grant{Role: idbridge.Admin, Directory: "corp"}
	for _, c := range []struct {
		name  string
		p     *plan.Policy
		group idbridge.Group
		seen  *idbridge.Members
		old   string
		was   idbridge.Digest
		want  string
	}{
		{"first seen", groupRules(admin), idbridge.Group{}, &idbridge.Members{Group: groupG, Name: "cn=a", Members: members("y x"), Whole: whole}, "",
			idbridge.Digest{}, "+x(ADMIN) +y(ADMIN) cn=a=2"},
		{"joined and left", groupRules(admin, tester), idbridge.Group{ID: groupG, Name: "cn=a"},
			&idbridge.Members{Group: groupG, Name: "cn=a", Members: members("x z"), Whole: whole}, "y x", olderDigest,
			"+z(ADMIN,TApp)  | -y(ADMIN,TApp) cn=a=2"},
		{"no rule", groupRules(), idbridge.Group{ID: groupG, Name: "cn=a"},
			&idbridge.Members{Group: groupG, Name: "cn=a", Members: members("x z"), Whole: whole}, "x y", olderDigest, "+z()  | -y() cn=a=2"},
		{"unknown", groupRules(admin), idbridge.Group{ID: groupG}, &idbridge.Members{Group: groupG}, "x y", olderDigest, ""},
		{"not seen", groupRules(admin), idbridge.Group{ID: groupG}, nil, "x y", olderDigest, ""},
		{"same digest", groupRules(admin), idbridge.Group{ID: groupG}, &idbridge.Members{Group: groupG, Members: members("x"), Whole: whole}, "",
			shownDigest, ""},
		{"gone from a complete listing", groupRules(admin), idbridge.Group{ID: groupG, Name: "cn=a"},
			&idbridge.Members{Group: groupG, Name: "cn=a", Whole: whole}, "x", olderDigest, "-x(ADMIN) cn=a=0"},
		{"blank and repeated ids", groupRules(admin), idbridge.Group{}, &idbridge.Members{Group: groupG, Name: "cn=a", Whole: whole,
			Members: append(members("x x"), idbridge.ExternalID{Directory: "corp"})}, "", idbridge.Digest{}, "+x(ADMIN) cn=a=1"},
		{"gives nothing", groupRules(admin), idbridge.Group{}, &idbridge.Members{Group: groupG, Name: "cn=b", Members: members("x y"), Whole: whole}, "",
			idbridge.Digest{}, "cn=b=2"},
		{"gave nothing, and a rule came", groupRules(admin), idbridge.Group{ID: groupG, Name: "cn=a", Members: 2},
			&idbridge.Members{Group: groupG, Name: "cn=a", Members: members("x y"), Whole: whole}, "", olderDigest, "+x(ADMIN) +y(ADMIN) cn=a=2"},
		{"renamed out of the rule", groupRules(admin), idbridge.Group{ID: groupG, Name: "cn=a"},
			&idbridge.Members{Group: groupG, Name: "cn=b", Members: members("x"), Whole: whole}, "x", olderDigest, "-x(ADMIN) +x() cn=b=1"},
		{"renamed into the rule", groupRules(admin), idbridge.Group{ID: groupG, Name: "cn=b"},
			&idbridge.Members{Group: groupG, Name: "cn=a", Members: members("x"), Whole: whole}, "x", olderDigest, "+x(ADMIN) cn=a=1"},
		{"only the name's case", groupRules(admin), idbridge.Group{ID: groupG, Name: "cn=a", Grants: []idbridge.Grant{grant}},
			&idbridge.Members{Group: groupG, Name: "CN=A", Members: members("x"), Whole: whole}, "x", olderDigest, "CN=A=1"},
		{"a rule came", groupRules(admin, tester), idbridge.Group{ID: groupG, Name: "cn=a", Grants: []idbridge.Grant{grant}},
			&idbridge.Members{Group: groupG, Name: "cn=a", Members: members("x"), Whole: whole}, "x", olderDigest, "+x(ADMIN,TApp) cn=a=1"},
		{"a rule went", groupRules(), idbridge.Group{ID: groupG, Name: "cn=a", Grants: []idbridge.Grant{grant}},
			&idbridge.Members{Group: groupG, Name: "cn=a", Members: members("x y"), Whole: whole}, "x z", olderDigest,
			"+y()  | -x(ADMIN) +x() -z(ADMIN) cn=a=2"},
		{"a rule came, and the store does not say", groupRules(admin), idbridge.Group{ID: groupG, Name: "cn=a"},
			&idbridge.Members{Group: groupG, Name: "cn=a", Members: members("x"), Whole: whole}, "x", olderDigest, "+x(ADMIN) cn=a=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := printGroup(plan.DecideGroup(c.p, c.group, c.seen, strings.Fields(c.old), c.was, shownDigest))
			if got != c.want {
				t.Errorf("\n got %q\nwant %q", got, c.want)
			}
		})
	}
}

// TestGroupParts: 1,700 members in decisions of at most 500, joins before leaves, the group's row with the last.
func TestGroupParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := groupRules(idbridge.RoleRule{Role: idbridge.Admin, Group: "cn=a"})
		id := rapid.Map(rapid.IntRange(0, 1500), func(n int) string { return fmt.Sprintf("m%d", n) })
		now := rapid.SliceOfNDistinct(id, 0, 900, rapid.ID[string]).Draw(t, "now")
		old := rapid.SliceOfNDistinct(id, 0, 900, rapid.ID[string]).Draw(t, "old")
		g := idbridge.Group{ID: groupG, Name: "cn=a"}
		if rapid.Bool().Draw(t, "had nothing") {
			g.Grants = []idbridge.Grant{{Role: "OTHER"}}
		}
		seen := &idbridge.Members{Group: groupG, Name: "cn=a", Members: members(strings.Join(now, " ")), Whole: whole}
		has, grants := map[string]bool{}, map[string]int{}
		for _, m := range old {
			has[m] = true
		}
		list := plan.DecideGroup(p, g, seen, old, olderDigest, shownDigest)
		phase := idbridge.PhaseGive
		for i := range list {
			d := &list[i]
			if len(d.Steps) > 500 || (d.Group != nil) != (i == len(list)-1) || d.Phase() < phase {
				t.Fatalf("part %d of %d: %d steps, phase %d after %d", i, len(list), len(d.Steps), d.Phase(), phase)
			}
			phase = d.Phase()
			for j := range d.Steps {
				s := &d.Steps[j]
				has[s.ID.ID] = s.Verb == idbridge.Join
				if s.Verb == idbridge.Join {
					grants[s.ID.ID] = len(s.Grants)
				}
			}
		}
		for m, in := range has {
			if in != slices.Contains(now, m) {
				t.Fatalf("%s: in the group %v", m, in)
			}
			if _, stays := slices.BinarySearch(slices.Sorted(slices.Values(old)), m); in && !stays && grants[m] != 1 {
				t.Fatalf("%s joined and was given %d roles", m, grants[m])
			}
		}
		if len(list) > 0 && list[len(list)-1].Group.Members != len(now) {
			t.Fatal("counted wrong")
		}
	})
}

// TestGrantsOf compares DNs as RFC 4514 means them.
func TestGrantsOf(t *testing.T) {
	for _, c := range []struct {
		rule, name string
		same       bool
	}{
		{"cn=admins,ou=groups,dc=example,dc=org", "CN=Admins, OU=Groups,DC=example , DC=org", true},
		{"cn=admins,dc=org", "cn=admins,dc=com", false},
		{"cn=admins,dc=org", "cn=admins", false},
		{"cn=a b,dc=org", "cn=a  b,dc=org", true},
		{`cn=Doe\, John,dc=org`, `cn=Doe\2c John,dc=org`, true},
		{`cn=Doe\, John,dc=org`, `cn="Doe, John",dc=org`, true},
		{`cn=Doe\, John,dc=org`, `cn=Doe,cn=John,dc=org`, false},
		{`cn=a\+b,dc=org`, `cn=a+cn=b,dc=org`, false},
		{"cn=a+uid=b,dc=org", "UID=b + CN=a,dc=org", true},
		{`cn=\ a\ ,dc=org`, `cn=\20a\20,dc=org`, true},
		{`cn=\#x,dc=org`, `cn=\23x,dc=org`, true},
		{"cn=Hi,dc=org", "cn=#04024869,dc=org", true},
		{"cn=Hi,dc=org", "cn=#04024868,dc=org", false},
		{"cn=Über,dc=org", `cn=\C3\9Cber,dc=org`, true},
		{"cn=Über,dc=org", "cn=über,dc=org", true},
		{`cn=a\\,dc=org`, `cn=a\5C,dc=org`, true},
		{"2.5.4.3=a,dc=org", "commonName=a,domainComponent=org", true},
		{"cn=a;dc=org", "cn=a,dc=org", true},
		{"cn=a\\00b,dc=org", "cn=a,dc=org", false},
		{"admins", "Admins ", true},
		{"admins", "cn=admins", false},
		{"cn=a,", "cn=a", false},
		{"", "", true},
	} {
		p := groupRules(idbridge.RoleRule{Role: "X", Group: c.rule})
		if got := len(plan.GrantsOf(p, c.name)) == 1; got != c.same {
			t.Errorf("%q and %q: same %v, want %v", c.rule, c.name, got, c.same)
		}
	}
	p := groupRules(idbridge.RoleRule{Role: "X", Group: "cn=a"}, idbridge.RoleRule{Role: "X", Group: "CN=A"})
	p.Roles = append(p.Roles, idbridge.RoleRule{Role: "Y", Directory: "hr", Group: "cn=a"})
	if got := plan.GrantsOf(p, "cn=a"); len(got) != 1 || got[0].Role != "X" || got[0].Directory != "corp" {
		t.Errorf("another directory's rule, or one twice: %+v", got)
	}
}

// FuzzGrantsOf: no DN makes the comparison fail, and each is the same as itself with every octet of its values escaped.
func FuzzGrantsOf(f *testing.F) {
	for _, dn := range []string{"cn=a,dc=b", `cn=\2C`, `cn="a,b"+o=#0401aa;c=x`, `\`, "cn=", "=", ",", `cn="`, "cn=#04", "é=ü"} {
		f.Add(dn, "Doe, John ")
	}
	f.Fuzz(func(t *testing.T, dn, value string) {
		p := groupRules(idbridge.RoleRule{Role: "X", Group: dn})
		if len(plan.GrantsOf(p, dn)) != 1 {
			t.Errorf("%q is not itself", dn)
		}
		hexed, slashed := "", ""
		for i := range len(value) {
			hexed += fmt.Sprintf(`\%02x`, value[i])
			slashed += fmt.Sprintf(`\%02X`, value[i])
		}
		p = groupRules(idbridge.RoleRule{Role: "X", Group: "cn=" + hexed + ",dc=x"})
		if len(plan.GrantsOf(p, "CN="+slashed+" , DC=X")) != 1 {
			t.Errorf("%q: escaped in two ways, it is not the same", value)
		}
	})
}
