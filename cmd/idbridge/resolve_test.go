package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
)

// TestResolveOverHTTP: a decision made through the API reaches slapd without a run.
func TestResolveOverHTTP(t *testing.T) {
	slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(5, "p000")})
	b := newBridge(t, slapd, "", settings{})
	b.swap("title: title", "title: {from: title, on_conflict: hold}")
	b.sync(0)
	key := strings.TrimSpace(b.must(0, "key", "new", "p000"))
	b.must(0, "user", "set", "p001", "title=Lead")
	b.modify(testserver.Change(personDN("p001"), "title", "Senior"))
	b.sync(5)
	url := b.serve() + "/api/v1/conflicts/1/resolve"
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	if status, answer := call(t, key, http.MethodPost, url, `{"keep":"store"}`); status != http.StatusOK || answer["winner"] != "store" {
		t.Fatalf("%d %v", status, answer)
	}
	eventually(t, func() bool {
		text, err := slapd.Search(personDN("p001"), "(objectClass=*)", "title")
		return err == nil && strings.Contains(text, "title: Lead")
	}, func() string { return "the decision in slapd" })
	if status, _ := call(t, key, http.MethodPost, url, `{"keep":"directory"}`); status != http.StatusConflict {
		t.Errorf("decided twice: %d", status)
	}
}

// TestResolve: under on_conflict hold both sides stay as they are until a person decides, and then his decision arrives on
// both, unless somebody wrote again in the meantime.
func TestResolve(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(20, "p000")})
		b := newBridge(t, slapd, url, settings{})
		b.swap("title: title", "title: {from: title, on_conflict: hold}")
		b.sync(0)
		names := []string{"p001", "p002", "p003", "p004"}
		for _, name := range names {
			b.must(0, "user", "set", name, "title=Lead "+name)
			b.modify(testserver.Change(personDN(name), "title", "Senior "+name))
		}
		b.sync(5)
		b.sync(5) // and again: nothing is decided by waiting
		id := func(name string) string {
			for line := range strings.Lines(b.must(0, "conflicts")) {
				if f := strings.Fields(line); len(f) > 1 && f[1] == name {
					return f[0]
				}
			}
			t.Fatalf("no open conflict about %s", name)
			return ""
		}
		b.must(0, "conflicts", "resolve", id("p001"), "--keep", "store")
		b.must(0, "conflicts", "resolve", id("p002"), "--keep", "directory")
		b.must(0, "conflicts", "resolve", id("p003"), "--value", "Team Lead")
		last := id("p004")
		b.must(0, "conflicts", "resolve", last, "--keep", "store")
		b.modify(testserver.Change(personDN("p004"), "title", "Written since"))
		if code, _, errs := b.do("conflicts", "resolve", last, "--keep", "directory"); code != 1 || !strings.Contains(errs, "already") {
			t.Errorf("decided twice: exit %d, %s", code, errs)
		}
		b.sync(5) // what was written since the decision is a new conflict
		want := map[string]string{"p001": "Lead p001", "p002": "Senior p002", "p003": "Team Lead"}
		for name, title := range want {
			if got := b.user(name).Profile[idbridge.Attribute("title")].String(); got != title {
				t.Errorf("%s: the store has %q, want %q", name, got, title)
			}
			if text, err := slapd.Search(personDN(name), "(objectClass=*)", "title"); err != nil || !strings.Contains(text, "title: "+title) {
				t.Errorf("%s: slapd has %q, %v", name, text, err)
			}
		}
		b.must(0, "conflicts", "resolve", "--attribute", "title", "--keep", "directory")
		b.sync(0)
		if got := b.user("p004").Profile[idbridge.Attribute("title")].String(); got != "Written since" {
			t.Errorf("p004: the store has %q", got)
		}
		b.fixpoint()
	})
}
