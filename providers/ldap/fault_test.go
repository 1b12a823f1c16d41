package ldap_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldap"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

// saboteur is a real slapd behind a proxy that understands LDAP and misbehaves as told.
func saboteur(t *testing.T, ldif string) (*testserver.SlapdServer, *ldapsim.Proxy, ldap.Config) {
	t.Helper()
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldif})
	p, err := ldapsim.NewProxy(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	cfg := settings(srv)
	cfg.URLs, cfg.TLS = []string{p.URL()}, ldap.TLS{AllowCleartextBind: true}
	cfg.Timeouts.Idle, cfg.Timeouts.Request = 1500*time.Millisecond, 1500*time.Millisecond
	return srv, p, cfg
}

// struck insists that the fault happened; its count may come a moment after its effect.
func struck(t *testing.T, armed *ldapsim.Armed) {
	t.Helper()
	select {
	case <-armed.Struck():
	case <-time.After(10 * time.Second):
		t.Fatal("the fault did not strike")
	}
}

const (
	usersText  = "inetOrgPerson"
	groupsText = "groupOfNames"
)

// TestListingUnderFaults: whatever the server does in the middle of a listing, it is never called complete while it is
// not, and what was shown is what is there.
func TestListingUnderFaults(t *testing.T) {
	_, p, cfg := saboteur(t, people(t, 250, 5))
	cfg.PageSize = 50
	s := session(t, directory(t, cfg))
	whole := complete(t, s).records
	at := func(f ldapsim.Fault) ldapsim.Fault {
		f.Op, f.Filter, f.After = ldapsim.OpSearch, usersText, 2
		return f
	}
	for name, c := range map[string]struct {
		fault ldapsim.Fault
		kind  idbridge.Kind // of the error; Internal: an incomplete checkpoint
		words string
	}{
		"paging control lost":    {at(ldapsim.Fault{Do: ldapsim.Bare}), 0, "broke the paging off"},
		"code 3":                 {at(ldapsim.Fault{Do: ldapsim.Refuse, Code: 3, N: 7}), 0, "after 107 entries with 3 Time Limit Exceeded"},
		"code 4":                 {at(ldapsim.Fault{Do: ldapsim.Refuse, Code: 4, N: 7}), 0, "olcLimits"},
		"code 11":                {at(ldapsim.Fault{Do: ldapsim.Refuse, Code: 11, N: 7, Text: "look-through"}), 0, "look-through"},
		"code 51":                {at(ldapsim.Fault{Do: ldapsim.Refuse, Code: 51}), 0, "51 Busy"},
		"code 53 on the cookie":  {at(ldapsim.Fault{Do: ldapsim.Refuse, Code: 53}), 0, "53 Unwilling"},
		"code 80":                {at(ldapsim.Fault{Do: ldapsim.Refuse, Code: 80, N: 1}), 0, "80 Other"},
		"code 32 midway":         {at(ldapsim.Fault{Do: ldapsim.Refuse, Code: 32}), 0, "32 No Such Object"},
		"reference":              {at(ldapsim.Fault{Do: ldapsim.Continue, N: 3, URIs: []string{"ldap://other/dc=x"}}), 0, "another server"},
		"cut between messages":   {at(ldapsim.Fault{Do: ldapsim.Cut, N: 9}), idbridge.Unavailable, "closed the connection"},
		"cut in a message":       {at(ldapsim.Fault{Do: ldapsim.CutBytes, Bytes: 777}), idbridge.Unavailable, "closed the connection"},
		"stall":                  {at(ldapsim.Fault{Do: ldapsim.Stall, N: 9}), idbridge.Unavailable, "does not answer"},
		"no end":                 {at(ldapsim.Fault{Do: ldapsim.Lose}), idbridge.Unavailable, "does not answer"},
		"notice":                 {at(ldapsim.Fault{Do: ldapsim.Notice, N: 9}), idbridge.Unavailable, "hangs up"},
		"2 GiB":                  {at(ldapsim.Fault{Do: ldapsim.HugeHead, N: 9}), idbridge.Unavailable, "at most 33554432"},
		"deep":                   {at(ldapsim.Fault{Do: ldapsim.Deep, N: 9}), idbridge.Unavailable, ""},
		"code 52 with nothing":   {ldapsim.Fault{Op: ldapsim.OpSearch, Filter: usersText, Do: ldapsim.Refuse, Code: 52}, idbridge.Unavailable, "52 Unavailable"},
		"code 50 with nothing":   {ldapsim.Fault{Op: ldapsim.OpSearch, Filter: usersText, Do: ldapsim.Refuse, Code: 50}, idbridge.Invalid, "read access"},
		"groups: code 4":         {ldapsim.Fault{Op: ldapsim.OpSearch, Filter: groupsText, Do: ldapsim.Refuse, Code: 4, N: 2}, 0, "listing groups ended after 2"},
		"groups: cut":            {ldapsim.Fault{Op: ldapsim.OpSearch, Filter: groupsText, Do: ldapsim.Cut, N: 2}, idbridge.Unavailable, "closed"},
		"groups: paging control": {ldapsim.Fault{Op: ldapsim.OpSearch, Filter: groupsText, Do: ldapsim.Bare}, 0, "while listing groups"},
	} {
		t.Run(name, func(t *testing.T) {
			armed := p.Fault(c.fault)
			defer armed.Disarm()
			l := list(t, s)
			struck(t, armed)
			switch {
			case c.kind != idbridge.Internal:
				wantFault(t, l.err, c.kind, c.words)
			case l.err != nil:
				t.Fatal(l.err)
			case l.end.Complete || !strings.Contains(l.end.Proof.Doubt, c.words):
				t.Errorf("complete %t, doubt %q", l.end.Complete, l.end.Proof.Doubt)
			}
			for name, rec := range l.records {
				if rec.ID != whole[name].ID {
					t.Errorf("%s is shown as %v", name, rec.ID)
				}
			}
		})
	}
	for name, f := range map[string]ldapsim.Fault{
		"drip":   at(ldapsim.Fault{Do: ldapsim.Drip, For: time.Microsecond}),
		"repeat": at(ldapsim.Fault{Do: ldapsim.Repeat, N: 3}),
		"swap":   at(ldapsim.Fault{Do: ldapsim.Swap, N: 3}),
	} {
		t.Run(name, func(t *testing.T) {
			armed := p.Fault(f)
			defer armed.Disarm()
			if l := complete(t, s); len(l.records) != 250 || len(l.members) != 5 {
				t.Errorf("%d people, %d groups", len(l.records), len(l.members))
			}
			struck(t, armed)
		})
	}
}

// TestUnreadableEntries: entries that a server garbles are unusable, and the others are not disturbed.
func TestUnreadableEntries(t *testing.T) {
	_, p, cfg := saboteur(t, people(t, 40, 1))
	s := session(t, directory(t, cfg))
	complete(t, s)
	for name, c := range map[string]struct {
		fault ldapsim.Fault
		words string
	}{
		"huge value": {ldapsim.Fault{Do: ldapsim.HugeValue, Bytes: 2 << 20, Attributes: []string{"mail"}}, "2097152 bytes"},
		"no text":    {ldapsim.Fault{Do: ldapsim.BadText, Attributes: []string{"mail"}}, "not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			c.fault.Op, c.fault.Filter, c.fault.N = ldapsim.OpSearch, usersText, 5
			armed := p.Fault(c.fault)
			defer armed.Disarm()
			l := complete(t, s)
			struck(t, armed)
			if len(l.records) != 39 || len(l.unusable) != 1 || l.unusable[0].ID.ID == "" || !strings.Contains(l.unusable[0].Why.Error(), c.words) {
				t.Errorf("%d people, unusable %+v", len(l.records), l.unusable)
			}
		})
	}
}

// TestWriteAnswers puts each answer into the word that the table of this package says, and the next try is right.
func TestWriteAnswers(t *testing.T) {
	srv, p, cfg := saboteur(t, person("uid=anna", "anna", "displayName", "D0"))
	s := session(t, directory(t, cfg))
	rec := complete(t, s).records["anna"]
	n := 0
	for name, c := range map[string]struct {
		do   ldapsim.Deed
		code ldapsim.Code
		kind idbridge.Kind
		done bool
	}{
		"referral":             {ldapsim.Refuse, 10, idbridge.Refused, false},
		"no right":             {ldapsim.Refuse, 50, idbridge.Refused, false},
		"unwilling":            {ldapsim.Refuse, 53, idbridge.Refused, false},
		"class":                {ldapsim.Refuse, 65, idbridge.Refused, false},
		"constraint":           {ldapsim.Refuse, 19, idbridge.Refused, false},
		"TLS wanted":           {ldapsim.Refuse, 13, idbridge.Invalid, false},
		"busy":                 {ldapsim.Refuse, 51, idbridge.Unknown, false},
		"other":                {ldapsim.Refuse, 80, idbridge.Unknown, false},
		"other, and done":      {ldapsim.Mask, 80, idbridge.Unknown, true},
		"answer lost":          {ldapsim.Lose, 0, idbridge.Unknown, true},
		"hangup":               {ldapsim.Hangup, 0, idbridge.Unknown, false},
		"never done":           {ldapsim.Ignore, 0, idbridge.Unknown, false},
		"16, and done":         {ldapsim.Mask, 16, idbridge.Internal, true}, // our own earlier attempt: read back, equal, done
		"assertion, and done":  {ldapsim.Mask, 122, idbridge.Internal, true},
		"without its controls": {ldapsim.Bare, 0, idbridge.Internal, true}, // no post-read: read back
	} {
		t.Run(name, func(t *testing.T) {
			n++
			want := fmt.Sprintf("D%d", n)
			armed := p.Fault(ldapsim.Fault{Op: ldapsim.OpModify, Do: c.do, Code: c.code, Times: -1, Text: "because"})
			_, err := s.Apply(t.Context(), update(rec, idbridge.DisplayName, want))
			struck(t, armed)
			armed.Disarm()
			if c.kind == idbridge.Internal {
				if err != nil {
					t.Errorf("done, and %v", err)
				}
			} else {
				wantFault(t, err, c.kind)
			}
			if got := stored(t, srv, "anna", "displayName")[0] == "displayName: "+want; got != c.done {
				t.Errorf("done: %t", got)
			}
			after, err := s.Apply(t.Context(), update(rec, idbridge.DisplayName, want))
			if err != nil {
				t.Fatalf("the next try: %v", err)
			}
			rec = after
		})
	}
}

// TestFetchAfterStall: a search that the server never answers ends by its limit, and the session is good for more.
func TestFetchAfterStall(t *testing.T) {
	_, p, cfg := saboteur(t, people(t, 40, 1))
	s := session(t, directory(t, cfg))
	rec := complete(t, s).records["u0000001"]
	armed := p.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Filter: "entryUUID", Do: ldapsim.Stall, Times: -1})
	defer armed.Disarm()
	if _, err := s.Fetch(t.Context(), []idbridge.ExternalID{rec.ID}); idbridge.KindOf(err) != idbridge.Unavailable {
		t.Errorf("stalled: %v", err)
	}
	if n := armed.Count(); n != 2 {
		t.Errorf("asked %d times; a read is tried once more, and not again", n)
	}
	armed.Disarm()
	if got, err := s.Fetch(t.Context(), []idbridge.ExternalID{rec.ID}); err != nil || len(got) != 1 {
		t.Errorf("afterwards: %v, %v", got, err)
	}
}

// TestAbandon: giving up a search tells the server, and leaves the connection to the others. go-ldap's own cancel sends
// no Abandon.
func TestAbandon(t *testing.T) {
	_, p, cfg := saboteur(t, people(t, 40, 1))
	cfg.Timeouts.Idle = 20 * time.Second
	s := session(t, directory(t, cfg))
	rec := complete(t, s).records["u0000001"]
	armed := p.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Filter: "entryUUID", Do: ldapsim.Stall})
	defer armed.Disarm()
	connections := p.Count(ldapsim.OpBind)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := s.Fetch(ctx, []idbridge.ExternalID{rec.ID})
		ended <- err
	}()
	struck(t, armed)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	armed.Release()
	if got, err := s.Fetch(t.Context(), []idbridge.ExternalID{rec.ID}); err != nil || len(got) != 1 {
		t.Errorf("afterwards: %v, %v", got, err)
	}
	if n := p.Count(ldapsim.OpAbandon); n != 1 {
		t.Errorf("%d abandons", n)
	}
	if p.Count(ldapsim.OpBind) != connections {
		t.Error("the connection was given up with the search")
	}
}
