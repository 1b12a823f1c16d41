package authstore

import (
	"context"
	"database/sql"
	"encoding/pem"
	"fmt"

	"github.com/idbridge/idbridge"
)

const signingKeysMost = 100 // of one use

// SigningKeys returns the keys of a use whose time is not over, by SignFrom: the last one whose SignFrom is past signs, all
// verify. Error: Unavailable when they were closed under another secret key.
func (s *Store) SigningKeys(ctx context.Context, use string) ([]idbridge.SigningKey, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, purpose, algorithm, private, created, sign_from, until FROM signing_key
		WHERE purpose = $1 AND (until = 0 OR until > $2) ORDER BY sign_from, created, id`, prose(use), micros(s.now()))
	out, err := collect(rows, err, func(r *sql.Rows) (k idbridge.SigningKey, err error) {
		var kept []byte
		var created, from, until int64
		if err := r.Scan(&k.ID, &k.Use, &k.Algorithm, &kept, &created, &from, &until); err != nil {
			return k, err
		}
		private, err := s.box.open(signingBox(k.ID, k.Use, k.Algorithm), kept)
		k.Private = idbridge.NewSecret(string(private))
		k.Created, k.SignFrom, k.Until = moment(created), moment(from), moment(until)
		return k, err
	})
	return out, fault("read signing keys", err)
}

func signingBox(id, use, algorithm string) string {
	return "signing " + id + " " + use + " " + algorithm
}

// AddSigningKey adds a key. Keys of the same use that had no end get one: they verify for idbridge.SessionLife after the new
// one began to sign, which is longer than any token lives. So a rotation adds a key whose SignFrom is to come, and that is all.
// Keys whose time is over are deleted. Errors: Invalid, Exists, Conflicting when there are too many.
func (s *Store) AddSigningKey(ctx context.Context, k idbridge.SigningKey) error {
	if err := checkSigningKey(&k); err != nil {
		return fault("add signing key", err)
	}
	if s.box.aead == nil {
		s.log.WarnContext(ctx, "a signing key lies open in the database", "signing_key", k.ID,
			"hint", "give the store a secret key: openssl rand -base64 32")
	}
	return s.tx(ctx, "add signing key", "store.signingkey", func(t *tx) error {
		if k.Created = moment(t.now); k.SignFrom.IsZero() {
			k.SignFrom = k.Created
		}
		if !k.Until.IsZero() && !k.Until.After(k.SignFrom) {
			return invalid("a key must sign before its end", "")
		}
		_, err := t.ExecContext(ctx, `DELETE FROM signing_key WHERE until <> 0 AND until <= $1`, t.now)
		if err != nil {
			return fmt.Errorf("delete old keys: %w", err)
		}
		var taken, n int
		err = t.QueryRowContext(ctx, `SELECT COUNT(CASE WHEN id = $1 THEN 1 END), COUNT(CASE WHEN purpose = $2 THEN 1 END) FROM signing_key`,
			k.ID, k.Use).Scan(&taken, &n)
		switch {
		case err != nil:
			return err
		case taken > 0:
			return &idbridge.Error{Kind: idbridge.Exists, Msg: "this signing key is there already"}
		case n >= signingKeysMost:
			return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "there are too many signing keys", Hint: "give the old ones an end"}
		}
		_, err = t.ExecContext(ctx, `UPDATE signing_key SET until = $1 WHERE until = 0 AND purpose = $2 AND sign_from < $3`,
			micros(k.SignFrom.Add(idbridge.SessionLife)), k.Use, micros(k.SignFrom))
		if err != nil {
			return fmt.Errorf("end the keys before: %w", err)
		}
		rows := newBatch(insertRows, "signing_key", "id", "purpose algorithm private:o created:n sign_from:n until:n")
		rows.add(k.ID, k.Use, k.Algorithm, s.box.close(signingBox(k.ID, k.Use, k.Algorithm), []byte(k.Private.Reveal())), t.now,
			micros(k.SignFrom), micros(k.Until))
		t.note(idbridge.Audit{Actor: "store", Action: "signingkey.add", Target: k.ID, Reason: k.Use + ", " + k.Algorithm})
		return t.flush(ctx, rows)
	})
}

func checkSigningKey(k *idbridge.SigningKey) error {
	if err := checkName("a signing key", k.ID); err != nil {
		return err
	}
	want := map[string]string{idbridge.SignsRoleTokens: "EdDSA", idbridge.SignsControl: "RS512"}[k.Use]
	if want == "" || k.Algorithm != want {
		return invalid("role tokens are signed by EdDSA, Control Room tokens by RS512", "")
	}
	if block, rest := pem.Decode([]byte(k.Private.Reveal())); block == nil || block.Type != "PRIVATE KEY" || len(rest) != 0 {
		return invalid("a signing key is one PKCS#8 key in PEM", "")
	}
	return nil
}

// closeSecrets closes what was kept before the config had a secret key.
func (s *Store) closeSecrets(ctx context.Context) error {
	if s.box.aead == nil {
		return nil
	}
	return s.tx(ctx, "close secrets", "store.secrets", func(t *tx) error {
		for _, one := range [...]struct{ table, key, column, box string }{
			{"signing_key", "id", "private", `'signing ' || id || ' ' || purpose || ' ' || algorithm`},
			{"setting", "name", "value", `'setting ' || name`},
		} {
			type row struct {
				key, box string
				kept     []byte
			}
			rows, err := t.QueryContext(ctx, `SELECT `+one.key+`, `+one.box+`, `+one.column+` FROM `+one.table)
			all, err := collect(rows, err, func(r *sql.Rows) (x row, err error) {
				err = r.Scan(&x.key, &x.box, &x.kept)
				return x, err
			})
			if err != nil {
				return fmt.Errorf("read secrets: %w", err)
			}
			out := newBatch(updateRows, one.table, one.key, one.column+":o")
			for i := range all {
				if x := &all[i]; s.box.stale(x.kept) {
					out.add(x.key, s.box.close(x.box, x.kept[1:]))
				}
			}
			if out.len() > 0 {
				t.note(idbridge.Audit{Actor: "store", Action: "secrets.close", Target: one.table, Reason: fmt.Sprintf("%d rows", out.len())})
			}
			if err := t.flush(ctx, out); err != nil {
				return err
			}
		}
		return nil
	})
}
