package authstore

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/idbridge/idbridge"
)

const (
	applicationRest  = "href db_type adg_database snapshots:n latest"
	applicationsMost = 10_000 // all of them are read at once
	nameMost         = 255    // octets of a name that a person gives
)

// PutApplication makes an application, or replaces what is known about the one of that name. Errors: Invalid, Forbidden when
// there are too many.
func (s *Store) PutApplication(ctx context.Context, a idbridge.Application, by string) error {
	a.DBType = cmp.Or(a.DBType, idbridge.DatabaseAAD)
	if err := checkApplication(&a); err != nil {
		return fault("put application", err)
	}
	return s.tx(ctx, "put application", "store.application", func(t *tx) error {
		old, err := t.application(ctx, a.Name)
		action := "application.change"
		if idbridge.KindOf(err) == idbridge.NotFound {
			action = "application.create"
			var n int
			err = t.QueryRowContext(ctx, `SELECT COUNT(*) FROM application`).Scan(&n)
			if err == nil && n >= applicationsMost {
				err = &idbridge.Error{Kind: idbridge.Forbidden, Msg: "there are too many applications", Hint: "delete some"}
			}
		}
		if err != nil || old == a {
			return err
		}
		rows := newBatch(putRows, "application", "name", applicationRest)
		rows.add(a.Name, a.Href, a.DBType, a.ADGDatabase, int64(a.Snapshots), a.Latest)
		t.note(idbridge.Audit{Actor: by, Action: action, Target: a.Name})
		return t.flush(ctx, rows)
	})
}

func checkApplication(a *idbridge.Application) error {
	if err := checkName("an application", a.Name); err != nil {
		return err
	}
	for _, text := range [...]string{a.Href, a.ADGDatabase} {
		if len(text) > 2000 || pack(text) != text || strings.ContainsFunc(text, unicode.IsControl) {
			return invalid("an application's href and database are texts of one line", "")
		}
	}
	if a.DBType != idbridge.DatabaseAAD && a.DBType != idbridge.DatabaseADG {
		return invalid("the database of an application is AAD or ADG", "")
	}
	if _, err := time.Parse(time.DateOnly, a.Latest); a.Latest != "" && err != nil {
		return invalid("the date of a snapshot is YYYY-MM-DD", "for example 2026-01-31")
	}
	if a.Snapshots < 0 {
		return invalid("a number of snapshots is 0 or more", "")
	}
	return nil
}

// checkName refuses what cannot be a name that a person gives.
func checkName(what, name string) error {
	if name == "" || len(name) > nameMost || !utf8.ValidString(name) || strings.TrimSpace(name) != name || strings.ContainsFunc(name, unicode.IsControl) {
		return invalid(what+" needs a name of one line without blanks around it", "")
	}
	return nil
}

// Application returns one application. Error: NotFound.
func (s *Store) Application(ctx context.Context, name string) (idbridge.Application, error) {
	a, err := readApplication(ctx, s.read, name)
	return a, fault("read application", err)
}

func (t *tx) application(ctx context.Context, name string) (idbridge.Application, error) {
	return readApplication(ctx, t, name)
}

const applicationColumns = `name, href, db_type, adg_database, snapshots, latest`

func readApplication(ctx context.Context, q queryer, name string) (idbridge.Application, error) {
	var a idbridge.Application
	found, err := one(q.QueryRowContext(ctx, `SELECT `+applicationColumns+` FROM application WHERE name = $1`, prose(name)),
		&a.Name, &a.Href, &a.DBType, &a.ADGDatabase, &a.Snapshots, &a.Latest)
	if err == nil && !found {
		err = notFound("application")
	}
	return a, err
}

// Applications returns all applications, sorted by name.
func (s *Store) Applications(ctx context.Context) ([]idbridge.Application, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+applicationColumns+` FROM application`)
	out, err := collect(rows, err, func(r *sql.Rows) (a idbridge.Application, err error) {
		err = r.Scan(&a.Name, &a.Href, &a.DBType, &a.ADGDatabase, &a.Snapshots, &a.Latest)
		return a, err
	})
	slices.SortFunc(out, func(x, y idbridge.Application) int { return strings.Compare(x.Name, y.Name) })
	return out, fault("read applications", err)
}

// DeleteApplication forgets an application. Roles that were granted on it stay as they are. Error: NotFound.
func (s *Store) DeleteApplication(ctx context.Context, name, by string) error {
	return s.tx(ctx, "delete application", "store.application", func(t *tx) error {
		if _, err := t.application(ctx, name); err != nil {
			return err
		}
		rows := newBatch(deleteRows, "application", "name", "")
		rows.add(name)
		t.note(idbridge.Audit{Actor: by, Action: "application.delete", Target: name})
		return t.flush(ctx, rows)
	})
}
