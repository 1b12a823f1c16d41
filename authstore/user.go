package authstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/idbridge/idbridge"
)

const userColumns = `u.id, u.kind, u.suspended, u.revision, u.created, u.updated, u.profile`

// userCells is room for one row of userColumns.
type userCells struct {
	id, revision, created, updated int64
	kind, profile                  string
	suspended                      bool
}

func (c *userCells) dest() []any {
	return []any{&c.id, &c.kind, &c.suspended, &c.revision, &c.created, &c.updated, &c.profile}
}

func (c *userCells) user() (idbridge.User, error) {
	p, err := parseProfile(c.profile)
	if err != nil {
		return idbridge.User{}, fmt.Errorf("user %d: %w", c.id, err)
	}
	return idbridge.User{
		ID: idbridge.UserID(c.id), Kind: idbridge.UserKind(c.kind), Profile: p, Suspended: c.suspended, Revision: c.revision,
		Created: moment(c.created), Updated: moment(c.updated),
	}, nil
}

func scanUser(r *sql.Rows) (idbridge.User, error) {
	var c userCells
	if err := r.Scan(c.dest()...); err != nil {
		return idbridge.User{}, err
	}
	return c.user()
}

// User returns one user. Error: NotFound.
func (s *Store) User(ctx context.Context, id idbridge.UserID) (idbridge.User, error) {
	u, err := readUser(ctx, s.read, `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, int64(id))
	return u, fault("read user", err)
}

// UserByName returns the user with that login name, whatever its case. Error: NotFound.
func (s *Store) UserByName(ctx context.Context, name string) (idbridge.User, error) {
	folded := s.schema[idbridge.UserName].Match.Normal(name)
	u, err := readUser(ctx, s.read, `SELECT `+userColumns+` FROM users u JOIN claims c ON c.user_id = u.id
		WHERE c.attribute = $1 AND c.value = $2`, string(idbridge.UserName), pack(folded))
	return u, fault("read user by name", err)
}

func readUser(ctx context.Context, q queryer, query string, args ...any) (idbridge.User, error) {
	var c userCells
	found, err := one(q.QueryRowContext(ctx, query, args...), c.dest()...)
	if err != nil {
		return idbridge.User{}, err
	}
	if !found {
		return idbridge.User{}, notFound("user")
	}
	return c.user()
}

// lockUser reads a user and holds his row until the transaction ends. Whoever changes a user or his links begins with it.
func (t *tx) lockUser(ctx context.Context, id idbridge.UserID) (idbridge.User, error) {
	return readUser(ctx, t, t.s.locking(`SELECT `+userColumns+` FROM users u WHERE u.id = $1`, "FOR UPDATE"), int64(id))
}

// Users returns users by id.
func (s *Store) Users(ctx context.Context, f idbridge.UserFilter) ([]idbridge.User, error) {
	var w where
	w.and("u.id > ?", int64(f.After))
	if f.Kind != "" {
		w.and("u.kind = ?", string(f.Kind))
	}
	if f.Directory != "" {
		w.and("EXISTS (SELECT 1 FROM links l WHERE l.user_id = u.id AND l.directory = ?)", f.Directory)
	}
	if f.Query != "" {
		escape := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
		w.and(`u.folded LIKE ? ESCAPE '\'`, "%"+escape.Replace(prose(idbridge.CaseIgnore.Normal(f.Query)))+"%")
	}
	tail, args := w.limit("u.id", page(f.Limit))
	rows, err := s.read.QueryContext(ctx, `SELECT `+userColumns+` FROM users u`+tail, args...)
	out, err := collect(rows, err, scanUser)
	return out, fault("list users", err)
}

// Links returns the user's links by directory.
func (s *Store) Links(ctx context.Context, id idbridge.UserID) ([]idbridge.Link, error) {
	out, err := readLinks(ctx, s.read, ` WHERE l.user_id = $1 ORDER BY l.directory, l.id`, int64(id))
	return out, fault("read links", err)
}

// Pending returns the user's edits that are still on their way to a directory, oldest first.
func (s *Store) Pending(ctx context.Context, id idbridge.UserID) ([]idbridge.Edit, error) {
	out, err := readEdits(ctx, s.read, ` WHERE user_id = $1 ORDER BY id`, int64(id))
	return out, fault("read pending edits", err)
}

const (
	userKey  = "id:n"
	userRest = "kind suspended:b revision:n created:n updated:n user_name folded profile"
)

// userRow is a user's row in the order of userKey and userRest.
func (s *Store) userRow(u *idbridge.User) []any {
	return userRowOf(u, s.folded(u.Profile), profileText(u.Profile))
}

func userRowOf(u *idbridge.User, folded, profile string) []any {
	return []any{
		int64(u.ID), string(u.Kind), u.Suspended, u.Revision, micros(u.Created), micros(u.Updated), pack(u.UserName()), folded, profile,
	}
}

// folded is what a search looks into: login, display name and e-mails without case, divided by line ends.
func (s *Store) folded(p idbridge.Profile) string {
	var b strings.Builder
	for _, a := range [...]idbridge.Attribute{idbridge.UserName, idbridge.DisplayName, idbridge.Email} {
		for _, v := range p[a] {
			b.WriteString(idbridge.CaseIgnore.Normal(v))
			b.WriteByte('\n')
		}
	}
	return prose(b.String())
}
