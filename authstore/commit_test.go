package authstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

func TestCommitCreates(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		p := profile("userName", "Ann", "email", "ann@example.org", "email", "a@example.org", "active", "TRUE")
		p["photo"] = idbridge.Values{"\xff\x00\x01"}
		p["note"] = idbridge.Values{"quote \" backslash \\ line\nend \u2028 é"}
		p["phone"] = idbridge.Values{}
		d := creation("a1", p)
		out := b.commit(d)
		u := must(b.User(t.Context(), out[0].User))(t)
		want := p.Clone()
		delete(want, idbridge.Active)
		delete(want, "phone")
		if diff := cmp.Diff(want, u.Profile); diff != "" {
			t.Errorf("profile (-want +got):\n%s", diff)
		}
		if u.Kind != idbridge.Person || u.Revision != 1 || u.Suspended {
			t.Errorf("user %+v", u)
		}
		s := b.subject("a1", nil)
		if diff := cmp.Diff(p, s.Link.Base); diff != "" {
			t.Errorf("base keeps the empty set too (-want +got):\n%s", diff)
		}
		if l := s.Link; l.State != idbridge.LinkActive || l.Version != 1 || l.Digest != d.Seen.Digest || l.Locator != d.Seen.Locator || l.Seen != "1" {
			t.Errorf("link %+v", l)
		}
		if s.User.ID != u.ID || len(s.Others) != 0 {
			t.Errorf("subject %+v", s)
		}
		if byName := must(b.UserByName(t.Context(), "  ANN "))(t); byName.ID != u.ID {
			t.Errorf("by name: %d", byName.ID)
		}
	})
}

func TestCommitUpdatesAndRemoves(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		before := must(b.Revision(t.Context()))(t)
		d := b.about("id-ann", update(idbridge.Profile{"displayName": {"Ann A."}, "email": {}}))
		d.Base = idbridge.Profile{"displayName": {"Ann A."}, "email": {}}
		out := b.commit(d)
		if out[0].Stale || out[0].User != id {
			t.Fatalf("outcome %+v", out[0])
		}
		s := b.subject("id-ann", nil)
		if diff := cmp.Diff(profile("userName", "ann", "displayName", "Ann A."), s.User.Profile); diff != "" {
			t.Errorf("profile (-want +got):\n%s", diff)
		}
		if v, ok := s.Link.Base["email"]; !ok || len(v) != 0 {
			t.Errorf("base email is %v, %v: both sides agree on nothing", v, ok)
		}
		if s.User.Revision != 2 || s.Link.Version != 2 || s.Link.Digest != (idbridge.Digest{9}) {
			t.Errorf("revision %d, version %d, digest %v", s.User.Revision, s.Link.Version, s.Link.Digest)
		}
		if now := must(b.Revision(t.Context()))(t); now != before+1 {
			t.Errorf("revision went from %d to %d", before, now)
		}
		b.create("bob") // the freed e-mail can be taken
		again := b.about("id-bob", update(profile("email", "ann@example.org")))
		if out := b.commit(again); len(out[0].Withheld) != 0 {
			t.Errorf("freed value is withheld: %+v", out[0])
		}
	})
}

func TestCommitOfNothingChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.create("ann")
		s := b.subject("id-ann", nil)
		before := must(b.Digests(t.Context()))(t)
		d := b.about("id-ann", update(profile("displayName", "ann")))
		d.Base = profile("displayName", "ann")
		d.Seen.Digest = s.Link.Digest
		d.Steps = nil
		b.commit(d)
		if diff := cmp.Diff(before, must(b.Digests(t.Context()))(t)); diff != "" {
			t.Errorf("tables changed:\n%s", diff)
		}
	})
}

func TestCommitLeavesOutWhatIsStale(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.create("ann", "bob", "cid", "dan")
		edited := b.about("id-ann", update(profile("displayName", "from the directory")))
		must(b.EditUser(t.Context(), idbridge.UserEdit{User: edited.User, Set: profile("displayName", "from a person")}))(t)
		fine := b.about("id-bob", update(profile("displayName", "Bob")))
		moved := b.about("id-cid", update(profile("displayName", "late")))
		b.commit(b.about("id-cid", update(profile("displayName", "early"))))
		twice := b.about("id-dan", update(profile("displayName", "first")))
		second := b.about("id-dan", update(profile("displayName", "second")))
		create := creation("id-ann", profile("userName", "other"))
		var stale []bool
		for _, o := range b.commit(edited, fine, moved, twice, second, create) {
			stale = append(stale, o.Stale)
		}
		if diff := cmp.Diff([]bool{true, false, true, false, true, true}, stale); diff != "" {
			t.Errorf("stale (-want +got):\n%s", diff)
		}
		for login, want := range map[string]string{"ann": "from a person", "bob": "Bob", "cid": "early", "dan": "first"} {
			if got := must(b.UserByName(t.Context(), login))(t).Profile["displayName"].First(); got != want {
				t.Errorf("%s is %q, not %q", login, got, want)
			}
		}
	})
}

func TestCommitNeedsTheLead(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		old := b.lead
		epoch := must(b.Lead(t.Context(), time.Minute))(t)
		if epoch <= old.Epoch {
			t.Fatalf("epoch %d after %d", epoch, old.Epoch)
		}
		_, err := b.Commit(t.Context(), old, []idbridge.Decision{creation("x", profile("userName", "x"))})
		wantKind(t, err, idbridge.Locked)
		wantKind(t, b.Settle(t.Context(), old, []idbridge.Settlement{{Sent: 1, ID: corp("x")}}), idbridge.Locked)
		wantKind(t, b.AckOutbox(t.Context(), old, []int64{1}), idbridge.Locked)
		wantKind(t, b.EndRun(t.Context(), old, idbridge.Run{ID: old.Run}, nil), idbridge.Locked)
		wantKind(t, b.Renew(t.Context(), old.Epoch, time.Minute), idbridge.Locked)
		wantKind(t, b.Resign(t.Context(), old.Epoch), idbridge.Locked) // and the new term survives it
		b.lead.Epoch = epoch
		b.create("ann")
		if err := b.Resign(t.Context(), epoch); err != nil {
			t.Fatal(err)
		}
		for _, epoch := range []int64{epoch, 0} {
			nobody := b.lead
			nobody.Epoch = epoch
			_, err = b.Commit(t.Context(), nobody, []idbridge.Decision{creation("y", profile("userName", "y"))})
			wantKind(t, err, idbridge.Locked)
		}
		if _, err := b.UserByName(t.Context(), "x"); !errors.Is(err, idbridge.NotFound) {
			t.Errorf("a past leader made a user: %v", err)
		}
		b.lead.Epoch = must(b.Lead(t.Context(), time.Minute))(t)
		if b.lead.Epoch <= epoch {
			t.Errorf("epoch %d after %d", b.lead.Epoch, epoch)
		}
	})
}

func TestCommitWithholdsTakenValues(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ids := b.create("ann", "bob")
		d := b.about("id-bob", update(idbridge.Profile{"email": {"ANN@example.org", "new@example.org"}, "displayName": {"Bob"}}))
		d.Base = idbridge.Profile{"email": {"ANN@example.org", "new@example.org"}, "displayName": {"Bob"}}
		o := b.commit(d)[0]
		want := []idbridge.Withheld{{Attribute: "email", Value: "ann@example.org", Holder: ids[0], Why: "another user has it"}}
		if diff := cmp.Diff(want, o.Withheld); diff != "" || o.Stale {
			t.Fatalf("stale %v, withheld (-want +got):\n%s", o.Stale, diff)
		}
		s := b.subject("id-bob", nil)
		if diff := cmp.Diff(idbridge.Values{"new@example.org"}, s.User.Profile["email"]); diff != "" {
			t.Errorf("email:\n%s", diff)
		}
		if diff := cmp.Diff(idbridge.Values{"new@example.org"}, s.Link.Base["email"]); diff != "" {
			t.Errorf("base:\n%s", diff)
		}
		if !s.Link.Digest.IsZero() {
			t.Error("digest is not zero: the record would not be decided again")
		}
		if diff := cmp.Diff(want, s.Listed); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		only := b.about("id-bob", update(idbridge.Profile{"email": {"ann@example.org"}}))
		b.commit(only)
		if got := b.subject("id-bob", nil).User.Profile["email"].First(); got != "new@example.org" {
			t.Errorf("a value that cannot be had took the old one along: %q", got)
		}
		b.commit(b.about("id-bob"))
		if rows := must(b.Quarantine(t.Context(), "corp"))(t); len(rows) != 0 {
			t.Errorf("quarantine %+v", rows)
		}
	})
}

func TestCommitQuarantinesATakenLogin(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ann := b.create("ann")[0]
		out := b.commit(creation("second", profile("userName", "ANN", "email", "second@example.org")),
			creation("third", profile("userName", "third", "email", "second@example.org")),
			creation("fourth", profile("userName", "third", "email", "fourth@example.org")))
		if o := out[0]; o.User != 0 || o.Stale || len(o.Withheld) != 1 || o.Withheld[0].Holder != ann {
			t.Errorf("taken login: %+v", o)
		}
		if o := out[1]; o.User == 0 || len(o.Withheld) != 0 {
			t.Errorf("the e-mail of a user who was not made is not free: %+v", o)
		}
		if o := out[2]; o.User != 0 || len(o.Withheld) != 1 {
			t.Errorf("two of one login in a batch: %+v", o)
		}
		rows := must(b.Quarantine(t.Context(), "corp"))(t)
		if len(rows) != 2 || rows[0].Link != corp("fourth") || rows[1].Link != corp("second") || rows[1].Attribute != idbridge.UserName || rows[1].User != 0 {
			t.Errorf("quarantine %+v", rows)
		}
		if s := b.subject("second", nil); s.Link != nil || len(s.Listed) != 1 {
			t.Errorf("subject %+v", s)
		}
		if s := b.subject("third", nil); len(s.Listed) != 0 {
			t.Errorf("listed %+v", s.Listed)
		}
	})
}

// TestCommitSwaps lets two people swap their e-mails, and three pass theirs round, in one batch.
func TestCommitSwaps(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.create("ann", "bob", "cid", "dan")
		mail := func(login, to string) idbridge.Decision {
			return b.about("id-"+login, update(profile("email", to+"@example.org")))
		}
		for _, o := range b.commit(mail("ann", "bob"), mail("bob", "cid"), mail("cid", "ann")) {
			if len(o.Withheld) != 0 || o.Stale {
				t.Fatalf("outcome %+v", o)
			}
		}
		for login, want := range map[string]string{"ann": "bob", "bob": "cid", "cid": "ann"} {
			if got := must(b.UserByName(t.Context(), login))(t).Profile["email"].First(); got != want+"@example.org" {
				t.Errorf("%s has %s", login, got)
			}
		}
		// Ann wants Bob's value, Bob wants Dan's, whom nobody asks: Bob keeps his, so Ann keeps hers.
		out := b.commit(mail("ann", "cid"), mail("bob", "dan"))
		if len(out[0].Withheld) != 1 || len(out[1].Withheld) != 1 {
			t.Errorf("outcomes %+v", out)
		}
		for login, want := range map[string]string{"ann": "bob", "bob": "cid", "dan": "dan"} {
			if got := must(b.UserByName(t.Context(), login))(t).Profile["email"].First(); got != want+"@example.org" {
				t.Errorf("%s has %s", login, got)
			}
		}
	})
}

// TestCommitYields lets a new record take the login of an absent one.
func TestCommitYields(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		old := b.create("ann")[0]
		b.commit(b.about("id-ann", idbridge.Step{Verb: idbridge.Suspend, State: idbridge.LinkMissing, Was: idbridge.LinkActive}))
		d := creation("new", profile("userName", "ann", "email", "ann@example.org"))
		yield := idbridge.Step{
			ID: corp("id-ann"), User: old, Side: idbridge.StoreSide, Verb: idbridge.Update,
			Before: profile("userName", "ann", "email", "ann@example.org"), After: idbridge.Profile{"userName": {}, "email": {}},
		}
		d.Steps = append([]idbridge.Step{yield}, d.Steps...)
		wrong := d
		wrong.Steps = append([]idbridge.Step{yield}, d.Steps[1:]...)
		wrong.Steps[0].Before = profile("userName", "somebody else")
		if o := b.commit(wrong)[0]; !o.Stale {
			t.Fatalf("took values that the other has no longer: %+v", o)
		}
		both := b.commit(d, b.about("id-ann", update(profile("displayName", "beside"))))
		if !both[1].Stale {
			t.Error("a user was changed by two decisions of one batch")
		}
		o := both[0]
		if o.Stale || o.User == 0 || o.User == old || len(o.Withheld) != 0 {
			t.Fatalf("outcome %+v", o)
		}
		if got := must(b.UserByName(t.Context(), "ann"))(t).ID; got != o.User {
			t.Errorf("the login is %d's", got)
		}
		left := must(b.User(t.Context(), old))(t)
		if diff := cmp.Diff(profile("displayName", "ann"), left.Profile); diff != "" {
			t.Errorf("the absent one (-want +got):\n%s", diff)
		}
		back := b.subject("id-ann", profile("userName", "ann", "email", "ann@example.org"))
		if back.Link == nil || back.User.ID != old || !back.Link.Digest.IsZero() || len(back.Holders) != 2 {
			t.Errorf("when the absent one comes back nobody sees that he lost values: %+v", back)
		}
		events := must(b.History(t.Context(), old, 0))(t)
		lost := map[idbridge.Attribute]string{}
		for _, e := range events {
			if e.What == "update" && e.After == "" && e.Run == b.lead.Run {
				lost[e.Attribute] = e.Before
			}
		}
		if diff := cmp.Diff(map[idbridge.Attribute]string{"userName": "ann", "email": "ann@example.org"}, lost); diff != "" {
			t.Errorf("his history does not say what he lost (-want +got):\n%s", diff)
		}
		rows := must(b.Audit(t.Context(), idbridge.AuditFilter{User: old}))(t)
		if rows[0].Action != "user.yield" || rows[0].Target != "ann" || !strings.Contains(rows[0].Reason, "new") {
			t.Errorf("the audit does not name the pair: %+v", rows[0])
		}
		if a := must(b.AccessByName(t.Context(), "ann"))(t); a.User != o.User || len(a.Grants) != 0 {
			t.Errorf("access by name %+v", a)
		}
	})
}

// TestYieldingKeepsTheAbsence counts the absence that was found in the run in which the login went to a new record, and ends
// access in such a run.
func TestYieldingKeepsTheAbsence(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.create("ann")
		take := func(record, login string) {
			t.Helper()
			s := b.subject("id-ann", nil)
			d := creation(record, profile("userName", login))
			d.Steps = append([]idbridge.Step{{
				ID: corp("id-ann"), User: s.User.ID, Side: idbridge.StoreSide, Verb: idbridge.Update,
				Before: idbridge.Profile{"userName": s.User.Profile["userName"]}, After: idbridge.Profile{"userName": {}},
			}}, d.Steps...)
			if o := b.commit(d)[0]; o.User == 0 || o.Stale {
				t.Fatalf("outcome %+v", o)
			}
		}
		miss := b.about("id-ann", idbridge.Step{Verb: idbridge.Miss})
		miss.Seen, miss.Proof = idbridge.Observation{Sightings: 1}, &idbridge.Proof{LastPage: true}
		change := b.about("id-ann", update(profile("displayName", "decided before")))
		take("new", "ann")
		if o := b.commit(change)[0]; !o.Stale {
			t.Error("a change that was decided before he lost his login was made")
		}
		if o := b.commit(miss)[0]; o.Stale || b.subject("id-ann", nil).Link.Sightings != 1 {
			t.Errorf("the absence is not counted: %+v", o)
		}
		must(b.EditUser(t.Context(), idbridge.UserEdit{User: miss.User, Set: profile("userName", "ann2")}))(t)
		suspend := b.about("id-ann", idbridge.Step{Verb: idbridge.Suspend})
		suspend.Proof = miss.Proof
		again := suspend
		take("newer", "ann2")
		if o := b.commit(suspend)[0]; o.Stale || b.subject("id-ann", nil).Link.State != idbridge.LinkMissing {
			t.Errorf("access did not end: %+v", o)
		}
		if o := b.commit(again)[0]; !o.Stale {
			t.Error("the link moved, and its absence was taken for proved")
		}
	})
}

func TestCommitAbsence(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		miss := b.about("id-ann", idbridge.Step{Verb: idbridge.Miss})
		miss.Seen = idbridge.Observation{Sightings: 1}
		b.commit(miss)
		first := b.subject("id-ann", nil).Link
		if first.Sightings != 1 || first.State != idbridge.LinkActive || first.Since.IsZero() || first.Locator == "" || !first.Digest.IsZero() {
			t.Fatalf("after a miss: %+v", first)
		}
		b.clock.advance(time.Hour)
		suspend := b.about("id-ann", idbridge.Step{Verb: idbridge.Suspend, State: idbridge.LinkMissing, Was: idbridge.LinkActive})
		suspend.Seen = idbridge.Observation{Sightings: 2}
		b.commit(suspend)
		link := b.subject("id-ann", nil).Link
		if link.State != idbridge.LinkMissing || link.Sightings != 2 || link.Since.Sub(first.Since) < time.Hour {
			t.Fatalf("after suspension: %+v", link)
		}
		if a := must(b.Access(t.Context(), id))(t); a.May || a.Why != "missing" {
			t.Errorf("access %+v", a)
		}
		if pop := must(b.Population(t.Context(), "corp"))(t); pop.Links != 0 {
			t.Errorf("population %+v", pop)
		}
		back := b.about("id-ann", idbridge.Step{Verb: idbridge.Restore, State: idbridge.LinkActive, Was: idbridge.LinkMissing})
		b.commit(back)
		if a := must(b.Access(t.Context(), id))(t); !a.May {
			t.Errorf("access %+v", a)
		}
		b.commit(b.about("id-ann", idbridge.Step{Verb: idbridge.Purge}))
		if _, err := b.User(t.Context(), id); !errors.Is(err, idbridge.NotFound) {
			t.Errorf("purged user: %v", err)
		}
		if s := b.subject("id-ann", nil); !s.Tombstone || s.Link != nil {
			t.Errorf("subject %+v", s)
		}
		if next := b.create("bob")[0]; next <= id {
			t.Errorf("id %d after %d", next, id)
		}
		var actions []string
		for _, a := range must(b.Audit(t.Context(), idbridge.AuditFilter{User: id}))(t) {
			actions = append(actions, a.Action)
		}
		if diff := cmp.Diff([]string{"user.purge", "user.restore", "user.suspend"}, actions); diff != "" {
			t.Errorf("audit (-want +got):\n%s", diff)
		}
	})
}

func TestCommitLinksAnExistingUser(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		u := must(b.AddUser(t.Context(), idbridge.NewUser{Profile: profile("userName", "ann"), By: "cli"}))(t)
		d := creation("id-ann", profile("displayName", "Ann"))
		d.User, d.Read.User = u.ID, u.Revision
		d.Steps[0].Verb, d.Steps[0].User = idbridge.Linking, u.ID
		if o := b.commit(d)[0]; o.Stale || o.User != u.ID {
			t.Fatalf("outcome %+v", o)
		}
		s := b.subject("id-ann", nil)
		if s.User.ID != u.ID || s.User.Revision != u.Revision+1 || s.User.Profile["displayName"].First() != "Ann" || s.User.UserName() != "ann" {
			t.Errorf("user %+v", s.User)
		}
		if o := b.commit(d)[0]; !o.Stale {
			t.Error("linked twice")
		}
	})
}

func TestCommitConflicts(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		d := b.about("id-ann")
		d.Conflicts = []idbridge.Conflict{
			{Attribute: "email", Base: idbridge.Values{"b"}, Store: idbridge.Values{"s"}, Directory: idbridge.Values{"\xff"}, Why: "hold"},
			{Attribute: "displayName", Base: idbridge.Values{"b"}, Winner: idbridge.DirectoryWinner, Why: "both changed"},
		}
		b.commit(d)
		all := must(b.Conflicts(t.Context(), idbridge.ConflictFilter{User: id}))(t)
		if len(all) != 2 || all[0].Name != "ann" || all[0].Link != corp("id-ann") || all[0].Directory.First() != "\xff" || !all[0].Closed.IsZero() ||
			all[1].Closed.IsZero() || all[1].By != "policy" {
			t.Fatalf("conflicts %+v", all)
		}
		again := b.about("id-ann")
		again.Conflicts = []idbridge.Conflict{{ID: all[0].ID, Attribute: "email", Store: idbridge.Values{"s2"}}}
		b.commit(again)
		open := must(b.Conflicts(t.Context(), idbridge.ConflictFilter{Open: true}))(t)
		if len(open) != 1 || open[0].ID != all[0].ID || open[0].Store.First() != "s2" || !open[0].Opened.Equal(all[0].Opened) {
			t.Fatalf("open %+v", open)
		}
		s := b.subject("id-ann", nil)
		if len(s.Open) != 1 || s.Open[0].ID != open[0].ID {
			t.Errorf("subject %+v", s.Open)
		}
		closing := b.about("id-ann")
		closing.Closed = []idbridge.ConflictID{open[0].ID}
		b.commit(closing)
		one := must(b.Conflict(t.Context(), open[0].ID))(t)
		if one.Closed.IsZero() || one.By != "equality" {
			t.Errorf("closed %+v", one)
		}
		_, err := b.Conflict(t.Context(), 99)
		wantKind(t, err, idbridge.NotFound)
	})
}
