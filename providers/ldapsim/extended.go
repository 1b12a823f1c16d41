package ldapsim

// extended does the extended operations but StartTLS, which changes the socket.
func (c *conn) extended(m message, op Op) (*Result, func(*builder)) {
	r := &reader{b: m.op.body}
	r.text(0x80)
	var value []byte
	if r.peek() == 0x81 {
		value = r.next().body
	}
	if r.err != nil {
		return refuse(ProtocolError, "malformed extended request"), nil
	}
	if refused := critical(m.controls); refused != nil {
		return refused, nil
	}
	switch op {
	case OpWhoAmI:
		id := ""
		if c.name != "" {
			id = "dn:" + c.name
		}
		return &Result{}, func(w *builder) { w.text(0x8b, id) }
	case OpPasswordModify:
		return c.passwordModify(value)
	}
	return refuse(ProtocolError, "unsupported extended operation"), nil
}

// passwordModify is RFC 3062: the user, the old password and the new one are each optional.
func (c *conn) passwordModify(value []byte) (*Result, func(*builder)) {
	outer := &reader{b: value}
	in := &reader{}
	if outer.more() {
		in = outer.open(tagSequence)
	}
	user, old, fresh := c.name, "", ""
	if in.peek() == 0x80 {
		user = in.text(0x80)
	}
	if in.peek() == 0x81 {
		old = in.text(0x81)
	}
	if in.peek() == 0x82 {
		fresh = in.text(0x82)
	}
	switch {
	case firstError(outer.err, in.err) != nil:
		return refuse(ProtocolError, "malformed password modify"), nil
	case c.who == "":
		return refuse(StrongerAuthRequired, "only authenticated users may change passwords"), nil
	}
	if old != "" {
		if _, _, refused := c.s.db.lockedBind(user, old); refused != nil {
			return refuse(Unwilling, "unwilling to verify old password"), nil
		}
	}
	var extra func(*builder)
	if fresh == "" {
		fresh = newSeed()
		extra = func(w *builder) {
			w.begin(0x8b)
			w.begin(tagSequence)
			w.text(0x80, fresh)
			w.end()
			w.end()
		}
	}
	u := update{op: OpModify, name: user, mods: []Mod{{Replace, "userPassword", []string{storedPassword(fresh)}}}}
	if _, refused := c.s.db.lockedWrite(c.author(), u, guard{}); refused != nil {
		return refused, nil
	}
	return &Result{}, extra
}
