package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
)

// runView is one pass over one directory.
type runView struct {
	ID        idbridge.RunID    `json:"id"`
	Directory string            `json:"directory"`
	Kind      idbridge.RunKind  `json:"kind"`
	Author    string            `json:"author" doc:"schedule, a user name, or cli."`
	State     idbridge.RunState `json:"state"`
	Complete  bool              `json:"complete" doc:"Rests on a complete listing."`
	Slot      *time.Time        `json:"slot,omitempty" doc:"The scheduled time."`
	Started   *time.Time        `json:"startedAt"`
	Ended     *time.Time        `json:"endedAt"`
	Counts    idbridge.Counts   `json:"counts"`
	Plan      string            `json:"plan,omitempty"`
	Error     string            `json:"error,omitempty"`
	Hint      string            `json:"hint,omitempty"`
}

func viewRun(r *idbridge.Run) runView {
	return runView{
		ID: r.ID, Directory: r.Directory, Kind: r.Kind, Author: r.Author, State: r.State, Complete: r.Complete, Slot: moment(r.Slot),
		Started: moment(r.Started), Ended: moment(r.Ended), Counts: r.Counts, Plan: r.Plan, Error: r.Error, Hint: r.Hint,
	}
}

type runsInput struct {
	PageQuery
	Directory string `query:"directory" maxLength:"128"`
}

type runsOutput struct {
	PageLink
	Body struct {
		Items []runView `json:"items"`
		Next  string    `json:"next,omitempty"`
	}
}

func (s *Server) listRuns(ctx context.Context, _ *credential.Caller, in *runsInput) (*runsOutput, error) {
	before, err := in.after("runs")
	if err != nil {
		return nil, err
	}
	list, err := s.config.Store.Runs(ctx, idbridge.RunFilter{Directory: in.Directory, Before: idbridge.RunID(before), Limit: in.limit() + 1})
	if err != nil {
		return nil, err
	}
	out := &runsOutput{}
	if len(list) > in.limit() {
		list = list[:in.limit()]
		out.Body.Next = next("runs", int64(list[len(list)-1].ID))
		out.Link = s.link("/runs", out.Body.Next, in.limit(), url.Values{"directory": {in.Directory}})
	}
	out.Body.Items = make([]runView, 0, len(list))
	for i := range list {
		out.Body.Items = append(out.Body.Items, viewRun(&list[i]))
	}
	return out, nil
}

type runInput struct {
	ID idbridge.RunID `path:"id" minimum:"1" maximum:"9007199254740991"`
}

type runOutput struct{ Body runView }

func (s *Server) readRun(ctx context.Context, _ *credential.Caller, in *runInput) (*runOutput, error) {
	r, err := s.config.Store.Run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &runOutput{viewRun(&r)}, nil
}

func (s *Server) runRoutes() {
	const tag = "runs"
	read := []Permission{SyncApprove, SyncRun}
	register(s, operation{method: http.MethodGet, path: "/runs", id: "list-runs", summary: "Runs, newest first", tag: tag, need: read}, s.listRuns)
	register(s, operation{
		method: http.MethodGet, path: "/runs/{id}", id: "read-run", summary: "One run", tag: tag, need: read, errors: []int{http.StatusNotFound},
	}, s.readRun)
}
