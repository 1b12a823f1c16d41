package ldap_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldap"
	"github.com/idbridge/idbridge/providers/providertest"
)

// fields is the usual mapping of an OpenLDAP directory.
func fields() []mapping.Field {
	return []mapping.Field{
		{Attribute: idbridge.UserName, From: "uid"},
		{Attribute: idbridge.GivenName, From: "givenName"},
		{Attribute: idbridge.FamilyName, From: "sn"},
		{Attribute: idbridge.DisplayName, From: "displayName"},
		{Attribute: idbridge.Email, From: "mail"},
	}
}

// settings are those for a test's server, over TLS.
func settings(s *testserver.SlapdServer) ldap.Config {
	return ldap.Config{
		Name: "corp", URLs: []string{s.TLSURL}, Bind: ldap.Bind{DN: s.SyncDN, Password: idbridge.NewSecret(s.SyncPassword)},
		TLS: ldap.TLS{CAFile: s.CAFile}, BaseDN: s.BaseDN, PageSize: 100,
		Groups: ldap.Groups{Filter: "(objectClass=groupOfNames)"}, Map: fields(),
	}
}

func directory(t testing.TB, cfg ldap.Config) *ldap.Directory {
	t.Helper()
	d, err := ldap.New(cfg, nil)
	if err != nil {
		t.Fatalf("settings: %v", err)
	}
	return d
}

func session(t testing.TB, d *ldap.Directory) *ldap.Session {
	t.Helper()
	s, err := d.Open(t.Context())
	if err != nil {
		t.Fatalf("open: %v (hint: %s)", err, idbridge.HintOf(err))
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*ldap.Session)
}

// people is an LDIF of n generated people.
func people(t testing.TB, n, groups int) string {
	t.Helper()
	var b bytes.Buffer
	if err := testserver.WritePeople(&b, n, groups, 7); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// listing is what one Scan said.
type listing struct {
	records  map[string]idbridge.Record // by login
	members  map[string]idbridge.Members
	unusable []idbridge.Unusable
	end      *idbridge.Checkpoint
	err      error
}

func list(t testing.TB, s *ldap.Session) listing {
	t.Helper()
	l := listing{records: map[string]idbridge.Record{}, members: map[string]idbridge.Members{}}
	for c, err := range s.Scan(t.Context(), "") {
		if err != nil {
			l.err = err
			break
		}
		switch c := c.(type) {
		case idbridge.Present:
			l.records[c.Record.Profile[idbridge.UserName].First()] = c.Record
		case idbridge.Members:
			l.members[c.Name] = c
		case idbridge.Unusable:
			l.unusable = append(l.unusable, c)
		case idbridge.Checkpoint:
			l.end = &c
		case idbridge.Gone:
			t.Errorf("gone: %v", c)
		}
	}
	return l
}

// complete lists and insists on a complete listing.
func complete(t testing.TB, s *ldap.Session) listing {
	t.Helper()
	l := list(t, s)
	if l.err != nil {
		t.Fatalf("list: %v (hint: %s)", l.err, idbridge.HintOf(l.err))
	}
	if !l.end.Complete {
		t.Fatalf("not complete: %s", l.end.Proof.Doubt)
	}
	return l
}

// logTo returns a logger at debug and what it has written.
func logTo() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})), &b
}

// editor edits a slapd for the exam.
type editor struct {
	*testserver.SlapdServer
	at map[string]string // login → DN
}

func (e *editor) Add(p providertest.Person) error {
	dn := "uid=" + p.UserName + "," + e.PeopleDN
	e.at[p.UserName] = dn
	return e.Modify(strings.Replace(testserver.Entry(dn, "objectClass", "inetOrgPerson", "uid", p.UserName, "cn", p.DisplayName,
		"sn", p.FamilyName, "givenName", p.GivenName, "displayName", p.DisplayName, "mail", p.Email),
		"\n", "\nchangetype: add\n", 1))
}

func (e *editor) Set(userName string, a idbridge.Attribute, values ...string) error {
	for _, f := range fields() {
		if f.Attribute == a {
			return e.Modify(testserver.Change(e.at[userName], f.From, values...))
		}
	}
	return fmt.Errorf("%s is not mapped", a)
}

func (e *editor) Rename(userName, newUserName string) error {
	dn := e.at[userName]
	_, parent, _ := strings.Cut(dn, ",")
	e.at[newUserName] = "uid=" + newUserName + "," + parent
	return e.Modify("dn: " + dn + "\nchangetype: modrdn\nnewrdn: uid=" + newUserName + "\ndeleteoldrdn: 1\n")
}

func (e *editor) Move(userName string) error {
	dn := e.at[userName]
	e.at[userName] = "uid=" + userName + "," + e.MoreDN
	return e.Modify("dn: " + dn + "\nchangetype: modrdn\nnewrdn: uid=" + userName + "\ndeleteoldrdn: 0\nnewsuperior: " + e.MoreDN + "\n")
}

func (e *editor) Delete(userName string) error {
	return e.Modify("dn: " + e.at[userName] + "\nchangetype: delete\n")
}

func (e *editor) SetGroup(name string, members ...string) error {
	dn := "cn=" + name + "," + e.GroupsDN
	pairs := []string{"objectClass", "groupOfNames", "cn", name}
	for _, m := range members {
		pairs = append(pairs, "member", e.at[m])
	}
	_ = e.Modify("dn: " + dn + "\nchangetype: delete\n") // there may be none
	return e.Modify(strings.Replace(testserver.Entry(dn, pairs...), "\n", "\nchangetype: add\n", 1))
}

func (e *editor) Truncate(n int) error { return e.SetSizeLimit(n) }

func TestExam(t *testing.T) {
	ldif := people(t, 1500, 3)
	providertest.Run(t, func(t *testing.T) providertest.Rig {
		e := &editor{testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldif}), map[string]string{}}
		return providertest.Rig{Directory: directory(t, settings(e.SlapdServer)), Editor: e, Grouper: e, Saboteur: e, People: 1500}
	})
}
