package authstore

import (
	"context"
	"fmt"

	"github.com/idbridge/idbridge"
)

// writer collects the rows of a commit, by table.
type writer struct {
	t                             *tx
	lead                          idbridge.Lead
	linked                        []string // ids of the links made
	sent                          []sentRow
	conflicts                     []idbridge.Conflict
	closed                        []idbridge.ConflictID
	ward                          ward
	changes                       *batch
	joins, leaves                 *batch
	groupsNew, groups, groupsGone *batch
	grants                        map[grantRow]grantMove
	gives                         map[idbridge.ExternalID][]idbridge.Grant // what the groups of this commit give
	lastGrants                    []idbridge.Grant
	lastGrantsText                string
	made                          span // ids of the users made
}

// sentRow is a directory step that waits for its number.
type sentRow struct {
	outcome int
	link    *linkedRow
	user    *userRecord
	step    string
}

func newWriter(t *tx, lead idbridge.Lead) *writer {
	const group = "name digest:o members:n"
	return &writer{
		t: t, lead: lead, ward: ward{directory: lead.Directory},
		changes: newBatch(insertRows, "run_change", "id:n",
			"run:n directory link user_id:n side verb group_id state_before state_after before after grants author why at:n"),
		joins:      newBatch(addRows, "membership", "directory group_id member", ""),
		leaves:     newBatch(deleteRows, "membership", "directory group_id member", ""),
		groupsNew:  newBatch(addRows, "directory_group", "directory id", group),
		groups:     newBatch(putRows, "directory_group", "directory id", group),
		groupsGone: newBatch(deleteRows, "directory_group", "directory id", ""),
		grants:     map[grantRow]grantMove{}, gives: map[idbridge.ExternalID][]idbridge.Grant{},
	}
}

// change keeps one step in the run's change set; its number is given when all are counted.
func (w *writer) change(run idbridge.RunID, step *idbridge.Step, id idbridge.UserID, before, after string) {
	w.changes.add(int64(0), int64(run), step.ID.Directory, pack(step.ID.ID), int64(id), string(step.Side), string(step.Verb), "",
		before, after, profileText(step.Before), profileText(step.After), "", prose(step.Author), prose(step.Why), w.t.now)
}

func (w *writer) changeGroup(step *idbridge.Step, user *userRecord, group idbridge.ExternalID) error {
	grants, err := w.grantsText(step.Grants)
	if err != nil {
		return err
	}
	var id idbridge.UserID
	if user != nil {
		id = user.ID
	}
	w.changes.add(int64(0), int64(w.lead.Run), step.ID.Directory, pack(step.ID.ID), int64(id), string(step.Side), string(step.Verb),
		pack(group.ID), "", "", "{}", "{}", grants, "", prose(step.Why), w.t.now)
	return nil
}

// write writes everything, table by table.
func (c *commit) write(ctx context.Context) error {
	w := c.w
	if err := c.numberSent(ctx); err != nil {
		return err
	}
	if n := w.changes.len(); n > 0 {
		first, err := c.t.next(ctx, "change", n)
		if err != nil {
			return err
		}
		for i := range n {
			w.changes.rows[i*len(w.changes.cols)] = first + int64(i)
		}
	}
	if err := c.writeUsers(ctx); err != nil {
		return err
	}
	if err := c.writeMade(ctx); err != nil {
		return err
	}
	if err := c.writeLinks(ctx); err != nil {
		return err
	}
	if err := c.t.flush(ctx, w.leaves, w.joins, w.groupsNew, w.groups, w.groupsGone, w.changes); err != nil {
		return err
	}
	if err := c.groupRoles(ctx); err != nil {
		return err
	}
	if err := c.writeGrants(ctx); err != nil {
		return err
	}
	if err := c.t.putConflicts(ctx, w.lead.Directory, w.conflicts); err != nil {
		return fmt.Errorf("conflicts: %w", err)
	}
	if err := c.t.closeConflicts(ctx, w.closed); err != nil {
		return fmt.Errorf("conflicts: %w", err)
	}
	if err := c.recovered(ctx); err != nil {
		return err
	}
	if err := c.writeFlips(ctx); err != nil {
		return err
	}
	return w.ward.write(ctx, c.t)
}

// writeMade keeps which users the run made, as one range.
func (c *commit) writeMade(ctx context.Context) error {
	if c.w.made.first == 0 {
		return nil
	}
	c.t.move(idbridge.Move{Kind: idbridge.MoveImport})
	rows := newBatch(insertRows, "run_created", "first:n", "last:n run:n")
	rows.add(c.w.made.first, c.w.made.last, int64(c.lead.Run))
	return c.t.flush(ctx, rows)
}

// numberSent gives the sent steps their numbers and writes them.
func (c *commit) numberSent(ctx context.Context) error {
	w := c.w
	if len(w.sent) == 0 {
		return nil
	}
	first, err := c.t.next(ctx, "sent", len(w.sent))
	if err != nil {
		return err
	}
	rows := newBatch(insertRows, "sent", "id:n", "run:n directory link user_id:n revision:n state step at:n ended:n")
	for i, one := range w.sent {
		id := first + int64(i)
		c.out[one.outcome].Sent = idbridge.SentID(id)
		one.link.Sent = idbridge.SentID(id)
		rows.add(id, int64(w.lead.Run), one.link.ID.Directory, pack(one.link.ID.ID), int64(one.user.ID), one.user.next(), "sent", one.step,
			c.t.now, int64(0))
	}
	return c.t.flush(ctx, rows)
}

// next returns the revision the user will have when the commit is done.
func (u *userRecord) next() int64 {
	if u.moves() {
		return u.Revision + 1
	}
	return u.Revision
}

// moves tells whether the user's row changed.
func (u *userRecord) moves() bool {
	return !u.fresh && (u.access || u.dirty && len(differing(u.before, u.Profile)) > 0)
}

// writeUsers writes users, their unique values, and deletes those that are purged.
func (c *commit) writeUsers(ctx context.Context) error {
	come := newBatch(insertRows, "users", userKey, userRest)
	moved := newBatch(updateRows, "users", userKey, userRest)
	freed := newBatch(deleteRows, "claims", "value attribute", "")
	taken := newBatch(insertRows, "claims", "value attribute", "user_id:n")
	n := 0
	for i := range c.decisions {
		if creates(&c.decisions[i]) {
			n++
		}
	}
	come.grow(n)
	taken.grow(2 * n) // login and one e-mail
	var gone []idbridge.User
	for _, u := range c.users {
		switch {
		case u.gone:
			gone = append(gone, u.User)
		case u.fresh:
			c.claimRows(freed, taken, u.ID, nil, u.Profile)
			if u.text != nil {
				come.add(userRowOf(&u.User, u.text.folded, u.text.profile)...)
			} else {
				come.add(c.s.userRow(&u.User)...)
			}
			c.t.changed = true
		case u.moves():
			if u.dirty {
				c.claimRows(freed, taken, u.ID, u.before, u.Profile)
			}
			u.Revision++
			u.Updated = moment(c.t.now)
			moved.add(c.s.userRow(&u.User)...)
			c.t.touched.users = append(c.t.touched.users, u.ID)
			c.t.changed = true
		}
	}
	if err := c.t.purge(ctx, gone, "directory:"+c.lead.Directory); err != nil {
		return err
	}
	if err := c.endSessions(ctx); err != nil {
		return err
	}
	return c.t.flush(ctx, come.sortedBy(0), moved.sortedBy(0), freed, taken.sortedBy(0))
}

// claimRows notes which unique values a user gives up and takes.
func (c *commit) claimRows(freed, taken *batch, id idbridge.UserID, before, after idbridge.Profile) {
	for _, a := range c.s.unique {
		old, now := c.s.schema.Normal(a, before[a]), c.s.schema.Normal(a, after[a])
		for _, v := range without(old, now) {
			freed.add(pack(v), string(a))
		}
		for _, v := range without(now, old) {
			taken.add(pack(v), string(a), int64(id))
		}
	}
}

// writeLinks writes the links that are new or moved; those of purged users went with them.
func (c *commit) writeLinks(ctx context.Context) error {
	come := newBatch(insertRows, "links", linkKey, linkRest)
	moved := newBatch(updateRows, "links", linkKey, linkRest)
	come.grow(len(c.w.linked))
	for _, l := range c.links {
		switch {
		case l.gone:
		case l.fresh:
			if l.text != nil {
				come.add(linkRowOf(&l.Link, l.text.base)...)
			} else {
				come.add(linkRow(&l.Link)...)
			}
			c.t.changed = true
		case l.dirty:
			moved.add(linkRow(&l.Link)...)
			c.t.changed = true
		}
	}
	return c.t.flush(ctx, come.sortedBy(2), moved.sortedBy(2))
}
