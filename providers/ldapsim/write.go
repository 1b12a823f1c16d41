package ldapsim

// write decodes and does one Add, Modify, Delete or ModifyDN.
func (c *conn) write(m message) ([]control, *Result) {
	u, err := updateOf(m.op)
	if err != nil {
		return nil, refuse(ProtocolError, "%v", err)
	}
	g, refused := c.s.db.schema.guardOf(m.controls)
	if refused != nil {
		return nil, refused
	}
	got, refused := c.s.db.lockedWrite(c.author(), u, g)
	if refused != nil {
		return nil, refused
	}
	return got.controls(), &Result{}
}

func updateOf(op node) (update, error) {
	r := &reader{b: op.body}
	var u update
	switch op.tag {
	case tagDelete:
		return update{op: OpDelete, name: string(op.body)}, nil
	case tagAdd:
		u = update{op: OpAdd, name: r.text(tagOctets)}
		list := r.open(tagSequence)
		for list.more() {
			u.mods = append(u.mods, modOf(Put, list))
		}
		r.err = firstError(r.err, list.err)
	case tagModify:
		u = update{op: OpModify, name: r.text(tagOctets)}
		list := r.open(tagSequence)
		for list.more() {
			one := list.open(tagSequence)
			verb := Verb(one.int(tagEnumerated))
			u.mods = append(u.mods, modOf(verb, one))
			list.err = firstError(list.err, one.err)
			if verb < Put || verb > Raise {
				return u, errBER
			}
		}
		r.err = firstError(r.err, list.err)
	default:
		u = update{op: OpModifyDN, name: r.text(tagOctets)}
		u.move.rdn = r.text(tagOctets)
		u.move.deleteOld = r.bool(tagBoolean)
		if r.peek() == 0x80 {
			above := r.text(0x80)
			u.move.superior = &above
		}
	}
	return u, r.err
}

func modOf(verb Verb, list *reader) Mod {
	one := list.open(tagSequence)
	m := Mod{Verb: verb, Attribute: one.text(tagOctets)}
	set := one.open(tagSet)
	for set.more() {
		m.Values = append(m.Values, set.text(tagOctets))
	}
	list.err = firstError(list.err, firstError(one.err, set.err))
	return m
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// compare does a Compare, RFC 4511 §4.10.
func (c *conn) compare(m message) *Result {
	r := &reader{b: m.op.body}
	name := r.text(tagOctets)
	pair := r.open(tagSequence)
	kind, text := pair.text(tagOctets), pair.text(tagOctets)
	if firstError(r.err, pair.err) != nil {
		return refuse(ProtocolError, "malformed compare")
	}
	if refused := critical(m.controls, oidAssertion, oidManageDsaIT); refused != nil {
		return refused
	}
	g, refused := c.s.db.schema.guardOf(m.controls)
	if refused != nil {
		return refused
	}
	return c.s.db.lockedCompare(c.author(), name, kind, text, g)
}

func (d *database) lockedCompare(who author, name, kind, text string, g guard) *Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.seen()
	e, refused := d.locate(t, name)
	if refused != nil {
		return refused
	}
	v := &view{d, t, e, who.key}
	if d.level(who.key, e, nil) < Read {
		return d.hidden(who.key, e)
	}
	if g.assert != nil && g.assert.eval(v) != isTrue {
		return &Result{Code: AssertionFailed}
	}
	desc, ok := d.schema.describe(kind)
	switch {
	case !ok:
		return refuse(UndefinedType, "%s: attribute type undefined", kind)
	case desc.kind.equality == "":
		return &Result{Code: InappropriateMatch}
	}
	want, ok := d.schema.normal(desc.kind.equality, text)
	if !ok {
		return refuse(InvalidSyntax, "%s: value invalid per syntax", desc)
	}
	switch {
	case (present{desc}).eval(v) != isTrue:
		return &Result{Code: NoSuchAttribute}
	case d.schema.equals(desc, want).eval(v) == isTrue:
		return &Result{Code: CompareTrue}
	}
	return &Result{Code: CompareFalse}
}
