package ldapsim

import "slices"

// superclasses returns the class and all it is derived from.
func (s *schema) superclasses(c *objectClass) []*objectClass {
	out := []*objectClass{c}
	for _, name := range c.sups {
		if sup := s.classes[fold(name)]; sup != nil {
			out = append(out, s.superclasses(sup)...)
		}
	}
	return out
}

// structural returns the one structural class that all others of the entry are above of.
func (s *schema) structural(classes []*objectClass) (*objectClass, *Result) {
	var best *objectClass
	for _, c := range classes {
		switch {
		case c.kind != "STRUCTURAL" || c == best:
		case best == nil || slices.Contains(s.superclasses(c), best):
			best = c
		case !slices.Contains(s.superclasses(best), c):
			return nil, refuse(ClassViolation, "invalid structural object class chain (%s/%s)", best.names[0], c.names[0])
		}
	}
	if best == nil {
		return nil, refuse(ClassViolation, "no structural object class provided")
	}
	return best, nil
}

// check holds an entry against the schema: one value where one is allowed, one structural class, the name's values among
// the attributes, what the classes require and nothing they do not allow. was is the structural class the entry had, "" for
// a new one; what it has now is returned.
func (s *schema) check(e *entry, was string) (*objectClass, *Result) {
	var classes []*objectClass
	for _, a := range e.attrs {
		if a.kind.single && len(a.values) > 1 {
			return nil, refuse(ConstraintViolation, "attribute '%s' cannot have multiple values", a)
		}
	}
	for _, name := range e.raw("objectClass") {
		classes = append(classes, s.classes[fold(name)])
	}
	if len(classes) == 0 {
		return nil, refuse(ClassViolation, "no objectClass attribute")
	}
	top, refused := s.structural(classes)
	if refused != nil {
		return nil, refused
	}
	if was != "" && was != top.names[0] {
		return nil, refuse(ClassModsProhibited, "structural object class modification from '%s' to '%s' not allowed", was, top.names[0])
	}
	if refused = s.checkName(e); refused != nil {
		return nil, refused
	}
	var all []*objectClass
	for _, c := range classes {
		all = append(all, s.superclasses(c)...)
	}
	return top, s.checkAllowed(e, all)
}

func (s *schema) checkName(e *entry) *Result {
	for _, a := range e.name[0] {
		d := description{kind: s.types[fold(a.kind)]}
		i := e.find(d)
		if i < 0 {
			return refuse(NamingViolation, "naming attribute '%s' is not present in entry", d)
		}
		if n, _ := s.normal(d.kind.equality, a.value); index(e.attrs[i].values, n) < 0 {
			return refuse(NamingViolation, "value of naming attribute '%s' is not present in entry", d)
		}
	}
	return nil
}

func (s *schema) checkAllowed(e *entry, classes []*objectClass) *Result {
	allowed := map[*attributeType]bool{}
	anything := false
	for _, c := range classes {
		anything = anything || c.names[0] == "extensibleObject"
		for _, name := range c.must {
			a := s.types[fold(name)]
			if !slices.ContainsFunc(e.attrs, func(have attribute) bool { return have.kind.is(a) }) {
				return refuse(ClassViolation, "object class '%s' requires attribute '%s'", c.names[0], name)
			}
			allowed[a] = true
		}
		for _, name := range c.may {
			allowed[s.types[fold(name)]] = true
		}
	}
	for _, a := range e.attrs {
		if !anything && !a.kind.operational && !allowed[a.kind] {
			return refuse(ClassViolation, "attribute '%s' not allowed", a)
		}
	}
	return nil
}
