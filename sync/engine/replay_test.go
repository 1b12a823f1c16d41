package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/engine"
)

// mortal is a store, with the directory beside it, that dies at one of its calls: what the worker knew is lost.
type mortal struct {
	engine.Store
	left int
}

func (m *mortal) call() {
	if m.left--; m.left == 0 {
		panic(crash{})
	}
}

func (m *mortal) Subjects(
	ctx context.Context, directory string, ids []idbridge.ExternalID, shown []idbridge.Profile,
) ([]idbridge.Subject, error) {
	m.call()
	return m.Store.Subjects(ctx, directory, ids, shown)
}

func (m *mortal) Commit(ctx context.Context, lead idbridge.Lead, decisions []idbridge.Decision) ([]idbridge.Outcome, error) {
	m.call()
	out, err := m.Store.Commit(ctx, lead, decisions)
	m.call()
	return out, err
}

func (m *mortal) Settle(ctx context.Context, lead idbridge.Lead, settlements []idbridge.Settlement) error {
	m.call()
	err := m.Store.Settle(ctx, lead, settlements)
	m.call()
	return err
}

func (m *mortal) EndRun(ctx context.Context, lead idbridge.Lead, run idbridge.Run, source *idbridge.Source) error {
	m.call()
	return m.Store.EndRun(ctx, lead, run, source)
}

type mortalDirectory struct {
	idbridge.Directory
	m *mortal
}

func (d *mortalDirectory) Open(ctx context.Context) (idbridge.Session, error) {
	s, err := d.Directory.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &mortalSession{Session: s, m: d.m}, nil
}

type mortalSession struct {
	idbridge.Session
	m *mortal
}

func (s *mortalSession) Apply(ctx context.Context, step idbridge.Step) (idbridge.Record, error) {
	s.m.call()
	rec, err := s.Session.Apply(ctx, step)
	s.m.call()
	return rec, err
}

// replay is one random life over a real directory and a real store, with the same oracle as TestMerge.
type replay struct {
	*house
	r      *rand.Rand
	n      int
	values map[string]*ghost
}

// TestReplay replays the merge over real slapd and both databases: persons type on both sides, runs and pushes die at any
// call. Nothing is lost, and when it is quiet both sides agree.
func TestReplay(t *testing.T) {
	seed := uint64(time.Now().UnixNano()) // new ones each time; it is logged
	houses(t, with(3), func(h *house) {
		h.t.Logf("seed %d", seed)
		p := &replay{house: h, r: rand.New(rand.NewPCG(seed, 1)), values: map[string]*ghost{}}
		h.done()
		for i := range 3 {
			p.values["Person "+p.name(i)] = &ghost{}
		}
		for range 6 {
			for range 14 {
				p.something()
			}
			p.quiet()
		}
	})
}

func (p *replay) name(i int) string { return fmt.Sprintf("p%03d", i+1) }

func (p *replay) something() {
	i := p.r.IntN(3)
	switch p.r.IntN(8) {
	case 0, 1:
		p.typed(p.name(i), true, p.fresh())
	case 2, 3:
		p.typed(p.name(i), false, p.fresh())
	case 4:
		v := p.fresh()
		p.typed(p.name(i), true, v)
		p.typed(p.name(i), false, v)
	case 5:
		p.done()
	case 6:
		p.push()
	case 7:
		p.die(p.r.IntN(2) == 0, 1+p.r.IntN(12))
	}
}

func (p *replay) fresh() string {
	p.n++
	v := fmt.Sprintf("Name %d", p.n)
	p.values[v] = &ghost{}
	return v
}

func (p *replay) typed(name string, inStore bool, v string) {
	now := p.user(name).Profile[idbridge.DisplayName]
	if !inStore {
		now = p.shown(name)
	}
	for _, old := range now {
		if old != v {
			p.values[old].superseded = true
		}
	}
	if inStore {
		p.edit(name, idbridge.DisplayName, v)
	} else {
		p.set(name, "displayName", v)
	}
}

// shown is what the directory shows.
func (p *replay) shown(name string) (values []string) {
	p.t.Helper()
	out, err := p.slapd.Search(p.slapd.BaseDN, "(uid="+name+")", "displayName")
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if v, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "displayName: "); ok {
			values = append(values, v)
		}
	}
	return values
}

// die starts a run or a push that dies at its n-th call.
func (p *replay) die(push bool, n int) {
	p.t.Helper()
	m := &mortal{Store: p.Store, left: n}
	e := &engine.Engine{Store: m, Now: p.now, Writers: 1, SpoolDir: p.t.TempDir()}
	target := p.target
	target.Directory = &mortalDirectory{Directory: p.target.Directory, m: m}
	defer func() {
		switch fault := recover(); fault.(type) {
		case nil, crash:
		default:
			panic(fault)
		}
	}()
	var err error
	if push {
		_, err = e.Push(p.ctx, target, p.epoch, 10)
	} else {
		_, err = e.Run(p.ctx, target, engine.RunOptions{Author: "test", Epoch: p.epoch})
	}
	if err != nil {
		p.t.Errorf("run: %v", err)
	}
}

// quiet lets it become quiet and looks.
func (p *replay) quiet() {
	p.t.Helper()
	for range 2 {
		p.done()
		p.push()
	}
	known := map[string]bool{}
	for i := range 3 {
		store, dir := p.user(p.name(i)).Profile[idbridge.DisplayName], p.shown(p.name(i))
		if !slices.Equal(store, dir) {
			p.t.Fatalf("%s: store %q, directory %q", p.name(i), store, dir)
		}
		for _, v := range store {
			known[v] = true
		}
	}
	rows, err := p.Conflicts(p.ctx, idbridge.ConflictFilter{Limit: 1000})
	if err != nil {
		p.t.Fatal(err)
	}
	for i := range rows {
		known[rows[i].Store.First()], known[rows[i].Directory.First()] = true, true
	}
	for v, g := range p.values {
		if !g.superseded && !known[v] {
			p.t.Fatalf("lost: nobody replaced %s", v)
		}
	}
	p.fixpoint()
}
