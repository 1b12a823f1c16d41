package authstore

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	readPatience  = 75 * time.Second // longer than statement_timeout: the server ends a statement itself before
	deafPatience  = 5 * time.Second  // once nothing has been heard of the database for so long, a wait may last no longer
	patienceSteps = 500 * time.Millisecond
)

// patience ends waits for a database that does not answer. The driver waits past its context while the other side's
// kernel still takes what is sent: a frozen server, a black hole behind a load balancer. TCP_USER_TIMEOUT does not see
// that either. While the feed hears from the database, a statement may take its time; once it does not, whatever waits
// for longer than deafPatience is ended, so that callers are told and the pool finds a living server.
type patience struct {
	mu    sync.Mutex
	conns map[*patient]struct{}
}

// patient is a connection of which is known since when it waits.
type patient struct {
	net.Conn
	of    *patience
	since atomic.Int64 // start of the read under way, Unix nanoseconds; 0 for none
}

func (p *patience) take(conn net.Conn) net.Conn {
	one := &patient{Conn: conn, of: p}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		p.conns = map[*patient]struct{}{}
	}
	p.conns[one] = struct{}{}
	return one
}

func (c *patient) Read(b []byte) (int, error) {
	now := time.Now() //nolint:forbidigo // the kernel's deadline is of this clock
	if err := c.SetReadDeadline(now.Add(readPatience)); err != nil {
		return 0, fmt.Errorf("set read deadline: %w", err)
	}
	c.since.Store(now.UnixNano())
	defer c.since.Store(0)
	return c.Conn.Read(b) //nolint:wrapcheck // as the connection says it
}

func (c *patient) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close() //nolint:wrapcheck // as above
}

// end ends every wait that began before.
func (p *patience) end(before time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if since := c.since.Load(); since != 0 && since < before.UnixNano() {
			_ = c.SetReadDeadline(before) // closed meanwhile: nothing waits
		}
	}
}

// watch ends waits as long as nothing is heard of the database.
func (p *patience) watch(ctx context.Context, f *feed) {
	tick := time.NewTicker(patienceSteps)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if f.silent() > deafPatience {
				p.end(now.Add(-deafPatience))
			}
		}
	}
}
