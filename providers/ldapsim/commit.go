package ldapsim

import (
	"slices"
	"strings"
	"time"
)

// author is who writes: an identity of the wire, or the program itself, which needs no right.
type author struct {
	key     string // "" for anonymous
	name    string
	trusted bool
}

// guard is what a write's controls ask for.
type guard struct {
	assert    filter   // nil: nothing
	pre, post []string // attributes to return; nil: not asked for
}

// reads are the entries the controls get back, as bodies of a SearchResultEntry.
type reads struct{ pre, post []byte }

// update is one write in the words of the protocol.
type update struct {
	op   Op
	name string
	mods []Mod // Add: the attributes
	move move
}

// lockedWrite does one write, whole or not at all, and writes it into the log.
func (d *database) lockedWrite(who author, u update, g guard) (reads, *Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if who.key == "" && !who.trusted {
		return reads{}, refuse(StrongerAuthRequired, "modifications require authentication")
	}
	if u.op == OpAdd {
		return d.add(who, u, g)
	}
	old, refused := d.locate(d.main, u.name)
	if refused != nil && refused.Code == NoSuchObject && !d.holds(u.name) {
		refused = refuse(Unwilling, "no global superior knowledge")
	}
	if refused != nil {
		return reads{}, refused
	}
	var out reads
	if out.pre, refused = d.guarded(who, old, g); refused != nil {
		return reads{}, refused
	}
	if u.op == OpDelete {
		return out, d.delete(who, old, u)
	}
	e := old.clone()
	if u.op == OpModify {
		if refused = d.modify(who, e, u); refused == nil {
			d.rewrite(e, u.mods)
		}
	} else {
		refused = d.moved(who, e, u)
	}
	if refused == nil {
		refused = d.settle(who, old, e)
	}
	if refused != nil {
		return reads{}, refused
	}
	d.main.replace(old.key, e)
	if e.key != old.key {
		d.follow(old.key, len(old.name), e)
	}
	d.record(who, u, old, e)
	if g.post != nil {
		out.post = d.encodeEntry(d.main, who.key, e, d.choose(g.post), false)
	}
	return out, nil
}

func (d *database) guarded(who author, e *entry, g guard) ([]byte, *Result) {
	if !who.trusted && d.level(who.key, e, nil) < Read {
		return nil, d.hidden(who.key, e)
	}
	if g.assert != nil && g.assert.eval(&view{d, d.main, e, who.key}) != isTrue {
		return nil, refuse(AssertionFailed, "")
	}
	if g.pre == nil {
		return nil, nil
	}
	return d.encodeEntry(d.main, who.key, e, d.choose(g.pre), false), nil
}

func (d *database) add(who author, u update, g guard) (reads, *Result) {
	e, refused := d.build(u.name, u.mods, false)
	if refused != nil {
		return reads{}, refused
	}
	if !within(e.key, d.base) {
		return reads{}, refuse(Unwilling, "no global superior knowledge")
	}
	if d.main.byKey[e.key] != nil {
		return reads{}, refuse(EntryExists, "")
	}
	e.public = true // nobody else sees it yet: the assertion is about the entry to be
	if g.assert != nil && g.assert.eval(&view{d, d.main, e, who.key}) != isTrue {
		return reads{}, refuse(AssertionFailed, "")
	}
	e.public = false
	above := d.main.byKey[e.parent]
	if above == nil && e.key != d.base {
		return reads{}, &Result{Code: NoSuchObject, Matched: d.main.nearest(d.schema, e.name)}
	}
	if !who.trusted && (above == nil || !d.mayWrite(who.key, above, nil) || !d.mayWrite(who.key, e, nil)) {
		return reads{}, refuse(InsufficientAccess, "no write access to parent")
	}
	if above != nil {
		e.name = dn(nil).under(e.name[0], above.name)
	}
	d.nameValues(e, e.name[0], true) // slapd adds what only the name says
	d.rewrite(e, u.mods)
	if refused = d.place(who, e); refused != nil {
		return reads{}, refused
	}
	d.record(who, u, nil, e)
	if g.post == nil {
		return reads{}, nil
	}
	return reads{post: d.encodeEntry(d.main, who.key, e, d.choose(g.post), false)}, nil
}

// place checks a new entry, gives it what every entry has and the loader did not give, and puts it into the tree.
func (d *database) place(who author, e *entry) *Result {
	top, refused := d.schema.check(e, "")
	if refused != nil {
		return refused
	}
	csn, at := d.clock.next()
	d.serial++
	e.serial = d.serial
	for _, a := range []struct{ name, text string }{
		{"structuralObjectClass", top.names[0]},
		{"entryUUID", uuid(d.seed, e.serial)},
		{"creatorsName", who.name},
		{"createTimestamp", stamp(at)},
		{"entryCSN", csn},
		{"modifiersName", who.name},
		{"modifyTimestamp", stamp(at)},
	} {
		if e.raw(a.name) == nil {
			e.set(d.schema, a.name, a.text)
		}
	}
	d.context = csn
	d.main.insert(e)
	return nil
}

func (d *database) delete(who author, e *entry, u update) *Result {
	if !who.trusted && !d.mayWrite(who.key, e, nil) {
		return refuse(InsufficientAccess, "no write access to entry")
	}
	if d.main.kids[e.key] > 0 {
		return refuse(NotOnNonLeaf, "subordinate objects must be deleted first")
	}
	d.main.remove(e)
	d.context, _ = d.clock.next()
	d.record(who, u, e, nil)
	return nil
}

func (d *database) modify(who author, e *entry, u update) *Result {
	for _, m := range u.mods {
		desc, ok := d.schema.describe(m.Attribute)
		if ok && !who.trusted && !d.mayWrite(who.key, e, desc.kind) {
			return refuse(InsufficientAccess, "no write access to attribute '%s'", desc)
		}
	}
	if refused := d.apply(e, u.mods); refused != nil {
		return refused
	}
	return nil
}

func (d *database) moved(who author, e *entry, u update) *Result {
	if !who.trusted && !d.mayWrite(who.key, e, nil) {
		return refuse(InsufficientAccess, "no write access to old entry")
	}
	return d.rename(e, u.move)
}

// settle checks the changed entry and stamps it.
func (d *database) settle(who author, old, e *entry) *Result {
	if _, refused := d.schema.check(e, first(old.raw("structuralObjectClass"))); refused != nil {
		return refused
	}
	csn, at := d.clock.next()
	e.set(d.schema, "entryCSN", csn)
	e.set(d.schema, "modifiersName", who.name)
	e.set(d.schema, "modifyTimestamp", stamp(at))
	d.context = csn
	return nil
}

// Write is one write that was done, for the log.
type Write struct {
	At   time.Time
	CSN  string
	By   string // the bind DN; "" for the program itself
	Op   Op
	DN   string // as it was before
	LDIF string // the change record
}

func (d *database) record(who author, u update, before, after *entry) {
	w := Write{At: d.clock.last, CSN: d.context, Op: u.op}
	if !who.trusted {
		w.By = who.name
	}
	if before == nil {
		before = after
	}
	w.DN = before.name.String()
	w.LDIF = changeRecord(w.DN, u)
	d.writes = append(d.writes, w)
}

// lockedWrites returns the log, a copy.
func (d *database) lockedWrites() []Write {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.writes)
}

// changeRecord writes an update as RFC 2849 does.
func changeRecord(name string, u update) string {
	var b strings.Builder
	ldifLine(&b, "dn", name)
	switch u.op {
	case OpAdd:
		b.WriteString("changetype: add\n")
		for _, m := range u.mods {
			for _, v := range m.Values {
				ldifLine(&b, m.Attribute, hide(m.Attribute, v))
			}
		}
	case OpDelete:
		b.WriteString("changetype: delete\n")
	case OpModifyDN:
		b.WriteString("changetype: modrdn\n")
		ldifLine(&b, "newrdn", u.move.rdn)
		b.WriteString("deleteoldrdn: " + map[bool]string{true: "1", false: "0"}[u.move.deleteOld] + "\n")
		if u.move.superior != nil {
			ldifLine(&b, "newsuperior", *u.move.superior)
		}
	default:
		b.WriteString("changetype: modify\n")
		for _, m := range u.mods {
			b.WriteString([]string{"add", "delete", "replace", "increment"}[m.Verb] + ": " + m.Attribute + "\n")
			for _, v := range m.Values {
				ldifLine(&b, m.Attribute, hide(m.Attribute, v))
			}
			b.WriteString("-\n")
		}
	}
	return b.String()
}

// hide keeps passwords out of the log.
func hide(attribute, v string) string {
	if strings.EqualFold(attribute, "userPassword") {
		return "***"
	}
	return v
}
