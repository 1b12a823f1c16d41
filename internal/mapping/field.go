package mapping

import (
	"fmt"

	"github.com/idbridge/idbridge"
)

// Form says how a directory writes an attribute that is not taken as it stands.
type Form string

// The forms.
const (
	Plain Form = ""     // values as they stand; for a boolean attribute TRUE and FALSE
	Lock  Form = "lock" // pwdAccountLockedTime of a password policy: 000001010000Z means locked for good, so inactive
)

// lockedForGood is the value that an administrator's lock has, as against one that passes by itself.
const lockedForGood = "000001010000Z"

// Field says which attribute of a directory an attribute of the profile comes from, and goes to; or how it is computed,
// and then it only comes.
type Field struct {
	Attribute idbridge.Attribute
	From      string // the directory's name for it, without options; compared without case
	Form      Form
	Expr      string // instead of From: an expression over the entry
	Else      string // beside From: the same, for entries that show no value of From
}

// text returns the expression, "" for none.
func (f *Field) text() string {
	if f.Expr != "" {
		return f.Expr
	}
	return f.Else
}

// maxText is the longest text value that is taken, in bytes. What is longer is no detail of a person.
const maxText = 1 << 20

// Fault says why an entry's values cannot be used. It names the attribute and never quotes a value.
type Fault struct {
	Attribute idbridge.Attribute
	From      string
	Why       string
}

// Error reads: mail (email) is not valid UTF-8.
func (f *Fault) Error() string { return fmt.Sprintf("%s (%s) %s", f.From, f.Attribute, f.Why) }

// validName tells whether s can name an attribute of a directory: a letter and then letters, digits and hyphens, or a
// dotted object identifier.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		digit := c >= '0' && c <= '9'
		if !letter && !digit && (i == 0 || c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}
