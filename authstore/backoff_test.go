package authstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

// refuseWrite sends a write and has the directory refuse it with words.
func (b *bed) refuseWrite(id, words string) {
	b.t.Helper()
	sent := b.send(id, profile("email", "wanted@example.org"))
	b.settle(idbridge.Settlement{Sent: sent, ID: corp(id), How: idbridge.SentRefused, Unusable: words})
}

func (b *bed) waiting() int {
	b.t.Helper()
	_, _, n, err := b.Status(b.t.Context(), "corp")
	if err != nil {
		b.t.Fatal(err)
	}
	return n.Waiting
}

func TestRefusedWritesAreLeftAlone(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ids := b.create("ann", "bob")
		if s := b.subject("id-ann", nil); s.Backoff != nil {
			t.Fatalf("back-off %+v", s.Backoff)
		}
		b.refuseWrite("id-ann", "objectClassViolation")
		first := b.subject("id-ann", nil).Backoff
		b.refuseWrite("id-ann", "constraintViolation")
		second := b.subject("id-ann", nil).Backoff
		if first == nil || second == nil || first.Attempts != 1 || second.Attempts != 2 || second.Why != "constraintViolation" {
			t.Fatalf("back-off %+v, %+v", first, second)
		}
		wait := idbridge.Wait(corp("id-ann"), 2)
		if d := second.Until.Sub(b.clock.now()); d > wait || d < wait-time.Second {
			t.Errorf("waits %v, not %v", d, wait)
		}
		rows := must(b.Quarantine(t.Context(), "corp"))(t)
		if len(rows) != 1 || rows[0].Attempts != 2 || !rows[0].Until.Equal(second.Until) || rows[0].User != ids[0] || rows[0].Why != "constraintViolation" {
			t.Errorf("quarantine %+v", rows)
		}
		if n := b.waiting(); n != 1 || b.subject("id-bob", nil).Backoff != nil {
			t.Errorf("%d wait", n)
		}
		keep := b.about("id-ann") // decided while it waits: nothing is said about quarantine
		keep.Seen.Digest = idbridge.Digest{}
		b.commit(keep)
		rows = must(b.Quarantine(t.Context(), "corp"))(t)
		if len(rows) != 1 || rows[0].Attempts != 2 || rows[0].Since.IsZero() || rows[0].Locator == "" {
			t.Errorf("quarantine while it waits %+v", rows)
		}
	})
}

func TestBackoffEnds(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ids := b.create("ann", "bob", "cid", "dan", "eve", "fay")
		for _, login := range []string{"ann", "bob", "cid", "dan", "eve"} {
			b.refuseWrite("id-"+login, "unwillingToPerform")
		}
		miss := b.send("id-fay", profile("email", "f@example.org"))
		b.settle(idbridge.Settlement{Sent: miss, ID: corp("id-fay"), How: idbridge.SentRefused})
		if n := b.waiting(); n != 5 {
			t.Fatalf("%d wait: a missed compare-and-set is no refusal", n)
		}
		sent := b.send("id-ann", profile("email", "a@example.org"))
		b.settle(idbridge.Settlement{Sent: sent, ID: corp("id-ann"), How: idbridge.SentSettled, Base: profile("email", "a@example.org")})
		must(b.EditUser(t.Context(), idbridge.UserEdit{User: ids[1], Set: profile("displayName", "Bob")}))(t)
		b.commit(b.about("id-cid", update(profile("displayName", "equal now"))))
		must(0, b.DeleteUser(t.Context(), ids[3], "boss"))(t)
		open := b.about("id-eve")
		open.Conflicts = []idbridge.Conflict{{Attribute: "email", Store: idbridge.Values{"eve@example.org"}, Directory: idbridge.Values{"x"}}}
		open.Seen.Digest = idbridge.Digest{}
		b.commit(open)
		if n := b.waiting(); n != 1 {
			t.Fatalf("%d wait", n)
		}
		c := must(b.Conflicts(t.Context(), idbridge.ConflictFilter{Open: true}))(t)[0]
		must(b.ResolveConflict(t.Context(), idbridge.Resolution{Conflict: c.ID, Winner: idbridge.StoreWinner, By: "boss"}))(t)
		for _, login := range []string{"ann", "bob", "cid", "eve"} {
			if s := b.subject("id-"+login, nil); s.Backoff != nil {
				t.Errorf("%s: %+v", login, s.Backoff)
			}
		}
		if n := b.waiting(); n != 0 {
			t.Errorf("%d wait", n)
		}
	})
}

// push sends an attribute and has the directory take it; pull takes the directory's value over.
func (b *bed) push(value string) {
	b.t.Helper()
	after := profile("displayName", value)
	sent := b.send("id-ann", after)
	b.settle(idbridge.Settlement{Sent: sent, ID: corp("id-ann"), How: idbridge.SentSettled, Base: after, Seen: idbridge.Observation{Locator: "uid=ann", Digest: idbridge.Digest{3}}})
}

func (b *bed) pull(value string) {
	b.t.Helper()
	d := b.about("id-ann", update(profile("displayName", value)))
	d.Base = profile("displayName", value)
	if o := b.commit(d)[0]; o.Stale {
		b.t.Fatalf("outcome %+v", o)
	}
}

func (b *bed) flips() map[idbridge.Attribute]int {
	b.t.Helper()
	var out map[idbridge.Attribute]int
	for _, f := range b.subject("id-ann", nil).Flips {
		if out == nil {
			out = map[idbridge.Attribute]int{}
		}
		out[f.Attribute] = f.Count
	}
	return out
}

func TestFlips(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann", "bob")[0]
		say := func(what string, want int) {
			t.Helper()
			var expected map[idbridge.Attribute]int
			if want >= 0 {
				expected = map[idbridge.Attribute]int{"displayName": want}
			}
			if diff := cmp.Diff(expected, b.flips()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		b.pull("one")
		say("a pull alone", -1)
		b.nextRun()
		b.push("two")
		say("a push", 0)
		b.nextRun()
		b.push("three")
		say("the same way again", 0)
		b.nextRun()
		b.pull("four")
		say("there and back", 1)
		b.nextRun()
		b.pull("five")
		say("no change of direction", -1)
		b.nextRun()
		b.push("six")
		b.nextRun()
		b.pull("seven")
		b.nextRun()
		b.nextRun()
		b.push("eight")
		say("a gap of a run", 0)
		b.nextRun()
		b.pull("nine")
		b.dry()
		b.nextRun()
		b.push("ten")
		say("a dry run is no gap", 2)
		b.nextRun()
		b.pull("eleven")
		say("at the limit", idbridge.FlipLimit)
		b.nextRun()
		b.nextRun()
		b.push("twelve")
		say("stays at the limit", idbridge.FlipLimit)
		must(b.EditUser(t.Context(), idbridge.UserEdit{User: id, Set: profile("email", "other@example.org")}))(t)
		say("an edit of another attribute", idbridge.FlipLimit)
		must(b.EditUser(t.Context(), idbridge.UserEdit{User: id, Set: profile("displayName", "by a person")}))(t)
		say("an edit", -1)
	})
}

// dry begins and ends a run without effects.
func (b *bed) dry() {
	b.t.Helper()
	if _, err := b.BeginRun(b.t.Context(), idbridge.Run{Directory: "corp", Kind: idbridge.PlanRun, Author: "test"}); err != nil {
		b.t.Fatal(err)
	}
}

func TestGenuineEditsAreNoFlips(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		for range 5 { // two people, one on each side, change it in turns
			b.nextRun()
			must(b.EditUser(t.Context(), idbridge.UserEdit{User: id, Set: profile("displayName", "store")}))(t)
			b.push("store")
			b.nextRun()
			b.pull("directory")
			if n := b.flips()["displayName"]; n > 1 {
				t.Fatalf("%d changes of direction", n)
			}
		}
	})
}

func TestFlipsOfThePastAreSweptOut(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.create("ann", "bob")
		b.push("one")
		b.nextRun()
		b.nextRun()
		b.nextRun()
		after := profile("email", "b@example.org")
		sent := b.send("id-bob", after)
		b.settle(idbridge.Settlement{Sent: sent, ID: corp("id-bob"), How: idbridge.SentSettled, Base: after})
		if got := b.flips(); got != nil {
			t.Errorf("flips %v", got)
		}
	})
}
