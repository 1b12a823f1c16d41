package ldapsim

import (
	"encoding/binary"
	"errors"
)

// The universal tags LDAP uses.
const (
	tagBoolean    = 0x01
	tagInteger    = 0x02
	tagOctets     = 0x04
	tagEnumerated = 0x0a
	tagSequence   = 0x30
	tagSet        = 0x31
)

var errBER = errors.New("malformed BER")

// node is one element: its tag and its content, which is a part of the message read, never a copy.
type node struct {
	tag  byte
	body []byte
}

// header reads tag and length. LDAP knows definite lengths only (RFC 4511 §5.1), and no tag of several bytes.
func header(b []byte) (tag byte, length, size int, err error) {
	if len(b) < 2 {
		return 0, 0, 0, errBER
	}
	if b[0]&0x1f == 0x1f {
		return 0, 0, 0, errBER
	}
	n := int(b[1])
	if n < 0x80 {
		return b[0], n, 2, nil
	}
	n &= 0x7f
	if n == 0 || n > 4 || len(b) < 2+n {
		return 0, 0, 0, errBER
	}
	for _, c := range b[2 : 2+n] {
		length = length<<8 | int(c)
	}
	return b[0], length, 2 + n, nil
}

// reader takes elements out of a content, one after the other. The first fault sticks and what is read after it is
// empty, so that a decoder asks once, at its end.
type reader struct {
	b   []byte
	err error
}

func (r *reader) more() bool { return r.err == nil && len(r.b) > 0 }

// peek returns the next element's tag, 0 at the end.
func (r *reader) peek() byte {
	if !r.more() {
		return 0
	}
	return r.b[0]
}

func (r *reader) next() node {
	if r.err != nil {
		return node{}
	}
	tag, length, size, err := header(r.b)
	if err != nil || length > len(r.b)-size {
		r.err = errBER
		return node{}
	}
	n := node{tag, r.b[size : size+length : size+length]}
	r.b = r.b[size+length:]
	return n
}

// want takes the next element, which must have this tag.
func (r *reader) want(tag byte) node {
	n := r.next()
	if r.err == nil && n.tag != tag {
		r.err = errBER
		return node{}
	}
	return n
}

func (r *reader) open(tag byte) *reader { return &reader{b: r.want(tag).body, err: r.err} }

func (r *reader) text(tag byte) string { return string(r.want(tag).body) }

func (r *reader) int(tag byte) int {
	body := r.want(tag).body
	if r.err != nil {
		return 0
	}
	n, err := parseInt(body)
	if err != nil {
		r.err = err
	}
	return n
}

func (r *reader) bool(tag byte) bool {
	body := r.want(tag).body
	if r.err == nil && len(body) != 1 {
		r.err = errBER
	}
	return r.err == nil && body[0] != 0
}

func parseInt(body []byte) (int, error) {
	if len(body) == 0 || len(body) > 8 {
		return 0, errBER
	}
	n := int64(int8(body[0])) // the sign bit is meant
	for _, c := range body[1:] {
		n = n<<8 | int64(c)
	}
	return int(n), nil
}

// builder writes elements. Constructed ones get a length of four bytes, as OpenLDAP writes them, so that nothing is moved
// when they end.
type builder struct {
	b    []byte
	open []int
}

func (w *builder) begin(tag byte) {
	w.b = append(w.b, tag, 0x84, 0, 0, 0, 0)
	w.open = append(w.open, len(w.b))
}

func (w *builder) end() {
	start := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	binary.BigEndian.PutUint32(w.b[start-4:], uint32(len(w.b)-start)) //nolint:gosec // bounded by memory
}

func (w *builder) text(tag byte, s string) {
	w.b = append(w.b, tag)
	switch n := len(s); {
	case n < 0x80:
		w.b = append(w.b, byte(n))
	case n <= 0xffff:
		w.b = append(w.b, 0x82, byte(n>>8), byte(n)) // two bytes by the case
	default:
		w.b = append(w.b, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n)) // cut on purpose
	}
	w.b = append(w.b, s...)
}

func (w *builder) int(tag byte, n int) {
	var full [8]byte
	binary.BigEndian.PutUint64(full[:], uint64(n)) //nolint:gosec // two's complement is meant
	b := full[:]
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	w.text(tag, string(b))
}
