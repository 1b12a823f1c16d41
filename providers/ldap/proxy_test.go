package ldap_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/idbridge/idbridge/internal/testserver"
)

// proxy stands between us and a clear-text server and misbehaves on request.
type proxy struct {
	url         string
	listener    net.Listener
	upstream    string
	connections atomic.Int64 // made so far
	up          atomic.Int64 // bytes sent to the server
	cutAfter    atomic.Int64 // bytes to us, on one connection, before it is cut; 0: never
	silent      atomic.Bool  // the server's answers are swallowed
	wait        sync.WaitGroup
	mu          sync.Mutex
	open        []net.Conn
}

func newProxy(t testing.TB, s *testserver.SlapdServer) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{url: "ldap://" + l.Addr().String(), listener: l, upstream: strings.TrimPrefix(s.URL, "ldap://")}
	p.wait.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) accept() {
	for {
		us, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.connections.Add(1)
		server, err := net.Dial("tcp", p.upstream)
		if err != nil {
			us.Close()
			continue
		}
		p.mu.Lock()
		p.open = append(p.open, us, server)
		p.mu.Unlock()
		p.wait.Go(func() { p.upwards(server, us) })
		p.wait.Go(func() { p.downwards(us, server) })
	}
}

func (p *proxy) upwards(server, us net.Conn) {
	defer server.Close()
	buf := make([]byte, 4096)
	for {
		n, err := us.Read(buf)
		if n > 0 {
			p.up.Add(int64(n))
			if _, err := server.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) downwards(us, server net.Conn) {
	defer us.Close()
	buf := make([]byte, 4096)
	total := int64(0)
	for {
		n, err := server.Read(buf)
		if n > 0 && !p.silent.Load() {
			if cut := p.cutAfter.Load(); cut > 0 && total+int64(n) >= cut {
				_, _ = us.Write(buf[:max(0, min(int64(n), cut-total))])
				return
			}
			total += int64(n)
			if _, err := us.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) close() {
	p.listener.Close()
	p.cut()
	p.wait.Wait()
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		c.Close()
	}
	p.open = nil
}

// script is a server that says what it is told to, once a connection, and then stays silent.
func script(t testing.TB, answers ...string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer c.Close()
				buf := make([]byte, 4096)
				for _, a := range answers {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if _, err := io.WriteString(c, a); err != nil {
						return
					}
				}
				for { // until we are left
					if _, err := c.Read(buf); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); wait.Wait() })
	return "ldap://" + l.Addr().String()
}
