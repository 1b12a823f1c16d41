package ldap_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldap"
)

// wantFault checks what a person sees: the kind, and words of message, cause and hint.
func wantFault(t *testing.T, err error, kind idbridge.Kind, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error() + " | " + idbridge.HintOf(err)
	if idbridge.KindOf(err) != kind {
		t.Errorf("kind %v, want %v: %s", idbridge.KindOf(err), kind, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in: %s", w, text)
		}
	}
}

func openFault(t *testing.T, cfg ldap.Config) error {
	t.Helper()
	s, err := directory(t, cfg).Open(t.Context())
	if err == nil {
		s.Close()
	}
	return err
}

func TestWaysToConnect(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 20, 1)})
	for name, change := range map[string]func(*ldap.Config){
		"ldaps":      func(*ldap.Config) {},
		"start_tls":  func(c *ldap.Config) { c.URLs, c.TLS.StartTLS = []string{srv.URL}, true },
		"ldapi":      func(c *ldap.Config) { c.URLs, c.TLS = []string{srv.SocketURL}, ldap.TLS{} },
		"clear text": func(c *ldap.Config) { c.URLs, c.TLS = []string{srv.URL}, ldap.TLS{AllowCleartextBind: true} },
		"unverified": func(c *ldap.Config) { c.TLS = ldap.TLS{InsecureSkipVerify: true} },
		"anonymous with a name for the certificate": func(c *ldap.Config) {
			c.TLS.ServerName = "localhost"
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := settings(srv)
			change(&cfg)
			if l := complete(t, session(t, directory(t, cfg))); len(l.records) != 20 {
				t.Errorf("%d people", len(l.records))
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{})
	cfg := settings(srv)
	for name, c := range map[string]struct {
		url   string
		words []string
	}{
		"nothing listens": {"ldaps://127.0.0.1:1", []string{"cannot be reached", "nothing listens on 127.0.0.1:1"}},
		"no such name":    {"ldaps://no-such-host.invalid", []string{"cannot be resolved", "no-such-host.invalid", "DNS"}},
		"no such socket":  {"ldapi://%2Fno%2Fsuch%2Fsocket", []string{"there is no socket /no/such/socket"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			cfg.URLs = []string{c.url}
			wantFault(t, openFault(t, cfg), idbridge.Unavailable, c.words...)
		})
	}
	srv.Stop()
	wantFault(t, openFault(t, cfg), idbridge.Unavailable, "nothing listens")
}

func TestCertificates(t *testing.T) {
	for name, c := range map[string]struct {
		cert  testserver.Certificate
		words []string
	}{
		"expired":    {testserver.Certificate{Expired: true}, []string{"has expired", "valid from", "install a new one"}},
		"wrong name": {testserver.Certificate{Names: []string{"ldap.example.org"}}, []string{"not for 127.0.0.1 but for ldap.example.org", "server_name"}},
		"no SAN":     {testserver.Certificate{Nameless: true, Subject: "127.0.0.1"}, []string{"no subject alternative name"}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := testserver.Slapd(t, testserver.SlapdOptions{Certificate: c.cert})
			wantFault(t, openFault(t, settings(srv)), idbridge.Invalid, c.words...)
			cfg := settings(srv)
			cfg.URLs, cfg.TLS.StartTLS = []string{srv.URL}, true
			wantFault(t, openFault(t, cfg), idbridge.Invalid, c.words...)
		})
	}
	srv := testserver.Slapd(t, testserver.SlapdOptions{})
	t.Run("foreign authority", func(t *testing.T) {
		other, err := testserver.NewAuthority(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		cfg := settings(srv)
		cfg.TLS.CAFile = other.CAFile
		wantFault(t, openFault(t, cfg), idbridge.Invalid, "signed by CN=idbridge test authority", "ca_file")
		cfg.TLS.CAFile = "" // the system knows it neither
		wantFault(t, openFault(t, cfg), idbridge.Invalid, "ca_file")
	})
	t.Run("ca_file", func(t *testing.T) {
		cfg := settings(srv)
		cfg.TLS.CAFile = filepath.Join(t.TempDir(), "missing")
		wantFault(t, openFault(t, cfg), idbridge.Invalid, "ca_file cannot be read")
		if err := os.WriteFile(cfg.TLS.CAFile, []byte("no certificate"), 0o600); err != nil {
			t.Fatal(err)
		}
		wantFault(t, openFault(t, cfg), idbridge.Invalid, "BEGIN CERTIFICATE")
	})
	t.Run("no TLS on that port", func(t *testing.T) {
		cfg := settings(srv)
		cfg.URLs = []string{strings.Replace(srv.URL, "ldap:", "ldaps:", 1)}
		if err := openFault(t, cfg); err == nil {
			t.Error("connected by TLS to a clear-text port")
		}
	})
}

// TestStartTLSUnderAttack: whoever is on the way can stall, refuse or add to the answer; no password is ever said.
func TestStartTLSUnderAttack(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{})
	cfg := settings(srv)
	cfg.TLS.StartTLS = true
	cfg.Timeouts.Dial = 300 * time.Millisecond
	yes := "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
	no := "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00"
	for name, c := range map[string]struct {
		answers []string
		kind    idbridge.Kind
		words   string
	}{
		"stall":          {nil, idbridge.Unavailable, "says nothing"},
		"refusal":        {[]string{no}, idbridge.Invalid, "refuses StartTLS"},
		"injected bytes": {[]string{yes + "\x30\x0c\x02\x01\x02"}, idbridge.Unavailable, "bytes after the answer"},
		"then silence":   {[]string{yes}, idbridge.Unavailable, "says nothing"},
		"no LDAP":        {[]string{"220 smtp ready\r\n"}, idbridge.Unavailable, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			cfg.URLs = []string{script(t, c.answers...)}
			wantFault(t, openFault(t, cfg), c.kind, c.words)
		})
	}
}

func TestWrongPasswordIsTriedOnce(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{})
	p := newProxy(t, srv)
	cfg := settings(srv)
	cfg.URLs, cfg.TLS = []string{p.url}, ldap.TLS{AllowCleartextBind: true}
	cfg.Bind.Password = idbridge.NewSecret("wrong horse")
	err := openFault(t, cfg)
	wantFault(t, err, idbridge.Unauthentic, "refuses our password", "bind.dn")
	if strings.Contains(err.Error(), "wrong horse") {
		t.Error("the password is in the error")
	}
	if n := p.connections.Load(); n != 1 {
		t.Errorf("%d connections: tried again", n)
	}
	cfg.Bind.DN = "cn=nobody,dc=example,dc=org"
	wantFault(t, openFault(t, cfg), idbridge.Unauthentic, "refuses our password")
}

// TestCancel ends every state that can wait: connecting, StartTLS, TLS, bind, a listing that stalls, a write.
func TestCancel(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 50, 1)})
	ended := func(t *testing.T, f func(context.Context) error) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f(ctx) }()
		time.Sleep(50 * time.Millisecond) // let it get to where it waits
		cancel()
		select {
		case err := <-done:
			if err == nil {
				t.Error("no error")
			}
		case <-time.After(10 * time.Second):
			t.Fatal("goes on")
		}
	}
	silent := script(t)
	for name, change := range map[string]func(*ldap.Config){
		"start_tls": func(c *ldap.Config) { c.URLs, c.TLS.StartTLS = []string{silent}, true },
		"tls":       func(c *ldap.Config) { c.URLs = []string{strings.Replace(silent, "ldap:", "ldaps:", 1)} },
		"bind":      func(c *ldap.Config) { c.URLs, c.TLS = []string{silent}, ldap.TLS{AllowCleartextBind: true} },
		"probe": func(c *ldap.Config) {
			c.URLs, c.TLS, c.Bind = []string{silent}, ldap.TLS{}, ldap.Bind{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := settings(srv)
			change(&cfg)
			d := directory(t, cfg)
			ended(t, func(ctx context.Context) error { _, err := d.Open(ctx); return err })
		})
	}
	t.Run("calls of a session", func(t *testing.T) {
		p := newProxy(t, srv)
		cfg := settings(srv)
		cfg.URLs, cfg.TLS = []string{p.url}, ldap.TLS{AllowCleartextBind: true}
		s := session(t, directory(t, cfg))
		rec := complete(t, s).records["u0000001"]
		p.silent.Store(true)
		ended(t, func(ctx context.Context) error {
			_, err := s.Fetch(ctx, []idbridge.ExternalID{rec.ID})
			return err
		})
		ended(t, func(ctx context.Context) error {
			_, err := s.Apply(ctx, idbridge.Step{
				ID: rec.ID, Side: idbridge.DirectorySide, Verb: idbridge.Update, After: idbridge.Profile{idbridge.DisplayName: {"x"}},
			})
			return err
		})
		ended(t, func(ctx context.Context) error {
			for _, err := range s.Scan(ctx, "") {
				if err != nil {
					return err
				}
			}
			return nil
		})
		ended(t, func(ctx context.Context) error {
			_, err := directory(t, cfg).Authenticate(ctx, "u0000001", "secret")
			return err
		})
	})
}

// TestSilence: a server that stops talking is noticed by the limits alone.
func TestSilence(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 3000, 1)})
	p := newProxy(t, srv)
	cfg := settings(srv)
	cfg.URLs, cfg.TLS = []string{p.url}, ldap.TLS{AllowCleartextBind: true}
	cfg.Timeouts.Idle, cfg.Timeouts.Request = 300*time.Millisecond, 300*time.Millisecond
	s := session(t, directory(t, cfg))
	n := 0
	var end error
	for c, err := range s.Scan(t.Context(), "") {
		if end = err; err != nil {
			break
		}
		if _, ok := c.(idbridge.Checkpoint); ok {
			t.Fatal("a stalled listing ended with a checkpoint")
		}
		if n++; n == 1 {
			p.silent.Store(true)
		}
	}
	wantFault(t, end, idbridge.Unavailable, "does not answer", "timeouts")
	_, err := s.Fetch(t.Context(), []idbridge.ExternalID{{Directory: "corp", ID: "x"}})
	wantFault(t, err, idbridge.Unavailable, "does not answer")
	p.silent.Store(false)
	if l := complete(t, s); len(l.records) != 3000 { // the session connects again
		t.Errorf("%d people", len(l.records))
	}
	if _, err := s.Fetch(t.Context(), []idbridge.ExternalID{{Directory: "corp", ID: "x"}}); err != nil {
		t.Errorf("fetch after the silence: %v", err)
	}
}

func TestServerRestartsBetweenCalls(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(t, 20, 1)})
	s := session(t, directory(t, settings(srv)))
	rec := complete(t, s).records["u0000003"]
	if err := srv.Restart(); err != nil {
		t.Fatal(err)
	}
	got, err := s.Fetch(t.Context(), []idbridge.ExternalID{rec.ID})
	if err != nil || len(got) != 1 {
		t.Errorf("after a restart: %v, %v", got, err)
	}
}

// TestNotAnLDAPServer: whatever answers on that port, it is an error and no panic.
func TestNotAnLDAPServer(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{})
	bound := "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"
	for name, answer := range map[string]string{
		"text":             "HTTP/1.1 400 Bad Request\r\n\r\n",
		"2 GiB":            "\x30\x84\x7f\xff\xff\xff\x02\x01\x01\x61",
		"indefinite":       "\x30\x80\x02\x01\x01\x61\x00",
		"deep":             "\x30\x82\x02\x00" + strings.Repeat("\x30\x82\x01\xf0", 120),
		"goodbye":          "\x30\x3c\x02\x01\x00\x78\x37\x0a\x01\x34\x04\x00\x04\x18going down for a service\x8a\x161.3.6.1.4.1.1466.20036",
		"bound, then text": bound + "HTTP/1.1 400 Bad Request\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			cfg := settings(srv)
			cfg.URLs, cfg.TLS = []string{script(t, answer, answer)}, ldap.TLS{AllowCleartextBind: true}
			cfg.Timeouts.Request, cfg.Timeouts.Idle = 300*time.Millisecond, 300*time.Millisecond
			err := openFault(t, cfg)
			wantFault(t, err, idbridge.Unavailable)
			if name == "goodbye" && !strings.Contains(err.Error(), "going down for a service") {
				t.Errorf("the server's own words are lost: %v", err)
			}
		})
	}
}

func TestClosedSession(t *testing.T) {
	srv := testserver.Slapd(t, testserver.SlapdOptions{})
	s := session(t, directory(t, settings(srv)))
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := s.Fetch(t.Context(), []idbridge.ExternalID{{Directory: "corp", ID: "x"}}); err == nil {
		t.Error("a closed session fetches")
	}
}

// TestNoSecretBeforeTLS: what goes over the wire before TLS is the StartTLS request and nothing else.
func TestNoSecretBeforeTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	said := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			said <- ""
			return
		}
		defer c.Close()
		buf := make([]byte, 4096)
		n, _ := c.Read(buf)
		said <- string(buf[:n])
	}()
	srv := testserver.Slapd(t, testserver.SlapdOptions{})
	cfg := settings(srv)
	cfg.URLs, cfg.TLS.StartTLS = []string{"ldap://" + l.Addr().String()}, true
	if err := openFault(t, cfg); err == nil {
		t.Fatal("opened")
	}
	if got := <-said; !strings.HasSuffix(got, "1.3.6.1.4.1.1466.20037") || len(got) != 31 {
		t.Errorf("said %q before TLS", got)
	}
}
