package strict

import (
	"fmt"
	"unicode/utf8"
)

// maxDepth is how deep objects and arrays may nest.
const maxDepth = 32

// Fault is why a text is not acceptable JSON, and at which octet.
type Fault struct {
	Offset int
	Why    string
}

// Error names fault and place.
func (f *Fault) Error() string { return fmt.Sprintf("%s at octet %d", f.Why, f.Offset) }

// scanner walks one JSON text. It copies nothing.
type scanner struct {
	data []byte
	pos  int
}

func (s *scanner) fault(why string) error { return &Fault{s.pos, why} }

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next octet that is not space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos == len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

// value walks over one value.
func (s *scanner) value(depth int) error {
	switch c := s.peek(); {
	case c == '{':
		return s.object(depth, nil)
	case c == '[':
		return s.array(depth)
	case c == '"':
		_, err := s.text()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	case s.pos == len(s.data):
		return s.fault("the text ends too early")
	}
	return s.fault("no JSON value")
}

func (s *scanner) word(w string) error {
	if len(s.data)-s.pos < len(w) || string(s.data[s.pos:s.pos+len(w)]) != w {
		return s.fault("no JSON value")
	}
	s.pos += len(w)
	return nil
}

// visitor sees each member of the outermost object: the name without quotes, still escaped, and the raw value.
type visitor func(name, value []byte) error

// object walks over an object and refuses a name that comes twice, also when only its case differs.
func (s *scanner) object(depth int, visit visitor) error {
	if depth >= maxDepth {
		return s.fault("nested too deep")
	}
	s.pos++
	var names names
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.fault("a member's name was expected")
		}
		start := s.pos
		name, err := s.text()
		if err != nil {
			return err
		}
		if !names.add(name) {
			s.pos = start
			return s.fault("a member comes twice")
		}
		if s.peek() != ':' {
			return s.fault("a colon was expected")
		}
		s.pos++
		s.space()
		from := s.pos
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if visit != nil {
			if err := visit(name, s.data[from:s.pos]); err != nil {
				return err
			}
		}
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return nil
		default:
			return s.fault("a comma or the end of the object was expected")
		}
	}
}

func (s *scanner) array(depth int) error {
	if depth >= maxDepth {
		return s.fault("nested too deep")
	}
	s.pos++
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		if err := s.value(depth + 1); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return nil
		default:
			return s.fault("a comma or the end of the array was expected")
		}
	}
}

// number walks over a number by the grammar of RFC 8259.
func (s *scanner) number() error {
	if s.data[s.pos] == '-' {
		s.pos++
	}
	zero := s.pos < len(s.data) && s.data[s.pos] == '0'
	if zero {
		s.pos++
	} else if s.digits() == 0 {
		return s.fault("a digit was expected")
	}
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		s.pos++
		if s.digits() == 0 {
			return s.fault("a digit was expected")
		}
	}
	if s.pos < len(s.data) && (s.data[s.pos] == 'e' || s.data[s.pos] == 'E') {
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		if s.digits() == 0 {
			return s.fault("a digit was expected")
		}
	}
	return nil
}

func (s *scanner) digits() int {
	from := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - from
}

// text walks over a string and returns what stands between its quotes, still escaped.
func (s *scanner) text() ([]byte, error) {
	s.pos++
	from := s.pos
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return s.data[from : s.pos-1], nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return nil, err
			}
		case c < ' ':
			return nil, s.fault("a control character in a string")
		case c < utf8.RuneSelf:
			s.pos++
		default:
			r, n := utf8.DecodeRune(s.data[s.pos:])
			if r == utf8.RuneError && n == 1 {
				return nil, s.fault("invalid UTF-8")
			}
			s.pos += n
		}
	}
	return nil, s.fault("the text ends too early")
}

// escape walks over one escape sequence; a surrogate must have its other half.
func (s *scanner) escape() error {
	if s.pos+1 >= len(s.data) {
		return s.fault("the text ends too early")
	}
	switch s.data[s.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
	default:
		return s.fault("an unknown escape")
	}
	const high, low, end = 0xD800, 0xDC00, 0xE000
	switch r := hex4(s.data, s.pos); {
	case r < 0:
		return s.fault("an unknown escape")
	case r >= low && r < end:
		return s.fault("half of a surrogate pair")
	case r >= high && r < low:
		if next := hex4(s.data, s.pos+6); next < low || next >= end {
			return s.fault("half of a surrogate pair")
		}
		s.pos += 12
	default:
		s.pos += 6
	}
	return nil
}

// hex4 reads \uXXXX at pos, -1 when it is not there.
func hex4(data []byte, pos int) int {
	if pos+6 > len(data) || data[pos] != '\\' || data[pos+1] != 'u' {
		return -1
	}
	n := 0
	for _, c := range data[pos+2 : pos+6] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | int(c-'a'+10)
		case c >= 'A' && c <= 'F':
			n = n<<4 | int(c-'A'+10)
		default:
			return -1
		}
	}
	return n
}
