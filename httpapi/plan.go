package httpapi

import (
	"cmp"
	"slices"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// PlanView is the header of what a run would do. It is exported because huma looks into embedded types only then.
type PlanView struct {
	Hash      string             `json:"hash"`
	Run       idbridge.RunID     `json:"run" doc:"The run that made it."`
	Directory string             `json:"directory"`
	State     idbridge.PlanState `json:"state" enum:"ready,held,applied,discarded"`
	Decisions int                `json:"decisions" doc:"Those that change something."`
	Removals  int                `json:"removals" doc:"People who lose access or are deleted: what approve asks for."`
	Admins    []string           `json:"admins" doc:"Administrators whom it hits or makes, by login; approve asks for their number."`
	Counts    idbridge.Counts    `json:"counts"`
	Verdicts  []idbridge.Verdict `json:"verdicts" doc:"What each guard says; one with held stopped it, and why says what to do."`
	Proof     idbridge.Proof     `json:"proof" doc:"How complete the listing was."`
	Created   *time.Time         `json:"createdAt"`
	Decided   *time.Time         `json:"decidedAt"`
	By        string             `json:"by,omitempty" doc:"Who approved or discarded it."`
	Undoes    idbridge.RunID     `json:"undoes,omitempty" doc:"The run whose reverse it is."`
	Refused   []refusalView      `json:"refused,omitempty" doc:"Of an undo: what cannot be reversed, and why."`
}

// refusalView is a part of a run that cannot be reversed, or a conflict that cannot be decided.
type refusalView struct {
	Directory string             `json:"directory"`
	Record    string             `json:"record" doc:"The record's id in the directory."`
	User      idbridge.UserID    `json:"user,omitempty"`
	Name      string             `json:"name"`
	Attribute idbridge.Attribute `json:"attribute,omitempty"`
	Why       string             `json:"why"`
}

func viewPlan(p *idbridge.Plan) PlanView {
	v := PlanView{
		Hash: p.Hash, Run: p.Run, Directory: p.Directory, State: cmp.Or(p.State, idbridge.PlanReady), Decisions: p.Decisions, Removals: p.Removals(), Admins: nonNil(p.AdminsHit()), Counts: p.Counts,
		Verdicts: slices.Clone(nonNil(p.Verdicts)), Proof: p.Proof, Created: moment(p.Created), Decided: moment(p.Decided), By: p.By, Undoes: p.Undoes,
	}
	v.Proof.Canary = nonNil(v.Proof.Canary)
	v.Refused = viewRefusals(p.Refused)
	return v
}

func viewRefusals(list []idbridge.Refusal) []refusalView {
	var out []refusalView
	for i := range list {
		r := &list[i]
		out = append(out, refusalView{r.Link.Directory, r.Link.ID, r.User, r.Name, r.Attribute, r.Why})
	}
	return out
}

// decisionView is what the plan does about one record, or about a part of one group.
type decisionView struct {
	Record    string             `json:"record" doc:"The record's id in the directory, or the group's."`
	User      idbridge.UserID    `json:"user,omitempty"`
	Name      string             `json:"name"`
	Situation idbridge.Situation `json:"situation,omitempty"`
	Why       string             `json:"why,omitempty"`
	Lines     []lineView         `json:"lines" doc:"As a person reads it; control characters are escaped, long values shortened."`
	Steps     []stepView         `json:"steps" doc:"As it would be done, with whole values."`
	Conflicts []conflictView     `json:"conflicts,omitempty"`
	Withheld  []withheldView     `json:"withheld,omitempty"`
	Unusable  string             `json:"unusable,omitempty"`
	Keys      int                `json:"keys,omitempty" doc:"Keys that are refused once this is done."`
	Back      bool               `json:"back,omitempty" doc:"The record shows an older state than before."`
	Admin     bool               `json:"admin,omitempty" doc:"An administrator loses or regains access."`
}

// lineView is one thing that a person reads of a decision.
type lineView struct {
	Sign      plan.Sign          `json:"sign" enum:"+,~,-,!"`
	Verb      string             `json:"verb"`
	Name      string             `json:"name"`
	Attribute idbridge.Attribute `json:"attribute,omitempty"`
	Before    string             `json:"before,omitempty"`
	After     string             `json:"after,omitempty"`
	To        idbridge.Side      `json:"to,omitempty" doc:"store or directory; absent when nothing travels."`
	Why       string             `json:"why,omitempty"`
}

func viewDecision(d *idbridge.Decision) decisionView {
	v := decisionView{
		Record: d.ID.ID, User: d.User, Name: d.Name, Situation: d.Situation, Why: d.Why, Steps: viewSteps(d.Steps), Unusable: d.Unusable,
		Keys: d.Keys, Back: d.Back, Admin: d.Admin, Withheld: viewWithheld(d.Withheld),
	}
	lines := plan.Lines(d)
	v.Lines = make([]lineView, 0, len(lines))
	for _, l := range lines {
		v.Lines = append(v.Lines, lineView(l))
	}
	for i := range d.Conflicts {
		v.Conflicts = append(v.Conflicts, viewConflict(&d.Conflicts[i]))
	}
	return v
}
