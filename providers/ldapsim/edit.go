package ldapsim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// owner is the program itself: it needs no right, and its writes are signed with the suffix's administrator.
func (d *database) owner() author {
	return author{trusted: true, name: "cn=admin," + d.suffix.String()}
}

// load reads the entries of a start; operational attributes may be given, as for slapadd.
func (d *database) load(text string) error {
	records, err := parseLDIF(text)
	if err != nil {
		return fmt.Errorf("read LDIF: %w", err)
	}
	for _, r := range records {
		u, err := r.asUpdate()
		if err != nil {
			return fmt.Errorf("read LDIF: %w", err)
		}
		if u.op != OpAdd {
			return fmt.Errorf("read LDIF: line %d: %s is no entry", r.line, r.change)
		}
		if refused := d.lockedLoad(u); refused != nil {
			return fmt.Errorf("read LDIF: line %d: %s: %w", r.line, r.name, refused)
		}
	}
	return nil
}

func (d *database) lockedLoad(u update) *Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, refused := d.build(u.name, u.mods, true)
	if refused != nil {
		return refused
	}
	if d.suffix == nil {
		d.suffix, d.base = e.name, e.key
	}
	switch {
	case d.main.byKey[e.key] != nil:
		return refuse(EntryExists, "entry exists")
	case e.key != d.base && d.main.byKey[e.parent] == nil:
		return refuse(NoSuchObject, "no entry above it")
	}
	return d.place(d.owner(), e)
}

// Add makes an entry. Like all edits from Go it needs no right, obeys the schema, and returns a *Result when refused.
func (s *Server) Add(name string, attributes map[string][]string) error {
	u := update{op: OpAdd, name: name}
	for _, a := range slices.Sorted(maps.Keys(attributes)) {
		u.mods = append(u.mods, Mod{Attribute: a, Values: attributes[a]})
	}
	return s.edit(u)
}

// Modify changes an entry, all mods or none.
func (s *Server) Modify(name string, mods ...Mod) error {
	return s.edit(update{op: OpModify, name: name, mods: mods})
}

// Delete removes an entry that has none below it.
func (s *Server) Delete(name string) error { return s.edit(update{op: OpDelete, name: name}) }

// Rename gives an entry, and all below it, a new name; the values of the old RDN go.
func (s *Server) Rename(name, to string) error {
	parsed, err := parseDN(to)
	if err != nil || len(parsed) == 0 {
		return refuse(InvalidDN, "invalid DN")
	}
	above := parsed.parent().String()
	return s.edit(update{op: OpModifyDN, name: name, move: move{parsed[0].String(), true, &above}})
}

// Apply does the change records of an LDIF text, one after the other, and stops at the first that is refused.
func (s *Server) Apply(text string) error {
	records, err := parseLDIF(text)
	if err != nil {
		return fmt.Errorf("read LDIF: %w", err)
	}
	for _, r := range records {
		u, err := r.asUpdate()
		if err == nil {
			err = s.edit(u)
		}
		if err != nil {
			return fmt.Errorf("line %d: %s: %w", r.line, r.name, err)
		}
	}
	return nil
}

func (s *Server) edit(u update) error {
	_, refused := s.db.lockedWrite(s.db.owner(), u, guard{})
	return refused.orNil()
}

// Entry returns an entry's attributes, operational ones included, by the schema's names; false when there is none.
func (s *Server) Entry(name string) (map[string][]string, bool) {
	d := s.db
	d.mu.Lock()
	defer d.mu.Unlock()
	e, refused := d.locate(d.main, name)
	if refused != nil {
		return nil, false
	}
	out := map[string][]string{}
	for _, a := range slices.Concat(e.attrs, d.computed(d.main, e)) {
		out[a.String()] = texts(a.values)
	}
	return out, true
}

// SetRights replaces the rights, from the next entry on, also for listings under way.
func (s *Server) SetRights(list []Right) error {
	rights, refused := s.db.schema.rights(list)
	if refused != nil {
		return refused
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.rights = rights
	return nil
}

// Lag makes searches, compares and binds see the tree as it is now, whatever is written: a replica that lags behind.
// Lag(false) lets it catch up.
func (s *Server) Lag(on bool) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.replica = nil
	if on {
		s.db.replica = s.db.main.copy()
	}
}

// Writes returns what was written since the start, in order; passwords are masked.
func (s *Server) Writes() []Write { return s.db.lockedWrites() }

// Log returns Writes as one LDIF text.
func (s *Server) Log() string {
	var b strings.Builder
	for _, w := range s.Writes() {
		by := w.By
		if by == "" {
			by = "the program"
		}
		fmt.Fprintf(&b, "# %s by %s\n%s\n", w.CSN, by, w.LDIF)
	}
	return b.String()
}
