package ldapsim_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldap"
	"github.com/idbridge/idbridge/providers/ldapsim"
	"github.com/idbridge/idbridge/providers/providertest"
)

func fields() []mapping.Field {
	return []mapping.Field{
		{Attribute: idbridge.UserName, From: "uid"}, {Attribute: idbridge.GivenName, From: "givenName"},
		{Attribute: idbridge.FamilyName, From: "sn"}, {Attribute: idbridge.DisplayName, From: "displayName"},
		{Attribute: idbridge.Email, From: "mail"},
	}
}

// directory is the provider before a server of ours, over TLS that it checks.
func directory(t *testing.T, s *ldapsim.Server, bindDN, password string) *ldap.Directory {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.CACertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := ldap.New(ldap.Config{
		Name: "sim", URLs: []string{s.TLSURL()}, Bind: ldap.Bind{DN: bindDN, Password: idbridge.NewSecret(password)},
		TLS: ldap.TLS{CAFile: ca}, BaseDN: "dc=example,dc=org", PageSize: 100,
		Groups: ldap.Groups{Filter: "(objectClass=groupOfNames)"}, Map: fields(),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// editor edits a server of ours by its Go methods.
type editor struct {
	s  *ldapsim.Server
	at map[string]string // login → DN
}

func (e *editor) Add(p providertest.Person) error {
	e.at[p.UserName] = "uid=" + p.UserName + "," + people
	return e.s.Add(e.at[p.UserName], map[string][]string{
		"objectClass": {"inetOrgPerson"}, "uid": {p.UserName}, "cn": {p.DisplayName}, "sn": {p.FamilyName},
		"givenName": {p.GivenName}, "displayName": {p.DisplayName}, "mail": {p.Email},
	})
}

func (e *editor) Set(userName string, a idbridge.Attribute, values ...string) error {
	for _, f := range fields() {
		if f.Attribute == a {
			return e.s.Modify(e.at[userName], ldapsim.Mod{Verb: ldapsim.Replace, Attribute: f.From, Values: values})
		}
	}
	return fmt.Errorf("%s is not mapped", a)
}

func (e *editor) move(userName, newUserName, parent string) error {
	dn := e.at[userName]
	delete(e.at, userName)
	e.at[newUserName] = "uid=" + newUserName + "," + parent
	return e.s.Rename(dn, e.at[newUserName])
}

func (e *editor) Rename(userName, newUserName string) error {
	_, parent, _ := strings.Cut(e.at[userName], ",")
	return e.move(userName, newUserName, parent)
}

func (e *editor) Move(userName string) error {
	return e.move(userName, userName, "ou=more,dc=example,dc=org")
}

func (e *editor) Delete(userName string) error { return e.s.Delete(e.at[userName]) }

func (e *editor) SetGroup(name string, members ...string) error {
	dn := "cn=" + name + ",ou=groups,dc=example,dc=org"
	var list []string
	for _, m := range members {
		list = append(list, e.at[m])
	}
	if _, there := e.s.Entry(dn); there {
		return e.s.Modify(dn, ldapsim.Mod{Verb: ldapsim.Replace, Attribute: "member", Values: list})
	}
	return e.s.Add(dn, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {name}, "member": list})
}

func (e *editor) Truncate(n int) error {
	e.s.SetSizeLimit(n)
	return nil
}

// TestExam lets the LDAP provider sit the exam for directories before our server.
func TestExam(t *testing.T) {
	var b bytes.Buffer
	if err := testserver.WritePeople(&b, 1200, 5, 7); err != nil {
		t.Fatal(err)
	}
	providertest.Run(t, func(t *testing.T) providertest.Rig {
		s := start(t, ldapsim.Config{LDIF: frameLDIF + b.String()})
		e := &editor{s: s, at: map[string]string{}}
		return providertest.Rig{
			Directory: directory(t, s, syncDN, syncPassword), Editor: e, Grouper: e, Saboteur: e, People: 1200,
		}
	})
}
