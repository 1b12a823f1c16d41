package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// conn is one connection: the socket, TLS, our tap, and go-ldap on top.
type conn struct {
	ldap *ldap.Conn
	tap  *tap
	tls  *tls.ConnectionState // nil: clear text, or a local socket
	at   string               // the server's address
}

// limitDecoder bounds what asn1-ber takes from a server: its defaults are 2 GiB and 1,000 levels. The settings are
// process-wide, so they are made once, before the first connection.
var limitDecoder = sync.OnceFunc(func() { //nolint:gochecknoglobals // the library's own settings are global
	ber.MaxPacketLengthBytes = maxMessage
	ber.MaxNestingDepth = 64
})

// dial connects to the server and protects the connection; nothing secret has been said yet. at is the address that an
// earlier connection was made to, so that a name with several addresses means one server for a whole session; "" means
// any.
func (d *Directory) dial(ctx context.Context, at string) (*conn, error) {
	limitDecoder()
	ctx, cancel := context.WithTimeout(ctx, 2*d.cfg.Timeouts.Dial)
	defer cancel()
	network := "tcp"
	if d.end.scheme == "ldapi" {
		network, at = "unix", ""
	}
	if at == "" {
		at = d.end.addr
	}
	dialer := net.Dialer{Timeout: d.cfg.Timeouts.Dial, KeepAlive: 30 * time.Second}
	socket, err := dialer.DialContext(ctx, network, at)
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, fmt.Errorf("connect: %w", context.Cause(ctx))
		}
		return nil, dialFault(d.end, err)
	}
	c := &conn{at: socket.RemoteAddr().String()}
	top := socket
	if d.end.scheme == "ldaps" || d.cfg.TLS.StartTLS {
		protected, err := d.protect(ctx, socket)
		if err != nil {
			_ = socket.Close()
			return nil, err
		}
		state := protected.ConnectionState()
		top, c.tls = protected, &state
	}
	c.tap = newTap(top, d.cfg.Timeouts.Idle, d.cfg.Timeouts.Request)
	c.ldap = ldap.NewConn(c.tap, true) // true: whatever it is, it is not go-ldap's to change
	c.ldap.SetTimeout(d.cfg.Timeouts.Request)
	c.ldap.Start()
	return c, nil
}

// protect makes TLS, after StartTLS where that is asked for.
func (d *Directory) protect(ctx context.Context, socket net.Conn) (*tls.Conn, error) {
	settings, err := d.tlsSettings()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = socket.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := socket.SetDeadline(time.Now().Add(d.cfg.Timeouts.Dial)); err != nil {
		return nil, tlsFault(d.end, settings.ServerName, err)
	}
	if d.cfg.TLS.StartTLS {
		if err := startTLS(socket); err != nil {
			return nil, canceled(ctx, tlsFault(d.end, settings.ServerName, err))
		}
	}
	protected := tls.Client(socket, settings)
	if err := protected.HandshakeContext(ctx); err != nil {
		return nil, canceled(ctx, tlsFault(d.end, settings.ServerName, err))
	}
	if err := socket.SetDeadline(time.Time{}); err != nil {
		return nil, tlsFault(d.end, settings.ServerName, err)
	}
	return protected, nil
}

// canceled puts the caller's own wish to stop before what it caused.
func canceled(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("connect: %w", context.Cause(ctx))
	}
	return err
}

func (d *Directory) tlsSettings() (*tls.Config, error) {
	t := d.cfg.TLS
	settings := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: d.end.host,
		InsecureSkipVerify: t.InsecureSkipVerify, //nolint:gosec // named for the danger in the config
	}
	if t.ServerName != "" {
		settings.ServerName = t.ServerName
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, &idbridge.Error{Kind: idbridge.Invalid, Msg: "the directory's ca_file cannot be read", Err: err, Hint: "check tls.ca_file"}
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &idbridge.Error{
				Kind: idbridge.Invalid, Msg: "the directory's ca_file has no certificate", Err: errors.New(t.CAFile),
				Hint: "it must have lines that begin with -----BEGIN CERTIFICATE-----",
			}
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, &idbridge.Error{
				Kind: idbridge.Invalid, Msg: "our certificate for the directory cannot be read", Err: err, Hint: "check tls.cert_file and tls.key_file",
			}
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	return settings, nil
}

// startTLS asks for TLS by hand (RFC 4511 section 4.14), before anything else is on the connection: go-ldap's own call
// has no deadline and would put TLS above our tap. Bytes behind the answer would be an attacker's, and are refused.
func startTLS(socket net.Conn) error {
	const oid = "1.3.6.1.4.1.1466.20037"
	ask := append([]byte{0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16}, oid...)
	if _, err := socket.Write(ask); err != nil {
		return fmt.Errorf("ask for StartTLS: %w", err)
	}
	answer := make([]byte, 4096)
	have := 0
	for {
		n, err := socket.Read(answer[have:])
		have += n
		if _, _, end, ok := element(string(answer[:have]), 0, have); ok {
			if end != have {
				return fmt.Errorf("%w: bytes after the answer to StartTLS", errMalformed)
			}
			break
		}
		if err != nil {
			return fmt.Errorf("answer to StartTLS: %w", err)
		}
		if have == len(answer) || answer[0] != tagSequence {
			return fmt.Errorf("%w: answer to StartTLS", errMalformed)
		}
	}
	packet, err := ber.DecodePacketErr(answer[:have])
	if err != nil {
		return fmt.Errorf("%w: answer to StartTLS: %w", errMalformed, err)
	}
	if err := ldap.GetLDAPError(packet); err != nil {
		return fmt.Errorf("StartTLS: %w", err)
	}
	return nil
}

// connect dials and signs in with the config's DN.
func (d *Directory) connect(ctx context.Context, at string) (*conn, error) {
	c, err := d.dial(ctx, at)
	if err != nil {
		return nil, err
	}
	if d.cfg.Bind.DN == "" {
		return c, nil
	}
	if err := c.bind(ctx, d.cfg.Bind.DN, d.cfg.Bind.Password.Reveal()); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// bind signs in. An empty password never reaches the wire: a server takes it for an anonymous bind, and says yes.
func (c *conn) bind(ctx context.Context, dn, password string) error {
	if dn == "" || password == "" {
		return &idbridge.Error{Kind: idbridge.Unauthentic, Msg: "a name and a password are needed"}
	}
	err := c.call(ctx, func() error { return c.ldap.Bind(dn, password) })
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("bind: %w", context.Cause(ctx))
		}
		return bindFault(dn, err)
	}
	return nil
}

// call makes a call of go-ldap end when the context does: it takes none, so the socket goes.
func (c *conn) call(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx) //nolint:wrapcheck // the caller's own reason
	}
	stop := context.AfterFunc(ctx, func() { c.tap.fail(context.Cause(ctx)) })
	defer stop()
	err := f()
	if err != nil && !c.tap.alive() && c.tap.why != nil && !errors.Is(err, c.tap.why) {
		return fmt.Errorf("%w (%w)", err, c.tap.why)
	}
	return err
}

// close says goodbye and ends the connection with its goroutines.
func (c *conn) close() {
	if c.tap.alive() && c.tap.writing.TryLock() { // a writer that is stuck must not hold up the end
		defer c.tap.writing.Unlock()
		unbind := ber.Encode(ber.ClassApplication, ber.TypePrimitive, ldap.ApplicationUnbindRequest, nil, "")
		_ = c.tap.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.tap.Conn.Write(envelope(0x7fffffff, unbind).Bytes())
	}
	c.tap.fail(io.EOF)
	_ = c.ldap.Close()
}
