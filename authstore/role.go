package authstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/idbridge/idbridge"
)

const (
	grantKey  = "user_id:n role application directory group_id"
	grantRest = "group_name granted_by since:n"
)

// adminsWhere selects, as g and u, the grants of users who may act and administer.
const adminsWhere = ` FROM grants g JOIN users u ON u.id = g.user_id WHERE g.role = 'ADMIN' AND g.application = '' AND NOT u.suspended
	AND NOT EXISTS (SELECT 1 FROM links l WHERE l.user_id = u.id AND l.state <> 'active')`

// keepAdmin runs f and refuses its effects if they leave nobody who may administer, when there was somebody. Error:
// Forbidden with a hint.
func (t *tx) keepAdmin(ctx context.Context, f func() error) error {
	if err := t.ownAccess(ctx); err != nil {
		return err
	}
	before, err := t.admins(ctx)
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	after, err := t.admins(ctx)
	if err != nil {
		return err
	}
	if before > 0 && after == 0 {
		return &idbridge.Error{
			Kind: idbridge.Forbidden, Msg: "this is the last administrator", Hint: "give the role ADMIN to somebody else first",
		}
	}
	return nil
}

func (t *tx) admins(ctx context.Context) (n int, err error) {
	if err := t.QueryRowContext(ctx, `SELECT COUNT(DISTINCT g.user_id)`+adminsWhere).Scan(&n); err != nil {
		return 0, fmt.Errorf("count administrators: %w", err)
	}
	return n, nil
}

// GrantRole gives a role by hand; a grant that is there already stays as it is. Errors: NotFound, Invalid.
func (s *Store) GrantRole(ctx context.Context, id idbridge.UserID, role idbridge.Role, application, by string) error {
	if role == "" || strings.TrimSpace(string(role)) != string(role) || pack(string(role)) != string(role) || pack(application) != application {
		return fault("grant role", invalid("a role needs a name without blanks around it", "for example ADMIN"))
	}
	return s.tx(ctx, "grant role", "store.grant", func(t *tx) error {
		u, err := t.lockUser(ctx, id)
		if err != nil {
			return err
		}
		manual, _, err := t.provenance(ctx, id, role, application)
		if err != nil || manual {
			return err
		}
		rows := newBatch(addRows, "grants", grantKey, grantRest)
		rows.add(int64(id), string(role), application, "", "", "", prose(by), t.now)
		t.note(idbridge.Audit{Actor: by, Action: "grant", Target: u.UserName(), User: id, Reason: roleText(role, application)})
		t.move(idbridge.Move{Kind: idbridge.MoveGrant, User: id, Role: role, Application: application})
		t.changed = true
		t.touched.users = append(t.touched.users, id)
		return t.flush(ctx, rows)
	})
}

// RevokeRole takes a role that was given by hand. Errors: NotFound; Forbidden for a role that a directory's group gives,
// and for the last administrator's.
func (s *Store) RevokeRole(ctx context.Context, id idbridge.UserID, role idbridge.Role, application, by string) error {
	return s.tx(ctx, "revoke role", "store.revoke", func(t *tx) error {
		return t.keepAdmin(ctx, func() error {
			u, err := t.lockUser(ctx, id)
			if err != nil {
				return err
			}
			manual, directory, err := t.provenance(ctx, id, role, application)
			switch {
			case err != nil:
				return err
			case !manual && directory != "":
				return &idbridge.Error{
					Kind: idbridge.Forbidden, Msg: "owned by directory " + directory,
					Hint: "remove the user from the group there, or change the rule under roles in the config",
				}
			case !manual:
				return notFound("grant")
			}
			rows := newBatch(deleteRows, "grants", grantKey, "")
			rows.add(int64(id), string(role), application, "", "")
			t.note(idbridge.Audit{Actor: by, Action: "revoke", Target: u.UserName(), User: id, Reason: roleText(role, application)})
			t.move(idbridge.Move{Kind: idbridge.MoveRevoke, User: id, Role: role, Application: application})
			t.changed = true
			t.touched.users = append(t.touched.users, id)
			return t.flush(ctx, rows)
		})
	})
}

// provenance tells where a user's role comes from: a person's hand, a directory ("" for none), or both.
func (t *tx) provenance(ctx context.Context, id idbridge.UserID, role idbridge.Role, application string) (manual bool, directory string, err error) {
	rows, err := t.QueryContext(ctx, `SELECT directory FROM grants WHERE user_id = $1 AND role = $2 AND application = $3 ORDER BY directory`,
		int64(id), string(role), application)
	names, err := collect(rows, err, scanText)
	if err != nil {
		return false, "", fmt.Errorf("read grants: %w", err)
	}
	for _, name := range names {
		manual = manual || name == ""
		directory = name
	}
	return manual, directory, nil
}

func scanText(r *sql.Rows) (s string, err error) {
	err = r.Scan(&s)
	return s, err
}

// roleText names a role for people: QUALITY_MANAGER on Dream Team.
func roleText(role idbridge.Role, application string) string {
	if application == "" {
		return string(role)
	}
	return string(role) + " on " + application
}

const grantColumns = `g.user_id, g.role, g.application, g.directory, g.group_id, g.group_name, g.granted_by, g.since`

func scanGrant(r *sql.Rows) (idbridge.Grant, error) {
	var g idbridge.Grant
	var since int64
	err := r.Scan(&g.User, &g.Role, &g.Application, &g.Directory, &g.Group, &g.GroupName, &g.By, &since)
	g.Group, g.GroupName, g.Since = unpack(g.Group), unpack(g.GroupName), moment(since)
	return g, err
}

// Grants returns the user's roles with where they came from.
func (s *Store) Grants(ctx context.Context, id idbridge.UserID) ([]idbridge.Grant, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+grantColumns+` FROM grants g WHERE g.user_id = $1
		ORDER BY g.role, g.application, g.directory, g.group_id`, int64(id))
	out, err := collect(rows, err, scanGrant)
	return out, fault("read grants", err)
}

// RoleMembers returns all grants of one role to the next limit users after the given one, by user.
func (s *Store) RoleMembers(
	ctx context.Context, role idbridge.Role, application string, after idbridge.UserID, limit int,
) ([]idbridge.Grant, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+grantColumns+` FROM grants g WHERE g.role = $1 AND g.application = $2 AND g.user_id IN (
		SELECT DISTINCT user_id FROM grants WHERE role = $1 AND application = $2 AND user_id > $3 ORDER BY user_id LIMIT $4)
		ORDER BY g.user_id, g.directory, g.group_id`, string(role), application, int64(after), page(limit))
	out, err := collect(rows, err, scanGrant)
	return out, fault("read role members", err)
}

// Roles returns every role somebody has, with the number of users.
func (s *Store) Roles(ctx context.Context) ([]idbridge.RoleCount, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT role, application, COUNT(DISTINCT user_id) FROM grants GROUP BY role, application
		ORDER BY role, application`)
	out, err := collect(rows, err, func(r *sql.Rows) (c idbridge.RoleCount, err error) {
		err = r.Scan(&c.Role, &c.Application, &c.Users)
		return c, err
	})
	return out, fault("count roles", err)
}
