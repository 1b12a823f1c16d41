package ldap

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// idsAtOnce is how many ids one search asks for.
const idsAtOnce = 50

// Fetch reads records by id, in groups of 50, where the people's base and filter show them. An entry that is there and
// cannot be used, or shares its id with another, has a record without a Profile and with everything Unknown: nobody must
// take it for absent.
func (s *Session) Fetch(ctx context.Context, ids []idbridge.ExternalID) (map[idbridge.ExternalID]idbridge.Record, error) {
	out := make(map[idbridge.ExternalID]idbridge.Record, len(ids))
	r := s.d.reader(s.server.version)
	for len(ids) > 0 {
		n := min(len(ids), idsAtOnce)
		err := s.byID(ctx, ids[:n], r.asked(), func(e *entry) error {
			rec, err := r.record(e)
			if _, twice := out[rec.ID]; err != nil || twice {
				rec.Profile, rec.Unknown = nil, s.d.m.Attributes()
			}
			out[rec.ID] = rec
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("fetch from %q: %w", s.d.cfg.Name, err)
		}
		ids = ids[n:]
	}
	return out, nil
}

// byID searches for entries by id and hands each on. An id that no entry of this directory can have is looked for by
// nobody.
func (s *Session) byID(ctx context.Context, ids []idbridge.ExternalID, attributes []string, each func(*entry) error) error {
	var any strings.Builder
	for _, id := range ids {
		if id.Directory == s.d.cfg.Name {
			any.WriteString(s.d.cfg.idName().filter(id.ID))
		}
	}
	if any.Len() == 0 {
		return nil
	}
	r := request{
		base: s.d.cfg.Users.Base, scope: ldap.ScopeWholeSubtree, attributes: attributes,
		filter: "(&" + bracketed(s.d.cfg.Users.Filter) + "(|" + any.String() + "))",
	}
	end, err := s.search(ctx, r, each)
	if err != nil {
		return err
	}
	return end.err(fmt.Sprintf("search %q for %s", r.base, r.filter))
}

// bracketed puts the brackets around a filter that go-ldap lets one leave out.
func bracketed(filter string) string {
	if strings.HasPrefix(filter, "(") {
		return filter
	}
	return "(" + filter + ")"
}
