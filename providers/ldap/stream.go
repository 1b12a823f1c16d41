package ldap

import (
	"context"
	"fmt"
	"time"

	"github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// stream is the answer to one search of ours, as it arrives. One goroutine reads it.
type stream struct {
	tap   *tap
	id    uint32
	batch []byte      // filled by the tap
	raw   chan []byte // whole messages, one after another
	stop  chan struct{}
}

// request is one search.
type request struct {
	base       string
	scope      int
	filter     string
	attributes []string
	limit      int // entries; 0: the server's limit
	controls   []ldap.Control
}

// search sends a request and returns the stream of its answer. The caller reads it to its end, or calls abandon.
func (t *tap) search(r request) (*stream, error) {
	filter, err := ldap.CompileFilter(r.filter)
	if err != nil {
		return nil, fmt.Errorf("compile filter: %w", err)
	}
	s := &stream{tap: t, raw: make(chan []byte, batches), stop: make(chan struct{})}
	t.mu.Lock()
	s.id = t.next
	t.next++
	t.mu.Unlock()
	if s.id > 0x7fffffff {
		return nil, fmt.Errorf("%w: message ids used up", errMalformed)
	}
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchRequest, nil, "")
	op.AppendChild(octets(r.base))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(r.scope), ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(ldap.NeverDerefAliases), ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(r.limit), ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(0), ""))
	op.AppendChild(ber.NewLDAPBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, false, ""))
	op.AppendChild(filter)
	wanted := ber.NewSequence("")
	for _, a := range r.attributes {
		wanted.AppendChild(octets(a))
	}
	op.AppendChild(wanted)
	msg := envelope(s.id, op)
	if len(r.controls) > 0 {
		controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		for _, c := range r.controls {
			controls.AppendChild(c.Encode())
		}
		msg.AppendChild(controls)
	}
	t.mu.Lock()
	t.streams[s.id] = s
	_ = t.SetReadDeadline(time.Now().Add(t.idle)) // a read that waits already has none
	t.mu.Unlock()
	if _, err := t.Write(msg.Bytes()); err != nil {
		t.forget(s)
		return nil, fmt.Errorf("send search: %w", err)
	}
	return s, nil
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func envelope(id uint32, op *ber.Packet) *ber.Packet {
	msg := ber.NewSequence("")
	msg.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(id), ""))
	msg.AppendChild(op)
	return msg
}

// flush hands the batch on, and waits when four are waiting. Called by the tap only.
func (s *stream) flush() {
	if len(s.batch) == 0 {
		return
	}
	select {
	case s.raw <- s.batch:
	case <-s.stop:
	case <-s.tap.closed:
	}
	s.batch = nil
}

// empty returns a batch to fill: one that was used before, else none, which grows as it must: most searches have little
// to say.
func (t *tap) empty() []byte {
	select {
	case b := <-t.free:
		return b
	default:
		return nil
	}
}

// next returns the next batch of messages; give it back with recycle.
func (s *stream) next(ctx context.Context) ([]byte, error) {
	select {
	case b := <-s.raw:
		return b, nil
	default:
	}
	select {
	case b := <-s.raw:
		return b, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.tap.closed:
	}
	select { // what came before the end counts
	case b := <-s.raw:
		return b, nil
	default:
		return nil, fmt.Errorf("connection lost: %w", s.tap.why)
	}
}

// recycle gives a batch back. A batch that one huge message blew up is left to the garbage collector.
func (s *stream) recycle(b []byte) {
	if cap(b) > 4*batchBytes {
		return
	}
	select {
	case s.tap.free <- b[:0]:
	default:
	}
}

// abandon tells the server to stop and drops what is still on its way. The connection stays usable.
func (s *stream) abandon() {
	close(s.stop)
	s.tap.mu.Lock()
	_, open := s.tap.streams[s.id]
	s.tap.mu.Unlock()
	if !open || !s.tap.alive() {
		return
	}
	s.tap.forget(s)
	op := ber.NewInteger(ber.ClassApplication, ber.TypePrimitive, ldap.ApplicationAbandonRequest, int64(s.id), "")
	s.tap.mu.Lock()
	id := s.tap.next
	s.tap.next++
	s.tap.mu.Unlock()
	_, _ = s.tap.Write(envelope(id, op).Bytes()) // an error is the connection's end, which everybody sees
}
