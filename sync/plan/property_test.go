package plan_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

var (
	merged  = []idbridge.Attribute{"userName", "email", "displayName", "phone", "vip"}
	flows   = []plan.Flow{plan.Both, plan.In, plan.Out, plan.Once}
	choices = []plan.OnConflict{plan.PreferDirectory, plan.PreferStore, plan.HoldConflict, ""}
)

func drawPolicy(t *rapid.T) *plan.Policy {
	p := &plan.Policy{
		Directory: "corp", Schema: idbridge.CoreSchema(), Required: []idbridge.Attribute{idbridge.UserName},
		ConfirmAfter: 10 * time.Minute, PurgeAfter: rapid.SampledFrom([]time.Duration{0, 720 * time.Hour}).Draw(t, "purge"),
		Writable: rapid.Bool().Draw(t, "writable"), Limits: plan.DefaultLimits(), Rules: map[idbridge.Attribute]plan.Rule{},
	}
	p.Schema["phone"] = idbridge.Spec{Match: idbridge.Telephone}
	p.Schema["vip"] = idbridge.Spec{Match: idbridge.Boolean, Single: true}
	for _, a := range merged {
		p.Rules[a] = plan.Rule{
			Flow: rapid.SampledFrom(flows).Draw(t, "flow"), OnConflict: rapid.SampledFrom(choices).Draw(t, "on conflict"),
		}
	}
	if rapid.Bool().Draw(t, "active mapped") {
		p.Rules[idbridge.Active] = plan.Rule{Flow: plan.In}
	}
	if rapid.Bool().Draw(t, "precedence") {
		p.Precedence = map[idbridge.Attribute][]string{"email": {"hr", "corp"}}
	}
	return p
}

// drawValues makes sets that are often equal, sometimes equal but for their spelling, sometimes blank.
func drawValues(t *rapid.T, a idbridge.Attribute) idbridge.Values {
	if a == "vip" || a == idbridge.Active {
		return idbridge.Values{rapid.SampledFrom([]string{"TRUE", "true", "FALSE"}).Draw(t, "value")}[:rapid.IntRange(0, 1).Draw(t, "n")]
	}
	most := 3
	if a == idbridge.UserName {
		most = 1
	}
	v := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "A", "b", "b ", " ", "c-1", "c 1", "É", "é"}), 0, most).Draw(t, "values")
	return idbridge.Values(v)
}

func drawProfile(t *rapid.T, p *plan.Policy, named bool) idbridge.Profile {
	out := idbridge.Profile{}
	for _, a := range slices.Sorted(maps.Keys(p.Rules)) {
		if rapid.IntRange(0, 4).Draw(t, "there") > 0 {
			out[a] = drawValues(t, a)
		}
	}
	if named {
		out[idbridge.UserName] = idbridge.Values{rapid.SampledFrom([]string{"ada", "Ada", "bob"}).Draw(t, "userName")}
	}
	return out
}

func drawSubject(t *rapid.T, p *plan.Policy) idbridge.Subject {
	s := idbridge.Subject{ID: idbridge.ExternalID{Directory: "corp", ID: "r1"}}
	if rapid.IntRange(0, 3).Draw(t, "linked") > 0 {
		user := drawProfile(t, p, rapid.Bool().Draw(t, "named"))
		delete(user, idbridge.Active)
		s.User = &idbridge.User{ID: 7, Kind: idbridge.Person, Profile: user, Revision: 5, Suspended: rapid.Bool().Draw(t, "suspended")}
		s.Link = &idbridge.Link{
			ID: s.ID, User: 7, Version: 3, Base: drawProfile(t, p, false), Locator: "uid=ada",
			State:     rapid.SampledFrom([]idbridge.LinkState{idbridge.LinkActive, idbridge.LinkInactive, idbridge.LinkMissing}).Draw(t, "state"),
			Sightings: rapid.IntRange(0, 5).Draw(t, "sightings"),
			Digest:    rapid.SampledFrom([]idbridge.Digest{{}, shownDigest, olderDigest}).Draw(t, "digest"),
		}
		if s.Link.Sightings > 0 {
			s.Link.Since = noon.Add(-time.Duration(rapid.IntRange(0, 1000).Draw(t, "hours")) * time.Hour)
		}
		s.Privileged = rapid.Bool().Draw(t, "privileged")
		if rapid.IntRange(0, 3).Draw(t, "refused") == 0 {
			s.Backoff = &idbridge.Backoff{Attempts: 2, Until: noon.Add(time.Hour), Why: "no"}
		}
		if rapid.IntRange(0, 3).Draw(t, "flips") == 0 {
			s.Flips = []idbridge.Flip{{Attribute: rapid.SampledFrom(merged).Draw(t, "flip"), Count: rapid.IntRange(2, 4).Draw(t, "times")}}
		}
		s.Link.Seen = rapid.SampledFrom([]string{"", "3", "5"}).Draw(t, "seen version")
		s.Keys = rapid.IntRange(0, 2).Draw(t, "keys")
		if rapid.Bool().Draw(t, "elsewhere") {
			s.Others = []idbridge.Link{{
				ID: idbridge.ExternalID{Directory: "hr", ID: "o1"}, State: idbridge.LinkActive, Base: idbridge.Profile{"email": drawValues(t, "email")},
			}}
		}
	} else if rapid.Bool().Draw(t, "candidate") {
		s.Candidates = []idbridge.Candidate{{
			User: idbridge.User{ID: 9, Kind: idbridge.Person, Profile: drawProfile(t, p, true), Revision: 2}, By: idbridge.UserName,
			Local: rapid.Bool().Draw(t, "local"), Linked: rapid.Bool().Draw(t, "taken"),
		}}
		delete(s.Candidates[0].User.Profile, idbridge.Active)
	}
	if rapid.IntRange(0, 2).Draw(t, "held by another") == 0 {
		s.Holders = []idbridge.Holder{{
			Attribute: "email", Value: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "held"), User: 12,
			Link: idbridge.ExternalID{Directory: "corp", ID: "r9"},
		}}
	}
	return s
}

func drawObserved(t *rapid.T, p *plan.Policy, s *idbridge.Subject) plan.Observed {
	o := plan.Observed{}
	switch rapid.IntRange(0, 9).Draw(t, "seen") {
	case 0:
		o.Absent = &goodProof
	case 1:
		o.Absent = &idbridge.Proof{Feed: "listing", Doubt: "cut"}
	case 2:
		o.Gone = idbridge.Deleted
	case 3:
		o.Unusable = "shown twice"
	default:
		o.Digest = shownDigest
		o.Record = &idbridge.Record{ID: s.ID, Locator: "uid=ada", Profile: drawProfile(t, p, rapid.IntRange(0, 9).Draw(t, "named") > 0)}
		o.Record.Version = rapid.SampledFrom([]string{"", "4", "6"}).Draw(t, "version")
		if rapid.IntRange(0, 3).Draw(t, "right lost") == 0 {
			o.Unknown = []idbridge.Attribute{rapid.SampledFrom(merged).Draw(t, "unknown")}
		}
	}
	return o
}

// apply makes the effects of a decision, as a store and a directory without any trouble would.
func apply(p *plan.Policy, s *idbridge.Subject, o *plan.Observed, d *idbridge.Decision) {
	for i := range d.Steps {
		applyStep(s, o, d, &d.Steps[i])
	}
	if s.Link == nil {
		s.Listed = rows(d)
		return
	}
	merge := func(base idbridge.Profile) {
		s.Link.Base = s.Link.Base.Clone()
		if s.Link.Base == nil {
			s.Link.Base = idbridge.Profile{}
		}
		for a, v := range base {
			s.Link.Base[a] = v
		}
	}
	merge(d.Base)
	if d.Seen != (idbridge.Observation{}) {
		s.Link.Locator, s.Link.Digest, s.Link.Sightings = d.Seen.Locator, d.Seen.Digest, d.Seen.Sightings
		s.Link.Order, s.Link.Seen = d.Seen.Order, d.Seen.Version
	}
	for _, c := range d.Conflicts {
		s.Open = slices.DeleteFunc(slices.Clone(s.Open), func(x idbridge.Conflict) bool { return x.ID == c.ID })
		if c.Winner == idbridge.NoWinner {
			if c.ID == 0 {
				c.ID = idbridge.ConflictID(len(s.Open) + 1)
			}
			s.Open = append(s.Open, c)
		}
	}
	for _, id := range d.Closed {
		s.Open = slices.DeleteFunc(slices.Clone(s.Open), func(x idbridge.Conflict) bool { return x.ID == id })
	}
	if !d.Empty() {
		s.Listed = rows(d)
	}
	if step := d.DirectoryStep(); step != nil {
		r := *o.Record
		r.Profile = r.Profile.Clone()
		for a, v := range step.After {
			r.Profile[a] = v
		}
		o.Record = &r
		merge(step.After)
	}
}

func applyStep(s *idbridge.Subject, o *plan.Observed, d *idbridge.Decision, step *idbridge.Step) {
	if step.Side == idbridge.DirectorySide || step.ID != d.ID {
		return
	}
	change := func() {
		u := *s.User
		u.Profile = u.Profile.Clone()
		for a, v := range step.After {
			if len(v) == 0 {
				delete(u.Profile, a)
			} else {
				u.Profile[a] = v
			}
		}
		s.User = &u
	}
	switch step.Verb {
	case idbridge.Create, idbridge.Linking:
		s.User = &idbridge.User{ID: 20, Profile: idbridge.Profile{}}
		for i := range s.Candidates {
			if s.Candidates[i].User.ID == step.User {
				u := s.Candidates[i].User
				s.User = &u
			}
		}
		s.Candidates = nil
		s.Link = &idbridge.Link{ID: s.ID, User: s.User.ID, State: idbridge.LinkActive}
		change()
	case idbridge.Update:
		change()
	case idbridge.Suspend, idbridge.Restore:
		l := *s.Link
		l.State, l.Since = step.State, noon
		s.Link = &l
	case idbridge.Miss:
		l := *s.Link
		if l.Sightings == 0 || l.Since.IsZero() {
			l.Since = noon
		}
		s.Link = &l
	case idbridge.Purge:
		s.Link, s.User = nil, nil
	case idbridge.Join, idbridge.Leave:
	}
}

func rows(d *idbridge.Decision) []idbridge.Withheld {
	var out []idbridge.Withheld
	if d.Unusable != "" {
		out = append(out, idbridge.Withheld{Why: d.Unusable})
	}
	return append(out, d.Withheld...)
}

// TestPlanApplyPlan: what a decision leaves is nothing to decide; and on the way no rule is broken.
func TestPlanApplyPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		s := drawSubject(t, p)
		o := drawObserved(t, p, &s)
		for round := 0; ; round++ {
			before := struct {
				S idbridge.Subject
				O plan.Observed
			}{deep(s), o}
			d := plan.Decide(p, s, o, noon)
			if again := plan.Decide(p, deep(s), o, noon); cmp.Diff(d, again) != "" {
				t.Fatalf("the same question, another answer:\n%s", cmp.Diff(d, again))
			}
			if diff := cmp.Diff(before.S, s); diff != "" {
				t.Fatalf("the subject was changed:\n%s", diff)
			}
			lawful(t, p, &s, &o, &d)
			if d.Empty() {
				settled(t, p, &s, &o)
				return
			}
			if round > 6 {
				t.Fatalf("no end: %+v", d)
			}
			if round > 0 && d.DirectoryStep() != nil && !unusual(&s) {
				t.Fatalf("a second directory step: %+v", d)
			}
			apply(p, &s, &o, &d)
		}
	})
}

// unusual: a state that may take one more step outward, since the first link waits for what it does not know yet.
func unusual(s *idbridge.Subject) bool { return len(s.Listed) > 0 }

func deep(s idbridge.Subject) idbridge.Subject {
	if s.Link != nil {
		l := *s.Link
		l.Base = l.Base.Clone()
		s.Link = &l
	}
	if s.User != nil {
		u := *s.User
		u.Profile = u.Profile.Clone()
		s.User = &u
	}
	s.Others, s.Open, s.Candidates = slices.Clone(s.Others), slices.Clone(s.Open), slices.Clone(s.Candidates)
	s.Listed, s.Holders = slices.Clone(s.Listed), slices.Clone(s.Holders)
	return s
}

// lawful checks what holds for every decision.
func lawful(t *rapid.T, p *plan.Policy, s *idbridge.Subject, o *plan.Observed, d *idbridge.Decision) {
	outward := 0
	for i := range d.Steps {
		step := &d.Steps[i]
		takes := step.Verb == idbridge.Miss || step.Verb == idbridge.Purge || step.Verb == idbridge.Suspend && step.State == idbridge.LinkMissing
		if takes && (d.Proof == nil || d.Proof.Doubt != "" || o.Record != nil || o.Unusable != "") {
			t.Fatalf("%s without proof", step.Verb)
		}
		if step.Verb == idbridge.Suspend && step.State == idbridge.LinkInactive && o.Record.Profile.IsActive() &&
			(s.Link == nil || s.Link.State != idbridge.LinkMissing) {
			t.Fatal("suspended as inactive, and active")
		}
		if _, ok := step.After[idbridge.Active]; ok {
			t.Fatal("active in a profile")
		}
		if step.Side == idbridge.DirectorySide {
			outward++
			if !p.Writable {
				t.Fatal("a step for a directory that takes none")
			}
		}
		overwrites(t, p, s, o, d, step)
	}
	if outward > 1 {
		t.Fatal("two directory steps")
	}
	guarded(t, s, o, d)
	waits := outward > 0 || len(d.Withheld) > 0 || d.Unusable != "" || d.Situation == idbridge.HeldBack
	if waits && !d.Seen.Digest.IsZero() {
		t.Fatalf("settled with something open: %+v", d)
	}
	if s.Link != nil && d.Read != (idbridge.Versions{User: s.User.Revision, Link: s.Link.Version}) {
		t.Fatalf("read %+v", d.Read)
	}
}

// guarded checks what back-off, flips, older records and keys mean for every decision.
func guarded(t *rapid.T, s *idbridge.Subject, o *plan.Observed, d *idbridge.Decision) {
	for i := range d.Steps {
		step := &d.Steps[i]
		if step.Side == idbridge.DirectorySide && s.Backoff != nil && s.Backoff.Until.After(noon) {
			t.Fatal("a step for a directory that is not asked yet")
		}
		for _, f := range s.Flips {
			_, moves := step.After[f.Attribute]
			if moves && f.Count >= idbridge.FlipLimit && step.Side == idbridge.DirectorySide {
				t.Fatalf("%s flips, and goes out", f.Attribute)
			}
		}
	}
	if s.Link != nil && o.Record != nil && o.Unusable == "" {
		earlier := idbridge.Earlier(o.Record.Version, s.Link.Seen) && s.Link.State != idbridge.LinkMissing
		if d.Back && (!earlier || d.Situation != idbridge.Skipped) {
			t.Fatalf("older than nothing: %+v", d)
		}
		if left, _ := plan.Allowed(idbridge.Plan{}, *d); d.Back && !left.Empty() {
			t.Fatalf("older, and done: %+v", left)
		}
	}
	ends := slices.ContainsFunc(d.Steps, func(x idbridge.Step) bool { return x.Verb == idbridge.Suspend || x.Verb == idbridge.Purge })
	if d.Keys > 0 && (!ends || d.Keys != s.Keys) {
		t.Fatalf("%d keys of %d are refused, and nobody loses access: %+v", d.Keys, s.Keys, d.Steps)
	}
}

// overwrites checks that a value which somebody changed since the base is never overwritten without a row that keeps it,
// that an unknown attribute is not touched, and that nothing is invented.
func overwrites(t *rapid.T, p *plan.Policy, s *idbridge.Subject, o *plan.Observed, d *idbridge.Decision, step *idbridge.Step) {
	if step.Verb != idbridge.Update && step.Verb != idbridge.Linking || step.ID != d.ID {
		return
	}
	user, base := s.User, idbridge.Profile{}
	if s.Link != nil {
		base = s.Link.Base
	} else {
		user = &s.Candidates[0].User
	}
	for a, after := range step.After {
		if slices.Contains(o.Unknown, a) && len(o.Record.Profile[a]) == 0 {
			t.Fatalf("%s is unknown and travels", a)
		}
		lost, source := user.Profile[a], o.Record.Profile[a]
		if step.Side == idbridge.DirectorySide {
			lost, source = source, lost
		}
		for _, v := range after {
			if !slices.Contains(source, v) {
				t.Fatalf("%s: invented %q", a, v)
			}
		}
		if len(p.Schema.Normal(a, lost)) == 0 || p.Schema.Equal(a, lost, base[a]) || p.Schema.Equal(a, lost, after) {
			continue
		}
		if !slices.ContainsFunc(d.Conflicts, func(c idbridge.Conflict) bool {
			return c.Attribute == a && (p.Schema.Equal(a, c.Store, lost) || p.Schema.Equal(a, c.Directory, lost))
		}) {
			t.Fatalf("%s: %q is overwritten by %q and kept nowhere", a, lost, after)
		}
	}
}

// settled checks what holds once nothing is left to do.
func settled(t *rapid.T, p *plan.Policy, s *idbridge.Subject, o *plan.Observed) {
	if s.Link == nil || o.Record == nil || o.Unusable != "" || len(s.Listed) > 0 {
		return
	}
	for _, a := range merged {
		dir, shown := o.Record.Profile[a]
		store, base := s.User.Profile[a], s.Link.Base[a]
		if !shown || slices.Contains(o.Unknown, a) && len(p.Schema.Normal(a, dir)) == 0 || p.Rules[a].Flow == plan.Once {
			continue
		}
		if p.Schema.Equal(a, store, dir) {
			if !p.Schema.Equal(a, base, dir) {
				t.Fatalf("%s: equal on both sides, and another base: %q, %q", a, base, dir)
			}
			continue
		}
		open := slices.ContainsFunc(s.Open, func(c idbridge.Conflict) bool {
			return c.Attribute == a && p.Schema.Equal(a, c.Store, store) && p.Schema.Equal(a, c.Directory, dir)
		})
		override := p.Rules[a].Flow == plan.In && p.Schema.Equal(a, base, dir)
		if !open && !override && p.Writable {
			t.Fatalf("%s: store %q, directory %q, base %q, and nothing waits", a, store, dir, base)
		}
	}
}

// TestTallyOrder: the same decisions in any order make the same hash, counts and verdicts; another decision another hash.
func TestTallyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		n := rapid.IntRange(1, 30).Draw(t, "n")
		var list []idbridge.Decision
		for i := range n {
			s := drawSubject(t, p)
			s.ID.ID = string(rune('a' + i))
			o := drawObserved(t, p, &s)
			list = append(list, plan.Decide(p, s, o, noon))
		}
		facts := plan.Facts{Complete: true, Proof: goodProof, Population: idbridge.Population{Links: 3, Admins: 1}, Records: 3}
		one := sum(p, list, facts)
		if c := one.Counts; !c.AddUp() {
			t.Fatalf("does not add up: %+v", c)
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		rng.Shuffle(n, func(i, j int) { list[i], list[j] = list[j], list[i] })
		two := sum(p, list, facts)
		if diff := cmp.Diff(one, two); diff != "" {
			t.Fatalf("order counts:\n%s", diff)
		}
		extra := idbridge.Decision{ID: idbridge.ExternalID{Directory: "corp", ID: "z"}, Unusable: "x", Situation: idbridge.Quarantined}
		if three := sum(p, append(list, extra), facts); three.Hash == one.Hash {
			t.Fatal("one more decision, and the same hash")
		}
	})
}

func sum(p *plan.Policy, list []idbridge.Decision, facts plan.Facts) idbridge.Plan {
	tally := plan.NewTally(p)
	for i := range list {
		tally.Add(&list[i])
	}
	return tally.Plan(4, facts, noon)
}

// TestGuardsMonotone: more removals never free a plan that is held.
func TestGuardsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &plan.Policy{Directory: "corp", Limits: plan.DefaultLimits()}
		links := rapid.IntRange(0, 3000).Draw(t, "links")
		n := rapid.IntRange(0, 200).Draw(t, "removals")
		facts := plan.Facts{Complete: true, Proof: goodProof, Population: idbridge.Population{Links: links}, Records: links}
		held := false
		tally := plan.NewTally(p)
		tally.Unchanged(1)
		for i := range n {
			d := suspended(i)
			tally.Add(&d)
			now := tally.Plan(1, facts, noon)
			if held && !now.Held() {
				t.Fatalf("%d removals of %d free the plan again", i+1, links)
			}
			held = now.Held()
		}
		if want := n > min(500, max(5, links/20)); held != want {
			t.Fatalf("%d removals of %d: held %v", n, links, held)
		}
	})
}
