package authstore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
)

// incompressible returns a text that no index of PostgreSQL can hold from 8192 characters on.
func incompressible(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		sum := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		b.WriteString(hex.EncodeToString(sum[:]))
	}
	return b.String()[:n]
}

// incompressibleFails tells whether the bed's database cannot keep such a text as a unique value; SQLite can.
func incompressibleFails(b *bed) bool { return !strings.HasPrefix(b.url, "sqlite:") }

func TestPoisonFailsAlone(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		if !incompressibleFails(b) {
			refuse(t, b)
		}
		var list []idbridge.Decision
		for i := range 20 {
			login := fmt.Sprintf("u%02d", i)
			p := profile("userName", login, "email", login+"@example.org")
			if i == 7 || i == 15 {
				p["email"] = idbridge.Values{poison()}
			}
			list = append(list, creation("id-"+login, p))
		}
		for round := range 2 {
			out := b.commit(list...)
			for i, o := range out {
				bad := i == 7 || i == 15
				if round == 0 && (bad != (o.Unusable != "") || bad != o.Stale || bad == (o.User != 0)) {
					t.Errorf("outcome %d: %+v", i, o)
				}
			}
			rows := must(b.Quarantine(t.Context(), "corp"))(t)
			if len(rows) != 2 || rows[0].Link != corp("id-u07") || rows[1].Link != corp("id-u15") || !strings.Contains(rows[0].Why, "email, ") {
				t.Fatalf("quarantine %+v", rows)
			}
			if n := len(must(b.Users(t.Context(), idbridge.UserFilter{}))(t)); n != 18 {
				t.Fatalf("%d users", n)
			}
		}
		before := must(b.Digests(t.Context()))(t)
		again := must(b.Commit(t.Context(), b.lead, list[15:16]))(t)
		if again[0].Unusable == "" {
			t.Errorf("outcome %+v", again[0])
		}
		after := must(b.Digests(t.Context()))(t)
		before["counter"] = after["counter"] // on PostgreSQL an import takes its ids beforehand: a failed one leaves a gap
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("the same poison again changed tables:\n%s", diff)
		}
		list[7].Steps[0].After["email"] = idbridge.Values{"u07@example.org"}
		if out := b.commit(list[7]); out[0].User == 0 || out[0].Stale {
			t.Errorf("cured: %+v", out[0])
		}
		if rows := must(b.Quarantine(t.Context(), "corp"))(t); len(rows) != 1 {
			t.Errorf("quarantine after the cure %+v", rows)
		}
	})
}

func TestPoisonOfALinkedRecord(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		if !incompressibleFails(b) {
			refuse(t, b)
		}
		b.create("ann", "bob", "cid")
		bad := b.about("id-ann", update(profile("email", poison(), "displayName", "Ann")))
		free := b.about("id-bob", update(profile("email", "b@example.org")))
		tied := b.about("id-cid", update(profile("email", "ann@example.org")))
		tied.Tied = []idbridge.ExternalID{corp("id-ann")}
		out := b.commit(bad, free, tied)
		if out[0].Unusable == "" || out[1].Stale || out[2].Unusable == "" {
			t.Fatalf("outcomes %+v", out)
		}
		s := b.subject("id-ann", nil)
		if diff := cmp.Diff(profile("userName", "ann", "email", "ann@example.org", "displayName", "ann"), s.User.Profile); diff != "" {
			t.Errorf("half of a decision is there:\n%s", diff)
		}
		if len(s.Listed) != 1 || s.Link.Digest == bad.Seen.Digest {
			t.Errorf("subject %+v", s)
		}
		if got := b.subject("id-bob", nil).User.Profile["email"].First(); got != "b@example.org" {
			t.Errorf("bob has %q", got)
		}
	})
}

func TestPoisonInTheRecordsID(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := incompressible(12000)
		out := b.commit(creation("a", profile("userName", "a")), creation(id, profile("userName", "b")))
		rows := must(b.Quarantine(t.Context(), "corp"))(t)
		if !incompressibleFails(b) {
			if out[1].Stale || len(rows) != 0 {
				t.Errorf("outcomes %+v, quarantine %d", out, len(rows))
			}
			return
		}
		if out[0].User == 0 || out[1].Unusable == "" || len(rows) != 1 || rows[0].Link.ID != "" {
			t.Errorf("outcomes %+v, quarantine %d", out, len(rows))
		}
	})
}

func TestBigValuesAreNoPoison(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		p := profile("userName", "ann", "note", strings.Repeat("x\x00y", 4<<20), "photo", string([]byte{0xff, 0, 0xfe}))
		if out := b.commit(creation("a", p), creation("b", profile("userName", "bob"))); out[0].Stale || out[1].Stale {
			t.Fatalf("outcomes: stale %v %v, %s", out[0].Stale, out[1].Stale, out[0].Unusable)
		}
		if got := b.subject("a", nil).User.Profile["note"].First(); got != p["note"].First() {
			t.Errorf("%d octets came back", len(got))
		}
	})
}

func TestTooLongForTheDatabaseIsInvalid(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		id := b.create("ann")[0]
		_, err := b.EditUser(t.Context(), idbridge.UserEdit{User: id, Set: profile("email", poison())})
		if !incompressibleFails(b) {
			must(0, err)(t)
			return
		}
		wantKind(t, err, idbridge.Invalid)
		if got := b.subject("id-ann", nil).User.Profile["email"].First(); got != "ann@example.org" {
			t.Errorf("e-mail %q", got)
		}
	})
}

// poison is an e-mail that neither database keeps: PostgreSQL for its length, SQLite for a trigger.
func poison() string { return incompressible(9000) + "@example.org" }

func refuse(t *testing.T, b *bed) {
	t.Helper()
	if err := b.Refuse("claims", "length(NEW.value) > 5000"); err != nil {
		t.Fatal(err)
	}
}
