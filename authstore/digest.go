package authstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// tables lists every table of the store, in alphabetical order.
func tables() []string {
	return []string{
		"application", "audit", "audit_anchor", "audit_block", "audit_erased", "backoff", "claims", "conflicts", "counter", "directory_group", "flip", "grants", "group_role", "installation",
		"key_spent", "keys", "lease", "links", "membership", "moves", "outbox", "password", "plan_decision", "plans", "quarantine", "replay", "revision", "run_change", "run_created", "runs", "sent", "session", "setting", "signing_key", "source", "tombstone", "users",
	}
}

// Digests returns a digest over all rows of each table, on one snapshot: equal digests mean equal rows, in whatever order.
// It is for tests and for the proof that a run changed nothing.
func (s *Store) Digests(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	err := s.view(ctx, "digest tables", func(q queryer) error {
		for _, table := range tables() {
			d, err := digestTable(ctx, q, table)
			if err != nil {
				return fmt.Errorf("%s: %w", table, err)
			}
			out[table] = d
		}
		return nil
	})
	return out, err
}

// digestTable adds up the hashes of the rows, so that their order does not count.
func digestTable(ctx context.Context, q queryer, table string) (_ string, err error) {
	rows, err := q.QueryContext(ctx, `SELECT * FROM `+table) // all columns is what it is about
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return "", err
	}
	cells := make([]sql.RawBytes, len(names))
	dest := make([]any, len(names))
	for i := range cells {
		dest[i] = &cells[i]
	}
	var sum [4]uint64
	count := uint64(0)
	var row []byte
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return "", err
		}
		row = row[:0]
		for _, cell := range cells {
			row = binary.AppendUvarint(row, uint64(len(cell)))
			row = append(row, cell...)
		}
		h := sha256.Sum256(row)
		for i := range sum {
			sum[i] += binary.BigEndian.Uint64(h[8*i:])
		}
		count++
	}
	total := binary.BigEndian.AppendUint64(nil, count)
	for _, n := range sum {
		total = binary.BigEndian.AppendUint64(total, n)
	}
	full := sha256.Sum256(total)
	return hex.EncodeToString(full[:16]), rows.Err()
}
