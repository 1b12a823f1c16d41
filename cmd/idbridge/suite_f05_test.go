package main

import (
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

// TestF05ScopeReload: another base or filter in the config of a running daemon applies nothing to people: the reload shows who would fall out and waits for approval.
func TestF05ScopeReload(t *testing.T) {
	binary := builtBinary(t)
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 20)
		d := b.daemon(binary)
		const before, after = `users: {filter: "(objectClass=inetOrgPerson)"}`, `users: {filter: "(&(objectClass=inetOrgPerson)(!(uid=p01*)))"}`
		b.swap(before, after)
		d.signal(syscall.SIGHUP)
		d.says("msg=\"config reloaded\"")
		d.says("guard=scope")
		status := b.must(0, "status")
		if !strings.Contains(status, "held") {
			t.Errorf("status does not show the held plan:\n%s", status)
		}
		if u := b.user("p012"); !*u.May {
			t.Error("somebody who fell out of the filter is suspended")
		}
		b.swap(after, before)
		d.signal(syscall.SIGHUP)
		d.says("msg=\"alarm ended\"")
		d.stop()
		b.sync(0)
		b.fixpoint()
	})
}

// TestF24BrokenReload: a config that cannot be read, or changes what a running daemon cannot change, leaves the old one in force and says why.
func TestF24BrokenReload(t *testing.T) {
	b := company(t, "", 10)
	key := strings.TrimSpace(b.must(0, "key", "new", "p000"))
	d := b.daemon(builtBinary(t))
	for text, why := range map[string]string{"map: {": "config not reloaded", "listen: \"127.0.0.1:1\"": "needs a restart"} {
		if text == "map: {" {
			b.swap("    map:\n", "    map: {\n")
		} else {
			b.swap(`listen: "127.0.0.1:0"`, text)
		}
		d.signal(syscall.SIGHUP)
		d.says(why)
		if text == "map: {" {
			b.swap("    map: {\n", "    map:\n")
		} else {
			b.swap(text, `listen: "127.0.0.1:0"`)
		}
	}
	if status, who := call(t, key, "GET", d.api()+"/whoami", ""); status != 200 {
		t.Errorf("whoami under the old config: %d %v", status, who)
	}
}

// TestF07LateModify: a write that hangs until the daemon has given up, and lands when another leader has gone on, loses nobody's edit: it is refused, or equal to what is there.
func TestF07LateModify(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 20)
		proxy := b.through()
		b.swap("    base_dn:", "    timeouts: {request: 1s}\n    base_dn:")
		b.sync(0)
		b.must(0, "user", "set", "p006", "phone=+44 6")
		late := proxy.Fault(ldapsim.Fault{Op: ldapsim.OpModify, Do: ldapsim.Delay})
		b.do("sync", "--once") // gives up on the write
		if late.Count() != 1 {
			t.Fatal("the fault never struck")
		}
		// The next leader writes it; then somebody in the directory writes something newer.
		b.must(0, "sync", "--once")
		b.modify(testserver.Change(personDN("p006"), "telephoneNumber", "+44 newer"))
		late.Release()
		b.sync(0)
		text, err := b.slapd.Search(personDN("p006"), "(objectClass=*)", "telephoneNumber")
		if err != nil || !strings.Contains(text, "+44 newer") || strings.Contains(text, "+44 6\n") {
			t.Errorf("slapd has %q, %v", text, err)
		}
		if got := b.user("p006").Profile["phone"].First(); got != "+44 newer" {
			t.Errorf("the store has %q", got)
		}
		b.fixpoint()
	})
}

// TestF10StoppedLeader: a leader that is frozen for longer than its lease, and goes on as if nothing had been, changes nothing any more once another one leads.
func TestF10StoppedLeader(t *testing.T) {
	binary := builtBinary(t)
	url := testserver.Postgres(t)
	b := company(t, url, 20)
	proxy := b.through()
	b.sync(0)
	b.modify(testserver.Change(personDN("p005"), "mail", "five@example.org"))
	stall := proxy.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Filter: "inetOrgPerson", Do: ldapsim.Stall, N: 10})
	frozen := exec.Command(binary, "-c", b.config, "sync", "--once")
	var log lines
	frozen.Stdout, frozen.Stderr = &log, &log
	if err := frozen.Start(); err != nil {
		t.Fatal(err)
	}
	<-stall.Struck()
	if err := frozen.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	endLeaseNow(t, url)
	b.must(0, "sync", "--once")
	b.modify(testserver.Change(personDN("p005"), "mail", "later@example.org"))
	b.must(0, "sync", "--once")
	before := b.digests()
	stall.Release()
	if err := frozen.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	err := frozen.Wait()
	var ended *exec.ExitError
	if !errors.As(err, &ended) {
		t.Fatalf("the frozen leader ended well: %v\n%s", err, log.String())
	}
	b.untouched(before)
	if got := b.user("p005").Profile[idbridge.Email].First(); got != "later@example.org" {
		t.Errorf("email is %q", got)
	}
	b.sync(0)
	b.fixpoint()
}

// endLeaseNow lets a lease on PostgreSQL be over, as it would be after its 15 seconds.
func endLeaseNow(t *testing.T, url string) {
	t.Helper()
	out, err := exec.Command(testserver.Need(t, "psql"), url, "-c", "UPDATE lease SET expires = 0").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "UPDATE 1") {
		t.Fatalf("psql: %v\n%s", err, out)
	}
}
