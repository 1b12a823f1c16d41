package ldapsim_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge/providers/ldapsim"
)

// crowd is a directory of n people p000, p001 and so on.
func crowd(n int) string {
	var b strings.Builder
	b.WriteString(frameLDIF)
	for i := range n {
		fmt.Fprintf(&b, "dn: uid=p%03d,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: p%03d\ncn: P %d\nsn: %d\nmail: p%d@example.org\n\n", i, i, i, i, i)
	}
	return b.String()
}

// all lists everybody and returns the uids as they came, the controls and the error.
func all(c *ldap.Conn, controls ...ldap.Control) ([]string, []ldap.Control, error) {
	res, err := c.Search(ldap.NewSearchRequest(people, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=inetOrgPerson)", []string{"uid", "mail"}, controls))
	var uids []string
	if res == nil {
		return nil, nil, err
	}
	for _, e := range res.Entries {
		uids = append(uids, e.GetAttributeValue("uid"))
	}
	return uids, res.Controls, err
}

// either is a server of ours, or a proxy before one: both do the same to their answers.
type either interface {
	URL() string
	Fault(f ldapsim.Fault) *ldapsim.Armed
	Count(op ldapsim.Op) int
}

// both runs a test on a server and on a proxy.
func both(t *testing.T, test func(t *testing.T, s *ldapsim.Server, e either)) {
	t.Helper()
	t.Run("server", func(t *testing.T) {
		s := start(t, ldapsim.Config{LDIF: crowd(20)})
		test(t, s, s)
	})
	t.Run("proxy", func(t *testing.T) {
		s := start(t, ldapsim.Config{LDIF: crowd(20)})
		p, err := ldapsim.NewProxy(s.URL())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		test(t, s, p)
	})
}

// listingFault is a fault in a listing of twenty, and what a client sees of it.
type listingFault struct {
	name  string
	fault ldapsim.Fault
	n     int    // entries that come
	code  uint16 // go-ldap's: the server's, or 200 for a lost connection
	check func(t *testing.T, uids []string)
}

func listingFaults() []listingFault {
	return []listingFault{
		{"refuse", ldapsim.Fault{Do: ldapsim.Refuse, Code: ldapsim.Busy, Text: "later"}, 0, 51, nil},
		{"refuse after", ldapsim.Fault{Do: ldapsim.Refuse, N: 7, Code: ldapsim.SizeLimitExceeded}, 7, 4, nil},
		{"refuse after more than there are", ldapsim.Fault{Do: ldapsim.Refuse, N: 70, Code: ldapsim.SizeLimitExceeded}, 20, 4, nil},
		{"mask", ldapsim.Fault{Do: ldapsim.Mask, Code: ldapsim.Other}, 20, 80, nil},
		{"cut", ldapsim.Fault{Do: ldapsim.Cut, N: 5}, 5, 200, nil},
		{"cut at once", ldapsim.Fault{Do: ldapsim.Cut}, 0, 200, nil},
		{"cut before the end", ldapsim.Fault{Do: ldapsim.Cut, N: 20}, 20, 200, nil},
		{"cut in bytes", ldapsim.Fault{Do: ldapsim.CutBytes, Bytes: 1000}, -1, 200, nil},
		{"hang up", ldapsim.Fault{Do: ldapsim.Hangup}, 0, 200, nil},
		{"notice", ldapsim.Fault{Do: ldapsim.Notice, N: 3}, 3, 200, nil},
		{"drip", ldapsim.Fault{Do: ldapsim.Drip, For: time.Microsecond}, 20, 0, nil},
		{"empty", ldapsim.Fault{Do: ldapsim.Empty}, 0, 0, nil},
		{"skip", ldapsim.Fault{Do: ldapsim.Skip, N: 4}, 19, 0, func(t *testing.T, uids []string) {
			if slices.Contains(uids, "p004") {
				t.Error("p004 is there")
			}
		}},
		{"repeat", ldapsim.Fault{Do: ldapsim.Repeat, N: 4}, 21, 0, func(t *testing.T, uids []string) {
			if uids[4] != "p004" || uids[5] != "p004" {
				t.Errorf("order %q", uids)
			}
		}},
		{"swap", ldapsim.Fault{Do: ldapsim.Swap, N: 4}, 20, 0, func(t *testing.T, uids []string) {
			if uids[4] != "p005" || uids[5] != "p004" {
				t.Errorf("order %q", uids)
			}
		}},
		{"swap the last", ldapsim.Fault{Do: ldapsim.Swap, N: 19}, 20, 0, nil},
		{"referral", ldapsim.Fault{Do: ldapsim.Refer, URIs: []string{"ldap://other.example/"}}, 0, 10, nil},
		{"reference", ldapsim.Fault{Do: ldapsim.Continue, N: 4, URIs: []string{"ldap://other.example/"}}, 20, 0, nil},
		{"withdraw entries", ldapsim.Fault{Do: ldapsim.Withdraw, N: 4}, 4, 0, nil},
	}
}

func TestListingFaults(t *testing.T) {
	for _, x := range listingFaults() {
		t.Run(x.name, func(t *testing.T) {
			both(t, func(t *testing.T, _ *ldapsim.Server, e either) {
				c := signedIn(t, e.URL())
				x.fault.Op, x.fault.Under, x.fault.Filter = ldapsim.OpSearch, people, "(objectClass=inetOrgPerson)"
				armed := e.Fault(x.fault)
				uids, _, err := all(c)
				if got := codeOf(t, err); got != int(x.code) || x.n >= 0 && len(uids) != x.n {
					t.Errorf("%d entries, %v; want %d entries and code %d", len(uids), err, x.n, x.code)
				}
				if armed.Count() != 1 {
					t.Errorf("struck %d times", armed.Count())
				}
				if x.check != nil {
					x.check(t, uids)
				}
				armed.Disarm()
				if uids, _, err = all(signedIn(t, e.URL())); err != nil || len(uids) != 20 {
					t.Errorf("afterwards: %d entries, %v", len(uids), err)
				}
			})
		})
	}
}

func TestPagingControlLost(t *testing.T) {
	both(t, func(t *testing.T, _ *ldapsim.Server, e either) {
		c := signedIn(t, e.URL())
		for name, deed := range map[string]ldapsim.Deed{"bare": ldapsim.Bare, "empty": ldapsim.Empty} {
			e.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Do: deed, After: 1})
			page := ldap.NewControlPaging(5)
			uids, controls, err := all(c, page)
			if err != nil || len(uids) != 5 {
				t.Fatal(err)
			}
			page.SetCookie(ldap.FindControl(controls, ldap.ControlTypePaging).(*ldap.ControlPaging).Cookie)
			uids, controls, err = all(c, page)
			back, there := ldap.FindControl(controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
			switch {
			case err != nil:
				t.Error(err)
			case name == "bare" && (there || len(uids) != 5):
				t.Errorf("bare: %v, %d entries", back, len(uids))
			case name == "empty" && (!there || len(back.Cookie) > 0 || len(uids) != 0):
				t.Errorf("empty: %v, %d entries", back, len(uids))
			}
		}
	})
}

func TestStallAndRelease(t *testing.T) {
	both(t, func(t *testing.T, _ *ldapsim.Server, e either) {
		c := signedIn(t, e.URL())
		armed := e.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Do: ldapsim.Stall, N: 6})
		type answer struct {
			uids []string
			err  error
		}
		got := make(chan answer, 1)
		go func() {
			uids, _, err := all(c)
			got <- answer{uids, err}
		}()
		<-armed.Struck()
		select {
		case a := <-got:
			t.Fatalf("answered while stalled: %v", a)
		default:
		}
		armed.Release()
		if a := <-got; a.err != nil || len(a.uids) != 20 {
			t.Errorf("released: %d entries, %v", len(a.uids), a.err)
		}
	})
}

func TestCloseEndsStalls(t *testing.T) {
	for _, deed := range []ldapsim.Deed{ldapsim.Stall, ldapsim.Delay, ldapsim.HugeHead, ldapsim.Deep, ldapsim.Ignore, ldapsim.Lose} {
		s, err := ldapsim.Start(ldapsim.Config{LDIF: crowd(20)})
		if err != nil {
			t.Fatal(err)
		}
		c := signedIn(t, s.URL())
		armed := s.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Do: deed})
		done := make(chan error, 1)
		go func() {
			_, _, err := all(c)
			done <- err
		}()
		<-armed.Struck()
		if err := s.Close(); err != nil {
			t.Errorf("%s: close: %v", deed, err)
		}
		if err := <-done; err == nil {
			t.Errorf("%s: a listing without an end", deed)
		}
	}
}

func TestBadEntries(t *testing.T) {
	both(t, func(t *testing.T, _ *ldapsim.Server, e either) {
		c := signedIn(t, e.URL())
		search := func() []*ldap.Entry {
			res, err := c.Search(ldap.NewSearchRequest(people, 2, 0, 0, 0, false, "(uid=*)", []string{"uid", "mail"}, nil))
			if err != nil {
				t.Fatal(err)
			}
			return res.Entries
		}
		e.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Do: ldapsim.HugeValue, N: 3, Bytes: 5 << 20, Attributes: []string{"mail"}})
		if v := search()[3].GetAttributeValue("mail"); len(v) != 5<<20 {
			t.Errorf("huge value of %d bytes", len(v))
		}
		e.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Do: ldapsim.BadText, N: 3, Attributes: []string{"MAIL"}})
		if v := search()[3].GetEqualFoldAttributeValue("mail"); v != "\xff\xfe\xfd" {
			t.Errorf("bad text %q", v)
		}
		e.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Do: ldapsim.NULName, N: 3})
		if v := search()[3].DN; !strings.Contains(v, "\x00") {
			t.Errorf("DN %q", v)
		}
		armed := e.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Do: ldapsim.Withdraw, N: 10, Attributes: []string{"mail"}})
		for i, entry := range search() {
			if got := entry.GetAttributeValue("mail") != ""; got != (i < 10) || entry.GetAttributeValue("uid") == "" {
				t.Errorf("entry %d: %v", i, entry)
			}
		}
		for _, entry := range search() { // and it stays away
			if entry.GetAttributeValue("mail") != "" {
				t.Errorf("%s shows its mail again", entry.DN)
			}
		}
		armed.Disarm()
		if search()[0].GetAttributeValue("mail") == "" {
			t.Error("the right did not come back")
		}
	})
}

func TestWriteFaults(t *testing.T) {
	const someone = "uid=p001," + people
	for _, x := range []struct {
		name  string
		fault ldapsim.Fault
		code  uint16
		done  bool
	}{
		{"busy", ldapsim.Fault{Do: ldapsim.Refuse, Code: ldapsim.Busy}, 51, false},
		{"read-only replica", ldapsim.Fault{Do: ldapsim.Refer, URIs: []string{"ldap://master.example/"}}, 10, false},
		{"ignored and cut", ldapsim.Fault{Do: ldapsim.Hangup}, 200, false},
		{"done and masked", ldapsim.Fault{Do: ldapsim.Mask, Code: ldapsim.Unavailable}, 52, true},
		{"done and cut", ldapsim.Fault{Do: ldapsim.Cut}, 200, true},
		{"ignored", ldapsim.Fault{Do: ldapsim.Ignore}, 200, false},
		{"done, answer lost", ldapsim.Fault{Do: ldapsim.Lose}, 200, true},
		{"delayed", ldapsim.Fault{Do: ldapsim.Delay, For: time.Millisecond}, 0, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			both(t, func(t *testing.T, s *ldapsim.Server, e either) {
				c := signedIn(t, e.URL())
				if x.name == "ignored" || x.name == "done, answer lost" {
					c.SetTimeout(50 * time.Millisecond)
				}
				x.fault.Op, x.fault.Under = ldapsim.OpModify, someone
				e.Fault(x.fault)
				if err := modify(someone, replace("mail", "new@example.org"))(c); codeOf(t, err) != int(x.code) {
					t.Errorf("%v, want %d", err, x.code)
				}
				got, _ := s.Entry(someone)
				if is := got["mail"][0] == "new@example.org"; is != x.done {
					t.Errorf("mail is %q", got["mail"])
				}
				// Elsewhere, and afterwards, all is well.
				if err := modify(someone, replace("mail", "newer@example.org"))(signedIn(t, e.URL())); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestDelayedWriteLands: the client gives up and leaves, another writes, then the first write arrives.
func TestDelayedWriteLands(t *testing.T) {
	const someone = "uid=p001," + people
	both(t, func(t *testing.T, s *ldapsim.Server, e either) {
		armed := e.Fault(ldapsim.Fault{Op: ldapsim.OpModify, Do: ldapsim.Delay})
		late := signedIn(t, e.URL())
		given := make(chan error, 1)
		go func() {
			given <- modify(someone, drop("mail", "p1@example.org"), put("mail", "late@example.org"))(late)
		}()
		<-armed.Struck()
		if err := late.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-given; err == nil {
			t.Error("answered before it was done")
		}
		if err := modify(someone, put("title", "first"))(signedIn(t, e.URL())); err != nil {
			t.Fatal(err)
		}
		armed.Release()
		for range 500 {
			if got, _ := s.Entry(someone); got["mail"][0] == "late@example.org" {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Error("the late write never landed")
	})
}

func TestFaultMatching(t *testing.T) {
	both(t, func(t *testing.T, _ *ldapsim.Server, e either) {
		c := signedIn(t, e.URL())
		armed := e.Fault(ldapsim.Fault{
			Op: ldapsim.OpCompare, Under: "OU=people, dc=example,dc=org", After: 2, Times: 3, Do: ldapsim.Refuse, Code: ldapsim.Busy,
		})
		var codes []int
		for i := range 8 {
			codes = append(codes, codeOf(t, compare(fmt.Sprintf("uid=p%03d,%s", i, people), "sn", "x")(c)))
		}
		if want := []int{5, 5, 51, 51, 51, 5, 5, 5}; !slices.Equal(codes, want) {
			t.Errorf("codes %v, want %v", codes, want)
		}
		if armed.Count() != 3 {
			t.Errorf("struck %d times", armed.Count())
		}
		always := e.Fault(ldapsim.Fault{Do: ldapsim.Refuse, Code: ldapsim.Unavailable, Times: -1})
		for range 5 {
			if code := codeOf(t, compare("uid=p000,"+people, "sn", "x")(c)); code != 52 {
				t.Errorf("code %d", code)
			}
		}
		always.Disarm()
		if n := e.Count(ldapsim.OpCompare); n != 13 {
			t.Errorf("%d compares counted", n)
		}
		if e.Count(ldapsim.OpAny) < 14 {
			t.Errorf("%d requests counted", e.Count(ldapsim.OpAny))
		}
	})
}

// TestRawFaults looks at the bytes.
func TestRawFaults(t *testing.T) {
	both(t, func(t *testing.T, _ *ldapsim.Server, e either) {
		for _, x := range []struct {
			fault ldapsim.Fault
			check func(b []byte) bool
		}{
			{ldapsim.Fault{Do: ldapsim.HugeHead, For: time.Millisecond}, func(b []byte) bool { return bytes.HasPrefix(b, []byte("\x30\x84\x7f\xff\xff\xff")) }},
			{ldapsim.Fault{Do: ldapsim.Deep, For: time.Millisecond}, func(b []byte) bool {
				_, err := ber.DecodePacketErr(b)
				return err != nil && strings.Contains(err.Error(), "nesting") && len(b) > 60_000
			}},
			{ldapsim.Fault{Do: ldapsim.CutBytes, Bytes: 17}, func(b []byte) bool { return len(b) == 17 }},
			{ldapsim.Fault{Do: ldapsim.Notice, Text: "going down"}, func(b []byte) bool {
				p, err := ber.DecodePacketErr(b)
				return err == nil && p.Children[0].Value == int64(0) && bytes.Contains(b, []byte("1.3.6.1.4.1.1466.20036")) &&
					bytes.Contains(b, []byte("going down"))
			}},
		} {
			x.fault.Op = ldapsim.OpSearch
			e.Fault(x.fault)
			if b := exchange(t, e.URL(), rootSearch); !x.check(b) {
				t.Errorf("%s: %d bytes: %.60x", x.fault.Do, len(b), b)
			}
		}
	})
}

// rootSearch asks for the rootDSE.
const rootSearch = "\x30\x25\x02\x01\x01\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x0bobjectClass\x30\x00"

// exchange sends bytes and reads until the other side closes.
func exchange(t *testing.T, url, send string) []byte {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "ldap://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err = io.WriteString(c, send); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("read: %v after %d bytes", err, len(b))
	}
	return b
}

const startTLS = "\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"

func TestStartTLSFaults(t *testing.T) {
	s := start(t, ldapsim.Config{})
	config := trust(t, s)
	s.Fault(ldapsim.Fault{Op: ldapsim.OpStartTLS, Do: ldapsim.Refuse, Code: ldapsim.Unavailable})
	c := dial(t, s.URL())
	if err := c.StartTLS(config); codeOf(t, err) != 52 {
		t.Errorf("refused: %v", err)
	}
	if err := dial(t, s.URL()).StartTLS(config); err != nil { // go-ldap's reader ends with a refusal
		t.Errorf("the second time: %v", err)
	}
	s.Fault(ldapsim.Fault{Op: ldapsim.OpStartTLS, Do: ldapsim.Inject, Data: []byte("\x30\x05\x02\x01\x02\x42\x00")})
	hasty, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "ldap://"))
	if err != nil {
		t.Fatal(err)
	}
	defer hasty.Close()
	_, _ = io.WriteString(hasty, startTLS)
	answer := make([]byte, 512)
	if n, err := hasty.Read(answer); err != nil || !bytes.HasSuffix(answer[:n], []byte("\x30\x05\x02\x01\x02\x42\x00")) {
		t.Errorf("answer and injected bytes: %v, %x", err, answer[:n])
	}
	armed := s.Fault(ldapsim.Fault{Op: ldapsim.OpStartTLS, Do: ldapsim.Stall})
	raw, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "ldap://"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err = io.WriteString(raw, startTLS); err != nil {
		t.Fatal(err)
	}
	<-armed.Struck()
	armed.Release()
	if _, err = io.ReadFull(raw, make([]byte, 20)); err != nil {
		t.Errorf("released: %v", err)
	}
}

func TestAbandon(t *testing.T) {
	s := start(t, ldapsim.Config{LDIF: crowd(20)})
	armed := s.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Do: ldapsim.Stall, N: 2})
	c, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "ldap://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, rootSearch)
	<-armed.Struck()
	_, _ = io.WriteString(c, "\x30\x06\x02\x01\x02\x50\x01\x01"+strings.Replace(rootSearch, "\x02\x01\x01\x63", "\x02\x01\x03\x63", 1))
	for {
		p, err := ber.ReadPacket(c)
		if err != nil {
			t.Fatal(err)
		}
		if id := p.Children[0].Value; id == int64(1) && p.Children[1].Tag == 5 {
			t.Fatal("an abandoned search was answered")
		} else if id == int64(3) && p.Children[1].Tag == 5 {
			return // and the connection is still good
		}
	}
}

func TestTimeLimit(t *testing.T) {
	s := start(t, ldapsim.Config{LDIF: crowd(20)})
	c := signedIn(t, s.URL())
	s.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Do: ldapsim.Stall, N: 2})
	res, err := c.Search(ldap.NewSearchRequest(people, 2, 0, 0, 1, false, "(uid=*)", nil, nil))
	if codeOf(t, err) != 3 || len(res.Entries) != 2 {
		t.Errorf("%v", err)
	}
}
