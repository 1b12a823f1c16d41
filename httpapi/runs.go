package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
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

type syncInput struct {
	Directory string `path:"directory" maxLength:"128"`
	Body      *struct {
		Kind idbridge.RunKind `json:"kind,omitempty" enum:"full,changes,plan" doc:"Default full. plan shows what a run would do and does nothing."`
	}
}

type syncOutput struct {
	Location string `header:"Location"`
	Body     struct {
		Run       idbridge.RunID `json:"run,omitempty" doc:"Absent when the run has no number yet."`
		Directory string         `json:"directory"`
	}
}

// startRun starts a run and does not wait for it.
func (s *Server) startRun(ctx context.Context, who *credential.Caller, in *syncInput) (*syncOutput, error) {
	if s.policies[in.Directory] == nil {
		return nil, problem.New(problem.NotFound, "There is no such directory.")
	}
	if s.config.Runner == nil {
		return nil, problem.New(problem.Unavailable, "")
	}
	kind := idbridge.FullRun
	if in.Body != nil && in.Body.Kind != "" {
		kind = in.Body.Kind
	}
	id, err := s.config.Runner.Start(ctx, in.Directory, kind, by(who))
	if err != nil {
		return nil, err
	}
	out := &syncOutput{}
	out.Body.Run, out.Body.Directory = id, in.Directory
	if id != 0 {
		out.Location = base + "/runs/" + strconv.FormatInt(int64(id), 10)
	}
	return out, nil
}

// directoryView is a directory and what waits in it.
type directoryView struct {
	Name         string                `json:"name"`
	Writable     bool                  `json:"writable" doc:"Takes edits from the store."`
	Login        bool                  `json:"login" doc:"Checks passwords."`
	Records      int                   `json:"records" doc:"In the last complete listing."`
	LastComplete *time.Time            `json:"lastCompleteAt"`
	Waiting      idbridge.StatusCounts `json:"waiting"`
}

type directoriesOutput struct {
	Body struct {
		Items []directoryView `json:"items"`
	}
}

func (s *Server) listDirectories(ctx context.Context, _ *credential.Caller, _ *empty) (*directoriesOutput, error) {
	out := &directoriesOutput{}
	out.Body.Items = make([]directoryView, 0, len(s.config.Directories))
	for i := range s.config.Directories {
		d := &s.config.Directories[i]
		source, _, counts, err := s.config.Store.Status(ctx, d.Name)
		if err != nil && idbridge.KindOf(err) != idbridge.NotFound {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, directoryView{
			Name: d.Name, Writable: d.Policy.Writable, Login: d.Login != nil, Records: source.Records, LastComplete: moment(source.Complete), Waiting: counts,
		})
	}
	return out, nil
}

func (s *Server) runRoutes() {
	const tag = "runs"
	read := []Permission{SyncApprove, SyncRun}
	register(s, operation{method: http.MethodGet, path: "/runs", id: "list-runs", summary: "Runs, newest first", tag: tag, need: read}, s.listRuns)
	register(s, operation{
		method: http.MethodGet, path: "/runs/{id}", id: "read-run", summary: "One run", tag: tag, need: read, errors: []int{http.StatusNotFound},
	}, s.readRun)
	register(s, operation{
		method: http.MethodGet, path: "/directories", id: "list-directories", summary: "Directories, and what waits in each", tag: tag, need: read,
	}, s.listDirectories)
	register(s, operation{
		method: http.MethodPost, path: "/directories/{directory}/sync", id: "start-run", summary: "Start a run; does not wait for its end", tag: tag,
		need: []Permission{SyncRun}, status: http.StatusAccepted, errors: []int{http.StatusNotFound, http.StatusConflict},
	}, s.startRun)
}
