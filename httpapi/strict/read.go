package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode"
)

// Check tells whether data is one JSON value and nothing else. Error: *Fault.
func Check(data []byte) error {
	s := scanner{data: data}
	if err := s.value(0); err != nil {
		return err
	}
	return s.end()
}

func (s *scanner) end() error {
	if s.peek(); s.pos != len(s.data) {
		return s.fault("data after the end")
	}
	return nil
}

// Unmarshal is json.Unmarshal behind Check. Unknown members are the caller's to refuse. Error: *Fault; the text of
// encoding/json's own error is dropped, since it quotes the input.
func Unmarshal(data []byte, v any) error {
	if err := Check(data); err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		f := &Fault{Why: "a value of the wrong type"}
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			f.Offset = int(wrong.Offset)
		}
		return f
	}
	return nil
}

// Members shows every member of one JSON object in order, without reflection: the name, and the value as it is written.
// An error of visit ends it and is returned. Errors: *Fault.
func Members(data []byte, visit func(name string, value []byte) error) error {
	s := scanner{data: data}
	if s.peek() != '{' {
		return s.fault("an object was expected")
	}
	err := s.object(0, func(name, value []byte) error {
		n, ok := unescape(name)
		if !ok {
			return s.fault("an unknown escape")
		}
		return visit(n, value)
	})
	if err != nil {
		return err
	}
	return s.end()
}

// Text returns the string that a raw value is, false for any other value.
func Text(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	return unescape(value[1 : len(value)-1])
}

func unescape(raw []byte) (string, bool) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw), true
	}
	var out string
	quoted := make([]byte, 0, len(raw)+2)
	quoted = append(append(append(quoted, '"'), raw...), '"')
	if err := json.Unmarshal(quoted, &out); err != nil {
		return "", false
	}
	return out, true
}

// names is the set of the names of one object. A handful is compared one by one, without allocation.
type names struct {
	few  [8][]byte
	n    int
	many map[string]struct{}
}

// add tells whether the name is new, by case folding.
func (s *names) add(raw []byte) bool {
	if s.many == nil && s.n < len(s.few) && plain(raw) {
		for _, have := range s.few[:s.n] {
			if bytes.EqualFold(have, raw) {
				return false
			}
		}
		s.few[s.n] = raw
		s.n++
		return true
	}
	if s.many == nil {
		s.many = make(map[string]struct{}, len(s.few)+1)
		for _, have := range s.few[:s.n] {
			s.many[folded(have)] = struct{}{}
		}
	}
	key := folded(raw)
	_, there := s.many[key]
	s.many[key] = struct{}{}
	return !there
}

func plain(raw []byte) bool {
	for _, c := range raw {
		if c == '\\' {
			return false
		}
	}
	return true
}

// folded returns one form for all spellings that bytes.EqualFold calls equal: each rune becomes the smallest of its orbit.
func folded(raw []byte) string {
	s, ok := unescape(raw)
	if !ok {
		return string(raw)
	}
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, s)
}
