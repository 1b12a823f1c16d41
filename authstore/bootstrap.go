package authstore

import (
	"context"

	"github.com/idbridge/idbridge"
)

// BootstrapAdmin gives a user the role ADMIN by hand if nobody else has it who may act; already is true, and nothing is
// changed, when he has it. Of many at the same moment one wins. Errors: NotFound, Forbidden (the user may not act),
// Conflicting (there is an administrator).
func (s *Store) BootstrapAdmin(ctx context.Context, user idbridge.UserID, by string) (already bool, err error) {
	err = s.tx(ctx, "make first administrator", "store.bootstrap", func(t *tx) error {
		if err := t.ownAccess(ctx); err != nil {
			return err
		}
		u, err := t.lockUser(ctx, user)
		if err != nil {
			return err
		}
		if err := t.mayAct(ctx, &u); err != nil {
			return err
		}
		var admins, his int
		err = t.QueryRowContext(ctx, `SELECT COUNT(*), COUNT(CASE WHEN g.user_id = $1 THEN 1 END)`+adminsWhere, int64(user)).Scan(&admins, &his)
		if already = his > 0; err != nil || already {
			return err
		}
		if admins > 0 {
			return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "there is an administrator already", Hint: "ask him: idbridge role grant ADMIN USER"}
		}
		rows := newBatch(addRows, "grants", grantKey, grantRest)
		rows.add(int64(user), string(idbridge.Admin), "", "", "", "", prose(by), t.now)
		t.note(idbridge.Audit{Actor: by, Action: "admin.bootstrap", Target: u.UserName(), User: user, Reason: roleText(idbridge.Admin, "")})
		t.move(idbridge.Move{Kind: idbridge.MoveGrant, User: user, Role: idbridge.Admin})
		t.changed = true
		t.touched.users = append(t.touched.users, user)
		return t.flush(ctx, rows)
	})
	return already && err == nil, err
}
