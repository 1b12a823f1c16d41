package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
)

type plansInput struct {
	Directory string             `query:"directory" maxLength:"128"`
	State     idbridge.PlanState `query:"state" enum:"ready,held,applied,discarded"`
}

type plansOutput struct {
	Body struct {
		Items []PlanView `json:"items"`
	}
}

func (s *Server) listPlans(ctx context.Context, _ *credential.Caller, in *plansInput) (*plansOutput, error) {
	list, err := s.config.Store.Plans(ctx, in.Directory, in.State)
	if err != nil {
		return nil, err
	}
	out := &plansOutput{}
	out.Body.Items = make([]PlanView, 0, len(list))
	for i := range list {
		out.Body.Items = append(out.Body.Items, viewPlan(&list[i]))
	}
	return out, nil
}

// PlanPath names a plan by its hash, or by an unambiguous beginning of it.
type PlanPath struct {
	Hash string `path:"hash" minLength:"8" maxLength:"64" pattern:"^[0-9a-f]+$" doc:"Or an unambiguous beginning of it."`
}

type planInput struct {
	PlanPath
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many decisions at most."`
	After int `query:"after" minimum:"0" maximum:"100000000" doc:"How many decisions to pass over: next of the page before."`
}

type planOutput struct {
	PageLink
	Body struct {
		PlanView
		Items []decisionView `json:"items" doc:"A page of its decisions, in the order in which they would be done. A plan that was decided long ago has none any more."`
		Next  int            `json:"next,omitempty" doc:"after of the next page; absent on the last one."`
	}
}

// readPlan shows a plan with a page of its decisions.
func (s *Server) readPlan(ctx context.Context, _ *credential.Caller, in *planInput) (*planOutput, error) {
	p, err := s.config.Store.Plan(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	out := &planOutput{}
	out.Body.PlanView = viewPlan(&p)
	out.Body.Items = []decisionView{}
	limit := in.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	n := 0
	for d, err := range s.config.Store.Decisions(ctx, p.Hash) {
		if err != nil {
			return nil, err
		}
		if n++; n <= in.After {
			continue
		}
		if len(out.Body.Items) == limit {
			out.Body.Next = in.After + limit
			out.Link = s.linkNext("/plans/"+p.Hash, url.Values{"after": {strconv.Itoa(out.Body.Next)}, "limit": {strconv.Itoa(limit)}})
			break
		}
		out.Body.Items = append(out.Body.Items, viewDecision(&d))
	}
	return out, nil
}

func (s *Server) planRoutes() {
	const tag = "plans"
	need := []Permission{SyncApprove}
	register(s, operation{
		method: http.MethodGet, path: "/plans", id: "list-plans", summary: "The latest 100 plans, newest first", tag: tag, need: need,
	}, s.listPlans)
	register(s, operation{
		method: http.MethodGet, path: "/plans/{hash}", id: "read-plan", summary: "One plan: guards, counts, and a page of what it would do", tag: tag,
		need: need, errors: []int{http.StatusNotFound},
	}, s.readPlan)
	register(s, operation{
		method: http.MethodPost, path: "/plans/{hash}/approve", id: "approve-plan", tag: tag, need: need,
		summary: "Apply a plan: exactly what it says, less what moved since", errors: []int{http.StatusNotFound, http.StatusConflict},
		accepted: true,
	}, s.approvePlan)
	register(s, operation{
		method: http.MethodPost, path: "/plans/{hash}/discard", id: "discard-plan", summary: "Close a plan without applying it", tag: tag, need: need,
		errors: []int{http.StatusNotFound, http.StatusConflict},
	}, s.discardPlan)
	register(s, operation{
		method: http.MethodPost, path: "/runs/{id}/undo", id: "undo-run", tag: tag, need: need, status: http.StatusCreated,
		summary: "Plan the reverse of a run, on both sides; does nothing else", errors: []int{http.StatusNotFound, http.StatusConflict},
	}, s.undoRun)
}
