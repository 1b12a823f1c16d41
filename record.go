package idbridge

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
)

// ExternalID names a record for as long as it lives: the directory's name in the config and the directory's own
// immutable id (entryUUID of RFC 4530, objectGUID, nsUniqueId, a persistent NameID). Never a DN, never an e-mail: those move.
type ExternalID struct {
	Directory string
	ID        string
}

// String returns directory/id.
func (x ExternalID) String() string { return x.Directory + "/" + x.ID }

// Record is one person as a directory shows him at one moment.
type Record struct {
	ID      ExternalID
	Locator string      // where it is now: the DN, or the whole NameID tuple; may change at any time
	Profile Profile     // nil: still there, content not shown
	Unknown []Attribute // mapped but not readable this time: keep what is known
	Version string      // entryCSN, uSNChanged …; compared for equality only
	Order   int64       // 0: unordered; else a later observation is larger
}

// Digest identifies what a record showed: 128 bits of SHA-256, the zero Digest meaning "decide again".
type Digest [16]byte

// IsZero tells whether the digest says nothing.
func (d Digest) IsZero() bool { return d == Digest{} }

// String returns the digest in hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Digester computes digests of records and member lists under one scope hash. Not safe for concurrent use: one each
// goroutine.
type Digester struct {
	scope string
	h     hash.Hash
	buf   []byte
	attrs []Attribute
	vals  []string
}

// NewDigester returns a Digester for one directory; scope is the hash of its settings, so that a changed mapping makes
// every record new.
func NewDigester(scope string) *Digester { return &Digester{scope: scope, h: sha256.New()} }

// Record returns the digest of what r shows: locator, readable attributes and their values as sets, unknown attributes.
// Version and Order do not count: a server may bump them without a change.
func (d *Digester) Record(r *Record) Digest {
	d.h.Reset()
	b := appendText(d.buf[:0], d.scope)
	b = appendText(b, r.ID.ID)
	b = appendText(b, r.Locator)
	d.attrs = d.attrs[:0]
	for a := range r.Profile {
		d.attrs = append(d.attrs, a)
	}
	slices.Sort(d.attrs)
	for _, a := range d.attrs {
		b = appendText(b, string(a))
		d.vals = append(d.vals[:0], r.Profile[a]...)
		if len(d.vals) > 1 {
			slices.Sort(d.vals)
		}
		b = binary.AppendUvarint(b, uint64(len(d.vals)))
		for _, v := range d.vals {
			b = appendText(b, v)
		}
	}
	d.attrs = append(d.attrs[:0], r.Unknown...)
	slices.Sort(d.attrs)
	for _, a := range d.attrs {
		b = append(b, '?')
		b = appendText(b, string(a))
	}
	return d.sum(b)
}

// Members returns the digest of a group's member list, whatever its order. extra is what else decides about the
// members' grants (the role rules that name the group).
func (d *Digester) Members(m *Members, extra string) Digest {
	d.h.Reset()
	b := appendText(d.buf[:0], d.scope)
	b = appendText(b, m.Group.ID)
	b = appendText(b, m.Name)
	b = appendText(b, extra)
	d.vals = d.vals[:0]
	for _, x := range m.Members {
		d.vals = append(d.vals, x.ID)
	}
	slices.Sort(d.vals)
	for _, v := range slices.Compact(d.vals) {
		b = appendText(b, v)
	}
	return d.sum(b)
}

func (d *Digester) sum(b []byte) Digest {
	d.buf = b
	d.h.Write(b)
	var full [sha256.Size]byte
	d.h.Sum(full[:0])
	return Digest(full[:16])
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
