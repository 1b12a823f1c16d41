package authstore

import (
	"context"
	"time"

	"github.com/idbridge/idbridge"
)

const settingMost = 64 << 10 // octets

// Setting returns what was put under a name, when and by whom. Error: NotFound; Unavailable when it was closed under another
// secret key.
func (s *Store) Setting(ctx context.Context, name string) (value []byte, at time.Time, by string, err error) {
	var kept []byte
	var micro int64
	found, err := one(s.read.QueryRowContext(ctx, `SELECT value, at, set_by FROM setting WHERE name = $1`, prose(name)), &kept, &micro, &by)
	if err == nil && !found {
		err = notFound("setting")
	}
	if err == nil {
		value, err = s.box.open(settingBox(name), kept)
	}
	if err != nil {
		return nil, time.Time{}, "", fault("read setting", err)
	}
	return value, moment(micro), by, nil
}

func settingBox(name string) string { return "setting " + name }

// PutSetting keeps a value of at most 64 KiB under a name. It lies closed in the database when the config has a secret key.
// Error: Invalid.
func (s *Store) PutSetting(ctx context.Context, name string, value []byte, by string) error {
	err := checkName("a setting", name)
	if err == nil && len(value) > settingMost {
		err = invalid("the value of a setting is too long", "")
	}
	if err != nil {
		return fault("put setting", err)
	}
	return s.tx(ctx, "put setting", "store.setting", func(t *tx) error {
		rows := newBatch(putRows, "setting", "name", "value:o at:n set_by")
		rows.add(name, s.box.close(settingBox(name), value), t.now, prose(by))
		t.note(idbridge.Audit{Actor: by, Action: "setting.put", Target: name})
		return t.flush(ctx, rows)
	})
}

// DeleteSetting forgets what is kept under a name. Error: NotFound.
func (s *Store) DeleteSetting(ctx context.Context, name, by string) error {
	return s.tx(ctx, "delete setting", "store.setting", func(t *tx) error {
		result, err := t.ExecContext(ctx, `DELETE FROM setting WHERE name = $1`, prose(name))
		var n int64
		if err == nil {
			n, err = result.RowsAffected()
		}
		if err == nil && n == 0 {
			err = notFound("setting")
		}
		t.note(idbridge.Audit{Actor: by, Action: "setting.delete", Target: name})
		return err
	})
}
