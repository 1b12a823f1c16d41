package configs

import (
	"time"
)

// value is one value of the effective config: from the file, or a default.
type value struct {
	key    *key
	name   string // in its object or dict
	path   string
	origin string // default, line 7, preset openldap, password_file …, environment …; of scalars
	key0   place  // where its key stands, or the value itself in a list
	at     place  // where the value stands
	text   string // scalars as written; dicts and objects: none
	num    int64
	on     bool
	span   time.Duration
	when   time.Time // of a moment; a date alone is its midnight in UTC
	share  float64   // of a limit; num is its number
	fields []*value
	items  []*value
	bad    bool // a fault says why
}

// get returns a value below v, nil when it is neither written nor has a default. A nil v has nothing below.
func (v *value) get(names ...string) *value {
	for _, n := range names {
		if v == nil {
			return nil
		}
		var next *value
		for _, f := range v.fields {
			if f.name == n {
				next = f
			}
		}
		v = next
	}
	return v
}

// str returns the text below v, "" for none.
func (v *value) str(names ...string) string {
	if v = v.get(names...); v == nil || v.bad {
		return ""
	}
	return v.text
}

func (v *value) flag(names ...string) bool {
	v = v.get(names...)
	return v != nil && v.on
}

func (v *value) number(names ...string) int64 {
	if v = v.get(names...); v == nil || v.bad {
		return 0
	}
	return v.num
}

func (v *value) duration(names ...string) time.Duration {
	if v = v.get(names...); v == nil || v.bad {
		return 0
	}
	return v.span
}

// moment returns the time below v, a date as its midnight in zone.
func (v *value) moment(zone *time.Location, names ...string) time.Time {
	if v = v.get(names...); v == nil || v.bad {
		return time.Time{}
	}
	if len(v.text) == len(time.DateOnly) {
		return time.Date(v.when.Year(), v.when.Month(), v.when.Day(), 0, 0, 0, 0, zone)
	}
	return v.when
}

// texts returns the texts of a list below v.
func (v *value) texts(names ...string) []string {
	v = v.get(names...)
	if v == nil {
		return nil
	}
	var out []string
	for _, i := range v.items {
		if !i.bad {
			out = append(out, i.text)
		}
	}
	return out
}

// where returns the place of the value below v, or of the nearest thing above it that is in the file.
func (v *value) where(names ...string) place {
	at := v.key0
	for i := range names {
		if x := v.get(names[:i+1]...); x != nil && x.at.line > 0 {
			at = x.at
		}
	}
	return at
}

// written tells whether the file has the value.
func (v *value) written() bool { return v != nil && v.at.line > 0 }
