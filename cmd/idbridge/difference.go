package main

import (
	"iter"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// effects collects what a plan would do, by record. It keeps decisions that change something, in memory: it serves a
// person's question about a change of config, not a run.
type effects map[idbridge.ExternalID][]idbridge.Decision

// Planned keeps the decisions.
func (e effects) Planned(_ idbridge.Plan, decisions iter.Seq2[idbridge.Decision, error]) error {
	for d, err := range decisions {
		if err != nil {
			return err
		}
		e[d.ID] = append(e[d.ID], d)
	}
	return nil
}

// difference passes on what a plan would do and another one would not.
type difference struct {
	before effects
	show   planWatcher
	count  int
}

// Planned shows the difference.
func (x *difference) Planned(header idbridge.Plan, decisions iter.Seq2[idbridge.Decision, error]) error {
	return x.show.Planned(header, func(yield func(idbridge.Decision, error) bool) {
		for d, err := range decisions {
			if err != nil {
				yield(d, err)
				return
			}
			for i := range x.before[d.ID] {
				d = plan.Minus(&d, &x.before[d.ID][i])
			}
			if len(plan.Lines(&d)) == 0 {
				continue
			}
			x.count++
			if !yield(d, nil) {
				return
			}
		}
	})
}

// jsonPlan writes a plan's header and decisions as one JSON object.
type jsonPlan struct{ w *world }

// Planned writes them.
func (p *jsonPlan) Planned(header idbridge.Plan, decisions iter.Seq2[idbridge.Decision, error]) error {
	list := []idbridge.Decision{}
	for d, err := range decisions {
		if err != nil {
			return err
		}
		list = append(list, d)
	}
	return p.w.print(map[string]any{"directory": header.Directory, "verdicts": header.Verdicts, "decisions": list}, nil)
}
