package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/idbridge/idbridge/internal/testserver"
)

// bridge is one real slapd and one config, used through the program's own command line.
type bridge struct {
	t      *testing.T
	slapd  *testserver.SlapdServer
	dir    string
	config string
}

const adminGroup = "cn=idbridge-admins,ou=groups,dc=example,dc=org"

// settings change what a bridge's config says.
type settings struct {
	Confirm string // absent.confirm_after, default 0s, so that two runs in a row are two sightings
	Extra   string // further lines of the directory
	Listen  string // default 127.0.0.1:0
}

// newBridge writes a config for the slapd and the store.
func newBridge(t *testing.T, slapd *testserver.SlapdServer, store string, s settings) *bridge {
	t.Helper()
	b := &bridge{t: t, slapd: slapd, dir: t.TempDir()}
	b.config = filepath.Join(b.dir, "idbridge.yaml")
	if store == "" {
		store = "sqlite:" + filepath.Join(b.dir, "idbridge.db")
	}
	if s.Confirm == "" {
		s.Confirm = "0s"
	}
	if s.Listen == "" {
		s.Listen = "127.0.0.1:0"
	}
	b.write(fmt.Sprintf(`
store: {url: %q}
http: {listen: %q}
log: {level: warn}
attributes:
  phone: {match: telephone}
  title: {}
directories:
  - name: corp
    type: ldap
    urls: [%q]
    bind: {dn: %q, password: %q}
    tls: {ca_file: %q}
    base_dn: %q
    users: {filter: "(objectClass=inetOrgPerson)"}
    groups: {filter: "(objectClass=groupOfNames)"}
    schedule: {full: "0 3 * * *", missed: skip}
    map:
      userName: uid
      givenName: givenName
      familyName: sn
      displayName: displayName
      email: mail
      phone: telephoneNumber
      title: title
    absent: {confirm_after: %s}
%s
roles:
  - {role: ADMIN, directory: corp, group: %q}
`, store, s.Listen, slapd.TLSURL, slapd.SyncDN, slapd.SyncPassword, slapd.CAFile, slapd.BaseDN, s.Confirm, s.Extra, adminGroup))
	return b
}

func (b *bridge) write(config string) {
	b.t.Helper()
	if err := os.WriteFile(b.config, []byte(config), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// swap changes the config's text.
func (b *bridge) swap(old, text string) {
	b.t.Helper()
	have, err := os.ReadFile(b.config)
	if err != nil {
		b.t.Fatal(err)
	}
	if !strings.Contains(string(have), old) {
		b.t.Fatalf("config has no %q", old)
	}
	b.write(strings.Replace(string(have), old, text, 1))
}

// do gives a command in-process and returns what a shell would see.
func (b *bridge) do(args ...string) (code int, stdout, stderr string) {
	b.t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), append([]string{"-c", b.config}, args...), func(string) string { return "" }, nil, &out, &errs)
	return code, out.String(), errs.String()
}

// must gives a command that has to end with the code.
func (b *bridge) must(code int, args ...string) string {
	b.t.Helper()
	got, stdout, stderr := b.do(args...)
	if got != code {
		b.t.Fatalf("idbridge %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, code, stdout, stderr)
	}
	return stdout
}

// sync does one run that has to end with the code, and returns its report.
func (b *bridge) sync(code int) shownReport {
	b.t.Helper()
	return b.report(b.must(code, "-o", "json", "sync", "--once"))
}

func (b *bridge) report(text string) shownReport {
	b.t.Helper()
	var reports []shownReport
	if err := json.Unmarshal([]byte(text), &reports); err != nil || len(reports) != 1 {
		b.t.Fatalf("%v: %s", err, text)
	}
	return reports[0]
}

// user returns what `user show` says.
func (b *bridge) user(name string) shownUser {
	b.t.Helper()
	var u shownUser
	text := b.must(0, "-o", "json", "user", "show", name)
	if err := json.Unmarshal([]byte(text), &u); err != nil {
		b.t.Fatalf("%v: %s", err, text)
	}
	return u
}

// modify changes slapd as an administrator does, with ldapmodify.
func (b *bridge) modify(ldif string) {
	b.t.Helper()
	if err := b.slapd.Modify(ldif); err != nil {
		b.t.Fatal(err)
	}
}

// writes is how many writes slapd has done.
func (b *bridge) writes() int {
	b.t.Helper()
	n, err := b.slapd.Writes()
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// fixpoint does one more run, which must find nothing to do: no write on the wire, no row changed.
func (b *bridge) fixpoint() {
	b.t.Helper()
	before := b.writes()
	state := b.digests()
	r := b.sync(0)
	if n := b.writes() - before; n != 0 {
		b.t.Errorf("a run without edits sent %d writes", n)
	}
	if r.Run.Counts.Unchanged != r.Run.Counts.Seen {
		b.t.Errorf("a run without edits decided something: %+v", r.Run.Counts)
	}
	for table, digest := range b.digests() {
		switch table {
		case "runs", "source", "lease": // the run, its slot, lease and cursor
			continue
		}
		if digest != state[table] {
			b.t.Errorf("a run without edits changed table %s", table)
		}
	}
}

// digests returns a digest of each of the store's tables.
func (b *bridge) digests() map[string]string {
	b.t.Helper()
	w := &world{getenv: func(string) string { return "" }, configPath: b.config, stdout: os.Stdout, stderr: os.Stderr}
	defer w.close()
	if err := w.enter(context.Background()); err != nil {
		b.t.Fatal(err)
	}
	all, err := w.house.store.Digests(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// person is an entry for slapd.
func person(uid string) string {
	return testserver.Entry("uid="+uid+",ou=people,dc=example,dc=org", "objectClass", "inetOrgPerson", "uid", uid, "cn", uid, "sn", "Sn "+uid,
		"givenName", "Given "+uid, "displayName", "Display "+uid, "mail", uid+"@example.org", "telephoneNumber", "+33 1 23 45", "title", "Engineer")
}

func personDN(uid string) string { return "uid=" + uid + ",ou=people,dc=example,dc=org" }

// people returns n persons p000 … and a group of administrators.
func people(n int, admins ...string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(person(fmt.Sprintf("p%03d", i)))
	}
	if len(admins) > 0 {
		pairs := []string{"objectClass", "groupOfNames", "cn", "idbridge-admins"}
		for _, uid := range admins {
			pairs = append(pairs, "member", personDN(uid))
		}
		b.WriteString(testserver.Entry(adminGroup, pairs...))
	}
	return b.String()
}

// stores runs a test over both databases.
func stores(t *testing.T, f func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, "") })
	t.Run("postgresql", func(t *testing.T) { f(t, freshPostgres(t)) })
}
