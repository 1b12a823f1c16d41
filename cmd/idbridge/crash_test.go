//go:build failpoints

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
)

// TestCrash kills the daemon with SIGKILL at each named point, in the middle of runs and pushes that change both sides, and
// expects the next run to end in the state that a run without a crash ends in.
func TestCrash(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "idbridge")
	if out, err := exec.Command("go", "build", "-tags", "failpoints", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	points := []string{
		"engine.sent.after", // sent is recorded, nothing is on the wire
		"ldap.modify.before",
		"ldap.modify.after", // the directory has it, nobody wrote that down
		"engine.applied.after",
		"store.commit.before",
		"store.commit.after",
		"store.settle.before",
		"store.settle.after",
		"engine.cursor.before", // everything is done but the bookmark
	}
	stores(t, func(t *testing.T, url string) {
		for _, point := range points {
			t.Run(point, func(t *testing.T) { crashAt(t, binary, url, point) })
		}
	})
}

func crashAt(t *testing.T, binary, url, point string) {
	if url != "" {
		url = testserver.Postgres(t) // a database of its own for each point
	}
	slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(40, "p000", "p001")})
	b := newBridge(t, slapd, url, settings{})
	b.sync(0)
	key := strings.TrimSpace(b.must(0, "key", "new", "p004"))
	// One run has to: pull a mail, write a phone, decide a conflict, take a new person, and change a group.
	b.modify(testserver.Change(personDN("p005"), "mail", "five@example.org"))
	b.must(0, "user", "set", "p006", "phone=+44 6")
	b.must(0, "user", "set", "p007", "title=Lead")
	b.modify(testserver.Change(personDN("p007"), "title", "Senior"))
	b.modify(strings.Replace(person("new1"), "\nobjectClass", "\nchangetype: add\nobjectClass", 1))
	b.modify("dn: " + adminGroup + "\nchangetype: modify\nadd: member\nmember: " + personDN("p002") + "\n\n")

	// The daemon finds a slot that nobody ran and edits that wait, and dies of the first one that comes to the point.
	b.swap("missed: skip", "missed: run_once")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-c", b.config, "serve")
	cmd.Env = append(os.Environ(), "FP="+point+":1:kill9")
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("the daemon never came to %s\n%s", point, out)
	}
	b.swap("missed: run_once", "missed: skip")
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("not killed at %s: %v\n%s", point, err, out)
	}
	switch {
	case url == "":
	case point == waitedFor:
		waitForLease(t, b)
	default:
		endLease(t, url)
	}
	b.sync(0)
	b.crashFree(key)
	b.fixpoint()
}

// waitedFor is the point after which the successor waits for the lease as it would in life; after the others the test ends
// it, since the wait is the same.
const waitedFor = "engine.applied.after"

// endLease lets the killed process's lease on PostgreSQL end now.
func endLease(t *testing.T, url string) {
	t.Helper()
	out, err := exec.Command(testserver.Need(t, "psql"), url, "-c", "UPDATE lease SET expires = 0").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "UPDATE 1") {
		t.Fatalf("psql: %v\n%s", err, out)
	}
}

// waitForLease waits until the killed process's lease on PostgreSQL has ended.
func waitForLease(t *testing.T, b *bridge) {
	t.Helper()
	for range 60 {
		if code, _, _ := b.do("plan"); code != int(exitLocked) {
			return
		}
		time.Sleep(time.Second)
	}
	t.Fatal("the lease of the killed process never ended")
}

// crashFree checks the state that a run without a crash ends in.
func (b *bridge) crashFree(key string) {
	b.t.Helper()
	want := map[string][2]string{
		"p005": {"email", "five@example.org"}, "p006": {"phone", "+44 6"}, "p007": {"title", "Senior"}, "new1": {"email", "new1@example.org"},
	}
	for name, w := range want {
		if got := b.user(name).Profile[idbridge.Attribute(w[0])].First(); got != w[1] {
			b.t.Errorf("%s %s is %q in the store, want %q", name, w[0], got, w[1])
		}
	}
	if text, err := b.slapd.Search(personDN("p006"), "(objectClass=*)", "telephoneNumber"); err != nil || !strings.Contains(text, "telephoneNumber: +44 6") {
		b.t.Errorf("slapd has %q, %v", text, err)
	}
	if n := strings.Count(b.must(0, "conflicts", "--all"), "p007"); n != 1 {
		b.t.Errorf("%d conflicts about p007, want 1", n)
	}
	if len(b.user("p002").Grants) != 1 {
		b.t.Error("p002 is no administrator")
	}
	if u := b.user("p004"); !*u.May || len(u.Keys) != 1 || !strings.Contains(key, string(u.Keys[0].ID)) {
		b.t.Errorf("p004's key: %+v", u)
	}
	for i := range 40 {
		if u := b.user(fmt.Sprintf("p%03d", i)); !*u.May {
			b.t.Errorf("p%03d is suspended", i)
		}
	}
}
