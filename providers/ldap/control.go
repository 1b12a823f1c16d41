package ldap

import (
	"fmt"

	"github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// control is a critical request control with a value. go-ldap's own type encodes TRUE as 0x01, which a server may take
// for "not critical" and then ignore; LDAP wants 0xFF. It also drops an empty value.
type control struct {
	oid   string
	value []byte
}

// GetControlType returns the control's oid.
func (c *control) GetControlType() string { return c.oid }

// String names the control in logs.
func (c *control) String() string { return c.oid }

// Encode returns the control as it goes on the wire.
func (c *control) Encode() *ber.Packet {
	p := ber.NewSequence("")
	p.AppendChild(octets(c.oid))
	p.AppendChild(ber.NewLDAPBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, true, ""))
	p.AppendChild(octets(string(c.value)))
	return p
}

// assertion makes the request fail with 122 unless the entry still matches the filter (RFC 4528).
func assertion(filter string) (ldap.Control, error) {
	p, err := ldap.CompileFilter(filter)
	if err != nil {
		return nil, fmt.Errorf("compile assertion: %w", err)
	}
	return &control{oidAssertion, p.Bytes()}, nil
}

// postRead asks for the entry as it is right after the write, in the write's own answer (RFC 4527).
func postRead(attributes []string) ldap.Control {
	list := ber.NewSequence("")
	for _, a := range attributes {
		list.AppendChild(octets(a))
	}
	return &control{oidPostRead, list.Bytes()}
}

// postEntry finds the entry in a write's answer. ok is false where there is none that can be read.
func postEntry(controls []ldap.Control, e *entry) bool {
	c, ok := ldap.FindControl(controls, oidPostRead).(*ldap.ControlString)
	if !ok {
		return false
	}
	s := c.ControlValue
	tag, from, to, ok := element(s, 0, len(s))
	if !ok || tag != tagEntry || to != len(s) {
		return false
	}
	return e.read(s, from, to) == nil
}
