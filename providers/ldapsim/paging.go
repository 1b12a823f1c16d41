package ldapsim

import "fmt"

// bookmark is where the connection's paged search stands. There is one: a new paged search forgets the one before, and
// all dies with the connection.
type bookmark struct {
	cookie string
	at     uint64 // serial of the last entry sent
	sent   int    // over all pages, for the size limits
}

func pageOf(controls []control) (*page, *Result) {
	for _, c := range controls {
		if c.oid != oidPaging {
			continue
		}
		outer := &reader{b: c.value}
		in := outer.open(tagSequence)
		p := &page{size: in.int(tagInteger), cookie: in.text(tagOctets)}
		if in.err != nil || p.size < 0 {
			return nil, refuse(ProtocolError, "paged results control is malformed")
		}
		return p, nil
	}
	return nil, nil
}

// resume returns where a search begins: at the start, or where its cookie says.
func (c *conn) resume(q query) (at uint64, sent int, refused *Result) {
	if q.page == nil {
		return 0, 0, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	mark := c.mark
	c.mark = bookmark{}
	switch {
	case q.page.cookie == "":
		return 0, 0, nil
	case len(q.page.cookie) != 8:
		return 0, 0, refuse(ProtocolError, "paged results cookie is invalid")
	case q.page.cookie != mark.cookie:
		return 0, 0, refuse(Unwilling, "paged results cookie is invalid or old")
	}
	return mark.at, mark.sent, nil
}

// leave remembers where the next page begins; 0 says there is none.
func (c *conn) leave(at uint64, sent int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark = bookmark{}
	if at > 0 {
		c.pages++
		c.mark = bookmark{cookie: fmt.Sprintf("%08x", uint32(c.pages)), at: at, sent: sent} //nolint:gosec // pages of one connection
	}
}

// pageControl is the answer to a paging control.
func (c *conn) pageControl(q []control) []control {
	for _, one := range q {
		if one.oid == oidPaging {
			c.mu.Lock()
			defer c.mu.Unlock()
			return []control{{oid: oidPaging, value: pagingValue(c.mark.cookie)}}
		}
	}
	return nil
}
