package ldapsim

import (
	"fmt"
	"strconv"
	"strings"
)

// SetRanges makes the server show at most n values of an attribute at once, in ranges, as Active Directory does
// (MS-ADTS 3.1.1.3.1.3.3): member without a value beside member;range=0-1499, and the last range ends in a star. The next
// one is asked for by name: member;range=1500-*. 0 shows all values at once, as it is at the start.
func (s *Server) SetRanges(n int) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.ranges = n
}

// rangeOf cuts the range from the name of an attribute that is asked for; from is -1 where there is none.
func rangeOf(name string) (plain string, from int) {
	plain, bounds, is := strings.Cut(name, ";range=")
	first, _, _ := strings.Cut(bounds, "-")
	n, err := strconv.Atoi(first)
	if !is || err != nil || n < 0 {
		return name, -1
	}
	return plain, n
}

// chunk is the part of an attribute's values that one answer shows, and the name it has there. more tells that the plain
// name stands beside it, without values.
func (d *database) chunk(a attribute, s selection) (name string, values []value, more bool) {
	from, asked := s.from[a.kind]
	if d.ranges <= 0 || !asked && len(a.values) <= d.ranges {
		return a.String(), a.values, false
	}
	from = min(from, len(a.values))
	to := min(from+d.ranges, len(a.values))
	end := "*"
	if to < len(a.values) {
		end = strconv.Itoa(to - 1)
	}
	return fmt.Sprintf("%s;range=%d-%s", a, from, end), a.values[from:to], !asked
}
