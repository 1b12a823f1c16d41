package ldap

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// Scope finds an entry by its id anywhere on the server, below all its naming contexts and whatever the config says, and
// tells where it is and by which of the config's rules it counts as one of our people or does not. An entry that is
// nowhere, or that we may not see, is Found == false and no error; an error means that it is not known. Errors:
// Unavailable, Invalid, Incomplete; Internal when several entries have the id.
func (s *Session) Scope(ctx context.Context, id idbridge.ExternalID) (idbridge.Scope, error) {
	found, err := s.anywhere(ctx, id)
	if err != nil {
		return idbridge.Scope{}, fmt.Errorf("look for %s: %w", id, err)
	}
	users := s.d.cfg.Users
	sc := idbridge.Scope{
		InBase:   idbridge.Support{Reason: "nowhere on the server, so not below users.base " + strconv.Quote(users.Base)},
		InFilter: idbridge.Support{Reason: "nowhere on the server, so not shown by users.filter " + users.Filter},
	}
	if found == nil {
		return sc, nil
	}
	sc.Found, sc.Locator, sc.Version = true, found.dn, found.first(s.server.version)
	sc.InBase = idbridge.Support{Reason: "not below users.base " + strconv.Quote(users.Base)}
	if below(canonicalDN(found.dn), canonicalDN(users.Base)) {
		sc.InBase = idbridge.Support{OK: true, Reason: "below users.base " + strconv.Quote(users.Base)}
	}
	matching, err := s.base(ctx, found.dn, users.Filter, "1.1")
	if err != nil {
		return idbridge.Scope{}, fmt.Errorf("try users.filter on %s: %w", id, err)
	}
	sc.InFilter = idbridge.Support{Reason: "does not match users.filter " + users.Filter}
	if matching != nil {
		sc.InFilter = idbridge.Support{OK: true, Reason: "matches users.filter " + users.Filter}
	}
	return sc, nil
}

// anywhere searches one naming context after the other; nil when the id is in none of them. The contexts that the config
// speaks of come first, and must let themselves be searched. Another one that this server does not hold (10), or that is
// hidden from us (32), has nothing for us.
func (s *Session) anywhere(ctx context.Context, id idbridge.ExternalID) (*plain, error) {
	filter := s.d.cfg.idName().filter(id.ID)
	if id.Directory != s.d.cfg.Name || filter == "" {
		return nil, nil //nolint:nilnil // no entry and no error is the answer
	}
	for i, base := range s.contexts() {
		var found []plain
		r := request{
			base: base, scope: ldap.ScopeWholeSubtree, filter: filter, limit: 2,
			attributes: []string{s.d.cfg.IDAttribute, s.server.version},
		}
		end, err := s.search(ctx, r, func(e *entry) error { found = append(found, e.plain()); return nil })
		if err != nil {
			return nil, err
		}
		switch end.code {
		case ldap.LDAPResultNoSuchObject, ldap.LDAPResultReferral:
			if i > 0 {
				continue
			}
		case ldap.LDAPResultSizeLimitExceeded:
			if len(found) > 1 {
				end.code = ldap.LDAPResultSuccess
			}
		}
		if err := end.err(fmt.Sprintf("search %q for %s", base, filter)); err != nil {
			return nil, err
		}
		switch {
		case len(found) > 1:
			return nil, &idbridge.Error{Kind: idbridge.Internal, Msg: "several entries of the directory have one id"}
		case len(found) == 1:
			return &found[0], nil
		case i == 0 && s.server.elsewhere(base, end.references) > 0:
			return nil, &idbridge.Error{Kind: idbridge.Incomplete, Msg: "a part of the directory is on another server, which was not asked"}
		}
	}
	return nil, nil //nolint:nilnil // as above
}

// contexts returns where to look: the top of the tree that the config is about first, then all others.
func (s *Session) contexts() []string {
	home := canonicalDN(s.d.cfg.Users.Base)
	out := []string{s.d.cfg.BaseDN}
	for _, c := range s.server.contexts {
		if c != "" && below(home, canonicalDN(c)) {
			out[0] = c
		}
	}
	for _, c := range s.server.contexts {
		if c != "" && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}
