package ldap

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Active Directory shows at most 1,500 values of an attribute at once (MaxValRange), under the name member;range=0-1499,
// and the plain member without any. The rest has to be asked for, range by range, until one ends in a star (MS-ADTS
// section 3.1.1.3.1.3.3).

// maxRanges bounds the questions for one attribute of one entry: 150 million values at Active Directory's default.
const maxRanges = 100_000

// ranged is an attribute of which only a part was shown.
type ranged struct {
	attribute string // without options
	next      int    // the first value that has not been shown
}

// parseRange reads the options of an attribute: ok when there is a range among them, next is where the following one
// begins, 0 when this was the last.
func parseRange(options string) (first, next int, ok bool) {
	for o := range strings.SplitSeq(options, ";") {
		bounds, is := strings.CutPrefix(strings.ToLower(o), "range=")
		if !is {
			continue
		}
		from, to, _ := strings.Cut(bounds, "-")
		first, err := strconv.Atoi(from)
		if err != nil || first < 0 {
			return 0, 0, false
		}
		if to == "*" {
			return first, 0, true
		}
		last, err := strconv.Atoi(to)
		if err != nil || last < first {
			return 0, 0, false
		}
		return first, last + 1, true
	}
	return 0, 0, false
}

// rest reads the ranges of an attribute that are still to come, each handed to take. The entry must not change
// meanwhile: values that move from one range into another would be lost. version is what it showed with the first range.
// Every error means that the values are not known as a whole.
func (s *Session) rest(ctx context.Context, dn, version string, r ranged, take func([]string)) error {
	for range maxRanges {
		p, err := s.base(ctx, dn, "(objectClass=*)", fmt.Sprintf("%s;range=%d-*", r.attribute, r.next), s.server.version)
		switch {
		case err != nil:
			return err
		case p == nil:
			return errors.New("the entry was not there any more")
		case p.first(s.server.version) != version:
			return errors.New("the entry changed while it was read in parts")
		}
		values, next, ok := p.rangeFrom(r)
		if !ok || len(values) == 0 && next != 0 {
			return fmt.Errorf("the server does not show %s from value %d on", r.attribute, r.next)
		}
		take(values)
		if next == 0 {
			return nil
		}
		r.next = next
	}
	return fmt.Errorf("more than %d ranges of %s", maxRanges, r.attribute)
}

// rangeFrom finds the range that was asked for.
func (p *plain) rangeFrom(r ranged) (values []string, next int, ok bool) {
	for name, v := range p.values {
		attribute, options, _ := strings.Cut(name, ";")
		if !strings.EqualFold(attribute, r.attribute) {
			continue
		}
		if first, next, is := parseRange(options); is && first == r.next {
			return v, next, true
		}
	}
	return nil, 0, false
}
