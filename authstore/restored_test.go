package authstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
)

// shut closes the store and takes the lead along.
func (b *bed) shut() {
	b.t.Helper()
	if err := b.Resign(context.Background(), b.lead.Epoch); err != nil {
		b.t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		b.t.Fatal(err)
	}
}

// file returns the SQLite file of the bed.
func (b *bed) file() string { return strings.TrimPrefix(b.url, "sqlite:") }

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bed) key(id idbridge.KeyID, user idbridge.UserID) {
	b.t.Helper()
	must(b.CreateKey(b.t.Context(), idbridge.Key{ID: id, User: user, Slot: string(id), Digest: []byte{1}}, "cli"))(b.t)
}

// notRestored wants a store that is the one it was.
func (b *bed) notRestored() {
	b.t.Helper()
	if r := must(b.Restored(b.t.Context()))(b.t); r != (authstore.Restoration{}) {
		b.t.Errorf("restored: %+v", r)
	}
	if s := must(b.Source(b.t.Context(), "corp"))(b.t); !s.Restored.IsZero() {
		b.t.Errorf("source %+v", s)
	}
}

// aged returns a bed over SQLite whose file was put back to an older copy, closed, and what was newer.
func aged(t *testing.T) (b *bed, newest idbridge.UserID, lastRun idbridge.RunID) {
	t.Helper()
	b = newBed(t, databases(t)["sqlite"](t))
	ann := b.create("ann")[0]
	for _, id := range []idbridge.KeyID{"revokedk", "workingk", "goneback"} {
		b.key(id, ann)
	}
	if err := b.RevokeKey(t.Context(), "goneback", "cli", "lost"); err != nil {
		t.Fatal(err)
	}
	b.shut()
	copyFile(t, b.file(), b.file()+".backup")
	b.clock.advance(day)
	b.open()
	if err := b.RevokeKey(t.Context(), "revokedk", "cli", "stolen"); err != nil {
		t.Fatal(err)
	}
	newest = b.create("bob", "carl")[1]
	for range 3 {
		lastRun = b.runOnce(true)
	}
	b.shut()
	copyFile(t, b.file()+".backup", b.file())
	b.clock.advance(time.Hour)
	return b, newest, lastRun
}

func TestRestoredCopyIsFound(t *testing.T) {
	ctx := t.Context()
	b, newest, lastRun := aged(t)
	b.open()
	r := must(b.Restored(ctx))(t)
	if r.Since.IsZero() || r.Lost < 2 || r.Runs != 3 || r.Keys != 2 || !strings.Contains(r.Why, "older copy") {
		t.Errorf("found %+v", r)
	}
	if age := r.Since.Sub(r.Backup); age < 25*time.Hour || age > 26*time.Hour {
		t.Errorf("the backup is of %v, found at %v", r.Backup, r.Since)
	}
	for _, id := range []idbridge.KeyID{"revokedk", "workingk"} {
		k, a, err := b.KeyAccess(ctx, id)
		if err != nil || k.State(b.clock.now()) != idbridge.KeyDisabled || !strings.Contains(k.Reason, "older copy") || a.UserName != "ann" {
			t.Errorf("%s: %+v, %v", id, k, err)
		}
	}
	if k, _, err := b.KeyAccess(ctx, "goneback"); err != nil || k.State(b.clock.now()) != idbridge.KeyRevoked || k.Reason != "lost" {
		t.Errorf("a key that was revoked before: %+v, %v", k, err)
	}
	if s := must(b.Source(ctx, "corp"))(t); !s.Restored.Equal(r.Since) {
		t.Errorf("source: %v", s.Restored)
	}
	if id := b.create("bob")[0]; id <= newest+1_000_000 {
		t.Errorf("a user got id %d, ids up to %d were given", id, newest)
	}
	if id := b.begin(); id <= lastRun+1_000_000 {
		t.Errorf("run %d, runs up to %d there were", id, lastRun)
	}
	b.reopen()
	if again := must(b.Restored(ctx))(t); !cmp.Equal(again, r) {
		t.Errorf("after a restart: %+v", again)
	}
	_, src, _, err := statusOf(b)
	if err != nil || src.Restored.IsZero() {
		t.Errorf("status: %+v, %v", src, err)
	}

	revision := must(b.Revision(ctx))(t)
	if got := must(b.AcceptRestore(ctx, "cli", false))(t); !cmp.Equal(got, r) {
		t.Errorf("accepted %+v", got)
	}
	b.notRestored()
	if must(b.Revision(ctx))(t) == revision {
		t.Error("other daemons would not hear of it")
	}
	for _, id := range []idbridge.KeyID{"revokedk", "workingk"} {
		if k, _, err := b.KeyAccess(ctx, id); err != nil || k.State(b.clock.now()) != idbridge.KeyDisabled || k.Reason != "" {
			t.Errorf("%s: %+v, %v", id, k, err)
		}
	}
	if err := b.SetKeyEnabled(ctx, "workingk", true, "cli"); err != nil {
		t.Fatal(err)
	}
	if k, _, err := b.KeyAccess(ctx, "workingk"); err != nil || k.State(b.clock.now()) != idbridge.KeyActive {
		t.Errorf("enabled again: %+v, %v", k, err)
	}
	_, err = b.AcceptRestore(ctx, "cli", false)
	wantKind(t, err, idbridge.Conflicting)
	actions := map[string]int{}
	for _, a := range must(b.Audit(ctx, idbridge.AuditFilter{}))(t) {
		actions[a.Action]++
	}
	if actions["store.restored"] != 1 || actions["store.accept"] != 1 || actions["key.disable"] != 2 {
		t.Errorf("audit %v", actions)
	}
	b.reopen()
	b.notRestored()
}

func statusOf(b *bed) (idbridge.Population, idbridge.Source, idbridge.StatusCounts, error) {
	s, p, n, err := b.Status(context.Background(), "corp")
	return p, s, n, err
}

func TestAcceptAndKeepKeys(t *testing.T) {
	b, _, _ := aged(t)
	b.open()
	must(b.AcceptRestore(t.Context(), "cli", true))(t)
	for _, id := range []idbridge.KeyID{"revokedk", "workingk"} {
		if k, _, err := b.KeyAccess(t.Context(), id); err != nil || k.State(b.clock.now()) != idbridge.KeyActive {
			t.Errorf("%s: %+v, %v", id, k, err)
		}
	}
}

// TestMark: what is no older copy is none.
func TestMark(t *testing.T) {
	b := newBed(t, databases(t)["sqlite"](t))
	path := b.file() + ".mark"
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mark %v, %v", info, err)
	}
	first := filepath.Join(t.TempDir(), "first")
	copyFile(t, path, first)
	b.create("ann")
	b.shut()
	b.open()
	b.notRestored()
	b.shut()
	t.Run("a mark of before a crash", func(t *testing.T) {
		copyFile(t, first, path)
		b.open()
		b.notRestored()
		b.shut()
	})
	t.Run("through a link", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "link.db")
		if err := os.Symlink(b.file(), link); err != nil {
			t.Fatal(err)
		}
		real := b.url
		b.url = "sqlite:" + link
		b.open()
		b.notRestored()
		b.shut()
		b.url = real
	})
	for name, change := range map[string]func() error{
		"no mark":        func() error { return os.Remove(path) },
		"a damaged mark": func() error { return os.WriteFile(path, []byte(`{"store":`), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := change(); err != nil {
				t.Fatal(err)
			}
			b.open()
			if r := must(b.Restored(t.Context()))(t); !strings.Contains(r.Why, "mark is gone") {
				t.Errorf("%+v", r)
			}
			must(b.AcceptRestore(t.Context(), "cli", true))(t)
			b.reopen()
			b.notRestored()
			b.shut()
		})
	}
	t.Run("copied to another folder", func(t *testing.T) {
		place := filepath.Join(t.TempDir(), "elsewhere.db")
		copyFile(t, b.file(), place)
		other := newBed(t, "sqlite:"+place)
		if r := must(other.Restored(t.Context()))(t); !strings.Contains(r.Why, "mark is gone") {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a new store beside the mark of another", func(t *testing.T) {
		copyFile(t, path, filepath.Join(filepath.Dir(first), "new.db.mark"))
		other := newBed(t, "sqlite:"+filepath.Join(filepath.Dir(first), "new.db"))
		other.notRestored()
		other.create("bob")
		other.reopen()
		other.notRestored()
	})
	t.Run("an old store beside the mark of another", func(t *testing.T) {
		place := filepath.Join(t.TempDir(), "old.db")
		other := newBed(t, "sqlite:"+place)
		other.shut()
		copyFile(t, b.file(), place)
		other.open()
		if r := must(other.Restored(t.Context()))(t); !strings.Contains(r.Why, "another one") {
			t.Errorf("%+v", r)
		}
	})
	b.open()
}

// TestMarkFollows: the mark moves while the store is open, soon after a commit, and when a run with effects ends.
func TestMarkFollows(t *testing.T) {
	b := newBed(t, databases(t)["sqlite"](t))
	revision := func() int64 {
		var m struct{ Revision int64 }
		if err := json.Unmarshal(must(os.ReadFile(b.file()+".mark"))(t), &m); err != nil {
			t.Fatal(err)
		}
		return m.Revision
	}
	must(b.AddUser(t.Context(), idbridge.NewUser{Profile: profile("userName", "ann")}))(t)
	now := must(b.Revision(t.Context()))(t)
	waitFor(t, func() bool { return revision() == now })
	b.create("bob")
	run := must(b.Run(t.Context(), b.lead.Run))(t)
	run.State, run.Counts.Created = idbridge.RunDone, 1
	if err := b.EndRun(t.Context(), b.lead, run, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := revision(), must(b.Revision(t.Context()))(t); got != want {
		t.Errorf("mark at %d, store at %d", got, want)
	}
}

// TestCopiedDatabase: a PostgreSQL store knows that it lies elsewhere than before.
func TestCopiedDatabase(t *testing.T) {
	ctx := t.Context()
	b := newBed(t, freshPostgres(t))
	ann := b.create("ann")[0]
	b.key("workingk", ann)
	b.reopen()
	b.notRestored()
	b.shut()
	name := b.url[strings.LastIndexByte(b.url, '/')+1 : strings.LastIndexByte(b.url, '?')]
	admin := strings.Replace(b.url, name, "postgres", 1)
	ask(t, "postgres", admin, `CREATE DATABASE `+name+`_copy TEMPLATE `+name)
	copied := newBed(t, strings.Replace(b.url, name, name+"_copy", 1))
	if r := must(copied.Restored(ctx))(t); !strings.Contains(r.Why, "made anew") || r.Keys != 1 {
		t.Errorf("copy: %+v", r)
	}
	if k, _, err := copied.KeyAccess(ctx, "workingk"); err != nil || k.Enabled {
		t.Errorf("key: %+v, %v", k, err)
	}
	if id := copied.create("bob")[0]; id < 1_000_000_000 {
		t.Errorf("id %d", id)
	}
	must(copied.AcceptRestore(ctx, "cli", true))(t)
	copied.reopen()
	copied.notRestored()

	for _, c := range []struct{ change, why string }{
		{`UPDATE installation SET cluster = '7'`, "another PostgreSQL server"},
		{`UPDATE installation SET timeline = 99`, "timeline"},
	} {
		ask(t, "postgres", b.url, c.change)
		b.open()
		if r := must(b.Restored(ctx))(t); !strings.Contains(r.Why, c.why) {
			t.Errorf("%s: %+v", c.change, r)
		}
		must(b.AcceptRestore(ctx, "cli", true))(t)
		b.shut()
	}
	ask(t, "postgres", b.url, `UPDATE installation SET timeline = -1`) // any lower one: this server never was on another
	before := ask(t, "postgres", b.url, `SELECT value FROM counter WHERE name = 'user'`)[0]
	b.open()
	b.notRestored()
	if after := ask(t, "postgres", b.url, `SELECT value FROM counter WHERE name = 'user'`)[0]; after == before {
		t.Error("ids did not leap after a promotion")
	}
	if list := must(b.Audit(ctx, idbridge.AuditFilter{Limit: 1}))(t); list[0].Action != "store.failover" {
		t.Errorf("audit %+v", list)
	}
}

// TestCommitsThatAreGone: a daemon that runs on while the database falls back knows more than the database, and all others
// hear of it.
func TestCommitsThatAreGone(t *testing.T) {
	b := newBed(t, freshPostgres(t))
	other := must(authstore.Open(t.Context(), authstore.Config{URL: b.url}, b.opts))(t)
	defer other.Close()
	b.key("workingk", b.create("ann", "bob")[0])
	must(b.AddUser(t.Context(), idbridge.NewUser{Profile: profile("userName", "carl")}))(t)
	was := must(b.Revision(t.Context()))(t)
	waitFor(t, func() bool { k, _, err := other.KeyAccess(t.Context(), "workingk"); return err == nil && k.Enabled })
	pause := time.NewTimer(time.Second)
	<-pause.C // both have polled
	b.ask(`UPDATE revision SET value = value - 2`)
	for name, s := range map[string]*authstore.Store{"one": b.Store, "other": other} {
		waitFor(t, func() bool { k, _, err := s.KeyAccess(t.Context(), "workingk"); return err == nil && !k.Enabled })
		if r := must(s.Restored(t.Context()))(t); r.Lost != 2 || !strings.Contains(r.Why, "commits are gone") {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if now := must(b.Revision(t.Context()))(t); now < was+1_000_000_000 {
		t.Errorf("revision %d", now)
	}
	must(other.AcceptRestore(t.Context(), "cli", true))(t)
	waitFor(t, func() bool { k, _, err := b.KeyAccess(t.Context(), "workingk"); return err == nil && k.Enabled })
}

// TestServerThatDoesNotTell: without the right to ask for the system identifier the store works, and says what is missing.
func TestServerThatDoesNotTell(t *testing.T) {
	address := freshPostgres(t)
	for _, query := range []string{
		`DO $$ BEGIN CREATE ROLE plain LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
		`GRANT ALL ON SCHEMA public TO plain`, `REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC`,
	} {
		ask(t, "postgres", address, query)
	}
	var log bytes.Buffer
	opts := authstore.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}
	s, err := authstore.Open(t.Context(), authstore.Config{URL: strings.Replace(address, "idbridge@", "plain@", 1)}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "system identifier") || strings.Contains(text, "what=oids") {
		t.Errorf("log: %s", text)
	}
}
