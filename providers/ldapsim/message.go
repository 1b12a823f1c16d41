package ldapsim

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// Protocol operations, RFC 4511 §4.2 and following.
const (
	tagBind           = 0x60
	tagBindResponse   = 0x61
	tagUnbind         = 0x42
	tagSearch         = 0x63
	tagEntry          = 0x64
	tagDone           = 0x65
	tagReference      = 0x73
	tagModify         = 0x66
	tagModifyResponse = 0x67
	tagAdd            = 0x68
	tagAddResponse    = 0x69
	tagDelete         = 0x4a
	tagDelResponse    = 0x6b
	tagModifyDN       = 0x6c
	tagModDNResponse  = 0x6d
	tagCompare        = 0x6e
	tagCmpResponse    = 0x6f
	tagAbandon        = 0x50
	tagExtended       = 0x77
	tagExtResponse    = 0x78
	tagIntermediate   = 0x79
	tagControls       = 0xa0
)

// maxMessage bounds one message of a client, in bytes.
const maxMessage = 16 << 20

// message is one LDAPMessage; its parts are views into raw.
type message struct {
	raw      []byte
	id       int
	op       node
	controls []control
}

type control struct {
	oid      string
	critical bool
	value    []byte // nil: no value
}

// readFrame reads one whole message. What is announced is not allocated before it arrives.
func readFrame(r *bufio.Reader, most int) ([]byte, error) {
	head, err := r.Peek(2)
	if err != nil {
		return nil, err
	}
	if head[0] != tagSequence {
		return nil, errBER
	}
	size := 2
	if head[1] > 0x80 && head[1] <= 0x84 {
		size += int(head[1] & 0x7f)
	}
	if head, err = r.Peek(size); err != nil {
		return nil, err
	}
	_, length, size, err := header(head)
	if err != nil {
		return nil, err
	}
	if length > most {
		return nil, fmt.Errorf("message of %d bytes, more than %d", length, most)
	}
	var buf bytes.Buffer
	if _, err = io.CopyN(&buf, r, int64(size+length)); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func parseMessage(raw []byte) (message, error) {
	outer := &reader{b: raw}
	in := outer.open(tagSequence)
	m := message{raw: raw, id: in.int(tagInteger), op: in.next()}
	if in.peek() == tagControls {
		list := in.open(tagControls)
		for list.more() {
			one := list.open(tagSequence)
			c := control{oid: one.text(tagOctets)}
			if one.peek() == tagBoolean {
				c.critical = one.bool(tagBoolean)
			}
			if one.peek() == tagOctets {
				c.value = append([]byte{}, one.want(tagOctets).body...)
			}
			if one.err != nil {
				return m, one.err
			}
			m.controls = append(m.controls, c)
		}
		in.err = list.err
	}
	if in.err != nil || m.id < 0 || m.id > 1<<31-1 {
		return m, errBER
	}
	return m, nil
}

// encode writes a message: body writes the operation.
func encode(id int, body func(*builder), controls []control) []byte {
	w := &builder{b: make([]byte, 0, 256)}
	w.begin(tagSequence)
	w.int(tagInteger, id)
	body(w)
	if len(controls) > 0 {
		w.begin(tagControls)
		for _, c := range controls {
			w.begin(tagSequence)
			w.text(tagOctets, c.oid)
			if c.critical {
				w.text(tagBoolean, "\xff")
			}
			if c.value != nil {
				w.text(tagOctets, string(c.value))
			}
			w.end()
		}
		w.end()
	}
	w.end()
	return w.b
}

// encodeResult writes an operation that ends with a result. extra is put behind it, for extended responses.
func encodeResult(id int, tag byte, r *Result, controls []control, extra ...func(*builder)) []byte {
	return encode(id, func(w *builder) {
		w.begin(tag)
		w.int(tagEnumerated, int(r.Code))
		w.text(tagOctets, r.Matched)
		w.text(tagOctets, r.Text)
		if len(r.Referrals) > 0 {
			w.begin(0xa3)
			for _, uri := range r.Referrals {
				w.text(tagOctets, uri)
			}
			w.end()
		}
		for _, f := range extra {
			f(w)
		}
		w.end()
	}, controls)
}
