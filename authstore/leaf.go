package authstore

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

const (
	auditTexts = 5 // personal texts of an audit row: actor, target, reason, address, request
	saltSize   = 16
	leafSize   = 8 + saltSize + sha256.Size // id, salt, digest
	proofSize  = 1 + sha256.Size            // of one text: what it is, and the octets
)

// auditRow is an audit row as it is digested.
type auditRow struct {
	id, at, user, run int64
	action, result    string
	texts             [auditTexts]string
}

const auditRowColumns = `id, at, user_id, run, action, result, actor, target, reason, address, request`

func (r *auditRow) dest() []any {
	return []any{
		&r.id, &r.at, &r.user, &r.run, &r.action, &r.result, &r.texts[0], &r.texts[1], &r.texts[2], &r.texts[3], &r.texts[4],
	}
}

// textSalt is the salt of one text of a row. It can be kept alone when the salt of the row must go.
func textSalt(salt []byte, i int) [sha256.Size]byte {
	return sha256.Sum256(append(slices.Clone(salt), byte(i)))
}

// commitment stands for a text in the digest of its row: it proves the text to who has the salt, and tells nothing to who
// has not.
func commitment(salt [sha256.Size]byte, text string) [sha256.Size]byte {
	return sha256.Sum256(append(salt[:], text...))
}

// commitments returns those of all texts of a row.
func (r *auditRow) commitments(salt []byte) (out [auditTexts][sha256.Size]byte) {
	for i, text := range r.texts {
		out[i] = commitment(textSalt(salt, i), text)
	}
	return out
}

// digest returns the digest of a row over its own fields and the commitments of its texts.
func (r *auditRow) digest(texts [auditTexts][sha256.Size]byte) [sha256.Size]byte {
	b := make([]byte, 0, 256)
	for _, n := range [...]int64{r.id, r.at, r.user, r.run} {
		b = binary.BigEndian.AppendUint64(b, uint64(n)) //nolint:gosec // the octets count, not the number
	}
	for _, text := range [...]string{r.action, r.result} {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	for i := range texts {
		b = append(b, texts[i][:]...)
	}
	return sha256.Sum256(b)
}

// The parts of a proof: a text that stays has its salt, one that was erased its commitment.
const (
	proofSalt   = 's'
	proofErased = 'e'
)

// prove returns the proof of a row whose texts are erased where gone says so.
func (r *auditRow) prove(salt []byte, gone [auditTexts]bool) []byte {
	out := make([]byte, 0, auditTexts*proofSize)
	for i, text := range r.texts {
		own := textSalt(salt, i)
		if gone[i] {
			own = commitment(own, text)
			out = append(append(out, proofErased), own[:]...)
			continue
		}
		out = append(append(out, proofSalt), own[:]...)
	}
	return out
}

// narrow erases more texts of a row that has a proof already.
func (r *auditRow) narrow(proof []byte, gone [auditTexts]bool) []byte {
	out := slices.Clone(proof)
	for i, text := range r.texts {
		part := out[i*proofSize : (i+1)*proofSize]
		if gone[i] && part[0] == proofSalt {
			made := commitment([sha256.Size]byte(part[1:]), text)
			part[0] = proofErased
			copy(part[1:], made[:])
		}
	}
	return out
}

// proven returns the commitments of a row by its proof; not ok when the proof is none, or an erased text is there again.
func (r *auditRow) proven(proof []byte) (out [auditTexts][sha256.Size]byte, ok bool) {
	if len(proof) != auditTexts*proofSize {
		return out, false
	}
	for i, text := range r.texts {
		part := proof[i*proofSize : (i+1)*proofSize]
		own := [sha256.Size]byte(part[1:])
		switch {
		case part[0] == proofSalt:
			out[i] = commitment(own, text)
		case part[0] == proofErased && text == "":
			out[i] = own
		default:
			return out, false
		}
	}
	return out, true
}

// leaf is what a block keeps of one row.
type leaf struct {
	id     int64
	salt   []byte // all zero once texts of the row were erased
	digest [sha256.Size]byte
}

func (l *leaf) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(l.id)) //nolint:gosec // the octets count, not the number
	return append(append(b, l.salt...), l.digest[:]...)
}

func (l *leaf) erased() bool {
	return !slices.ContainsFunc(l.salt, func(b byte) bool { return b != 0 })
}

// parseLeaves reads the leaves of a block; not ok when they are cut.
func parseLeaves(b []byte) (out []leaf, ok bool) {
	if len(b)%leafSize != 0 {
		return nil, false
	}
	out = make([]leaf, len(b)/leafSize)
	for i := range out {
		one := b[i*leafSize : (i+1)*leafSize]
		out[i] = leaf{
			id:   int64(binary.BigEndian.Uint64(one)), //nolint:gosec // as it was written
			salt: one[8 : 8+saltSize], digest: [sha256.Size]byte(one[8+saltSize:]),
		}
	}
	return out, true
}
