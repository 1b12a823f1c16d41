package ldap_test

import (
	"context"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge/internal/testserver"
)

// The tests of this file pin what this package works around in go-ldap. One that fails is good news: look whether the
// workaround can go.

func library(t *testing.T, srv *testserver.SlapdServer) *goldap.Conn {
	t.Helper()
	c, err := goldap.DialURL(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Bind(srv.SyncDN, srv.SyncPassword); err != nil {
		t.Fatal(err)
	}
	return c
}

func everybody(srv *testserver.SlapdServer) *goldap.SearchRequest {
	return goldap.NewSearchRequest(srv.BaseDN, goldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=inetOrgPerson)", []string{"uid"}, nil)
}

// TestLibraryStreamEndsInSilence: a stream on a connection that has ended says nothing, and no error.
func TestLibraryStreamEndsInSilence(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 50, 1)})
	c := library(t, srv)
	_ = c.Close()
	r := c.SearchAsync(context.Background(), everybody(srv), 0)
	if r.Next() || r.Err() != nil || c.GetLastError() != nil {
		t.Errorf("the stream of a closed connection now says so: %v, %v", r.Err(), c.GetLastError())
	}
}

// TestLibraryLosesEntries: with a request timeout, a slow consumer loses entries, mostly without an error; TestSlowCaller
// holds that ours does not.
func TestLibraryLosesEntries(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 10, 1)})
	c := library(t, srv)
	c.SetTimeout(50 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := c.SearchAsync(ctx, everybody(srv), 0)
	n := 0
	for r.Next() {
		n++
		time.Sleep(120 * time.Millisecond)
	}
	if n >= 10 {
		t.Errorf("%d of 10 entries: a slow consumer loses nothing any more", n)
	}
}
