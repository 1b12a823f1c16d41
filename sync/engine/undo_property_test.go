package engine_test

import (
	"context"
	"slices"

	"pgregory.net/rapid"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/engine"
)

// undo lets a worker begin to plan the reverse of one of the last runs, or to carry out such a plan, which may be old by
// then. Whoever approves a plan sees the values that it takes away; no other value may be lost by it.
func (m *machine) undo(rt *rapid.T) {
	k := &m.workers[rapid.IntRange(0, 1).Draw(rt, "worker")]
	if k.next != nil || m.real != nil {
		rt.Skip("busy")
	}
	hash, run := m.reverse(), idbridge.RunID(0)
	if hash == "" || rapid.IntRange(0, 3).Draw(rt, "another") == 0 {
		hash = ""
		var runs []idbridge.RunID
		for i := range m.endings {
			if c := &m.endings[i].Counts; c.Pulls+c.Settled > 0 {
				runs = append(runs, m.endings[i].ID)
			}
		}
		if len(runs) == 0 {
			rt.Skip("nothing was done")
		}
		run = runs[len(runs)-1-rapid.IntRange(0, min(2, len(runs)-1)).Draw(rt, "run")]
	}
	if !m.shared {
		m.epoch++
	}
	k.epoch = m.epoch
	if hash != "" {
		m.approve(hash)
	}
	epoch := k.epoch
	k.begin(func(e *engine.Engine, t engine.Target) error {
		if hash != "" {
			_, err := e.Apply(context.Background(), t, hash, "ann", epoch)
			return err
		}
		_, err := e.Undo(context.Background(), t, run, "ann", epoch)
		return err
	})
	for range rapid.IntRange(1, 12).Draw(rt, "n") {
		if !k.step() {
			break
		}
		m.check(rt)
	}
	m.blame(rt, k)
}

// reverse returns the undo plan that waits, "" for none.
func (m *machine) reverse() string {
	for _, hash := range sortedKeys(m.plans) {
		if p := m.plans[hash]; p.Undoes != 0 && (p.State == idbridge.PlanReady || p.State == idbridge.PlanHeld) {
			return hash
		}
	}
	return ""
}

// approve notes what a person sees of a plan: what it takes away he has seen, and what it brings back is wanted again.
func (m *machine) approve(hash string) {
	for _, d := range m.plans[hash].decisions {
		for i := range d.Steps {
			s := &d.Steps[i]
			for _, v := range s.Before[m.attr] {
				if !slices.Contains(s.After[m.attr], v) {
					m.values[v].superseded = true
				}
			}
			for _, v := range s.After[m.attr] {
				m.values[v].byStore = false
			}
		}
	}
}
