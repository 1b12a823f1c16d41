package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
)

// guidSchema gives slapd the id attribute of Active Directory.
const guidSchema = "dn: cn=guid,cn=schema,cn=config\nchangetype: add\nobjectClass: olcSchemaConfig\ncn: guid\n" +
	"olcAttributeTypes: ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )\n" +
	"olcObjectClasses: ( 1.3.6.1.4.1.99999.1 NAME 'guided' SUP top AUXILIARY MAY objectGUID )\n\n"

// TestN14BinaryIDs: ids of arbitrary octets, like those of Active Directory, name the same person today and after an
// upgrade, and when the ids of many people change at once the run stops and asks.
//
// Keycloak #43324; LSC #14; Nextcloud #30936. The ids are written out below as they are stored: a later version that spells
// them differently fails here.
func TestN14BinaryIDs(t *testing.T) {
	// What breaks filters, strings and texts, and an ordinary one.
	guids := map[string]string{
		"\x2e\xb4\xe5\xd2\x17\x45\x81\x4d\x9e\xd4\x00\x0a\xff\x80\x2a\x5c": "d2e5b42e-4517-4d81-9ed4-000aff802a5c",
		"\x40\xfc\x29\x6b\x47\xca\x67\x10\xb3\x1d\x00\xdd\x01\x06\x62\xda": "6b29fc40-ca47-1067-b31d-00dd010662da",
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01": "00000000-0000-0000-0000-000000000001",
		"*)(uid=*)\\\x00\n\xc3\x28\xff\xfe":                                "7528292a-6469-2a3d-295c-000ac328fffe",
	}
	parts(t, part{"objectGUID", func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{})
		if err := slapd.Configure(guidSchema); err != nil {
			t.Fatal(err)
		}
		b := newBridge(t, slapd, url, settings{})
		b.swap(`users: {filter: "(objectClass=inetOrgPerson)"}`, `users: {filter: "(objectClass=inetOrgPerson)", id: objectGUID}`)
		uids := map[string]string{} // login → id
		for octets, text := range guids {
			uid := fmt.Sprintf("g%d", len(uids))
			uids[uid] = text
			b.add(guided(person(uid), octets))
		}
		for i := range 36 {
			b.add(guided(person(login("p", i)), fmt.Sprintf("%015d\x00", i)))
		}
		b.add(guided(testserver.Entry(adminGroup, "objectClass", "groupOfNames", "cn", "idbridge-admins", "member", personDN("g0")), "\xffgroup\x00\n--------"))
		if n := b.run(exitDone).Run.Counts; n.Created != 40 || n.Granted != 1 {
			t.Errorf("first run: %+v", n)
		}
		users := map[string]idbridge.UserID{}
		for uid, id := range uids {
			u := b.user(uid)
			users[uid] = u.ID
			if len(u.Links) != 1 || u.Links[0].ID != id {
				t.Errorf("%s: %+v, want %s", uid, u.Links, id)
			}
			b.must(0, "user", "set", uid, "phone=+44 1"+uid[1:])
		}
		b.run(exitDone) // each is looked for by his octets
		for uid := range uids {
			if text, err := slapd.Search(personDN(uid), "(objectClass=*)", "telephoneNumber"); err != nil || !strings.Contains(text, "+44 1"+uid[1:]) {
				t.Errorf("the write to %s did not arrive: %v\n%s", uid, err, text)
			}
		}
		b.fixpoint()

		for i := range 36 { // a migrated directory: the same people under new ids
			b.modify(testserver.Change(personDN(login("p", i)), "objectGUID", fmt.Sprintf("\xee%014d\x00", i)))
		}
		b.intact(func() {
			r := b.run(exitHeld)
			b.held(&r, "ids")
			b.tells(&r, "id")
		})
		for uid, id := range users {
			if u := b.user(uid); u.ID != id || !*u.May {
				t.Errorf("%s: %+v", uid, u)
			}
		}
	}})
}

// guided adds an objectGUID to an entry.
func guided(entry, octets string) string {
	more := strings.TrimPrefix(testserver.Entry("x", "objectClass", "guided", "objectGUID", octets), "dn: x\n")
	return strings.TrimSuffix(entry, "\n") + more
}

// TestN15IDsMissing: records that show no id, a blank one, or one that another record shows too are set aside and listed,
// never taken for each other or for somebody who is known; people who are known keep their access.
//
// Mattermost v10 (joined another's groups); Casdoor #1783, #1832.
func TestN15IDsMissing(t *testing.T) {
	numbered := func(uid, number string) string {
		entry := person(uid)
		if number == "" {
			return entry
		}
		return strings.TrimSuffix(entry, "\n") + strings.TrimPrefix(testserver.Entry("x", "employeeNumber", number), "dn: x\n")
	}
	var ldif strings.Builder
	for i := range 100 {
		ldif.WriteString(numbered(login("p", i), fmt.Sprint(1000+i)))
	}
	ldif.WriteString(testserver.Entry(adminGroup, "objectClass", "groupOfNames", "objectClass", "extensibleObject", "cn", "idbridge-admins",
		"employeeNumber", "9000", "member", personDN("p000"), "member", personDN("p003")))
	parts(t, part{"from the start", func(t *testing.T, url string) {
		odd := numbered("none1", "") + numbered("none2", "") + numbered("blank1", " ") + numbered("blank2", "  ") +
			numbered("twin1", "77") + numbered("twin2", "77")
		b := newBridge(t, testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldif.String() + odd}), url, settings{})
		b.swap(`users: {filter: "(objectClass=inetOrgPerson)"}`, `users: {filter: "(objectClass=inetOrgPerson)", id: employeeNumber}`)
		for range 2 {
			if n := b.run(exitQuarantined).Run.Counts; n.Quarantined != 6 || n.Missing+n.Conflicts > 0 {
				t.Errorf("%+v", n)
			}
		}
		if list := b.must(0, "user", "list"); strings.Contains(list, "none") || strings.Contains(list, "blank") || strings.Contains(list, "twin") {
			t.Errorf("a record without an id of its own became a user:\n%s", list)
		}
		b.modify(testserver.Change(personDN("none1"), "employeeNumber", "71") + testserver.Change(personDN("blank1"), "employeeNumber", "72") +
			testserver.Change(personDN("twin1"), "employeeNumber", "73"))
		if n := b.run(exitQuarantined).Run.Counts; n.Created != 4 || n.Quarantined != 2 { // the other twin's number is his own now
			t.Errorf("mended: %+v", n)
		}
	}}, part{"of known people", func(t *testing.T, url string) {
		b := newBridge(t, testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldif.String()}), url, settings{})
		b.swap(`users: {filter: "(objectClass=inetOrgPerson)"}`, `users: {filter: "(objectClass=inetOrgPerson)", id: employeeNumber}`)
		b.run(exitDone)
		b.modify(testserver.Change(personDN("p001"), "employeeNumber") + testserver.Change(personDN("p002"), "employeeNumber", " ") +
			testserver.Change(personDN("p003"), "employeeNumber", "1004"))
		for range 3 {
			b.run(exitQuarantined)
		}
		b.may(true, "p001", "p002", "p003", "p004")
		if u := b.user("p004"); u.Profile[idbridge.Email].First() != "p004@example.org" {
			t.Errorf("p004 became another one: %+v", u)
		}
		if u := b.user("p003"); len(u.Grants) != 1 {
			t.Errorf("p003 lost a role that his group still gives him: %+v", u.Grants)
		}
		if u := b.user("p004"); len(u.Grants) != 0 {
			t.Errorf("p004 got the role of somebody who shows his id: %+v", u.Grants)
		}
		b.modify(testserver.Change(personDN("p001"), "employeeNumber", "1001") + testserver.Change(personDN("p002"), "employeeNumber", "1002") +
			testserver.Change(personDN("p003"), "employeeNumber", "1003"))
		b.run(exitDone)
		b.may(true, "p001", "p002", "p003", "p004")
		b.fixpoint()
	}})
}

// TestN16Deleted: who was deleted on one side is not brought back by the other, and whoever is created again on purpose is
// there again.
//
// Casdoor #4293; authentik #1216.
func TestN16Deleted(t *testing.T) {
	parts(t,
		part{"in the directory", func(t *testing.T, url string) {
			slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(30, "p000")})
			b := newBridge(t, slapd, url, settings{})
			b.run(exitDone)
			old := b.user("p005").ID
			b.must(0, "user", "set", "p005", "phone=+44 5") // an edit of his is on its way
			b.remove("p005")
			for range 4 {
				b.run(exitDone)
			}
			b.may(false, "p005")
			if text, _ := slapd.Search(slapd.BaseDN, "(uid=p005)", "uid"); strings.Contains(text, "p005") {
				t.Errorf("the entry was made again:\n%s", text)
			}
			b.fixpoint()
			b.add(person("p005"))
			b.run(exitDone)
			if u := b.user("p005"); u.ID == old || !*u.May {
				t.Errorf("created again in the directory: %+v", u)
			}
		}},
		part{"in the store", func(t *testing.T, url string) {
			b := newBridge(t, testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(30, "p000")}), url, settings{})
			b.run(exitDone)
			old := b.user("p005").ID
			b.must(0, "user", "delete", "p005", "--yes")
			for range 3 {
				r := b.run(exitConflicts)
				if n := r.Run.Counts; n.Created+n.Linked > 0 || n.Held != 1 {
					t.Errorf("%+v", n)
				}
			}
			if list := b.must(0, "user", "list"); strings.Contains(list, "p005") {
				t.Errorf("the user was made again:\n%s", list)
			}
			b.must(0, "user", "add", "p005", "familyName=Again")
			b.run(exitDone)
			if u := b.user("p005"); u.ID == old || len(u.Links) != 1 || !*u.May {
				t.Errorf("created again by hand: %+v", u)
			}
			b.run(exitDone)
			b.fixpoint()
		}},
	)
}

// TestN17BothSidesChanged: when both sides change different attributes both changes survive; the same value on both sides
// is no conflict; two different values are decided by the policy, and the conflict keeps the old value and both new ones.
//
// The documentation of defguard ("may cause overwriting"); Casdoor hashes whole records.
func TestN17BothSidesChanged(t *testing.T) {
	parts(t, part{"all", func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(20, "p000")})
		b := newBridge(t, slapd, url, settings{})
		b.swap("title: title", "title: {from: title, on_conflict: directory}")
		b.swap("displayName: displayName", "displayName: {from: displayName, on_conflict: store}")
		b.swap("phone: telephoneNumber", "phone: {from: telephoneNumber, on_conflict: hold}")
		b.run(exitDone)
		b.must(0, "user", "set", "p001", "displayName=Store One")
		b.must(0, "user", "set", "p002", "title=Same")
		b.must(0, "user", "set", "p003", "title=Store Three")
		b.must(0, "user", "set", "p004", "displayName=Store Four")
		b.must(0, "user", "set", "p005", "phone=+44 55")
		b.modify(testserver.Change(personDN("p001"), "title", "Directory One") + testserver.Change(personDN("p002"), "title", "Same") +
			testserver.Change(personDN("p003"), "title", "Directory Three") + testserver.Change(personDN("p004"), "displayName", "Directory Four") +
			testserver.Change(personDN("p005"), "telephoneNumber", "+33 55"))
		if n := b.run(exitConflicts).Run.Counts; n.Conflicts != 3 || n.Held != 1 {
			t.Errorf("%+v", n)
		}
		both := func(uid, attribute, name, want string) {
			t.Helper()
			if got := b.user(uid).Profile[idbridge.Attribute(attribute)].First(); got != want {
				t.Errorf("%s: the store has %q, want %q", uid, got, want)
			}
			if text, err := slapd.Search(personDN(uid), "(objectClass=*)", name); err != nil || !strings.Contains(text, name+": "+want+"\n") {
				t.Errorf("%s: slapd has %q, want %q, %v", uid, text, want, err)
			}
		}
		both("p001", "displayName", "displayName", "Store One")
		both("p001", "title", "title", "Directory One")
		both("p002", "title", "title", "Same")
		both("p003", "title", "title", "Directory Three")
		both("p004", "displayName", "displayName", "Store Four")
		if got := b.user("p005").Profile["phone"].First(); got != "+44 55" {
			t.Errorf("held: the store has %q", got)
		}
		all := b.must(0, "conflicts", "--all")
		for id, want := range map[string][]string{
			"p003": {"Engineer", "Store Three", "Directory Three"}, "p004": {"Display p004", "Store Four", "Directory Four"}, "p005": {"+33 1 23 45", "+44 55", "+33 55"},
		} {
			number := ""
			for line := range strings.Lines(all) {
				if f := strings.Fields(line); len(f) > 1 && f[1] == id {
					number = f[0]
				}
			}
			shown := b.must(0, "conflicts", "show", number)
			for _, value := range want {
				if !strings.Contains(shown, value) {
					t.Errorf("the conflict of %s does not show %q:\n%s", id, value, shown)
				}
			}
		}
		if strings.Contains(all, "p002") || strings.Contains(all, "p001") {
			t.Errorf("a conflict where there is none:\n%s", all)
		}
		b.must(0, "conflicts", "resolve", "--attribute", "phone", "--keep", "store")
		b.run(exitDone)
		both("p005", "phone", "telephoneNumber", "+44 55")
		b.fixpoint()
	}})
}
