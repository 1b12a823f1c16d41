package ldapsim

import (
	"context"
	"errors"
	"time"
)

// Scopes, RFC 4511 §4.5.1.2 and the subordinate one that OpenLDAP knows.
const (
	scopeBase = iota
	scopeOne
	scopeSub
	scopeChildren
)

// batch is how many entries are looked at, and how many handed out, before the mutex is given back.
const (
	batchSeen = 512
	batchOut  = 64
)

// query is a search as it was asked for.
type query struct {
	base      string
	scope     int
	most      int // size limit, 0 for none
	limit     time.Duration
	typesOnly bool
	filter    filter
	attrs     []string
	page      *page
}

type page struct {
	size   int
	cookie string
}

func (s *schema) query(m message) (query, error) {
	r := &reader{b: m.op.body}
	q := query{base: r.text(tagOctets), scope: r.int(tagEnumerated)}
	r.int(tagEnumerated) // aliases: there are none
	q.most = r.int(tagInteger)
	q.limit = time.Duration(r.int(tagInteger)) * time.Second
	q.typesOnly = r.bool(tagBoolean)
	n := r.next()
	list := r.open(tagSequence)
	for list.more() {
		q.attrs = append(q.attrs, list.text(tagOctets))
	}
	if err := errors.Join(r.err, list.err); err != nil {
		return q, err
	}
	if q.scope < scopeBase || q.scope > scopeChildren || q.most < 0 || q.limit < 0 {
		return q, errBER
	}
	var err error
	q.filter, err = s.filter(n, 0)
	return q, err
}

func (c *conn) search(ctx context.Context, m message, st *stream) *Result {
	q, err := c.s.db.schema.query(m)
	if err != nil {
		return refuse(ProtocolError, "%v", err)
	}
	var refused *Result
	if q.page, refused = pageOf(m.controls); refused != nil {
		return refused
	}
	if q.page != nil && q.most > 0 && q.page.size >= q.most {
		q.page, st.unpaged = nil, true // RFC 2696: such a control is ignored
	}
	if refused = critical(m.controls, oidPaging, oidManageDsaIT, oidDomainScope); refused != nil {
		return refused
	}
	if q.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, q.limit)
		defer cancel()
	}
	if key, special := c.special(q); special != nil {
		return c.searchSpecial(ctx, q, st, key, special)
	}
	out := c.walk(ctx, q, st)
	if out != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Result{Code: TimeLimitExceeded}
	}
	return out
}

// special finds the entries that stand outside the tree: the rootDSE and the schema.
func (c *conn) special(q query) (string, *entry) {
	if q.base == "" && q.scope == scopeBase {
		return "", c.s.rootDSE(c.isTLS())
	}
	if fold(q.base) == "cn=subschema" && (q.scope == scopeBase || q.scope == scopeSub) {
		return "cn=subschema", c.s.subschema()
	}
	return "", nil
}

func (c *conn) searchSpecial(ctx context.Context, q query, st *stream, _ string, e *entry) *Result {
	d := c.s.db
	d.mu.Lock()
	var msg []byte
	if q.filter.eval(&view{d, d.main, e, ""}) == isTrue {
		msg = entryMessage(st.id, d.encodeEntry(d.main, "", e, d.choose(q.attrs), q.typesOnly))
	}
	d.mu.Unlock()
	if msg != nil && st.send(ctx, msg) != nil {
		return nil //nolint:nilerr // no answer: the client has gone
	}
	return &Result{}
}

func entryMessage(id int, body []byte) []byte {
	return encode(id, func(w *builder) { w.b = append(w.b, body...) }, nil)
}

// walk sends what fits, a batch at a time, so that writes come between: a listing is no frozen picture. It returns nil
// when there is nobody to answer.
func (c *conn) walk(ctx context.Context, q query, st *stream) *Result {
	d := c.s.db
	at, sent, refused := c.resume(q)
	if refused != nil {
		return refused
	}
	inPage := 0
	for {
		found, next, done, refused := d.lockedBatch(q, c.who, at, st.id)
		if refused != nil {
			return refused
		}
		for _, f := range found {
			if q.page != nil && inPage == q.page.size {
				c.leave(at, sent)
				return &Result{}
			}
			if q.most > 0 && sent >= q.most || c.over(sent) {
				return &Result{Code: SizeLimitExceeded}
			}
			if st.send(ctx, f.msg) != nil {
				return c.interrupted(ctx)
			}
			at = f.serial
			sent++
			inPage++
		}
		if at = next; done {
			c.leave(0, 0)
			return &Result{}
		}
		if ctx.Err() != nil {
			return c.interrupted(ctx)
		}
	}
}

// interrupted tells a time limit, which is answered, from an end, which is not.
func (c *conn) interrupted(ctx context.Context) *Result {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Result{Code: TimeLimitExceeded}
	}
	return nil
}

// over tells whether the server's own size limit is reached; the root identity has none.
func (c *conn) over(sent int) bool {
	limit := int(c.s.sizeLimit.Load())
	return limit > 0 && sent >= limit && (c.who == "" || c.who != c.s.db.root)
}

type found struct {
	serial uint64
	msg    []byte
}

// lockedBatch looks at the next entries after serial at.
func (d *database) lockedBatch(q query, who string, at uint64, id int) (out []found, next uint64, done bool, refused *Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.seen()
	base, refused := d.locate(t, q.base)
	if refused != nil {
		return nil, 0, true, refused
	}
	if d.level(who, base, nil) < Read {
		return nil, 0, true, d.hidden(who, base)
	}
	wanted := d.choose(q.attrs)
	i := t.place(at + 1)
	seen := 0
	if q.scope == scopeBase {
		i = t.place(max(at+1, base.serial))
	}
	for ; i < len(t.order) && seen < batchSeen && len(out) < batchOut; i++ {
		e := t.order[i]
		next = e.serial
		seen++
		if q.scope == scopeBase && e != base {
			return out, next, true, nil
		}
		if !q.covers(e, base) || d.level(who, e, nil) < Read || q.filter.eval(&view{d, t, e, who}) != isTrue {
			continue
		}
		out = append(out, found{e.serial, entryMessage(id, d.encodeEntry(t, who, e, wanted, q.typesOnly))})
	}
	return out, max(next, at), i >= len(t.order), nil
}

func (q query) covers(e, base *entry) bool {
	switch q.scope {
	case scopeBase:
		return e == base
	case scopeOne:
		return e.parent == base.key && e != base
	case scopeSub:
		return within(e.key, base.key)
	}
	return e != base && within(e.key, base.key)
}
