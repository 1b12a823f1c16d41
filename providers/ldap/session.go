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
