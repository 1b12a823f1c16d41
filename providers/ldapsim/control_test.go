package ldapsim_test

import (
	"fmt"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// rawControl is a control with TRUE as 0xff, which go-ldap's own do not have.
type rawControl struct {
	oid      string
	critical bool
	value    string
}

func (c rawControl) GetControlType() string { return c.oid }
func (c rawControl) String() string         { return c.oid }

func (c rawControl) Encode() *ber.Packet {
	p := ber.NewSequence("")
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, c.oid, ""))
	if c.critical {
		p.AppendChild(ber.NewLDAPBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, true, ""))
	}
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, c.value, ""))
	return p
}

func readControl(oid string, attrs ...string) rawControl {
	list := ber.NewSequence("")
	for _, a := range attrs {
		list.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, a, ""))
	}
	return rawControl{oid, true, string(list.Bytes())}
}

// readBack changes a title and returns what pre- and post-read say.
func readBack(t *testing.T, c *ldap.Conn) string {
	t.Helper()
	m := ldap.NewModifyRequest(anna, []ldap.Control{
		readControl("1.3.6.1.1.13.1", "title", "sn"), readControl("1.3.6.1.1.13.2", "title", "entryDN"),
	})
	m.Replace("title", []string{"Read Back"})
	res, err := c.ModifyWithResult(m)
	if err != nil {
		t.Fatal(err)
	}
	out := ""
	for _, oid := range []string{"1.3.6.1.1.13.1", "1.3.6.1.1.13.2"} {
		back, ok := ldap.FindControl(res.Controls, oid).(*ldap.ControlString)
		if !ok {
			t.Fatalf("no control %s among %v", oid, res.Controls)
		}
		p, err := ber.DecodePacketErr([]byte(back.ControlValue))
		if err != nil || len(p.Children) != 2 || p.Tag != 4 || p.ClassType != ber.ClassApplication {
			t.Fatalf("%s: not a SearchResultEntry: %v", oid, err)
		}
		out += fmt.Sprintf("%s %v", oid, p.Children[0].Value)
		for _, a := range p.Children[1].Children {
			out += fmt.Sprintf(" %v", a.Children[0].Value)
			for _, v := range a.Children[1].Children {
				out += fmt.Sprintf(" %q", v.Value)
			}
		}
		out += "\n"
	}
	return out
}
