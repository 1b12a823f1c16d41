package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// planWait is how long an answer waits for a plan to be applied or made: less than the write timeout.
const planWait = 50 * time.Second

type approveInput struct {
	PlanPath
	Body struct {
		Removals int    `json:"removals" minimum:"0" example:"8" doc:"How many people lose access or are deleted, as the plan says: the one who approves has read it."`
		Admins   int    `json:"admins,omitempty" minimum:"0" example:"1" doc:"How many administrators it hits; required when it hits any."`
		Reason   string `json:"reason,omitempty" maxLength:"256" example:"the unit was closed" doc:"Kept in the audit."`
	}
}

type approveOutput struct {
	Status   int
	Location string `header:"Location" doc:"The run."`
	Body     struct {
		Run   runView  `json:"run" doc:"As it ended; with 202 it is still under way."`
		Stale []string `json:"stale" doc:"Whose records moved since the plan was made, and were left out."`
	}
}

// approvePlan applies a plan for a person who typed the numbers of its removals and of the administrators it hits. It waits a while, also when the client goes
// away.
func (s *Server) approvePlan(ctx context.Context, who *credential.Caller, in *approveInput) (*approveOutput, error) {
	p, err := s.openPlan(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	if in.Body.Removals != p.Removals() {
		return nil, problem.New(problem.Conflict, "removals is not the number of people whom this plan removes. Read the plan, look at who they are, "+
			"then approve it with the number that it shows as removals.")
	}
	if hit := len(p.AdminsHit()); in.Body.Admins != hit {
		return nil, problem.New(problem.Conflict, "admins is not the number of administrators whom this plan hits. Read the plan, look at who they are, "+
			"then approve it with the number of names that it shows as admins.")
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), planWait)
	defer cancel()
	done, err := s.config.Planner.Approve(wait, p.Hash, by(who))
	if err != nil {
		return nil, err
	}
	s.reason(ctx, who, "plan.approve", p.Hash, in.Body.Reason, done.Run.ID)
	out := &approveOutput{Status: http.StatusOK, Location: runPath(done.Run.ID)}
	if done.Run.State == idbridge.RunRunning {
		out.Status = http.StatusAccepted
	}
	out.Body.Run, out.Body.Stale = viewRun(&done.Run), nonNil(done.Stale)
	return out, nil
}

func runPath(id idbridge.RunID) string { return base + "/runs/" + strconv.FormatInt(int64(id), 10) }

// openPlan reads a plan that waits for a decision. Errors: 404, 409, 503.
func (s *Server) openPlan(ctx context.Context, hash string) (idbridge.Plan, error) {
	if s.config.Planner == nil {
		return idbridge.Plan{}, problem.New(problem.NotServed, "")
	}
	p, err := s.config.Store.Plan(ctx, hash)
	if err != nil {
		return p, err
	}
	if p.State != idbridge.PlanHeld && p.State != idbridge.PlanReady {
		return p, problem.New(problem.Conflict, "The plan is "+string(p.State)+" already; make a new one.")
	}
	return p, nil
}

// reason keeps why a person did it; that it was done has a row of its own.
func (s *Server) reason(ctx context.Context, who *credential.Caller, action, target, reason string, run idbridge.RunID) {
	if reason == "" {
		return
	}
	a := idbridge.Audit{At: s.config.Now(), Actor: by(who), Action: action, Target: target, Reason: reason, Run: run}
	if err := s.config.Store.AddAudit(context.WithoutCancel(ctx), a); err != nil {
		s.config.Log.WarnContext(ctx, "reason not written to the audit", "action", action, "cause", err)
	}
}

type discardInput struct {
	PlanPath
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"256" example:"the unit was closed" doc:"Kept in the audit."`
	}
}

type planHeaderOutput struct{ Body PlanView }

func (s *Server) discardPlan(ctx context.Context, who *credential.Caller, in *discardInput) (*planHeaderOutput, error) {
	p, err := s.openPlan(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	if err := s.config.Planner.Discard(ctx, p.Hash, by(who)); err != nil {
		return nil, err
	}
	if in.Body != nil {
		s.reason(ctx, who, "plan.discard", p.Hash, in.Body.Reason, p.Run)
	}
	if p, err = s.config.Store.Plan(ctx, p.Hash); err != nil {
		return nil, err
	}
	return &planHeaderOutput{viewPlan(&p)}, nil
}

type undoInput struct {
	ID   idbridge.RunID `path:"id" minimum:"1" maximum:"9007199254740991"`
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"256" example:"the unit was closed" doc:"Kept in the audit."`
	}
}

type undoOutput struct {
	Location string `header:"Location" doc:"The plan, when there is anything to reverse."`
	Body     PlanView
}

// undoRun makes the reverse of a run as a plan, which somebody then approves like any other.
func (s *Server) undoRun(ctx context.Context, who *credential.Caller, in *undoInput) (*undoOutput, error) {
	if s.config.Planner == nil {
		return nil, problem.New(problem.NotServed, "")
	}
	run, err := s.config.Store.Run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if run.State == idbridge.RunRunning {
		return nil, problem.New(problem.Busy, "The run has not ended yet.")
	}
	wait, cancel := context.WithTimeout(ctx, planWait)
	defer cancel()
	p, err := s.config.Planner.Undo(wait, in.ID, by(who))
	if err != nil {
		return nil, err
	}
	if in.Body != nil {
		s.reason(ctx, who, "run.undo", run.Directory, in.Body.Reason, in.ID)
	}
	out := &undoOutput{Body: viewPlan(&p)}
	if p.Hash != "" {
		out.Location = base + "/plans/" + p.Hash
	}
	return out, nil
}
