package ldap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// firstOwn is the first message id of our own requests. go-ldap counts from 1, so the two never meet.
const firstOwn = 0x40000000

const (
	tapBuffer  = 128 << 10
	batchBytes = 64 << 10 // of messages handed on at once
	batches    = 4        // handed on and not yet taken; then the socket is not read, and TCP slows the server
)

// tap is a net.Conn between the socket (or TLS) and go-ldap. Messages with an id of ours go, as raw bytes in batches, to
// the stream that asked; all others pass to go-ldap unchanged. go-ldap's reader is the one goroutine that calls Read.
type tap struct {
	net.Conn
	idle    time.Duration // a read while a stream is open
	request time.Duration // a write
	buf     []byte        // read and not yet looked at: buf[at:have]
	at      int
	have    int
	pass    int // bytes of the present message that go to go-ldap

	free chan []byte // batches to be filled again, of all streams

	writing sync.Mutex

	mu      sync.Mutex
	next    uint32
	streams map[uint32]*stream

	once   sync.Once
	closed chan struct{}
	why    error // valid once closed is closed
}

func newTap(conn net.Conn, idle, request time.Duration) *tap {
	return &tap{
		Conn: conn, idle: idle, request: request, buf: make([]byte, tapBuffer), next: firstOwn,
		free: make(chan []byte, 2*batches), streams: map[uint32]*stream{}, closed: make(chan struct{}),
	}
}

// fail ends everything that waits, with the first reason given, and closes the socket.
func (t *tap) fail(err error) {
	t.once.Do(func() {
		t.why = err
		close(t.closed)
		_ = t.Conn.Close()
	})
}

// Close is called by go-ldap, and by whoever wants an end at once.
func (t *tap) Close() error {
	t.fail(net.ErrClosed)
	return nil
}

// alive tells whether the connection can still be used, as far as is known.
func (t *tap) alive() bool {
	select {
	case <-t.closed:
		return false
	default:
		return true
	}
}

// Write sends whole messages: go-ldap writes one message in one call, and so do we. On a connection that has ended the
// error is the reason for its end.
func (t *tap) Write(p []byte) (int, error) {
	t.writing.Lock()
	defer t.writing.Unlock()
	if !t.alive() {
		return 0, t.why
	}
	_ = t.SetWriteDeadline(time.Now().Add(t.request)) // fails on a closed socket only, as the write will
	n, err := t.Conn.Write(p)
	if err != nil {
		t.fail(err) // half a message may be out: nothing sensible can follow
		return n, t.why
	}
	return n, nil
}

// Read gives go-ldap what is its own, and hands on what is ours meanwhile.
func (t *tap) Read(p []byte) (int, error) {
	n, err := t.read(p)
	if err != nil {
		t.fail(err)
	}
	return n, err
}

func (t *tap) read(p []byte) (int, error) {
	for t.pass == 0 {
		h, err := t.header()
		if err != nil {
			return 0, err
		}
		switch {
		case h.id >= firstOwn:
			err = t.deliver(h)
		case h.id == 0:
			err = t.hearGoodbye(h)
		default:
			t.pass = h.size
		}
		if err != nil {
			return 0, err
		}
	}
	if t.at == t.have {
		if err := t.fill(1); err != nil {
			return 0, err
		}
	}
	n := copy(p, t.buf[t.at:min(t.have, t.at+t.pass)])
	t.at += n
	t.pass -= n
	return n, nil
}

// header is the beginning of one message.
type header struct {
	id   uint32
	op   byte // tag of the operation
	size int  // of the whole message
}

// maxHeader is the most that a header takes: 30, length, 02, length, four octets, tag of the operation.
const maxHeader = 1 + 5 + 1 + 1 + 4 + 1

// header looks at the next message without taking it.
func (t *tap) header() (header, error) {
	if err := t.fill(2); err != nil {
		return header{}, err
	}
	b := t.buf[t.at:t.have]
	if b[0] != tagSequence {
		return header{}, fmt.Errorf("%w: message begins with %#x", errMalformed, b[0])
	}
	size, octets := int(b[1]), 0
	if size >= 0x80 {
		octets = size & 0x7f
		if octets == 0 || octets > 4 {
			return header{}, fmt.Errorf("%w: length of a message in %d octets", errMalformed, octets)
		}
		if err := t.fill(2 + octets); err != nil {
			return header{}, err
		}
		size = 0
		for _, c := range t.buf[t.at+2 : t.at+2+octets] {
			size = size<<8 | int(c)
		}
	}
	if size > maxMessage {
		return header{}, fmt.Errorf("%w: a message of %d bytes; at most %d are taken", errMalformed, size, maxMessage)
	}
	h := header{size: 2 + octets + size}
	if err := t.fill(min(h.size, maxHeader)); err != nil {
		return header{}, err
	}
	b = t.buf[t.at+2+octets : t.at+min(h.size, t.have-t.at)]
	if len(b) < 3 || b[0] != tagInteger || b[1] < 1 || b[1] > 4 || len(b) < 3+int(b[1]) {
		return header{}, fmt.Errorf("%w: no message id", errMalformed)
	}
	for _, c := range b[2 : 2+b[1]] {
		h.id = h.id<<8 | uint32(c)
	}
	h.op = b[2+b[1]]
	return h, nil
}

// fill makes sure that n bytes, at most tapBuffer, are there to be looked at.
func (t *tap) fill(n int) error {
	for t.have-t.at < n {
		if t.at > 0 {
			t.have = copy(t.buf, t.buf[t.at:t.have])
			t.at = 0
		}
		got, err := t.receive(t.buf[t.have:])
		t.have += got
		if err != nil && t.have-t.at < n {
			if t.have > t.at && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// receive reads from the socket. While a stream is open, silence has a limit.
func (t *tap) receive(p []byte) (int, error) {
	t.mu.Lock()
	if len(t.streams) > 0 {
		_ = t.SetReadDeadline(time.Now().Add(t.idle))
	}
	t.mu.Unlock()
	return t.Conn.Read(p) //nolint:wrapcheck // a net.Conn returns its socket's errors
}

// deliver appends one message of ours to its stream's batch. A message nobody waits for is dropped.
func (t *tap) deliver(h header) error {
	t.mu.Lock()
	s := t.streams[h.id]
	t.mu.Unlock()
	var batch []byte
	if s != nil {
		if batch = s.batch; batch == nil {
			batch = t.empty()
		}
	}
	for left := h.size; left > 0; {
		if t.at == t.have {
			if err := t.fill(1); err != nil {
				return err
			}
		}
		part := t.buf[t.at:min(t.have, t.at+left)]
		if s != nil {
			batch = append(batch, part...)
		}
		t.at += len(part)
		left -= len(part)
	}
	if s == nil {
		return nil
	}
	s.batch = batch
	if h.op == tagDone {
		t.forget(s)
		s.flush()
	} else if len(s.batch) >= batchBytes {
		s.flush()
	}
	return nil
}

// forget stops waiting for a stream's messages, and lifts the limit on silence with the last one.
func (t *tap) forget(s *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.streams, s.id)
	if len(t.streams) == 0 {
		_ = t.SetReadDeadline(time.Time{})
	}
}

// noticeOfDisconnection is the one unsolicited notification that RFC 4511 (section 4.4.1) knows.
const noticeOfDisconnection = "1.3.6.1.4.1.1466.20036"

// hearGoodbye takes an unsolicited notification: the server hangs up, and may say why. Others are ignored, as the RFC
// wants.
func (t *tap) hearGoodbye(h header) error {
	if h.size > tapBuffer {
		return fmt.Errorf("%w: notification of %d bytes", errMalformed, h.size)
	}
	if err := t.fill(h.size); err != nil {
		return err
	}
	msg := t.buf[t.at : t.at+h.size]
	t.at += h.size
	packet, err := ber.DecodePacketErr(msg)
	if err != nil {
		return fmt.Errorf("%w: notification: %w", errMalformed, err)
	}
	if !bytes.Contains(msg, []byte(noticeOfDisconnection)) {
		return nil
	}
	why := ldap.GetLDAPError(packet)
	if why == nil {
		why = io.EOF
	}
	return fmt.Errorf("the server hangs up: %w", why)
}
