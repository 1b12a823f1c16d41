package ldapsim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Config is how a server begins.
type Config struct {
	Addr    string // plain and StartTLS; default 127.0.0.1 on a free port
	TLSAddr string // LDAPS; default 127.0.0.1 on a free port
	LDIF    string // the entries at the start; Company() has some. The first one is the suffix
	// RootDN may do everything, also where its entry does not exist; "" for none. RootPassword signs it in.
	RootDN, RootPassword string
	SizeLimit            int              // entries of a search, all pages together, for everybody but RootDN; 0 for none
	Rights               []Right          // see Right for what holds without any
	Now                  func() time.Time // the clock of CSNs and timestamps; nil for the machine's
}

// Server is a running directory. All its methods are safe for concurrent use.
type Server struct {
	db        *database
	desk      *desk
	sizeLimit atomic.Int64
	cert      certificate
	tls       *tls.Config
	ctx       context.Context //nolint:containedctx // the life of the server, not of a call
	cancel    context.CancelFunc
	listeners []net.Listener
	running   sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Start loads the entries and listens. The error names the line of the LDIF that is wrong, or the address that is taken.
func Start(cfg Config) (*Server, error) {
	d, err := open(cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{db: d, desk: &desk{schema: d.schema}, conns: map[net.Conn]bool{}}
	s.SetSizeLimit(cfg.SizeLimit)
	if s.cert, err = newCertificate(); err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	s.tls = &tls.Config{Certificates: []tls.Certificate{s.cert.server}, MinVersion: tls.VersionTLS12}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for _, addr := range []string{cfg.Addr, cfg.TLSAddr} {
		if addr == "" {
			addr = "127.0.0.1:0"
		}
		l, err := (&net.ListenConfig{}).Listen(s.ctx, "tcp", addr)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %s: %w", addr, err), s.Close())
		}
		s.listeners = append(s.listeners, l)
	}
	s.running.Go(func() { s.accept(s.listeners[0]) })
	s.running.Go(func() { s.accept(tls.NewListener(s.listeners[1], s.tls)) })
	return s, nil
}

// open builds the database of a config.
func open(cfg Config) (*database, error) {
	sch, err := loadSchema(schemaText)
	if err != nil {
		return nil, err
	}
	now := cfg.Now
	if now == nil {
		now = time.Now //nolint:forbidigo // the edge where time comes in
	}
	d := &database{
		schema: sch, main: newTree(), clock: clock{now: now}, seed: newSeed(), counts: map[Op]int{},
		rootPassword: cfg.RootPassword,
	}
	if cfg.RootDN != "" {
		parsed, err := parseDN(cfg.RootDN)
		key, ok := sch.key(parsed)
		if err != nil || !ok {
			return nil, fmt.Errorf("root DN %q: %w", cfg.RootDN, errDN)
		}
		d.root = key
	}
	var refused *Result
	if d.rights, refused = sch.rights(cfg.Rights); refused != nil {
		return nil, refused
	}
	if err = d.load(cfg.LDIF); err == nil && d.suffix == nil {
		err = errors.New("read LDIF: no entry: the first one is the suffix")
	}
	return d, err
}

// URL returns ldap://host:port.
func (s *Server) URL() string { return "ldap://" + s.listeners[0].Addr().String() }

// TLSURL returns ldaps://host:port.
func (s *Server) TLSURL() string { return "ldaps://" + s.listeners[1].Addr().String() }

// CACertPEM returns the certificate of the authority that vouches for the server, made at the start.
func (s *Server) CACertPEM() []byte { return s.cert.ca }

// Fault arms a fault. The first armed fault that fits a request strikes it, alone.
func (s *Server) Fault(f Fault) *Armed { return s.desk.arm(f) }

// Count returns how many requests of this kind came over the wire, refused ones included; OpAny counts all.
func (s *Server) Count(op Op) int {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	if op != OpAny {
		return s.db.counts[op]
	}
	sum := 0
	for _, n := range s.db.counts {
		sum += n
	}
	return sum
}

// SetSizeLimit changes Config.SizeLimit, from the next entry on.
func (s *Server) SetSizeLimit(entries int) { s.sizeLimit.Store(int64(entries)) }

// Close ends every connection and waits for all goroutines.
func (s *Server) Close() error {
	s.cancel()
	s.desk.releaseAll()
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close() // it may be closed already
	}
	s.mu.Unlock()
	s.running.Wait()
	return errors.Join(errs...)
}

func (s *Server) accept(l net.Listener) {
	for {
		raw, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.ctx.Err() != nil {
			s.mu.Unlock()
			_ = raw.Close() // the server ends
			return
		}
		s.conns[raw] = true
		s.mu.Unlock()
		s.running.Go(func() {
			c := &conn{s: s, w: newWire(raw), running: map[int]context.CancelFunc{}, slot: make(chan struct{}, maxOps)}
			c.serve(s.ctx)
			s.mu.Lock()
			delete(s.conns, raw)
			s.mu.Unlock()
		})
	}
}
