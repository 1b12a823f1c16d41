package authstore

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/idbridge/idbridge"
)

const (
	verifyBlocks = 64 // blocks of one read
	faultsMost   = 100
)

// VerifyAudit checks every sealed block against the rows as they are now, on one snapshot: rows that were changed, removed
// or put in, and blocks that were changed, removed or moved. heads are what was noted elsewhere of AuditReport.Head: without
// one, nobody can tell that the newest blocks were cut off, or that all was made anew. Error: Invalid for a head that is none.
func (s *Store) VerifyAudit(ctx context.Context, heads ...string) (idbridge.AuditReport, error) {
	v := verifier{heads: map[int64]string{}}
	for _, one := range heads {
		number, digest, found := strings.Cut(strings.TrimSpace(one), ":")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 1 || !found {
			return idbridge.AuditReport{}, fault("verify audit", invalid("a head of the audit is a number, a colon and a digest",
				"copy it as idbridge audit verify printed it"))
		}
		v.heads[n] = digest
	}
	err := s.view(ctx, "verify audit", func(q queryer) error { return v.run(ctx, q) })
	return v.report, err
}

// verifier walks blocks and rows side by side.
type verifier struct {
	report idbridge.AuditReport
	heads  map[int64]string
	end    block // the last one looked at
	proofs map[int64][]byte
}

func (v *verifier) fault(format string, args ...any) {
	if len(v.report.Faults) < faultsMost {
		v.report.Faults = append(v.report.Faults, fmt.Sprintf(format, args...))
	}
}

func (v *verifier) run(ctx context.Context, q queryer) error {
	if _, err := one(q.QueryRowContext(ctx, `SELECT number, digest FROM audit_anchor WHERE id = 1`), &v.end.number, &v.end.digest); err != nil {
		return fmt.Errorf("read anchor: %w", err)
	}
	v.report.Anchor, v.end.last = v.end.head(), math.MinInt64
	v.meet()
	var before int
	if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM audit_block WHERE number <= $1`, v.end.number).Scan(&before); err != nil {
		return fmt.Errorf("count blocks: %w", err)
	}
	if before > 0 {
		v.fault("%d blocks lie before the beginning of the chain", before)
	}
	for n := v.end.number; ; {
		rows, err := q.QueryContext(ctx, `SELECT `+blockColumns+` FROM audit_block WHERE number > $1 ORDER BY number LIMIT $2`, n, verifyBlocks)
		blocks, err := collect(rows, err, scanBlock)
		if err != nil {
			return fmt.Errorf("read blocks: %w", err)
		}
		if len(blocks) == 0 {
			break
		}
		if err := v.chunk(ctx, q, blocks); err != nil {
			return err
		}
		n = blocks[len(blocks)-1].number
	}
	v.report.Head = v.end.head()
	for n := range v.heads {
		v.fault("block %d was seen elsewhere and is not here: the newest blocks were removed, or this store is an older copy", n)
	}
	row := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM audit WHERE id > $1`, v.end.last)
	if err := row.Scan(&v.report.Unsealed); err != nil {
		return fmt.Errorf("count open rows: %w", err)
	}
	return nil
}

// meet compares the block at the end with the heads that were noted elsewhere. A head that was pruned cannot be compared.
func (v *verifier) meet() {
	for n, digest := range v.heads {
		if n == v.end.number && digest != v.end.digest {
			v.fault("block %d is not the one that was seen elsewhere: the chain was made anew", n)
		}
		if n <= v.end.number {
			delete(v.heads, n)
		}
	}
}

// chunk verifies some blocks in a row, and the rows between the end of the one before and their own end.
func (v *verifier) chunk(ctx context.Context, q queryer, blocks []block) error {
	first, last := blocks[0].number, blocks[len(blocks)-1]
	v.proofs = map[int64][]byte{}
	rows, err := q.QueryContext(ctx, `SELECT id, proof FROM audit_erased WHERE block >= $1 AND block <= $2`, first, last.number)
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var id int64
		var proof []byte
		err := r.Scan(&id, &proof)
		v.proofs[id] = proof
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("read proofs: %w", err)
	}
	found, err := q.QueryContext(ctx, `SELECT `+auditRowColumns+` FROM audit WHERE id > $1 AND id <= $2 ORDER BY id`, v.end.last, last.last)
	if err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	defer found.Close() //nolint:errcheck // Err has what matters
	walk := rowWalk{rows: found}
	for i := range blocks {
		if err := v.block(&blocks[i], &walk); err != nil {
			return fmt.Errorf("block %d: %w", blocks[i].number, err)
		}
	}
	return found.Err()
}

// rowWalk reads rows one by one, with one in hand.
type rowWalk struct {
	rows *sql.Rows
	row  auditRow
	held bool
}

// upTo returns the next row if its id is not above the limit, else nil.
func (w *rowWalk) upTo(limit int64) (*auditRow, error) {
	if !w.held {
		if !w.rows.Next() {
			return nil, w.rows.Err()
		}
		if err := w.rows.Scan(w.row.dest()...); err != nil {
			return nil, err
		}
		w.held = true
	}
	if w.row.id > limit {
		return nil, nil //nolint:nilnil // no row, no error: the loops below end on it
	}
	return &w.row, nil
}

// block verifies one block and its rows.
func (v *verifier) block(b *block, walk *rowWalk) error {
	v.report.Blocks++
	leaves, whole := parseLeaves(b.leaves)
	switch {
	case b.number != v.end.number+1:
		v.fault("%s missing before block %d", blocksText(v.end.number+1, b.number-1), b.number)
	case b.earlier != v.end.digest:
		v.fault("block %d does not follow block %d: one of them was changed", b.number, v.end.number)
	}
	if b.first <= v.end.last {
		v.fault("block %d begins before the end of block %d", b.number, v.end.number)
	}
	if !whole || int64(len(leaves)) != b.size || len(leaves) == 0 || b.sum(leaves) != b.digest || leaves[0].id != b.first ||
		leaves[len(leaves)-1].id != b.last {
		v.fault("block %d was changed", b.number)
	}
	for i := range leaves {
		if err := v.leaf(b, &leaves[i], walk); err != nil {
			return err
		}
	}
	for { // rows behind the last leaf
		row, err := walk.upTo(b.last)
		if err != nil {
			return err
		}
		if row == nil {
			break
		}
		v.fault("row %d was put into block %d after it was sealed", row.id, b.number)
		walk.held = false
	}
	v.end = *b
	v.meet()
	return nil
}

func blocksText(from, to int64) string {
	if from >= to {
		return fmt.Sprintf("block %d is", from)
	}
	return fmt.Sprintf("blocks %d to %d are", from, to)
}

// leaf verifies one row.
func (v *verifier) leaf(b *block, l *leaf, walk *rowWalk) error {
	for {
		row, err := walk.upTo(l.id)
		if err != nil {
			return err
		}
		if row == nil {
			v.fault("row %d of block %d is gone", l.id, b.number)
			return nil
		}
		walk.held = false
		if row.id < l.id {
			v.fault("row %d was put in beside block %d after it was sealed", row.id, b.number)
			continue
		}
		v.report.Rows++
		texts, ok := row.commitments(l.salt), true
		if l.erased() {
			v.report.Erased++
			texts, ok = row.proven(v.proofs[row.id])
		}
		if !ok || row.digest(texts) != l.digest {
			v.fault("row %d of block %d was changed", row.id, b.number)
		}
		return nil
	}
}
