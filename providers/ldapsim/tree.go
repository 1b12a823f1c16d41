package ldapsim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// tree is the entries by name and in the order of their creation. It has no lock of its own.
type tree struct {
	byKey map[string]*entry
	order []*entry // by serial
	kids  map[string]int
}

func newTree() *tree { return &tree{byKey: map[string]*entry{}, kids: map[string]int{}} }

// copy is a tree of its own with the same entries: what a replica knew at that time.
func (t *tree) copy() *tree {
	return &tree{byKey: maps.Clone(t.byKey), order: slices.Clone(t.order), kids: maps.Clone(t.kids)}
}

func (t *tree) place(serial uint64) int {
	i, _ := slices.BinarySearchFunc(t.order, serial, func(e *entry, n uint64) int {
		switch {
		case e.serial < n:
			return -1
		case e.serial > n:
			return 1
		}
		return 0
	})
	return i
}

func (t *tree) insert(e *entry) {
	t.byKey[e.key] = e
	t.order = slices.Insert(t.order, t.place(e.serial), e)
	t.kids[e.parent]++
}

// replace puts e in the place of the entry with its serial, which had the key before.
func (t *tree) replace(before string, e *entry) {
	old := t.byKey[before]
	delete(t.byKey, before)
	t.byKey[e.key] = e
	t.order[t.place(e.serial)] = e
	t.kids[old.parent]--
	t.kids[e.parent]++
}

func (t *tree) remove(e *entry) {
	delete(t.byKey, e.key)
	i := t.place(e.serial)
	t.order = slices.Delete(t.order, i, i+1)
	t.kids[e.parent]--
}

// nearest returns the closest name above d that exists, for the matched DN of a noSuchObject.
func (t *tree) nearest(s *schema, d dn) string {
	for d = d.parent(); len(d) > 0; d = d.parent() {
		if k, ok := s.key(d); ok && t.byKey[k] != nil {
			return t.byKey[k].name.String()
		}
	}
	return ""
}

// clock makes change sequence numbers that only grow, whatever the wall clock does.
type clock struct {
	now   func() time.Time
	last  time.Time
	count int
}

// next returns a CSN as OpenLDAP writes it, and the time in it.
func (c *clock) next() (csn string, at time.Time) {
	at = c.now().UTC().Truncate(time.Microsecond)
	if at.After(c.last) {
		c.last, c.count = at, 0
	} else {
		c.count++
	}
	return fmt.Sprintf("%s#%06x#000#000000", c.last.Format("20060102150405.000000Z"), c.count), c.last
}

// stamp is a time as createTimestamp has it.
func stamp(t time.Time) string { return t.Format("20060102150405Z") }

// uuid makes an id of the number n that looks like one of OpenLDAP's and is the same in every run with the same seed.
func uuid(seed string, n uint64) string {
	h := uint64(14695981039346656037)
	for _, c := range []byte(seed) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	for range 8 {
		h = (h ^ (n & 0xff)) * 1099511628211
		n >>= 8
	}
	text := fmt.Sprintf("%016x%016x", h, h*0x9e3779b97f4a7c15+1)
	return strings.Join([]string{text[:8], text[8:12], "4" + text[13:16], "8" + text[17:20], text[20:]}, "-")
}
