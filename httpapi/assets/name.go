package assets

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"

	"github.com/idbridge/idbridge/httpapi/problem"
)

const (
	maxName     = 40  // characters of a name or full name
	maxPassword = 512 // octets
)

// newName returns a name in the form in which it is kept: PRECIS UsernameCasePreserved (RFC 8265), 1 to 40 characters, and
// nothing that a path could mistake. Error: 400.
func newName(name string) (string, error) {
	kept, err := precis.UsernameCasePreserved.String(name)
	if err != nil || kept == "." || kept == ".." || strings.Contains(kept, "/") || utf8.RuneCountInString(kept) > maxName || !plain(kept) {
		return "", malformed("name must be a user name of 1 to 40 characters without blanks and slashes.")
	}
	return kept, nil
}

// lookUp refuses a name that nobody can have. Names that a directory gave may be longer and stranger than new ones.
func lookUp(name string) error {
	if name == "" || !plain(name) || strings.Contains(name, "/") {
		return malformed("No such name is possible.")
	}
	return nil
}

// fullName refuses what cannot be shown. Error: 400.
func fullName(s string) error {
	if !plain(s) || utf8.RuneCountInString(s) > maxName {
		return malformed("fullName must have at most 40 characters, none of them a control character.")
	}
	return nil
}

// password refuses what no client could send back. Error: 400.
func password(s string) error {
	if s == "" || len(s) > maxPassword || !plain(s) {
		return malformed("password must have 1 to 512 octets of UTF-8 without control characters.")
	}
	return nil
}

// plain tells whether s is UTF-8 without control characters and without what is no character: encoding/xml would write
// U+FFFD for them.
func plain(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}

// notFound is the answer to a look-up that finds nobody: a name that is too long could never have been added here.
func notFound(name string) error {
	if utf8.RuneCountInString(name) > maxName {
		return malformed("name must have at most 40 characters.")
	}
	return problem.New(problem.NotFound, "There is no such user.")
}
