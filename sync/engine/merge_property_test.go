package engine_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
)

// The attributes of the merge: one value, and a set.
const (
	title = idbridge.Attribute("title")
	tags  = idbridge.Attribute("tags")
)

// check runs a property for its share, in per cent, of the sequences of one run of the suite. rapid counts in one flag for
// all tests, so each per cent is a check of its own.
func check(t *testing.T, share int, property func(*rapid.T)) {
	t.Helper()
	for range share {
		rapid.Check(t, property)
	}
}

func mergePolicy(flow plan.Flow, on plan.OnConflict) *plan.Policy {
	schema := idbridge.CoreSchema()
	schema[title] = idbridge.Spec{Match: idbridge.CaseExact, Single: true}
	schema[tags] = idbridge.Spec{Match: idbridge.CaseExact}
	return &plan.Policy{
		Directory: directoryName, Schema: schema, Required: []idbridge.Attribute{idbridge.UserName}, Writable: true, Scope: "s",
		Rules: map[idbridge.Attribute]plan.Rule{
			idbridge.UserName: {Flow: plan.In, OnConflict: plan.PreferDirectory},
			title:             {Flow: flow, OnConflict: on},
			tags:              {Flow: flow, OnConflict: on},
		},
		Limits: plan.Limits{
			Removals: 1000, RemovalsCap: 1000, Changes: 1000, Creations: 1000, Members: 1000, Writes: 1000,
			Grants: 1000, Admins: 1000, Keys: 1000, IDs: 1000, Back: 1000,
		},
	}
}

// TestMerge is the property test of the merge: persons type on both sides, two workers run, die and carry on, each in the
// smallest steps there are. Whatever happens in between, no value is invented, none is lost, no older value of ours beats
// a newer one, and when it is quiet both sides agree or a conflict row says why not.
func TestMerge(t *testing.T) {
	for _, c := range []struct {
		name  string
		flow  plan.Flow
		on    plan.OnConflict
		share int
	}{
		{"hold", plan.Both, plan.HoldConflict, 20},
		{"directory", plan.Both, plan.PreferDirectory, 30},
		{"store", plan.Both, plan.PreferStore, 14},
		{"in", plan.In, plan.PreferDirectory, 10},
		{"out", plan.Out, plan.PreferStore, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			check(t, c.share, func(rt *rapid.T) { merge(rt, c.flow, c.on) })
		})
	}
}

// machine is the state of one sequence.
type machine struct {
	*world
	flow    plan.Flow
	on      plan.OnConflict
	attr    idbridge.Attribute
	shared  bool // both workers believe to lead under one epoch; otherwise each new run takes the lead over
	workers [2]worker
	values  map[string]*ghost // every value anybody ever wrote
	typed   int
	broken  string           // what the commit hook found
	only    string           // the one guarantee that is asked about; "": all of them
	real    *authstore.Store // nil: the store is the world's own
}

// ghost is what is remembered of a value: the oracle.
type ghost struct {
	superseded bool // a person who could see it overwrote it
	byStore    bool // in the store
	same       bool // typed on both sides at once
}

func merge(rt *rapid.T, flow plan.Flow, on plan.OnConflict) { mergeFor(rt, flow, on, "") }

// asks tells whether a guarantee is asked about.
func (m *machine) asks(guarantee string) bool { return m.only == "" || m.only == guarantee }

func mergeFor(rt *rapid.T, flow plan.Flow, on plan.OnConflict, only string) {
	m := &machine{only: only,
		world: newWorld(mergePolicy(flow, on)), flow: flow, on: on, attr: title, values: map[string]*ghost{},
		shared: rapid.Bool().Draw(rt, "shared"),
	}
	if rapid.IntRange(0, 3).Draw(rt, "set") == 0 {
		m.attr = tags
	}
	m.asserts = rapid.Bool().Draw(rt, "asserts")
	for i := range m.workers {
		m.workers[i] = worker{w: m.world, epoch: 1}
	}
	m.commits = m.watch
	m.people(rapid.IntRange(1, 2).Draw(rt, "people"))
	defer func() {
		m.workers[0].kill()
		m.workers[1].kill()
	}()
	rt.Repeat(map[string]func(*rapid.T){
		"":          m.check,
		"store":     m.typeInStore,
		"directory": m.typeInDirectory,
		"same":      m.typeTheSame,
		"step 0":    func(rt *rapid.T) { m.steps(rt, 0) },
		"step 0b":   func(rt *rapid.T) { m.steps(rt, 0) },
		"step 1":    func(rt *rapid.T) { m.steps(rt, 1) },
		"through":   m.through,
		"until":     m.until,
		"crash":     func(rt *rapid.T) { m.workers[rapid.IntRange(0, 1).Draw(rt, "worker")].kill() },
		"wire":      func(rt *rapid.T) { m.wire(rt) },
		"undo":      m.undo,
		"quiesce":   m.quiesce,
	})
	m.quiesce(rt)
}

// people makes linked people who are in step on both sides.
func (m *machine) people(n int) {
	for i := range n {
		id := "r" + strconv.Itoa(i+1)
		name := idbridge.Values{"login-" + id}
		first := idbridge.Values{m.fresh()}
		m.entries[id] = &entry{id: id, dn: "uid=" + id, profile: idbridge.Profile{idbridge.UserName: name, m.attr: first}}
		m.lastUser++
		m.users[m.lastUser] = &idbridge.User{
			ID: m.lastUser, Kind: idbridge.Person, Revision: 1, Profile: idbridge.Profile{idbridge.UserName: name, m.attr: first},
		}
		m.links[id] = &idbridge.Link{
			ID: xid(id), User: m.lastUser, Locator: "uid=" + id, State: idbridge.LinkActive, Version: 1,
			Base: idbridge.Profile{idbridge.UserName: name, m.attr: first},
		}
	}
	m.source = idbridge.Source{Runs: 1, Records: n, Scope: "s", Holders: map[idbridge.Attribute]int{idbridge.UserName: n, m.attr: n}}
}

// fresh is a value that nobody typed before.
func (m *machine) fresh() string {
	m.typed++
	v := "v" + strconv.Itoa(m.typed)
	m.values[v] = &ghost{}
	return v
}

// next is what a person makes of what he sees: another value, or for a set one more, one less, or another one.
func (m *machine) next(rt *rapid.T, now idbridge.Values) idbridge.Values {
	if m.attr == title || len(now) == 0 {
		return idbridge.Values{m.fresh()}
	}
	at := rapid.IntRange(0, len(now)-1).Draw(rt, "at")
	switch rapid.IntRange(0, 3).Draw(rt, "how") {
	case 0:
		return append(slices.Clone(now), m.fresh())
	case 1:
		return slices.Delete(slices.Clone(now), at, at+1)
	case 2:
		out := slices.Clone(now)
		out[at] = m.fresh()
		return out
	}
	return idbridge.Values{m.fresh()}
}

func (m *machine) overwrite(now, next idbridge.Values, inStore bool) {
	for _, v := range now {
		if !slices.Contains(next, v) {
			m.values[v].superseded = true
			m.values[v].byStore = m.values[v].byStore || inStore
		}
	}
}

func (m *machine) somebody(rt *rapid.T) (*idbridge.User, *entry) {
	id := "r" + strconv.Itoa(rapid.IntRange(1, len(m.links)).Draw(rt, "who"))
	return m.users[m.links[id].User], m.entries[id]
}

func (m *machine) typeInStore(rt *rapid.T) {
	m.load()
	u, _ := m.somebody(rt)
	now := u.Profile[m.attr]
	next := m.next(rt, now)
	m.overwrite(now, next, true)
	m.write(rt, u, next)
}

// write changes a user in the store.
func (m *machine) write(rt *rapid.T, u *idbridge.User, next idbridge.Values) {
	if m.real == nil {
		m.editStore(u, m.attr, next)
		return
	}
	if next == nil {
		next = idbridge.Values{}
	}
	_, err := m.real.EditUser(context.Background(), idbridge.UserEdit{User: u.ID, Set: idbridge.Profile{m.attr: next}, By: "ann"})
	if err != nil {
		rt.Fatal(err)
	}
	m.load()
}

func (m *machine) typeInDirectory(rt *rapid.T) {
	_, e := m.somebody(rt)
	now := e.profile[m.attr]
	next := m.next(rt, now)
	m.overwrite(now, next, false)
	m.editDirectory(e, m.attr, next)
}

func (m *machine) typeTheSame(rt *rapid.T) {
	m.load()
	u, e := m.somebody(rt)
	v := m.fresh()
	m.values[v].same = true
	next := idbridge.Values{v}
	m.overwrite(u.Profile[m.attr], next, true)
	m.overwrite(e.profile[m.attr], next, false)
	m.write(rt, u, next)
	m.editDirectory(e, m.attr, next)
}

// wire makes the answers of the next modifies get lost, or the modifies themselves.
func (m *machine) wire(rt *rapid.T) {
	switch rapid.IntRange(0, 3).Draw(rt, "wire") {
	case 0:
		m.deaf = listing{}
	case 1:
		m.deaf = listing{lose: true}
	case 2:
		m.deaf = listing{notSent: true}
	case 3:
		m.deaf = listing{refuse: m.real == nil}
	}
}

func (m *machine) steps(rt *rapid.T, i int) {
	k := &m.workers[i]
	if k.next == nil {
		m.start(k, rapid.IntRange(0, 2).Draw(rt, "kind") == 0)
	}
	for range rapid.IntRange(1, 6).Draw(rt, "n") {
		if !k.step() {
			break
		}
		if what := m.wrong(); what != "" {
			rt.Fatal(what)
		}
	}
	m.blame(rt, k)
}

// through lets one worker come to its end while the other one stands still.
func (m *machine) through(rt *rapid.T) {
	k := &m.workers[rapid.IntRange(0, 1).Draw(rt, "worker")]
	if k.next == nil {
		m.start(k, rapid.Bool().Draw(rt, "push"))
	}
	m.finish(rt, k)
}

// until lets one worker come to where it is about to commit, to modify the directory, or to settle: the places where
// another one can do most harm.
func (m *machine) until(rt *rapid.T) {
	k := &m.workers[rapid.IntRange(0, 1).Draw(rt, "worker")]
	if k.next == nil {
		m.start(k, rapid.Bool().Draw(rt, "push"))
	}
	at := rapid.SampledFrom([]string{"commit", "modify", "settle"}).Draw(rt, "at")
	for k.step() && k.at != at {
		m.check(rt)
	}
	m.blame(rt, k)
}

func (m *machine) start(k *worker, push bool) {
	if !m.shared {
		m.epoch++
	}
	k.epoch = m.epoch
	k.start(push)
}

func (k *worker) start(push bool) {
	epoch := k.epoch
	k.begin(func(e *engine.Engine, t engine.Target) error {
		if push {
			_, err := e.Push(context.Background(), t, epoch, 1000)
			return err
		}
		_, err := e.Run(context.Background(), t, engine.RunOptions{Author: "test", Epoch: epoch})
		return err
	})
}

// blame fails for what a worker must never say.
func (m *machine) blame(rt *rapid.T, k *worker) {
	if k.fault != nil {
		rt.Fatalf("panic: %v", k.fault)
	}
	if k.last != nil && idbridge.KindOf(k.last) == idbridge.Internal {
		rt.Fatalf("run: %v", k.last)
	}
	k.last = nil
}

// watch looks at every decision that is committed: no echo wins. Under on_conflict: directory no value of the directory
// may win that the store's author had replaced already, for such a value can only be our own older push. Not asserted for
// what was typed on both sides at once, since values alone do not tell; nor for sets without the assertion control, where
// a late add finds nothing to stumble over.
func (m *machine) watch(lead idbridge.Lead, d *idbridge.Decision) {
	if !m.asks("lost") || m.flow != plan.Both || m.on != plan.PreferDirectory || m.attr == tags && !m.asserts {
		return
	}
	l := m.links[d.ID.ID]
	if l == nil || m.kinds[lead.Run] == idbridge.ApplyRun {
		return
	}
	base := l.Base[m.attr]
	for i := range d.Steps {
		if s := &d.Steps[i]; s.Side == idbridge.StoreSide {
			for _, v := range s.After[m.attr] {
				if g := m.values[v]; g != nil && g.byStore && !g.same && !slices.Contains(base, v) {
					m.broken = fmt.Sprintf("echo: %s came back into the store after its author had replaced it", v)
				}
			}
		}
	}
}

// check holds after every action.
func (m *machine) check(rt *rapid.T) {
	if what := m.wrong(); what != "" {
		rt.Fatal(what)
	}
}

func (m *machine) wrong() string {
	m.load()
	if m.broken != "" {
		return m.broken
	}
	known := make(map[string]bool, len(m.values))
	for id, e := range m.entries {
		dir := e.profile[m.attr]
		var store, base idbridge.Values
		if l := m.links[id]; l != nil {
			store, base = m.users[l.User].Profile[m.attr], l.Base[m.attr]
		}
		for _, side := range []idbridge.Values{store, dir, base} {
			for _, v := range side {
				if m.asks("invented") && m.values[v] == nil {
					return fmt.Sprintf("%s: %q was never written by anybody", id, v)
				}
			}
		}
		for _, v := range store {
			known[v] = true
		}
		for _, v := range dir {
			known[v] = true
		}
	}
	for i := range m.conflicts {
		for _, v := range m.conflicts[i].Store {
			known[v] = true
		}
		for _, v := range m.conflicts[i].Directory {
			known[v] = true
		}
	}
	for v, g := range m.values {
		if m.asks("lost") && !g.superseded && !known[v] {
			return fmt.Sprintf("lost: nobody replaced %s, and it is on no side and in no conflict", v)
		}
	}
	return ""
}

// quiesce lets it become quiet: no more edits, the other worker dies or ends, worker 0 runs to the end several times. Then
// everything agrees, or a conflict says why not, and one more run changes nothing.
func (m *machine) quiesce(rt *rapid.T) {
	m.deaf = listing{}
	if rapid.Bool().Draw(rt, "kill") {
		m.workers[1].kill()
	}
	m.finish(rt, &m.workers[1])
	m.finish(rt, &m.workers[0])
	m.now = m.now.Add(48 * time.Hour) // longer than a refused write is left alone
	for _, push := range []bool{false, true, false, false} {
		m.whole(rt, push)
	}
	m.load()
	m.settled(rt)
	image, modifies := m.image(), m.modifies
	m.whole(rt, false)
	m.whole(rt, true)
	m.load()
	if got := m.image(); m.asks("fixpoint") && (got != image || m.modifies != modifies) {
		rt.Fatalf("a run with nothing to do changed something\nbefore:\n%s\nafter:\n%s\nmodifies %d", image, got, m.modifies-modifies)
	}
}

func (m *machine) whole(rt *rapid.T, push bool) {
	k := &m.workers[0]
	m.start(k, push)
	m.finish(rt, k)
}

func (m *machine) finish(rt *rapid.T, k *worker) {
	for k.step() {
		if what := m.wrong(); what != "" {
			rt.Fatal(what)
		}
	}
	m.blame(rt, k)
}

// settled holds when it is quiet.
func (m *machine) settled(rt *rapid.T) {
	if m.asks("converged") && len(m.outbox) > 0 {
		rt.Fatalf("the outbox is not empty: %+v", m.outbox)
	}
	for id, l := range m.links {
		store, dir, base := m.users[l.User].Profile[m.attr], m.entries[id].profile[m.attr], l.Base[m.attr]
		schema := m.policy.Schema
		if m.asks("base") && l.Sent != 0 {
			rt.Fatalf("%s: a sent step is still open", id)
		}
		if schema.Equal(m.attr, store, dir) {
			if m.asks("base") && !schema.Equal(m.attr, base, dir) {
				rt.Fatalf("%s: both sides hold %q, the base is %q", id, dir, base)
			}
			continue
		}
		if m.flow == plan.In && schema.Equal(m.attr, base, dir) {
			continue // an override in the store
		}
		i := slices.IndexFunc(m.conflicts, func(c idbridge.Conflict) bool {
			return c.Link.ID == id && c.Closed.IsZero() && c.Winner == idbridge.NoWinner
		})
		if i < 0 {
			if !m.asks("converged") {
				continue
			}
			rt.Fatalf("%s: store %q, directory %q, base %q, and no conflict waits", id, store, dir, base)
		}
		c := m.conflicts[i]
		if (m.asks("converged") || m.asks("row")) && cmp.Or(slices.Compare(c.Store, store), slices.Compare(c.Directory, dir)) != 0 {
			rt.Fatalf("%s: store %q, directory %q, but the conflict says %q and %q", id, store, dir, c.Store, c.Directory)
		}
	}
}
