package httpapi

import (
	"context"
	"net/url"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// A run that is asked for gets its number when it begins, which is later when another one is under way.
const (
	startWait = 2 * time.Second
	startLook = 50 * time.Millisecond
)

type syncInput struct {
	Directory string `path:"directory" maxLength:"128"`
	Body      *struct {
		Kind idbridge.RunKind `json:"kind,omitempty" enum:"full,changes,plan" doc:"Default full. plan shows what a run would do and does nothing."`
	}
}

type syncOutput struct {
	Location string `header:"Location" doc:"The run; or the directory's runs, newest first, when it has not begun yet."`
	Body     struct {
		Run       idbridge.RunID `json:"run,omitempty" doc:"Absent when the run has not begun yet: another one is under way."`
		Directory string         `json:"directory"`
	}
}

// startRun starts a run and does not wait for its end.
func (s *Server) startRun(ctx context.Context, who *credential.Caller, in *syncInput) (*syncOutput, error) {
	if s.policies[in.Directory] == nil {
		return nil, problem.New(problem.NotFound, "There is no such directory.")
	}
	if s.config.Runner == nil {
		return nil, problem.New(problem.NotServed, "")
	}
	kind := idbridge.FullRun
	if in.Body != nil && in.Body.Kind != "" {
		kind = in.Body.Kind
	}
	newest, err := s.newestRun(ctx, in.Directory)
	if err != nil {
		return nil, err
	}
	id, err := s.config.Runner.Start(ctx, in.Directory, kind, by(who))
	if err != nil {
		return nil, err
	}
	if id == 0 {
		id = s.awaitRun(ctx, in.Directory, kind, by(who), newest)
	}
	out := &syncOutput{Location: base + "/runs?" + url.Values{"directory": {in.Directory}}.Encode()}
	out.Body.Run, out.Body.Directory = id, in.Directory
	if id != 0 {
		out.Location = runPath(id)
	}
	return out, nil
}

func (s *Server) newestRun(ctx context.Context, directory string) (idbridge.RunID, error) {
	runs, err := s.config.Store.Runs(ctx, idbridge.RunFilter{Directory: directory, Limit: 1})
	if err != nil || len(runs) == 0 {
		return 0, err
	}
	return runs[0].ID, nil
}

// awaitRun looks for the row of a run that was just asked for, at most startWait. It returns 0 when it has not begun then.
func (s *Server) awaitRun(ctx context.Context, directory string, kind idbridge.RunKind, author string, after idbridge.RunID) idbridge.RunID {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	tick := time.NewTicker(startLook)
	defer tick.Stop()
	for {
		const few = 10
		runs, err := s.config.Store.Runs(ctx, idbridge.RunFilter{Directory: directory, Limit: few})
		if err != nil {
			return 0
		}
		for i := range runs {
			if r := &runs[i]; r.ID > after && r.Kind == kind && r.Author == author {
				return r.ID
			}
		}
		select {
		case <-ctx.Done():
			return 0
		case <-tick.C:
		}
	}
}
