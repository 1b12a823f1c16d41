package authstore

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/idbridge/idbridge"
)

// packMark begins a text that was packed. PostgreSQL takes neither zero bytes nor broken UTF-8, directories give both.
const packMark = "\x01"

// pack makes a text of any octets; unpack gives them back. Nearly every value is returned as it is.
func pack(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 && !strings.HasPrefix(s, packMark) {
		return s
	}
	return packMark + base64.StdEncoding.EncodeToString([]byte(s))
}

// unpack is the inverse of pack.
func unpack(s string) string {
	if !strings.HasPrefix(s, packMark) {
		return s
	}
	b, err := base64.StdEncoding.DecodeString(s[len(packMark):])
	if err != nil {
		return s // nobody but pack writes the mark
	}
	return string(b)
}

// prose makes a message storable; unlike pack it may lose octets.
func prose(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// micros returns t as the store keeps it, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is the inverse of micros.
func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// appendText appends a JSON string. It escapes only what JSON demands, so the reader's fast path sees the text as it is.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		default:
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, s[start:]...), '"')
}

// appendValues writes what idbridge.Values.MarshalJSON writes, without its detours.
func appendValues(b []byte, v idbridge.Values) []byte {
	b = append(b, '[')
	for i, s := range v {
		if i > 0 {
			b = append(b, ',')
		}
		if utf8.ValidString(s) {
			b = appendText(b, s)
			continue
		}
		b = append(b, `{"base64":"`...)
		b = base64.StdEncoding.AppendEncode(b, []byte(s))
		b = append(b, `"}`...)
	}
	return append(b, ']')
}

func valuesText(v idbridge.Values) string { return string(appendValues(nil, v)) }

// profileText writes a profile as JSON with sorted attributes.
func profileText(p idbridge.Profile) string {
	var names [16]idbridge.Attribute
	attrs := names[:0]
	for a := range p {
		attrs = append(attrs, a)
	}
	slices.Sort(attrs)
	var room [512]byte
	b := append(room[:0], '{')
	for i, a := range attrs {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, string(a))
		b = append(b, ':')
		b = appendValues(b, p[a])
	}
	return string(append(b, '}'))
}

// parseProfile reads a profile. Texts without escapes take a path that shares the input; anything else goes through
// encoding/json.
func parseProfile(s string) (idbridge.Profile, error) {
	if p, ok := quickProfile(s); ok {
		return p, nil
	}
	p := idbridge.Profile{}
	if err := json.Unmarshal([]byte(s), &p); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return p, nil
}

func parseValues(s string) (idbridge.Values, error) {
	var v idbridge.Values
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	return v, nil
}

// quickProfile reads {"a":["v","w"],"b":[]}; not ok for anything that is not exactly so.
func quickProfile(s string) (idbridge.Profile, bool) {
	if len(s) < 2 || s[0] != '{' || strings.IndexByte(s, '\\') >= 0 {
		return nil, false
	}
	p := make(idbridge.Profile, strings.Count(s, `":[`))
	if s == "{}" {
		return p, true
	}
	room := make([]string, 0, strings.Count(s, `"`)/2)
	for i := 1; ; i++ {
		name, next, ok := quoted(s, i)
		if !ok || !strings.HasPrefix(s[next:], ":[") {
			return nil, false
		}
		first := len(room)
		i = next + 2
		for more := i < len(s) && s[i] != ']'; more; {
			value, after, ok := quoted(s, i)
			if !ok || after >= len(s) || s[after] != ',' && s[after] != ']' {
				return nil, false
			}
			room = append(room, value)
			if i, more = after, s[after] == ','; more {
				i++
			}
		}
		p[idbridge.Attribute(name)] = room[first:len(room):len(room)]
		if i++; i >= len(s) {
			return nil, false
		}
		if s[i] == '}' {
			return p, i == len(s)-1
		}
		if s[i] != ',' {
			return nil, false
		}
	}
}

// quoted reads the string that begins at s[i] and returns what follows its closing quote.
func quoted(s string, i int) (text string, next int, ok bool) {
	if i >= len(s) || s[i] != '"' {
		return "", 0, false
	}
	end := strings.IndexByte(s[i+1:], '"')
	if end < 0 {
		return "", 0, false
	}
	return s[i+1 : i+1+end], i + end + 2, true
}
