package authstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"github.com/idbridge/idbridge"
)

const (
	planChunk = 500 // decisions of one transaction, and of one read
	planKeep  = 20  // closed plans of a directory whose decisions stay readable
)

// SavePlan stores a header with the decisions that change something, in bounded transactions. The plan can be seen when all
// of it is there; an earlier held or ready plan of the same directory becomes discarded ("superseded") in that moment.
func (s *Store) SavePlan(ctx context.Context, p idbridge.Plan, decisions iter.Seq2[idbridge.Decision, error]) error {
	op := fmt.Sprintf("save plan of %q", p.Directory)
	if p.State == "" {
		p.State = idbridge.PlanReady
	}
	id, err := s.newPlan(ctx, op, &p)
	if err != nil {
		return err
	}
	rows := newBatch(insertRows, "plan_decision", "plan:n phase:n seq:n", "decision")
	seq := int64(0)
	write := func() error {
		err := s.tx(ctx, op, "store.plan", func(t *tx) error {
			again := *rows
			return t.flush(ctx, &again)
		})
		rows.rows = rows.rows[:0]
		return err
	}
	for d, err := range decisions {
		if err != nil {
			return fault(op, err)
		}
		b, err := json.Marshal(&d) //nolint:musttag // only this package reads it, by the same type
		if err != nil {
			return fault(op, err)
		}
		seq++
		rows.add(id, int64(d.Phase()), seq, string(b))
		if rows.len() == planChunk {
			if err := write(); err != nil {
				return err
			}
		}
	}
	if rows.len() > 0 {
		if err := write(); err != nil {
			return err
		}
	}
	return s.showPlan(ctx, op, id, &p)
}

// newPlan inserts a header that nobody sees yet, and removes what an earlier SavePlan left when it did not come to its end.
func (s *Store) newPlan(ctx context.Context, op string, p *idbridge.Plan) (id int64, err error) {
	if p.Created.IsZero() {
		p.Created = s.now()
	}
	header, err := json.Marshal(p) //nolint:musttag // only this package reads it, by the same type
	if err != nil {
		return 0, fault(op, err)
	}
	err = s.tx(ctx, op, "store.planhead", func(t *tx) error {
		if id, err = t.next(ctx, "plan", 1); err != nil {
			return err
		}
		for _, query := range [...]string{
			`DELETE FROM plan_decision WHERE plan IN (SELECT id FROM plans WHERE directory = $1 AND state = '')`,
			`DELETE FROM plans WHERE directory = $1 AND state = ''`,
		} {
			if _, err := t.ExecContext(ctx, query, p.Directory); err != nil {
				return fmt.Errorf("remove unfinished plan: %w", err)
			}
		}
		b := newBatch(insertRows, "plans", "id:n", "hash run:n directory state header created:n decided:n decided_by")
		b.add(id, p.Hash, int64(p.Run), p.Directory, "", string(header), micros(p.Created), int64(0), "")
		return t.flush(ctx, b)
	})
	return id, err
}

// showPlan makes a finished plan visible and closes those before it.
func (s *Store) showPlan(ctx context.Context, op string, id int64, p *idbridge.Plan) error {
	return s.tx(ctx, op, "store.planshow", func(t *tx) error {
		_, err := t.ExecContext(ctx, `UPDATE plans SET state = 'discarded', decided = $3, decided_by = 'superseded'
			WHERE directory = $1 AND id < $2 AND state IN ('ready', 'held')`, p.Directory, id, t.now)
		if err != nil {
			return fmt.Errorf("supersede plans: %w", err)
		}
		result, err := t.ExecContext(ctx, `UPDATE plans SET state = $2 WHERE id = $1`, id, string(p.State))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "another plan of this directory was made meanwhile", Hint: "plan again"}
		}
		_, err = t.ExecContext(ctx, `DELETE FROM plan_decision WHERE plan IN (SELECT id FROM plans WHERE directory = $1 AND id <= $2
			AND state IN ('applied', 'discarded')) AND plan IN (SELECT id FROM plans WHERE directory = $1 ORDER BY id DESC LIMIT 10000 OFFSET $3)`,
			p.Directory, id, planKeep)
		return err
	})
}

// Plan returns a header by its hash, or by an unambiguous beginning of it. When the same plan was made several times, it is
// the latest. Errors: NotFound, Invalid when several plans begin so.
func (s *Store) Plan(ctx context.Context, hash string) (idbridge.Plan, error) {
	_, p, err := s.plan(ctx, s.read, hash)
	return p, fault("read plan", err)
}

func (s *Store) plan(ctx context.Context, q queryer, hash string) (int64, idbridge.Plan, error) {
	hash = strings.ToLower(strings.TrimSpace(hash))
	if hash == "" || strings.Trim(hash, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		return 0, idbridge.Plan{}, notFound("plan")
	}
	found, err := readPlans(ctx, q, ` WHERE state <> '' AND hash LIKE $1 ORDER BY id DESC LIMIT 100`, hash+"%")
	if err != nil {
		return 0, idbridge.Plan{}, err
	}
	if len(found) == 0 {
		return 0, idbridge.Plan{}, notFound("plan")
	}
	for i := range found {
		if found[i].plan.Hash == hash {
			return found[i].id, found[i].plan, nil
		}
	}
	for i := range found {
		if found[i].plan.Hash != found[0].plan.Hash {
			return 0, idbridge.Plan{}, invalid("several plans begin so", "give more characters of the hash")
		}
	}
	return found[0].id, found[0].plan, nil
}

type planRow struct {
	id   int64
	plan idbridge.Plan
}

func readPlans(ctx context.Context, q queryer, tail string, args ...any) ([]planRow, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, header, state, decided, decided_by FROM plans`+tail, args...)
	return collect(rows, err, func(r *sql.Rows) (planRow, error) {
		var p planRow
		var header, state, by string
		var decided int64
		if err := r.Scan(&p.id, &header, &state, &decided, &by); err != nil {
			return p, err
		}
		if err := json.Unmarshal([]byte(header), &p.plan); err != nil { //nolint:musttag // what the store wrote; a name in it is the field's
			return p, fmt.Errorf("header of plan %d: %w", p.id, err)
		}
		p.plan.State, p.plan.Decided, p.plan.By = idbridge.PlanState(state), moment(decided), by
		return p, nil
	})
}

// Plans returns the latest 100 plans of a directory ("": of all) in a state ("": in any), newest first.
func (s *Store) Plans(ctx context.Context, directory string, state idbridge.PlanState) ([]idbridge.Plan, error) {
	var w where
	w.raw("state <> ''")
	if directory != "" {
		w.and("directory = ?", directory)
	}
	if state != "" {
		w.and("state = ?", string(state))
	}
	tail, args := w.limit("id DESC", defaultPage)
	rows, err := readPlans(ctx, s.read, tail, args...)
	if err != nil {
		return nil, fault("list plans", err)
	}
	out := make([]idbridge.Plan, len(rows))
	for i := range rows {
		out[i] = rows[i].plan
	}
	return out, nil
}

// Decisions streams a plan's decisions, phase by phase. No snapshot is held between two chunks, so the caller may write
// while it reads.
func (s *Store) Decisions(ctx context.Context, hash string) iter.Seq2[idbridge.Decision, error] {
	return func(yield func(idbridge.Decision, error) bool) {
		id, _, err := s.plan(ctx, s.read, hash)
		if err != nil {
			yield(idbridge.Decision{}, fault("read plan", err))
			return
		}
		phase, seq := int64(-1), int64(0)
		for {
			rows, err := s.read.QueryContext(ctx, `SELECT phase, seq, decision FROM plan_decision WHERE plan = $1
				AND (phase > $2 OR phase = $2 AND seq > $3) ORDER BY phase, seq LIMIT $4`, id, phase, seq, planChunk)
			chunk, err := collect(rows, err, func(r *sql.Rows) (d idbridge.Decision, err error) {
				var text string
				if err := r.Scan(&phase, &seq, &text); err != nil {
					return d, err
				}
				err = json.Unmarshal([]byte(text), &d) //nolint:musttag // what the store wrote; a name in it is the field's
				return d, err
			})
			if err != nil {
				yield(idbridge.Decision{}, fault("read decisions of plan", err))
				return
			}
			for i := range chunk {
				if !yield(chunk[i], nil) {
					return
				}
			}
			if len(chunk) < planChunk {
				return
			}
		}
	}
}

// ClosePlan says how a plan ended. Errors: NotFound, Conflicting when it already had.
func (s *Store) ClosePlan(ctx context.Context, hash string, state idbridge.PlanState, by string) error {
	if state != idbridge.PlanApplied && state != idbridge.PlanDiscarded {
		return fault("close plan", invalid("a plan ends applied or discarded", ""))
	}
	return s.tx(ctx, "close plan", "store.planclose", func(t *tx) error {
		id, p, err := s.plan(ctx, t, hash)
		if err != nil {
			return err
		}
		result, err := t.ExecContext(ctx, `UPDATE plans SET state = $2, decided = $3, decided_by = $4
			WHERE id = $1 AND state IN ('ready', 'held')`, id, string(state), t.now, prose(by))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "the plan is " + string(p.State) + " already", Hint: "make a new plan"}
		}
		t.note(idbridge.Audit{Actor: by, Action: "plan." + string(state), Target: p.Hash, Run: p.Run})
		return nil
	})
}
