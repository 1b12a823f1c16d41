package authstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// audit blanks the texts of the audit that name him. A sealed row keeps a commitment in the place of each text, and the salt
// by which the text could be guessed goes.
func (e *eraser) audit(ctx context.Context) error {
	end, err := e.t.chain(ctx)
	if err != nil {
		return err
	}
	named, args := like(`actor || ' ' || target || ' ' || reason || ' ' || request`, e.w.names, 2)
	rows, err := e.t.QueryContext(ctx, `SELECT `+auditRowColumns+` FROM audit WHERE user_id = $1 OR `+named+` ORDER BY id`,
		append([]any{int64(e.w.user)}, args...)...)
	found, err := collect(rows, err, func(r *sql.Rows) (one auditRow, err error) {
		err = r.Scan(one.dest()...)
		return one, err
	})
	if err != nil {
		return fmt.Errorf("read audit: %w", err)
	}
	out := newBatch(updateRows, "audit", "id:n", "actor target reason address request")
	proofs := newBatch(putRows, "audit_erased", "id:n", "block:n proof:o at:n")
	var in *sealedBlock
	for i := range found {
		row := &found[i]
		gone, any := e.texts(row)
		if !any {
			continue
		}
		if row.id <= end.last {
			if in, err = e.blockOf(ctx, in, row.id); err != nil {
				return err
			}
			proof, err := in.erase(ctx, e.t, row, gone)
			if err != nil {
				return err
			}
			if proof != nil {
				proofs.add(row.id, in.number, proof, e.t.now)
			}
		}
		for k := range row.texts {
			if gone[k] {
				row.texts[k] = ""
			}
		}
		out.add(row.id, row.texts[0], row.texts[1], row.texts[2], row.texts[3], row.texts[4])
	}
	if err := in.write(ctx, e.t); err != nil {
		return err
	}
	e.count("audit", int64(out.len()))
	return e.t.flush(ctx, proofs, out)
}

// texts tells which texts of a row must go.
func (e *eraser) texts(row *auditRow) (gone [auditTexts]bool, any bool) {
	about, actor := row.user == int64(e.w.user), e.w.in(row.texts[0])
	must := [auditTexts]bool{actor, about, about, actor, actor}
	for i, text := range row.texts {
		gone[i] = text != "" && (must[i] || e.w.in(text))
		any = any || gone[i]
	}
	return gone, any
}

// sealedBlock is a block whose salts are being erased.
type sealedBlock struct {
	number, last int64
	leaves       []byte
	dirty        bool
}

// blockOf returns the block of a row, an empty one when it is in none; the one before is written when it is another.
func (e *eraser) blockOf(ctx context.Context, now *sealedBlock, id int64) (*sealedBlock, error) {
	if now != nil && id <= now.last {
		return now, nil
	}
	if err := now.write(ctx, e.t); err != nil {
		return nil, err
	}
	next := &sealedBlock{}
	_, err := one(e.t.QueryRowContext(ctx, `SELECT number, last_id, leaves FROM audit_block WHERE first_id <= $1 AND last_id >= $1
		ORDER BY number LIMIT 1`, id), &next.number, &next.last, &next.leaves)
	return next, err
}

// erase takes the salt of a row away and returns the row's proof; nil for a row that the block does not know.
func (b *sealedBlock) erase(ctx context.Context, t *tx, row *auditRow, gone [auditTexts]bool) ([]byte, error) {
	leaves, _ := parseLeaves(b.leaves)
	i := slices.IndexFunc(leaves, func(l leaf) bool { return l.id == row.id })
	if i < 0 {
		return nil, nil // put in beside the chain: there is nothing to keep whole
	}
	if leaves[i].erased() {
		var proof []byte
		_, err := one(t.QueryRowContext(ctx, `SELECT proof FROM audit_erased WHERE id = $1`, row.id), &proof)
		if err != nil || len(proof) != auditTexts*proofSize { // without a proof it cannot be verified any more
			return nil, err
		}
		return row.narrow(proof, gone), nil
	}
	proof := row.prove(leaves[i].salt, gone)
	clear(b.leaves[i*leafSize+8 : i*leafSize+8+saltSize])
	b.dirty = true
	return proof, nil
}

func (b *sealedBlock) write(ctx context.Context, t *tx) error {
	if b == nil || !b.dirty {
		return nil
	}
	b.dirty = false
	if _, err := t.ExecContext(ctx, `UPDATE audit_block SET leaves = $2 WHERE number = $1`, b.number, b.leaves); err != nil {
		return fmt.Errorf("erase salts of block %d: %w", b.number, err)
	}
	return nil
}
