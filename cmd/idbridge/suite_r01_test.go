package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

// TestR01OnlyItsOwn: a run takes back only what its directory gave: a role given by hand, and users of the store alone, are out of its reach.
//
// tmobile/sawtooth-next-directory #271; Metabase #7571; authentik PR 5602; Snipe-IT PR 8742.
func TestR01OnlyItsOwn(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 20)
		b.must(0, "role", "grant", "p001", "editor")
		b.must(0, "role", "grant", "p001", "ADMIN") // by hand, too
		b.must(0, "user", "add", "local", "email=local@example.org")
		b.must(0, "user", "add", "--service", "billing")
		b.must(0, "role", "grant", "billing", "editor")
		b.modify("dn: " + adminGroup + "\nchangetype: modify\ndelete: member\nmember: " + personDN("p001") + "\n\n")
		b.run(0)
		grants := b.user("p001").Grants
		if len(grants) != 2 || grants[0].Directory != "" || grants[1].Directory != "" {
			t.Errorf("p001 has %+v, want the two roles given by hand", grants)
		}
		b.remove("p001")
		b.run(0)
		b.run(0)
		b.may(true, "local", "billing")
		if n := len(b.user("billing").Grants); n != 1 {
			t.Errorf("the service has %d roles", n)
		}
	})
}

// TestR02LostRight: an attribute that the bridge may no longer read keeps its values; one that a person empties in the directory is emptied.
//
// Gitea #7583; Keycloak #42924, #40434.
func TestR02LostRight(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 40)
		b.modify("dn: " + personDN("p005") + "\nchangetype: modify\ndelete: telephoneNumber\n\n")
		b.run(0)
		if got := b.user("p005").Profile["phone"]; len(got) != 0 {
			t.Errorf("an emptied attribute is kept: %q", got)
		}
		deny := "dn: olcDatabase={2}mdb,cn=config\nchangetype: modify\nadd: olcAccess\nolcAccess: {0}to attrs=mail by * none\n\n"
		if err := b.slapd.Configure(deny); err != nil {
			t.Fatal(err)
		}
		b.run(0)
		b.intact(func() { b.run(0) })
		if got := b.user("p006").Profile[idbridge.Email].First(); got != "p006@example.org" {
			t.Errorf("email is %q", got)
		}
		if err := b.slapd.Configure(strings.Replace(deny, "add: olcAccess\nolcAccess: {0}to attrs=mail by * none", "delete: olcAccess\nolcAccess: {0}", 1)); err != nil {
			t.Fatal(err)
		}
		b.run(0)
		b.fixpoint()
	})
}

// TestR03ChangedRule: a role rule that is taken out of the config, or names another role, also takes back what it gave, and nothing else.
//
// Keycloak #13461, #36578. The part about SAML logins comes with SAML.
func TestR03ChangedRule(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := newBridge(t, testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(20, "p000", "p001") + group("writers", "p002", "p003")}), url, settings{})
		rule := "  - {role: editor, directory: corp, group: \"cn=writers,ou=groups,dc=example,dc=org\"}\n"
		b.swap("roles:\n", "roles:\n"+rule)
		b.run(0)
		b.must(0, "role", "grant", "p003", "reader")
		if grants := b.user("p002").Grants; len(grants) != 1 || grants[0].Role != "editor" {
			t.Fatalf("p002 has %+v", grants)
		}
		b.swap("role: editor", "role: author")
		b.run(0)
		if grants := b.user("p002").Grants; len(grants) != 1 || grants[0].Role != "author" {
			t.Errorf("after the rule names another role p002 has %+v", grants)
		}
		b.swap(strings.Replace(rule, "editor", "author", 1), "")
		b.run(0)
		if n := len(b.user("p002").Grants); n != 0 {
			t.Errorf("after the rule is gone p002 has %d roles", n)
		}
		if grants := b.user("p003").Grants; len(grants) != 1 || grants[0].Role != "reader" {
			t.Errorf("p003 has %+v, want the role given by hand", grants)
		}
	})
}

// group is a group of persons.
func group(name string, uids ...string) string {
	pairs := []string{"objectClass", "groupOfNames", "cn", name}
	for _, uid := range uids {
		pairs = append(pairs, "member", personDN(uid))
	}
	return testserver.Entry("cn="+name+",ou=groups,dc=example,dc=org", pairs...)
}

// TestR04NoTakeover: a directory user who sets his e-mail to an administrator's, or to that of a user of the store alone, is not linked to him: a person has to decide.
//
// GitLab docs; Entra soft match; defguard #3184.
func TestR04NoTakeover(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 20)
		b.must(0, "user", "add", "root", "email=root@example.org")
		b.must(0, "role", "grant", "root", "ADMIN")
		b.must(0, "user", "add", "clerk", "email=clerk@example.org")
		b.add(strings.Replace(person("evil1"), "mail: evil1@", "mail: root@", 1), strings.Replace(person("evil2"), "mail: evil2@", "mail: clerk@", 1))
		if code, out, errs := b.do("sync", "--once"); code != int(exitConflicts) {
			t.Errorf("exit %d, want 5: somebody has to decide\n%s%s", code, out, errs)
		}
		for _, name := range []string{"root", "clerk"} {
			if u := b.user(name); len(u.Links) != 0 {
				t.Errorf("%s was linked to %+v", name, u.Links)
			}
		}
		status := b.must(0, "status", "--quarantine")
		for _, uid := range []string{"evil1", "evil2"} {
			if !strings.Contains(status, uid) {
				t.Errorf("%s is not listed:\n%s", uid, status)
			}
		}
	})
}

// TestR05NothingChanged: a listing in which nothing changed costs pages and not people: no search per user, no write, no row.
//
// GLPI #25166; authentik #6929, #25252; Keycloak #16244. `make bench` measures it with 100,000 people.
func TestR05NothingChanged(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 3000)
		proxy := b.through()
		b.run(0)
		before := proxy.Count(ldapsim.OpSearch)
		b.fixpoint()
		pages := 3000/1000 + 1
		if n := proxy.Count(ldapsim.OpSearch) - before; n > pages+20 {
			t.Errorf("%d searches for 3,000 people who did not change", n)
		}
	})
}

// TestR06DeletedHoldNothing: a user whose record is gone does not keep a login or an e-mail from the living.
//
// Bitwarden connector #105, PR 181.
func TestR06DeletedHoldNothing(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 30)
		old := b.user("p005").ID
		b.remove("p005")
		b.run(0)
		b.run(0)
		b.may(false, idText(old))
		b.add(strings.Replace(person("next"), "mail: next@", "mail: p005@", 1))
		b.run(0)
		if u := b.user("next"); u.ID == old || u.Profile[idbridge.Email].First() != "p005@example.org" {
			t.Errorf("the living has %+v", u)
		}
	})
}

// TestR07LeftTheFilter: whoever leaves the group that the filter names is noticed by the next listing and treated as one who left.
//
// 389-ds #5052. There is no change feed yet, so every run is a full listing.
func TestR07LeftTheFilter(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := newBridge(t, testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(20, "p000", "p001")}), url, settings{})
		b.swap(`"(objectClass=inetOrgPerson)"`, `"(&(objectClass=inetOrgPerson)(title=Engineer))"`)
		b.run(0)
		b.modify(testserver.Change(personDN("p005"), "title", "Gone elsewhere"))
		if r := b.run(0); r.Run.Counts.Missing != 1 {
			t.Errorf("the next listing: %+v", r.Run.Counts)
		}
		b.may(true, "p005")
		b.run(0)
		b.may(false, "p005")
		if text := b.must(0, "explain", "p005"); !strings.Contains(text, "no: does not match users.filter") {
			t.Errorf("explain does not say that he left the filter:\n%s", text)
		}
		b.modify(testserver.Change(personDN("p005"), "title", "Engineer"))
		b.run(0)
		b.may(true, "p005")
	})
}

// TestR09NewAttribute: a new attribute in the mapping is shown as a plan first; approved, all users get it without being touched in the directory.
//
// Univention; Entra full-sync rule.
func TestR09NewAttribute(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 30)
		b.swap("      title: title\n", "      title: title\n      city: l\n")
		b.swap("  title: {}\n", "  title: {}\n  city: {}\n")
		for i := range 30 {
			b.modify("dn: " + personDN(login("p", i)) + "\nchangetype: modify\nadd: l\nl: Paris\n\n")
		}
		r := b.run(exitHeld)
		b.held(&r, "scope")
		if got := b.user("p005").Profile["city"]; len(got) != 0 {
			t.Errorf("before the approval city is %q", got)
		}
		b.must(0, "approve", r.Plan.Hash, "--yes")
		b.run(0)
		for i := range 30 {
			if got := b.user(login("p", i)).Profile["city"].First(); got != "Paris" {
				t.Fatalf("%s lives in %q", login("p", i), got)
			}
		}
		b.fixpoint()
	})
}

// TestR10CircularGroups: groups that contain themselves or each other end, and give their roles to the people who are in them.
//
// authentik #25253; Keycloak PR 49051. Groups in groups are not followed yet; what matters is that they do no harm.
func TestR10CircularGroups(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		circle := func(name, inner string) string {
			return strings.Replace(group(name, "p002"), "\n\n", "\nmember: cn="+inner+",ou=groups,dc=example,dc=org\n\n", 1)
		}
		ldif := people(20, "p000", "p001") + circle("one", "one") + circle("two", "three") + circle("three", "two")
		for i := range 12 {
			ldif += circle(fmt.Sprintf("deep%02d", i), fmt.Sprintf("deep%02d", i+1))
		}
		b := newBridge(t, testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldif}), url, settings{})
		b.swap("roles:\n", "roles:\n  - {role: editor, directory: corp, group: \"cn=one,ou=groups,dc=example,dc=org\"}\n"+
			"  - {role: author, directory: corp, group: \"cn=two,ou=groups,dc=example,dc=org\"}\n")
		b.run(0)
		if n := len(b.user("p002").Grants); n != 2 {
			t.Errorf("p002 has %d roles, want two", n)
		}
		b.fixpoint()
	})
}

// TestR11MassEdit: when most people get the same name at once, or lose their e-mail, their values wait for approval, while those who leave still lose their access.
//
// A gap in Entra, GCDS and Okta.
func TestR11MassEdit(t *testing.T) {
	parts(t,
		part{"the same name", func(t *testing.T, url string) {
			b := company(t, url, 60)
			b.remove("p059")
			b.run(0)
			for i := range 54 {
				b.modify(testserver.Change(personDN(login("p", i)), "displayName", "Import Default"))
			}
			r := b.run(exitHeld)
			b.held(&r, "changes")
			if got := b.user("p007").Profile[idbridge.DisplayName].First(); got != "Display p007" {
				t.Errorf("the name is %q", got)
			}
			b.may(false, "p059")
			b.must(0, "approve", r.Plan.Hash, "--removals", "1")
			if got := b.user("p007").Profile[idbridge.DisplayName].First(); got != "Import Default" {
				t.Errorf("approved, the name is %q", got)
			}
		}},
		part{"no e-mail", func(t *testing.T, url string) {
			b := company(t, url, 60)
			for i := range 54 {
				b.modify("dn: " + personDN(login("p", i)) + "\nchangetype: modify\ndelete: mail\n\n")
			}
			b.do("sync", "--once")
			for i := range 60 {
				if u := b.user(login("p", i)); u.Profile[idbridge.Email].First() != u.UserName+"@example.org" || !*u.May {
					t.Fatalf("%s has %q", u.UserName, u.Profile[idbridge.Email])
				}
			}
		}},
	)
}

// TestR12ManyRuns: a hundred runs without edits leave every table about people and settings as it was: only runs grow.
//
// Keycloak #12278: 300,000 rows; Mattermost #8878.
func TestR12ManyRuns(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 20)
		b.run(0)
		before := b.digests()
		for range 100 {
			b.run(0)
		}
		for table, digest := range b.digests() {
			switch table {
			case "runs", "source", "lease":
				continue
			}
			if digest != before[table] {
				t.Errorf("table %s changed in a hundred runs without edits", table)
			}
		}
	})
}

// TestR13DryRunTellsTruth: what a dry run shows is what the real run does, and what could have been checked does not fail later.
//
// Kanidm #3940.
func TestR13DryRunTellsTruth(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 30)
		b.must(0, "user", "set", "p006", "phone=+44 6")
		b.must(0, "user", "set", "p007", "title=Lead")
		b.modify(testserver.Change(personDN("p007"), "title", "Senior"))
		b.modify(testserver.Change(personDN("p008"), "mail", "p009@example.org")) // taken
		b.add(person("new1"))
		b.remove("p020")
		var dry shownReport
		b.intact(func() { dry = b.report(b.must(int(exitPending), "-o", "json", "plan")) })
		code, out, errs := b.do("-o", "json", "sync", "--plan", dry.Plan.Hash)
		if code != 0 {
			t.Fatalf("the real run of the same plan: exit %d\n%s%s", code, out, errs)
		}
		real := b.report1(out)
		want, got := dry.Plan.Counts, real.Run.Counts
		if got.Created != want.Created || got.Updated != want.Updated || got.Conflicts != want.Conflicts || got.Missing != want.Missing ||
			got.Settled != want.Sent || got.Refused+got.InDoubt+got.Stale != 0 {
			t.Errorf("planned %+v\ndone    %+v", want, got)
		}
	})
}
