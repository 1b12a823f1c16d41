package ldapsim

import (
	"slices"
	"strings"
)

// Level is what an identity may do with an attribute of an entry. Each level holds the ones before it.
type Level uint8

// The levels. Auth is to know that it is there, and to sign in with its password, but to read nothing.
const (
	None Level = iota
	Auth
	Read
	Edit
)

// Identities a Right may name instead of a DN.
const (
	Anyone    = "*"
	Anonymous = "anonymous"
	Users     = "users" // whoever has signed in
	Self      = "self"  // the identity whose entry it is
)

// Right is one rule of who may read or write what. The first rule that fits decides. Where none fits: whoever has signed in
// may read and write everything but userPassword, which nobody reads; anonymous has Auth, and sees the rootDSE and the schema.
type Right struct {
	Who        string   // a bind DN, or Anyone, Anonymous, Users, Self
	Under      string   // the DN whose subtree it is about; "" for all
	Attributes []string // "entry" is the entry as such, without which it cannot be seen; nil for all of it
	Level      Level
}

// right is a Right with its names in comparable form.
type right struct {
	who, under string
	attributes []*attributeType
	entry      bool
	whole      bool
	level      Level
}

func (s *schema) rights(list []Right) ([]right, *Result) {
	out := make([]right, 0, len(list))
	for _, r := range list {
		c := right{who: r.Who, whole: r.Attributes == nil, level: r.Level}
		if strings.Contains(r.Who, "=") {
			d, err := parseDN(r.Who)
			key, ok := s.key(d)
			if err != nil || !ok {
				return nil, refuse(InvalidDN, "right of %q: invalid DN", r.Who)
			}
			c.who = key
		}
		d, err := parseDN(r.Under)
		key, ok := s.key(d)
		if err != nil || !ok {
			return nil, refuse(InvalidDN, "right under %q: invalid DN", r.Under)
		}
		c.under = key
		for _, name := range r.Attributes {
			if name == "entry" {
				c.entry = true
				continue
			}
			a := s.types[fold(name)]
			if a == nil {
				return nil, refuse(UndefinedType, "right: no attribute %q", name)
			}
			c.attributes = append(c.attributes, a)
		}
		out = append(out, c)
	}
	return out, nil
}

// level returns what who may do with the attribute a of e; a nil a is the entry as such.
func (d *database) level(who string, e *entry, a *attributeType) Level {
	if e.public {
		return Read
	}
	if who != "" && who == d.root {
		return Edit
	}
	for i := range d.rights {
		r := &d.rights[i]
		if r.fitsWho(who, e) && within(e.key, r.under) && r.fitsAttribute(a) {
			return r.level
		}
	}
	switch {
	case who == "":
		return Auth
	case a != nil && a.oid == "2.5.4.35": // userPassword: may be set, never read
		return None
	}
	return Edit
}

func (r *right) fitsWho(who string, e *entry) bool {
	switch r.who {
	case Anyone:
		return true
	case Anonymous:
		return who == ""
	case Users:
		return who != ""
	case Self:
		return who != "" && who == e.key
	}
	return who == r.who
}

func (r *right) fitsAttribute(a *attributeType) bool {
	if a == nil {
		return r.whole || r.entry
	}
	return r.whole || slices.ContainsFunc(r.attributes, a.is)
}

// hidden is the answer about an entry that who may not read: with None not even that it is there.
func (d *database) hidden(who string, e *entry) *Result {
	if d.level(who, e, nil) == None {
		return &Result{Code: NoSuchObject}
	}
	return &Result{Code: InsufficientAccess}
}

// mayWrite tells whether who may change the attribute a of e.
func (d *database) mayWrite(who string, e *entry, a *attributeType) bool {
	if d.level(who, e, a) == Edit {
		return true
	}
	return a != nil && a.oid == "2.5.4.35" && who != "" && len(d.rights) == 0 // set, though not read
}
