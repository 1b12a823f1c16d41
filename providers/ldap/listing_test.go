package ldap_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldap"
)

// person is an entry's LDIF; more are names and values.
func person(rdn, uid string, more ...string) string {
	pairs := append([]string{"objectClass", "inetOrgPerson", "uid", uid, "cn", uid, "sn", "Æther"}, more...)
	return testserver.Entry(rdn+",ou=people,dc=example,dc=org", pairs...)
}

func TestPages(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 1000, 40)})
	for _, size := range []int{1, 7, 250, 1000, 5000} {
		cfg := settings(srv)
		cfg.PageSize = size
		l := complete(t, session(t, directory(t, cfg)))
		if len(l.records) != 1000 || len(l.members) != 40 {
			t.Errorf("pages of %d: %d people, %d groups", size, len(l.records), len(l.members))
		}
		p := l.end.Proof
		if p.Entries != 1000 || p.Groups != 40 || !p.LastPage || !p.CanaryPre || !p.CanaryPost || p.ResultCode != 0 || p.Took == 0 {
			t.Errorf("proof %+v", p)
		}
		if want := 1000/size + 40/size; p.Pages < want {
			t.Errorf("%d pages of %d", p.Pages, size)
		}
		if !strings.HasPrefix(p.Server, "OpenLDAP 127.0.0.1:") {
			t.Errorf("server %q", p.Server)
		}
	}
}

// TestSizeLimit: what came is shown, and the listing says that it is not all, why, and how to cure it.
func TestSizeLimit(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 1000, 1), SizeLimit: 500})
	l := list(t, session(t, directory(t, settings(srv))))
	if l.err != nil {
		t.Fatal(l.err)
	}
	p := l.end.Proof
	if l.end.Complete || p.ResultCode != 4 || p.LastPage || len(l.records) != 500 {
		t.Errorf("complete %t, %d people, %+v", l.end.Complete, len(l.records), p)
	}
	for _, w := range []string{"500 entries", "Size Limit Exceeded", "olcLimits", "size=unlimited"} {
		if !strings.Contains(p.Doubt, w) {
			t.Errorf("%q is not in %q", w, p.Doubt)
		}
	}
}

// TestKilledInMidListing: a server that dies ends the listing with an error, never with a checkpoint.
func TestKilledInMidListing(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 20000, 1)})
	cfg := settings(srv)
	cfg.PageSize = 1000
	s := session(t, directory(t, cfg))
	n := 0
	var end error
	for c, err := range s.Scan(t.Context(), "") {
		if end = err; err != nil {
			break
		}
		if _, ok := c.(idbridge.Checkpoint); ok {
			t.Fatal("a checkpoint from a dead server")
		}
		if n++; n == 100 {
			srv.Kill()
		}
	}
	wantFault(t, end, idbridge.Unavailable, "the directory closed the connection", "server's log")
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	if l := complete(t, s); len(l.records) != 20000 {
		t.Errorf("%d people after the restart", len(l.records))
	}
}

// TestCutAnywhere cuts the connection after every so many bytes: never a checkpoint that says complete.
func TestCutAnywhere(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 60, 2)})
	p := newProxy(t, srv)
	cfg := settings(srv)
	cfg.URLs, cfg.TLS, cfg.PageSize = []string{p.url}, ldap.TLS{AllowCleartextBind: true}, 25
	s := session(t, directory(t, cfg))
	for cut := int64(20); ; cut += 613 {
		p.cutAfter.Store(cut)
		l := list(t, s)
		if l.err == nil {
			if !l.end.Complete || len(l.records) != 60 || len(l.members) != 2 {
				t.Errorf("cut after %d bytes: no error, and %d people", cut, len(l.records))
			}
			break
		}
		if idbridge.KindOf(l.err) != idbridge.Unavailable {
			t.Errorf("cut after %d bytes: %v", cut, l.err)
		}
		if cut > 1<<20 {
			t.Fatal("never whole")
		}
	}
}

func TestBadBases(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 20, 1)})
	for name, c := range map[string]struct {
		change func(*ldap.Config)
		words  []string
	}{
		"base that does not exist": {
			func(c *ldap.Config) { c.BaseDN = "ou=nowhere,dc=example,dc=org" },
			[]string{"no entry where its people are looked for", "base_dn", `"dc=example,dc=org"`},
		},
		"users base that does not exist": {
			func(c *ldap.Config) { c.Users.Base = "ou=nowhere,dc=example,dc=org" }, []string{"base_dn", "ou=nowhere"},
		},
		"another suffix": {func(c *ldap.Config) { c.BaseDN = "dc=example,dc=com" }, []string{"base DN does not exist"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := settings(srv)
			c.change(&cfg)
			l := list(t, session(t, directory(t, cfg)))
			wantFault(t, l.err, idbridge.Invalid, c.words...)
			if len(l.records) != 0 {
				t.Errorf("%d people", len(l.records))
			}
		})
	}
	t.Run("groups base that does not exist", func(t *testing.T) {
		cfg := settings(srv)
		cfg.Groups.Base = "ou=nowhere,dc=example,dc=org"
		wantFault(t, list(t, session(t, directory(t, cfg))).err, idbridge.Invalid, "ou=nowhere")
	})
}

// TestNobody: success with nothing. It is a complete listing; the engine's guard is what holds it.
func TestNobody(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 20, 1), Access: []string{
		`access to dn.subtree="ou=people,dc=example,dc=org" filter=(objectClass=inetOrgPerson) by * none`,
	}})
	l := complete(t, session(t, directory(t, settings(srv))))
	if len(l.records) != 0 || l.end.Proof.Entries != 0 {
		t.Errorf("%d people, %+v", len(l.records), l.end.Proof)
	}
}

// TestCanary: a canary that cannot be read voids the listing, before or after.
func TestCanary(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 10000, 1) + person("uid=canary", "canary", "mail", "c@example.org")})
	cfg := settings(srv)
	cfg.Canary = "uid=canary," + srv.PeopleDN
	s := session(t, directory(t, cfg))
	l := complete(t, s)
	want := []idbridge.Attribute{idbridge.UserName, idbridge.FamilyName, idbridge.Email}
	if diff := cmp.Diff(want, l.end.Proof.Canary); diff != "" {
		t.Errorf("shown by the canary (-want +got):\n%s", diff)
	}
	n := 0
	for c, err := range s.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			if err := srv.Modify("dn: " + cfg.Canary + "\nchangetype: delete\n"); err != nil {
				t.Fatal(err)
			}
		}
		if c, ok := c.(idbridge.Checkpoint); ok {
			if c.Complete || !c.Proof.CanaryPre || c.Proof.CanaryPost || !strings.Contains(c.Proof.Doubt, "canary") {
				t.Errorf("the canary went midway: %+v", c)
			}
		}
	}
	if l := list(t, s); l.err != nil || l.end.Complete || l.end.Proof.CanaryPre {
		t.Errorf("without a canary: %v, %+v", l.err, l.end)
	}
}

func TestMissingIDAttribute(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 20, 2)})
	cfg := settings(srv)
	cfg.IDAttribute = "noSuchAttribute"
	l := list(t, session(t, directory(t, cfg)))
	if l.err != nil {
		t.Fatal(l.err)
	}
	if len(l.records) != 0 || len(l.unusable) != 22 {
		t.Errorf("%d people, %d unusable", len(l.records), len(l.unusable))
	}
	u := l.unusable[0]
	if u.ID.ID != "" || u.ID.Directory != "corp" || !strings.HasPrefix(u.Locator, "uid=") || !strings.Contains(u.Why.Error(), "no noSuchAttribute") {
		t.Errorf("%+v", u)
	}
}

// TestSharedIDs (N15): two people with one id are both unusable, whichever comes first, and so is one with a blank id or
// none; the others are not touched.
func TestSharedIDs(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: person("uid=a", "a", "employeeNumber", "1") +
		person("uid=b", "b", "employeeNumber", "2") + person("uid=c", "c", "employeeNumber", "1") +
		person("uid=d", "d") + person("uid=e", "e", "employeeNumber", "3") +
		person("uid=f", "f", "employeeNumber", " ") + person("uid=g", "g", "employeeNumber", " ") +
		testserver.Entry("cn=all,ou=groups,dc=example,dc=org", "objectClass", "groupOfNames", "cn", "all",
			"member", "uid=a,ou=people,dc=example,dc=org", "member", "uid=e,ou=people,dc=example,dc=org"),
	})
	cfg := settings(srv)
	cfg.IDAttribute = "employeeNumber"
	cfg.Groups.Filter = ""
	l := complete(t, session(t, directory(t, cfg)))
	if len(l.records) != 2 || l.records["b"].ID.ID != "2" || l.records["e"].ID.ID != "3" {
		t.Errorf("people: %v", l.records)
	}
	if len(l.unusable) != 5 {
		t.Fatalf("unusable: %v", l.unusable)
	}
	for _, u := range l.unusable {
		if u.ID.ID != "" {
			t.Errorf("%s is unusable under the id %q", u.Locator, u.ID.ID)
		}
	}
	if l.end.Proof.Entries != 7 || l.end.Proof.Unusable != 5 {
		t.Errorf("proof %+v", l.end.Proof)
	}
}

// TestPoison: one record that cannot be used is quarantined, known to be there, and disturbs nobody else.
func TestPoison(t *testing.T) {
	photo := strings.Repeat("\xff\xd8\x00\x01", 5<<20/4)
	account := testserver.Entry("uid=nosurname,ou=people,dc=example,dc=org", "objectClass", "account", "objectClass", "simpleSecurityObject",
		"uid", "nosurname", "userPassword", "x")
	nologin := testserver.Entry("cn=nologin,ou=people,dc=example,dc=org", "objectClass", "inetOrgPerson", "cn", "nologin", "sn", "x")
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 50, 1) + account + nologin +
		person("uid=photo", "photo", "jpegPhoto", photo) + person("uid=badtext", "badtext", "audio", "caf\xe9") +
		person("uid=bigtext", "bigtext", "audio", strings.Repeat("x", 1<<20+1)) + person("uid=zero", "zero", "audio", "a\x00b") +
		person("uid=good", "good", "audio", "café")})
	cfg := settings(srv)
	cfg.Users.Filter = "(|(objectClass=inetOrgPerson)(objectClass=account))"
	cfg.Schema = idbridge.CoreSchema()
	cfg.Schema["note"] = idbridge.Spec{}
	cfg.Map = append(cfg.Map, mapping.Field{Attribute: "note", From: "audio"})
	log, text := logTo()
	d, err := ldap.New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	l := complete(t, session(t, d))
	if len(l.records) != 53 {
		t.Errorf("%d people", len(l.records))
	}
	if diff := cmp.Diff(idbridge.Values{"café"}, l.records["good"].Profile["note"]); diff != "" {
		t.Error(diff)
	}
	if v, there := l.records["nosurname"].Profile[idbridge.FamilyName]; len(v) != 0 || !there {
		t.Errorf("without a surname: %q, %t", v, there)
	}
	why := map[string]string{}
	for _, u := range l.unusable {
		if u.ID.ID == "" {
			t.Errorf("%s has an id and is unusable without it", u.Locator)
		}
		why[strings.TrimSuffix(u.Locator, ",ou=people,dc=example,dc=org")] = u.Why.Error()
	}
	for rdn, want := range map[string]string{
		"uid=badtext": "audio (note) is not valid UTF-8", "uid=bigtext": "value of 1048577 bytes", "uid=zero": "zero byte", "cn=nologin": "no uid",
	} {
		if !strings.Contains(why[rdn], want) {
			t.Errorf("%s: %q", rdn, why[rdn])
		}
	}
	if len(why) != 4 || l.end.Proof.Unusable != 4 {
		t.Errorf("unusable: %v", why)
	}
	if _, there := l.records["photo"]; !there || strings.Contains(text.String(), "jpegPhoto") {
		t.Error("a photo that nobody maps was asked for, or its owner is missing")
	}
}

// TestPhotoMapped: octets of 5 MB pass whole where they are mapped as octets, and are unusable where as text.
func TestPhotoMapped(t *testing.T) {
	photo := strings.Repeat("\xff\xd8\x00\x01", 5<<20/4)
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: person("uid=photo", "photo", "jpegPhoto", photo) + person("uid=a", "a")})
	cfg := settings(srv)
	cfg.Schema = idbridge.CoreSchema()
	cfg.Schema["photo"] = idbridge.Spec{Match: idbridge.Octets}
	cfg.Map = append(cfg.Map, mapping.Field{Attribute: "photo", From: "jpegPhoto"})
	l := complete(t, session(t, directory(t, cfg)))
	if l.records["photo"].Profile["photo"].First() != photo {
		t.Error("the photo changed on its way")
	}
}

// TestNames: whatever stands in a name, it is listed, known as a member, fetched and written.
func TestNames(t *testing.T) {
	rdns := map[string]string{ // uid → cn, which is the RDN
		"n1": `Doe, John`, "n2": `a+b`, "n3": `#x`, "n4": ` lead`, "n5": `trail `, "n6": `back\`, "n7": `quo"te`,
		"n8": `sla/sh`, "n9": `Ünïcödé`, "n10": `<x>;y=z`, "n11": `,+"\<>;#=`, "n12": `*()`, "n13": "日本", "n15": "nul\x00",
		"n16": `\\`, "n17": `x\ `,
	}
	escape := func(v string) string {
		var b strings.Builder
		for i := range len(v) {
			fmt.Fprintf(&b, `\%02x`, v[i])
		}
		return b.String()
	}
	var ldif strings.Builder
	group := []string{"objectClass", "groupOfNames", "cn", "odd"}
	for uid, cn := range rdns {
		dn := "cn=" + escape(cn) + ",ou=people,dc=example,dc=org"
		ldif.WriteString(testserver.Entry(dn, "objectClass", "inetOrgPerson", "uid", uid, "cn", cn, "sn", "x", "displayName", "D"))
		group = append(group, "member", "CN="+escape(cn)+", OU=People,dc=example,dc=org")
	}
	both := "cn=two+uid=n14,ou=people,dc=example,dc=org"
	ldif.WriteString(testserver.Entry(both, "objectClass", "inetOrgPerson", "uid", "n14", "cn", "two", "sn", "x", "displayName", "D"))
	group = append(group, "member", "uid=n14+cn=TWO,ou=people,dc=example,dc=org")
	ldif.WriteString(testserver.Entry("cn=odd,ou=groups,dc=example,dc=org", group...))
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldif.String()})
	s := session(t, directory(t, settings(srv)))
	l := complete(t, s)
	if len(l.records) != len(rdns)+1 || len(l.unusable) != 0 {
		t.Fatalf("%d people, unusable %v", len(l.records), l.unusable)
	}
	for _, m := range l.members {
		if len(m.Members) != len(rdns)+1 || !m.Whole.OK {
			t.Errorf("%d members, %+v", len(m.Members), m.Whole)
		}
	}
	for uid, rec := range l.records {
		after, err := s.Apply(t.Context(), idbridge.Step{
			ID: rec.ID, Side: idbridge.DirectorySide, Verb: idbridge.Update,
			Before: idbridge.Profile{idbridge.DisplayName: {"D"}}, After: idbridge.Profile{idbridge.DisplayName: {"E " + uid}},
		})
		if err != nil || after.Profile[idbridge.DisplayName].First() != "E "+uid {
			t.Errorf("%s: %v", rec.Locator, err)
		}
	}
	for uid, rec := range complete(t, s).records {
		if rec.Profile[idbridge.DisplayName].First() != "E "+uid {
			t.Errorf("%s has %q", rec.Locator, rec.Profile[idbridge.DisplayName])
		}
	}
}

// TestLostRight: a right that is lost on one attribute shows as no values, for everybody; the engine decides on that.
func TestLostRight(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 30, 1), Access: []string{"access to attrs=mail by * none"}})
	l := complete(t, session(t, directory(t, settings(srv))))
	if len(l.records) != 30 {
		t.Fatalf("%d people", len(l.records))
	}
	for name, rec := range l.records {
		if v, there := rec.Profile[idbridge.Email]; !there || len(v) != 0 {
			t.Fatalf("%s shows %q, %t", name, v, there)
		}
	}
}

func TestSeveralValues(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: person("uid=zeta", "zeta", "uid", "alpha", "uid", "beta", "mail", "b@x.org", "mail", "a@x.org") +
		testserver.Entry("cn=noname,ou=people,dc=example,dc=org", "objectClass", "inetOrgPerson", "cn", "noname", "sn", "x", "uid", "q", "uid", "P") +
		person("uid=tagged", "tagged", "displayName", "Plain", "displayName;lang-de", "Deutsch")})
	l := complete(t, session(t, directory(t, settings(srv))))
	if _, ok := l.records["zeta"]; !ok {
		t.Errorf("the login in the entry's own name is not the one: %v", l.records)
	}
	if _, ok := l.records["P"]; !ok {
		t.Errorf("without one in the name the smallest is not the one: %v", l.records)
	}
	if got := len(l.records["zeta"].Profile[idbridge.Email]); got != 2 {
		t.Errorf("%d addresses", got)
	}
	if diff := cmp.Diff(idbridge.Values{"Plain"}, l.records["tagged"].Profile[idbridge.DisplayName]); diff != "" {
		t.Error(diff)
	}
}

// TestReferral: a part of the tree on another server is not followed, and not silently left out.
func TestReferral(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 20, 1) +
		testserver.Entry("ou=elsewhere,dc=example,dc=org", "objectClass", "referral", "objectClass", "extensibleObject",
			"ou", "elsewhere", "ref", "ldap://127.0.0.1:1/ou=elsewhere,dc=example,dc=org")})
	l := list(t, session(t, directory(t, settings(srv))))
	if l.err != nil || l.end.Complete || l.end.Proof.References == 0 || !strings.Contains(l.end.Proof.Doubt, "another server") {
		t.Errorf("%v, %+v", l.err, l.end)
	}
	if len(l.records) != 20 {
		t.Errorf("%d people", len(l.records))
	}
}

// TestSlowCaller: a caller who takes his time loses nothing, and holds up nobody else on the session.
func TestSlowCaller(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 3000, 1)})
	cfg := settings(srv)
	cfg.Timeouts.Request, cfg.Timeouts.Idle = 2*time.Second, 2*time.Second
	s := session(t, directory(t, cfg))
	n := 0
	for c, err := range s.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		p, ok := c.(idbridge.Present)
		if !ok {
			continue
		}
		if n++; n%500 == 0 {
			time.Sleep(20 * time.Millisecond)
			if got, err := s.Fetch(t.Context(), []idbridge.ExternalID{p.Record.ID}); err != nil || len(got) != 1 {
				t.Fatalf("fetch beside a listing: %v", err)
			}
		}
	}
	if n != 3000 {
		t.Errorf("%d of 3000 people", n)
	}
}

func TestCommandInTheLog(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 5, 1)})
	log, text := logTo()
	cfg := settings(srv)
	cfg.Users.Filter = "(&(objectClass=inetOrgPerson)(!(title=Dummy)))"
	d, err := ldap.New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	complete(t, session(t, d))
	for _, w := range []string{"ldapsearch -LLL", "$LDAPPASSWORD", "-E pr=100/noprompt", "'(&(objectClass=inetOrgPerson)(!(title=Dummy)))' uid"} {
		if !strings.Contains(text.String(), w) {
			t.Errorf("%q is not in the log:\n%s", w, text)
		}
	}
	if strings.Contains(text.String(), srv.SyncPassword) {
		t.Error("the password is in the log")
	}
}
