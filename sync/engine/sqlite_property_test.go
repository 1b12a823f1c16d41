package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
)

// TestMergeOverSQLite is TestMerge over the real store, in fewer sequences: the preconditions are the same functions, and
// this shows that the store asks them.
func TestMergeOverSQLite(t *testing.T) {
	t.Parallel()
	template := filepath.Join(t.TempDir(), "template.db")
	s := openSQLite(t, template)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	check(t, 1, func(rt *rapid.T) {
		n++
		file := filepath.Join(filepath.Dir(template), strconv.Itoa(n)+".db")
		raw, err := os.ReadFile(template)
		if err == nil {
			err = os.WriteFile(file, raw, 0o600)
		}
		if err != nil {
			rt.Fatal(err)
		}
		s := openSQLite(t, file)
		defer func() {
			if err := s.Close(); err != nil {
				rt.Error(err)
			}
			for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
				_ = os.Remove(file + suffix)
			}
		}()
		mergeOver(rt, s)
	})
}

func openSQLite(t *testing.T, file string) *authstore.Store {
	t.Helper()
	p := mergePolicy(plan.Both, plan.PreferDirectory)
	s, err := authstore.Open(t.Context(), authstore.Config{URL: "sqlite:" + file}, authstore.Options{
		Schema: p.Schema, Outward: map[string][]idbridge.Attribute{directoryName: {title, tags}},
		Now: func() time.Time { return time.Unix(1_700_000_000, 0).UTC() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mergeOver is one sequence over a real store. Both workers believe to lead under one epoch, since that is what asks most
// of the preconditions.
func mergeOver(rt *rapid.T, s *authstore.Store) {
	m := &machine{
		world: newWorld(mergePolicy(plan.Both, plan.PreferDirectory)), flow: plan.Both, on: plan.PreferDirectory, attr: title,
		values: map[string]*ghost{}, shared: true, real: s,
	}
	m.asserts = true
	if rapid.IntRange(0, 3).Draw(rt, "set") == 0 {
		m.attr = tags
	}
	var err error
	if m.epoch, err = s.Lead(context.Background(), time.Hour); err != nil {
		rt.Fatal(err)
	}
	for i := range m.workers {
		m.workers[i] = worker{w: m.world, epoch: m.epoch}
	}
	m.store = func(v *view) engine.Store {
		return &paused{Store: s, v: v, before: m.load, after: m.watch}
	}
	m.entries["r1"] = &entry{id: "r1", dn: "uid=r1", profile: idbridge.Profile{
		idbridge.UserName: {"login-r1"}, m.attr: {m.fresh()},
	}}
	defer func() {
		m.workers[0].kill()
		m.workers[1].kill()
	}()
	m.whole(rt, false)
	m.load()
	rt.Repeat(map[string]func(*rapid.T){
		"":          m.check,
		"store":     m.typeInStore,
		"directory": m.typeInDirectory,
		"same":      m.typeTheSame,
		"step 0":    func(rt *rapid.T) { m.steps(rt, 0) },
		"step 1":    func(rt *rapid.T) { m.steps(rt, 1) },
		"until":     m.until,
		"crash":     func(rt *rapid.T) { m.workers[rapid.IntRange(0, 1).Draw(rt, "worker")].kill() },
		"wire":      m.wire,
	})
	m.quiesce(rt)
}

// load takes over what the real store holds.
func (m *machine) load() {
	if m.real == nil {
		return
	}
	ctx := context.Background()
	fail := func(err error) {
		if err != nil {
			m.broken = err.Error()
		}
	}
	subjects, err := m.real.Subjects(ctx, directoryName, []idbridge.ExternalID{xid("r1")}, make([]idbridge.Profile, 1))
	fail(err)
	for i := range subjects {
		if l := subjects[i].Link; l != nil {
			m.links[l.ID.ID], m.users[l.User] = l, subjects[i].User
		}
	}
	m.conflicts, err = m.real.Conflicts(ctx, idbridge.ConflictFilter{Limit: 1000})
	fail(err)
	m.outbox, err = m.real.Outbox(ctx, directoryName, 1000)
	fail(err)
	m.sent = nil
	open, err := m.real.OpenSent(ctx, directoryName)
	fail(err)
	for _, s := range open {
		m.sent = append(m.sent, &sentRow{Sent: s})
	}
}
