package authstore

import (
	"context"
	"database/sql"

	"github.com/idbridge/idbridge"
)

const auditColumns = "at:n actor action target user_id:n result reason address request run:n"

// Audit returns audit rows, newest first.
func (s *Store) Audit(ctx context.Context, f idbridge.AuditFilter) ([]idbridge.Audit, error) {
	var w where
	if f.Before > 0 {
		w.and("id < ?", f.Before)
	}
	if f.User != 0 {
		w.and("user_id = ?", int64(f.User))
	}
	tail, args := w.limit("id DESC", page(f.Limit))
	out, err := readAudit(ctx, s.read, tail, args...)
	return out, fault("read audit", err)
}

func readAudit(ctx context.Context, q queryer, tail string, args ...any) ([]idbridge.Audit, error) {
	rows, err := q.QueryContext(ctx,
		`SELECT id, at, actor, action, target, user_id, result, reason, address, request, run FROM audit`+tail, args...)
	return collect(rows, err, func(r *sql.Rows) (idbridge.Audit, error) {
		var a idbridge.Audit
		var at int64
		err := r.Scan(&a.ID, &at, &a.Actor, &a.Action, &a.Target, &a.User, &a.Result, &a.Reason, &a.Address, &a.Request, &a.Run)
		a.At = moment(at)
		return a, err
	})
}

// AddAudit writes one row; a zero At becomes now. It does not move the revision.
func (s *Store) AddAudit(ctx context.Context, a idbridge.Audit) error {
	return s.tx(ctx, "write audit", "", func(t *tx) error {
		t.note(a)
		return nil
	})
}

// note adds an audit row to the transaction.
func (t *tx) note(a idbridge.Audit) {
	if a.Result == "" {
		a.Result = "ok"
	}
	t.audits = append(t.audits, a)
}

func (t *tx) writeAudits(ctx context.Context) error {
	if len(t.audits) == 0 {
		return nil
	}
	id, err := t.next(ctx, "audit", len(t.audits))
	if err != nil {
		return err
	}
	rows := newBatch(insertRows, "audit", "id:n", auditColumns)
	rows.grow(len(t.audits))
	for i := range t.audits {
		a := &t.audits[i]
		at := t.now
		if !a.At.IsZero() {
			at = micros(a.At)
		}
		rows.add(id+int64(i), at, prose(a.Actor), prose(a.Action), prose(a.Target), int64(a.User), a.Result, prose(a.Reason),
			prose(a.Address), prose(a.Request), int64(a.Run))
	}
	return t.flush(ctx, rows)
}
