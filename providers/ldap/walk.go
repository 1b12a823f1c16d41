package ldap

import (
	"errors"
	"fmt"
)

// The tags of RFC 4511 that a walk meets.
const (
	tagInteger   = 0x02
	tagOctets    = 0x04
	tagSequence  = 0x30
	tagSet       = 0x31
	tagEntry     = 0x64 // SearchResultEntry
	tagDone      = 0x65 // SearchResultDone
	tagReference = 0x73 // SearchResultReference
	tagExtended  = 0x78 // ExtendedResponse
	tagMiddle    = 0x79 // IntermediateResponse
	tagControls  = 0xa0
)

// maxMessage is the longest message that is taken, in bytes: a server that sends more is broken or hostile.
const maxMessage = 32 << 20

var errMalformed = errors.New("malformed answer")

// element reads the header of one BER element of s at i: its tag, and where its content begins and ends. ok is false
// when the element does not fit into s[:end], has a length of indefinite form or of more than four bytes, or a tag of
// several bytes. LDAP has none of these.
func element(s string, i, end int) (tag byte, from, to int, ok bool) {
	if end-i < 2 || end > len(s) {
		return 0, 0, 0, false
	}
	tag, n := s[i], int(s[i+1])
	from = i + 2
	if tag&0x1f == 0x1f {
		return 0, 0, 0, false
	}
	if n >= 0x80 {
		octets := n & 0x7f
		if octets == 0 || octets > 4 || end-from < octets {
			return 0, 0, 0, false
		}
		n = 0
		for range octets {
			n = n<<8 | int(s[from])
			from++
		}
	}
	if n > maxMessage || n > end-from {
		return 0, 0, 0, false
	}
	return tag, from, from + n, true
}

// attribute is one attribute of an entry: its name, and where its values stand in entry.values.
type attribute struct {
	name     string
	from, to int
}

// entry is one SearchResultEntry. All texts are parts of the message: Clone what is kept for long. An entry is filled
// again and again, so that reading one allocates nothing.
type entry struct {
	dn         string
	attributes []attribute
	values     []string
}

// of returns an attribute's values.
func (e *entry) of(a attribute) []string { return e.values[a.from:a.to] }

// operation finds the protocol operation in a whole LDAP message: its tag and its content.
func operation(msg string) (tag byte, from, to int, err error) {
	t, i, end, ok := element(msg, 0, len(msg))
	if !ok || t != tagSequence || end != len(msg) {
		return 0, 0, 0, fmt.Errorf("%w: no message", errMalformed)
	}
	t, _, i, ok = element(msg, i, end)
	if !ok || t != tagInteger {
		return 0, 0, 0, fmt.Errorf("%w: no message id", errMalformed)
	}
	tag, from, to, ok = element(msg, i, end)
	if !ok {
		return 0, 0, 0, fmt.Errorf("%w: no operation", errMalformed)
	}
	if to == end {
		return tag, from, to, nil
	}
	t, _, i, ok = element(msg, to, end)
	if !ok || t != tagControls || i != end {
		return 0, 0, 0, fmt.Errorf("%w: after the operation", errMalformed)
	}
	return tag, from, to, nil
}

// read fills e with the SearchResultEntry whose content stands at s[i:end].
func (e *entry) read(s string, i, end int) error {
	e.attributes, e.values = e.attributes[:0], e.values[:0]
	tag, from, to, ok := element(s, i, end)
	if !ok || tag != tagOctets {
		return fmt.Errorf("%w: entry without a name", errMalformed)
	}
	e.dn = s[from:to]
	tag, i, to, ok = element(s, to, end)
	if !ok || tag != tagSequence || to != end {
		return fmt.Errorf("%w: attributes of an entry", errMalformed)
	}
	for i < end {
		tag, from, to, ok = element(s, i, end)
		if !ok || tag != tagSequence {
			return fmt.Errorf("%w: attribute of an entry", errMalformed)
		}
		if err := e.attribute(s, from, to); err != nil {
			return err
		}
		i = to
	}
	return nil
}

// attribute appends the attribute whose content stands at s[i:end].
func (e *entry) attribute(s string, i, end int) error {
	tag, from, to, ok := element(s, i, end)
	if !ok || tag != tagOctets {
		return fmt.Errorf("%w: attribute without a name", errMalformed)
	}
	a := attribute{name: s[from:to], from: len(e.values)}
	tag, i, to, ok = element(s, to, end)
	if !ok || tag != tagSet || to != end {
		return fmt.Errorf("%w: values of an attribute", errMalformed)
	}
	for i < end {
		tag, from, to, ok = element(s, i, end)
		if !ok || tag != tagOctets {
			return fmt.Errorf("%w: value of an attribute", errMalformed)
		}
		e.values = append(e.values, s[from:to])
		i = to
	}
	a.to = len(e.values)
	e.attributes = append(e.attributes, a)
	return nil
}
