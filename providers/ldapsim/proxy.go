package ldapsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"strings"
	"sync"
)

// Proxy stands before a real LDAP server and does to its answers what a Server does to its own: it knows where messages
// begin and end. It listens on loopback and speaks in the clear; StartTLS is refused, since it could see nothing after it.
type Proxy struct {
	target  string // network address
	network string
	desk    *desk
	l       net.Listener
	ctx     context.Context //nolint:containedctx // the life of the proxy, not of a call
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	counts map[Op]int
	conns  map[net.Conn]bool
}

// NewProxy listens on 127.0.0.1 and forwards to the server with this URL, ldap:// or ldapi://.
func NewProxy(target string) (*Proxy, error) {
	scheme, address, _ := strings.Cut(target, "://")
	address, err := url.PathUnescape(strings.TrimSuffix(address, "/")) // a socket's path has its slashes escaped
	if err != nil {
		return nil, fmt.Errorf("proxy to %s: %w", target, err)
	}
	p := &Proxy{target: address, network: "tcp", counts: map[Op]int{}, conns: map[net.Conn]bool{}}
	switch scheme {
	case "ldap":
	case "ldapi":
		p.network = "unix"
	default:
		return nil, fmt.Errorf("proxy to %s: only ldap:// and ldapi:// can be read", target)
	}
	sch, err := loadSchema(schemaText)
	if err != nil {
		return nil, err
	}
	p.desk = &desk{schema: sch}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if p.l, err = (&net.ListenConfig{}).Listen(p.ctx, "tcp", "127.0.0.1:0"); err != nil {
		p.cancel()
		return nil, fmt.Errorf("proxy to %s: %w", target, err)
	}
	p.running.Go(p.accept)
	return p, nil
}

// URL returns ldap://host:port.
func (p *Proxy) URL() string { return "ldap://" + p.l.Addr().String() }

// Fault arms a fault; see Server.Fault. A Stall or a Drip holds the whole connection.
func (p *Proxy) Fault(f Fault) *Armed { return p.desk.arm(f) }

// Count returns how many requests of this kind came from clients; OpAny counts all.
func (p *Proxy) Count(op Op) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if op != OpAny {
		return p.counts[op]
	}
	sum := 0
	for n := range maps.Values(p.counts) {
		sum += n
	}
	return sum
}

// Sever closes every connection at once, as a restart of the server would.
func (p *Proxy) Sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close() // it may be closed already
	}
}

// Close ends every connection and waits for all goroutines.
func (p *Proxy) Close() error {
	p.cancel()
	p.desk.releaseAll()
	err := p.l.Close()
	p.Sever()
	p.running.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.l.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client) })
	}
}

// keep remembers a socket, so that Close finds it; false when the proxy ends.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) forget(c net.Conn) {
	_ = c.Close() // it may be closed already
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *Proxy) serve(client net.Conn) {
	defer p.forget(client)
	server, err := (&net.Dialer{}).DialContext(p.ctx, p.network, p.target)
	if err != nil {
		return
	}
	defer p.forget(server)
	if !p.keep(client) || !p.keep(server) {
		return
	}
	t := &tunnel{p: p, client: newWire(client), server: newWire(server), open: map[int]*stream{}}
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	var answers sync.WaitGroup
	answers.Go(func() {
		defer cancel()
		t.answers(ctx)
		t.client.close()
	})
	t.requests(ctx)
	cancel()
	t.late.Wait() // what was delayed still lands
	t.server.close()
	answers.Wait()
}

// tunnel is one client's connection and its twin to the server.
type tunnel struct {
	p              *Proxy
	client, server *wire
	late           sync.WaitGroup // delayed requests

	mu   sync.Mutex
	open map[int]*stream // requests that wait for an answer, by message id
}

// requests passes on what the client sends, until it goes.
func (t *tunnel) requests(ctx context.Context) {
	for {
		raw, err := readFrame(t.client.r, maxMessage)
		if err != nil {
			return
		}
		m, err := parseMessage(raw)
		if err != nil {
			return
		}
		what := describe(m.op)
		t.p.mu.Lock()
		t.p.counts[what.op]++
		t.p.mu.Unlock()
		if what.op == OpUnbind {
			return
		}
		st := &stream{w: t.client, id: m.id, call: what, armed: t.p.desk.match(what)}
		if what.op == OpStartTLS {
			st.answer(refuse(Unavailable, "no StartTLS through this proxy"))
			continue
		}
		if st.armed != nil && st.armed.fault.Do == Delay {
			t.late.Go(func() { t.forward(t.p.ctx, st, raw) })
			continue
		}
		t.forward(ctx, st, raw)
	}
}

func (t *tunnel) forward(ctx context.Context, st *stream, raw []byte) {
	if !st.before(ctx) {
		return
	}
	t.mu.Lock()
	t.open[st.id] = st
	t.mu.Unlock()
	_ = t.server.write(raw, false) // a dead connection shows where answers are read
}

// answers passes on what the server sends, through each request's fault.
func (t *tunnel) answers(ctx context.Context) {
	for {
		raw, err := readFrame(t.server.r, 1<<30)
		if err != nil {
			return
		}
		m, err := parseMessage(raw)
		if err != nil {
			return
		}
		t.mu.Lock()
		st := t.open[m.id]
		if st != nil && m.op.tag == st.call.answer {
			delete(t.open, m.id)
		}
		t.mu.Unlock()
		if st == nil {
			if t.client.write(raw, false) != nil {
				return
			}
			continue
		}
		if err = st.send(ctx, raw); err != nil && !errors.Is(err, errOver) && !errors.Is(err, io.ErrClosedPipe) {
			return
		}
		if t.server.r.Buffered() == 0 {
			t.client.flush()
		}
	}
}
