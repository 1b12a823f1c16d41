package ldap

import (
	"encoding/hex"
	"hash/maphash"

	"github.com/idbridge/idbridge"
)

// index remembers, during one listing, which id belongs to which name: DNs, so that group members can be told by id, and
// ids, so that one that comes twice is noticed. It keeps 40 bytes an entry and no text: names as 64-bit hashes under a
// random seed, ids of the UUID form as 16 octets.
type index struct {
	seed  maphash.Seed
	buf   []byte
	names []uint64   // by entry
	ids   [][16]byte // by entry; zero: in others
	other map[uint32]string
	byID  slots
	byDN  slots

	keepLogins bool // for groups that name their members by login
	logins     []uint64
	byLogin    slots
	ambiguous  map[uint64]bool // logins of several entries
}

func newIndex(logins bool) *index {
	return &index{seed: maphash.MakeSeed(), other: map[uint32]string{}, keepLogins: logins, ambiguous: map[uint64]bool{}}
}

// slots is an open hash table of entry numbers + 1; 0 is free.
type slots struct {
	table []uint32
	used  int
}

// find walks the entries whose hash falls together with h, until match says yes or a free slot comes.
func (s *slots) find(h uint64, match func(n uint32) bool) (uint32, bool) {
	if len(s.table) == 0 {
		return 0, false
	}
	mask := uint64(len(s.table) - 1) //nolint:gosec // a length, and the table is not empty
	for i := h & mask; ; i = (i + 1) & mask {
		switch n := s.table[i]; {
		case n == 0:
			return 0, false
		case match(n - 1):
			return n - 1, true
		}
	}
}

// add puts an entry number in; hash gives the hash of the numbers that are there already.
func (s *slots) add(h uint64, n uint32, hash func(n uint32) uint64) {
	if s.used*4 >= len(s.table)*3 {
		old := s.table
		s.table = make([]uint32, max(64, 2*len(old)))
		for _, m := range old {
			if m != 0 {
				s.place(hash(m-1), m)
			}
		}
	}
	s.place(h, n+1)
	s.used++
}

func (s *slots) place(h uint64, value uint32) {
	mask := uint64(len(s.table) - 1) //nolint:gosec // as above
	i := h & mask
	for s.table[i] != 0 {
		i = (i + 1) & mask
	}
	s.table[i] = value
}

func (x *index) hashDN(dn string) uint64 {
	x.buf = appendDN(x.buf[:0], dn)
	return maphash.Bytes(x.seed, x.buf)
}

// add remembers an entry. It returns false when the id was there already; the DN is then one more name of it.
func (x *index) add(id, dn, login string) bool {
	packed, ok := packID(id)
	n := uint32(len(x.names)) //nolint:gosec // a listing of four billion does not fit anyway
	h := x.hashID(packed, id)
	_, twice := x.byID.find(h, func(m uint32) bool { return x.ids[m] == packed && (ok || x.other[m] == id) })
	x.names = append(x.names, x.hashDN(dn))
	x.ids = append(x.ids, packed)
	if !ok {
		x.other[n] = id
	}
	if !twice {
		x.byID.add(h, n, func(m uint32) uint64 { return x.hashID(x.ids[m], x.other[m]) })
	}
	x.byDN.add(x.names[n], n, func(m uint32) uint64 { return x.names[m] })
	if x.keepLogins {
		x.addLogin(login, n)
	}
	return !twice
}

func (x *index) addLogin(login string, n uint32) {
	h := x.hashLogin(login)
	x.logins = append(x.logins, h)
	if login == "" {
		return
	}
	if _, twice := x.byLogin.find(h, func(m uint32) bool { return x.logins[m] == h }); twice {
		x.ambiguous[h] = true
		return
	}
	x.byLogin.add(h, n, func(m uint32) uint64 { return x.logins[m] })
}

func (x *index) hashLogin(login string) uint64 {
	return maphash.String(x.seed, idbridge.CaseIgnore.Normal(login))
}

func (x *index) hashID(packed [16]byte, id string) uint64 {
	if packed != [16]byte{} {
		return maphash.Bytes(x.seed, packed[:])
	}
	return maphash.String(x.seed, id)
}

// id returns the id of the entry with this DN, in any spelling.
func (x *index) id(dn string) (string, bool) {
	h := x.hashDN(dn)
	n, ok := x.byDN.find(h, func(m uint32) bool { return x.names[m] == h })
	if !ok {
		return "", false
	}
	return x.text(n), true
}

// idOfLogin returns the id of the one entry with this login.
func (x *index) idOfLogin(login string) (string, bool) {
	h := x.hashLogin(login)
	n, ok := x.byLogin.find(h, func(m uint32) bool { return x.logins[m] == h })
	if !ok || x.ambiguous[h] {
		return "", false
	}
	return x.text(n), true
}

func (x *index) text(n uint32) string {
	if s, other := x.other[n]; other {
		return s
	}
	return unpackID(x.ids[n])
}

// packID turns a UUID in its usual form, lower case, into 16 octets.
func packID(id string) (packed [16]byte, ok bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return packed, false
	}
	at := 0
	for i := 0; i < 36; i++ {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			continue
		}
		hi, lo := unhex(id[i]), unhex(id[i+1])
		if hi > 15 || lo > 15 {
			return [16]byte{}, false
		}
		packed[at] = hi<<4 | lo
		at, i = at+1, i+1
	}
	return packed, packed != [16]byte{}
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

func unpackID(p [16]byte) string {
	var b [36]byte
	hex.Encode(b[:8], p[:4])
	hex.Encode(b[9:13], p[4:6])
	hex.Encode(b[14:18], p[6:8])
	hex.Encode(b[19:23], p[8:10])
	hex.Encode(b[24:], p[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}
