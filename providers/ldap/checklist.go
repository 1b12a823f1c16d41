package ldap

import (
	"context"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// list makes a whole listing and reports what it shows.
func (k *checker) list(ctx context.Context, s *Session) {
	people, members := 0, 0
	var one *idbridge.Record
	var bad *idbridge.Unusable
	var end *idbridge.Checkpoint
	for c, err := range s.Scan(ctx, "") {
		if err != nil {
			k.fault("listing", err)
			return
		}
		switch c := c.(type) {
		case idbridge.Present:
			if people++; one == nil {
				one = &c.Record
			}
		case idbridge.Members:
			members += len(c.Members)
		case idbridge.Unusable:
			if bad == nil {
				bad = &c
			}
		case idbridge.Checkpoint:
			end = &c
		case idbridge.Gone:
		}
	}
	k.listed(end, people, members)
	if bad != nil {
		k.say("unusable", Warn, "correct the entry in the directory", "%d entries cannot be used; the first is %s: %v", end.Proof.Unusable, bad.Locator, bad.Why)
	}
	if one == nil {
		return
	}
	k.mapped(one)
	k.index(ctx, s, one)
	k.say("write", OK, "", "right to write: unknown until the first write")
}

func (k *checker) listed(end *idbridge.Checkpoint, people, members int) {
	p := &end.Proof
	took := p.Took.Round(time.Millisecond)
	switch {
	case !end.Complete:
		k.say("listing", Fail, fixOf(p), "incomplete: %s", p.Doubt)
	case p.Entries == 0:
		k.say("listing", Fail, "check users.base and users.filter, and that the bind DN may read the entries and objectClass",
			"the server says success and shows nobody below %s for %s", k.d.cfg.Users.Base, k.d.cfg.Users.Filter)
	default:
		k.say("listing", OK, "", "%d people in %d pages, complete, in %s", people, p.Pages, took)
	}
	if k.d.cfg.Groups.Filter == "" {
		k.say("groups", OK, "", "none are read")
	} else {
		k.say("groups", OK, "", "%d groups with %d memberships", p.Groups, members)
	}
	if p.CanaryPre && p.CanaryPost {
		k.say("canary", OK, "", "readable before and after")
	} else {
		k.say("canary", Fail, "set canary to the DN of an entry that the bind DN can read", "not readable, so no listing will count as complete")
	}
}

func fixOf(p *idbridge.Proof) string {
	if p.ResultCode == ldap.LDAPResultSizeLimitExceeded {
		return sizeLimitHint
	}
	return ""
}

// mapped shows one entry as the program sees it.
func (k *checker) mapped(r *idbridge.Record) {
	var shown, missing []string
	for _, a := range r.Profile.Attributes() {
		if v := r.Profile[a]; len(v) > 0 {
			shown = append(shown, string(a)+"="+v.String())
		} else {
			missing = append(missing, string(a))
		}
	}
	text := r.Locator + ": " + strings.Join(shown, ", ")
	if len(missing) > 0 {
		text += "; without " + strings.Join(missing, ", ")
	}
	k.say("entry", OK, "", "%s", text)
	k.say("id", OK, "", "%s %s", k.d.cfg.IDAttribute, r.ID.ID)
}

// index measures a search by id: without an index it grows with the directory.
func (k *checker) index(ctx context.Context, s *Session, r *idbridge.Record) {
	start := time.Now()
	got, err := s.Fetch(ctx, []idbridge.ExternalID{r.ID})
	took := time.Since(start).Round(100 * time.Microsecond)
	switch {
	case err != nil:
		k.fault("index", err)
	case len(got) != 1:
		k.say("index", Fail, "", "an entry that the listing showed is not found by its %s", k.d.cfg.IDAttribute)
	case took > 20*time.Millisecond:
		k.say("index", Warn, "on olcDatabase={1}mdb,cn=config: add: olcDbIndex, olcDbIndex: "+k.d.cfg.IDAttribute+" eq",
			"a search by %s takes %s; it has no index, or the server is far away", k.d.cfg.IDAttribute, took)
	default:
		k.say("index", OK, "", "a search by %s takes %s", k.d.cfg.IDAttribute, took)
	}
}
