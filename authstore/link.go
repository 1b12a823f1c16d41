package authstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/idbridge/idbridge"
)

const linkColumns = `l.directory, l.id, l.user_id, l.state, l.digest, l.sightings, l.version, l.sent, l.since,
	l.seen, l.seen_order, l.locator, l.base`

const (
	linkKey  = "directory id"
	linkRest = "user_id:n state digest:o sightings:n version:n sent:n since:n seen seen_order:n locator base"
)

// linkCells is room for one row of linkColumns.
type linkCells struct {
	directory, id, state, seen, locator, base        string
	user, sightings, version, sent, since, seenOrder int64
	digest                                           []byte
}

func (c *linkCells) dest() []any {
	return []any{
		&c.directory, &c.id, &c.user, &c.state, &c.digest, &c.sightings, &c.version, &c.sent, &c.since, &c.seen, &c.seenOrder, &c.locator,
		&c.base,
	}
}

func (c *linkCells) link() (idbridge.Link, error) {
	base, err := parseProfile(c.base)
	if err != nil {
		return idbridge.Link{}, fmt.Errorf("base of %s/%s: %w", c.directory, c.id, err)
	}
	out := idbridge.Link{
		ID: idbridge.ExternalID{Directory: c.directory, ID: unpack(c.id)}, User: idbridge.UserID(c.user), Locator: unpack(c.locator),
		Base: base, State: idbridge.LinkState(c.state), Seen: unpack(c.seen), Order: c.seenOrder, Version: c.version,
		Sightings: int(c.sightings), Since: moment(c.since), Sent: idbridge.SentID(c.sent),
	}
	copy(out.Digest[:], c.digest)
	return out, nil
}

// readLinks reads the links that tail selects, as l.
func readLinks(ctx context.Context, q queryer, tail string, args ...any) ([]idbridge.Link, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+linkColumns+` FROM links l`+tail, args...)
	return collect(rows, err, func(r *sql.Rows) (idbridge.Link, error) {
		var c linkCells
		if err := r.Scan(c.dest()...); err != nil {
			return idbridge.Link{}, err
		}
		return c.link()
	})
}

// linkRow is a link's row in the order of linkKey and linkRest.
func linkRow(l *idbridge.Link) []any { return linkRowOf(l, profileText(l.Base)) }

func linkRowOf(l *idbridge.Link, base string) []any {
	return []any{
		l.ID.Directory, pack(l.ID.ID), int64(l.User), string(l.State), l.Digest[:], int64(l.Sightings), l.Version, int64(l.Sent),
		micros(l.Since), pack(l.Seen), l.Order, pack(l.Locator), base,
	}
}
