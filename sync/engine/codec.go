package engine

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/idbridge/idbridge"
)

// writer appends to a frame. Lists and maps come with their length plus one; 0 is nil, which a profile tells from empty.
type writer struct{ b []byte }

func (w *writer) text(s string) {
	w.b = binary.AppendUvarint(w.b, uint64(len(s)))
	w.b = append(w.b, s...)
}
func (w *writer) int(n int64)  { w.b = binary.AppendVarint(w.b, n) }
func (w *writer) byte(c byte)  { w.b = append(w.b, c) }
func (w *writer) raw(b []byte) { w.b = append(w.b, b...) }
func (w *writer) length(n int) { w.b = binary.AppendUvarint(w.b, uint64(n)) } //nolint:gosec // a length
func (w *writer) time(t time.Time) {
	if t.IsZero() {
		w.byte(0)
		return
	}
	w.byte(1)
	w.int(t.Unix())
	w.int(int64(t.Nanosecond()))
}

func (w *writer) id(x idbridge.ExternalID) { w.text(x.Directory); w.text(x.ID) }

func (w *writer) values(v idbridge.Values) {
	if v == nil {
		w.length(0)
		return
	}
	w.length(len(v) + 1)
	for _, s := range v {
		w.text(s)
	}
}

func (w *writer) profile(p idbridge.Profile) {
	if p == nil {
		w.length(0)
		return
	}
	w.length(len(p) + 1)
	for a, v := range p {
		w.text(string(a))
		w.values(v)
	}
}

// reader takes a frame apart. After the first error everything it returns is zero. Names are kept
// because they repeat in every frame.
type reader struct {
	b     []byte
	err   error
	names map[string]string
}

func (r *reader) fail() {
	r.b = nil
	if r.err == nil {
		r.err = errors.New("spool: a frame is too short")
	}
}

func (r *reader) length() int {
	n, k := binary.Uvarint(r.b)
	if k <= 0 || n > 1<<40 {
		r.fail()
		return 0
	}
	r.b = r.b[k:]
	return int(n) // bounded above
}

// count reads the length of a list whose items take at least one byte, so that a broken frame cannot ask for memory.
func (r *reader) count() (n int, isNil bool) {
	n = r.length()
	if n == 0 {
		return 0, true
	}
	if n-1 > len(r.b) {
		r.fail()
		return 0, true
	}
	return n - 1, false
}

func (r *reader) int() int64 {
	n, k := binary.Varint(r.b)
	if k <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[k:]
	return n
}

func (r *reader) raw(n int) []byte {
	if n > len(r.b) {
		r.fail()
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	b := r.raw(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (r *reader) text() string { return string(r.raw(r.length())) }

// name reads a text that many frames share.
func (r *reader) name() string {
	b := r.raw(r.length())
	if s, ok := r.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if r.names == nil {
		r.names = map[string]string{}
	}
	if len(r.names) < 1024 {
		r.names[s] = s
	}
	return s
}

func (r *reader) time() time.Time {
	if r.byte() == 0 {
		return time.Time{}
	}
	sec := r.int()
	return time.Unix(sec, r.int()).UTC()
}

func (r *reader) id() idbridge.ExternalID {
	return idbridge.ExternalID{Directory: r.name(), ID: r.text()}
}

func (r *reader) values() idbridge.Values {
	n, isNil := r.count()
	if isNil {
		return nil
	}
	out := make(idbridge.Values, n)
	for i := range out {
		out[i] = r.text()
	}
	return out
}

func (r *reader) profile() idbridge.Profile {
	n, isNil := r.count()
	if isNil {
		return nil
	}
	out := make(idbridge.Profile, n)
	for range n {
		a := idbridge.Attribute(r.name())
		out[a] = r.values()
	}
	return out
}

func (r *reader) digest() (d idbridge.Digest) {
	copy(d[:], r.raw(len(d)))
	return d
}

// end tells whether the frame was read to its end, and nothing else.
func (r *reader) end() error {
	if r.err == nil && len(r.b) != 0 {
		r.err = errors.New("spool: a frame is too long")
	}
	return r.err
}
