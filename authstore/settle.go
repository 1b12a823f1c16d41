package authstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/idbridge/idbridge"
)

// Settle ends sent steps, all in one transaction. A settlement whose step is not the open one any more is left out. Errors:
// Locked, Unknown, else nothing was done.
func (s *Store) Settle(ctx context.Context, lead idbridge.Lead, settlements []idbridge.Settlement) error {
	if len(settlements) == 0 {
		return nil
	}
	return s.tx(ctx, fmt.Sprintf("settle steps of %q", lead.Directory), "store.settle", func(t *tx) error {
		if err := t.mayLead(ctx, lead.Epoch); err != nil {
			return err
		}
		return t.settle(ctx, lead, settlements)
	})
}

// openStep is what the store knows about a sent step.
type openStep struct {
	idbridge.Step
	run      idbridge.RunID
	link     string
	revision int64
	open     bool
}

func (t *tx) settle(ctx context.Context, lead idbridge.Lead, settlements []idbridge.Settlement) error {
	ids := make([]string, len(settlements))
	numbersOf := make([]idbridge.SentID, len(settlements))
	for i := range settlements {
		ids[i], numbersOf[i] = pack(settlements[i].ID.ID), settlements[i].Sent
	}
	c := newCommit(t, lead, nil)
	rows, err := t.QueryContext(ctx, t.s.locking(`SELECT `+linkColumns+`, `+userColumns+` FROM users u JOIN links l ON l.user_id = u.id
		WHERE l.directory = $1 AND `+t.s.among("l.id", 2)+` ORDER BY u.id`, "FOR UPDATE"), lead.Directory, t.s.texts(ids))
	found, err := collect(rows, err, scanLinked)
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	for i := range found {
		c.links[found[i].link.ID.ID] = &linkedRow{Link: found[i].link}
		c.users[found[i].user.ID] = &userRecord{User: found[i].user}
	}
	steps, err := t.openSteps(ctx, numbersOf)
	if err != nil {
		return err
	}
	ended := newBatch(updateRows, "sent", "id:n", "state ended:n")
	for i := range settlements {
		c.settleOne(&settlements[i], steps, ended)
	}
	if err := t.flush(ctx, ended); err != nil {
		return err
	}
	if err := c.backOff(ctx); err != nil {
		return err
	}
	return c.write(ctx)
}

// openSteps reads the sent rows of a batch of settlements.
func (t *tx) openSteps(ctx context.Context, ids []idbridge.SentID) (map[idbridge.SentID]openStep, error) {
	out := make(map[idbridge.SentID]openStep, len(ids))
	rows, err := t.QueryContext(ctx, `SELECT id, run, link, revision, state, step FROM sent WHERE `+t.s.among("id", 1), numbers(t.s, ids))
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var id idbridge.SentID
		var one openStep
		var state, step string
		err := r.Scan(&id, &one.run, &one.link, &one.revision, &state, &step)
		if err == nil {
			err = json.Unmarshal([]byte(step), &one.Step) //nolint:musttag // written by this package
		}
		one.link = unpack(one.link)
		one.open = state == "sent" || state == string(idbridge.SentInDoubt)
		out[id] = one
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("read sent steps: %w", err)
	}
	return out, nil
}

// settleOne ends one step, if it is the one that is open.
func (c *commit) settleOne(one *idbridge.Settlement, steps map[idbridge.SentID]openStep, ended *batch) {
	step, known := steps[one.Sent]
	link := c.links[one.ID.ID]
	if !known || !step.open {
		return
	}
	if link == nil { // deleted meanwhile: nobody will ever settle it
		ended.add(int64(one.Sent), sentDropped, c.t.now)
		return
	}
	user := c.users[link.User]
	if idbridge.MaySettle(one.Sent, link.Sent, step.revision, user.Revision) != nil {
		return
	}
	before := link.Link
	switch one.How {
	case idbridge.SentInDoubt:
		ended.add(int64(one.Sent), string(idbridge.SentInDoubt), int64(0))
	case idbridge.SentRefused:
		ended.add(int64(one.Sent), string(idbridge.SentRefused), c.t.now)
		link.Sent, link.Digest = 0, idbridge.Digest{}
		if one.Unusable != "" { // a mere miss of the compare-and-set is decided again at once
			if c.refusals == nil {
				c.refusals = map[string]refusedWrite{}
			}
			c.refusals[one.ID.ID] = refusedWrite{user.ID, one.Unusable}
			c.w.ward.say(one.ID.ID, link.Locator, idbridge.Withheld{Why: one.Unusable})
		}
	case idbridge.SentSettled:
		ended.add(int64(one.Sent), string(idbridge.SentSettled), c.t.now)
		link.Sent = 0
		c.w.change(step.run, &step.Step, user.ID, "", "")
		c.taken = append(c.taken, one.ID.ID)
		c.pushed(&step, user.ID)
		if len(one.Base) > 0 {
			link.Base = link.Base.Clone()
			merge(link.Base, one.Base, false)
		}
		link.Digest = one.Seen.Digest
		if one.Seen.Locator != "" {
			link.observe(&one.Seen)
		}
	}
	for _, conflict := range one.Conflicts {
		if conflict.Link == (idbridge.ExternalID{}) {
			conflict.Link = one.ID
		}
		if conflict.User == 0 {
			conflict.User = user.ID
		}
		c.w.conflicts = append(c.w.conflicts, conflict)
	}
	if !sameLink(&before, &link.Link) {
		link.Version++
		link.dirty = true
	}
}
