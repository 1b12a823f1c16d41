package ldap

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// Validate says what can be known to be wrong with a directory step without asking the server anything: our own rules
// and the schema that the server published when the session was opened. The entry is taken to be as the step's Before
// says, with the object classes that users.filter demands; whether another class of the entry allows an attribute is
// for Rehearse to see. Error: Refused, with the reason. It may be called at any time, also beside other calls.
func (s *Session) Validate(step idbridge.Step) error {
	h := s.d.remembered(step)
	h.classes, h.partly = demandedClasses(s.d.cfg.Users.Filter), true
	if err := s.check(h, step); err != nil {
		return fmt.Errorf("check a change of %s: %w", step.ID, err)
	}
	return nil
}

// Rehearse does everything that Apply does of a step, except for sending it: it reads the entry, compares it with what
// the step saw, and checks the change against the entry's own object classes. Errors are those of Apply before anything
// is sent: Conflicting, NotFound, Refused, Unavailable. It is safe for concurrent use.
func (s *Session) Rehearse(ctx context.Context, step idbridge.Step) error {
	h, err := s.held(ctx, step.ID)
	if err == nil {
		err = s.check(h, step)
	}
	if err != nil {
		return fmt.Errorf("rehearse a change of %s: %w", step.ID, err)
	}
	return nil
}

// check makes a step's request and throws it away.
func (s *Session) check(h *held, step idbridge.Step) error {
	if err := takes(step); err != nil {
		return err
	}
	todo, err := s.d.compare(h, step)
	if err != nil || len(todo) == 0 {
		return err
	}
	_, err = s.d.modifications(s.server.schema, h, todo)
	return err
}

// demandedClasses returns the object classes that an entry must have to match a filter: those that stand in it alone or
// in a conjunction.
func demandedClasses(filter string) []string {
	p, err := ldap.CompileFilter(bracketed(filter))
	if err != nil {
		return nil
	}
	return classesOf(p)
}

func classesOf(p *ber.Packet) []string {
	switch {
	case p.Tag == ldap.FilterAnd:
		var out []string
		for _, child := range p.Children {
			out = append(out, classesOf(child)...)
		}
		return out
	case p.Tag == ldap.FilterEqualityMatch && len(p.Children) == 2:
		name, _ := p.Children[0].Value.(string)
		class := p.Children[1].Data.String()
		if strings.EqualFold(name, "objectClass") && class != "" {
			return []string{class}
		}
	}
	return nil
}
