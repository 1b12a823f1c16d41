package ldapsim

import (
	"context"
	"crypto/tls"
	"sync"
)

// maxOps is how many requests of one connection are worked on at once; further ones wait in the socket.
const maxOps = 32

// conn is one client. Its reader goroutine starts one goroutine per request, and waits for all of them before a bind, a
// StartTLS and its own end, so that identity and socket never change under an operation.
type conn struct {
	s    *Server
	w    *wire
	who  string // key of the identity, "" for anonymous
	name string // the same, as it is spelled
	ops  sync.WaitGroup
	slot chan struct{}

	mu      sync.Mutex
	running map[int]context.CancelFunc // by message id, for Abandon
	mark    bookmark
	pages   int
}

func (c *conn) author() author { return author{key: c.who, name: c.name} }

func (c *conn) isTLS() bool {
	_, ok := c.w.conn.(*tls.Conn)
	return ok
}

// serve reads requests until the client goes, talks nonsense, or the server ends.
func (c *conn) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer c.w.close()
	defer c.ops.Wait()
	defer cancel()
	for {
		raw, err := readFrame(c.w.r, maxMessage)
		if err != nil {
			return
		}
		m, err := parseMessage(raw)
		if err != nil || m.id == 0 {
			return
		}
		if !c.dispatch(ctx, m) {
			return
		}
	}
}

// dispatch starts one request; false ends the connection.
func (c *conn) dispatch(ctx context.Context, m message) bool {
	what := describe(m.op)
	c.s.db.count(what.op)
	switch what.op {
	case OpUnbind:
		return false
	case OpAbandon:
		if id, err := parseInt(m.op.body); err == nil {
			c.abandon(id)
		}
		return true
	}
	st := &stream{w: c.w, id: m.id, call: what, armed: c.s.desk.match(what)}
	switch what.op {
	case OpBind:
		c.ops.Wait()
		if st.before(ctx) {
			c.finish(ctx, m, st)
		}
		return true
	case OpStartTLS:
		c.ops.Wait()
		return !st.before(ctx) || c.startTLS(ctx, m, st)
	}
	opCtx, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	c.running[m.id] = cancel
	c.mu.Unlock()
	c.slot <- struct{}{}
	c.ops.Go(func() {
		defer func() {
			cancel()
			c.mu.Lock()
			delete(c.running, m.id)
			c.mu.Unlock()
			<-c.slot
		}()
		begin := opCtx //nolint:contextcheck // the server's own context, see below
		if what.op != OpSearch {
			begin = c.s.ctx // a write that was delayed lands, though the client has gone
		}
		if st.before(begin) {
			c.finish(opCtx, m, st)
		}
	})
	return true
}

func (c *conn) abandon(id int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel := c.running[id]; cancel != nil {
		cancel()
	}
}

// finish does the request and sends its last message.
func (c *conn) finish(ctx context.Context, m message, st *stream) {
	var out *Result
	var controls []control
	var extra []func(*builder)
	switch st.call.op {
	case OpBind:
		out = c.bind(m)
	case OpSearch:
		if out = c.search(ctx, m, st); out != nil && out.Code == Success && !st.unpaged {
			controls = c.pageControl(m.controls)
		}
	case OpAdd, OpModify, OpDelete, OpModifyDN:
		controls, out = c.write(m)
	case OpCompare:
		out = c.compare(m)
	default:
		var more func(*builder)
		if out, more = c.extended(m, st.call.op); more != nil {
			extra = append(extra, more)
		}
	}
	if out != nil {
		_ = st.send(ctx, encodeResult(m.id, st.call.answer, out, controls, extra...)) // a dead connection shows at the next read
	}
}

// startTLS answers and lays TLS over the socket. Bytes that came before the handshake are refused: they were not
// protected (CVE-2011-0411).
func (c *conn) startTLS(ctx context.Context, m message, st *stream) bool {
	name := func(w *builder) { w.text(0x8a, oidStartTLS) }
	if c.isTLS() {
		out := refuse(Code(1), "TLS already started") // operationsError
		return c.w.write(encodeResult(m.id, tagExtResponse, out, nil, name), false) == nil
	}
	if c.w.r.Buffered() > 0 {
		return false
	}
	if st.send(ctx, encodeResult(m.id, tagExtResponse, &Result{}, nil, name)) != nil {
		return false
	}
	if st.armed != nil && (st.armed.fault.Do == Lose || st.armed.fault.Do == Mask) {
		return true // the client knows of no TLS
	}
	over := tls.Server(c.w.conn, c.s.tls)
	if err := over.HandshakeContext(ctx); err != nil {
		return false
	}
	fresh := newWire(over)
	c.w.upgrade(fresh)
	return true
}
