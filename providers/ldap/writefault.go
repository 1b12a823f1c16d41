package ldap

import (
	"errors"
	"fmt"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// errMoved says: nothing was done, the entry is not what was read, or not where it was. Look again.
// errRuled joins it where the server may also mean the value itself.
var (
	errMoved = errors.New("the entry moved")
	errRuled = errors.New("the server's own rule")
)

// writeFault puts the answer to a modify into one of the words that a step may end in. What is not clearly a server's
// "no" may have happened.
//
//	16 20 122 · 32 68            moved: read again by id          10 17 18 19 21 34 50 53 64 65 67 69 71   refused
//	8 13 49                      the directory is misconfigured   all else, and no answer                  unknown
func writeFault(err error) error {
	out := &idbridge.Error{Kind: idbridge.Unknown, Msg: "nobody knows whether the directory made the change", Err: err}
	var e *ldap.Error
	if !errors.As(err, &e) || !fromServer(e.ResultCode) {
		return out
	}
	switch e.ResultCode {
	case ldap.LDAPResultNoSuchAttribute, ldap.LDAPResultAttributeOrValueExists, ldap.LDAPResultAssertionFailed,
		ldap.LDAPResultNoSuchObject, ldap.LDAPResultEntryAlreadyExists:
		return fmt.Errorf("%w: %w", errMoved, err)
	case ldap.LDAPResultConstraintViolation:
		out.Kind, out.Msg = idbridge.Refused, "the directory refuses the value"
		out.Err = fmt.Errorf("%w: %w: %w", errMoved, errRuled, err)
	case ldap.LDAPResultReferral:
		out.Kind, out.Msg = idbridge.Refused, "this server of the directory is read-only"
		out.Hint = "put the URL of a writable server first in urls"
	case ldap.LDAPResultInsufficientAccessRights:
		out.Kind, out.Msg = idbridge.Refused, "the directory does not let us write this"
		out.Hint = "give the bind DN write access to the attribute, or map it with flow: in"
	case ldap.LDAPResultNamingViolation, ldap.LDAPResultNotAllowedOnRDN:
		out.Kind, out.Msg = idbridge.Refused, "the value is part of the entry's own name, and idbridge does not rename entries yet"
	case ldap.LDAPResultUndefinedAttributeType, ldap.LDAPResultInappropriateMatching, ldap.LDAPResultInvalidAttributeSyntax,
		ldap.LDAPResultInvalidDNSyntax, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultObjectClassViolation,
		ldap.LDAPResultObjectClassModsProhibited, ldap.LDAPResultAffectsMultipleDSAs:
		out.Kind, out.Msg = idbridge.Refused, "the directory refuses the change"
	case ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultInvalidCredentials:
		out.Kind, out.Msg = idbridge.Invalid, "the directory takes no writes from us as we are connected"
		out.Hint = "8 and 13 ask for TLS: use ldaps:// or start_tls: true"
	}
	return out
}
