package ldap

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
)

// decoded is an entry as both decoders can show it.
type decoded struct {
	DN         string
	Attributes []decodedAttribute
}

type decodedAttribute struct {
	Name   string
	Values []string
}

// walked reads one SearchResultEntry (its content, without tag) by our walk.
func walked(content []byte) (decoded, error) {
	msg := wrap(tagSequence, append(wrap(tagInteger, []byte{1}), wrap(tagEntry, content)...))
	tag, from, to, err := operation(string(msg))
	if err != nil || tag != tagEntry {
		return decoded{}, errMalformed
	}
	var e entry
	if err := e.read(string(msg), from, to); err != nil {
		return decoded{}, err
	}
	d := decoded{DN: e.dn}
	for _, a := range e.attributes {
		d.Attributes = append(d.Attributes, decodedAttribute{a.name, append([]string{}, e.of(a)...)})
	}
	return d, nil
}

// wrap puts a header before content.
func wrap(tag byte, content []byte) []byte {
	n := len(content)
	out := []byte{tag}
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	case n < 0x10000:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, content...)
}

// again encodes an entry as servers do.
func (d decoded) again() []byte {
	var list []byte
	for _, a := range d.Attributes {
		var set []byte
		for _, v := range a.Values {
			set = append(set, wrap(tagOctets, []byte(v))...)
		}
		list = append(list, wrap(tagSequence, append(wrap(tagOctets, []byte(a.Name)), wrap(tagSet, set)...))...)
	}
	return append(wrap(tagOctets, []byte(d.DN)), wrap(tagSequence, list)...)
}

// oracle reads the same entry by go-ldap: a whole search over a pipe.
func oracle(t *testing.T, content []byte) (decoded, bool) {
	t.Helper()
	limitDecoder()
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		ask := make([]byte, 1024)
		if _, err := server.Read(ask); err != nil {
			return
		}
		entry := wrap(tagSequence, append(wrap(tagInteger, []byte{1}), wrap(tagEntry, content)...))
		done := wrap(tagSequence, append(wrap(tagInteger, []byte{1}), wrap(tagDone, []byte{0x0a, 1, 0, 4, 0, 4, 0})...))
		_, _ = server.Write(append(entry, done...))
	}()
	c := ldap.NewConn(client, true)
	c.SetTimeout(2 * time.Second)
	c.Start()
	defer c.Close()
	res, err := c.Search(ldap.NewSearchRequest("", 0, 0, 0, 0, false, "(a=*)", nil, nil))
	if err != nil || len(res.Entries) != 1 {
		return decoded{}, false
	}
	d := decoded{DN: res.Entries[0].DN}
	for _, a := range res.Entries[0].Attributes {
		d.Attributes = append(d.Attributes, decodedAttribute{a.Name, append([]string{}, a.Values...)})
	}
	return d, true
}

// FuzzWalk holds our walk against go-ldap's decoder. What we read, go-ldap reads the same. What go-ldap reads and is
// encoded as LDAP wants it (definite, shortest lengths, the right tags), we read too.
func FuzzWalk(f *testing.F) {
	big := decoded{DN: "uid=a,dc=b", Attributes: []decodedAttribute{{"jpegPhoto", []string{string(bytes.Repeat([]byte{0xff, 0}, 40000))}}}}
	for _, d := range []decoded{
		{DN: ""}, {DN: "uid=a,dc=b"}, {DN: "uid=a", Attributes: []decodedAttribute{{"mail", []string{}}}},
		{DN: `cn=Müller\, "Jö" \<x\>,dc=b`, Attributes: []decodedAttribute{
			{"cn", []string{`Müller, "Jö" <x>`, "x"}}, {"cn;lang-de", []string{""}}, {"entryUUID", []string{"c70aba65-e5e0-11f1-9bfa-e61a03be5c28"}},
		}}, big,
	} {
		f.Add(d.again())
	}
	f.Add([]byte{0x04, 0x80, 0x00, 0x00, 0x30, 0x00})                                  // indefinite length
	f.Add([]byte{0x04, 0x84, 0x7f, 0xff, 0xff, 0xff})                                  // 2 GiB
	f.Add([]byte{0x04, 0x01, 'a', 0x30, 0x03, 0x30, 0x01, 0x04})                       // cut
	f.Add([]byte{0x04, 0x01, 'a', 0x30, 0x06, 0x30, 0x04, 0x04, 0x00, 0x31, 0x01})     // inner longer than outer
	f.Add([]byte{0x04, 0x01, 'a', 0x30, 0x00, 0x30, 0x00})                             // something behind
	f.Add([]byte{0x04, 0x81, 0x01, 'a', 0x30, 0x00})                                   // longer length than needed
	f.Add([]byte{0x0c, 0x01, 'a', 0x30, 0x00})                                         // a UTF8String as name
	f.Add(append([]byte{0x04, 0x00}, bytes.Repeat([]byte{0x30, 0x82, 0x01, 0}, 8)...)) // nested
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > 1<<20 {
			t.Skip()
		}
		ours, err := walked(content)
		theirs, ok := oracle(t, content)
		if err == nil && !ok {
			t.Fatalf("we read %+v, go-ldap nothing", ours)
		}
		if err == nil {
			if diff := cmp.Diff(theirs, ours); diff != "" {
				t.Fatalf("(-go-ldap +ours):\n%s", diff)
			}
		}
		if err != nil && ok && bytes.Equal(theirs.again(), content) {
			t.Fatalf("go-ldap reads %+v, we say %v", theirs, err)
		}
	})
}

// TestWalkAllocatesNothing holds the reason for the walk.
func TestWalkAllocatesNothing(t *testing.T) {
	msg := string(wrap(tagSequence, append(wrap(tagInteger, []byte{1}), wrap(tagEntry, decoded{DN: "uid=a,dc=b", Attributes: []decodedAttribute{
		{"uid", []string{"a"}}, {"mail", []string{"a@b", "c@d"}},
	}}.again())...)))
	var e entry
	if n := testing.AllocsPerRun(100, func() {
		_, from, to, err := operation(msg)
		if err != nil || e.read(msg, from, to) != nil {
			t.Fatal("not read")
		}
	}); n != 0 {
		t.Errorf("%v allocations an entry", n)
	}
}

// TestControlsAreCritical: go-ldap's own type would send 0x01, which servers take for not critical (and then ignore a
// false assertion). If that ever changes, our type can go.
func TestControlsAreCritical(t *testing.T) {
	a, err := assertion("(entryCSN=x)")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		control ldap.Control
		want    byte
	}{
		"assertion": {a, 0xff}, "post-read": {postRead([]string{"mail"}), 0xff},
		"go-ldap's": {ldap.NewControlString(oidAssertion, true, "x"), 0x01},
	} {
		p, err := ber.DecodePacketErr(c.control.Encode().Bytes())
		if err != nil || len(p.Children) != 3 {
			t.Fatalf("%s: %v", name, err)
		}
		if got := p.Children[1].Data.Bytes(); !bytes.Equal(got, []byte{c.want}) {
			t.Errorf("%s: criticality %x, want %x", name, got, c.want)
		}
	}
}
