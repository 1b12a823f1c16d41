package authstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lib/pq"
	"modernc.org/sqlite"

	"github.com/idbridge/idbridge"
)

// SQLite's codes for a value that it cannot keep, beside a constraint.
const (
	sqliteTooBig   = 18
	sqliteMismatch = 20
)

// poisonous tells that a statement failed for what it was to write, and would fail again: a value is too long for an index,
// or a constraint refuses it. Nothing else in the batch has a part in it.
func poisonous(err error) bool {
	if err == nil || idbridge.KindOf(err) == idbridge.Unknown {
		return false
	}
	var server *pq.Error
	if errors.As(err, &server) {
		class := server.Code.Class()
		return class == "22" || class == "23" || class == "54"
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case sqliteTooBig, sqliteMismatch, sqliteConstraint:
			return true
		}
	}
	return false
}

// parts carries out a batch that failed as a whole: it halves it until what fails is alone, each part behind a savepoint of
// one transaction. What fails alone is put in quarantine with its reason, and all else is done.
type parts struct {
	*batchWork
	t *tx
}

func (p *parts) do(ctx context.Context) error {
	return p.halves(ctx, bundles(p.decisions))
}

// bundles divides the decisions into those that must be committed together, as their places in the batch.
func bundles(decisions []idbridge.Decision) [][]int {
	at := make(map[idbridge.ExternalID]int, len(decisions))
	lead := make([]int, len(decisions)) // a smaller place of the same bundle
	first := func(i int) int {
		for lead[i] != i {
			i = lead[i]
		}
		return i
	}
	for i := range decisions {
		lead[i] = i
		if other, ok := at[decisions[i].ID]; ok && decisions[i].ID.ID != "" { // parts of one group, in their order
			lead[i] = first(other)
		} else {
			at[decisions[i].ID] = i
		}
	}
	for i := range decisions {
		for _, tied := range decisions[i].Tied {
			if other, ok := at[tied]; ok {
				x, y := first(i), first(other)
				lead[max(x, y)] = min(x, y)
			}
		}
	}
	var out [][]int
	place := make(map[int]int, len(decisions))
	for i := range decisions {
		root := first(i)
		if _, ok := place[root]; !ok {
			place[root] = len(out)
			out = append(out, nil)
		}
		out[place[root]] = append(out[place[root]], i)
	}
	return out
}

func (p *parts) halves(ctx context.Context, list [][]int) error {
	err := p.try(ctx, list)
	if !poisonous(err) {
		return err
	}
	if half := len(list) / 2; half > 0 {
		if err := p.halves(ctx, list[:half]); err != nil {
			return err
		}
		return p.halves(ctx, list[half:])
	}
	for _, i := range list[0] {
		if err := p.confine(ctx, i, err); err != nil {
			return err
		}
	}
	return nil
}

// try carries out a part, or leaves nothing of it.
func (p *parts) try(ctx context.Context, list [][]int) error {
	var places []int
	var decisions []idbridge.Decision
	for _, bundle := range list {
		for _, i := range bundle {
			places = append(places, i)
			decisions = append(decisions, p.decisions[i])
		}
	}
	return p.t.attempt(ctx, func() error {
		c := newCommit(p.t, p.lead, decisions)
		c.free = p.dry && p.lead.Epoch == 0
		if err := c.do(ctx); err != nil {
			return err
		}
		for k, i := range places {
			p.out[i] = c.out[k]
		}
		return nil
	})
}

// confine puts a record whose decision the database cannot keep into quarantine.
func (p *parts) confine(ctx context.Context, i int, cause error) error {
	d := &p.decisions[i]
	why := "the database cannot keep it" + longest(d) + ": " + reason(cause)
	p.out[i] = idbridge.Outcome{User: d.User, Stale: true, Unusable: why}
	if ofGroup(d) {
		return nil
	}
	write := func(id, locator string) error {
		w := ward{directory: p.lead.Directory}
		w.say(id, locator, idbridge.Withheld{Why: why})
		return p.t.attempt(ctx, func() error { return w.write(ctx, p.t) })
	}
	err := write(d.ID.ID, d.Seen.Locator)
	if poisonous(err) { // the id itself
		err = write("", prose(strings.ToValidUTF8(d.Seen.Locator[:min(len(d.Seen.Locator), 500)], "")))
	}
	return err
}

// reason is what the database says, without the values.
func reason(err error) string {
	var server *pq.Error
	if errors.As(err, &server) {
		return server.Message
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Error()
	}
	return err.Error()
}

// longest names the decision's longest value, since that is nearly always the trouble.
func longest(d *idbridge.Decision) string {
	var at idbridge.Attribute
	most := 0
	for i := range d.Steps {
		for a, values := range d.Steps[i].After {
			for _, v := range values {
				if len(v) > most || len(v) == most && a < at {
					at, most = a, len(v)
				}
			}
		}
	}
	if most == 0 {
		return ""
	}
	return fmt.Sprintf(" (longest value: %s, %d octets)", at, most)
}

// attempt runs f behind a savepoint. When f fails nothing of it is left, and the transaction goes on.
func (t *tx) attempt(ctx context.Context, f func() error) error {
	if _, err := t.ExecContext(ctx, `SAVEPOINT attempt`); err != nil {
		return fmt.Errorf("set savepoint: %w", err)
	}
	audits, moves, users, keys, changed := len(t.audits), len(t.moves), len(t.touched.users), len(t.touched.keys), t.changed
	err := f()
	if err != nil {
		t.audits, t.moves, t.changed = t.audits[:audits], t.moves[:moves], changed
		t.touched.users, t.touched.keys = t.touched.users[:users], t.touched.keys[:keys]
		if _, back := t.ExecContext(ctx, `ROLLBACK TO SAVEPOINT attempt`); back != nil {
			return fmt.Errorf("return to savepoint: %w", errors.Join(back, err))
		}
	}
	if _, end := t.ExecContext(ctx, `RELEASE SAVEPOINT attempt`); end != nil {
		return fmt.Errorf("end savepoint: %w", errors.Join(end, err))
	}
	return err
}
