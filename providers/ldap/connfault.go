package ldap

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// dialFault says why a server cannot be reached.
func dialFault(e endpoint, err error) error {
	out := &idbridge.Error{
		Kind: idbridge.Unavailable, Msg: "the directory cannot be reached", Err: fmt.Errorf("connect to %s: %w", e.addr, err),
		Hint: fmt.Sprintf("is %s the right address, and may this machine connect to it?", e.addr),
	}
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		out.Msg = "the directory's name cannot be resolved"
		out.Hint = fmt.Sprintf("the name %q is not known here; check urls and this machine's DNS", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		out.Hint = fmt.Sprintf("nothing listens on %s; is the server running, and is that its port?", e.addr)
	case errors.Is(err, syscall.ENOENT):
		out.Hint = fmt.Sprintf("there is no socket %s; start slapd with -h ldapi://%s", e.addr, strings.ReplaceAll(e.addr, "/", "%2F"))
	case errors.Is(err, syscall.EACCES):
		out.Hint = "this user may not open " + e.addr
	case errors.As(err, &timeout) && timeout.Timeout():
		out.Hint = e.addr + " does not answer; a firewall, or a wrong address"
	}
	return out
}

// tlsFault says why a protected connection did not come about.
func tlsFault(e endpoint, name string, err error) error {
	out := &idbridge.Error{
		Kind: idbridge.Unavailable, Msg: "no protected connection to the directory", Err: fmt.Errorf("TLS with %s: %w", e.addr, err),
		Hint: "look at the server's TLS settings",
	}
	var (
		invalid  x509.CertificateInvalidError
		foreign  x509.UnknownAuthorityError
		wrong    x509.HostnameError
		notTLS   tls.RecordHeaderError
		refused  *ldap.Error
		timeout  net.Error
		insecure = "the directory's certificate cannot be trusted"
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		out.Kind, out.Msg = idbridge.Invalid, "the directory's certificate has expired, or is not valid yet"
		out.Hint = fmt.Sprintf("it is valid from %s to %s; install a new one on the server, and check both clocks",
			invalid.Cert.NotBefore.Format(time.DateOnly), invalid.Cert.NotAfter.Format(time.DateOnly))
	case errors.As(err, &foreign):
		out.Kind, out.Msg = idbridge.Invalid, insecure
		issuer := "an unknown authority"
		if foreign.Cert != nil {
			issuer = foreign.Cert.Issuer.String()
		}
		out.Hint = fmt.Sprintf("it is signed by %s, which is not known here; set tls.ca_file to that authority's certificate", issuer)
	case errors.As(err, &wrong) && len(wrong.Certificate.DNSNames)+len(wrong.Certificate.IPAddresses) == 0:
		out.Kind, out.Msg = idbridge.Invalid, insecure
		out.Hint = "it has no subject alternative name; install one on the server that names " + name
	case errors.As(err, &wrong):
		out.Kind, out.Msg = idbridge.Invalid, insecure
		out.Hint = fmt.Sprintf("it is not for %s but for %s; correct the URL, or set tls.server_name", name, certNames(wrong.Certificate))
	case errors.As(err, &notTLS):
		out.Kind = idbridge.Invalid
		out.Hint = "the server does not speak TLS on this port; use ldap:// with start_tls: true, or the port of ldaps://"
	case errors.As(err, &refused):
		out.Kind = idbridge.Invalid
		out.Hint = "the server refuses StartTLS; it may have no certificate; on OpenLDAP set olcTLSCertificateFile"
	case errors.As(err, &invalid):
		out.Kind, out.Msg = idbridge.Invalid, insecure
	case errors.As(err, &timeout) && timeout.Timeout():
		out.Hint = "the server took the connection and says nothing; is this the port of a TLS server?"
	}
	return out
}

func certNames(c *x509.Certificate) string {
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return strings.Join(names, ", ")
}

// bindFault says why signing in did not work. A refused password is Unauthentic and must not be tried again: a retry may
// lock the account.
func bindFault(dn string, err error) error {
	out := &idbridge.Error{
		Kind: idbridge.Unavailable, Msg: "signing in to the directory did not work", Err: fmt.Errorf("bind as %q: %w", dn, err),
	}
	var e *ldap.Error
	if !errors.As(err, &e) || !fromServer(e.ResultCode) {
		return out
	}
	switch e.ResultCode {
	case ldap.LDAPResultInvalidCredentials:
		out.Kind, out.Msg = idbridge.Unauthentic, "the directory refuses our password"
		out.Hint = "check bind.dn and its password; a wrong DN and a wrong password look the same here"
	case ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultStrongAuthRequired:
		out.Kind, out.Hint = idbridge.Invalid, "the server wants TLS before a password; use ldaps:// or start_tls: true"
	case ldap.LDAPResultInvalidDNSyntax, ldap.LDAPResultNoSuchObject:
		out.Kind, out.Hint = idbridge.Invalid, "check bind.dn"
	case ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultInsufficientAccessRights,
		ldap.LDAPResultAuthMethodNotSupported:
		out.Kind, out.Hint = idbridge.Invalid, "the server does not let this DN sign in with a password"
	}
	return out
}
