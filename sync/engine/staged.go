package engine

import (
	"github.com/idbridge/idbridge"
)

// staged is what a listing showed of one record that must be decided. It waits in the spool for the checkpoint, because
// only then it is known whether an absent attribute is empty or could not be read.
type staged struct {
	Record   idbridge.Record // with ID; the rest is empty when Unusable or Gone says something
	Digest   idbridge.Digest
	Unusable string
	Gone     idbridge.GoneWhy
}

func appendStaged(b []byte, s *staged) []byte {
	w := writer{b}
	w.id(s.Record.ID)
	w.text(s.Record.Locator)
	w.profile(s.Record.Profile)
	w.length(len(s.Record.Unknown) + 1)
	for _, a := range s.Record.Unknown {
		w.text(string(a))
	}
	w.text(s.Record.Version)
	w.int(s.Record.Order)
	w.raw(s.Digest[:])
	w.text(s.Unusable)
	w.byte(byte(s.Gone))
	return w.b
}

// readStaged is the inverse of appendStaged, but that an empty list of unknown attributes comes back as nil.
func readStaged(r *reader) (s staged, err error) {
	s.Record.ID = r.id()
	s.Record.Locator = r.text()
	s.Record.Profile = r.profile()
	s.Record.Unknown = list(r, func(r *reader) idbridge.Attribute { return idbridge.Attribute(r.name()) })
	s.Record.Version = r.text()
	s.Record.Order = r.int()
	s.Digest = r.digest()
	s.Unusable = r.text()
	s.Gone = idbridge.GoneWhy(r.byte())
	return s, r.end()
}
