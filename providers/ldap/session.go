package ldap

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/idbridge/idbridge"
)

// Session is one run's conversation with one server. Fetch and Apply share a connection, which is made again when it
// broke between two calls; each Scan has one of its own.
type Session struct {
	d      *Directory
	server *server
	at     string // address of the one server that this session speaks with

	mu     sync.Mutex
	conn   *conn
	closed bool
}

func (d *Directory) open(ctx context.Context) (*Session, error) {
	c, err := d.connect(ctx, "")
	if err != nil {
		return nil, err
	}
	srv, err := d.probe(ctx, c)
	if err != nil {
		c.close()
		return nil, err
	}
	return &Session{d: d, server: srv, at: c.at, conn: c}, nil
}

// Server says which server answers: vendor, address and the id of the base entry.
func (s *Session) Server() string { return s.server.identity }

// Capabilities returns what the server and the settings allow.
func (s *Session) Capabilities() idbridge.Capabilities { return s.d.capabilities() }

// live returns the shared connection, made again if it broke. Only what has not been sent yet may use a new one.
func (s *Session) live(ctx context.Context) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, &idbridge.Error{Kind: idbridge.Internal, Msg: "the session is closed", Err: errors.ErrUnsupported}
	}
	if s.conn != nil && s.conn.tap.alive() {
		return s.conn, nil
	}
	if s.conn != nil {
		s.conn.close()
		s.conn = nil
	}
	c, err := s.d.connect(ctx, s.at)
	if err != nil {
		return nil, fmt.Errorf("connect again: %w", err)
	}
	s.conn = c
	return c, nil
}

// search makes one search on the shared connection and hands each entry on. A connection that was idle for long may be
// dead without anybody having said so: a firewall forgets it in silence. So one that breaks before a single entry has
// come is made again, once, and the search is asked again. Writes are never repeated here.
func (s *Session) search(ctx context.Context, r request, each func(*entry) error) (result, error) {
	s.d.logSearch(ctx, r)
	var first error
	for {
		c, err := s.live(ctx)
		if err != nil {
			if first != nil && idbridge.KindOf(err) == idbridge.Unavailable {
				err = first // it says more about what happened
			}
			return result{}, err
		}
		came := false
		end, err := c.entries(ctx, r, func(e *entry) error { came = true; return each(e) })
		if err == nil || first != nil || came || ctx.Err() != nil || c.tap.alive() {
			return end, err
		}
		first = err
		s.d.log.InfoContext(ctx, "connection lost while it was idle; connecting again", "server", s.at, "err", err)
	}
}

// base reads one entry by its DN on the shared connection; nil when there is none, or none that we may see.
func (s *Session) base(ctx context.Context, dn, filter string, attributes ...string) (*plain, error) {
	return oneEntry(dn, filter, attributes, func(r request, each func(*entry) error) (result, error) { return s.search(ctx, r, each) })
}

// Close ends the session. It must not be called while another call runs.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.close()
		s.conn = nil
	}
	s.closed = true
	return nil
}
