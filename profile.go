package idbridge

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Values is the set of values of one attribute, as raw octets in the spelling of the side that holds them. The order is
// kept for display and means nothing.
type Values []string

// First returns the first value, or "".
func (v Values) First() string {
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

// Profile is what one side says about one user. An attribute that is absent from the map is not known, or not spoken
// of: keep. An attribute that is there with no values is empty: clear. So ask v, ok := p[a], never len(p[a]) == 0 alone.
// A profile handed over is not changed afterwards; Clone first.
type Profile map[Attribute]Values

// Clone returns a copy that shares no slice with p.
func (p Profile) Clone() Profile {
	if p == nil {
		return nil
	}
	out := make(Profile, len(p))
	for a, v := range p {
		out[a] = slices.Clone(v)
	}
	return out
}

// Attributes returns the names in p, sorted.
func (p Profile) Attributes() []Attribute { return slices.Sorted(maps.Keys(p)) }

// IsActive tells whether the profile lets its user in: true unless active is there and normalises to false.
func (p Profile) IsActive() bool {
	return Boolean.Normal(p[Active].First()) != "false"
}

// MarshalJSON writes {"email":["a@b"]}; attributes sorted, an empty set as [], a value that is not UTF-8 as
// {"base64":"…"}, so that raw octets survive.
func (v Values) MarshalJSON() ([]byte, error) {
	out := []byte{'['}
	for i, s := range v {
		if i > 0 {
			out = append(out, ',')
		}
		if utf8.ValidString(s) {
			b, err := json.Marshal(s)
			if err != nil {
				return nil, fmt.Errorf("value: %w", err)
			}
			out = append(out, b...)
			continue
		}
		out = append(out, `{"base64":"`...)
		out = base64.StdEncoding.AppendEncode(out, []byte(s))
		out = append(out, `"}`...)
	}
	return append(out, ']'), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (v *Values) UnmarshalJSON(b []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return fmt.Errorf("values: %w", err)
	}
	out := make(Values, 0, len(raw))
	for _, r := range raw {
		if len(r) > 0 && r[0] == '{' {
			var bin struct {
				Base64 []byte `json:"base64"`
			}
			if err := json.Unmarshal(r, &bin); err != nil {
				return fmt.Errorf("values: %w", err)
			}
			out = append(out, string(bin.Base64))
			continue
		}
		var s string
		if err := json.Unmarshal(r, &s); err != nil {
			return fmt.Errorf("values: %w", err)
		}
		out = append(out, s)
	}
	*v = out
	return nil
}

// String shows the values as a person reads them: joined by commas, octets that are not text as a length.
func (v Values) String() string {
	parts := make([]string, len(v))
	for i, s := range v {
		if utf8.ValidString(s) {
			parts[i] = s
		} else {
			parts[i] = fmt.Sprintf("(%d octets)", len(s))
		}
	}
	return strings.Join(parts, ", ")
}
