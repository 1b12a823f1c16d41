package engine_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/internal/mapping"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldap"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
)

// postgres is the one PostgreSQL server of this test process; each test gets a database of its own in it.
var postgres struct {
	sync.Once
	address string
	stop    func() error
	err     error
}

// house is everything real at once: slapd, the LDAP provider, the engine, the store.
type house struct {
	*authstore.Store
	t      *testing.T
	ctx    context.Context
	slapd  *testserver.SlapdServer
	engine *engine.Engine
	target engine.Target
	epoch  int64
	clock  time.Time
	mu     sync.Mutex
}

// houses runs one story over both databases, each with a directory of its own.
func houses(t *testing.T, o testserver.SlapdOptions, story func(h *house)) {
	t.Helper()
	for name, url := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "idbridge.db") },
		"postgres": freshPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			story(newHouse(t, url(t), testserver.Slapd(t, o)))
		})
	}
}

func freshPostgres(t *testing.T) string {
	t.Helper()
	testserver.Need(t, "initdb")
	postgres.Do(func() { postgres.address, postgres.stop, postgres.err = testserver.StartPostgres(os.TempDir()) })
	if postgres.err != nil {
		t.Fatalf("start PostgreSQL: %v", postgres.err)
	}
	address, err := testserver.PostgresDatabase(postgres.address)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

const (
	adminsDN = "cn=admins,ou=groups,dc=example,dc=org"
	phone    = idbridge.Attribute("phone")
)

func newHouse(t *testing.T, url string, slapd *testserver.SlapdServer) *house {
	t.Helper()
	h := &house{t: t, ctx: t.Context(), slapd: slapd, clock: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	schema := idbridge.CoreSchema()
	schema[phone] = idbridge.Spec{Match: idbridge.Telephone}
	rules := []idbridge.RoleRule{{Role: idbridge.Admin, Directory: directoryName, Group: adminsDN}}
	cfg := ldap.Config{
		Name: directoryName, URLs: []string{slapd.TLSURL}, TLS: ldap.TLS{CAFile: slapd.CAFile}, BaseDN: slapd.BaseDN, PageSize: 50,
		Bind:  ldap.Bind{DN: slapd.SyncDN, Password: idbridge.NewSecret(slapd.SyncPassword)},
		Users: ldap.Search{Base: slapd.PeopleDN}, Groups: ldap.Groups{Filter: "(objectClass=groupOfNames)"}, Schema: schema,
		Map: []mapping.Field{
			{Attribute: idbridge.UserName, From: "uid"}, {Attribute: idbridge.GivenName, From: "givenName"},
			{Attribute: idbridge.FamilyName, From: "sn"}, {Attribute: idbridge.DisplayName, From: "displayName"},
			{Attribute: idbridge.Email, From: "mail"}, {Attribute: phone, From: "telephoneNumber"},
		},
	}
	d, err := ldap.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	store, err := authstore.Open(t.Context(), authstore.Config{URL: url}, authstore.Options{
		Now: h.now, Schema: schema, RoleRules: rules,
		Outward: map[string][]idbridge.Attribute{directoryName: {
			idbridge.GivenName, idbridge.FamilyName, idbridge.DisplayName, idbridge.Email, phone,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	h.Store = store
	if h.epoch, err = store.Lead(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	h.engine = &engine.Engine{Store: store, Now: h.now, SpoolDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	h.target = engine.Target{Directory: d, Policy: housePolicy(schema, rules, d.Scope())}
	return h
}

func housePolicy(schema idbridge.Schema, roles []idbridge.RoleRule, scope string) *plan.Policy {
	both := plan.Rule{Flow: plan.Both, OnConflict: plan.PreferDirectory}
	return &plan.Policy{
		Directory: directoryName, Schema: schema, Required: []idbridge.Attribute{idbridge.UserName}, Writable: true,
		Rules: map[idbridge.Attribute]plan.Rule{
			idbridge.UserName: {Flow: plan.In, OnConflict: plan.PreferDirectory}, idbridge.GivenName: both,
			idbridge.FamilyName: both, idbridge.DisplayName: both, idbridge.Email: both, phone: both,
		},
		ConfirmAfter: 10 * time.Minute, PurgeAfter: 30 * 24 * time.Hour, Limits: plan.DefaultLimits(), Roles: roles,
		Access: plan.AllLinks, Scope: scope,
	}
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock = h.clock.Add(time.Microsecond)
	return h.clock
}

func (h *house) later(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock = h.clock.Add(d)
}

// run does one run that must come to its end.
func (h *house) run() engine.Report {
	h.t.Helper()
	rep, err := h.engine.Run(h.ctx, h.target, engine.RunOptions{Author: "test", Epoch: h.epoch})
	if err != nil {
		h.t.Fatalf("run: %v (hint: %s)", err, idbridge.HintOf(err))
	}
	if !rep.Run.Counts.AddUp() {
		h.t.Fatalf("the counters do not add up: %+v", rep.Run.Counts)
	}
	return rep
}

// done does a run that must make all its effects.
func (h *house) done() engine.Report {
	h.t.Helper()
	rep := h.run()
	if rep.Run.State != idbridge.RunDone {
		h.t.Fatalf("the run is %s: %s; %+v", rep.Run.State, rep.Run.Error, rep.Plan.Verdicts)
	}
	return rep
}

// runs does a run that may fail.
func (h *house) runs() (engine.Report, error) {
	return h.engine.Run(h.ctx, h.target, engine.RunOptions{Author: "test", Epoch: h.epoch})
}

func (h *house) push() engine.Report {
	h.t.Helper()
	rep, err := h.engine.Push(h.ctx, h.target, h.epoch, 100)
	if err != nil {
		h.t.Fatalf("push: %v", err)
	}
	return rep
}

func (h *house) apply(hash string) engine.Report {
	h.t.Helper()
	rep, err := h.engine.Apply(h.ctx, h.target, hash, "ann", h.epoch)
	if err != nil {
		h.t.Fatalf("apply: %v", err)
	}
	return rep
}

// fixpoint is how every story ends: one more run writes nothing into the directory and changes no row outside run, slot,
// lease and cursor.
func (h *house) fixpoint() {
	h.t.Helper()
	before, writes := h.rows(), h.writes()
	rep := h.run()
	if diff := cmp.Diff(before, h.rows()); diff != "" {
		h.t.Errorf("a run with nothing to do changed rows (-before +after):\n%s\n%+v", diff, rep.Run.Counts)
	}
	if n := h.writes() - writes; n != 0 {
		h.t.Errorf("a run with nothing to do made %d writes", n)
	}
}

// rows are the digests of the tables that an idle run must leave alone.
func (h *house) rows() map[string]string {
	h.t.Helper()
	out, err := h.Digests(h.ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, table := range []string{"runs", "audit", "lease", "source", "counter", "revision"} {
		delete(out, table) // audit has one row per run
	}
	return out
}

func (h *house) writes() int {
	h.t.Helper()
	n, err := h.slapd.Writes()
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *house) modify(ldif ...string) {
	h.t.Helper()
	if err := h.slapd.Modify(strings.Join(ldif, "")); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) dn(uid string) string { return "uid=" + uid + "," + h.slapd.PeopleDN }

// set changes an attribute in the directory from outside.
func (h *house) set(uid, attribute string, values ...string) {
	h.t.Helper()
	h.modify(testserver.Change(h.dn(uid), attribute, values...))
}

func (h *house) add(uid string, pairs ...string) {
	h.t.Helper()
	if err := h.slapd.Modify(addition(person(h.slapd.PeopleDN, uid, pairs...))); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) remove(uids ...string) {
	h.t.Helper()
	var b strings.Builder
	for _, uid := range uids {
		b.WriteString("dn: " + h.dn(uid) + "\nchangetype: delete\n\n")
	}
	h.modify(b.String())
}

// move takes a person out of the scope, or back: the entry and its id stay.
func (h *house) move(uid string, from, to string) {
	h.t.Helper()
	h.modify("dn: uid=" + uid + "," + from + "\nchangetype: modrdn\nnewrdn: uid=" + uid + "\ndeleteoldrdn: 0\nnewsuperior: " + to + "\n\n")
}

func addition(entry string) string {
	dn, rest, _ := strings.Cut(entry, "\n")
	return dn + "\nchangetype: add\n" + rest
}

// person is an entry of somebody with the usual attributes.
func person(base, uid string, pairs ...string) string {
	all := []string{
		"objectClass", "inetOrgPerson", "uid", uid, "cn", "Person " + uid, "sn", "Of " + uid, "givenName", "Gi " + uid,
		"displayName", "Person " + uid, "mail", uid + "@example.org",
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if at := slices.Index(all, pairs[i]); at >= 0 && at%2 == 0 {
			if all[at+1] = pairs[i+1]; pairs[i+1] == "" {
				all = slices.Delete(all, at, at+2)
			}
			continue
		}
		all = append(all, pairs[i], pairs[i+1])
	}
	return testserver.Entry("uid="+uid+","+base, all...)
}

// crowd is n people p001, p002 … and the group of administrators with the first of them.
func crowd(n int) string {
	const people = "ou=people,dc=example,dc=org"
	var b strings.Builder
	for i := range n {
		b.WriteString(person(people, fmt.Sprintf("p%03d", i+1)))
	}
	b.WriteString(testserver.Entry(adminsDN, "objectClass", "groupOfNames", "cn", "admins",
		"member", "uid=p001,"+people, "member", "uid=p002,"+people))
	return b.String()
}

func (h *house) user(name string) idbridge.User {
	h.t.Helper()
	u, err := h.UserByName(h.ctx, name)
	if err != nil {
		h.t.Fatalf("user %s: %v", name, err)
	}
	return u
}

// expect compares one attribute of a user of the store.
func (h *house) expect(name string, a idbridge.Attribute, want ...string) {
	h.t.Helper()
	got := h.user(name).Profile[a]
	if len(got) != len(want) || !slices.Equal(sorted(got), sorted(want)) {
		h.t.Errorf("%s: the store has %s %q, want %q", name, a, got, want)
	}
}

func sorted(v []string) []string { return slices.Sorted(slices.Values(v)) }

// shows compares one attribute of an entry of the directory.
func (h *house) shows(uid, attribute string, want ...string) {
	h.t.Helper()
	out, err := h.slapd.Search(h.slapd.BaseDN, "(uid="+uid+")", attribute)
	if err != nil {
		h.t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out) {
		if v, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), attribute+": "); ok {
			got = append(got, v)
		}
	}
	if !slices.Equal(sorted(got), sorted(want)) {
		h.t.Errorf("%s: the directory shows %s %q, want %q", uid, attribute, got, want)
	}
}

func (h *house) edit(name string, a idbridge.Attribute, values ...string) {
	h.t.Helper()
	u := h.user(name)
	if _, err := h.EditUser(h.ctx, idbridge.UserEdit{User: u.ID, Set: idbridge.Profile{a: values}, By: name}); err != nil {
		h.t.Fatal(err)
	}
}

// access tells whether a user may act, and whether he is an administrator.
func (h *house) access(id idbridge.UserID) (may, admin bool) {
	h.t.Helper()
	a, err := h.Access(h.ctx, id)
	if err != nil {
		h.t.Fatal(err)
	}
	return a.May, a.Has(idbridge.Admin, "")
}

func (h *house) mayAct(name string, want bool) {
	h.t.Helper()
	if may, _ := h.access(h.user(name).ID); may != want {
		h.t.Errorf("%s may act: %v, want %v", name, may, want)
	}
}

// missing counts the links that are suspended for absence, and everybody who may not act.
func (h *house) refused() (names []string) {
	h.t.Helper()
	for after := idbridge.UserID(0); ; {
		page, err := h.Users(h.ctx, idbridge.UserFilter{After: after, Limit: 100})
		if err != nil {
			h.t.Fatal(err)
		}
		if len(page) == 0 {
			return names
		}
		for i := range page {
			if may, _ := h.access(page[i].ID); !may {
				names = append(names, page[i].UserName())
			}
			after = page[i].ID
		}
	}
}

// newKey gives a user a key and returns its id.
func (h *house) newKey(name string) idbridge.KeyID {
	h.t.Helper()
	k, err := h.CreateKey(h.ctx, idbridge.Key{
		ID: idbridge.KeyID(fmt.Sprintf("%-8s", name)[:8]), User: h.user(name).ID, Slot: idbridge.PrimarySlot, Digest: []byte(strings.Repeat("x", 32)),
		Enabled: true, Created: h.now(), CreatedBy: name, Scopes: []string{"*"},
	}, name)
	if err != nil {
		h.t.Fatal(err)
	}
	return k.ID
}

func (h *house) keyWorks(id idbridge.KeyID, want bool) {
	h.t.Helper()
	k, a, err := h.KeyAccess(h.ctx, id)
	works := err == nil && a.May && k.State(h.now()) == idbridge.KeyActive
	if works != want {
		h.t.Errorf("key %s works: %v (%v), want %v", id, works, err, want)
	}
}

// rule puts an access rule before all others while the server runs, and returns what takes it away.
func (h *house) rule(to string) (lift func()) {
	h.t.Helper()
	const db = "dn: olcDatabase={2}mdb,cn=config\nchangetype: modify\n"
	if err := h.slapd.Configure(db + "add: olcAccess\nolcAccess: {0}" + to + "\n\n"); err != nil {
		h.t.Fatal(err)
	}
	return func() {
		if err := h.slapd.Configure(db + "delete: olcAccess\nolcAccess: {0}\n\n"); err != nil {
			h.t.Fatal(err)
		}
	}
}

// meddling is a directory in which something happens in the middle of a listing.
type meddling struct {
	idbridge.Directory
	after int
	do    func()
}

func (m *meddling) Open(ctx context.Context) (idbridge.Session, error) {
	s, err := m.Directory.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &meddled{Session: s, m: m}, nil
}

type meddled struct {
	idbridge.Session
	m *meddling
}

func (s *meddled) Scan(ctx context.Context, since idbridge.Cursor) iter.Seq2[idbridge.Change, error] {
	return func(yield func(idbridge.Change, error) bool) {
		n := 0
		for c, err := range s.Session.Scan(ctx, since) {
			if n++; n == s.m.after {
				s.m.do()
			}
			if !yield(c, err) {
				return
			}
		}
	}
}
