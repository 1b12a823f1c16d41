package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/idbridge/idbridge/internal/testserver"
)

// TestI13SingleWriter: of several processes that want to run at the same time over one database, one at a time leads and the others are turned away; together they make each change once.
func TestI13SingleWriter(t *testing.T) {
	url := freshPostgres(t)
	b := company(t, url, 40)
	for i := range 10 {
		b.modify(testserver.Change(personDN(login("p", i)), "title", "Senior"))
		b.must(0, "user", "set", login("p", 20+i), "phone=+44 "+login("", i))
	}
	writes := b.writes()
	var all sync.WaitGroup
	codes := make(chan int, 6)
	for range cap(codes) {
		all.Go(func() {
			var out, errs bytes.Buffer
			codes <- run(context.Background(), []string{"-c", b.config, "sync", "--once"}, func(string) string { return "" }, nil, &out, &errs)
		})
	}
	all.Wait()
	close(codes)
	done := 0
	for code := range codes {
		if exit(code) == exitDone {
			done++
		} else if exit(code) != exitLocked {
			t.Errorf("exit %d", code)
		}
	}
	if done == 0 {
		t.Error("nobody led")
	}
	if n := b.writes() - writes; n != 10 {
		t.Errorf("%d writes in the directory, want each of ten edits once", n)
	}
	b.fixpoint()
}

// TestI17NoSecrets: no password and no API key appears in any output, log, plan, audit row, metric or in the store's file.
func TestI17NoSecrets(t *testing.T) {
	b := company(t, "", 20)
	key := strings.TrimSpace(b.must(0, "key", "new", "p000"))
	b.must(0, "user", "set", "p006", "phone=+44 6")
	b.modify(testserver.Change(personDN("p005"), "mail", "five@example.org"))
	var said strings.Builder
	hear := func(args ...string) {
		_, out, errs := b.do(args...)
		said.WriteString(out + errs)
	}
	for _, args := range [][]string{
		{"-v", "check"}, {"-v", "plan"}, {"-v", "sync", "--once"}, {"-o", "json", "plan"}, {"plan", "-o", "ldif"}, {"plan", "-o", "csv"},
		{"config", "show"}, {"config", "check"}, {"status"}, {"-o", "json", "status"}, {"explain", "p000"}, {"-o", "json", "explain", "p000"},
		{"-o", "json", "user", "show", "p000"}, {"-o", "json", "key", "list", "p000"}, {"-o", "json", "audit", "list"}, {"-o", "json", "runs"},
	} {
		hear(args...)
	}
	b.swap(b.slapd.SyncPassword, "not-the-secret-9431")
	hear("-v", "sync", "--once")
	hear("-v", "check")
	b.swap("not-the-secret-9431", b.slapd.SyncPassword)
	if said.Len() < 10_000 {
		t.Fatalf("only %d characters were said", said.Len())
	}
	store, err := os.ReadFile(filepath.Join(b.dir, "idbridge.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, secret, _ := strings.Cut(key[4:], "_")
	for name, text := range map[string]string{"bind password": b.slapd.SyncPassword, "wrong password": "not-the-secret-9431", "key": key, "secret of the key": secret} {
		if len(text) < 8 {
			t.Fatalf("the %s is too short to be looked for: %q", name, text)
		}
		if strings.Contains(said.String(), text) {
			t.Errorf("the %s is in the output", name)
		}
		if bytes.Contains(store, []byte(text)) {
			t.Errorf("the %s is in the store", name)
		}
	}
}

// TestI18Revocation: whoever is suspended is refused on the next request by the daemon that did it and within a second by every other one, and no failed run lets him in again.
func TestI18Revocation(t *testing.T) {
	binary := builtBinary(t)
	b := company(t, freshPostgres(t), 20)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	admin := strings.TrimSpace(b.must(0, "key", "new", "p000"))
	key := strings.TrimSpace(b.must(0, "key", "new", "p005"))
	one, other := b.daemon(binary), b.daemon(binary)
	for _, d := range []*daemonProcess{one, other} {
		if status, _ := call(t, key, "GET", d.api()+"/whoami", ""); status != 200 {
			t.Fatalf("whoami: %d", status)
		}
	}
	_, who := call(t, key, "GET", one.api()+"/whoami", "")
	id := strings.Trim(mustJSON(t, who["id"]), `"`)
	if status, answer := call(t, admin, "POST", one.api()+"/users/"+id+"/suspend", `{"reason":"lost badge"}`); status/100 != 2 {
		t.Fatalf("suspend: %d %v", status, answer)
	}
	if status, _ := call(t, key, "GET", one.api()+"/whoami", ""); status != 401 {
		t.Errorf("the daemon that suspended him answers %d", status)
	}
	eventually(t, func() bool {
		status, _ := call(t, key, "GET", other.api()+"/whoami", "")
		return status == 401
	}, func() string { return "refusal by the other daemon" })
	other.stop()
	one.stop()
	b.slapd.Stop()
	b.do("sync", "--once")
	if err := b.slapd.Start(); err != nil {
		t.Fatal(err)
	}
	b.sync(0)
	if u := b.user("p005"); *u.May {
		t.Error("a run let him in again")
	}
}
