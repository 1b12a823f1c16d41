package engine

import (
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

func reverse(
	_ *plan.Policy, _ []idbridge.RunChange, s idbridge.Subject, _ *idbridge.Record, _ bool, _ time.Time,
) (idbridge.Decision, []idbridge.Refusal) {
	return idbridge.Decision{ID: s.ID, Situation: idbridge.Skipped}, []idbridge.Refusal{{Link: s.ID, Why: "cannot be reversed yet"}}
}

func explained(_ *plan.Policy, s idbridge.Subject, _ plan.Observed, _ time.Time) idbridge.ExplainedRecord {
	return idbridge.ExplainedRecord{Link: s.ID, Why: "cannot be explained yet"}
}
