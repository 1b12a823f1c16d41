package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

// The files suite_n*_test.go are the list of failures that harmed others, one test for each number. The first sentence of
// each comment is for administrators: docs/guarantees.md is made of them.

// part is one way in which a numbered case can come about.
type part struct {
	name string
	test func(t *testing.T, url string)
}

// parts runs each part over both databases, with a store of its own.
func parts(t *testing.T, list ...part) {
	t.Helper()
	stores(t, func(t *testing.T, url string) {
		for _, p := range list {
			t.Run(p.name, func(t *testing.T) { p.test(t, fresh(t, url)) })
		}
	})
}

// fresh returns an empty store of the same kind as the one that stores gave.
func fresh(t *testing.T, url string) string {
	t.Helper()
	if url == "" {
		return ""
	}
	return freshPostgres(t)
}

// in is the same bridge in a subtest.
func (b *bridge) in(t *testing.T) *bridge {
	t.Helper()
	one := *b
	one.t = t
	return &one
}

// run does one run that has to end with the code, and checks that every record seen ended in exactly one situation.
func (b *bridge) run(code exit) shownReport {
	b.t.Helper()
	r := b.sync(int(code))
	if !r.Run.Counts.AddUp() {
		b.t.Errorf("the counters do not add up: %+v", r.Run.Counts)
	}
	return r
}

// enter does something inside the house.
func (b *bridge) enter(do func(ctx context.Context, h *house)) {
	b.t.Helper()
	w := &world{getenv: func(string) string { return "" }, configPath: b.config, stdout: os.Stdout, stderr: os.Stderr}
	defer w.close()
	if err := w.enter(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	do(b.t.Context(), w.house)
}

// source is what runs left behind about the directory.
func (b *bridge) source() (s idbridge.Source) {
	b.t.Helper()
	b.enter(func(ctx context.Context, h *house) {
		var err error
		if s, err = h.store.Source(ctx, "corp"); err != nil {
			b.t.Fatal(err)
		}
	})
	return s
}

// peopleTables are the tables about people and what they may do; audit is not among them, since it has the runs that were held.
func peopleTables() []string {
	return []string{
		"claims", "conflicts", "directory_group", "grants", "group_role", "keys", "links", "membership", "outbox", "sent",
		"tombstone", "users",
	}
}

// quarantine lists the records and values that cannot be used.
func (b *bridge) quarantine() (rows []idbridge.QuarantineRow) {
	b.t.Helper()
	b.enter(func(ctx context.Context, h *house) {
		var err error
		if rows, err = h.store.Quarantine(ctx, "corp"); err != nil {
			b.t.Fatal(err)
		}
	})
	return rows
}

func idText(id idbridge.UserID) string { return strconv.FormatInt(int64(id), 10) }

// intact checks that what do does changes nothing about people, neither in the store nor in slapd.
func (b *bridge) intact(do func()) {
	b.t.Helper()
	state, writes := b.digests(), 0
	if b.slapd.URL != "" {
		writes = b.writes()
	}
	do()
	now := b.digests()
	for _, table := range peopleTables() {
		if state[table] == "" || now[table] != state[table] {
			b.t.Errorf("table %s changed", table)
		}
	}
	if b.slapd.URL != "" && b.writes() != writes {
		b.t.Errorf("%d writes reached the directory", b.writes()-writes)
	}
}

// through puts a proxy that can spoil answers between the bridge and slapd.
func (b *bridge) through() *ldapsim.Proxy {
	b.t.Helper()
	proxy, err := ldapsim.NewProxy(b.slapd.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			b.t.Error(err)
		}
	})
	b.swap(b.slapd.TLSURL, proxy.URL())
	b.swap("    base_dn:", "    insecure_cleartext_bind: true\n    base_dn:")
	return proxy
}

// edit changes the store behind the program's back, as time or a broken disk would.
func (b *bridge) edit(url, statement string) {
	b.t.Helper()
	driver := "postgres"
	if url == "" {
		driver, url = "sqlite", filepath.Join(b.dir, "idbridge.db")
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		b.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(b.t.Context(), statement); err != nil {
		b.t.Fatalf("%s: %v", statement, err)
	}
}

// remove, rename, move and add are an administrator's edits in slapd.
func (b *bridge) remove(uids ...string) {
	b.t.Helper()
	var ldif strings.Builder
	for _, uid := range uids {
		fmt.Fprintf(&ldif, "dn: %s\nchangetype: delete\n\n", personDN(uid))
	}
	b.modify(ldif.String())
}

func (b *bridge) add(entries ...string) {
	b.t.Helper()
	for _, e := range entries {
		b.modify(strings.Replace(e, "\nobjectClass", "\nchangetype: add\nobjectClass", 1))
	}
}

// rename gives an entry another RDN, and another parent where one is named.
func (b *bridge) rename(dn, rdn, parent string) {
	b.t.Helper()
	ldif := testserver.Entry(dn, "changetype", "modrdn", "newrdn", rdn, "deleteoldrdn", "1")
	if parent != "" {
		ldif = strings.TrimSuffix(ldif, "\n") + "newsuperior: " + parent + "\n\n"
	}
	b.modify(ldif)
}

// unit is a container for people.
func unit(name, parent string) string {
	return testserver.Entry("ou="+name+","+parent, "objectClass", "organizationalUnit", "ou", name)
}

const (
	peopleDN = "ou=people,dc=example,dc=org"
	moreDN   = "ou=more,dc=example,dc=org"
)

// below puts the entries of persons into another container.
func below(parent string, entries ...string) string {
	return strings.ReplaceAll(strings.Join(entries, ""), ","+peopleDN, ","+parent)
}

// some is n persons whose logins begin with a prefix.
func some(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = person(login(prefix, i))
	}
	return list
}

func login(prefix string, i int) string { return fmt.Sprintf("%s%03d", prefix, i) }

// may checks who may act and who may not.
func (b *bridge) may(want bool, names ...string) {
	b.t.Helper()
	for _, name := range names {
		if u := b.user(name); *u.May != want {
			b.t.Errorf("%s may act: %t (%s)", name, *u.May, u.Why)
		}
	}
}

// said is everything that a report says, in lower case.
func said(r *shownReport) string {
	text := r.Error + "\n" + r.Hint + "\n" + r.Run.Error + "\n" + r.Run.Hint + "\n" + strings.Join(r.Messages, "\n")
	if r.Plan != nil {
		text += "\n" + r.Plan.Proof.Doubt
		for _, v := range r.Plan.Verdicts {
			text += "\n" + v.Why + "\n" + strings.Join(v.Causes, "\n") + "\n" + strings.Join(v.Names, "\n")
		}
	}
	return strings.ToLower(text)
}

// tells checks that a report has all of the words.
func (b *bridge) tells(r *shownReport, words ...string) {
	b.t.Helper()
	for _, word := range words {
		if text := said(r); !strings.Contains(text, word) {
			b.t.Errorf("%q is not said:\n%s", word, text)
		}
	}
}

// held is the verdict of a guard that held something.
func (b *bridge) held(r *shownReport, guard string) idbridge.Verdict {
	b.t.Helper()
	if r.Plan != nil {
		for _, v := range r.Plan.Verdicts {
			if v.Guard == guard && v.Held != idbridge.HoldNothing {
				return v
			}
		}
	}
	b.t.Errorf("the guard %q holds nothing: %+v", guard, r.Plan)
	return idbridge.Verdict{}
}
