// Command bench measures idbridge against OpenLDAP's own tools, side by side in one run, and prints ratios. It starts a
// slapd and a PostgreSQL of its own in a scratch folder, on free loopback ports, and runs the real program as a child, so
// that what is measured is what an operator gets: start, connect, list, decide, commit, exit.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/idbridge/idbridge/internal/testserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one measuring: a directory full of people, a built program, and how often each thing is repeated.
type bench struct {
	dir    string
	binary string
	slapd  *testserver.SlapdServer
	people int
	groups int
	rounds int
	out    io.Writer
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	people := flags.Int("people", 100_000, "entries to generate")
	groups := flags.Int("groups", 200, "groups to generate")
	only := flags.String("only", "", "sync or api; both by default")
	rounds := flags.Int("rounds", 3, "how often each reading is repeated; the median is printed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "idbridge-bench")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{dir: dir, binary: filepath.Join(dir, "idbridge"), people: *people, groups: *groups, rounds: *rounds, out: out}
	build := exec.CommandContext(ctx, "go", "build", "-o", b.binary, "./cmd/idbridge") //nolint:gosec // into a folder of our own
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build idbridge: %w\n%s", err, text)
	}
	if err := b.startSlapd(*groups); err != nil {
		return err
	}
	defer b.slapd.Stop()
	if *only != "api" {
		if err := b.measure(ctx); err != nil {
			return err
		}
	}
	if *only != "sync" {
		return b.api(ctx)
	}
	return nil
}

func (b *bench) startSlapd(groups int) error {
	seed := filepath.Join(b.dir, "seed.ldif")
	file, err := os.Create(seed)
	if err != nil {
		return err
	}
	const fixedSeed = 1
	if err := errors.Join(testserver.WritePeople(file, b.people, groups, fixedSeed), file.Close()); err != nil {
		return fmt.Errorf("generate people: %w", err)
	}
	home := filepath.Join(b.dir, "slapd")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	b.slapd, err = testserver.StartSlapd(home, testserver.SlapdOptions{File: seed})
	return err
}

func (b *bench) measure(ctx context.Context) error {
	fmt.Fprintf(b.out, "%d people; each reading %d times in turns, medians; ratios to ldapsearch of the same entries in the same turns\n\n",
		b.people, b.rounds)
	fmt.Fprintf(b.out, "%-34s %10s %8s %8s\n", "", "seconds", "ratio", "MiB")
	err := b.store(ctx, "sqlite", func(round int) (string, error) {
		return "sqlite:" + filepath.Join(b.dir, fmt.Sprintf("idbridge%d.db", round)), nil
	})
	if err != nil {
		return err
	}
	pgHome := filepath.Join(b.dir, "postgres")
	if err := os.MkdirAll(pgHome, 0o755); err != nil { //nolint:gosec // the server may run as another user
		return err
	}
	url, stop, err := testserver.StartPostgres(pgHome)
	if err != nil {
		return err
	}
	err = b.store(ctx, "postgresql", func(int) (string, error) { return testserver.PostgresDatabase(url) })
	return errors.Join(err, stop())
}

// store measures one database. Each turn reads with ldapsearch, imports everybody into a store of its own, and lists again
// with nothing to do, so that the machine's moods fall on all alike.
func (b *bench) store(ctx context.Context, name string, fresh func(round int) (string, error)) error {
	var search, first, again series
	config := filepath.Join(b.dir, name+".yaml")
	for round := range b.rounds {
		url, err := fresh(round)
		if err != nil {
			return err
		}
		if err := os.WriteFile(config, []byte(b.config(url)), 0o600); err != nil {
			return err
		}
		for _, read := range []struct {
			into *series
			do   func() (sample, error)
		}{
			{&search, func() (sample, error) { return b.ldapsearch(ctx) }},
			{&first, func() (sample, error) { return b.sync(ctx, config) }},
			{&search, func() (sample, error) { return b.ldapsearch(ctx) }},
			{&again, func() (sample, error) { return b.sync(ctx, config) }},
		} {
			s, err := read.do()
			if err != nil {
				return err
			}
			*read.into = append(*read.into, s)
		}
	}
	b.row("ldapsearch … >/dev/null", search.median(), search.median())
	b.row("first import, "+name, first.median(), search.median())
	b.row("unchanged full reconcile, "+name, again.median(), search.median())
	return nil
}

func (b *bench) row(name string, s, against sample) {
	fmt.Fprintf(b.out, "%-34s %10.2f %7.2fx %8.0f\n", name, s.seconds, s.seconds/against.seconds, s.mebibytes)
}

func (b *bench) config(url string) string {
	return strings.NewReplacer("STORE", url, "LDAP", b.slapd.URL, "BASE", b.slapd.BaseDN, "BINDDN", b.slapd.SyncDN, "PASSWORD", b.slapd.SyncPassword).Replace(`
store: {url: "STORE"}
directories:
  - name: bench
    type: ldap
    urls: ["LDAP"]
    bind: {dn: "BINDDN", password: "PASSWORD"}
    insecure_cleartext_bind: true
    base_dn: "BASE"
    users: {filter: "(objectClass=inetOrgPerson)"}
    groups: {filter: "(objectClass=groupOfNames)"}
    map:
      userName: uid
      givenName: givenName
      familyName: sn
      displayName: displayName
      email: mail
      phone: telephoneNumber
      title: title
      number: employeeNumber
      city: l
      department: departmentNumber
attributes:
  phone: {match: telephone}
  title: {}
  number: {}
  city: {}
  department: {}
`)
}
