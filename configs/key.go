package configs

import "slices"

// shape is the sort of value that a key takes.
type shape uint8

const (
	text     shape = iota // a string node; an unquoted number is refused
	secret                // as text, never shown
	number                // an integer
	flag                  // true or false
	duration              // 10m, 1h30m, 30d
	moment                // 2026-12-01, or 2026-12-01T18:00:00Z
	limit                 // 100, 5% or [100, 5%]
	cron                  // a text that schedule.Parse takes
	object                // fixed keys
	list                  // of one item
	dict                  // free keys, each with one item
)

// key is one key of the file: a row of the table that drives reading, the JSON Schema, the example's test and Show.
type key struct {
	name    string
	shape   shape
	doc     string
	def     string   // default as it would be written; "" is none
	must    string   // why it is required; "" is optional
	choices []string // of a text
	pattern string   // of a text, or of a dict's keys: a regular expression, anchored
	expects string   // what the pattern means, for a person
	min     int64    // of a number, or seconds of a duration
	max     int64    // 0: none
	never   bool     // a duration that may be "never"
	keys    []key    // of an object
	either  []string // of an object: one of these keys must be there; what misses is told by the builder
	item    *key     // of a list or dict
	short   string   // of an object: a text alone means this key
	path    bool     // of a text: a file, relative to the config file's folder
}

// child returns the key of an object by name.
func (k *key) child(name string) *key {
	i := slices.IndexFunc(k.keys, func(c key) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return &k.keys[i]
}

// names returns the names of an object's keys.
func (k *key) names() []string {
	out := make([]string, len(k.keys))
	for i := range k.keys {
		out[i] = k.keys[i].name
	}
	return out
}

// filled tells whether an object that is not written has defaults that stand in for it.
func (k *key) filled() bool {
	return k.shape == object && slices.ContainsFunc(k.keys, func(c key) bool { return c.def != "" || c.filled() })
}

// kind names the shape for a person.
func (k *key) kind() string {
	switch k.shape {
	case text, secret, cron:
		return "a text"
	case number:
		return "a number"
	case flag:
		return "true or false"
	case duration:
		return "a duration like 10m or 30d"
	case moment:
		return "a date like 2026-12-01, or a time like 2026-12-01T18:00:00Z"
	case limit:
		return "a number, a percentage like 5%, or both as [100, 5%]"
	case object:
		if k.short != "" {
			return "a text, or keys and values"
		}
		return "keys and values"
	case list:
		return "a list"
	case dict:
		return "names and values"
	}
	return "a value"
}
