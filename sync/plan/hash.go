package plan

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math/bits"
	"slices"

	"github.com/idbridge/idbridge"
)

// summer hashes decisions in any order: each is hashed alone and the results are added as numbers of 256 bits, so that
// equal ones do not cancel out. What is hashed is what would be done; not when, nor what was read, nor why.
type summer struct {
	sum   [4]uint64
	h     hash.Hash
	buf   []byte
	attrs []idbridge.Attribute
}

func newSummer() summer { return summer{h: sha256.New()} }

func (s *summer) add(d *idbridge.Decision) {
	s.buf = s.buf[:0]
	s.id(d.ID)
	s.number(int64(d.User))
	s.text(string(d.Situation))
	s.number(int64(len(d.Steps)))
	for i := range d.Steps {
		s.step(&d.Steps[i])
	}
	s.profile(d.Base)
	s.number(int64(len(d.Conflicts)))
	for i := range d.Conflicts {
		c := &d.Conflicts[i]
		s.number(int64(c.ID))
		s.text(string(c.Attribute))
		s.values(c.Base)
		s.values(c.Store)
		s.values(c.Directory)
		s.text(string(c.Winner))
	}
	for _, c := range d.Closed {
		s.number(int64(c))
	}
	s.number(int64(len(d.Withheld)))
	for _, h := range d.Withheld {
		s.text(string(h.Attribute))
		s.text(h.Value)
	}
	s.text(d.Unusable)
	s.text(d.Seen.Locator)
	s.buf = append(s.buf, d.Seen.Digest[:]...)
	s.number(int64(d.Seen.Sightings))
	if d.Group != nil {
		s.text(d.Group.Name)
		s.buf = append(s.buf, d.Group.Digest[:]...)
		s.number(int64(d.Group.Members))
	}
	s.h.Reset()
	s.h.Write(s.buf)
	var one [sha256.Size]byte
	s.h.Sum(one[:0])
	carry := uint64(0)
	for i := range s.sum {
		s.sum[i], carry = bits.Add64(s.sum[i], binary.LittleEndian.Uint64(one[8*i:]), carry)
	}
}

// text returns the hash over everything added so far, the directory and how many there were.
func (s *summer) hex(directory string, decisions int) string {
	s.buf = s.buf[:0]
	s.text(directory)
	s.number(int64(decisions))
	for _, x := range s.sum {
		s.buf = binary.LittleEndian.AppendUint64(s.buf, x)
	}
	full := sha256.Sum256(s.buf)
	return hex.EncodeToString(full[:16])
}

func (s *summer) step(x *idbridge.Step) {
	s.id(x.ID)
	s.number(int64(x.User))
	s.text(string(x.Side))
	s.text(string(x.Verb))
	s.profile(x.Before)
	s.profile(x.After)
	s.text(string(x.State))
	s.id(x.Group)
	s.number(int64(len(x.Grants)))
	for i := range x.Grants {
		g := &x.Grants[i]
		s.text(string(g.Role))
		s.text(g.Application)
	}
}

func (s *summer) profile(p idbridge.Profile) {
	s.number(int64(len(p)))
	s.attrs = s.attrs[:0]
	for a := range p {
		s.attrs = append(s.attrs, a)
	}
	slices.Sort(s.attrs)
	for _, a := range s.attrs {
		s.text(string(a))
		s.values(p[a])
	}
}

func (s *summer) values(v idbridge.Values) {
	s.number(int64(len(v)))
	for _, x := range v {
		s.text(x)
	}
}

func (s *summer) id(x idbridge.ExternalID) {
	s.text(x.Directory)
	s.text(x.ID)
}

func (s *summer) text(v string) {
	s.buf = binary.AppendUvarint(s.buf, uint64(len(v)))
	s.buf = append(s.buf, v...)
}

func (s *summer) number(n int64) { s.buf = binary.AppendVarint(s.buf, n) }
