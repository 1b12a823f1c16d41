package authstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/idbridge/idbridge"
)

// AddUser makes a user by hand. A tombstone under the same login is lifted: he was made again on purpose. Errors: Invalid,
// Exists when a unique value is taken.
func (s *Store) AddUser(ctx context.Context, n idbridge.NewUser) (idbridge.User, error) {
	var u idbridge.User
	if n.Kind == "" {
		n.Kind = idbridge.Person
	}
	if n.Kind != idbridge.Person && n.Kind != idbridge.Service {
		return u, fault("add user", invalid("a user is a person or a service", ""))
	}
	if err := s.checkProfile(n.Profile); err != nil {
		return u, fault("add user", err)
	}
	if s.schema[idbridge.UserName].Match.Normal(n.Profile[idbridge.UserName].First()) == "" {
		return u, fault("add user", invalid("a user needs a userName", "give a login name"))
	}
	err := s.tx(ctx, "add user", "store.add", func(t *tx) error {
		at := moment(t.now)
		u = idbridge.User{Kind: n.Kind, Profile: idbridge.Profile{}, Revision: 1, Created: at, Updated: at}
		merge(u.Profile, n.Profile, true)
		id, err := t.next(ctx, "user", 1)
		if err != nil {
			return err
		}
		u.ID = idbridge.UserID(id)
		if err := t.claim(ctx, u.ID, nil, u.Profile); err != nil {
			return err
		}
		users := newBatch(insertRows, "users", userKey, userRest)
		users.add(s.userRow(&u)...)
		stones := newBatch(deleteRows, "tombstone", "user_name", "")
		stones.add(pack(s.schema[idbridge.UserName].Match.Normal(u.UserName())))
		t.note(idbridge.Audit{Actor: n.By, Action: "user.create", Target: u.UserName(), User: u.ID})
		t.move(idbridge.Move{Kind: idbridge.MoveUser, User: u.ID})
		t.changed = true
		return t.flush(ctx, users, stones)
	})
	return u, err
}

// EditUser changes details of a user in the store and sends them on their way: each link whose directory may receive one of
// them gets an outbox row in the same transaction, and is decided again by the next run. Errors: NotFound, Invalid, Exists,
// Conflicting when IfRevision is not the user's.
func (s *Store) EditUser(ctx context.Context, e idbridge.UserEdit) (idbridge.User, error) {
	var u idbridge.User
	if err := s.checkProfile(e.Set); err != nil {
		return u, fault("edit user", err)
	}
	if v, ok := e.Set[idbridge.UserName]; ok && s.schema[idbridge.UserName].Match.Normal(v.First()) == "" {
		return u, fault("edit user", invalid("a user needs a userName", "give a login name"))
	}
	err := s.tx(ctx, "edit user", "store.edit", func(t *tx) error {
		var err error
		if u, err = t.lockUser(ctx, e.User); err != nil {
			return err
		}
		if e.IfRevision != 0 && e.IfRevision != u.Revision {
			return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "the user was changed meanwhile", Hint: "read again and repeat"}
		}
		return t.edit(ctx, &u, e.Set, e.By)
	})
	return u, err
}

// edit merges details into a locked user and sends them on their way.
func (t *tx) edit(ctx context.Context, u *idbridge.User, set idbridge.Profile, by string) error {
	before := u.Profile
	u.Profile = before.Clone()
	merge(u.Profile, set, true)
	changed := differing(before, u.Profile)
	if len(changed) == 0 {
		return nil
	}
	if err := t.claim(ctx, u.ID, before, u.Profile); err != nil {
		return err
	}
	u.Revision++
	u.Updated = moment(t.now)
	users := newBatch(updateRows, "users", userKey, userRest)
	users.add(t.s.userRow(u)...)
	t.note(idbridge.Audit{Actor: by, Action: "user.edit", Target: u.UserName(), User: u.ID, Reason: joinNames(changed)})
	t.changed = true
	t.touched.users = append(t.touched.users, u.ID)
	if err := t.flush(ctx, users); err != nil {
		return err
	}
	if err := t.forgive(ctx, u.ID, changed); err != nil {
		return err
	}
	if err := t.keepEdit(ctx, u.ID, before, u.Profile, changed, by); err != nil {
		return err
	}
	return t.sendOutward(ctx, u, changed, by)
}

// keepEdit keeps what a person changed beside what runs change, under no run.
func (t *tx) keepEdit(ctx context.Context, id idbridge.UserID, before, after idbridge.Profile, changed []idbridge.Attribute, by string) error {
	step := idbridge.Step{
		Side: idbridge.StoreSide, Verb: idbridge.Update, Author: by, Before: make(idbridge.Profile, len(changed)),
		After: make(idbridge.Profile, len(changed)),
	}
	for _, a := range changed {
		step.Before[a], step.After[a] = before[a], after[a]
	}
	number, err := t.next(ctx, "change", 1)
	if err != nil {
		return err
	}
	w := newWriter(t, idbridge.Lead{})
	w.change(0, &step, id, "", "")
	w.changes.rows[0] = number
	return t.flush(ctx, w.changes)
}

// sendOutward zeroes the digests of the user's links and queues the edit for each directory that may receive it.
func (t *tx) sendOutward(ctx context.Context, u *idbridge.User, changed []idbridge.Attribute, by string) error {
	links, err := readLinks(ctx, t, ` WHERE l.user_id = $1 ORDER BY l.directory, l.id`, int64(u.ID))
	if err != nil || len(links) == 0 {
		return err
	}
	updates := newBatch(updateRows, "links", linkKey, "digest:o version:n")
	out := newBatch(insertRows, "outbox", "id:n", "directory link user_id:n author at:n")
	for i := range links {
		l := &links[i]
		updates.add(l.ID.Directory, pack(l.ID.ID), make([]byte, len(l.Digest)), l.Version+1)
		if !slices.ContainsFunc(changed, func(a idbridge.Attribute) bool { return slices.Contains(t.s.outward[l.ID.Directory], a) }) {
			continue
		}
		id, err := t.next(ctx, "outbox", 1)
		if err != nil {
			return err
		}
		out.add(id, l.ID.Directory, pack(l.ID.ID), int64(u.ID), prose(by), t.now)
	}
	return t.flush(ctx, updates, out)
}

// SetSuspended ends or gives back a user's access by an administrator's word; no run lifts it. Errors: NotFound, Forbidden
// when nobody could administer any more.
func (s *Store) SetSuspended(ctx context.Context, id idbridge.UserID, on bool, by, reason string) error {
	return s.tx(ctx, "suspend user", "store.suspend", func(t *tx) error {
		return t.keepAdmin(ctx, func() error {
			u, err := t.lockUser(ctx, id)
			if err != nil || u.Suspended == on {
				return err
			}
			rows := newBatch(updateRows, "users", userKey, "suspended:b revision:n updated:n")
			rows.add(int64(id), on, u.Revision+1, t.now)
			action := "user.restore"
			if on {
				action = "user.suspend"
				if err := t.endOf(ctx, []idbridge.UserID{id}, by, idbridge.EndedBySuspend); err != nil {
					return err
				}
			}
			t.note(idbridge.Audit{Actor: by, Action: action, Target: u.UserName(), User: id, Reason: reason})
			t.changed = true
			t.touched.users = append(t.touched.users, id)
			return t.flush(ctx, rows)
		})
	})
}

// DeleteUser deletes a user with his links, keys and grants. Each link leaves a tombstone, so that its directory does not
// bring him back. Errors: NotFound, Forbidden when nobody could administer any more.
func (s *Store) DeleteUser(ctx context.Context, id idbridge.UserID, by string) error {
	return s.DeleteUserIf(ctx, id, 0, by)
}

// DeleteUserIf is DeleteUser for somebody who looked at a revision; 0 for any. Error: Conflicting when it is not the user's
// any more.
func (s *Store) DeleteUserIf(ctx context.Context, id idbridge.UserID, revision int64, by string) error {
	return s.tx(ctx, "delete user", "store.delete", func(t *tx) error {
		return t.keepAdmin(ctx, func() error {
			u, err := t.lockUser(ctx, id)
			if err != nil {
				return err
			}
			if revision != 0 && revision != u.Revision {
				return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "the user was changed meanwhile", Hint: "read again and repeat"}
			}
			t.note(idbridge.Audit{Actor: by, Action: "user.delete", Target: u.UserName(), User: id})
			return t.purge(ctx, []idbridge.User{u}, by)
		})
	})
}

// purge deletes users and what hangs on them, and leaves tombstones.
func (t *tx) purge(ctx context.Context, users []idbridge.User, by string) error {
	if len(users) == 0 {
		return nil
	}
	ids := make([]idbridge.UserID, len(users))
	names := make(map[idbridge.UserID]string, len(users))
	for i := range users {
		ids[i] = users[i].ID
		names[users[i].ID] = t.s.schema[idbridge.UserName].Match.Normal(users[i].UserName())
	}
	list := numbers(t.s, ids)
	links, err := readLinks(ctx, t, ` WHERE `+t.s.among("l.user_id", 1), list)
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	stones := newBatch(putRows, "tombstone", "directory id", "user_id:n user_name at:n deleted_by")
	for i := range links {
		l := &links[i]
		stones.add(l.ID.Directory, pack(l.ID.ID), int64(l.User), pack(names[l.User]), t.now, prose(by))
	}
	if err := t.flush(ctx, stones); err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `UPDATE sent SET state = '`+sentDropped+`', ended = $2 WHERE state IN ('sent', 'in doubt') AND `+
		t.s.among("user_id", 1), list, t.now)
	if err != nil {
		return fmt.Errorf("close sent steps: %w", err)
	}
	keys, err := t.keysOf(ctx, list)
	if err != nil {
		return err
	}
	spent := newBatch(addRows, "key_spent", "id", "")
	for _, id := range keys {
		spent.add(spentKey(id))
	}
	if err := t.flush(ctx, spent); err != nil {
		return err
	}
	for _, table := range [...]string{"links", "claims", "grants", "keys", "outbox", "backoff", "flip", "session", "password"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE `+t.s.among("user_id", 1), list); err != nil {
			return fmt.Errorf("delete from %s: %w", table, err)
		}
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM users WHERE `+t.s.among("id", 1), list); err != nil {
		return fmt.Errorf("delete users: %w", err)
	}
	_, err = t.ExecContext(ctx, `UPDATE conflicts SET closed = $2, decided_by = $3 WHERE closed = 0 AND `+t.s.among("user_id", 1),
		list, t.now, prose(by))
	if err != nil {
		return fmt.Errorf("close conflicts: %w", err)
	}
	t.changed = true
	for _, id := range ids {
		t.move(idbridge.Move{Kind: idbridge.MoveGone, User: id})
	}
	t.touched.users = append(t.touched.users, ids...)
	t.touched.keys = append(t.touched.keys, keys...)
	return nil
}
