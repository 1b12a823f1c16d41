package plan

import (
	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// How many complete listings in a row without the record it takes. Link.Sightings counts them.
const (
	proved = 2 // to suspend; the directory's own word counts as much
	ripe   = 4 // to purge: two more after the suspension
)

// Tombstone is the Proof.Feed of a removal that rests on the directory's own word and not on a listing.
const Tombstone = "tombstone"

// Doubt says why a proof does not prove that its listing was complete, "" when it does: result 0, the last page was
// reached, no referral was left unfollowed, the canary was readable before and after, and the provider has no doubt.
func Doubt(p *idbridge.Proof) string {
	switch {
	case failpoint.Mutant("partialcomplete"): // the mistake: a cut list is taken for the whole
		return ""
	case p.Doubt != "":
		return p.Doubt
	case p.Feed == Tombstone:
		return ""
	case p.ResultCode != 0:
		return "the search did not end with success"
	case !p.LastPage:
		return "the last page was not reached"
	case p.References != 0:
		return "referrals were not followed"
	case !p.CanaryPre || !p.CanaryPost:
		return "the canary was not readable before and after"
	}
	return ""
}

// state brings the link's state into line with a record that is there: what absence took returns, and the directory's own
// active=false ends access, and true gives it back. An administrator's suspension is another thing and stays.
func (w *work) state() {
	link := w.s.Link
	want := idbridge.LinkActive
	if !w.active() {
		want = idbridge.LinkInactive
	}
	switch v, known := w.seenActive(); {
	case known && !w.p.Schema.Equal(idbridge.Active, w.base[idbridge.Active], v):
		w.moveBase(idbridge.Active, v)
		w.d.Back = w.older
	case !known:
		w.unknown(idbridge.Active)
	}
	w.traceActive(want)
	if link.State == want {
		return
	}
	step := idbridge.Step{
		ID: w.s.ID, User: w.d.User, Side: idbridge.StoreSide, Verb: idbridge.Restore, State: want, Was: link.State,
		Locator: link.Locator, Why: "the directory says active",
	}
	switch {
	case want == idbridge.LinkInactive:
		step.Verb, step.Why = idbridge.Suspend, "the directory says inactive"
	case link.State == idbridge.LinkMissing:
		step.Why = "the record is back"
	}
	w.d.Steps = append(w.d.Steps, step)
	w.ends(want)
}

// active tells what the directory says about letting the user in. When that cannot be read, the state stays; who comes
// back from being missing is let in as he was before. A directory whose active is not mapped lets everybody in.
func (w *work) active() bool {
	v, known := w.seenActive()
	_, mapped := w.p.Rules[idbridge.Active]
	link := w.s.Link
	switch {
	case known:
	case !mapped || link == nil:
		return true
	case link.State != idbridge.LinkMissing:
		return link.State == idbridge.LinkActive
	default:
		v = w.base[idbridge.Active]
	}
	return idbridge.Boolean.Normal(v.First()) != "false"
}

func (w *work) seenActive() (idbridge.Values, bool) {
	if _, mapped := w.p.Rules[idbridge.Active]; !mapped || w.o.Record.Profile == nil {
		return nil, false
	}
	return w.seen(idbridge.Active)
}

// gone decides about a record that the directory itself reports as deleted, or as out of scope.
func (w *work) gone() {
	link := w.s.Link
	switch {
	case link == nil:
		w.skip("gone, and never linked")
		return
	case link.State == idbridge.LinkMissing:
		w.d.Situation = idbridge.Suspended
		return
	}
	why := "the directory says it was deleted"
	if w.o.Gone == idbridge.LeftScope {
		why = "the directory says it left the scope"
	}
	w.suspend(why)
	w.d.Proof = &idbridge.Proof{Feed: Tombstone}
}

// absent decides about a record that a complete listing did not show.
//
//	link      sightings          then
//	let in    none               miss: counted, nothing else
//	let in    one, too recent    nothing; the listing that confirms comes later
//	let in    one, long enough   suspend, state missing
//	missing   two or three       miss: counted, for the purge
//	missing   enough, old enough purge, unless another directory still shows the user
func (w *work) absent() {
	link := w.s.Link
	if link == nil {
		w.skip("absent, and never linked")
		return
	}
	if doubt := Doubt(w.o.Absent); doubt != "" {
		w.skip("not seen, but the listing is no proof: " + doubt)
		return
	}
	if link.State == idbridge.LinkMissing {
		w.waiting()
		return
	}
	switch {
	case link.Sightings == 0 || link.Since.IsZero():
		w.miss(1)
		w.d.Situation = idbridge.Missed
		w.say(w.absence("absent from one complete listing") + "; access stays until another confirms it")
	case w.now.Sub(link.Since) < w.p.ConfirmAfter:
		w.d.Situation = idbridge.Missed
		w.say(w.absence("absent") + "; the listing that may confirm it comes later")
	default:
		w.suspend(w.absence("absent from two complete listings"))
		w.d.Proof = w.o.Absent
	}
}

// absence says what absence most likely comes of: after a change of config it is the config, and nobody has left.
func (w *work) absence(why string) string {
	if w.o.NewScope {
		return "out of scope since config change"
	}
	return why
}

// waiting decides about a record that is suspended for its absence and still absent.
func (w *work) waiting() {
	w.d.Situation = idbridge.Suspended
	link := w.s.Link
	next := link.Sightings + 1
	switch {
	case w.p.PurgeAfter <= 0:
	case w.elsewhere():
		w.say("kept: another directory shows the user")
	case next >= ripe && !link.Since.IsZero() && w.now.Sub(link.Since) >= w.p.PurgeAfter:
		w.d.Situation = idbridge.Purged
		w.d.Keys = w.s.Keys
		w.d.Steps = append(w.d.Steps, idbridge.Step{
			ID: w.s.ID, User: w.d.User, Side: idbridge.StoreSide, Verb: idbridge.Purge, Before: w.user.Profile,
			Locator: link.Locator, Why: "absent for longer than the grace period",
		})
		w.d.Proof = w.o.Absent
		w.d.Seen = w.lastSeen()
		w.d.Seen.Sightings = next
	case next < ripe:
		w.miss(next)
	}
}

func (w *work) elsewhere() bool {
	for i := range w.s.Others {
		if w.s.Others[i].State != idbridge.LinkMissing {
			return true
		}
	}
	return false
}

func (w *work) miss(sightings int) {
	w.d.Steps = append(w.d.Steps, idbridge.Step{
		ID: w.s.ID, User: w.d.User, Side: idbridge.StoreSide, Verb: idbridge.Miss, Locator: w.s.Link.Locator,
	})
	w.d.Proof = w.o.Absent
	w.d.Seen = w.lastSeen()
	w.d.Seen.Sightings = sightings
}

func (w *work) suspend(why string) {
	link := w.s.Link
	w.d.Situation = idbridge.Suspended
	w.d.Steps = append(w.d.Steps, idbridge.Step{
		ID: w.s.ID, User: w.d.User, Side: idbridge.StoreSide, Verb: idbridge.Suspend, State: idbridge.LinkMissing, Was: link.State,
		Locator: link.Locator, Why: why,
	})
	w.d.Seen = w.lastSeen()
	w.d.Seen.Sightings = max(proved, link.Sightings+1)
	w.ends(idbridge.LinkMissing)
}

// ends notes what it means for the user's keys, and whether an administrator gains or loses access, that the link's state
// becomes next.
func (w *work) ends(next idbridge.LinkState) {
	before, after := w.p.may(w.s, w.s.Link.State), w.p.may(w.s, next)
	w.d.Admin = w.s.Privileged && before != after
	if before && !after {
		w.d.Keys = w.s.Keys
	}
}

// may tells whether the subject's user may act when his link to this directory has the given state.
func (p *Policy) may(s *idbridge.Subject, state idbridge.LinkState) bool {
	if s.User == nil || s.User.Suspended {
		return false
	}
	active := 0
	if state == idbridge.LinkActive {
		active++
	}
	for i := range s.Others {
		if s.Others[i].State == idbridge.LinkActive {
			active++
		}
	}
	if p.Access == AnyLink {
		return active > 0
	}
	return active == len(s.Others)+1
}
