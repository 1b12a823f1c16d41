package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// pathView is one way in which a user has a role: by hand, or by a group of a directory, and the run that brought it.
type pathView struct {
	GrantView

	Run idbridge.RunID `json:"run,omitempty" doc:"That brought it; absent when it was granted by hand, or when the run is no longer kept."`
}

// wantsPaths reads the query of /check. Errors: 400, 422.
func wantsPaths(r *http.Request) (bool, error) {
	if r.URL.RawQuery == "" {
		return false, nil
	}
	wants := false
	for name, values := range r.URL.Query() {
		switch {
		case name != "explain":
			return false, problem.New(problem.Invalid, "").At("query", "unknown query parameter")
		case values[0] != "true" && values[0] != "false":
			return false, problem.New(problem.Invalid, "").At("query.explain", "expected true or false")
		}
		wants = values[0] == "true"
	}
	return wants, nil
}

// appendPaths appends every grant that gives the role, also when its user may not act.
func (s *Server) appendPaths(ctx context.Context, out []byte, a *idbridge.Access, q *question) ([]byte, error) {
	paths := []pathView{}
	for i := range a.Grants {
		g := &a.Grants[i]
		if string(g.Role) != q.role || g.Application != "" && g.Application != q.application {
			continue
		}
		run, err := s.runOf(ctx, g)
		if err != nil {
			return out, err
		}
		paths = append(paths, pathView{viewGrant(g), run})
	}
	raw, err := json.Marshal(paths)
	if err != nil {
		return out, fmt.Errorf("write paths: %w", err)
	}
	return append(append(out, `,"paths":`...), raw...), nil
}

// runOf finds the run of the grant's directory in whose time it was given: runs of one directory do not overlap. It looks
// at the last 2,000 runs; 0 when it was none of them.
func (s *Server) runOf(ctx context.Context, g *idbridge.Grant) (idbridge.RunID, error) {
	const pages, each = 4, 500
	f := idbridge.RunFilter{Directory: g.Directory, Limit: each}
	for range pages {
		if g.Manual() || g.Since.IsZero() {
			return 0, nil
		}
		runs, err := s.config.Store.Runs(ctx, f)
		if err != nil {
			return 0, err
		}
		for i := range runs {
			if run := &runs[i]; !run.Started.After(g.Since) {
				if run.Ended.IsZero() || !run.Ended.Before(g.Since) {
					return run.ID, nil
				}
				return 0, nil
			}
		}
		if len(runs) < each {
			return 0, nil
		}
		f.Before = runs[len(runs)-1].ID
	}
	return 0, nil
}
