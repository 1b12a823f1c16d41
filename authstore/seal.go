package authstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

const (
	blockRows  = 1000 // rows of a block at most: one transaction of a few milliseconds
	sealBlocks = 200  // blocks of one call at most; the next call goes on
)

// block is a sealed part of the audit.
type block struct {
	number, first, last, size, sealed int64
	earlier, digest                   string // hex; earlier is the digest of the block before
	leaves                            []byte
}

const blockColumns = `number, first_id, last_id, size, earlier, digest, sealed, leaves`

func scanBlock(r *sql.Rows) (b block, err error) {
	err = r.Scan(&b.number, &b.first, &b.last, &b.size, &b.earlier, &b.digest, &b.sealed, &b.leaves)
	return b, err
}

// sum returns the digest that the block must have. The salts are not in it, so that they can be erased.
func (b *block) sum(leaves []leaf) string {
	h := sha256.New()
	h.Write(fmt.Appendf(nil, "idbridge audit block 1\n%d %d %d %d %d %s\n", b.number, b.first, b.last, len(leaves), b.sealed, b.earlier))
	var id [8]byte
	for i := range leaves {
		binary.BigEndian.PutUint64(id[:], uint64(leaves[i].id)) //nolint:gosec // the octets count, not the number
		h.Write(id[:])
		h.Write(leaves[i].digest[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (b *block) head() string { return head(b.number, b.digest) }

func head(number int64, digest string) string {
	if number == 0 {
		return ""
	}
	return fmt.Sprintf("%d:%s", number, digest)
}

// Seal puts the audit rows that are in no block yet into blocks, oldest first, and returns how many it made. It does
// nothing, and writes nothing, when there are none. No row can be late: a transaction that takes audit numbers holds the
// counter's row to its end, so whoever sees the counter at n sees every row up to n. Error: Locked when the epoch leads no
// more.
func (s *Store) Seal(ctx context.Context, epoch int64) (blocks int, err error) {
	var open bool
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM audit WHERE id > (SELECT COALESCE(MAX(last_id), 0) FROM
		(SELECT last_id FROM audit_anchor UNION ALL SELECT last_id FROM (SELECT last_id FROM audit_block ORDER BY number DESC LIMIT 1) AS n) AS e))`).
		Scan(&open)
	for err == nil && open && blocks < sealBlocks {
		var made int
		err = s.tx(ctx, "seal audit", "store.seal", func(t *tx) error {
			if err := t.mayLead(ctx, epoch); err != nil {
				return err
			}
			made, err = t.seal(ctx)
			return err
		})
		if err == nil && made > 0 {
			blocks++
		}
		open = made == blockRows
	}
	return blocks, fault("seal audit", err)
}

// seal makes one block and returns how many rows it has.
func (t *tx) seal(ctx context.Context) (int, error) {
	end, err := t.chain(ctx)
	if err != nil {
		return 0, err
	}
	rows, err := t.QueryContext(ctx, `SELECT `+auditRowColumns+` FROM audit
		WHERE id > $1 AND id <= (SELECT value FROM counter WHERE name = 'audit') ORDER BY id LIMIT $2`, end.last, blockRows)
	found, err := collect(rows, err, func(r *sql.Rows) (one auditRow, err error) {
		err = r.Scan(one.dest()...)
		return one, err
	})
	if err != nil || len(found) == 0 {
		return 0, err
	}
	b := block{
		number: end.number + 1, first: found[0].id, last: found[len(found)-1].id, size: int64(len(found)), sealed: t.now, earlier: end.digest,
	}
	salts := make([]byte, saltSize*len(found))
	rand.Read(salts) //nolint:errcheck // it never fails
	leaves := make([]leaf, len(found))
	for i := range found {
		salt := salts[i*saltSize : (i+1)*saltSize]
		leaves[i] = leaf{id: found[i].id, salt: salt, digest: found[i].digest(found[i].commitments(salt))}
		b.leaves = leaves[i].append(b.leaves)
	}
	b.digest = b.sum(leaves)
	out := newBatch(insertRows, "audit_block", "number:n", "first_id:n last_id:n size:n earlier digest sealed:n leaves:o")
	out.add(b.number, b.first, b.last, b.size, b.earlier, b.digest, b.sealed, b.leaves)
	return len(found), t.flush(ctx, out)
}

// chain holds the chain for this transaction, so that sealing, pruning and erasing come one after the other, and returns
// its end: the newest block, or what was pruned.
func (t *tx) chain(ctx context.Context) (end block, err error) {
	_, err = one(t.QueryRowContext(ctx, t.s.locking(`SELECT number, last_id, digest FROM audit_anchor WHERE id = 1`, "FOR UPDATE")),
		&end.number, &end.last, &end.digest)
	if err != nil {
		return end, fmt.Errorf("hold the chain: %w", err)
	}
	_, err = one(t.QueryRowContext(ctx, `SELECT number, last_id, digest FROM audit_block ORDER BY number DESC LIMIT 1`),
		&end.number, &end.last, &end.digest)
	if err != nil {
		return end, fmt.Errorf("read the newest block: %w", err)
	}
	return end, nil
}
