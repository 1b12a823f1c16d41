package ldapsim

import (
	"math/big"
	"strings"
)

func addIntegers(a, b string) (string, bool) {
	x, ok := new(big.Int).SetString(a, 10)
	y, fine := new(big.Int).SetString(b, 10)
	if !ok || !fine {
		return "", false
	}
	return x.Add(x, y).String(), true
}

// move is what a ModifyDN asks for.
type move struct {
	rdn       string
	deleteOld bool
	superior  *string // nil: where it is
}

// rename gives e, which is a copy of its own, its new name; its place must be free and its new superior there.
func (d *database) rename(e *entry, m move) *Result {
	one, err := parseDN(m.rdn)
	if _, ok := d.schema.key(one); err != nil || !ok || len(one) != 1 {
		return refuse(InvalidDN, "invalid new RDN")
	}
	parent := e.name.parent()
	if e.key == d.base {
		return refuse(MultipleDSAs, "cannot rename between DSAs")
	}
	if m.superior != nil {
		above, refused := d.locate(d.main, *m.superior)
		if refused != nil && !d.holds(*m.superior) {
			return refuse(MultipleDSAs, "cannot rename between DSAs")
		}
		if refused != nil {
			refused.Text = "new superior not found"
			return refused
		}
		if within(above.key, e.key) {
			return refuse(Unwilling, "cannot place an entry below itself")
		}
		parent = above.name
	}
	old := e.name[0]
	e.name = d.schema.pretty(dn(nil).under(one[0], parent))
	key, _ := d.schema.key(e.name)
	if key != e.key && d.main.byKey[key] != nil {
		return refuse(EntryExists, "")
	}
	e.key = key
	e.parent, _ = d.schema.key(parent)
	if m.deleteOld {
		d.nameValues(e, old, false)
	}
	d.nameValues(e, e.name[0], true)
	return nil
}

// nameValues puts the values of an RDN among the attributes, or takes them away.
func (d *database) nameValues(e *entry, one rdn, add bool) {
	for _, a := range one {
		desc := description{kind: d.schema.types[fold(a.kind)]}
		var have []value
		if i := e.find(desc); i >= 0 {
			have = append(have, e.attrs[i].values...)
		}
		v := d.schema.values(desc.kind, []string{a.value})[0]
		i := index(have, v.norm)
		switch {
		case add && i < 0:
			have = append(have, v)
		case !add && i >= 0:
			have = append(have[:i], have[i+1:]...)
		}
		e.put(desc, have)
	}
}

// follow renames what lies below an entry that was renamed from before to e.
func (d *database) follow(before string, depth int, e *entry) {
	for _, child := range append([]*entry{}, d.main.order...) {
		if child.key == e.key || !strings.HasSuffix(child.key, ","+before) {
			continue
		}
		c := child.clone()
		keep := len(c.name) - depth
		c.name = append(append(dn{}, c.name[:keep]...), e.name...)
		c.key, _ = d.schema.key(c.name)
		c.parent, _ = d.schema.key(c.name.parent())
		d.main.replace(child.key, c)
	}
}
