package authstore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

// send commits a decision with a directory step for a linked record and returns the number of the sent step.
func (b *bed) send(id string, after idbridge.Profile) idbridge.SentID {
	b.t.Helper()
	o := b.commit(b.about(id, idbridge.Step{Side: idbridge.DirectorySide, Verb: idbridge.Update, After: after, Author: "ann"}))[0]
	if o.Sent == 0 || o.Stale {
		b.t.Fatalf("outcome %+v", o)
	}
	return o.Sent
}

func (b *bed) settle(s ...idbridge.Settlement) {
	b.t.Helper()
	if err := b.Settle(b.t.Context(), b.lead, s); err != nil {
		b.t.Fatalf("settle: %v", err)
	}
}

func TestSentIsSettled(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		after := profile("email", "new@example.org")
		sent := b.send("id-ann", after)
		s := b.subject("id-ann", nil)
		if s.Link.Sent != sent || !s.Link.Digest.IsZero() || s.Link.Version != 2 {
			t.Fatalf("link %+v", s.Link)
		}
		open := must(b.OpenSent(t.Context(), "corp"))(t)
		if len(open) != 1 || open[0].ID != sent || open[0].Run != b.lead.Run || open[0].Step.User != id || open[0].Step.ID != corp("id-ann") {
			t.Fatalf("open %+v", open)
		}
		if diff := cmp.Diff(after, open[0].Step.After); diff != "" {
			t.Errorf("step (-want +got):\n%s", diff)
		}
		if o := b.commit(b.about("id-ann", update(profile("displayName", "x"))))[0]; !o.Stale {
			t.Error("decided beside an open sent step")
		}
		b.settle(idbridge.Settlement{Sent: sent, ID: corp("id-ann"), How: idbridge.SentInDoubt})
		if _, _, n, err := b.Status(t.Context(), "corp"); err != nil || n.InDoubt != 1 {
			t.Fatalf("status %+v, %v", n, err)
		}
		if open := must(b.OpenSent(t.Context(), "corp"))(t); len(open) != 1 {
			t.Fatalf("in doubt is not open: %+v", open)
		}
		// An edit meanwhile does not keep an acknowledged effect from moving the base.
		must(b.EditUser(t.Context(), idbridge.UserEdit{User: id, Set: profile("displayName", "meanwhile")}))(t)
		seen := idbridge.Observation{Locator: "uid=moved", Version: "7", Digest: idbridge.Digest{7}}
		done := idbridge.Settlement{Sent: sent, ID: corp("id-ann"), How: idbridge.SentSettled, Base: after, Seen: seen}
		late := done
		late.Base = profile("email", "settled twice")
		b.settle(idbridge.Settlement{Sent: sent + 1, ID: corp("id-ann"), How: idbridge.SentSettled, Base: profile("email", "wrong")}, done, late)
		b.settle(late)
		s = b.subject("id-ann", nil)
		if s.Link.Sent != 0 || s.Link.Base["email"].First() != "new@example.org" || s.Link.Digest != seen.Digest || s.Link.Locator != seen.Locator || s.Link.Seen != "7" {
			t.Errorf("link %+v", s.Link)
		}
		if open := must(b.OpenSent(t.Context(), "corp"))(t); len(open) != 0 {
			t.Errorf("open %+v", open)
		}
	})
}

func TestSentIsRefused(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		b.create("ann")
		base := b.subject("id-ann", nil).Link.Base
		sent := b.send("id-ann", profile("email", "new@example.org"))
		b.settle(idbridge.Settlement{
			Sent: sent, ID: corp("id-ann"), How: idbridge.SentRefused, Base: profile("email", "new@example.org"),
			Unusable: "objectClassViolation", Seen: idbridge.Observation{Digest: idbridge.Digest{1}},
			Conflicts: []idbridge.Conflict{{Attribute: "email", Directory: idbridge.Values{"third"}}},
		})
		s := b.subject("id-ann", nil)
		if s.Link.Sent != 0 || !s.Link.Digest.IsZero() {
			t.Errorf("link %+v", s.Link)
		}
		if diff := cmp.Diff(base, s.Link.Base); diff != "" {
			t.Errorf("a refusal moved the base:\n%s", diff)
		}
		if len(s.Listed) != 1 || s.Listed[0].Why != "objectClassViolation" || len(s.Open) != 1 {
			t.Errorf("listed %+v, open %+v", s.Listed, s.Open)
		}
		keep := b.about("id-ann")
		keep.Unusable, keep.Listed = "objectClassViolation", true
		b.commit(keep)
		if rows := must(b.Quarantine(t.Context(), "corp"))(t); len(rows) != 1 || rows[0].User == 0 {
			t.Errorf("quarantine %+v", rows)
		}
	})
}

func TestDeletedUserLeavesNoOpenStep(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		sent := b.send("id-ann", profile("email", "new@example.org"))
		if err := b.DeleteUser(t.Context(), id, "root"); err != nil {
			t.Fatal(err)
		}
		b.settle(idbridge.Settlement{Sent: sent, ID: corp("id-ann"), How: idbridge.SentSettled})
		if open := must(b.OpenSent(t.Context(), "corp"))(t); len(open) != 0 {
			t.Errorf("open %+v", open)
		}
	})
}

func TestOutbox(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		u := must(b.EditUser(t.Context(), idbridge.UserEdit{User: id, Set: profile("givenName", "stays here"), By: "ann"}))(t)
		if list := must(b.Outbox(t.Context(), "corp", 10))(t); len(list) != 0 {
			t.Errorf("givenName does not go out: %+v", list)
		}
		if !b.subject("id-ann", nil).Link.Digest.IsZero() {
			t.Error("the next listing would not decide the record again")
		}
		u = must(b.EditUser(t.Context(), idbridge.UserEdit{User: id, Set: profile("email", "new@example.org"), By: "ann", IfRevision: u.Revision}))(t)
		u = must(b.EditUser(t.Context(), idbridge.UserEdit{User: id, Set: profile("displayName", "Ann"), By: "bob", IfRevision: u.Revision}))(t)
		_, err := b.EditUser(t.Context(), idbridge.UserEdit{User: id, Set: profile("displayName", "late"), IfRevision: u.Revision - 1})
		wantKind(t, err, idbridge.Conflicting)
		list := must(b.Outbox(t.Context(), "corp", 10))(t)
		if len(list) != 2 || list[0].Author != "ann" || list[1].Author != "bob" || list[0].Link != corp("id-ann") || list[0].User != id {
			t.Fatalf("outbox %+v", list)
		}
		if diff := cmp.Diff(list, must(b.Pending(t.Context(), id))(t)); diff != "" {
			t.Errorf("pending:\n%s", diff)
		}
		same := must(b.EditUser(t.Context(), idbridge.UserEdit{User: id, Set: profile("displayName", "Ann")}))(t)
		if same.Revision != u.Revision {
			t.Error("an edit that changes nothing moved the revision")
		}
		b.reopen()
		if err := b.AckOutbox(t.Context(), b.lead, []int64{list[0].ID}); err != nil {
			t.Fatal(err)
		}
		if rest := must(b.Outbox(t.Context(), "corp", 10))(t); len(rest) != 1 || rest[0].ID != list[1].ID {
			t.Errorf("outbox %+v", rest)
		}
	})
}
