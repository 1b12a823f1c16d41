package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
)

// TestF11Failover: when the database's primary dies in the middle of the work and its standby takes over, runs go on there; nobody is made twice and nothing committed is lost.
func TestF11Failover(t *testing.T) {
	primary := testserver.NewPostgresServer(t)
	standby := primary.Standby(t, true)
	both := strings.Replace(primary.URL(), primary.Addr(), primary.Addr()+","+standby.Addr(), 1)
	if !strings.Contains(both, "target_session_attrs") {
		both += "&target_session_attrs=read-write"
	}
	b := company(t, both, 200)
	key := strings.TrimSpace(b.must(0, "key", "new", "p000"))
	api := b.serve() + "/api/v1"
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	b.must(0, "user", "set", "p006", "phone=+44 6")
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Alone(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		status, _ := call(t, key, "GET", api+"/whoami", "")
		return status == 200
	}, func() string { return "an answer from the new primary" })
	eventually(t, func() bool {
		text, err := b.slapd.Search(personDN("p006"), "(objectClass=*)", "telephoneNumber")
		return err == nil && strings.Contains(text, "+44 6")
	}, func() string { return "the edit in slapd" })
	if n := strings.Count(b.must(0, "user", "list"), " p0"); n < 100 {
		t.Errorf("only %d users listed", n)
	}
}

// TestF12BlackHole: while the database does not answer, no request is answered from memory with a yes: it is refused as unavailable within its deadline, and works again afterwards.
func TestF12BlackHole(t *testing.T) {
	server := testserver.NewPostgresServer(t)
	hole := testserver.NewBlackHole(t, server.Addr())
	b := company(t, hole.URL(server.URL()), 20)
	key := strings.TrimSpace(b.must(0, "key", "new", "p000"))
	api := b.serve() + "/api/v1"
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	if status, who := call(t, key, "GET", api+"/whoami", ""); status != 200 {
		t.Fatalf("whoami: %d %v", status, who)
	}
	hole.Drop()
	time.Sleep(2 * time.Second) // longer than the cache is trusted without proof
	for range 3 {
		start := time.Now()
		defer func() { t.Log("answered after", time.Since(start)) }()
		if status, answer := call(t, key, "POST", api+"/check", `{"user":"p000","role":"ADMIN"}`); status != 503 {
			t.Errorf("a check without a database: %d %v", status, answer)
		}
	}
	hole.Resume()
	eventually(t, func() bool {
		status, _ := call(t, key, "GET", api+"/whoami", "")
		return status == 200
	}, func() string { return "an answer after the database is back" })
}

// TestF13PgBouncer: behind PgBouncer in transaction mode runs, edits, checks and the lead work.
func TestF13PgBouncer(t *testing.T) {
	server := testserver.NewPostgresServer(t)
	b := company(t, testserver.StartPgBouncer(t, server.URL()), 20)
	key := strings.TrimSpace(b.must(0, "key", "new", "p000"))
	b.must(0, "user", "set", "p006", "phone=+44 6")
	b.modify(testserver.Change(personDN("p005"), "mail", "five@example.org"))
	b.sync(0)
	b.fixpoint()
	api := b.serve() + "/api/v1"
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	if status, answer := call(t, key, "POST", api+"/check", `{"user":"p000","role":"ADMIN"}`); status != 200 || answer["allowed"] != true {
		t.Errorf("check: %d %v", status, answer)
	}
}

// TestF14NoNotice: an edit that another process makes is found by looking, within seconds and without any notice from the database; and the daemon ends within seconds when it is told to.
func TestF14NoNotice(t *testing.T) {
	b := company(t, testserver.Postgres(t), 20)
	d := b.daemon(builtBinary(t))
	b.must(0, "user", "set", "p006", "phone=+44 6")
	eventually(t, func() bool {
		text, err := b.slapd.Search(personDN("p006"), "(objectClass=*)", "telephoneNumber")
		return err == nil && strings.Contains(text, "+44 6")
	}, func() string { return "the edit in slapd" })
	d.signal(syscall.SIGTERM)
	select {
	case err := <-d.done:
		d.done <- nil
		if err != nil {
			t.Errorf("ended with %v\n%s", err, d.log.String())
		}
	case <-time.After(30 * time.Second):
		t.Error("the daemon does not end")
	}
}

// TestF22RolledBack: a directory that was restored from an older backup is found out: what it shows of old is not copied over what is newer, and nobody is removed, until somebody approves.
func TestF22RolledBack(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 40)
		if err := b.slapd.Snapshot(); err != nil {
			t.Fatal(err)
		}
		for _, uid := range []string{"p005", "p006", "p007", "p008", "p009", "p010"} {
			b.modify(testserver.Change(personDN(uid), "title", "Newer"))
		}
		b.modify(strings.Replace(person("new1"), "\nobjectClass", "\nchangetype: add\nobjectClass", 1))
		b.sync(0)
		if err := b.slapd.Restore(); err != nil {
			t.Fatal(err)
		}
		before := b.digests()
		code, out, errs := b.do("sync", "--once")
		if code != int(exitHeld) || !strings.Contains(out, "rollback") || !strings.Contains(out+errs, "backup") {
			t.Fatalf("exit %d\n%s%s", code, out, errs)
		}
		b.untouched(before)
		if got := b.user("p006").Profile["title"].First(); got != "Newer" {
			t.Errorf("title is %q", got)
		}
		if u := b.user("new1"); !*u.May {
			t.Error("somebody who came after the backup is suspended")
		}
		// Put right in the directory, everything is as before.
		for _, uid := range []string{"p005", "p006", "p007", "p008", "p009", "p010"} {
			b.modify(testserver.Change(personDN(uid), "title", "Newer"))
		}
		b.must(0, "sync", "--once")
		if got := b.user("p006").Profile[idbridge.Attribute("title")].First(); got != "Newer" {
			t.Errorf("title is %q", got)
		}
	})
}

// TestF23Trust: an expired or foreign certificate, a missing StartTLS and a changed password end in a refusal to talk, with a hint, and change nothing.
func TestF23Trust(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 20)
		before := b.digests()
		good := read(t, b.config)
		cases := map[string]func(){
			"wrong password": func() { b.swap(b.slapd.SyncPassword, "not it") },
			"foreign certificate": func() {
				dir := t.TempDir()
				other, err := testserver.NewAuthority(dir)
				if err != nil {
					t.Fatal(err)
				}
				b.swap(b.slapd.CAFile, other.CAFile)
			},
			"StartTLS stripped": func() {
				proxy := b.through()
				b.swap("insecure_cleartext_bind: true", "insecure_cleartext_bind: false")
				b.swap("tls: {", "tls: {start_tls: true, ")
				_ = proxy
			},
		}
		for name, breakIt := range cases {
			breakIt()
			code, out, errs := b.do("sync", "--once")
			if code != int(exitUnreachable) || !strings.Contains(errs, "\n  ") {
				t.Errorf("%s: exit %d, want 6 and a hint\n%s%s", name, code, out, errs)
			}
			b.untouched(before)
			b.write(good)
		}
		b.sync(0)
		b.fixpoint()
	})
}
