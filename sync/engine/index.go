package engine

import (
	"hash/maphash"

	"github.com/idbridge/idbridge"
)

// index is what a run keeps in memory about every record: who is linked, what he showed when he was last settled, and
// whether this listing showed him. An entry takes 38 bytes and 5 to 11 more for its place, so that a million links fit
// into 49 MB.
//
// A key is the id itself when it is a UUID in its canonical spelling, which can be spelled out again; any other id is
// hashed, and a second look at the marks tells its spelling.
type index struct {
	chunks [][]entry // never moved once written; full but for the last
	slots  []uint32  // open addressing; entry number + 1, 0 for free
	count  int
	seed   maphash.Seed
	seed2  maphash.Seed
}

type entry struct {
	key       [16]byte
	digest    idbridge.Digest
	flags     uint16
	sightings uint8
	version   uint16 // the lower bits of Link.Version before the directory was read
}

const (
	flagLinked  = uint16(1) << iota // a link exists; otherwise the record is new in this listing
	flagSeen                        // shown in this listing
	flagStaged                      // waits in the spool to be decided
	flagTwice                       // shown by two records: none of them is used
	flagHashed                      // the key is a hash
	flagMissing                     // the link's state is missing
	flagGone                        // the directory itself said that it is gone
	flagChanged                     // was staged in this run
	flagVersion                     // version says something
)

const chunkSize = 1 << 12

func newIndex() *index {
	return &index{seed: maphash.MakeSeed(), seed2: maphash.MakeSeed()}
}

// at returns the entry with that number. It stays valid until the next add.
func (x *index) at(n uint32) *entry { return &x.chunks[n/chunkSize][n%chunkSize] }

// find returns the entry of id, or nil.
func (x *index) find(id string) *entry {
	if x.count == 0 {
		return nil
	}
	key, flags := x.key(id)
	at := x.place(key, flags)
	if x.slots[at] == 0 {
		return nil
	}
	return x.at(x.slots[at] - 1)
}

// add returns the entry of id, made when there is none. made tells which.
func (x *index) add(id string) (e *entry, made bool) {
	if (x.count+1)*4 > len(x.slots)*3 {
		x.grow()
	}
	key, flags := x.key(id)
	at := x.place(key, flags)
	if n := x.slots[at]; n != 0 {
		return x.at(n - 1), false
	}
	if x.count%chunkSize == 0 {
		x.chunks = append(x.chunks, newChunk(x.count))
	}
	last := len(x.chunks) - 1
	x.chunks[last] = append(x.chunks[last], entry{key: key, flags: flags})
	x.slots[at] = uint32(x.count) + 1 //nolint:gosec // 4 billion links are beyond every store
	x.count++
	return x.at(uint32(x.count) - 1), true //nolint:gosec // as above
}

// newChunk makes the first chunk small, for directories of twenty people.
func newChunk(count int) []entry {
	if count == 0 {
		return make([]entry, 0, 16)
	}
	return make([]entry, 0, chunkSize)
}

// place returns the slot that holds the key, or the free one where it belongs.
func (x *index) place(key [16]byte, flags uint16) uint64 {
	mask := uint64(len(x.slots) - 1) //nolint:gosec // a length, and the table is not empty
	at := maphash.Bytes(x.seed, key[:]) & mask
	for x.slots[at] != 0 {
		e := x.at(x.slots[at] - 1)
		if e.key == key && e.flags&flagHashed == flags&flagHashed {
			break
		}
		at = (at + 1) & mask
	}
	return at
}

func (x *index) grow() {
	x.slots = make([]uint32, max(32, 2*len(x.slots)))
	for n := range uint32(x.count) { //nolint:gosec // see add
		e := x.at(n)
		x.slots[x.place(e.key, e.flags)] = n + 1
	}
}

// key returns the entry key of an id.
func (x *index) key(id string) ([16]byte, uint16) {
	if key, ok := parseUUID(id); ok {
		return key, 0
	}
	var key [16]byte
	put64(key[:8], maphash.String(x.seed, id))
	put64(key[8:], maphash.String(x.seed2, id))
	return key, flagHashed
}

// spelled returns the id of an entry, if its key can be spelled out.
func (e *entry) spelled() (string, bool) {
	if e.flags&flagHashed != 0 {
		return "", false
	}
	return spellUUID(e.key), true
}

func (e *entry) is(flag uint16) bool { return e.flags&flag != 0 }

// load takes over what the store remembers of one link.
func (x *index) load(m idbridge.Mark) {
	e, _ := x.add(m.ID)
	e.digest = m.Digest
	e.flags |= flagLinked
	e.sightings = uint8(min(m.Sightings, 255)) //nolint:gosec // bounded
	e.version = uint16(m.Version)              // the lower bits are meant
	if m.Version != 0 {
		e.flags |= flagVersion
	}
	if m.State == idbridge.LinkMissing {
		e.flags |= flagMissing
	}
}

// moved tells that the link is not what it was before the directory was read: what was observed may be older than what the
// link remembers now, and nothing may be decided from the two together.
func (e *entry) moved(l *idbridge.Link) bool {
	if l == nil {
		return e.is(flagLinked)
	}
	return !e.is(flagLinked) || e.is(flagVersion) && e.version != uint16(l.Version) //nolint:gosec // the lower bits are meant
}

// settled tells that a record with this digest needs no decision.
func (e *entry) settled(d idbridge.Digest) bool {
	return e.is(flagLinked) && !e.is(flagMissing) && e.sightings == 0 && !e.digest.IsZero() && e.digest == d
}

const hexDigits = "0123456789abcdef"

// parseUUID reads the canonical spelling 8-4-4-4-12 in lower case, and no other.
func parseUUID(s string) (key [16]byte, ok bool) {
	if len(s) != 36 {
		return key, false
	}
	n := 0
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return key, false
			}
			continue
		}
		var v byte
		switch {
		case c >= '0' && c <= '9':
			v = c - '0'
		case c >= 'a' && c <= 'f':
			v = c - 'a' + 10
		default:
			return key, false
		}
		key[n/2] = key[n/2]<<4 | v
		n++
	}
	return key, true
}

func spellUUID(key [16]byte) string {
	out := make([]byte, 0, 36)
	for i, b := range key {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out = append(out, '-')
		}
		out = append(out, hexDigits[b>>4], hexDigits[b&15])
	}
	return string(out)
}

func put64(b []byte, v uint64) {
	for i := range 8 {
		b[i] = byte(v >> (8 * i))
	}
}
