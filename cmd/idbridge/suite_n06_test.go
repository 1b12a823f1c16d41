package main

import (
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

// TestN06RecordBecomesUnusable: a person whose directory entry can no longer be used keeps the last good values, access
// and keys, and is never taken for absent; everybody else goes on, and it ends by itself when the entry is mended.
//
// By its source, defguard then deletes the user; Gitea #21072; 389-ds #5343.
func TestN06RecordBecomesUnusable(t *testing.T) {
	dn := "cn=p005," + peopleDN // not named by his login, which can go
	entry := strings.Replace(person("p005"), "uid=p005", "cn=p005", 1)
	cases := []struct {
		name      string
		attribute string
		spoilt    []string
		good      string
		word      string
	}{
		{"mail gone", "mail", nil, "p005@example.org", "email"},
		{"sn blank", "sn", []string{" "}, "Sn p005", "familyname"},
		{"login gone", "uid", nil, "p005", "uid"},
		{"name of two megabytes", "displayName", []string{strings.Repeat("x", 2<<20)}, "Display p005", "bytes"},
	}
	parts(t, part{"all", func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{
			LDIF: strings.ReplaceAll(strings.Replace(people(20, "p000", "p005"), person("p005"), entry, 1), "member: "+personDN("p005"), "member: "+dn),
		})
		b := newBridge(t, slapd, url, settings{Extra: "    required: [userName, familyName, email]"})
		b.run(exitDone)
		b.must(0, "key", "new", "p005")
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				b := b.in(t)
				was := b.user("p005")
				b.modify(testserver.Change(dn, c.attribute, c.spoilt...))
				for i := range 3 {
					b.modify(testserver.Change(personDN("p006"), "title", c.name+strings.Repeat("!", i)))
					r := b.run(exitQuarantined)
					if n := r.Run.Counts; n.Quarantined != 1 || n.Missing+n.Suspended+n.Left > 0 || n.Updated != 1 {
						t.Errorf("%+v", n)
					}
				}
				now := b.user("p005")
				if !*now.May || now.ID != was.ID || len(now.Keys) != 1 || len(now.Grants) != 1 || !sameProfile(now.Profile, was.Profile) {
					t.Errorf("not as he was: %+v\nwas %+v", now, was)
				}
				if shown := strings.ToLower(b.must(0, "status") + b.must(0, "-o", "json", "status")); !strings.Contains(shown, "quarantined") {
					t.Errorf("the status is silent:\n%s", shown)
				}
				b.quarantined("p005", c.word)
				b.modify(testserver.Change(dn, c.attribute, c.good))
				b.run(exitDone)
				b.fixpoint()
			})
		}
	}})
}

// quarantined checks that somebody, by login or id, is in the quarantine, with a reason that has the word.
func (b *bridge) quarantined(name, word string) {
	b.t.Helper()
	rows := b.quarantine()
	for _, row := range rows {
		if strings.Contains(strings.ToLower(row.Locator+" "+row.Link.ID), name) && strings.Contains(strings.ToLower(row.Why+" "+string(row.Attribute)+" "+row.Value), word) {
			return
		}
	}
	b.t.Errorf("%s is not in quarantine because of %q: %+v", name, word, rows)
}

func sameProfile(a, b idbridge.Profile) bool {
	if len(a) != len(b) {
		return false
	}
	for name, v := range a {
		if v.String() != b[name].String() {
			return false
		}
	}
	return true
}

// TestN07ErrorIsNotAbsence: when the directory answers a question about one person or one group member with an error,
// what it was about stays as it is and is asked again.
//
// GitLab's note on rate limits; GLPI #984.
func TestN07ErrorIsNotAbsence(t *testing.T) {
	parts(t,
		part{"member cannot be looked up", func(t *testing.T, url string) {
			hidden := strings.Replace(person("h000"), "title: Engineer", "title: Guest", 1)
			ldif := people(30) + hidden + testserver.Entry(adminGroup, "objectClass", "groupOfNames", "cn", "idbridge-admins",
				"member", personDN("p000"), "member", personDN("p001"), "member", personDN("h000"))
			b := newBridge(t, testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldif}), url, settings{})
			b.swap(`filter: "(objectClass=inetOrgPerson)"`, `filter: "(&(objectClass=inetOrgPerson)(!(title=Guest)))"`)
			b.swap("role: ADMIN", "role: QUALITY_MANAGER") // whose loss no guard holds
			proxy := b.through()
			b.run(exitDone)
			for _, code := range []ldapsim.Code{ldapsim.Busy, ldapsim.Other, ldapsim.TimeLimitExceeded, ldapsim.SizeLimitExceeded} {
				armed := proxy.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Under: personDN("h000"), Do: ldapsim.Refuse, Code: code, Times: -1})
				b.modify("dn: " + adminGroup + "\nchangetype: modify\ndelete: member\nmember: " + personDN("p001") + "\n\n")
				for range 2 {
					if r := b.run(exitDone); r.Run.Counts.Left != 0 || r.Held || !strings.Contains(said(&r), "unknown") {
						t.Errorf("code %d: somebody left a group that could not be read, or nobody says so:\n%s", code, said(&r))
					}
				}
				if len(b.user("p001").Grants) != 1 || len(b.user("p000").Grants) != 1 {
					t.Errorf("code %d: a role is gone", code)
				}
				if armed.Count() == 0 {
					t.Error("the fault did not strike")
				}
				armed.Disarm()
				b.run(exitDone)
				if len(b.user("p001").Grants) != 0 || len(b.user("p000").Grants) != 1 {
					t.Errorf("code %d: the change did not come once the group could be read", code)
				}
				b.modify("dn: " + adminGroup + "\nchangetype: modify\nadd: member\nmember: " + personDN("p001") + "\n\n")
				b.run(exitDone)
			}
			b.fixpoint()
		}},
		part{"record cannot be read back", func(t *testing.T, url string) {
			b := newBridge(t, testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(20, "p000")}), url, settings{})
			proxy := b.through()
			b.run(exitDone)
			b.must(0, "user", "set", "p005", "phone=+44 5")
			id := b.user("p005").Links[0].ID
			modify := proxy.Fault(ldapsim.Fault{Op: ldapsim.OpModify, Do: ldapsim.Mask, Code: ldapsim.Busy}) // done, and the answer says busy
			read := proxy.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Filter: id, After: 1, Do: ldapsim.Refuse, Code: ldapsim.Busy, Times: -1})
			b.do("sync", "--once")
			b.may(true, "p005")
			if got := b.user("p005").Profile["phone"].First(); got != "+44 5" {
				t.Errorf("the store's phone is %q", got)
			}
			if modify.Count() != 1 || read.Count() == 0 {
				t.Errorf("struck %d and %d times", modify.Count(), read.Count())
			}
			read.Disarm()
			b.run(exitDone)
			if text, err := b.slapd.Search(personDN("p005"), "(objectClass=*)", "telephoneNumber"); err != nil || !strings.Contains(text, ": +44 5\n") {
				t.Errorf("slapd has %q, %v", text, err)
			}
			if n := b.writes(); n != 1 {
				t.Errorf("%d writes for one edit", n)
			}
			b.fixpoint()
		}},
		part{"nobody is asked one by one", func(t *testing.T, url string) {
			b := newBridge(t, testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(200, "p199")}), url, settings{})
			proxy := b.through()
			b.run(exitDone)
			b.remove("p001", "p002", "p003")
			before := proxy.Count(ldapsim.OpSearch)
			b.run(exitDone)
			b.run(exitDone)
			b.may(false, "p001", "p002", "p003")
			if n := proxy.Count(ldapsim.OpSearch) - before; n > 20 {
				t.Errorf("%d searches in two runs", n)
			}
		}},
	)
}

// TestN09SameLoginNewPerson: when somebody leaves and a new person is given the same login, the new one is another user at
// once, without the keys and roles of the old one.
//
// Keycloak #43700, #44108; midPoint's dead shadows; akkornel/syncrepl #5.
func TestN09SameLoginNewPerson(t *testing.T) {
	parts(t, part{"all", func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(30, "p000", "p007")})
		b := newBridge(t, slapd, url, settings{})
		b.run(exitDone)
		b.must(0, "key", "new", "p007")
		b.must(0, "role", "grant", "p007", "oncall")
		old := b.user("p007")
		b.modify("dn: " + adminGroup + "\nchangetype: modify\ndelete: member\nmember: " + personDN("p007") + "\n\n")
		b.remove("p007")
		b.add(person("p007"))
		r := b.run(exitDone)
		if n := r.Run.Counts; n.Created != 1 {
			t.Errorf("the new person is not there at once: %+v", n)
		}
		now := b.user("p007")
		if now.ID == old.ID || !*now.May || len(now.Keys) != 0 || len(now.Grants) != 0 || len(now.Links) != 1 {
			t.Errorf("the stranger inherited something: %+v", now)
		}
		b.run(exitDone)
		gone := b.user(idText(old.ID))
		if *gone.May || len(gone.Keys) != 1 || len(gone.Links) != 1 || gone.Links[0].ID != old.Links[0].ID {
			t.Errorf("the one who left: %+v", gone)
		}
		if u := b.user("p007"); u.ID != now.ID || !*u.May {
			t.Errorf("the new person is blocked by the old one's row: %+v", u)
		}
		b.run(exitDone)
		b.run(exitDone)
		b.fixpoint()
	}})
}
