package authstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/idbridge/idbridge"
)

const runColumns = `id, directory, kind, slot, author, state, complete, started, ended, counts, plan, error, hint, epoch`

func scanRun(r *sql.Rows) (idbridge.Run, error) {
	var run idbridge.Run
	var slot, started, ended int64
	var counts string
	err := r.Scan(&run.ID, &run.Directory, &run.Kind, &slot, &run.Author, &run.State, &run.Complete, &started, &ended, &counts, &run.Plan,
		&run.Error, &run.Hint, &run.Epoch)
	if err != nil {
		return run, err
	}
	run.Slot, run.Started, run.Ended = moment(slot), moment(started), moment(ended)
	if err := json.Unmarshal([]byte(counts), &run.Counts); err != nil {
		return run, fmt.Errorf("counts of run %d: %w", run.ID, err)
	}
	return run, nil
}

// Runs returns runs, newest first.
func (s *Store) Runs(ctx context.Context, f idbridge.RunFilter) ([]idbridge.Run, error) {
	var w where
	if f.Directory != "" {
		w.and("directory = ?", f.Directory)
	}
	if f.Before > 0 {
		w.and("id < ?", int64(f.Before))
	}
	tail, args := w.limit("id DESC", page(f.Limit))
	rows, err := s.read.QueryContext(ctx, `SELECT `+runColumns+` FROM runs`+tail, args...)
	out, err := collect(rows, err, scanRun)
	return out, fault("list runs", err)
}

// Run returns one run. Error: NotFound.
func (s *Store) Run(ctx context.Context, id idbridge.RunID) (idbridge.Run, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+runColumns+` FROM runs WHERE id = $1`, int64(id))
	out, err := collect(rows, err, scanRun)
	if err == nil && len(out) == 0 {
		err = notFound("run")
	}
	if err != nil {
		return idbridge.Run{}, fault("read run", err)
	}
	return out[0], nil
}

// BeginRun inserts the row of a run; a zero Started becomes now, an empty State running. Error: Exists when the run's slot
// ran already, whoever ran it.
func (s *Store) BeginRun(ctx context.Context, run idbridge.Run) (idbridge.RunID, error) {
	if run.State == "" {
		run.State = idbridge.RunRunning
	}
	counts, err := json.Marshal(run.Counts)
	if err != nil {
		return 0, fault("begin run", err)
	}
	var id int64
	err = s.tx(ctx, fmt.Sprintf("begin run of %q", run.Directory), "store.begin", func(t *tx) error {
		started := t.now
		if !run.Started.IsZero() {
			started = micros(run.Started)
		}
		// Two nodes may compute the same id: the loser's transaction is run again.
		found, err := one(t.QueryRowContext(ctx, `INSERT INTO runs (`+runColumns+`)
			SELECT MAX(id) + 1, $1, $2, CAST($3 AS BIGINT), $4, $5, FALSE, CAST($6 AS BIGINT), 0, $7, $8, '', '', CAST($9 AS BIGINT)
			FROM (SELECT COALESCE(MAX(id), 0) AS id FROM runs UNION ALL SELECT value FROM counter WHERE name = 'run') AS n
			WHERE 1 = 1 ON CONFLICT (directory, kind, slot) WHERE slot <> 0 DO NOTHING RETURNING id`,
			run.Directory, string(run.Kind), micros(run.Slot), prose(run.Author), string(run.State), started, string(counts), run.Plan,
			run.Epoch), &id)
		if err == nil && !found {
			return &idbridge.Error{Kind: idbridge.Exists, Msg: "this slot ran already"}
		}
		return err
	})
	return idbridge.RunID(id), err
}

// EndRun writes how a run ended; with source it writes the directory's bookmark in the same transaction. A dry run that
// never led may end without the lead. Errors: Locked, NotFound.
func (s *Store) EndRun(ctx context.Context, lead idbridge.Lead, run idbridge.Run, source *idbridge.Source) error {
	counts, err := json.Marshal(run.Counts)
	if err != nil {
		return fault("end run", err)
	}
	err = s.tx(ctx, fmt.Sprintf("end run of %q", run.Directory), "store.endrun", func(t *tx) error {
		if lead.Epoch != 0 || source != nil || run.Kind != idbridge.PlanRun {
			if err := t.mayLead(ctx, lead.Epoch); err != nil {
				return err
			}
		}
		ended := t.now
		if !run.Ended.IsZero() {
			ended = micros(run.Ended)
		}
		result, err := t.ExecContext(ctx, `UPDATE runs SET state = $2, complete = $3, ended = $4, counts = $5, plan = $6, error = $7, hint = $8
			WHERE id = $1`, int64(run.ID), string(run.State), run.Complete, ended, string(counts), run.Plan, prose(run.Error), prose(run.Hint))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return notFound("run")
		}
		if worthAudit(&run) {
			t.note(idbridge.Audit{
				Actor: run.Author, Action: "run", Target: run.Directory, Run: run.ID, Result: string(run.State), Reason: run.Error,
			})
		}
		if source == nil {
			return nil
		}
		return t.putSource(ctx, run.Directory, source)
	})
	if err == nil && source != nil {
		s.feed.setComplete(run.Directory, source.Complete)
	}
	if err == nil && worthAudit(&run) {
		s.putMark(ctx)
	}
	return err
}

// worthAudit tells whether a run changed anything or ended badly. One that found nothing to do leaves its row in runs and
// nothing else.
func worthAudit(run *idbridge.Run) bool {
	if run.Kind == idbridge.PlanRun || run.Kind == idbridge.UndoRun {
		return false // dry: its plan and its row say it all
	}
	c := run.Counts
	effects := c.Created + c.Linked + c.Updated + c.Restored + c.Suspended + c.Purged + c.Conflicts + c.Joined + c.Left + c.Granted +
		c.Revoked + c.Pulls + c.Sent
	return effects > 0 || run.State != idbridge.RunDone
}
