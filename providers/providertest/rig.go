package providertest

import (
	"testing"

	"github.com/idbridge/idbridge"
)

// Person is an entry as the exam asks for it. UserName is also the entry's name (the RDN of an LDAP entry).
type Person struct {
	UserName, GivenName, FamilyName, DisplayName, Email string
}

// Editor changes a directory from outside, without the provider under exam. It names people by their login and knows
// itself where it put them. It has no concurrency of its own: one call at a time.
type Editor interface {
	// Add makes an entry with a new id in the first container. An id is never given twice, also not for the same login.
	Add(p Person) error
	// Set replaces the values of a mapped attribute; none removes it.
	Set(userName string, a idbridge.Attribute, values ...string) error
	// Rename gives an entry another login; its id stays.
	Rename(userName, newUserName string) error
	// Move puts an entry into another container inside the directory's scope; its id stays.
	Move(userName string) error
	// Delete removes an entry.
	Delete(userName string) error
}

// Grouper changes the directory's groups. A Rig without one sits no exam about groups.
type Grouper interface {
	// SetGroup makes the group, or replaces its members, named by login.
	SetGroup(name string, members ...string) error
}

// Saboteur makes a directory fail. A Rig without one does not sit that part of the exam.
type Saboteur interface {
	// Truncate makes every listing stop after about n entries, as a server's size limit does, while small searches work.
	// 0 lifts it.
	Truncate(n int) error
}

// Rig is one directory under exam. Its schema maps at least userName, givenName, familyName, displayName and email.
type Rig struct {
	Directory idbridge.Directory
	Editor    Editor
	Grouper   Grouper  // may be nil
	Saboteur  Saboteur // may be nil
	People    int      // how many are there at the start; 1,000 or more let the streaming parts mean something
}

// Opener makes a fresh directory that nobody else uses, and registers its end with t.Cleanup.
type Opener func(t *testing.T) Rig
