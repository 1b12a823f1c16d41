package ldap

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// maxLookups bounds the searches for members that the listing of people did not show.
const maxLookups = 10_000

// lookupsAtOnce is how many of them are on the wire together.
const lookupsAtOnce = 8

// memberAttributes returns the attributes that name members.
func (c *Config) memberAttributes() []string {
	if c.Groups.Member != "" {
		return []string{c.Groups.Member}
	}
	return []string{"member", "uniqueMember", "memberUid"}
}

// memberLogins tells whether members may be named by login, so that logins have to be remembered while listing.
func (c *Config) memberLogins() bool {
	if c.Groups.Filter == "" {
		return false
	}
	filter := strings.ToLower(c.Groups.Filter)
	return strings.EqualFold(c.Groups.Member, memberUID) ||
		c.Groups.Member == "" && (strings.Contains(filter, "posix") || !strings.Contains(filter, "objectclass="))
}

const memberUID = "memberUid"

// memberReader turns groups into Members. A group whose members are all known goes on at once; one that names somebody
// whom the listing of people did not show waits until the page has ended, then he is looked up by name.
type memberReader struct {
	l       *listing
	base    string            // canonical DN of the people's base
	found   map[string]string // canonical DN → id of a person in scope, "" for nobody of ours
	lookups int
	waiting []waitingGroup
}

type waitingGroup struct {
	change  idbridge.Members
	dn      string
	version string
	unknown []string // DNs
	rest    []ranged // attributes of which only a part has been shown
}

// groups lists the groups. One that cannot be listed whole makes the listing incomplete: members are never derived from
// half a group.
func (l *listing) groups(ctx context.Context) error {
	cfg := &l.s.d.cfg
	if cfg.Groups.Filter == "" {
		return nil
	}
	m := &memberReader{l: l, base: canonicalDN(cfg.Users.Base), found: map[string]string{}}
	l.members = m
	r := request{
		base: cfg.Groups.Base, scope: ldap.ScopeWholeSubtree, filter: cfg.Groups.Filter,
		attributes: append([]string{cfg.IDAttribute, l.s.server.version}, cfg.memberAttributes()...),
	}
	return l.pages(ctx, "groups", r, func(e *entry) error { return m.group(ctx, e) }, func() error { return m.settle(ctx) })
}

// group takes one entry.
func (m *memberReader) group(ctx context.Context, e *entry) error {
	cfg := &m.l.s.d.cfg
	m.l.proof.Groups++
	w := waitingGroup{dn: e.dn, change: idbridge.Members{
		Group: idbridge.ExternalID{Directory: cfg.Name}, Name: strings.ToValidUTF8(e.dn, "\uFFFD"), Whole: idbridge.Support{OK: true},
	}}
	var ids []string
	for _, a := range e.attributes {
		name, options, _ := strings.Cut(a.name, ";")
		switch {
		case strings.EqualFold(name, cfg.IDAttribute):
			ids = e.of(a)
		case strings.EqualFold(name, m.l.s.server.version):
			w.version = strings.Clone(first(e.of(a)))
		default:
			m.take(&w, name, e.of(a))
			if _, next, is := parseRange(options); is && next > 0 {
				w.rest = append(w.rest, ranged{name, next})
			}
		}
	}
	id, err := m.l.reader.ids.text(ids)
	if err != nil {
		m.l.proof.Unusable++
		return m.l.emit(ctx, idbridge.Unusable{ID: w.change.Group, Locator: w.change.Name, Why: fmt.Errorf("the group: %w", err)}, false)
	}
	w.change.Group.ID = id
	if len(w.unknown)+len(w.rest) > 0 {
		m.waiting = append(m.waiting, w)
		return nil
	}
	return m.l.emit(ctx, w.change, false)
}

// take adds the values of one member attribute.
func (m *memberReader) take(w *waitingGroup, attribute string, values []string) {
	if strings.EqualFold(attribute, memberUID) {
		m.byLogin(w, values)
	} else {
		m.byName(w, values)
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

func (m *memberReader) byLogin(w *waitingGroup, logins []string) {
	for _, login := range logins {
		if id, ok := m.l.index.idOfLogin(login); ok {
			w.add(m.l.s.d.cfg.Name, id)
		} else {
			w.change.Unresolved++
		}
	}
}

func (m *memberReader) byName(w *waitingGroup, names []string) {
	if w.change.Members == nil {
		w.change.Members = make([]idbridge.ExternalID, 0, len(names))
	}
	for _, dn := range names {
		dn = withoutBits(dn)
		if id, ok := m.l.index.id(dn); ok {
			w.add(m.l.s.d.cfg.Name, id)
		} else if dn != "" {
			w.unknown = append(w.unknown, dn)
		}
	}
}

func (w *waitingGroup) add(directory, id string) {
	w.change.Members = append(w.change.Members, idbridge.ExternalID{Directory: directory, ID: id})
}

// withoutBits removes the unique identifier that a uniqueMember may end in: cn=a,dc=b#'0101'B.
func withoutBits(dn string) string {
	if i := strings.LastIndexByte(dn, '#'); i > 0 && strings.HasSuffix(dn, "'B") && strings.HasPrefix(dn[i:], "#'") {
		return dn[:i]
	}
	return dn
}

// complete reads the ranges of the waiting groups that are still to come, and lets those groups go on that then wait for
// nothing else. A group of which one range cannot be read is not known at all: the members who were shown say nothing
// about those who were not.
func (m *memberReader) complete(ctx context.Context) error {
	waiting := m.waiting
	m.waiting = m.waiting[:0]
	for i := range waiting {
		w := waiting[i]
		for _, r := range w.rest {
			err := m.l.s.rest(ctx, w.dn, w.version, r, func(values []string) { m.take(&w, r.attribute, values) })
			if ctx.Err() != nil {
				return context.Cause(ctx) //nolint:wrapcheck // the caller's own reason
			}
			if err != nil {
				w.change.Whole, w.unknown = idbridge.Support{Reason: "its members come in parts, and one could not be read: " + err.Error()}, nil
				break
			}
		}
		if len(w.rest) == 0 || len(w.unknown) > 0 {
			m.waiting = append(m.waiting, w)
			continue
		}
		if err := m.l.emit(ctx, w.change, false); err != nil {
			return err
		}
	}
	return nil
}

// settle reads what is still missing of the waiting groups, looks up the members that are still unknown, and lets the
// groups go on. A member outside the people's
// base, or not of their filter, is nobody of ours; one that cannot be looked up makes the group's members unknown.
func (m *memberReader) settle(ctx context.Context) error {
	if err := m.complete(ctx); err != nil {
		return err
	}
	err := m.lookUp(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx) //nolint:wrapcheck // the caller's own reason
	}
	for i := range m.waiting {
		w := &m.waiting[i]
		for _, dn := range w.unknown {
			id, known := m.found[canonicalDN(dn)]
			switch {
			case known && id != "":
				w.add(m.l.s.d.cfg.Name, id)
			case known:
				w.change.Unresolved++
			case !known && err != nil:
				w.change.Whole = idbridge.Support{Reason: "a member could not be looked up: " + err.Error()}
			case !known:
				w.change.Whole = idbridge.Support{Reason: fmt.Sprintf(
					"more than %d members of groups are not among the people; narrow groups.filter, or widen users.filter", maxLookups)}
			}
		}
		if err := m.l.emit(ctx, w.change, false); err != nil {
			return err
		}
	}
	m.waiting = m.waiting[:0]
	return nil
}

// lookUp finds out about every unknown member, several at once, over the session's shared connection.
func (m *memberReader) lookUp(ctx context.Context) error {
	todo := map[string]string{} // canonical DN → DN
	for i := range m.waiting {
		for _, dn := range m.waiting[i].unknown {
			c := canonicalDN(dn)
			if _, known := m.found[c]; known {
				continue
			}
			if !below(c, m.base) {
				m.found[c] = ""
			} else if _, there := todo[c]; !there && m.lookups < maxLookups {
				m.lookups++
				todo[c] = dn
			}
		}
	}
	if len(todo) == 0 {
		return nil
	}
	work := make(chan [2]string)
	var mu sync.Mutex
	var first error
	var wait sync.WaitGroup
	for range lookupsAtOnce {
		wait.Go(func() {
			for w := range work {
				id, err := m.l.s.personAt(ctx, w[1])
				mu.Lock()
				if err == nil {
					if m.l.shared[id] { // he shows another one's id, and must not be taken for him
						id = ""
					}
					m.found[w[0]] = id
				} else if first == nil {
					first = err
				}
				mu.Unlock()
			}
		})
	}
	for c, dn := range todo {
		work <- [2]string{c, dn}
	}
	close(work)
	wait.Wait()
	return first
}

// personAt returns the id of the person with this DN, "" when there is nobody or somebody out of scope.
func (s *Session) personAt(ctx context.Context, dn string) (string, error) {
	e, err := s.base(ctx, dn, s.d.cfg.Users.Filter, s.d.cfg.IDAttribute)
	if err != nil || e == nil {
		return "", err
	}
	id, err := s.d.cfg.idName().text(e.of(s.d.cfg.IDAttribute))
	if err != nil {
		return "", nil //nolint:nilerr // somebody who cannot be known is no member; the listing of people names him
	}
	return id, nil
}
