package engine

import (
	"context"
	"iter"

	"github.com/idbridge/idbridge"
)

// memory is what the store remembers of a directory.
type memory interface {
	// Marks streams every link of the directory, in no order.
	Marks(ctx context.Context, directory string) iter.Seq2[idbridge.Mark, error]
	// Subjects reads what is known about the given records, in one round trip for the whole batch (≤ 1,000), in the order
	// asked. shown has what each record shows now (nil where it is absent), so that candidates and holders can be found.
	Subjects(ctx context.Context, directory string, ids []idbridge.ExternalID, shown []idbridge.Profile) ([]idbridge.Subject, error)
	// Groups reads the directory's groups without their members.
	Groups(ctx context.Context, directory string) ([]idbridge.Group, error)
	// Members reads the ids in one group.
	Members(ctx context.Context, group idbridge.ExternalID) ([]string, error)
	// Source reads what the last run left about the directory.
	Source(ctx context.Context, directory string) (idbridge.Source, error)
}

// committer makes a run's effects in the store, each call one transaction that begins by checking the lead.
type committer interface {
	// Commit makes the store steps of each decision, moves its bases, writes its link, conflicts, quarantine and audit, and
	// records its directory step as sent. Each decision whose precondition fails is left out alone. An error means
	// nothing was done, or, when it is Unknown, that nobody can say.
	Commit(ctx context.Context, lead idbridge.Lead, decisions []idbridge.Decision) ([]idbridge.Outcome, error)
	// Rehearse does exactly what Commit does, up to the end, and rolls it back. It needs no lead when lead.Epoch is 0.
	Rehearse(ctx context.Context, lead idbridge.Lead, decisions []idbridge.Decision) ([]idbridge.Outcome, error)
	// Settle ends sent steps. A settlement whose precondition fails is left out.
	Settle(ctx context.Context, lead idbridge.Lead, settlements []idbridge.Settlement) error
	// OpenSent reads the directory's sent steps that are not settled.
	OpenSent(ctx context.Context, directory string) ([]idbridge.Sent, error)
}

// plans keeps plans as artefacts.
type plans interface {
	// SavePlan stores a header with the decisions that change something, in bounded transactions; an earlier held or ready
	// plan of the same directory becomes discarded ("superseded").
	SavePlan(ctx context.Context, p idbridge.Plan, decisions iter.Seq2[idbridge.Decision, error]) error
	// Plan reads a header by its hash or an unambiguous beginning of it. Error: NotFound.
	Plan(ctx context.Context, hash string) (idbridge.Plan, error)
	// Decisions streams a plan's decisions, phase by phase.
	Decisions(ctx context.Context, hash string) iter.Seq2[idbridge.Decision, error]
	// ClosePlan says how a plan ended. Error: Conflicting when it already had.
	ClosePlan(ctx context.Context, hash string, state idbridge.PlanState, by string) error
}

// runs keeps the rows of runs, and the edits that wait.
type runs interface {
	// BeginRun inserts the row of a run. A slot that ran already gives Exists.
	BeginRun(ctx context.Context, run idbridge.Run) (idbridge.RunID, error)
	// EndRun writes the row's end; with source it writes the directory's bookmark in the same transaction.
	EndRun(ctx context.Context, lead idbridge.Lead, run idbridge.Run, source *idbridge.Source) error
	// Outbox reads the users whose edits wait for the directory, oldest first.
	Outbox(ctx context.Context, directory string, limit int) ([]idbridge.Edit, error)
	// AckOutbox removes entries whose edit has been decided and settled.
	AckOutbox(ctx context.Context, lead idbridge.Lead, ids []int64) error
	// Population reads the numbers that guards compare with.
	Population(ctx context.Context, directory string) (idbridge.Population, error)
}

// history keeps what runs changed, for as long as the config says, and what they complain about.
type history interface {
	// Run reads the row of a run. Error: NotFound.
	Run(ctx context.Context, id idbridge.RunID) (idbridge.Run, error)
	// Changes streams what a run changed, in the order in which it did.
	Changes(ctx context.Context, run idbridge.RunID) iter.Seq2[idbridge.RunChange, error]
	// Created streams the users that a run made and that are still there, by their links.
	Created(ctx context.Context, run idbridge.RunID) iter.Seq2[idbridge.Link, error]
	// Alarm keeps what the last listing of a directory complained about, "" for nothing, and tells whether it is another
	// reason than before.
	Alarm(ctx context.Context, directory, text string) (changed bool, err error)
}
