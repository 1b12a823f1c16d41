package engine

import (
	"hash/maphash"

	"github.com/idbridge/idbridge"
)

// claims knows which unique values several records of one listing show: the smallest external id gets such a value,
// whatever the order of the listing. While listening it keeps eight bytes per value; who the claimants are is read from
// the spool afterwards, and only when there are any.
type claims struct {
	seed      maphash.Seed
	once      map[uint64]struct{}
	contested map[uint64]string // smallest id, "" until it is known
}

func newClaims() *claims { return &claims{seed: maphash.MakeSeed()} }

func (c *claims) key(a idbridge.Attribute, normal string) uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	h.WriteString(string(a)) // never fails
	h.WriteByte(0)           // never fails
	h.WriteString(normal)    // never fails
	return h.Sum64()
}

// note says that one more record shows the value.
func (c *claims) note(a idbridge.Attribute, normal string) {
	k := c.key(a, normal)
	if _, ok := c.once[k]; !ok {
		if c.once == nil {
			c.once = map[uint64]struct{}{}
		}
		c.once[k] = struct{}{}
		return
	}
	if c.contested == nil {
		c.contested = map[uint64]string{}
	}
	c.contested[k] = ""
}

// by says that this record is one of the claimants, if the value is contested.
func (c *claims) by(a idbridge.Attribute, normal, id string) {
	k := c.key(a, normal)
	if least, ok := c.contested[k]; ok && (least == "" || id < least) {
		c.contested[k] = id
	}
}

// winner returns the id that gets a contested value, "" when nobody contests it.
func (c *claims) winner(a idbridge.Attribute, normal string) string {
	if len(c.contested) == 0 {
		return ""
	}
	return c.contested[c.key(a, normal)]
}

// drop frees what only listening needs.
func (c *claims) drop() { c.once = nil }
