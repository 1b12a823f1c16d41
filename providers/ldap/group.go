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
	unknown []string // DNs
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
		attributes: append([]string{cfg.IDAttribute}, cfg.memberAttributes()...),
	}
	return l.pages(ctx, "groups", r, func(e *entry) error { return m.group(ctx, e) }, func() error { return m.settle(ctx) })
}

// group takes one entry.
func (m *memberReader) group(ctx context.Context, e *entry) error {
	cfg := &m.l.s.d.cfg
	m.l.proof.Groups++
	w := waitingGroup{change: idbridge.Members{
		Group: idbridge.ExternalID{Directory: cfg.Name}, Name: strings.ToValidUTF8(e.dn, "\uFFFD"), Whole: idbridge.Support{OK: true},
	}}
	for _, a := range e.attributes {
		name, _, _ := strings.Cut(a.name, ";")
		switch values := e.of(a); {
		case strings.EqualFold(name, cfg.IDAttribute):
			if len(values) == 1 {
				w.change.Group.ID = canonicalID(values[0])
			}
		case strings.EqualFold(name, memberUID):
			m.byLogin(&w, values)
		default:
			m.byName(&w, values)
		}
	}
	if w.change.Group.ID == "" {
		m.l.proof.Unusable++
		return m.l.emit(ctx, idbridge.Unusable{
			ID: w.change.Group, Locator: w.change.Name, Why: fmt.Errorf("the group has no %s, by which it would be known", cfg.IDAttribute),
		}, false)
	}
	if len(w.unknown) > 0 {
		m.waiting = append(m.waiting, w)
		return nil
	}
	return m.l.emit(ctx, w.change, false)
}

func (m *memberReader) byLogin(w *waitingGroup, logins []string) {
	for _, login := range logins {
		if id, ok := m.l.index.idOfLogin(login); ok {
			w.add(m.l.s.d.cfg.Name, id)
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

// settle looks up the members that are still unknown, and lets the waiting groups go on. A member outside the people's
// base, or not of their filter, is nobody of ours; one that cannot be looked up makes the group's members unknown.
func (m *memberReader) settle(ctx context.Context) error {
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
	c, err := s.live(ctx)
	if err != nil {
		return "", err
	}
	e, err := c.base(ctx, dn, s.d.cfg.Users.Filter, s.d.cfg.IDAttribute)
	if err != nil || e == nil {
		return "", err
	}
	return canonicalID(e.first(s.d.cfg.IDAttribute)), nil
}
