package ldapsim

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
)

// database is all the server knows, behind one mutex. Its methods with a leading lock take it themselves; the others
// want it held.
type database struct {
	mu           sync.Mutex
	schema       *schema
	suffix       dn
	base         string // key of the suffix
	main         *tree
	replica      *tree // not nil: searches and compares see this one
	clock        clock
	serial       uint64
	seed         string
	context      string // contextCSN
	rights       []right
	root         string // key of the identity that may do everything; "" for none
	rootPassword string
	writes       []Write
	rewrites     []Rewrite
	counts       map[Op]int
	ranges       int // values of an attribute that one answer shows; 0: all
}

func newSeed() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func (d *database) seen() *tree {
	if d.replica != nil {
		return d.replica
	}
	return d.main
}

func (d *database) count(op Op) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts[op]++
}

// locate finds the entry with this name in t. A name that is none gives 34, one that is not there 32 with the nearest.
func (d *database) locate(t *tree, name string) (*entry, *Result) {
	parsed, err := parseDN(name)
	if err != nil {
		return nil, refuse(InvalidDN, "invalid DN")
	}
	key, ok := d.schema.key(parsed)
	if !ok {
		return nil, refuse(InvalidDN, "invalid DN")
	}
	if e := t.byKey[key]; e != nil {
		return e, nil
	}
	return nil, &Result{Code: NoSuchObject, Matched: t.nearest(d.schema, parsed)}
}

// holds tells whether a name is the suffix or lies below it.
func (d *database) holds(name string) bool {
	parsed, err := parseDN(name)
	key, ok := d.schema.key(parsed)
	return err == nil && ok && within(key, d.base)
}

// computed returns the attributes that are made when they are read.
func (d *database) computed(t *tree, e *entry) []attribute {
	has := "FALSE"
	if t.kids[e.key] > 0 {
		has = "TRUE"
	}
	one := func(name, text string) attribute {
		a := d.schema.types[fold(name)]
		return attribute{description{kind: a}, d.schema.values(a, []string{text})}
	}
	out := []attribute{one("entryDN", e.name.String()), one("subschemaSubentry", "cn=Subschema")}
	if e.public {
		return out
	}
	out = append(out, one("hasSubordinates", has))
	if e.key == d.base {
		out = append(out, one("contextCSN", d.context))
	}
	return out
}
