package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
)

// TestN10MailMovesOn: e-mail addresses that move from one person to another, are swapped or go round in a circle all end
// right in one run; a true duplicate withholds that one value alone, until it is free.
//
// Keycloak #39345, #19056, #31487; Gitea #28660; Entra's duplicate attribute resiliency.
func TestN10MailMovesOn(t *testing.T) {
	parts(t, part{"all", func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(40, "p000")})
		b := newBridge(t, slapd, url, settings{})
		b.run(exitDone)
		mail := func(uid, of string) string { return testserver.Change(personDN(uid), "mail", of+"@example.org") }
		has := func(uid, of string) {
			t.Helper()
			want := ""
			if of != "" {
				want = of + "@example.org"
			}
			if got := b.user(uid).Profile[idbridge.Email].First(); got != want {
				t.Errorf("%s has %q, want %q", uid, got, want)
			}
		}
		b.modify(mail("p001", "new") + mail("p002", "p001") + // moves on
			mail("p003", "p004") + mail("p004", "p003") + // swapped
			mail("p005", "p006") + mail("p006", "p007") + mail("p007", "p005")) // a circle
		r := b.run(exitDone)
		if n := r.Run.Counts; n.Updated != 7 || n.Withheld != 0 || n.Stale != 0 {
			t.Errorf("moves, swap and circle: %+v", n)
		}
		for uid, of := range map[string]string{
			"p001": "new", "p002": "p001", "p003": "p004", "p004": "p003", "p005": "p006", "p006": "p007", "p007": "p005",
		} {
			has(uid, of)
		}
		b.fixpoint()

		b.modify(mail("p010", "p011") + testserver.Change(personDN("p010"), "title", "Twin"))
		if n := b.run(exitDone).Run.Counts; n.Withheld != 1 {
			t.Errorf("a duplicate: %+v", n)
		}
		has("p011", "p011")
		if u := b.user("p010"); u.Profile["title"].First() != "Twin" || !*u.May {
			t.Errorf("the rest of the record waits for the value: %+v", u)
		}
		b.quarantined("p010", "p011@example.org")
		b.modify(mail("p011", "eleven"))
		b.run(exitDone)
		has("p010", "p011")
		has("p011", "eleven")
		b.fixpoint()
	}})
}

// TestN11Renamed: people whose unit, name or login changed, or who were moved away and back, stay who they are, with ids,
// keys and roles.
//
// Nextcloud #8764, #16923; Mattermost #8878; defguard matches by DN.
func TestN11Renamed(t *testing.T) {
	parts(t, part{"all", func(t *testing.T, url string) {
		staff := "ou=staff," + peopleDN
		ldif := people(10, "p000") + unit("staff", peopleDN) + below(staff, some("q", 300)...)
		slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldif})
		b := newBridge(t, slapd, url, settings{})
		b.swap("users: {filter:", `users: {base: "`+peopleDN+`", filter:`)
		b.run(exitDone)
		ids := map[string]idbridge.UserID{}
		for _, uid := range []string{"q000", "q001", "q002", "q003", "q299"} {
			ids[uid] = b.user(uid).ID
			b.must(0, "key", "new", uid)
			b.must(0, "role", "grant", uid, "oncall")
		}
		same := func(uid string, id idbridge.UserID) {
			t.Helper()
			if u := b.user(uid); u.ID != id || !*u.May || len(u.Keys) != 1 || len(u.Grants) != 1 {
				t.Errorf("%s is another person: %+v", uid, u)
			}
		}
		b.rename(staff, "ou=crew", "")
		crew := "ou=crew," + peopleDN
		b.rename("uid=q001,"+crew, "cn=q001", "") // known by another RDN, and his cn is longer now
		b.modify(testserver.Change("cn=q001,"+crew, "uid", "q001"))
		b.rename("uid=q002,"+crew, "uid=quinn", "")
		b.rename("uid=q003,"+crew, "uid=q003", moreDN) // out of the base for one run
		n := b.run(exitDone).Run.Counts
		if n.Created+n.Linked+n.Suspended+n.Purged > 0 || n.Missing != 1 || n.Seen != 309 {
			t.Errorf("renamed: %+v", n)
		}
		b.rename("uid=q003,"+moreDN, "uid=q003", crew)
		n = b.run(exitDone).Run.Counts
		if n.Created+n.Linked+n.Suspended+n.Missing > 0 || n.Seen != 310 {
			t.Errorf("moved back: %+v", n)
		}
		same("q000", ids["q000"])
		same("q001", ids["q001"])
		same("quinn", ids["q002"])
		same("q003", ids["q003"])
		same("q299", ids["q299"])
		if at := b.user("q299").Links[0].Locator; !strings.Contains(at, crew) {
			t.Errorf("q299 is still looked for at %q", at)
		}
		b.must(0, "user", "set", "q299", "phone=+44 299") // and a write finds him there
		b.run(exitDone)
		if text, err := slapd.Search("uid=q299,"+crew, "(objectClass=*)", "telephoneNumber"); err != nil || !strings.Contains(text, "+44 299") {
			t.Errorf("slapd has %q, %v", text, err)
		}
		b.fixpoint()
	}})
}

// TestN12LettersAndCase: another spelling of the same name (capitals, İ, ß, names of attributes and entries) is the same
// person, and a change of capitals alone in the directory is taken over.
//
// A spelling that only the store changed stays there: a server that keeps to its own spelling would never end the exchange.
// GLPI #1837; davis #167; opengever #7191.
func TestN12LettersAndCase(t *testing.T) {
	odd := []string{"İrem", "weiß", "Ærø", "ñandú", "ΣΊΣΥΦΟΣ"}
	var extra strings.Builder
	for i, uid := range odd {
		extra.WriteString(testserver.Entry("uid="+uid+","+peopleDN, "objectClass", "inetOrgPerson", "uid", uid, "cn", uid, "sn", uid,
			"mail", fmt.Sprintf("odd%d@example.org", i)))
	}
	parts(t, part{"all", func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{
			LDIF: people(20, "p000", "p001") + extra.String() + strings.ReplaceAll(person("john"), "john@example.org", "John@example.org"),
		})
		b := newBridge(t, slapd, url, settings{})
		b.swap("userName: uid", "userName: UID")
		b.swap("email: mail", "email: MAIL")
		b.swap(adminGroup, strings.ToUpper(adminGroup))
		b.must(0, "user", "add", "P002", "familyName=Local") // there before the directory: linked, not doubled
		b.run(exitDone)
		all := len(strings.Split(strings.TrimSpace(b.must(0, "user", "list")), "\n"))
		if len(b.user("p000").Grants) != 1 {
			t.Error("the group is not known under its name in capitals")
		}
		john := b.user("john")
		for i, uid := range odd {
			if u := b.user(uid); len(u.Links) != 1 || u.Profile[idbridge.Email].First() != fmt.Sprintf("odd%d@example.org", i) {
				t.Errorf("%s: %+v", uid, u)
			}
		}
		b.fixpoint()
		b.modify(testserver.Change(personDN("john"), "mail", "john@example.org") + testserver.Change(personDN("p005"), "displayName", "DISPLAY P005"))
		b.rename(personDN("p006"), "uid=P006", "")
		b.modify(testserver.Change(adminGroup, "member", strings.ToUpper(personDN("p000")), strings.ReplaceAll(personDN("p001"), ",", ", ")))
		n := b.run(exitDone).Run.Counts
		if n.Created+n.Linked+n.Missing+n.Withheld+n.Left+n.Conflicts > 0 {
			t.Errorf("capitals: %+v", n)
		}
		if u := b.user("john"); u.ID != john.ID || u.Profile[idbridge.Email].First() != "john@example.org" {
			t.Errorf("john: %+v", u)
		}
		if u := b.user("p005"); u.Profile[idbridge.DisplayName].First() != "DISPLAY P005" {
			t.Errorf("p005: %+v", u)
		}
		if u := b.user("p006"); u.UserName != "P006" {
			t.Errorf("p006: %+v", u)
		}
		if len(b.user("p000").Grants) != 1 || len(b.user("p001").Grants) != 1 {
			t.Error("a member is not known in capitals")
		}
		b.must(0, "user", "set", "p007", "displayName=display P007") // equal to the directory, which is not written for it
		b.run(exitDone)
		if u := b.user("p007"); u.Profile[idbridge.DisplayName].First() != "display P007" {
			t.Errorf("p007: %+v", u)
		}
		if now := len(strings.Split(strings.TrimSpace(b.must(0, "user", "list")), "\n")); now != all {
			t.Errorf("%d users, were %d", now, all)
		}
		b.fixpoint()
	}})
}

// TestN13NamesWithSigns: names with commas, pluses, quotes, brackets, stars, spaces or backslashes are found, recognised
// as group members, renamed and written like any other; no name can change the meaning of a search.
//
// Keycloak #21797, #21818, PR 25042; Casdoor splits DNs on commas.
func TestN13NamesWithSigns(t *testing.T) {
	names := []string{
		`Doe, John`, `a+b`, `#x`, ` lead`, `trail `, `back\`, `quo"te`, `sl/ash`, `Ü`, `eq=al;<>`, `*()`, `*)(uid=*`, "nul\x00pair",
	}
	var ldif strings.Builder
	pairs := []string{"objectClass", "groupOfNames", "cn", "idbridge-admins", "member", personDN("p000")}
	dn := func(cn, parent string) string {
		return "cn=" + strings.ReplaceAll(escapeDN(cn), "\x00", `\00`) + "," + parent
	}
	uid := func(i int) string { return fmt.Sprintf("s%02d", i) }
	for i, cn := range names {
		login := uid(i)
		if strings.Contains(cn, "*") {
			login = cn
		}
		ldif.WriteString(testserver.Entry(dn(cn, peopleDN), "objectClass", "inetOrgPerson", "cn", cn, "sn", "Sign", "uid", login,
			"mail", uid(i)+"@example.org", "displayName", "Sign"))
		pairs = append(pairs, "member", dn(cn, peopleDN))
	}
	ldif.WriteString(people(10) + testserver.Entry(adminGroup, pairs...))
	parts(t, part{"all", func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldif.String()})
		b := newBridge(t, slapd, url, settings{})
		b.swap("role: ADMIN", "role: QUALITY_MANAGER")
		if n := b.run(exitDone).Run.Counts; n.Created != len(names)+10 {
			t.Errorf("first run: %+v", n)
		}
		ids := map[int]idbridge.UserID{}
		name := func(i int) string {
			if strings.Contains(names[i], "*") {
				return names[i]
			}
			return uid(i)
		}
		for i, cn := range names {
			u := b.user(name(i))
			ids[i] = u.ID
			if len(u.Links) != 1 || len(u.Grants) != 1 || !*u.May {
				t.Errorf("%q: %+v", cn, u)
			}
			b.must(0, "user", "set", name(i), "phone=+44 100"+fmt.Sprint(i))
		}
		written := func() {
			t.Helper()
			b.run(exitDone)
			for i := range names {
				text, err := slapd.Search(slapd.BaseDN, "(mail="+uid(i)+"@example.org)", "telephoneNumber")
				if err != nil || strings.Count(text, "telephoneNumber:") != 1 || !strings.Contains(text, b.user(name(i)).Profile["phone"].First()) {
					t.Errorf("%q: slapd has %q, %v", names[i], text, err)
				}
			}
		}
		written()
		for i, cn := range names { // renamed, moved, and written again
			b.rename(dn(cn, peopleDN), "cn="+strings.ReplaceAll(escapeDN("x"+cn), "\x00", `\00`), moreDN)
			b.must(0, "user", "set", name(i), "phone=+44 200"+fmt.Sprint(i))
		}
		now := []string{personDN("p000")}
		for _, cn := range names {
			now = append(now, dn("x"+cn, moreDN))
		}
		b.modify(testserver.Change(adminGroup, "member", now...))
		written()
		for i, cn := range names {
			if u := b.user(name(i)); u.ID != ids[i] || !*u.May || len(u.Grants) != 1 {
				t.Errorf("%q is another person after the rename: %+v", cn, u)
			}
		}
		if text, err := slapd.Search(peopleDN, "(sn=Sn*)", "telephoneNumber"); err != nil || strings.Count(text, "telephoneNumber: +33 1 23 45") != 10 {
			t.Errorf("a bystander was written: %v\n%s", err, text)
		}
	}})
}
