package testserver

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// BlackHole stands on loopback before a TCP server and loses what is on the way, as a network does that is cut without a
// word: no answer, no reset, no end. It also plays the address that moves to another server.
type BlackHole struct {
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	change  *sync.Cond // of what follows
	target  string
	dropped bool
	closed  bool
	pairs   map[*pair]bool
}

// pair is one connection and its twin to the server.
type pair struct {
	client, server net.Conn
	forgotten      bool
}

// NewBlackHole listens on a free port of 127.0.0.1 and forwards to target, host:port. It ends with the test.
func NewBlackHole(t testing.TB, target string) *BlackHole {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed by close
	if err != nil {
		t.Fatalf("black hole: %v", err)
	}
	b := &BlackHole{listener: l, target: target, pairs: map[*pair]bool{}}
	b.change = sync.NewCond(&b.mu)
	b.running.Go(b.accept)
	t.Cleanup(b.close)
	return b
}

// Addr is host:port of the black hole.
func (b *BlackHole) Addr() string { return b.listener.Addr().String() }

// URL returns a URL with its host and port replaced by the black hole's. It panics on what is no URL.
func (b *BlackHole) URL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(fmt.Sprintf("black hole: %v", err))
	}
	u.Host = b.Addr()
	return u.String()
}

// Drop makes everything disappear from now on, both ways: connections stay open and nothing passes. A connection made
// meanwhile is taken, since the kernel answers for us, and stays silent.
func (b *BlackHole) Drop() { b.set(func() { b.dropped = true }) }

// Resume lets everything pass again, also what was sent meanwhile: TCP repeats it.
func (b *BlackHole) Resume() { b.set(func() { b.dropped = false }) }

// Forget is a firewall that loses its state: connections that are open stay open and nothing passes on them any more, for
// good; new ones work.
func (b *BlackHole) Forget() {
	b.set(func() {
		for p := range b.pairs {
			p.forgotten = true
		}
	})
}

// Cut closes all connections with a reset.
func (b *BlackHole) Cut() {
	b.set(func() {
		for p := range b.pairs {
			p.reset()
		}
	})
}

// Point makes new connections go to another server, as an address that moves with a failover; open ones are cut.
func (b *BlackHole) Point(target string) {
	b.set(func() { b.target = target })
	b.Cut()
}

func (b *BlackHole) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	b.change.Broadcast()
}

func (b *BlackHole) close() {
	_ = b.listener.Close()
	b.set(func() { b.closed = true })
	b.Cut()
	b.running.Wait()
}

func (b *BlackHole) accept() {
	for {
		client, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.running.Go(func() { b.serve(client) })
	}
}

func (b *BlackHole) serve(client net.Conn) {
	p := &pair{client: client}
	b.mu.Lock()
	b.pairs[p] = true
	for b.dropped && !b.closed && !p.forgotten {
		b.change.Wait()
	}
	target := b.target
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		p.reset()
		delete(b.pairs, p)
	}()
	server, err := net.DialTimeout("tcp", target, 5*time.Second) //nolint:noctx // bounded
	if err != nil {
		return
	}
	b.mu.Lock()
	p.server = server
	over := b.closed
	b.mu.Unlock()
	if over {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { b.pump(p, server, client) })
	both.Go(func() { b.pump(p, client, server) })
	both.Wait()
}

// pump forwards what comes, while it may.
func (b *BlackHole) pump(p *pair, to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		b.mu.Lock()
		for (b.dropped || p.forgotten) && !b.closed {
			b.change.Wait()
		}
		b.mu.Unlock()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err == nil {
			continue
		}
		if half, ok := to.(*net.TCPConn); ok && err == io.EOF { //nolint:errorlint // as io.Copy does
			_ = half.CloseWrite()
		} else {
			_ = to.Close()
		}
		return
	}
}

// reset closes both ends at once, without a polite end.
func (p *pair) reset() {
	for _, c := range []net.Conn{p.client, p.server} {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
			_ = tcp.Close()
		}
	}
}
