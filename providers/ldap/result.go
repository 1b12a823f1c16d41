package ldap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// result is how a search ended, as the server said it.
type result struct {
	code     int
	text     string // diagnosticMessage
	matched  string // matchedDN
	controls []ldap.Control

	references []string // URIs of the continuation references that came before it, one of each
}

// readResult decodes a whole SearchResultDone with its controls.
func readResult(msg []byte) (result, error) {
	packet, err := ber.DecodePacketErr(msg)
	if err != nil {
		return result{}, fmt.Errorf("%w: end of a search: %w", errMalformed, err)
	}
	var r result
	if err := ldap.GetLDAPError(packet); err != nil {
		var e *ldap.Error
		if !errors.As(err, &e) || !fromServer(e.ResultCode) {
			return result{}, fmt.Errorf("%w: end of a search: %w", errMalformed, err)
		}
		r.code, r.text, r.matched = int(e.ResultCode), e.Err.Error(), e.MatchedDN
	}
	if len(packet.Children) < 3 {
		return r, nil
	}
	for _, c := range packet.Children[2].Children {
		control, err := ldap.DecodeControl(c)
		if err != nil {
			return result{}, fmt.Errorf("%w: control: %w", errMalformed, err)
		}
		r.controls = append(r.controls, control)
	}
	return r, nil
}

// fromServer tells a server's result code from go-ldap's own numbers, which begin at 200.
func fromServer(code uint16) bool {
	return code < ldap.ErrorNetwork || code == ldap.LDAPResultSyncRefreshRequired
}

// name returns the code as people look it up.
func (r result) name() string {
	return fmt.Sprintf("%d %s", r.code, ldap.LDAPResultCodeMap[uint16(r.code)]) //nolint:gosec // a server's code fits
}

// err makes an error of a code that is not success. subject says what was asked, for the operator.
func (r result) err(subject string) error {
	if r.code == ldap.LDAPResultSuccess {
		return nil
	}
	cause := fmt.Errorf("%s: %s", subject, r.name())
	if r.text != "" {
		cause = fmt.Errorf("%w: %s", cause, r.text)
	}
	e := &idbridge.Error{Kind: idbridge.Unavailable, Msg: "the directory answered with an error", Err: cause}
	switch uint16(r.code) { //nolint:gosec // a server's code fits
	case ldap.LDAPResultNoSuchObject:
		e.Kind, e.Msg = idbridge.Invalid, "the directory has no entry where its people are looked for"
		e.Hint = "the base DN does not exist, or the bind DN may not see it; check base_dn" + matchedHint(r.matched)
	case ldap.LDAPResultInvalidDNSyntax:
		e.Kind, e.Msg, e.Hint = idbridge.Invalid, "the directory does not take the base DN", "check base_dn"
	case ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultStrongAuthRequired,
		ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultAuthorizationDenied:
		e.Kind, e.Msg = idbridge.Invalid, "the directory does not let us read"
		e.Hint = "give the bind DN read access to base, id attribute and mapped attributes; 8 and 13 ask for TLS"
	case ldap.LDAPResultSizeLimitExceeded:
		e.Kind, e.Msg, e.Hint = idbridge.Incomplete, "the directory cuts its answers off", sizeLimitHint
	case ldap.LDAPResultTimeLimitExceeded, ldap.LDAPResultAdminLimitExceeded:
		e.Kind, e.Msg = idbridge.Incomplete, "the directory cuts its answers off"
		e.Hint = "raise the server's time and look-through limits for the bind DN, and index what the filter asks for"
	case ldap.LDAPResultUndefinedAttributeType, ldap.LDAPResultInappropriateMatching:
		e.Kind, e.Msg, e.Hint = idbridge.Invalid, "the directory does not take the filter", "check users.filter and groups.filter"
	}
	return e
}

func matchedHint(dn string) string {
	if dn == "" {
		return ""
	}
	return fmt.Sprintf("; the nearest entry that exists is %q", dn)
}

const sizeLimitHint = `let the bind DN read everything; on OpenLDAP, on the entry olcDatabase={1}mdb,cn=config: ` +
	`add: olcLimits, olcLimits: dn.exact="<bind DN>" size=unlimited time=unlimited; in slapd.conf: ` +
	`limits dn.exact="<bind DN>" size=unlimited time=unlimited`

// lost makes an error of a connection that broke, or of a context that ended.
func lost(ctx context.Context, subject string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", subject, context.Cause(ctx))
	}
	e := &idbridge.Error{
		Kind: idbridge.Unavailable, Msg: "the connection to the directory broke", Err: fmt.Errorf("%s: %w", subject, err),
		Hint: "the server went away, or something between closed the connection; look at the server's log",
	}
	var timeout net.Error
	switch {
	case errors.Is(err, errMalformed):
		e.Msg, e.Hint = "the directory's answer cannot be read", "is this really an LDAP server, and nothing between that changes bytes?"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		e.Msg, e.Hint = "the directory does not answer", "the server hangs or is overloaded; raise timeouts if it is only slow"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		e.Msg = "the directory closed the connection"
	}
	return e
}
