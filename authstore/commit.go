package authstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/idbridge/idbridge"
)

// Commit makes the store steps of each decision, moves bases, writes links, conflicts, quarantine and audit, and records
// directory steps as sent, all in one transaction. A decision whose precondition fails is left out alone and comes back
// Stale; so is one that the database cannot keep, with a reason. Errors: Locked (the epoch leads no more; nothing was done),
// Unknown (nobody can say), else nothing was done.
func (s *Store) Commit(ctx context.Context, lead idbridge.Lead, decisions []idbridge.Decision) ([]idbridge.Outcome, error) {
	return s.carryOut(ctx, &batchWork{lead: lead, decisions: decisions})
}

// Rehearse does what Commit does, in a transaction that is undone: the same checks, statements and constraints, so that a
// plan does not fail later on what could have been seen. Ids in the outcomes are what they would have been. Without an
// epoch it needs no lead. Errors as of Commit.
func (s *Store) Rehearse(ctx context.Context, lead idbridge.Lead, decisions []idbridge.Decision) ([]idbridge.Outcome, error) {
	return s.carryOut(ctx, &batchWork{lead: lead, decisions: decisions, dry: true})
}

// batchWork is what one Commit was asked for.
type batchWork struct {
	lead      idbridge.Lead
	decisions []idbridge.Decision
	dry       bool // undone in the end
	out       []idbridge.Outcome
}

func (s *Store) carryOut(ctx context.Context, w *batchWork) ([]idbridge.Outcome, error) {
	if len(w.decisions) == 0 {
		return nil, nil
	}
	op := fmt.Sprintf("commit decisions of %q", w.lead.Directory)
	var texts []texts
	var first int64
	trusting := onlyNew(w.decisions)
	if trusting {
		var err error
		if texts, first, err = s.prepare(ctx, w); err != nil {
			return nil, fault(op, err)
		}
	}
	err := s.transact(ctx, op, w.dry, func(t *tx) error {
		c := newCommit(t, w.lead, w.decisions)
		c.free = w.dry && w.lead.Epoch == 0
		c.trusting, trusting = trusting, false // a second try looks first
		c.texts, c.first, first = texts, first, 0
		w.out = c.out
		return c.do(ctx)
	})
	if poisonous(err) {
		err = s.transact(ctx, op, w.dry, func(t *tx) error {
			w.out = make([]idbridge.Outcome, len(w.decisions))
			return (&parts{batchWork: w, t: t}).do(ctx)
		})
	}
	if err != nil {
		return nil, err
	}
	return w.out, nil
}

// transact runs f in a transaction of a commit, or of a rehearsal.
func (s *Store) transact(ctx context.Context, op string, dry bool, f func(*tx) error) error {
	if dry {
		return s.rehearsal(ctx, op, f)
	}
	return s.tx(ctx, op, "store.commit", f)
}

// onlyNew tells that a batch makes users and does nothing else. Who decided it has just asked who holds their unique
// values, and nearly always nobody does still; so the claims are written without asking again. Where one is taken after
// all, the table refuses it, and the transaction is run once more and asks.
func onlyNew(decisions []idbridge.Decision) bool {
	for i := range decisions {
		d := &decisions[i]
		if len(d.Steps) != 1 || d.Steps[0].Verb != idbridge.Create || len(d.Tied) > 0 || len(d.Withheld) > 0 {
			return false
		}
	}
	return true
}

// texts are the parts of a new user's rows that take work to write.
type texts struct {
	folded, profile, base string
}

// prepare does what can be done for a batch of new users before its transaction: while it does, another one writes. On
// PostgreSQL their ids are taken here as well, since the counter's row would make batches wait for each other to their
// end; a batch that fails leaves a gap in the ids.
func (s *Store) prepare(ctx context.Context, w *batchWork) (out []texts, first int64, err error) {
	n := len(w.decisions)
	out = make([]texts, n)
	for i := range w.decisions {
		d := &w.decisions[i]
		after := d.Steps[0].After
		out[i] = texts{s.folded(after), profileText(after), profileText(d.Base)}
	}
	if !s.postgres || w.dry {
		return out, 0, nil
	}
	var last int64
	err = s.write.QueryRowContext(ctx, `UPDATE counter SET value = value + $1 WHERE name = 'user' RETURNING value`, n).Scan(&last)
	if err != nil {
		return nil, 0, fmt.Errorf("reserve ids: %w", err)
	}
	return out, last - int64(n) + 1, nil
}

// commit is the work of one Commit: everything is read at once, changed in memory, and written table by table.
type commit struct {
	t         *tx
	s         *Store
	lead      idbridge.Lead
	decisions []idbridge.Decision
	out       []idbridge.Outcome
	refused   []bool // decisions left out: stale, or a create whose login is taken
	links     map[string]*linkedRow
	users     map[idbridge.UserID]*userRecord
	claims    *bidding
	free      bool // needs no lead: it is undone
	trusting  bool // the values that the batch wants are taken for free
	texts     []texts
	first     int64                   // the first of the ids reserved for the batch's users; 0: none are
	refusals  map[string]refusedWrite // by link
	taken     []string                // links whose write the directory took
	turns     []turn
	w         *writer
}

// linkedRow is a link as it will be written.
type linkedRow struct {
	idbridge.Link
	fresh, dirty, gone bool
	text               *texts // Base is what was prepared
}

// userRecord is a user as he will be written.
type userRecord struct {
	idbridge.User
	fresh, dirty, gone bool
	before             idbridge.Profile // as read; nil until Profile is a copy of it
	access             bool             // what he may do changed: his revision moves
	claimed            bool             // a decision of this batch has him
	text               *texts           // Profile is what was prepared
}

func newCommit(t *tx, lead idbridge.Lead, decisions []idbridge.Decision) *commit {
	return &commit{
		t: t, s: t.s, lead: lead, decisions: decisions, out: make([]idbridge.Outcome, len(decisions)),
		refused: make([]bool, len(decisions)), links: make(map[string]*linkedRow, len(decisions)),
		users: make(map[idbridge.UserID]*userRecord, len(decisions)), w: newWriter(t, lead),
	}
}

// do is the order of a commit.
func (c *commit) do(ctx context.Context) error {
	if !c.free {
		if err := c.t.mayLead(ctx, c.lead.Epoch); err != nil {
			return err
		}
	}
	if err := c.t.shareAccess(ctx); err != nil {
		return err
	}
	if err := c.read(ctx); err != nil {
		return err
	}
	c.admit()
	if err := c.bid(ctx); err != nil {
		return err
	}
	if err := c.number(ctx); err != nil {
		return err
	}
	c.t.audits = slices.Grow(c.t.audits, len(c.decisions))
	for i := range c.decisions {
		switch {
		case !c.refused[i]:
			if err := c.apply(i); err != nil {
				return err
			}
		case !c.out[i].Stale: // a new record whose login is taken
			c.guard(i, &c.decisions[i])
		}
	}
	if err := c.inherit(ctx); err != nil {
		return err
	}
	return c.write(ctx)
}

// ofGroup tells that a decision is about a group, not about a record.
func ofGroup(d *idbridge.Decision) bool {
	if d.Group != nil {
		return true
	}
	for i := range d.Steps {
		if v := d.Steps[i].Verb; v == idbridge.Join || v == idbridge.Leave {
			return true
		}
	}
	return false
}

// read reads and holds every link the decisions speak of, with its user, and the users who are to be linked.
func (c *commit) read(ctx context.Context) error {
	ids := make([]string, 0, len(c.decisions))
	var users []idbridge.UserID
	for i := range c.decisions {
		d := &c.decisions[i]
		if !ofGroup(d) && d.ID.ID != "" {
			ids = append(ids, pack(d.ID.ID))
		}
		if d.User != 0 {
			users = append(users, d.User)
		}
		for k := range d.Steps {
			if step := &d.Steps[k]; step.ID != d.ID && step.ID.ID != "" {
				ids = append(ids, pack(step.ID.ID))
			}
			if d.Steps[k].User != 0 {
				users = append(users, d.Steps[k].User)
			}
		}
	}
	// PostgreSQL locks a row of users before that of links because users is named first, and by ascending id: so does
	// everybody else, and nobody waits in a circle.
	rows, err := c.t.QueryContext(ctx, c.s.locking(`SELECT `+linkColumns+`, `+userColumns+` FROM users u JOIN links l ON l.user_id = u.id
		WHERE l.directory = $1 AND `+c.s.among("l.id", 2)+` ORDER BY u.id`, "FOR UPDATE"), c.lead.Directory, c.s.texts(ids))
	found, err := collect(rows, err, scanLinked)
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	for i := range found {
		f := &found[i]
		c.links[f.link.ID.ID] = &linkedRow{Link: f.link}
		if c.users[f.user.ID] == nil {
			c.users[f.user.ID] = &userRecord{User: f.user}
		}
	}
	return c.readUsers(ctx, users)
}

// readUsers reads and holds the users that came not with a link.
func (c *commit) readUsers(ctx context.Context, ids []idbridge.UserID) error {
	missing := ids[:0]
	for _, id := range ids {
		if c.users[id] == nil {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	rows, err := c.t.QueryContext(ctx, c.s.locking(`SELECT `+userColumns+` FROM users u WHERE `+c.s.among("u.id", 1)+` ORDER BY u.id`,
		"FOR UPDATE"), numbers(c.s, missing))
	found, err := collect(rows, err, scanUser)
	if err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	for i := range found {
		c.users[found[i].ID] = &userRecord{User: found[i]}
	}
	return nil
}

// subject returns the link and the user a decision is about, as they are now; nil for none.
func (c *commit) subject(d *idbridge.Decision) (*linkedRow, *userRecord) {
	if l := c.links[d.ID.ID]; l != nil {
		return l, c.users[l.User]
	}
	id := d.User
	for i := range d.Steps {
		if d.Steps[i].Verb == idbridge.Linking && d.Steps[i].User != 0 {
			id = d.Steps[i].User
		}
	}
	return nil, c.users[id]
}

// admit asks of every decision whether what its plan read still holds. A user is changed by one decision of a batch; a
// second one read what the first is about to change, so it is stale.
func (c *commit) admit() {
	fresh := map[string]bool{}
	for i := range c.decisions {
		d := &c.decisions[i]
		if ofGroup(d) {
			continue
		}
		link, user := c.subject(d)
		var now idbridge.Versions
		var open idbridge.SentID
		if user != nil {
			now.User = user.Revision
		}
		if link != nil {
			now.Link, open = link.Version, link.Sent
		}
		read := d.Read
		if ofAbsence(d) {
			read.User = now.User
		}
		stale := idbridge.MayCommit(read, now, open) != nil
		stale = stale || len(d.Steps) > 0 && (user != nil && user.claimed || fresh[d.ID.ID]) || !c.sound(d, link, user)
		if stale {
			c.out[i].Stale, c.refused[i] = true, true
			continue
		}
		if user != nil {
			c.out[i].User = user.ID
			user.claimed = user.claimed || len(d.Steps) > 0
		}
		for k := range d.Steps {
			if other := c.yielder(&d.Steps[k], user); other != nil {
				other.claimed = true
			}
		}
		if creates(d) {
			fresh[d.ID.ID] = true
		}
	}
}

// ofAbsence tells that a decision does nothing but count an absence, or end access for it. That rests on the link alone: an
// absent user who lets his login go to a new record in the same run is absent all the same.
func ofAbsence(d *idbridge.Decision) bool {
	if d.Proof == nil || len(d.Steps) == 0 || len(d.Base) > 0 || len(d.Conflicts) > 0 {
		return false
	}
	for i := range d.Steps {
		if v := d.Steps[i].Verb; v != idbridge.Miss && v != idbridge.Suspend {
			return false
		}
	}
	return true
}

// sound tells whether a decision's steps have what they need: a link, a user, or the absence of a link.
func (c *commit) sound(d *idbridge.Decision, link *linkedRow, user *userRecord) bool {
	for i := range d.Steps {
		switch d.Steps[i].Verb {
		case idbridge.Create:
			if link != nil {
				return false
			}
		case idbridge.Linking:
			if link != nil || user == nil {
				return false
			}
		case idbridge.Update:
			if d.Steps[i].Side == idbridge.StoreSide && d.Steps[i].User != 0 && (user == nil || d.Steps[i].User != user.ID) {
				if !c.yields(&d.Steps[i]) {
					return false
				}
				continue
			}
			if link == nil && !creates(d) && !linksUser(d) {
				return false
			}
		case idbridge.Suspend, idbridge.Restore, idbridge.Miss, idbridge.Purge:
			if link == nil && !creates(d) && !linksUser(d) {
				return false
			}
		case idbridge.Join, idbridge.Leave:
		}
	}
	return true
}

// yields tells whether the user whom a step takes values from still has just those. His own versions were not read: the
// decision is about somebody else.
func (c *commit) yields(step *idbridge.Step) bool {
	other := c.users[step.User]
	if other == nil || other.claimed {
		return false
	}
	for a, v := range step.Before {
		if !c.s.schema.Equal(a, v, other.Profile[a]) {
			return false
		}
	}
	return true
}

func creates(d *idbridge.Decision) bool   { return has(d, idbridge.Create) }
func linksUser(d *idbridge.Decision) bool { return has(d, idbridge.Linking) }

func has(d *idbridge.Decision, v idbridge.Verb) bool {
	for i := range d.Steps {
		if d.Steps[i].Side == idbridge.StoreSide && d.Steps[i].Verb == v {
			return true
		}
	}
	return false
}

// number gives the users that will be created their ids.
func (c *commit) number(ctx context.Context) error {
	n := 0
	for i := range c.decisions {
		if !c.refused[i] && creates(&c.decisions[i]) {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	next := c.first
	if next == 0 {
		var err error
		if next, err = c.t.next(ctx, "user", n); err != nil {
			return err
		}
	}
	c.w.made = span{next, next + int64(n) - 1}
	for i := range c.decisions {
		if !c.refused[i] && creates(&c.decisions[i]) {
			c.out[i].User = idbridge.UserID(next)
			next++
		}
	}
	return nil
}
