package ldap

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

const (
	changesBatch = 256 // handed to the caller's loop at once
	membersHeavy = 32  // members weigh as much as one change
	changesAhead = 4   // batches
)

// listing is one Scan at work. Its goroutine reads; the caller's loop takes batches from out.
type listing struct {
	s       *Session
	conn    *conn
	out     chan []idbridge.Change
	err     error // valid once out is closed
	batch   []idbridge.Change
	weight  int // of batch: groups with thousands of members must not pile up
	reader  *reader
	index   *index
	shared  map[string]bool // ids that several entries have
	members *memberReader
	proof   idbridge.Proof
	doubts  []string
}

func newListing(s *Session) *listing {
	l := &listing{
		s: s, out: make(chan []idbridge.Change, changesAhead), reader: s.d.reader(s.server.version),
		index: newIndex(s.d.cfg.memberLogins()), shared: map[string]bool{},
	}
	l.proof = idbridge.Proof{Feed: feedListing, Server: s.server.identity, LastPage: true} // until a search ends early
	return l
}

// run is the listing from its first word to its checkpoint. A returned error means that the connection broke, the caller
// gave up, or the settings are wrong; everything else ends in a checkpoint that says how far it can be trusted.
func (l *listing) run(ctx context.Context) error {
	start := time.Now()
	var err error
	if l.conn, err = l.s.d.connect(ctx, l.s.at); err != nil {
		return fmt.Errorf("list %q: %w", l.s.d.cfg.Name, err)
	}
	defer l.conn.close()
	if err := l.all(ctx); err != nil {
		return fmt.Errorf("list %q: %w", l.s.d.cfg.Name, err)
	}
	l.proof.Took = time.Since(start)
	l.proof.Doubt = strings.Join(l.doubts, "; ")
	return l.emit(ctx, idbridge.Checkpoint{Cursor: l.s.cursor(), Complete: len(l.doubts) == 0, Proof: l.proof}, true)
}

// all reads canary, people, groups, canary.
func (l *listing) all(ctx context.Context) error {
	dn, shown, err := l.canary(ctx, "")
	if err != nil {
		return err
	}
	l.proof.CanaryPre, l.proof.Canary = dn != "", shown
	if !intrinsic(l.s.d.cfg.IDAttribute) {
		if err := l.findShared(ctx); err != nil {
			return err
		}
	}
	if err := l.people(ctx); err != nil {
		return err
	}
	if err := l.groups(ctx); err != nil {
		return err
	}
	after, _, err := l.canary(ctx, dn)
	if err != nil {
		return err
	}
	l.proof.CanaryPost = after != ""
	if !l.proof.CanaryPre || !l.proof.CanaryPost {
		l.doubt("the canary entry %q could not be read; did we lose the right to read?", l.s.d.cfg.canary(dn))
	}
	return nil
}

func (l *listing) doubt(format string, args ...any) {
	l.doubts = append(l.doubts, fmt.Sprintf(format, args...))
}

// canary reads an entry that must be readable. Without one in the config it is our own, else the base. It returns the DN
// of the entry read, "" for none, and the mapped attributes it shows.
func (l *listing) canary(ctx context.Context, dn string) (string, []idbridge.Attribute, error) {
	candidates := []string{dn}
	if dn == "" {
		candidates = []string{l.s.d.cfg.Canary}
		if l.s.d.cfg.Canary == "" {
			candidates = []string{l.s.d.cfg.Bind.DN, l.s.d.cfg.BaseDN}
		}
	}
	for _, c := range candidates {
		if c == "" {
			continue
		}
		e, err := l.conn.base(ctx, c, "(objectClass=*)", l.reader.asked("objectClass")...)
		if err != nil && (ctx.Err() != nil || !l.conn.tap.alive()) {
			return "", nil, err
		}
		if err != nil || e == nil {
			continue
		}
		var shown []idbridge.Attribute
		for _, a := range l.s.d.m.Attributes() {
			if from, _ := l.s.d.m.From(a); len(e.of(from)) > 0 {
				shown = append(shown, a)
			}
		}
		return c, shown, nil
	}
	return "", nil, nil
}

// canary names the entry that was meant, for people.
func (c *Config) canary(dn string) string {
	for _, s := range []string{dn, c.Canary, c.Bind.DN} {
		if s != "" {
			return s
		}
	}
	return c.BaseDN
}

// people lists the users.
func (l *listing) people(ctx context.Context) error {
	r := request{base: l.s.d.cfg.Users.Base, scope: ldap.ScopeWholeSubtree, filter: l.s.d.cfg.Users.Filter, attributes: l.reader.asked()}
	return l.pages(ctx, "people", r, func(e *entry) error { return l.person(ctx, e) }, nil)
}

// person turns one entry into a change.
func (l *listing) person(ctx context.Context, e *entry) error {
	l.proof.Entries++
	rec, err := l.reader.record(e)
	if rec.ID.ID != "" && l.shared[rec.ID.ID] {
		err = fmt.Errorf("other entries have the same %s; an id must be one entry's own", l.s.d.cfg.IDAttribute)
		rec.ID.ID = ""
	}
	if rec.ID.ID == "" {
		l.proof.Unusable++
		return l.emit(ctx, idbridge.Unusable{ID: rec.ID, Locator: rec.Locator, Why: err}, false)
	}
	if !l.index.add(rec.ID.ID, e.dn, rec.Profile[idbridge.UserName].First()) {
		return nil // renamed while we listed, so it came twice: its new name is known now, and one record is enough
	}
	if err != nil {
		l.proof.Unusable++
		return l.emit(ctx, idbridge.Unusable{ID: rec.ID, Locator: rec.Locator, Why: err}, false)
	}
	return l.emit(ctx, idbridge.Present{Record: rec}, false)
}

// findShared lists the ids alone, where the id attribute is not one that servers keep unique, so that two people with
// one id are never taken for one.
func (l *listing) findShared(ctx context.Context) error {
	seen := newIndex(false)
	before := l.proof
	r := request{
		base: l.s.d.cfg.Users.Base, scope: ldap.ScopeWholeSubtree, filter: l.s.d.cfg.Users.Filter,
		attributes: []string{l.s.d.cfg.IDAttribute},
	}
	err := l.pages(ctx, "ids", r, func(e *entry) error {
		for _, v := range e.values {
			if id := canonicalID(v); v != "" && !seen.add(id, e.dn, "") {
				l.shared[strings.Clone(id)] = true
			}
		}
		return nil
	}, nil)
	l.proof = before // the listing proper counts
	return err
}

// emit queues a change; last hands everything on.
func (l *listing) emit(ctx context.Context, c idbridge.Change, last bool) error {
	if l.batch == nil {
		l.batch = make([]idbridge.Change, 0, changesBatch)
	}
	l.batch = append(l.batch, c)
	l.weight++
	if m, ok := c.(idbridge.Members); ok {
		l.weight += len(m.Members) / membersHeavy
	}
	if l.weight < changesBatch && !last {
		return nil
	}
	select {
	case l.out <- l.batch:
		l.batch, l.weight = nil, 0
		return nil
	case <-ctx.Done():
		return context.Cause(ctx) //nolint:wrapcheck // the caller's own reason
	}
}

// pages makes one search, page by page. each gets every entry; paused is called between two pages, when the connection
// is free. A verdict of the server other than success becomes a doubt, or an error where nothing came at all and trying
// again would not help.
func (l *listing) pages(ctx context.Context, what string, r request, each func(*entry) error, paused func() error) error {
	paged := l.s.server.has(oidPaging)
	control := ldap.NewControlPaging(uint32(l.s.d.cfg.PageSize)) //nolint:gosec // at most maxPage
	if paged {
		r.controls = append(r.controls, control)
	}
	l.s.d.logSearch(ctx, r)
	came := 0
	for {
		end, err := l.conn.entries(ctx, r, func(e *entry) error { came++; return each(e) })
		if err != nil {
			return err
		}
		if n := l.s.server.elsewhere(r.base, end.references); n > 0 {
			l.refer(n)
		}
		l.proof.Pages++
		if paused != nil {
			if err := paused(); err != nil {
				return err
			}
		}
		if end.code != ldap.LDAPResultSuccess {
			l.proof.LastPage = false
			return l.verdict(what, r, end, came)
		}
		answer, ok := ldap.FindControl(end.controls, oidPaging).(*ldap.ControlPaging)
		switch {
		case !paged, ok && len(answer.Cookie) == 0:
			return nil
		case !ok:
			l.proof.LastPage = false
			l.doubt("the server broke the paging off while listing %s: there may be more than the %d entries it sent", what, came)
			return nil
		}
		control.SetCookie(answer.Cookie)
	}
}

// verdict turns a result code into a doubt or an error.
func (l *listing) verdict(what string, r request, end result, came int) error {
	l.proof.ResultCode = end.code
	err := end.err(fmt.Sprintf("list %s below %q", what, r.base))
	if came == 0 && idbridge.KindOf(err) != idbridge.Incomplete {
		return err
	}
	text := end.name()
	if end.text != "" {
		text += ": " + end.text
	}
	l.doubt("listing %s ended after %d entries with %s", what, came, text)
	if hint := idbridge.HintOf(err); hint != "" {
		l.doubts[len(l.doubts)-1] += " (" + hint + ")"
	}
	return nil
}

// refer notes that a part of the tree is on another server. It is not followed: credentials go to nobody but the server
// in the config.
func (l *listing) refer(n int) {
	if l.proof.References == 0 {
		l.doubt("the server refers to another server for a part of the tree, which is not listed")
	}
	l.proof.References += n
}
