package ldapsim

import "slices"

// Controls the server knows.
const (
	oidAssertion   = "1.3.6.1.1.12"
	oidPreRead     = "1.3.6.1.1.13.1"
	oidPostRead    = "1.3.6.1.1.13.2"
	oidManageDsaIT = "2.16.840.1.113730.3.4.2"
	oidDomainScope = "1.3.6.1.4.1.4203.1.10.1"
)

// critical refuses a request with a critical control that is none of the known ones.
func critical(controls []control, known ...string) *Result {
	for _, c := range controls {
		if c.critical && !slices.Contains(known, c.oid) {
			return refuse(CriticalUnavailable, "critical extension is not recognized")
		}
	}
	return nil
}

// guardOf reads the controls of a write, RFC 4528 and RFC 4527.
func (s *schema) guardOf(controls []control) (guard, *Result) {
	var g guard
	for _, c := range controls {
		r := &reader{b: c.value}
		switch c.oid {
		case oidAssertion:
			f, err := s.filter(r.next(), 0)
			if err != nil || r.err != nil {
				return g, refuse(ProtocolError, "assertion control: bad filter")
			}
			g.assert = f
		case oidPreRead, oidPostRead:
			names := []string{}
			for list := r.open(tagSequence); list.more(); {
				names = append(names, list.text(tagOctets))
			}
			if r.err != nil {
				return g, refuse(ProtocolError, "read control: malformed")
			}
			if c.oid == oidPreRead {
				g.pre = names
			} else {
				g.post = names
			}
		}
	}
	return g, critical(controls, oidAssertion, oidPreRead, oidPostRead, oidManageDsaIT)
}

// controls are what the reads of a write look like in its answer.
func (r reads) controls() []control {
	var out []control
	if r.pre != nil {
		out = append(out, control{oid: oidPreRead, value: r.pre})
	}
	if r.post != nil {
		out = append(out, control{oid: oidPostRead, value: r.post})
	}
	return out
}
