package ldap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is one line of a check.
type Finding struct {
	Name  string // what was looked at: dns, tcp, tls, bind …
	Level Level
	Text  string
	Fix   string // what to do, down to the command; "" when there is nothing to do
}

// checker collects findings, from the outside in.
type checker struct {
	d        *Directory
	findings []Finding
}

// Check looks at the directory from the outside in and says what it finds; it stops where nothing further can be seen.
// It reads only. It may take as long as two id listings.
func (d *Directory) Check(ctx context.Context) []Finding {
	k := &checker{d: d}
	if !k.reach(ctx) {
		return k.findings
	}
	c, err := d.dial(ctx, "")
	if err != nil {
		k.fault("connect", err)
		return k.findings
	}
	defer c.close()
	k.certificate(c)
	if !k.signIn(ctx, c) {
		return k.findings
	}
	srv, err := d.probe(ctx, c)
	if err != nil {
		k.fault("server", err)
		return k.findings
	}
	k.server(srv)
	k.clock(ctx, c)
	if !k.base(ctx, c) {
		return k.findings
	}
	k.list(ctx, &Session{d: d, server: srv, at: c.at, conn: c})
	return k.findings
}

func (k *checker) say(name string, level Level, fix, format string, args ...any) {
	k.findings = append(k.findings, Finding{Name: name, Level: level, Text: fmt.Sprintf(format, args...), Fix: fix})
}

func (k *checker) fault(name string, err error) { k.say(name, Fail, idbridge.HintOf(err), "%v", err) }

// reach resolves the name and connects.
func (k *checker) reach(ctx context.Context) bool {
	e := k.d.end
	ctx, cancel := context.WithTimeout(ctx, k.d.cfg.Timeouts.Dial)
	defer cancel()
	network := "unix"
	if e.scheme != "ldapi" {
		network = "tcp"
		addrs, err := new(net.Resolver).LookupHost(ctx, e.host)
		if err != nil {
			k.fault("dns", dialFault(e, err))
			return false
		}
		k.say("dns", OK, "", "%s is %s", e.host, strings.Join(addrs, ", "))
	}
	socket, err := new(net.Dialer).DialContext(ctx, network, e.addr)
	if err != nil {
		k.fault("tcp", dialFault(e, err))
		return false
	}
	_ = socket.Close()
	k.say("tcp", OK, "", "%s takes connections", e.addr)
	return true
}

// certificate looks at the TLS connection that was made.
func (k *checker) certificate(c *conn) {
	if c.tls == nil {
		if k.d.end.scheme == "ldap" {
			k.say("tls", Warn, "use ldaps://, or set start_tls: true", "the connection is in clear text: whoever is on the way can read and change everything")
		}
		return
	}
	leaf := c.tls.PeerCertificates[0]
	days := int(time.Until(leaf.NotAfter).Hours() / 24)
	text := fmt.Sprintf("certificate of %s for %s, %d days left", leaf.Issuer, certNames(leaf), days)
	switch {
	case k.d.cfg.TLS.InsecureSkipVerify:
		k.say("tls", Warn, "remove insecure_skip_verify, set ca_file", "%s; NOT VERIFIED", text)
	case days < 14:
		k.say("tls", Warn, "install a new certificate on the server", "%s", text)
	default:
		k.say("tls", OK, "", "%s", text)
	}
}

func (k *checker) signIn(ctx context.Context, c *conn) bool {
	if k.d.cfg.Bind.DN == "" {
		k.say("bind", Warn, "set bind.dn and its password", "signed in as anonymous")
		return true
	}
	if err := c.bind(ctx, k.d.cfg.Bind.DN, k.d.cfg.Bind.Password.Reveal()); err != nil {
		k.fault("bind", err)
		return false
	}
	k.say("bind", OK, "", "signed in as %s", k.d.cfg.Bind.DN)
	return true
}

// server reports what the rootDSE and the schema say.
func (k *checker) server(s *server) {
	k.say("server", OK, "", "%s; naming contexts %s", s.vendor, strings.Join(s.contexts, ", "))
	for _, control := range []struct{ oid, name, without string }{
		{oidPaging, "paging", "a listing comes in one piece, and may hit the size limit"},
		{oidAssertion, "assertion", "writes are guarded by the old values alone"},
		{oidPostRead, "post-read", "each write costs one more search"},
	} {
		if s.has(control.oid) {
			k.say(control.name, OK, "", "offered")
		} else {
			k.say(control.name, Warn, "", "not offered: %s", control.without)
		}
	}
	if len(s.schema.types) == 0 {
		k.say("schema", Warn, "let the bind DN read "+s.subtree, "the schema cannot be read: what the server refuses is seen only when it refuses")
		return
	}
	for _, a := range append(k.d.m.Sources(), k.d.cfg.IDAttribute) {
		if !s.schema.known(a) {
			k.say("schema", Fail, "correct the name under map", "the server knows no attribute %s", a)
		}
	}
}

// clock compares our clock with the newest thing the server says about time: its own certificate of now is an entry's
// modifyTimestamp only, so the rootDSE's is asked where it has one.
func (k *checker) clock(ctx context.Context, c *conn) {
	e, err := c.base(ctx, "", "(objectClass=*)", "currentTime")
	if err != nil || e == nil || e.first("currentTime") == "" {
		return // only some servers tell; nothing here depends on equal clocks
	}
	at, err := time.Parse("20060102150405.0Z", e.first("currentTime"))
	if err != nil {
		return
	}
	if d := time.Since(at).Abs().Round(time.Second); d > time.Minute {
		k.say("clock", Warn, "set both clocks by NTP", "the server's clock differs from ours by %s", d)
	} else {
		k.say("clock", OK, "", "the server's clock differs from ours by %s", d)
	}
}

// base looks at the entries that must be readable.
func (k *checker) base(ctx context.Context, c *conn) bool {
	for _, dn := range []string{k.d.cfg.BaseDN, k.d.cfg.Users.Base, k.d.cfg.Groups.Base} {
		found, end, err := c.small(ctx, request{base: dn, scope: ldap.ScopeBaseObject, filter: "(objectClass=*)", attributes: []string{"1.1"}})
		if err == nil {
			err = end.err(fmt.Sprintf("read %q", dn))
		}
		if err == nil && len(found) == 0 {
			err = &idbridge.Error{Kind: idbridge.Invalid, Msg: "the base cannot be read", Err: errors.New(dn), Hint: "give the bind DN read access to it"}
		}
		if err != nil {
			k.fault("base", err)
			return false
		}
	}
	k.say("base", OK, "", "%s can be read", k.d.cfg.Users.Base)
	return true
}
