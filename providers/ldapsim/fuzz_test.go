package ldapsim

import (
	"bufio"
	"bytes"
	"testing"
	"unicode/utf8"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// FuzzMessage feeds what a client may send: no panic, no more memory than the message is long, and what go-asn1-ber reads
// too is read the same.
func FuzzMessage(f *testing.F) {
	sch, err := loadSchema(schemaText)
	if err != nil {
		f.Fatal(err)
	}
	filter, err := ldap.CompileFilter("(&(cn=a*b*c)(|(sn>=x)(!(uid:dn:=y)))(mail=*))")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encode(1, func(w *builder) {
		w.begin(tagSearch)
		w.text(tagOctets, "dc=example")
		for range 2 {
			w.text(tagEnumerated, "\x02")
		}
		w.int(tagInteger, 70_000)
		w.int(tagInteger, -1)
		w.text(tagBoolean, "\x00")
		w.b = append(w.b, filter.Bytes()...)
		w.begin(tagSequence)
		w.end()
		w.end()
	}, []control{{oid: oidPaging, critical: true, value: pagingValue("x")}}))
	f.Add([]byte("\x30\x84\x7f\xff\xff\xff\x02\x01\x01"))
	f.Add(nested(1, 100))
	f.Add([]byte("\x30\x80\x02\x01\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		frame, err := readFrame(bufio.NewReader(bytes.NewReader(raw)), 1<<16)
		if err != nil {
			return
		}
		if len(frame) > len(raw) {
			t.Fatalf("frame of %d bytes out of %d", len(frame), len(raw))
		}
		m, err := parseMessage(frame)
		if err != nil {
			return
		}
		describe(m.op)
		if q, err := sch.query(m); err == nil && q.filter == nil {
			t.Fatal("a search without a filter")
		}
		_, _ = updateOf(m.op)
		_, _ = sch.guardOf(m.controls)
		_, _ = pageOf(m.controls)
		if p, err := ber.DecodePacketErr(frame); err == nil && len(p.Children) > 1 {
			if p.Children[0].Value != int64(m.id) || !bytes.Equal(p.Children[1].Data.Bytes(), m.op.body) && m.op.tag&0x20 == 0 {
				t.Fatalf("ours reads id %d and %x, go-asn1-ber %v and %x", m.id, m.op.body, p.Children[0].Value, p.Children[1].Data.Bytes())
			}
		}
	})
}

// FuzzDN holds the parser against go-ldap's, and a name against its own printed form.
func FuzzDN(f *testing.F) {
	for _, s := range []string{
		"", "cn=a,dc=b", `cn=\#a\, \"b\" \\ \3B\<c\>\=\20,dc=x`, "CN= a  b +uid=c , dc=d", "cn=#04026869", "1.2.3=x", "cn=ä\\c3\\a4", "cn=,dc=x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseDN(s)
		if err != nil {
			return
		}
		again, err := parseDN(d.String())
		if err != nil || again.String() != d.String() {
			t.Fatalf("%q is printed as %q, which reads as %q: %v", s, d, again, err)
		}
		theirs, err := ldap.ParseDN(d.String())
		if err != nil {
			return // go-ldap is stricter about types and hex
		}
		if len(theirs.RDNs) != len(d) {
			t.Fatalf("%q has %d RDNs, go-ldap says %d", s, len(d), len(theirs.RDNs))
		}
		for i, one := range theirs.RDNs {
			for j, a := range one.Attributes {
				// go-ldap makes U+FFFD of what is no text.
				if utf8.ValidString(d[i][j].value) && a.Value != d[i][j].value {
					t.Fatalf("%q: value %q, go-ldap says %q", s, d[i][j].value, a.Value)
				}
			}
		}
	})
}

// FuzzLDIF: whatever is read is written and read back the same.
func FuzzLDIF(f *testing.F) {
	f.Add(companyText[:600])
	f.Add("dn: dc=x\nchangetype: modify\nadd: a\na:: AAE=\n-\n\n# c\n d\ndn: y\nchangetype: delete\n")
	f.Fuzz(func(t *testing.T, text string) {
		records, err := parseLDIF(text)
		if err != nil {
			return
		}
		for _, r := range records {
			u, err := r.asUpdate()
			if err != nil {
				continue
			}
			once := changeRecord(r.name, u)
			again, err := parseLDIF(once)
			if err != nil || len(again) != 1 || again[0].name != r.name {
				t.Fatalf("%+v is written as %q: %v", u, once, err)
			}
			if u, err = again[0].asUpdate(); err != nil || changeRecord(r.name, u) != once {
				t.Fatalf("%q reads back as %q: %v", once, changeRecord(r.name, u), err)
			}
		}
	})
}
