//go:build failpoints

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/idbridge/idbridge/internal/testserver"
)

// TestI07CrashMatrix: a daemon that is killed at any moment ends, after its restart, in the very state it would have ended in without the crash.
//
// Each scenario is done once without a crash while the program writes down every named point it passes. Then it is done
// again from the same beginning for each point and each time that point was passed, killed with SIGKILL right there, and
// taken up again. Store and directory must end as they did without the crash, and one more run finds nothing to do.
func TestI07CrashMatrix(t *testing.T) {
	binary := crashBinary(t)
	stores(t, func(t *testing.T, url string) {
		t.Parallel()
		for _, s := range crashScenarios() {
			t.Run(s.name, func(t *testing.T) {
				own := url
				if url != "" {
					own = testserver.Postgres(t) // a database of its own
				}
				matrix(t, binary, own, s)
			})
		}
	})
}

// crashScenario is something that a command does with both sides.
type crashScenario struct {
	name    string
	code    exit                     // with which the command ends when nobody kills it
	prepare func(b *bridge) []string // returns the command to be killed
}

func crashScenarios() []crashScenario {
	return []crashScenario{
		{"run", exitDone, func(b *bridge) []string {
			b.sync(0)
			b.must(0, "key", "new", "p004")
			b.modify("dn: " + personDN("p030") + "\nchangetype: delete\n\n")
			b.sync(0) // the first sighting of his absence
			b.modify(testserver.Change(personDN("p005"), "mail", "five@example.org"))
			b.must(0, "user", "set", "p006", "phone=+44 6")
			b.must(0, "user", "set", "p008", "phone=+44 8")
			b.must(0, "user", "set", "p007", "title=Lead")
			b.modify(testserver.Change(personDN("p007"), "title", "Senior"))
			b.modify(testserver.Change(personDN("p010"), "mail", "p011@example.org"))
			b.modify(testserver.Change(personDN("p011"), "mail", "p010@example.org"))
			b.modify(strings.Replace(person("new1"), "\nobjectClass", "\nchangetype: add\nobjectClass", 1))
			b.modify("dn: " + adminGroup + "\nchangetype: modify\nadd: member\nmember: " + personDN("p002") + "\n-\ndelete: member\nmember: " +
				personDN("p001") + "\n\n")
			return []string{"sync", "--once"}
		}},
		{"undo", exitDone, func(b *bridge) []string {
			b.sync(0)
			b.modify(testserver.Change(personDN("p005"), "mail", "five@example.org"))
			b.modify(testserver.Change(personDN("p006"), "title", "Senior"))
			b.must(0, "user", "set", "p007", "phone=+44 7")
			r := b.sync(0)
			undone := b.report1(b.must(int(exitPending), "-o", "json", "undo", fmt.Sprint(r.Run.ID)))
			return []string{"sync", "--plan", undone.Plan.Hash}
		}},
		{"edit", exitDone, func(b *bridge) []string {
			b.sync(0)
			return []string{"user", "set", "p006", "phone=+44 6", "title=Lead"}
		}},
		{"erase", exitDone, func(b *bridge) []string {
			b.sync(0)
			b.must(0, "key", "new", "p006")
			return []string{"user", "erase", "p006", "--yes"}
		}},
		{"plan", exitPending, func(b *bridge) []string {
			b.sync(0)
			b.modify(testserver.Change(personDN("p005"), "mail", "five@example.org"))
			return []string{"plan"}
		}},
		{"approve", exitDone, func(b *bridge) []string {
			b.sync(0)
			b.must(0, "key", "new", "p004")
			for i := range 10 {
				b.modify("dn: " + personDN(fmt.Sprintf("p%03d", i+4)) + "\nchangetype: delete\n\n")
			}
			b.sync(0)
			held := b.sync(int(exitHeld))
			return []string{"approve", held.Plan.Hash, "--removals", "10"}
		}},
	}
}

func crashBinary(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "idbridge")
	if out, err := exec.Command("go", "build", "-tags", "failpoints", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// matrix does one scenario for each point and each hit.
func matrix(t *testing.T, binary, url string, s crashScenario) {
	slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(40, "p000", "p001")})
	b := newBridge(t, slapd, url, settings{})
	command := s.prepare(b)
	again := b.beginning(url)
	list := filepath.Join(b.dir, "points")
	out, err := b.child(binary, "FPLIST="+list, command...)
	var ended *exec.ExitError
	if s.code == exitDone && err != nil || s.code != exitDone && (!errors.As(err, &ended) || ended.ExitCode() != int(s.code)) {
		t.Fatalf("without a crash: %v\n%s", err, out)
	}
	b.takeUp(nil)
	want := b.state()
	hits := map[string]int{}
	for _, name := range strings.Fields(read(t, list)) {
		hits[name]++
	}
	if len(hits) < 2 {
		t.Fatalf("only %d points were passed: %v", len(hits), hits)
	}
	total := 0
	for _, point := range slices.Sorted(maps.Keys(hits)) {
		for nth := 1; nth <= hits[point]; nth++ {
			again()
			out, err := b.child(binary, fmt.Sprintf("FP=%s:%d:kill9", point, nth), command...)
			var ended *exec.ExitError
			if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("not killed at hit %d of %s: %v\n%s", nth, point, err, out)
			}
			if url != "" {
				endLease(t, url)
			}
			b.takeUp(command)
			if got := b.state(); got != want {
				t.Fatalf("killed at hit %d of %s, then taken up: not the state without a crash\n%s", nth, point, unlike(want, got))
			}
			if s.name != "erase" { // his record is held in each run, and the exit code says so
				b.fixpoint()
			}
			total++
		}
		t.Logf("%-24s %2d hits, all converged", point, hits[point])
	}
	t.Logf("%d points × hits = %d kills, all converged", len(hits), total)
}

// takeUp does what an operator does after the crash: the same command again where its plan still waits, and runs until
// nothing is left to count; that somebody is missing is counted three times.
func (b *bridge) takeUp(command []string) {
	b.t.Helper()
	if len(command) > 1 && command[1] != "--once" {
		code, out, errs := b.do(command...)
		if code != 0 && code != int(exitPending) && !strings.Contains(errs, "already") && !strings.Contains(errs, "no such user") {
			b.t.Fatalf("%v after the crash: exit %d\n%s%s", command, code, out, errs)
		}
	}
	for range 3 {
		if code, out, errs := b.do("sync", "--once"); code != 0 && code != int(exitConflicts) { // an erased person's record is held
			b.t.Fatalf("a run after the crash: exit %d\n%s%s", code, out, errs)
		}
	}
}

// child gives a command in a process of its own.
func (b *bridge) child(binary, env string, args ...string) (string, error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"-c", b.config}, args...)...)
	cmd.Env = append(os.Environ(), env)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// beginning keeps store and directory as they are now, and returns what brings them back to it.
func (b *bridge) beginning(url string) (again func()) {
	b.t.Helper()
	if err := b.slapd.Snapshot(); err != nil {
		b.t.Fatal(err)
	}
	keep := b.t.TempDir()
	if url == "" {
		b.copyStore(b.dir, keep)
		return func() {
			b.t.Helper()
			if err := b.slapd.Restore(); err != nil {
				b.t.Fatal(err)
			}
			b.copyStore(keep, b.dir)
		}
	}
	dump := filepath.Join(keep, "dump.sql")
	b.tool("pg_dump", "--data-only", "--disable-triggers", "-f", dump, url)
	return func() {
		b.t.Helper()
		if err := b.slapd.Restore(); err != nil {
			b.t.Fatal(err)
		}
		b.tool("psql", "-q", "-v", "ON_ERROR_STOP=1", url, "-c", `DO $$ DECLARE t TEXT; BEGIN
			FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP
				EXECUTE 'TRUNCATE TABLE ' || quote_ident(t) || ' CASCADE'; END LOOP; END $$`, "-f", dump)
	}
}

// copyStore copies the files of a SQLite store, its marker too: the copy must not look like an older one.
func (b *bridge) copyStore(from, to string) {
	b.t.Helper()
	old, err := filepath.Glob(filepath.Join(to, "idbridge.db*"))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			b.t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(from, "idbridge.db*"))
	if err != nil || len(files) == 0 {
		b.t.Fatal("no store to copy", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(file)), text, 0o600)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bridge) tool(name string, args ...string) {
	b.t.Helper()
	if out, err := exec.Command(testserver.Need(b.t, name), args...).CombinedOutput(); err != nil {
		b.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// endLease lets the killed process's lease on PostgreSQL end now; TestF10 waits for it as in life.
func endLease(t *testing.T, url string) {
	t.Helper()
	out, err := exec.Command(testserver.Need(t, "psql"), url, "-c", "UPDATE lease SET expires = 0").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "UPDATE 1") {
		t.Fatalf("psql: %v\n%s", err, out)
	}
}

// TestF09KilledDaemon: a daemon that is killed while it pushes an edit or seals the audit loses neither: its successor finishes both, once.
func TestF09KilledDaemon(t *testing.T) {
	binary := crashBinary(t)
	stores(t, func(t *testing.T, url string) {
		for _, point := range []string{"engine.sent.after", "ldap.modify.after", "store.settle.before", "store.seal.before", "store.seal.after"} {
			t.Run(point, func(t *testing.T) {
				own := url
				if url != "" {
					own = testserver.Postgres(t)
				}
				b := company(t, own, 20)
				b.must(0, "user", "set", "p006", "phone=+44 6")
				writes := b.writes()
				out, err := b.child(binary, "FP="+point+":1:kill9", "serve")
				var ended *exec.ExitError
				if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("not killed at %s: %v\n%s", point, err, out)
				}
				if own != "" {
					endLease(t, own)
				}
				b.sync(0)
				if n := b.writes() - writes; n != 1 {
					t.Errorf("%d writes in the directory, want one", n)
				}
				if text, err := b.slapd.Search(personDN("p006"), "(objectClass=*)", "telephoneNumber"); err != nil || !strings.Contains(text, "telephoneNumber: +44 6") {
					t.Errorf("slapd has %q, %v", text, err)
				}
				if out := b.must(0, "audit", "verify"); !strings.Contains(out, "nothing was changed") {
					t.Errorf("the audit: %s", out)
				}
				b.fixpoint()
			})
		}
	})
}
