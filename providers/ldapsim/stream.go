package ldapsim

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// errOver says that nothing more is to be sent: the fault has had its way.
var errOver = errors.New("ldapsim: conversation over")

const oidPaging = "1.2.840.113556.1.4.319"

// stream is the answer to one request, message by message, with the fault that strikes it.
type stream struct {
	w       *wire
	id      int
	call    call
	armed   *Armed // nil: no fault
	passed  int    // entries
	bytes   int
	held    []byte // of Swap
	over    bool
	unpaged bool // the request's paging control was ignored
}

// before lets the fault act on the request; false: it is not to be carried out.
func (st *stream) before(ctx context.Context) bool {
	if st.armed == nil {
		return true
	}
	f := &st.armed.fault
	switch f.Do {
	case Delay, Ignore, Hangup, Refer:
	case Refuse:
		if f.N > 0 {
			return true
		}
	default:
		return true
	}
	st.armed.strike() // before anybody can see it
	switch f.Do {
	case Delay:
		return pause(ctx, st.armed, f.For) == nil
	case Hangup:
		st.w.close()
	case Refer:
		st.answer(&Result{Code: Referred, Text: f.Text, Referrals: f.URIs})
	case Refuse:
		st.answer(&Result{Code: f.Code, Text: f.Text})
	}
	return false
}

func (st *stream) answer(r *Result) {
	if st.call.answer != 0 {
		_ = st.w.write(encodeResult(st.id, st.call.answer, r, nil), false) // a dead connection shows at the next read
	}
}

// send passes one message of the answer on, the way the fault wants it.
func (st *stream) send(ctx context.Context, msg []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tag := opTag(msg)
	more := tag == tagEntry || tag == tagReference || tag == tagIntermediate
	switch {
	case st.over:
		return errOver
	case st.armed == nil || st.armed.fault.Do == Delay:
		return st.w.write(msg, more)
	case st.armed.fault.Do == Drip || st.armed.fault.Do == CutBytes:
		return st.rate(ctx, msg, more)
	case tag == tagEntry:
		return st.entry(ctx, msg)
	case more:
		return st.w.write(msg, true)
	}
	return st.last(ctx, msg)
}

func opTag(msg []byte) byte {
	outer := &reader{b: msg}
	in := outer.open(tagSequence)
	in.next()
	return in.peek()
}

func (st *stream) rate(ctx context.Context, msg []byte, more bool) error {
	f := &st.armed.fault
	if st.bytes == 0 {
		st.armed.strike()
	}
	if f.Do == Drip {
		st.bytes += len(msg)
		return st.w.drip(ctx, msg, st.armed, f.For)
	}
	left := f.Bytes - st.bytes
	st.bytes += len(msg)
	if left > len(msg) {
		return st.w.write(msg, more)
	}
	_ = st.w.write(msg[:left], false) // it is cut anyway
	return st.end()
}

// end closes the connection.
func (st *stream) end() error {
	st.over = true
	st.w.close()
	return errOver
}

// entry handles one SearchResultEntry.
func (st *stream) entry(ctx context.Context, msg []byte) error {
	f := &st.armed.fault
	number := st.passed
	st.passed++
	if f.Do == Withdraw {
		return st.withdrawn(number, msg)
	}
	if f.Do == Empty {
		return nil
	}
	if f.Do == Refuse && number >= f.N {
		return nil // the code comes at the end
	}
	if st.held != nil {
		held := st.held
		st.held = nil
		return errors.Join(st.w.write(msg, true), st.w.write(held, true))
	}
	if number != f.N {
		return st.w.write(msg, true)
	}
	switch f.Do {
	case Skip:
		st.armed.strike()
		return nil
	case Swap:
		st.armed.strike()
		st.held = msg
		return nil
	case Repeat:
		st.armed.strike()
		return errors.Join(st.w.write(msg, true), st.w.write(msg, true))
	case HugeValue, BadText, NULName:
		st.armed.strike()
		return st.w.write(spoil(msg, f), true)
	}
	if err := st.interrupt(ctx); err != nil {
		return err
	}
	return st.w.write(msg, true)
}

// interrupt is what comes between two messages.
func (st *stream) interrupt(ctx context.Context) error {
	f := &st.armed.fault
	switch f.Do {
	case Cut:
		st.armed.strike()
		return st.end()
	case Notice:
		st.armed.strike()
		name := func(w *builder) { w.text(0x8a, oidNotice) }
		_ = st.w.write(encodeResult(0, tagExtResponse, &Result{Code: Unavailable, Text: f.Text}, nil, name), false)
		return st.end()
	case Stall:
		st.armed.strike()
		st.w.flush()
		return pause(ctx, st.armed, f.For)
	case Continue:
		st.armed.strike()
		return st.w.write(encode(st.id, func(w *builder) {
			w.begin(tagReference)
			for _, uri := range f.URIs {
				w.text(tagOctets, uri)
			}
			w.end()
		}, nil), true)
	case HugeHead:
		st.armed.strike()
		_ = st.w.write([]byte("\x30\x84\x7f\xff\xff\xff\x02\x01\x01"), false) // the client may have had enough
		_ = pause(ctx, st.armed, f.For)
		return st.end()
	case Deep:
		st.armed.strike()
		_ = st.w.write(nested(st.id, f.Bytes), false)
		_ = pause(ctx, st.armed, f.For)
		return st.end()
	}
	return nil
}

// last handles the message that ends the answer.
func (st *stream) last(ctx context.Context, msg []byte) error {
	f := &st.armed.fault
	if st.held != nil {
		_ = st.w.write(st.held, true)
		st.held = nil
	}
	if st.passed <= f.N {
		if err := st.interrupt(ctx); err != nil {
			return err
		}
	}
	switch f.Do {
	case Lose:
		st.armed.strike()
		return nil
	case Refuse:
		st.armed.strike()
		st.answer(&Result{Code: f.Code, Text: f.Text})
		return nil
	case Mask, Bare, Empty:
		st.armed.strike()
		msg = rewrite(msg, st.id, f)
	case Inject:
		st.armed.strike()
		msg = append(slices.Clone(msg), f.Data...)
	}
	return st.w.write(msg, false)
}

func (st *stream) withdrawn(number int, msg []byte) error {
	a := st.armed
	a.mu.Lock()
	lasting := a.lasting
	a.mu.Unlock()
	if !lasting {
		if number < a.fault.N {
			return st.w.write(msg, true)
		}
		a.mu.Lock()
		a.lasting = true
		a.mu.Unlock()
		a.strike()
	}
	if len(a.fault.Attributes) == 0 {
		return nil
	}
	return st.w.write(spoil(msg, &a.fault), true)
}

// rewrite changes a final result.
func rewrite(msg []byte, id int, f *Fault) []byte {
	m, err := parseMessage(msg)
	if err != nil {
		return msg
	}
	r := &reader{b: m.op.body}
	code, matched, text := r.int(tagEnumerated), r.text(tagOctets), r.text(tagOctets)
	out := &Result{Code: Code(code), Matched: matched, Text: text}
	switch f.Do {
	case Bare:
		m.controls = nil
	case Empty:
		out = &Result{}
		for i := range m.controls {
			if m.controls[i].oid == oidPaging {
				m.controls[i].value = pagingValue("")
			}
		}
	default:
		out = &Result{Code: f.Code, Text: f.Text}
	}
	rest := r.b
	return encodeResult(id, m.op.tag, out, m.controls, func(w *builder) { w.b = append(w.b, rest...) })
}

// spoil changes an entry.
func spoil(msg []byte, f *Fault) []byte {
	m, err := parseMessage(msg)
	if err != nil {
		return msg
	}
	r := &reader{b: m.op.body}
	name := r.text(tagOctets)
	list := r.open(tagSequence)
	if f.Do == NULName {
		name = strings.Replace(name, "=", "=\x00", 1)
	}
	return encode(m.id, func(w *builder) {
		w.begin(tagEntry)
		w.text(tagOctets, name)
		w.begin(tagSequence)
		for list.more() {
			one := list.next()
			kind := (&reader{b: one.body}).text(tagOctets)
			bare, _, _ := strings.Cut(kind, ";")
			if !slices.ContainsFunc(f.Attributes, func(a string) bool { return strings.EqualFold(a, bare) }) || f.Do == NULName {
				w.text(tagSequence, string(one.body))
			}
		}
		if f.Do == HugeValue || f.Do == BadText {
			bad := "\xff\xfe\xfd"
			if f.Do == HugeValue {
				bad = strings.Repeat("x", f.Bytes)
			}
			w.begin(tagSequence)
			w.text(tagOctets, first(f.Attributes))
			w.begin(tagSet)
			w.text(tagOctets, bad)
			w.end()
			w.end()
		}
		w.end()
		w.end()
	}, m.controls)
}

// nested is a message that is sound but deeper than anybody needs.
func nested(id, levels int) []byte {
	if levels == 0 {
		levels = 10_000
	}
	return encode(id, func(w *builder) {
		w.begin(tagEntry)
		for range levels {
			w.begin(tagSequence)
		}
		for range levels {
			w.end()
		}
		w.end()
	}, nil)
}

// pagingValue is the value of a paging control in an answer, RFC 2696.
func pagingValue(cookie string) []byte {
	w := &builder{}
	w.begin(tagSequence)
	w.int(tagInteger, 0)
	w.text(tagOctets, cookie)
	w.end()
	return w.b
}
