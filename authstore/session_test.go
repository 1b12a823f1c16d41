package authstore_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
)

func digestOf(secret string) []byte {
	d := sha256.Sum256([]byte(secret))
	return d[:]
}

func draft(secret string, user idbridge.UserID) idbridge.UserSession {
	return idbridge.UserSession{
		Digest: digestOf(secret), Context: "64e9ff82-7b68-4ad1-916a-" + fmt.Sprintf("%012d", len(secret)), User: user, Surface: "rest",
		How: "password", Address: "192.0.2.7", Agent: "curl/8 " + strings.Repeat("x", 400),
	}
}

// signIn makes a session.
func (b *bed) signIn(secret string, user idbridge.UserID) idbridge.UserSession {
	b.t.Helper()
	return must(b.NewSession(b.t.Context(), draft(secret, user), 0))(b.t)
}

// good tells whether a session is, by both ways to ask; over is why it is not.
func (b *bed) good(s *idbridge.UserSession) (over string) {
	b.t.Helper()
	ctx := context.Background()
	one, a, err := b.SessionAccess(ctx, s.Digest)
	two, _, other := b.SessionByID(ctx, s.ID)
	one.Seen, two.Seen = time.Time{}, time.Time{} // of one moment or another
	if (err == nil) != (other == nil) || idbridge.KindOf(err) != idbridge.KindOf(other) || !cmp.Equal(one, two) {
		b.t.Fatalf("by digest %v, by number %v", err, other)
	}
	switch {
	case err == nil:
		if a.User != s.User || one.ID != s.ID {
			b.t.Fatalf("session %+v of %+v", one, a)
		}
		return ""
	case idbridge.KindOf(err) == idbridge.NotFound:
		return "gone"
	}
	wantKind(b.t, err, idbridge.Unauthentic)
	return one.Reason
}

func (b *bed) wantOver(s *idbridge.UserSession, want string) {
	b.t.Helper()
	if over := b.good(s); over != want {
		b.t.Errorf("session %d is over for %q, not %q", s.ID, over, want)
	}
}

// actions counts the rows of the audit by action.
func (b *bed) actions() map[string]int {
	b.t.Helper()
	out := map[string]int{}
	for _, a := range must(b.Audit(b.t.Context(), idbridge.AuditFilter{Limit: 500}))(b.t) {
		out[a.Action]++
	}
	return out
}

func TestSessionLife(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		ann := b.create("ann")[0]
		before := must(b.Revision(ctx))(t)
		s := b.signIn("one", ann)
		if s.ID == 0 || len(s.Agent) != 200 || s.Expires.Sub(s.Created) != 12*time.Hour || !s.Seen.Equal(s.Created) {
			t.Errorf("session %+v", s)
		}
		if must(b.Revision(ctx))(t) != before {
			t.Error("a login moves the revision")
		}
		b.wantOver(&s, "")
		got, a, err := b.SessionAccess(ctx, s.Digest)
		if diff := cmp.Diff(s, got); diff != "" || err != nil || a.UserName != "ann" || !a.May {
			t.Errorf("%v, %+v\n%s", err, a, diff)
		}
		for i := range 30 { // used every 25 minutes it lives for twelve hours
			b.clock.advance(25 * time.Minute)
			over := ""
			if i >= 28 {
				over = "expired"
			}
			b.wantOver(&s, over)
			b.TouchSession(s.ID, b.clock.now())
			if i == 3 {
				b.reopen() // what was in memory is written
			}
		}
		idle := b.signIn("two", ann)
		b.clock.advance(29 * time.Minute)
		b.wantOver(&idle, "")
		b.clock.advance(time.Minute)
		b.wantOver(&idle, "idle")
		if all := must(b.Sessions(ctx, ann))(t); len(all) != 0 {
			t.Errorf("sessions %+v", all)
		}
		short := draft("three", ann)
		short.Expires = b.clock.now().Add(time.Minute)
		three := must(b.NewSession(ctx, short, 0))(t)
		b.clock.advance(2 * time.Minute)
		b.wantOver(&three, "expired")
		if err := b.EndSession(ctx, 99, "ann", "x"); idbridge.KindOf(err) != idbridge.NotFound {
			t.Errorf("unknown session: %v", err)
		}
		_, _, err = b.SessionAccess(ctx, digestOf("nobody's"))
		wantKind(t, err, idbridge.NotFound)
		_, _, err = b.SessionAccess(ctx, []byte("short"))
		wantKind(t, err, idbridge.NotFound)
	})
}

func TestNewSessionRefused(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		ann := b.create("ann")[0]
		b.signIn("one", ann)
		for name, c := range map[string]struct {
			change func(*idbridge.UserSession)
			kind   idbridge.Kind
		}{
			"short digest": {func(s *idbridge.UserSession) { s.Digest = s.Digest[:31] }, idbridge.Invalid},
			"no context":   {func(s *idbridge.UserSession) { s.Context = "" }, idbridge.Invalid},
			"no surface":   {func(s *idbridge.UserSession) { s.Surface = "" }, idbridge.Invalid},
			"no user":      {func(s *idbridge.UserSession) { s.User = 77 }, idbridge.NotFound},
			"taken digest": {func(s *idbridge.UserSession) { s.Digest = digestOf("one") }, idbridge.Conflicting},
		} {
			s := draft("two", ann)
			c.change(&s)
			if _, err := b.NewSession(ctx, s, 0); idbridge.KindOf(err) != c.kind {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := b.SetSuspended(ctx, ann, true, "cli", ""); err != nil {
			t.Fatal(err)
		}
		_, err := b.NewSession(ctx, draft("three", ann), 0)
		wantKind(t, err, idbridge.Forbidden)
	})
}

// TestSessionsEnd: whatever takes a user's access ends his sessions for good, and nobody else's.
func TestSessionsEnd(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		bob := b.create("bob")[0]
		others := b.signIn("bob's", bob)
		for i, c := range []struct {
			name, over string
			end        func(id idbridge.UserID, login string, s *idbridge.UserSession) error
		}{
			{"logout", idbridge.EndedByLogout, func(_ idbridge.UserID, _ string, s *idbridge.UserSession) error {
				return b.EndSession(ctx, s.ID, "x", idbridge.EndedByLogout)
			}},
			{"all", "because", func(id idbridge.UserID, _ string, _ *idbridge.UserSession) error {
				n, err := b.EndSessions(ctx, idbridge.SessionFilter{User: id}, "x", "because")
				if err == nil && n != 1 {
					err = fmt.Errorf("%d sessions ended", n)
				}
				return err
			}},
			{"suspended", idbridge.EndedBySuspend, func(id idbridge.UserID, _ string, _ *idbridge.UserSession) error {
				if err := b.SetSuspended(ctx, id, true, "x", "gone"); err != nil {
					return err
				}
				return b.SetSuspended(ctx, id, false, "x", "back")
			}},
			{"suspended by a run", idbridge.EndedBySuspend, func(_ idbridge.UserID, login string, _ *idbridge.UserSession) error {
				b.commit(b.about("id-"+login, idbridge.Step{Verb: idbridge.Suspend, Why: "not there"}))
				b.commit(b.about("id-"+login, idbridge.Step{Verb: idbridge.Restore, Why: "there again"}))
				return nil
			}},
			{"purged by a run", "gone", func(_ idbridge.UserID, login string, _ *idbridge.UserSession) error {
				b.commit(b.about("id-"+login, idbridge.Step{Verb: idbridge.Purge, Why: "grace is over"}))
				return nil
			}},
			{"deleted", "gone", func(id idbridge.UserID, _ string, _ *idbridge.UserSession) error { return b.DeleteUser(ctx, id, "x") }},
			{"erased", "gone", func(id idbridge.UserID, _ string, _ *idbridge.UserSession) error {
				e, err := b.Erase(ctx, id, "x", false)
				if err == nil && e.Removed["session"] != 1 {
					err = fmt.Errorf("erased %v", e.Removed)
				}
				return err
			}},
		} {
			login := fmt.Sprintf("user%d", i)
			id := b.create(login)[0]
			s := b.signIn(login, id)
			b.wantOver(&s, "")
			before := must(b.Revision(ctx))(t)
			if err := c.end(id, login, &s); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if over := b.good(&s); over != c.over {
				t.Errorf("%s: the session is over for %q", c.name, over)
			}
			if must(b.Revision(ctx))(t) == before {
				t.Errorf("%s: other processes do not hear of it", c.name)
			}
		}
		b.wantOver(&others, "")
		if n := b.actions(); n["session.login"] != 8 || n["session.end"] != 4 {
			t.Errorf("audit %v", n)
		}
		_, err := b.EndSessions(ctx, idbridge.SessionFilter{Single: true}, "x", "")
		wantKind(t, err, idbridge.Invalid)
	})
}

// TestSessionFilter: of many sessions those that are meant end.
func TestSessionFilter(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		ids := b.create("ann", "bob")
		var all []idbridge.UserSession
		for i, c := range []struct {
			user    idbridge.UserID
			surface string
		}{{ids[0], "rest"}, {ids[0], "rest"}, {ids[0], "console"}, {ids[1], "rest"}, {ids[1], "console"}} {
			s := draft(fmt.Sprint("secret ", i), c.user)
			s.Surface = c.surface
			all = append(all, must(b.NewSession(ctx, s, 0))(t))
		}
		end := func(want int, f idbridge.SessionFilter) {
			t.Helper()
			if n := must(b.EndSessions(ctx, f, "cli", "test"))(t); n != want {
				t.Errorf("%+v ended %d", f, n)
			}
		}
		end(1, idbridge.SessionFilter{User: ids[0], Surface: "rest", Except: all[0].ID})
		end(0, idbridge.SessionFilter{User: ids[0], Single: true})
		end(2, idbridge.SessionFilter{Surface: "console"})
		for i, over := range []string{"", "test", "test", "", "test"} {
			b.wantOver(&all[i], over)
		}
		end(1, idbridge.SessionFilter{User: ids[1], Except: all[0].ID})
		end(0, idbridge.SessionFilter{User: 4711})
		if n := len(must(b.Sessions(ctx, ids[0]))(t)); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
}

// TestSessionsMost: the one that is idle for longest gives way, and rows do not pile up.
func TestSessionsMost(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		ann := b.create("ann")[0]
		var all []idbridge.UserSession
		for i := range 3 {
			all = append(all, must(b.NewSession(ctx, draft(fmt.Sprint(i), ann), 3))(t))
			b.clock.advance(time.Minute)
		}
		b.TouchSession(all[0].ID, b.clock.now()) // in memory only
		for i := 3; i < 12; i++ {
			all = append(all, must(b.NewSession(ctx, draft(fmt.Sprint(i), ann), 3))(t))
			if i == 3 {
				b.wantOver(&all[0], "")
				b.wantOver(&all[1], "more than 3 sessions")
				b.wantOver(&all[2], "")
			}
			b.clock.advance(time.Minute)
		}
		if n := len(must(b.Sessions(ctx, ann))(t)); n != 3 {
			t.Errorf("%d sessions", n)
		}
		if n := b.rows("session", "1 = 1"); n > 7 {
			t.Errorf("%d rows", n)
		}
		b.wantOver(&all[11], "")
	})
}

// TestSingleSession: of single sessions that begin at once, one is left.
func TestSingleSession(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ann := b.create("ann")[0]
		many := b.signIn("a key's", ann)
		all := make([]idbridge.UserSession, 12)
		var group sync.WaitGroup
		for i := range all {
			group.Go(func() {
				s := draft(fmt.Sprint("single ", i), ann)
				s.Single = true
				var err error
				if all[i], err = b.NewSession(t.Context(), s, 0); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		left := 0
		for i := range all {
			switch over := b.good(&all[i]); over {
			case "":
				left++
			case idbridge.EndedByLogin:
			default:
				t.Errorf("over for %q", over)
			}
		}
		if left != 1 {
			t.Errorf("%d are left", left)
		}
		b.wantOver(&many, "")
	})
}

// TestSessionsRace: sign-ins beside a suspension. Whoever comes after it is refused, and nothing of before lives.
func TestSessionsRace(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ctx := t.Context()
		ann := b.create("ann")[0]
		all := make([]idbridge.UserSession, 16)
		var group sync.WaitGroup
		for i := range all {
			group.Go(func() {
				s, err := b.NewSession(ctx, draft(fmt.Sprint("race ", i), ann), 0)
				if err == nil {
					all[i] = s
				} else if idbridge.KindOf(err) != idbridge.Forbidden {
					t.Error(err)
				}
				if i == 7 {
					if err := b.SetSuspended(ctx, ann, true, "cli", "race"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		if err := b.SetSuspended(ctx, ann, false, "cli", "back"); err != nil {
			t.Fatal(err)
		}
		for i := range all {
			if all[i].ID != 0 {
				b.wantOver(&all[i], idbridge.EndedBySuspend)
			}
		}
	})
}

// TestSessionsOfTwoProcesses: what ends on one node is refused on the other within a second, and a use that one node saw keeps
// a session alive on the other.
func TestSessionsOfTwoProcesses(t *testing.T) {
	b := newBed(t, freshPostgres(t))
	ctx := t.Context()
	ann := b.create("ann")[0]
	other := must(authstore.Open(ctx, authstore.Config{URL: b.url}, b.opts))(t)
	s, kept := b.signIn("one", ann), b.signIn("two", ann)
	for _, one := range []idbridge.UserSession{s, kept} {
		if _, _, err := other.SessionAccess(ctx, one.Digest); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.EndSession(ctx, s.ID, "ann", idbridge.EndedByLogout); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, _, err := other.SessionAccess(ctx, s.Digest); idbridge.KindOf(err) == idbridge.Unauthentic {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the other process did not hear of it")
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.clock.advance(25 * time.Minute)
	b.wantOver(&kept, "")
	b.TouchSession(kept.ID, b.clock.now().Add(-20*time.Minute))
	other.TouchSession(kept.ID, b.clock.now())
	if err := other.Close(); err != nil { // which writes it
		t.Fatal(err)
	}
	b.reopen() // which writes the earlier one
	b.clock.advance(25 * time.Minute)
	b.wantOver(&kept, "")
	b.clock.advance(10 * time.Minute)
	b.wantOver(&kept, "idle")
}

// TestSessionsOfACopy: while the store waits as an older copy no session is good and nobody signs in; accepting ends them.
func TestSessionsOfACopy(t *testing.T) {
	for _, keep := range []bool{false, true} {
		b := newBed(t, databases(t)["sqlite"](t))
		ctx := t.Context()
		ann := b.create("ann")[0]
		s := b.signIn("one", ann)
		b.shut()
		copyFile(t, b.file(), b.file()+".backup")
		b.open()
		if err := b.EndSession(ctx, s.ID, "ann", idbridge.EndedByLogout); err != nil {
			t.Fatal(err)
		}
		b.shut()
		copyFile(t, b.file()+".backup", b.file())
		b.open()
		if over := b.good(&s); !strings.Contains(over, "older copy") {
			t.Errorf("in an older copy: %q", over)
		}
		_, err := b.NewSession(ctx, draft("two", ann), 0)
		wantKind(t, err, idbridge.Unavailable)
		must(b.AcceptRestore(ctx, "cli", keep))(t)
		b.wantOver(&s, "the store is an older copy")
		next := b.signIn("three", ann)
		if next.ID <= s.ID+1_000_000 {
			t.Errorf("session %d after %d: a number may be given twice", next.ID, s.ID)
		}
		b.wantOver(&next, "")
	}
}

func TestPruneSessions(t *testing.T) {
	each(t, func(t *testing.T, b *bed) {
		ann := b.create("ann")[0]
		b.signIn("old", ann)
		b.clock.advance(25 * time.Hour)
		young := b.signIn("young", ann)
		if got := b.prune(authstore.Retention{}, true); got["session"] != 1 {
			t.Errorf("would %v", got)
		}
		if got := b.prune(authstore.Retention{}, false); got["session"] != 1 {
			t.Errorf("did %v", got)
		}
		b.wantOver(&young, "")
	})
}
