package authstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/idbridge/idbridge"
)

const (
	phcPrefix = "$argon2id$"
	phcMost   = 512 // octets
)

// SetPassword keeps the Argon2id hash (PHC text) of a local user's password in the place of the one he had, and ends his
// sessions; an empty one leaves him without a password. The password itself never comes here. Errors: NotFound, Invalid for
// a service and for what is no such hash, Forbidden for a user of a directory: it checks his password.
func (s *Store) SetPassword(ctx context.Context, id idbridge.UserID, phc idbridge.Secret, by string) error {
	if text := phc.Reveal(); text != "" && (!strings.HasPrefix(text, phcPrefix) || len(text) > phcMost || prose(text) != text) {
		return fault("set password", invalid("a password is kept as an Argon2id hash", ""))
	}
	return s.tx(ctx, "set password", "store.password", func(t *tx) error {
		u, err := t.lockUser(ctx, id)
		if err != nil {
			return err
		}
		had, err := t.mayHavePassword(ctx, &u)
		if err != nil || !had && phc.IsEmpty() {
			return err
		}
		action, rows := "password.set", newBatch(putRows, "password", "user_id:n", "phc at:n set_by")
		if had && by != u.UserName() {
			action = "password.reset"
		}
		if phc.IsEmpty() {
			action, rows = "password.remove", newBatch(deleteRows, "password", "user_id:n", "")
			rows.add(int64(id))
		} else {
			rows.add(int64(id), phc.Reveal(), t.now, prose(by))
		}
		t.note(idbridge.Audit{Actor: by, Action: action, Target: u.UserName(), User: id})
		if err := t.endOf(ctx, []idbridge.UserID{id}, by, idbridge.EndedByChange); err != nil {
			return err
		}
		return t.flush(ctx, rows)
	})
}

// mayHavePassword refuses a password for a locked user who cannot have one, and tells whether he has one.
func (t *tx) mayHavePassword(ctx context.Context, u *idbridge.User) (had bool, err error) {
	if u.Kind == idbridge.Service {
		return false, invalid("a service has no password", "make it a key: idbridge key new "+u.UserName())
	}
	rows, err := t.QueryContext(ctx, `SELECT directory FROM links WHERE user_id = $1 ORDER BY directory`, int64(u.ID))
	owners, err := collect(rows, err, scanText)
	if err != nil {
		return false, fmt.Errorf("read links: %w", err)
	}
	if len(owners) > 0 {
		return false, &idbridge.Error{
			Kind: idbridge.Forbidden, Msg: "owned by directory " + owners[0], Hint: "the password is the directory's: change it there",
		}
	}
	err = t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM password WHERE user_id = $1)`, int64(u.ID)).Scan(&had)
	return had, err
}

// Password returns the hash of the password of the user with that login, whatever its case. It does not judge the user: ask
// Access. Error: NotFound when there is no such user, or he has no password here: a service, or linked to a directory.
func (s *Store) Password(ctx context.Context, userName string) (idbridge.UserID, idbridge.Secret, error) {
	var id int64
	var phc string
	err := s.ahead(ctx)
	found := false
	if err == nil {
		found, err = one(s.read.QueryRowContext(ctx, `SELECT p.user_id, p.phc FROM claims c JOIN password p ON p.user_id = c.user_id
			WHERE c.attribute = $1 AND c.value = $2 AND NOT EXISTS (SELECT 1 FROM links l WHERE l.user_id = c.user_id)`,
			string(idbridge.UserName), pack(s.schema[idbridge.UserName].Match.Normal(userName))), &id, &phc)
	}
	if err == nil && !found {
		err = notFound("password")
	}
	if err != nil {
		return 0, idbridge.Secret{}, fault("read password", err)
	}
	return idbridge.UserID(id), idbridge.NewSecret(phc), nil
}
