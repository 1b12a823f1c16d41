package engine_test

import (
	"context"

	"pgregory.net/rapid"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/engine"
)

// dry lets somebody look what a run would do: nothing but a plan comes of it.
func (m *census) dry(rt *rapid.T) {
	data := m.data()
	saw := m.listed
	m.listed = nil // what a dry run sees counts for nothing
	m.whole(rt, engine.RunOptions{DryRun: true})
	m.listed = saw
	if got := m.data(); got != data {
		rt.Fatalf("a dry run changed something\nbefore:\n%s\nafter:\n%s", data, got)
	}
}

// undo lets somebody take back one of the last runs, at once or after a while.
func (m *census) undo(rt *rapid.T) {
	var runs []idbridge.RunID
	for i := range m.endings {
		// A membership that was taken back stays so until the group changes, which this test would call wrong.
		if c := &m.endings[i].Counts; c.Pulls+c.Created+c.Suspended+c.Restored > 0 && c.Joined+c.Left == 0 && m.endings[i].Kind != idbridge.PlanRun {
			runs = append(runs, m.endings[i].ID)
		}
	}
	if len(runs) == 0 {
		rt.Skip("nothing was done")
	}
	run, data := runs[len(runs)-1-rapid.IntRange(0, min(2, len(runs)-1)).Draw(rt, "run")], m.data()
	m.worker.kill()
	m.shown = nil
	m.worker.begin(func(e *engine.Engine, t engine.Target) error {
		_, err := e.Undo(context.Background(), t, run, "ann", m.epoch)
		return err
	})
	m.finish(rt)
	if m.data() != data {
		rt.Fatal("planning an undo changed something")
	}
	for _, hash := range sortedKeys(m.plans) {
		if p := m.plans[hash]; p.Undoes == run && p.State != idbridge.PlanApplied && p.State != idbridge.PlanDiscarded {
			for _, d := range p.decisions {
				m.taken[d.ID.ID] = true
			}
			m.undone[m.lastRun+1] = true
			m.carryOut(rt, hash)
			return
		}
	}
}

// outdone tells that somebody cannot have what he shows, because what was taken back gave it to another one again.
func (m *census) outdone(id string) bool { return len(m.taken) > 0 && len(m.quarantine[id]) > 0 }
