package ldap

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// Authenticate checks a password by bind: find exactly one person by login, then sign in with his DN on a fresh
// connection. An empty login or password never reaches the wire, since a bind without a password is anonymous and
// succeeds. Whatever is wrong with login or password, the answer is the same.
func (d *Directory) Authenticate(ctx context.Context, userName, password string) (idbridge.ExternalID, error) {
	if userName == "" || password == "" {
		return idbridge.ExternalID{}, wrongLogin(errors.New("empty login or password"))
	}
	id, dn, err := d.whoIs(ctx, userName)
	if err != nil {
		return idbridge.ExternalID{}, err
	}
	c, err := d.dial(ctx, "")
	if err != nil {
		return idbridge.ExternalID{}, unanswered(err)
	}
	defer c.close()
	err = c.call(ctx, func() error { return c.ldap.Bind(dn, password) })
	var e *ldap.Error
	switch {
	case err == nil:
		return id, nil
	case ctx.Err() != nil:
		return idbridge.ExternalID{}, fmt.Errorf("check a password: %w", context.Cause(ctx))
	case errors.As(err, &e) && fromServer(e.ResultCode) && saysNo(e.ResultCode):
		return idbridge.ExternalID{}, wrongLogin(fmt.Errorf("bind as %q: %w", dn, err))
	}
	return idbridge.ExternalID{}, unanswered(bindFault(dn, err))
}

// saysNo tells the codes that are an answer about the person from those that are trouble of the server.
func saysNo(code uint16) bool {
	switch code {
	case ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultUnwillingToPerform,
		ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultConstraintViolation, ldap.LDAPResultNoSuchObject,
		ldap.LDAPResultInvalidDNSyntax:
		return true
	}
	return false
}

// whoIs finds the one person with a login.
func (d *Directory) whoIs(ctx context.Context, userName string) (id idbridge.ExternalID, dn string, err error) {
	c, err := d.connect(ctx, "")
	if err != nil {
		return id, "", unanswered(err)
	}
	defer c.close()
	from, _ := d.m.From(idbridge.UserName)
	r := request{
		base: d.cfg.Users.Base, scope: ldap.ScopeWholeSubtree, limit: 2, attributes: []string{d.cfg.IDAttribute},
		filter: "(&" + bracketed(d.cfg.Users.Filter) + "(" + from + "=" + ldap.EscapeFilter(userName) + "))",
	}
	d.logSearch(ctx, r)
	found, end, err := c.small(ctx, r)
	switch {
	case err != nil:
		return id, "", unanswered(err)
	case len(found) > 1, end.code == ldap.LDAPResultSizeLimitExceeded:
		return id, "", wrongLogin(errors.New("several entries have this login"))
	case end.code != ldap.LDAPResultSuccess:
		return id, "", unanswered(end.err("look up a login"))
	case len(found) == 0:
		return id, "", wrongLogin(errors.New("no entry has this login"))
	}
	text, err := d.cfg.idName().text(found[0].of(d.cfg.IDAttribute))
	if err != nil || found[0].dn == "" {
		return id, "", wrongLogin(fmt.Errorf("%q cannot be told by its id: %w", found[0].dn, err))
	}
	return idbridge.ExternalID{Directory: d.cfg.Name, ID: text}, found[0].dn, nil
}

// wrongLogin is the one answer to every wrong login; why is for the log.
func wrongLogin(why error) error {
	return &idbridge.Error{Kind: idbridge.Unauthentic, Msg: "user name or password is wrong", Err: why}
}

// unanswered says that the directory could not be asked, whatever the reason: also when it is our own password that it
// refuses, which says nothing about the person's.
func unanswered(err error) error {
	return &idbridge.Error{Kind: idbridge.Unavailable, Msg: "the directory cannot check passwords now", Err: err, Hint: idbridge.HintOf(err)}
}
