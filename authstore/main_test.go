package authstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/internal/testserver"
)

// server is the one PostgreSQL server of this test process; each test gets a database of its own in it.
var server struct {
	sync.Once
	address string
	stop    func() error
	err     error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.stop != nil {
		if err := server.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
			code = 1
		}
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// freshPostgres returns the URL of an empty database.
func freshPostgres(t testing.TB) string {
	t.Helper()
	testserver.Need(t, "initdb")
	server.Do(func() {
		server.address, server.stop, server.err = testserver.StartPostgres(os.TempDir())
	})
	if server.err != nil {
		t.Fatalf("start PostgreSQL: %v", server.err)
	}
	address, err := testserver.PostgresDatabase(server.address)
	if err != nil {
		t.Fatalf("make database: %v", err)
	}
	return address
}

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Microsecond)
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// bed is an open store with what a test needs around it.
type bed struct {
	*authstore.Store
	t     testing.TB
	url   string
	opts  authstore.Options
	clock *clock
	lead  idbridge.Lead
}

// databases returns a fresh database of each kind by name.
func databases(t testing.TB) map[string]func(testing.TB) string {
	t.Helper()
	return map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "idbridge.db") },
		"postgres": freshPostgres,
	}
}

// each runs f over both databases.
func each(t *testing.T, f func(t *testing.T, b *bed)) {
	t.Helper()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			f(t, newBed(t, databases(t)[name](t)))
		})
	}
}

func newBed(t testing.TB, url string) *bed {
	t.Helper()
	c := &clock{at: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	b := &bed{t: t, url: url, clock: c, opts: authstore.Options{
		Now: c.now, Outward: map[string][]idbridge.Attribute{"corp": {idbridge.Email, idbridge.DisplayName}},
	}}
	b.open()
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func (b *bed) open() {
	b.t.Helper()
	s, err := authstore.Open(b.t.Context(), authstore.Config{URL: b.url}, b.opts)
	if err != nil {
		b.t.Fatalf("open: %v", err)
	}
	b.Store = s
	epoch, err := s.Lead(b.t.Context(), time.Hour)
	if err != nil {
		b.t.Fatalf("lead: %v", err)
	}
	b.lead = idbridge.Lead{Run: b.lead.Run, Directory: "corp", Epoch: epoch}
	if b.lead.Run == 0 {
		b.lead.Run = b.begin()
	}
}

// reopen closes the store and opens it again, as after a restart.
func (b *bed) reopen() {
	b.t.Helper()
	if err := b.Resign(context.Background(), b.lead.Epoch); err != nil {
		b.t.Fatalf("resign: %v", err)
	}
	if err := b.Close(); err != nil {
		b.t.Fatalf("close: %v", err)
	}
	b.open()
}

func (b *bed) begin() idbridge.RunID {
	b.t.Helper()
	id, err := b.BeginRun(b.t.Context(), idbridge.Run{Directory: "corp", Kind: idbridge.FullRun, Author: "test", Epoch: b.lead.Epoch})
	if err != nil {
		b.t.Fatalf("begin run: %v", err)
	}
	return id
}

func (b *bed) commit(decisions ...idbridge.Decision) []idbridge.Outcome {
	b.t.Helper()
	out, err := b.Commit(b.t.Context(), b.lead, decisions)
	if err != nil {
		b.t.Fatalf("commit: %v", err)
	}
	if len(out) != len(decisions) {
		b.t.Fatalf("%d outcomes for %d decisions", len(out), len(decisions))
	}
	return out
}

func corp(id string) idbridge.ExternalID { return idbridge.ExternalID{Directory: "corp", ID: id} }

func profile(pairs ...string) idbridge.Profile {
	p := idbridge.Profile{}
	for i := 0; i < len(pairs); i += 2 {
		a := idbridge.Attribute(pairs[i])
		p[a] = append(p[a], pairs[i+1])
	}
	return p
}

// creation is a decision that makes a user of a record.
func creation(id string, p idbridge.Profile) idbridge.Decision {
	return idbridge.Decision{
		ID: corp(id), Name: p[idbridge.UserName].First(), Situation: idbridge.Created, Base: p,
		Steps: []idbridge.Step{{ID: corp(id), Side: idbridge.StoreSide, Verb: idbridge.Create, After: p}},
		Seen:  idbridge.Observation{Locator: "uid=" + id + ",dc=example,dc=org", Version: "1", Digest: idbridge.Digest{1, 2, 3}},
	}
}

// create commits creations of users with the logins given and returns their ids.
func (b *bed) create(logins ...string) []idbridge.UserID {
	b.t.Helper()
	list := make([]idbridge.Decision, 0, len(logins))
	for _, login := range logins {
		list = append(list, creation("id-"+login, profile("userName", login, "email", login+"@example.org", "displayName", login)))
	}
	ids := make([]idbridge.UserID, len(logins))
	for i, o := range b.commit(list...) {
		if o.Stale || o.User == 0 || len(o.Withheld) != 0 {
			b.t.Fatalf("create %s: %+v", logins[i], o)
		}
		ids[i] = o.User
	}
	return ids
}

// subject reads what the store knows about one record.
func (b *bed) subject(id string, shown idbridge.Profile) idbridge.Subject {
	b.t.Helper()
	out, err := b.Subjects(b.t.Context(), "corp", []idbridge.ExternalID{corp(id)}, []idbridge.Profile{shown})
	if err != nil {
		b.t.Fatalf("subjects: %v", err)
	}
	return out[0]
}

// about returns a decision about a linked record as it is now.
func (b *bed) about(id string, steps ...idbridge.Step) idbridge.Decision {
	b.t.Helper()
	s := b.subject(id, nil)
	if s.Link == nil {
		b.t.Fatalf("%s is not linked", id)
	}
	for i := range steps {
		if steps[i].ID == (idbridge.ExternalID{}) {
			steps[i].ID = corp(id)
		}
		if steps[i].Side == "" {
			steps[i].Side = idbridge.StoreSide
		}
	}
	return idbridge.Decision{
		ID: corp(id), User: s.User.ID, Name: s.User.UserName(), Situation: idbridge.Updated,
		Read: idbridge.Versions{User: s.User.Revision, Link: s.Link.Version}, Steps: steps,
		Seen: idbridge.Observation{Locator: s.Link.Locator, Version: s.Link.Seen, Digest: idbridge.Digest{9}},
	}
}

func update(after idbridge.Profile) idbridge.Step {
	return idbridge.Step{Verb: idbridge.Update, After: after}
}

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantKind(t testing.TB, err error, kind idbridge.Kind) {
	t.Helper()
	if err == nil || idbridge.KindOf(err) != kind {
		t.Fatalf("error %v is %v, not %v", err, idbridge.KindOf(err), kind)
	}
}
