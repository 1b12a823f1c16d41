package ldapsim

// Op is one kind of request, for faults and counters.
type Op string

// The operations. StartTLS, WhoAmI and password modify are the extended ones that the server knows.
const (
	OpAny            Op = ""
	OpBind           Op = "bind"
	OpUnbind         Op = "unbind"
	OpSearch         Op = "search"
	OpAdd            Op = "add"
	OpModify         Op = "modify"
	OpDelete         Op = "delete"
	OpModifyDN       Op = "modifyDN"
	OpCompare        Op = "compare"
	OpAbandon        Op = "abandon"
	OpStartTLS       Op = "startTLS"
	OpWhoAmI         Op = "whoAmI"
	OpPasswordModify Op = "passwordModify"
	OpExtended       Op = "extended" // any other
)

// Extended operations.
const (
	oidStartTLS       = "1.3.6.1.4.1.1466.20037"
	oidWhoAmI         = "1.3.6.1.4.1.4203.1.11.3"
	oidPasswordModify = "1.3.6.1.4.1.4203.1.11.1"
	oidNotice         = "1.3.6.1.4.1.1466.20036"
)

// call is what is known about a request before it is decoded whole: what faults and counters go by.
type call struct {
	op     Op
	target string // DN: the entry, the base, or who signs in
	filter string // of a search, as RFC 4515 writes it
	answer byte   // tag of the message that ends it; 0 for none
}

// describe reads as much of a request as a fault may ask for. What it cannot read it leaves empty.
func describe(op node) call {
	r := &reader{b: op.body}
	switch op.tag {
	case tagBind:
		r.next()
		return call{op: OpBind, target: r.text(tagOctets), answer: tagBindResponse}
	case tagUnbind:
		return call{op: OpUnbind}
	case tagSearch:
		c := call{op: OpSearch, target: r.text(tagOctets), answer: tagDone}
		for range 5 {
			r.next()
		}
		c.filter = filterText(r.next(), 0)
		return c
	case tagModify:
		return call{op: OpModify, target: r.text(tagOctets), answer: tagModifyResponse}
	case tagAdd:
		return call{op: OpAdd, target: r.text(tagOctets), answer: tagAddResponse}
	case tagDelete:
		return call{op: OpDelete, target: string(op.body), answer: tagDelResponse}
	case tagModifyDN:
		return call{op: OpModifyDN, target: r.text(tagOctets), answer: tagModDNResponse}
	case tagCompare:
		return call{op: OpCompare, target: r.text(tagOctets), answer: tagCmpResponse}
	case tagAbandon:
		return call{op: OpAbandon}
	}
	c := call{op: OpExtended, answer: tagExtResponse}
	switch r.text(0x80) {
	case oidStartTLS:
		c.op = OpStartTLS
	case oidWhoAmI:
		c.op = OpWhoAmI
	case oidPasswordModify:
		c.op = OpPasswordModify
	}
	return c
}
